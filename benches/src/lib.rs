//! Workloads that are written once and run on tasca and on its peers.
//!
//! The parts, in reading order:
//!
//! - [`rt`] is the small trait that a workload sees of a runtime, with one module for each runtime;
//! - [`workload`] says what a workload is, and measures one on one runtime;
//! - [`workloads`] holds the workloads by subject, and the table of all of them;
//! - [`clock`] reads processor time, [`latch`] and [`work`] are what several workloads share;
//! - [`page`] puts what was measured into pages of documentation;
//! - `sys` is the platform: processor time, and servers that use the system directly, as a limit.
//!
//! Three programs use them: the criterion benchmarks in `benches/`, the binary `side-by-side`, which
//! measures all runtimes in the same run, interleaved, and the binary `cost-counter`, which counts
//! instructions instead of time. The binary `scaling` measures nothing: it simulates.
//!
//! In `others/` are programs in other languages, and on runtimes whose tasks cannot do what [`rt::Rt`]
//! asks for; `side-by-side --others` measures them through a pipe.
//!
//! # Equal conditions
//!
//! - One binary, one profile, one allocator (the system's), the same generic source, monomorphised for
//!   each runtime.
//! - A workload runs *inside a task, on a worker*, and takes the time there. The thread that started the
//!   runtime only waits, and drives nothing.
//! - Each measurement has a runtime of its own, which has run the workload once before the clock
//!   starts, so that nobody pays for starting threads or for first touching memory.
//! - A runtime is used as its own documentation tells users to: `tokio::spawn` and
//!   `tokio::time::timeout`; an `async_executor::Executor` run by threads in `async_io::block_on`, and
//!   `futures_lite::future::or` with an `async_io::Timer`, as the crate `smol` does.
//! - Results are asserted: a workload that loses a task or a byte panics.

#![forbid(unsafe_code)]

pub mod clock;
pub mod latch;
pub mod page;
pub mod rt;
mod sys;
pub mod work;
pub mod workload;
pub mod workloads;
