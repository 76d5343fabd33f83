//! Tasks, scheduler, timers and I/O driver of tasca.

mod primitive;
mod biased;
mod idle;
mod poller;
mod queue;
mod slab;
mod slots;
mod timer_queue;
mod task;
mod driver;
mod scope;
mod scheduler;
mod runtime;
pub mod io;
pub mod time;

pub use runtime::{
    Builder, CallHandle, EnterGuard, Handle, RunError, Runtime, TaskBuilder, all_tasks, current_task, run, spawn,
    spawn_local, spawn_pinned,
};
pub use scope::{CatchCancelled, Cancelled, Reraise, catch_cancelled, finally};
pub use task::context::{Context, ContextVar, Token};
pub use task::error::{CancelMessage, Problem, ResultError, TaskError, Trouble};
pub use task::handle::{CallbackId, Task, TaskId, TaskRef};
pub use task::join::{Finished, JoinRef, Outcome};
pub use task::leaf::{YieldNow, yield_now};
pub use task::promise::{Promise, promise};
