//! Tasks, scheduler, timers and I/O driver of tasca: asyncio's model on all cores.
//!
//! Most users depend on the facade crate `tasca`, which has all of this and more. What is in here:
//!
//! - [`spawn()`] makes a [`Task`]; it has a name, can be cancelled with a message, awaited by many, watched by callbacks.
//! - [`catch_cancelled`] and [`finally`] are `except CancelledError` and `finally`: clean-up may await.
//! - [`Runtime`] runs tasks: on all cores, on this thread, or in virtual time with a seed.
//! - [`time`] has sleeps, [`io`] makes any descriptor wait for its readiness; [`ContextVar`] follows the flow of control.
//!
//! ```
//! use tasca_core::{run, spawn};
//!
//! let sum = run(async {
//!     let parts: Vec<_> = (1..=3).map(|n| spawn(async move { n * n })).collect();
//!     let mut sum = 0;
//!     for part in parts {
//!         sum += part.await;
//!     }
//!     sum
//! });
//! assert_eq!(sum.unwrap(), 14);
//! ```
//!
//! # The rooms
//!
//! The modules below stand in the order of their layers: one imports those of lower layers only. `docs/architecture.md` is the map.

mod primitive;

mod biased;
#[forbid(unsafe_code)]
mod idle;
mod poller;
#[forbid(unsafe_code)]
mod queue;
mod slab;
mod slots;

mod task;
mod timer_queue;

#[forbid(unsafe_code)]
mod driver;
#[forbid(unsafe_code)]
mod scope;

mod scheduler;

#[forbid(unsafe_code)]
pub mod io;
#[forbid(unsafe_code)]
pub mod time;

mod runtime;

#[cfg(test)]
mod tests;

pub use primitive::Process;
pub use runtime::{
    Builder, CallHandle, Child, EnterGuard, Handle, Observed, Operand, RunError, Runtime,
    Simulation, TaskBuilder, TimeHold, TryChild, TryOperand, all_tasks, block_in_place,
    current_task, run, spawn, spawn_local, spawn_pinned, try_spawn,
};
pub use scheduler::extension::Extension;
pub use scope::{Cancelled, CatchCancelled, Reraise, catch_cancelled, finally};
pub use task::awaitable::Awaitable;
pub use task::context::{Context, ContextVar, Token};
pub use task::error::{CancelMessage, Problem, ResultError, TaskError, Trouble};
pub use task::expiry::Left;
pub use task::group::Group;
pub use task::handle::{CallbackId, Task, TaskId, TaskRef};
pub use task::job::{Job, JobBuilder, current_job, current_job_cancelled};
pub use task::job_queue::JobQueue;
pub use task::join::{Finished, JoinRef, Outcome};
pub use task::leaf::{YieldNow, yield_now};
pub use task::members::{IntoMembers, Members};
pub use task::observe::{CancelForward, Observation, Observer, SharedTask};
pub use task::promise::{Promise, promise};
#[doc(inline)]
pub use task::toolkit as leaf;
pub use time::expiry::{Expired, Expiry};
