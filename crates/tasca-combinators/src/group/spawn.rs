//! Spawning into a group.

use std::fmt;
use std::sync::Arc;

use tasca_core::{Context, Observer, Task, TaskBuilder, TaskRef, promise};

use super::body::{Body, Failed};
use super::error::GroupClosed;
use super::{Shared, TaskGroup};
use crate::sync::lock;

impl<E: Send + 'static> Observer for Shared<E> {
    fn child_done(&self, _: usize, child: &TaskRef) {
        if child.is_panicked() || child.is_failed() || child.is_cancelled() {
            self.child_failed(child);
        } else {
            self.leave();
        }
    }
}

/// A task to be spawned into a group; made with [`TaskGroup::builder`].
#[must_use = "a builder does nothing until `spawn`"]
pub struct GroupTask<'a, E> {
    pub(super) group: &'a TaskGroup<E>,
    pub(super) builder: TaskBuilder,
}

impl<E: Send + 'static> GroupTask<'_, E> {
    /// Sets the task's name.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.builder = self.builder.name(name);
        self
    }

    /// Sets the context that the task runs in: that very one, shared, not a copy.
    pub fn context(mut self, context: Context) -> Self {
        self.builder = self.builder.context(context);
        self
    }

    /// Spawns the task; see [`TaskGroup::spawn`].
    #[track_caller]
    pub fn spawn<F>(self, future: F) -> Task<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.checked_spawn(future)
            .unwrap_or_else(|closed| refused(&closed))
    }

    /// Spawns the task; see [`TaskGroup::try_spawn`].
    #[track_caller]
    pub fn try_spawn<F, T>(self, future: F) -> Task<Result<T, E>>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: Clone,
    {
        self.checked_try_spawn(future)
            .unwrap_or_else(|closed| refused(&closed))
    }

    /// As [`spawn`](Self::spawn), unless the group is closed.
    ///
    /// # Errors
    ///
    /// [`GroupClosed`], with the future, if the group is closed.
    #[track_caller]
    pub fn checked_spawn<F>(self, future: F) -> Result<Task<F::Output>, GroupClosed<F>>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.start(future, |_| None, |builder, body| builder.spawn(body))
    }

    /// As [`try_spawn`](Self::try_spawn), unless the group is closed.
    ///
    /// # Errors
    ///
    /// [`GroupClosed`], with the future, if the group is closed.
    #[track_caller]
    pub fn checked_try_spawn<F, T>(self, future: F) -> Result<Task<Result<T, E>>, GroupClosed<F>>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: Clone,
    {
        self.start(
            future,
            |output| output.as_ref().err().cloned(),
            |builder, body| builder.try_spawn(body),
        )
    }

    #[track_caller]
    fn start<F>(
        self,
        future: F,
        failed: Failed<F::Output, E>,
        spawn: impl FnOnce(TaskBuilder, Body<F, E>) -> Task<F::Output>,
    ) -> Result<Task<F::Output>, GroupClosed<F>>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let shared = &self.group.shared;
        if !shared.gate.enter() {
            return Err(GroupClosed::new(future));
        }
        let mut builder = self.builder.observed_by(Arc::<Shared<E>>::clone(shared));
        if !shared.handle.is_current() {
            builder = builder.on(shared.handle.clone());
        }
        let task = spawn(builder, Body::new(future, failed));
        let (done, is_late) = {
            let mut state = lock(&shared.state);
            let done = state.children.push(task.task_ref());
            (done, shared.gate.look().is_aborting())
        };
        drop(done);
        if is_late {
            // The abort has not seen this one.
            task.cancel();
        }
        Ok(task)
    }
}

/// A task that was never spawned: cancelled from the start.
#[track_caller]
fn refused<T: Send + 'static>(closed: &impl fmt::Display) -> Task<T> {
    let (promise, task) = promise();
    promise.set_cancelled(Some(&closed.to_string()));
    task
}

impl<E> fmt::Debug for GroupTask<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GroupTask")
            .field("builder", &self.builder)
            .finish_non_exhaustive()
    }
}
