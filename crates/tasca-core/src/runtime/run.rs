//! A program: main, the interrupt, and an end that cleans up.

use std::fmt;
use std::io;
use std::panic::{Location, resume_unwind};
use std::time::Duration;

use futures::FutureExt;
use futures::future::{Either, join_all, select};

use super::{Runtime, block_on, signal};
use crate::scheduler::shared::{Flavor, SpawnOptions};
use crate::task::error::{CancelMessage, TaskError};
use crate::task::handle::{Task, TaskRef};
use crate::task::leaf::yield_now;
use crate::task::state::Kind;
use crate::time::sleep;

/// Why [`run`] has no value: main was cancelled, or interrupted.
///
/// # asyncio counterpart
///
/// The `CancelledError` or `KeyboardInterrupt` that `asyncio.run()` raises.
#[derive(Debug)]
pub struct RunError(Why);

#[derive(Debug)]
enum Why {
    Start(io::Error),
    Cancelled(Option<CancelMessage>),
    Interrupted,
}

impl RunError {
    /// Whether an interrupt (SIGINT) ended main.
    #[must_use]
    pub fn is_interrupted(&self) -> bool {
        matches!(self.0, Why::Interrupted)
    }

    /// Whether main was cancelled, by other means than an interrupt.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        matches!(self.0, Why::Cancelled(_))
    }

    /// The message of the cancellation, if it had one.
    #[must_use]
    pub fn cancel_message(&self) -> Option<&str> {
        match &self.0 {
            Why::Cancelled(message) => message.as_ref().map(CancelMessage::as_str),
            Why::Start(_) | Why::Interrupted => None,
        }
    }
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Why::Start(error) => write!(f, "the runtime cannot be made: {error}"),
            Why::Cancelled(None) => f.write_str("main was cancelled"),
            Why::Cancelled(Some(message)) => {
                write!(f, "main was cancelled: {}", message.as_str())
            }
            Why::Interrupted => f.write_str("interrupted"),
        }
    }
}

impl std::error::Error for RunError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0 {
            Why::Start(error) => Some(error),
            Why::Cancelled(_) | Why::Interrupted => None,
        }
    }
}

/// Makes a multi-threaded runtime and runs `main` on it: [`Runtime::new`], then [`Runtime::run`].
///
/// # asyncio counterpart
///
/// `asyncio.run()`.
///
/// # Errors
///
/// [`RunError`] if main was cancelled or interrupted, or the runtime could not be made.
///
/// # Panics
///
/// If main panics.
///
/// # Examples
///
/// ```
/// let answer = tasca_core::run(async { tasca_core::spawn(async { 42 }).await });
/// assert_eq!(answer.unwrap(), 42);
/// ```
#[track_caller]
pub fn run<F>(main: F) -> Result<F::Output, RunError>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    Runtime::new()
        .map_err(|error| RunError(Why::Start(error)))?
        .run(main)
}

