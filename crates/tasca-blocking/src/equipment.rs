//! What every thread of a pool is given, and what is said when there is none.

use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::thread;

use tasca_core::{Handle, Job, JobQueue, Problem, Trouble};

use crate::ends::LeftBehind;
use crate::primitive::Arc;

pub(crate) type Hook = Arc<dyn Fn() + Send + Sync>;

/// Name, stack and hooks of a pool's threads.
#[derive(Clone)]
pub(crate) struct Equipment {
    pub(crate) name: String,
    pub(crate) stack_bytes: Option<usize>,
    pub(crate) on_start: Option<Hook>,
    pub(crate) on_stop: Option<Hook>,
    /// The threads are in the runtime that the pool belongs to.
    pub(crate) inside_runtime: bool,
}

impl Equipment {
    pub(crate) fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            stack_bytes: None,
            on_start: None,
            on_stop: None,
            inside_runtime: false,
        }
    }

    /// Whether the pool belongs to a runtime.
    pub(crate) fn is_inside_runtime(&self) -> bool {
        self.inside_runtime
    }

    /// Starts a thread, which nobody joins: `body` has to tell of its end.
    pub(crate) fn start(
        &self,
        number: usize,
        body: impl FnOnce() + Send + 'static,
    ) -> io::Result<()> {
        let mut builder = thread::Builder::new().name(format!("{}-{number}", self.name));
        if let Some(bytes) = self.stack_bytes {
            builder = builder.stack_size(bytes);
        }
        // Who starts a thread is in the runtime: a submitter, or another of these threads. The pool itself must not
        // keep the runtime, which keeps the pool.
        let runtime = if self.inside_runtime {
            Handle::try_current()
        } else {
            None
        };
        builder.spawn(move || {
            let _entered = runtime.as_ref().map(Handle::enter);
            body();
        })?;
        Ok(())
    }

    /// A thread's working life: `serve` between the hooks.
    pub(crate) fn with_hooks(&self, serve: impl FnOnce()) {
        call_hook(self.on_start.as_ref());
        serve();
        call_hook(self.on_stop.as_ref());
    }

    /// Ends a job for which there is no thread and can be none.
    #[cold]
    pub(crate) fn fail_without_thread(&self, job: Job, error: &io::Error) {
        job.fail(format!(
            "thread pool '{}' has no thread, and none can be started: {error}",
            self.name
        ));
    }

    /// Cancels what is left in a queue; gives the number of those that were not cancelled before.
    pub(crate) fn cancel_all(&self, mut queue: JobQueue) -> usize {
        let mut n_cancelled = 0;
        while let Some(job) = queue.pop_front() {
            n_cancelled += usize::from(!job.is_cancelled());
            job.cancel(format!("thread pool '{}' has shut down", self.name));
        }
        n_cancelled
    }

    /// What a closer says whose time is up.
    pub(crate) fn left_behind(
        &self,
        running: Vec<&'static Location<'static>>,
        n_cancelled: usize,
    ) -> Result<(), LeftBehind> {
        if running.is_empty() && n_cancelled == 0 {
            // Only threads on their way out.
            return Ok(());
        }
        Err(LeftBehind {
            running,
            n_cancelled,
            pool: self.name.clone(),
        })
    }
}

/// A hook's panic is reported, and changes nothing else.
fn call_hook(hook: Option<&Hook>) {
    let Some(hook) = hook else { return };
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| hook())) {
        let text = payload
            .downcast_ref::<&str>()
            .map_or("", |text| *text)
            .to_owned();
        forget_quietly(payload);
        if let Some(handle) = Handle::try_current() {
            handle.report(Problem::new(
                Trouble::CallbackPanicked,
                format!("a pool thread's hook: {text}"),
            ));
        }
    }
}

/// Drops a panic's payload, whose drop may panic in turn.
fn forget_quietly(payload: Box<dyn Any + Send>) {
    if let Err(second) = catch_unwind(AssertUnwindSafe(move || drop(payload))) {
        #[expect(clippy::mem_forget, reason = "its drop could panic without end")]
        std::mem::forget(second);
    }
}
