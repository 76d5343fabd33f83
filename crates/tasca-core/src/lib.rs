//! Tasks, scheduler, timers and I/O driver of tasca.

mod biased;
mod driver;
mod idle;
pub mod io;
mod poller;
mod primitive;
mod queue;
mod runtime;
mod scheduler;
mod scope;
mod slab;
mod slots;
mod task;
pub mod time;
mod timer_queue;

pub use runtime::{
    Builder, CallHandle, EnterGuard, Handle, RunError, Runtime, TaskBuilder, all_tasks,
    current_task, run, spawn, spawn_local, spawn_pinned,
};
pub use scope::{Cancelled, CatchCancelled, Reraise, catch_cancelled, finally};
pub use task::context::{Context, ContextVar, Token};
pub use task::error::{CancelMessage, Problem, ResultError, TaskError, Trouble};
pub use task::handle::{CallbackId, Task, TaskId, TaskRef};
pub use task::join::{Finished, JoinRef, Outcome};
pub use task::leaf::{YieldNow, yield_now};
pub use task::promise::{Promise, promise};
