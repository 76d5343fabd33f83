//! Runtimes: making them, running them, ending them.
//!
//! | file | what |
//! |---|---|
//! | [`builder`](mod@builder) | [`Builder`]: what a runtime is made of |
//! | [`handle`](mod@handle) | [`Handle`]: what can be asked of a runtime from anywhere |
//! | [`spawn`](mod@spawn) | [`spawn`](spawn::spawn) and its relatives |
//! | [`block_on`](mod@block_on) | a thread that waits for one future |
//! | [`block_in_place`](mod@block_in_place) | a task that blocks its worker, and says so first |
//! | [`run`](mod@run) | a program: main, signals |
//! | [`close`](mod@close) | its end: what is left is cancelled, and waited for |
//! | [`leftovers`](mod@leftovers) | what is said of tasks that have not ended |
//! | [`simulation`](mod@simulation) | what happens beside the deterministic loop and belongs to its model |

pub(crate) mod block_in_place;
pub(crate) mod block_on;
pub(crate) mod builder;
pub(crate) mod close;
pub(crate) mod handle;
mod leftovers;
pub(crate) mod operand;
pub(crate) mod run;
pub(crate) mod signal;
pub(crate) mod simulation;
pub(crate) mod spawn;

use std::io;
use std::time::Duration;

use crate::primitive::Arc;
use crate::scheduler::shared::Shared;
use crate::scheduler::shutdown;

pub use block_in_place::block_in_place;
pub use builder::Builder;
pub use handle::{CallHandle, EnterGuard, Handle};
pub use operand::{Child, Observed, Operand, TryChild, TryOperand};
pub use run::{RunError, run};
pub use simulation::{Simulation, TimeHold};
pub use spawn::{
    TaskBuilder, all_tasks, current_task, spawn, spawn_local, spawn_pinned, try_spawn,
};

/// A runtime: workers, timers and an I/O driver, and the tasks that run on them.
///
/// Dropping it ends it: tasks are dropped where they are, without a chance to clean up, and the threads are joined. The drop waits
/// for polls that are under way, at most for the builder's
/// [`shutdown_timeout`](Builder::shutdown_timeout). Inside one of the runtime's own tasks it waits for nothing.
/// [`run`](Runtime::run) is the way to end a program with clean-up.
///
/// # asyncio counterpart
///
/// `asyncio.Runner`.
///
/// # Examples
///
/// ```
/// let rt = tasca_core::Runtime::new().unwrap();
/// let task = rt.handle().spawn(async { 1 + 1 });
/// assert_eq!(rt.block_on(task), 2);
/// ```
#[derive(Debug)]
pub struct Runtime {
    shared: Arc<Shared>,
}

impl Runtime {
    /// Makes a runtime with a worker for each core that the process may use.
    ///
    /// # Errors
    ///
    /// As for [`Builder::build`].
    pub fn new() -> io::Result<Self> {
        Self::builder().build()
    }

    /// Describes a runtime to be made.
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// Gives a handle, by which others can use the runtime. It does not keep the runtime from ending.
    #[must_use]
    pub fn handle(&self) -> Handle {
        Handle::new(Arc::clone(&self.shared))
    }

    /// Polls `future` on this thread until it is ready, and blocks meanwhile.
    ///
    /// On the current-thread and the deterministic runtime this thread runs all other tasks too, while it is in here. The
    /// future is a task like any other (it has a name, can be cancelled, is listed), but it need be
    /// neither `Send` nor `'static`.
    ///
    /// # asyncio counterpart
    ///
    /// `Runner.run()`, but for signals: see [`run`](Self::run).
    ///
    /// # Panics
    ///
    /// If the future panics; if it ends cancelled; if this thread is running a task already; in a forked child; if
    /// another thread drives this current-thread runtime.
    #[track_caller]
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        block_on::block_on(&self.shared, future)
    }

    /// Ends the runtime as a drop does, waiting for polls that are under way at most `timeout`.
    ///
    /// What does not end in time is reported to the exception handler.
    pub fn shutdown_timeout(self, timeout: Duration) {
        self.end(timeout);
    }

    fn end(&self, timeout: Duration) {
        let left = shutdown::shut_down(&self.shared, timeout);
        leftovers::report_left(&self.shared, &left);
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        if !self.shared.is_stopped() {
            self.end(self.shared.settings.shutdown_timeout);
        }
    }
}