impl Runtime {
    /// Runs `main` as a task, and ends the runtime with clean-up when it is done.
    ///
    /// The first interrupt (SIGINT) cancels main, the second ends the process. When main is done, every task that is left is
    /// cancelled once, in the order in which they were spawned, and all are waited for, at most for the builder's
    /// [`shutdown_timeout`](crate::Builder::shutdown_timeout); what is left then is dropped where it is.
    ///
    /// # asyncio counterpart
    ///
    /// `Runner.run()` and `Runner.close()`.
    ///
    /// # Errors
    ///
    /// [`RunError`] if main ended cancelled: by an interrupt, if that is why.
    ///
    /// # Panics
    ///
    /// If main panics: the panic goes on here, after the end of the runtime. Also as [`block_on`](Self::block_on).
    #[track_caller]
    pub fn run<F>(self, main: F) -> Result<F::Output, RunError>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let options = SpawnOptions::at(Location::caller());
        self.run_with(|shared| {
            // SAFETY: main is `Send` and `'static`.
            unsafe { shared.spawn(main, options) }
        })
    }

    /// As [`run`](Self::run), with a main that stays on this thread and need not be `Send`.
    ///
    /// # Errors
    ///
    /// As for [`run`](Self::run).
    ///
    /// # Panics
    ///
    /// As for [`run`](Self::run); and on a multi-threaded runtime, whose workers have threads of their own.
    #[track_caller]
    pub fn run_local<F>(self, main: F) -> Result<F::Output, RunError>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        assert!(
            self.shared.flavor != Flavor::MultiThread,
            "run_local needs a runtime that runs on this thread: build it with current_thread()"
        );
        let mut options = SpawnOptions::at(Location::caller());
        options.home = Some(0);
        self.run_with(|shared| {
            shared.bind_to_this_thread();
            // SAFETY: the task stays with worker 0, whose thread this is; main is `'static`.
            unsafe { shared.spawn(main, options) }
        })
    }

    #[track_caller]
    fn run_with<T>(
        self,
        spawn: impl FnOnce(&crate::scheduler::shared::Shared) -> Task<T>,
    ) -> Result<T, RunError> {
        let timeout = self.shared.settings.shutdown_timeout;
        let shared = &self.shared;
        let whole = async {
            // Before main: it may run at once, on another thread.
            let interrupts = signal::Interrupts::listen(shared);
            let main = spawn(shared);
            let shadow = main.task_ref();
            let (outcome, interrupted) = wait_for_main(main, interrupts).await;
            let taken_back = interrupted && shadow.uncancel() == 0;
            close(shared, timeout).await;
            (outcome, taken_back)
        };
        let ended = block_on::outcome(shared, whole, Kind::HiddenRoot);
        drop(self);
        let (outcome, interrupted) = match ended {
            Ok(ended) => ended,
            Err(error) => resume_unwind(
                error
                    .into_panic()
                    .unwrap_or_else(|_| Box::new("unreachable")),
            ),
        };
        outcome.map_err(|error| match error.message().cloned() {
            None if error.is_cancelled() && interrupted => RunError(Why::Interrupted),
            message if error.is_cancelled() => RunError(Why::Cancelled(message)),
            _ => match error.into_panic() {
                Ok(payload) => resume_unwind(payload),
                Err(_) => unreachable!("not cancelled"),
            },
        })
    }
}

/// Waits for main; an interrupt cancels it. Also says whether there was one.
async fn wait_for_main<T>(
    main: Task<T>,
    interrupts: Option<signal::Interrupts>,
) -> (Result<T, TaskError>, bool) {
    let shadow = main.task_ref();
    let mut outcome = main.outcome();
    let Some(interrupts) = interrupts else {
        return (outcome.await, false);
    };
    match select(&mut outcome, interrupts.next().boxed_local()).await {
        Either::Left((ended, _)) => (ended, false),
        Either::Right(_) => {
            // The interrupt after this one ends the process, wherever it is.
            shadow.cancel();
            (outcome.await, true)
        }
    }
}

/// Cancels what is left, and waits for it (rules R2, M14).
async fn close(shared: &crate::scheduler::shared::Shared, timeout: Duration) {
    // The cycle in which the end of main was noticed is completed (rule R6).
    let_cycles_pass(shared, 1).await;
    let left: Vec<TaskRef> = shared
        .all_tasks()
        .into_iter()
        .filter(|task| !task.ptr().state().load().is_root())
        .collect();
    // Jobs are waited for, not cancelled (rule B6); the tasks may have started more of them.
    for task in left
        .iter()
        .filter(|task| !task.ptr().state().load().is_job())
    {
        task.cancel();
    }
    let all_ended = async {
        // All are registered at once: each is waited for behind its own callbacks.
        join_all(left.iter().map(TaskRef::finished)).await;
        for task in shared.all_tasks() {
            if task.ptr().state().load().is_job() {
                task.finished().await;
            }
        }
    };
    let all_ended = std::pin::pin!(all_ended);
    select(all_ended, sleep(timeout)).await;
    let_cycles_pass(shared, CYCLES_AFTER).await;
}

/// asyncio's loop runs so many more cycles after the last task has ended, and callbacks that are queued then still run: one
/// until the end is noticed, four for services that it shuts down (rule R6).
const CYCLES_AFTER: usize = 5;

/// On the deterministic runtime, lets what is queued run; elsewhere there are no cycles (rule M14).
async fn let_cycles_pass(shared: &crate::scheduler::shared::Shared, n_cycles: usize) {
    if matches!(shared.flavor, Flavor::Deterministic { .. }) {
        for _ in 0..n_cycles {
            yield_now().await;
        }
    }
}
