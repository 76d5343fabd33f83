//! A program: main, the interrupt, and an end that cleans up.

use std::fmt;
use std::io;
use std::panic::{Location, resume_unwind};

use futures::FutureExt;
use futures::future::{Either, select};

use super::{Runtime, block_on, close, leftovers, signal};
use crate::scheduler::deterministic::Ended;
use crate::scheduler::interrupts::Phase;
use crate::scheduler::shared::{Flavor, Shared, SpawnOptions};
use crate::scheduler::shutdown;
use crate::task::error::{CancelMessage, ResultError, TaskError};
use crate::task::handle::{Task, TaskRef};
use crate::task::state::Kind;

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
    Stalled(String),
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

    /// Whether nothing could happen any more, and main was not done: every task waits for another, or for something that
    /// nobody will do. Only the deterministic runtime can tell; see [`stall_after`](crate::Builder::stall_after). The
    /// message lists the tasks, and what they wait for.
    #[must_use]
    pub fn is_stalled(&self) -> bool {
        matches!(self.0, Why::Stalled(_))
    }

    /// The message of the cancellation, if it had one.
    #[must_use]
    pub fn cancel_message(&self) -> Option<&str> {
        match &self.0 {
            Why::Cancelled(message) => message.as_ref().map(CancelMessage::as_str),
            Why::Start(_) | Why::Interrupted | Why::Stalled(_) => None,
        }
    }

    /// What a main that was cancelled gives.
    fn cancelled(error: &TaskError, interrupted: bool) -> Self {
        Self(if interrupted {
            Why::Interrupted
        } else {
            Why::Cancelled(error.message().cloned())
        })
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
            Why::Stalled(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for RunError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0 {
            Why::Start(error) => Some(error),
            Why::Cancelled(_) | Why::Interrupted | Why::Stalled(_) => None,
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
    /// [`RunError`] if main ended cancelled: by an interrupt, if that is why; or if the deterministic runtime has stalled. Then
    /// the runtime ends without clean-up.
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
    fn run_with<T>(self, spawn: impl FnOnce(&Shared) -> Task<T>) -> Result<T, RunError> {
        let mut main = None;
        let interrupted = match self.complete(|shared| main.insert(spawn(shared)).task_ref()) {
            // A second interrupt ended the run, not the clean-up (rule R11).
            Err(error) if error.is_interrupted() => {
                let left = self.cancel_tasks();
                leftovers::report_unfinished(&self.shared, &left);
                return Err(error);
            }
            completed => completed?,
        };
        let left = self.cancel_tasks();
        leftovers::report_unfinished(&self.shared, &left);
        drop(self);
        let main = main.expect("it was completed");
        let shadow = main.task_ref();
        let outcome = main.try_take().expect("it was completed");
        outcome.map_err(|error| {
            if error.is_cancelled() {
                return RunError::cancelled(&error, interrupted && shadow.uncancel() == 0);
            }
            resume_unwind(error.into_panic().expect("it was not cancelled"))
        })
    }

    /// Runs what there is to run until `main` is done, and gives its value; everything else goes on in the next call.
    ///
    /// Whoever needs more than [`run`](Self::run) does for a main task, a name for it, a context, several mains one after the
    /// other or a look at what they have left, spawns it, calls this, and [`cancel_tasks`](Self::cancel_tasks) at the end.
    /// Interrupts are dealt with as in `run`, each call counting from zero. On the current-thread and the deterministic runtime
    /// nothing runs between the calls.
    ///
    /// # asyncio counterpart
    ///
    /// `Runner.run()`. To give all mains one context, as there, spawn them with that [`context`](crate::TaskBuilder::context).
    ///
    /// # Errors
    ///
    /// [`RunError`] if main ended cancelled: by an interrupt, if that is why; or if the deterministic runtime has stalled.
    ///
    /// # Panics
    ///
    /// If main panicked. Also as [`block_on`](Self::block_on).
    ///
    /// # Examples
    ///
    /// ```
    /// let rt = tasca_core::Runtime::builder().current_thread().build()?;
    /// let (promise, task) = tasca_core::promise();
    /// let first = rt.handle().spawn(async { 1 });
    /// let second = rt.handle().spawn(async move { promise.set("told by the second main").is_ok() });
    /// assert_eq!(*rt.run_until_complete(&first).unwrap(), 1);
    /// assert!(*rt.run_until_complete(&second).unwrap());
    /// assert_eq!(task.result().unwrap(), &"told by the second main");
    /// assert!(rt.cancel_tasks().is_empty());
    /// # Ok::<_, std::io::Error>(())
    /// ```
    #[doc(alias = "run")]
    #[track_caller]
    pub fn run_until_complete<'a, T>(&self, main: &'a Task<T>) -> Result<&'a T, RunError> {
        let interrupted = self.complete(|_| main.task_ref())?;
        main.result().map_err(|error| match error {
            ResultError::Failed(error) if error.is_cancelled() => {
                RunError::cancelled(error, interrupted && main.uncancel() == 0)
            }
            // The payload is the owner's; this is its text.
            ResultError::Failed(error) => resume_unwind(Box::new(error.to_string())),
            ResultError::InvalidState => unreachable!("it was completed"),
        })
    }

    /// Cancels every task that is left, once, in the order in which they were spawned, and waits for all of them, at most for the builder's
    /// [`shutdown_timeout`](crate::Builder::shutdown_timeout). Gives those that have not ended by then.
    ///
    /// Jobs are not cancelled, but waited for. A task that was spawned to tell an error from a value (as by
    /// [`try_spawn`](crate::try_spawn)), and now ends with one, is reported to the exception handler. Tasks that are spawned
    /// meanwhile are not waited for. The runtime can still be used afterwards.
    ///
    /// # asyncio counterpart
    ///
    /// The first part of `Runner.close()`; the rest is the drop of the runtime.
    ///
    /// # Panics
    ///
    /// As [`block_on`](Self::block_on).
    #[doc(alias = "close")]
    #[track_caller]
    #[must_use = "what has not ended is dropped with the runtime"]
    pub fn cancel_tasks(&self) -> Vec<TaskRef> {
        block_on::check(&self.shared);
        close::cancel_tasks(&self.shared, self.shared.settings.shutdown_timeout)
    }

    /// Runs until the task that `begin` gives is done, and that is noticed; says whether it was interrupted.
    #[track_caller]
    fn complete(&self, begin: impl FnOnce(&Shared) -> TaskRef) -> Result<bool, RunError> {
        let shared = &self.shared;
        block_on::check(shared);
        if !matches!(shared.flavor, Flavor::Deterministic { .. }) {
            let whole = async {
                // Before main: it may run at once, on another thread.
                let interrupts = signal::Interrupts::listen(shared);
                let main = begin(shared);
                wait_for_main(&main, interrupts).await
            };
            let ended = block_on::outcome(shared, whole, Kind::HiddenRoot);
            return ended.map_err(|error| RunError::cancelled(&error, false));
        }
        shutdown::drive(shared, |seat| {
            let main = begin(shared);
            let interrupts = &shared.deterministic.interrupts;
            let phase = interrupts.begin(Phase::Main(main.clone()));
            let mut ended = seat.run_until(&|| main.is_finished());
            if ended == Ended::Over {
                // Its end is noticed by a callback (rule R6).
                ended = seat.run_cycles(1);
            }
            match ended {
                Ended::Over => Ok(phase.was_interrupted()),
                Ended::Interrupted => Err(RunError(Why::Interrupted)),
                Ended::Stalled => Err(RunError(Why::Stalled(leftovers::stalled(shared)))),
                Ended::Stopped => Err(RunError(Why::Cancelled(None))),
            }
        })
    }
}

/// Waits for main; an interrupt cancels it. Says whether there was one.
async fn wait_for_main(main: &TaskRef, interrupts: Option<signal::Interrupts>) -> bool {
    let ended = main.finished();
    let Some(interrupts) = interrupts else {
        ended.await;
        return false;
    };
    match select(ended, interrupts.next().boxed_local()).await {
        Either::Left(_) => false,
        Either::Right((_, ended)) => {
            // The interrupt after this one ends the process, wherever it is.
            main.cancel();
            ended.await;
            true
        }
    }
}
