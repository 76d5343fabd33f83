//! A stand-in for the runtime, as far as the combinators see it: operands (as shipped), spawning, timers.
//!
//! The runtime is the [`Runners`] that the model made last. Time does not pass: a model says when timers are due, and
//! which thread fires them, with [`Runners::fire_timers`].

#[path = "../../crates/tasca-core/src/runtime/operand.rs"]
#[expect(unreachable_pub, reason = "the public face of operands")]
pub(crate) mod operand;

use std::fmt;
use std::sync::Arc as StdArc;
use std::time::Duration;

use crate::primitive::Mutex;
use crate::runners::Runners;
use crate::task::context::Context;
use crate::task::current::{self, Current};
use crate::task::handle::{Task, TaskRef};
use crate::task::observe::{Observer, TryBody};
use crate::task::schedule::Callback;

/// In the place of the runtime's handle.
#[derive(Clone)]
pub(crate) struct Handle(StdArc<Runners>);

impl Handle {
    pub(crate) fn current() -> Self {
        Self(Runners::current())
    }

    pub(crate) fn is_current(&self) -> bool {
        StdArc::ptr_eq(&self.0, &Runners::current())
    }

    pub(crate) fn call_later(
        &self,
        _: Duration,
        callback: impl FnOnce() + Send + 'static,
    ) -> CallHandle {
        let call = CallHandle(StdArc::new(Mutex::new(Some(Box::new(callback)))));
        self.0.add_timer(call.clone());
        call
    }
}

/// A callback, until it is cancelled or run.
#[derive(Clone)]
pub(crate) struct CallHandle(StdArc<Mutex<Option<Callback>>>);

impl CallHandle {
    pub(crate) fn cancel(&self) {
        drop(self.take());
    }

    pub(crate) fn run(&self) {
        if let Some(callback) = self.take() {
            callback();
        }
    }

    fn take(&self) -> Option<Callback> {
        self.0.lock().take()
    }
}

mod spawn {
    use crate::runners::Runners;
    use crate::task::handle::Task;

    pub(crate) fn spawn<F>(future: F) -> Task<F::Output>
    where
        F: Future + Send + 'static,
    {
        Runners::current().spawn(future)
    }
}

pub(crate) fn current_task() -> Option<TaskRef> {
    current::with(Current::task).map(TaskRef::from_ptr)
}

impl Task<()> {
    pub(crate) fn builder() -> TaskBuilder {
        TaskBuilder {
            handle: None,
            observer: None,
        }
    }
}

/// Takes particulars of tasks, of which only the observer matters to a model.
pub(crate) struct TaskBuilder {
    handle: Option<Handle>,
    observer: Option<StdArc<dyn Observer>>,
}

impl TaskBuilder {
    pub(crate) fn name(self, _: impl Into<String>) -> Self {
        self
    }

    pub(crate) fn context(self, _: Context) -> Self {
        self
    }

    pub(crate) fn on(mut self, handle: Handle) -> Self {
        self.handle = Some(handle);
        self
    }

    pub(crate) fn observed_by(mut self, observer: StdArc<dyn Observer>) -> Self {
        self.observer = Some(observer);
        self
    }

    pub(crate) fn spawn<F>(self, future: F) -> Task<F::Output>
    where
        F: Future + Send + 'static,
    {
        let Handle(runners) = self.handle.unwrap_or_else(Handle::current);
        runners.spawn_observed(future, self.observer)
    }

    pub(crate) fn try_spawn<F, T, E>(self, future: F) -> Task<Result<T, E>>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
    {
        self.spawn(TryBody::new(future))
    }
}

impl fmt::Debug for TaskBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TaskBuilder")
    }
}
