//! Blocking calls and computations beside the workers.
//!
//! | function | begins | runs on | context variables |
//! |---|---|---|---|
//! | [`to_thread`] | when awaited | the runtime's threads for blocking calls | a copy of the caller's |
//! | [`run_in_executor`] | at once | any [`Executor`] | none |
//! | [`spawn_blocking`] | at once | the runtime's threads for computations | a copy of the caller's |
//! | [`ThreadPool::spawn`] | at once | that pool | none |
//!
//! All give a [`Task`](tasca_core::Task) like any other: it has a name, can be cancelled, waited for by many, grouped.
//!
//! # What is guaranteed
//!
//! - A closure runs as a whole, once, or not at all; the latter only if its task was cancelled or failed.
//! - Jobs of one pool begin in the order of submission.
//! - A job is never left without a thread: one that cannot be run fails, with a message that says why.
//! - However many computations are queued or running, blocking calls find threads, and the other way round; they
//!   share nothing but the processor.
//! - A pool never has more threads than its maximum, and never fewer than its jobs need to go on: if jobs block, others get threads, up
//!   to the maximum.
//!
//! # How it works today
//!
//! The lane for blocking calls begins with a thread for each core, at most four. A watcher raises that number, up to 512,
//! in windows of 100 µs, when jobs take long; see the protocol in `crew`. A thread ends after 10 idle seconds.
//! The lane for computations has a thread for each core.

#![forbid(unsafe_code)]

mod primitive;

mod crew;

mod ends;
mod equipment;
mod executor;
mod limiter;

mod simulated;

mod thread_pool;

mod pools;

mod cancelled;
pub mod fs;
mod on_thread;
mod stdin;

#[cfg(feature = "rayon")]
mod rayon_executor;

pub use cancelled::{JobCancelled, check_cancelled, is_cancelled};
pub use ends::{LeftBehind, QueueFull, Queued};
pub use executor::{Executor, run_in_executor};
pub use limiter::{Acquire, Limiter, Permit};
pub use on_thread::{ToThread, to_thread};
pub use pools::{
    CpuExecutor, DefaultExecutor, PoolsConfig, PoolsStatistics, spawn_blocking, statistics,
};
#[cfg(feature = "rayon")]
pub use rayon_executor::RayonExecutor;
pub use simulated::sleep;
pub use stdin::{Stdin, stdin};
pub use tasca_core::{Job, JobBuilder, block_in_place};
pub use thread_pool::{PoolStatistics, ThreadPool, ThreadPoolBuilder};
