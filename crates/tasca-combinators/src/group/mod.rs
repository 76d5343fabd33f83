//! [`TaskGroup`]: tasks that do not outlive a block.
//!
//! What is guaranteed: when [`TaskGroup::scope`] is over, every task of the group is done. The first failure of a task cancels
//! the others and the body; all are waited for, and every failure is in the [`ExceptionGroup`].
//! Cancelling the task that runs the scope cancels the group, and goes on afterwards.
//!
//! How it works today: the group keeps a list of the tasks that are not done. The end of one is told to the group's
//! record by the thread that completed it. A group that fails asks its own task to stop, as anybody could, and takes the
//! request back at the end of the block; the count of requests tells whether there are others.

mod body;
mod error;
mod spawn;

use std::collections::BTreeMap;
use std::fmt;
use std::mem;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::Arc;

use futures::FutureExt;
use tasca_core::{
    Cancelled, Handle, Observation, Promise, Task, TaskRef, catch_cancelled, current_task, promise,
};

use crate::primitive::Mutex;
use crate::sync::{lock, tell};
use error::What;
pub use error::{ExceptionGroup, Failure, GroupClosed};
pub use spawn::GroupTask;

/// Tasks that do not outlive a block; made by [`TaskGroup::scope`]. Cheap to clone: the tasks of the group may spawn more.
///
/// `E` is the type of the errors of tasks that are spawned with [`try_spawn`](Self::try_spawn). The group keeps a clone of an
/// error, the task's handle has the other; put an `Arc` around an error that cannot be cloned.
///
/// # asyncio counterpart
///
/// `asyncio.TaskGroup`.
///
/// # Examples
///
/// ```
/// use tasca_combinators::TaskGroup;
///
/// # let rt = tasca_core::Runtime::builder().current_thread().build().unwrap();
/// # rt.block_on(async {
/// let sum = TaskGroup::<&str>::scope(async |group| {
///     let one = group.spawn(async { 1 });
///     let two = group.spawn(async { 2 });
///     one.await + two.await
/// });
/// assert_eq!(sum.await.unwrap(), 3);
///
/// let failed = TaskGroup::scope(async |group| {
///     let _detached = group.try_spawn(async { Err::<(), _>("no luck") });
///     let _detached = group.spawn(std::future::pending::<()>()); // cancelled
/// });
/// let failures = failed.await.unwrap_err();
/// assert_eq!(failures.into_errors().collect::<Vec<_>>(), ["no luck"]);
/// # });
/// ```
pub struct TaskGroup<E> {
    shared: Arc<Shared<E>>,
}

struct Shared<E> {
    /// The task that runs the scope.
    parent: TaskRef,
    handle: Handle,
    state: Mutex<State<E>>,
}

struct State<E> {
    next_index: usize,
    /// Tasks whose end has not been told, in the order in which they were spawned; `None` while one is being spawned.
    children: BTreeMap<usize, Option<Running>>,
    failures: Vec<Failure<E>>,
    /// The tasks have been asked to stop, and no more are taken.
    aborting: bool,
    /// The body is over.
    exiting: bool,
    /// The block is over.
    closed: bool,
    /// The group has asked its own task to stop.
    parent_cancelled: bool,
    /// Threads that are carrying an abort out.
    n_aborting: usize,
    /// The block waits at its end.
    at_end: Option<Promise<()>>,
}

/// A task of the group that is not done.
struct Running {
    task: TaskRef,
    _observation: Option<Observation>,
}

impl<E> State<E> {
    fn takes_tasks(&self) -> bool {
        !(self.aborting || self.closed || (self.exiting && self.children.is_empty()))
    }

    fn is_over(&self) -> bool {
        self.children.is_empty() && self.n_aborting == 0
    }

    /// Begins to abort; gives whom to cancel.
    fn abort(&mut self) -> Vec<TaskRef> {
        self.aborting = true;
        self.children
            .values()
            .flatten()
            .map(|running| running.task.clone())
            .collect()
    }
}

impl<E: Send + 'static> TaskGroup<E> {
    /// Runs `body` with a new group, and waits until it and all tasks of the group are done.
    ///
    /// A task fails by panicking, or, spawned with [`try_spawn`](Self::try_spawn), by giving an `Err`. The first failure
    /// cancels the other tasks and the body. One that ends cancelled is no failure.
    ///
    /// # asyncio counterpart
    ///
    /// `async with asyncio.TaskGroup() as group`, whose body cannot fail; see [`try_scope`](Self::try_scope).
    ///
    /// # Errors
    ///
    /// All failures, in the order in which they happened. Every task of the group is done by then.
    ///
    /// # Panics
    ///
    /// Outside a task. If the body panics, the panic goes on when all tasks are done.
    ///
    /// # Cancel safety
    ///
    /// If the task that runs the scope is cancelled, the body and all tasks of the group are; when they are done, the cancellation
    /// goes on, or, if some of them failed of it, the failures are given, and the next suspension gets the cancellation.
    /// Dropping the future drops the body and cancels the tasks.
    pub async fn scope<B, F>(body: B) -> Result<F::Output, ExceptionGroup<E>>
    where
        B: FnOnce(Self) -> F,
        F: Future,
    {
        Self::run(|group| body(group).map(Ok)).await
    }

    /// As [`scope`](Self::scope), with a body that may fail itself: that cancels the tasks, and its error is the last of the
    /// failures.
    ///
    /// # asyncio counterpart
    ///
    /// `async with asyncio.TaskGroup() as group`.
    ///
    /// # Errors
    ///
    /// As for [`scope`](Self::scope).
    ///
    /// # Panics
    ///
    /// As for [`scope`](Self::scope).
    ///
    /// # Cancel safety
    ///
    /// As for [`scope`](Self::scope).
    pub async fn try_scope<B, F, R>(body: B) -> Result<R, ExceptionGroup<E>>
    where
        B: FnOnce(Self) -> F,
        F: Future<Output = Result<R, E>>,
    {
        Self::run(body).await
    }

    async fn run<B, F, R>(body: B) -> Result<R, ExceptionGroup<E>>
    where
        B: FnOnce(Self) -> F,
        F: Future<Output = Result<R, E>>,
    {
        let group = Self::new();
        let shared = Arc::clone(&group.shared);
        let mut end = End {
            shared: &shared,
            is_over: false,
        };
        let ended = catch_cancelled(AssertUnwindSafe(body(group)).catch_unwind()).await;
        let (ended, cancelled) = match ended {
            Ok(ended) => (Some(ended), None),
            Err(cancelled) => (None, Some(cancelled)),
        };
        let is_success = matches!(ended, Some(Ok(Ok(_))));
        let cancelled = shared.wait_for_children(is_success, cancelled).await;
        end.is_over = true;
        let (failures, cancelled) = shared.close(cancelled);
        match ended {
            Some(Err(payload)) => {
                // M13: a panic of the body goes on bare, as exceptions do that are none of a program's own.
                resume_unwind(payload)
            }
            Some(Ok(Ok(value))) if failures.is_empty() && cancelled.is_none() => Ok(value),
            Some(Ok(Err(error))) => shared.fail(failures, Some(error)),
            _ => match cancelled {
                Some(cancelled) if failures.is_empty() => cancelled.reraise().await,
                _ => shared.fail(failures, None),
            },
        }
    }

    #[track_caller]
    fn new() -> Self {
        let parent =
            current_task().expect("a task group needs a task to be cancelled: await it inside one");
        let state = State {
            next_index: 0,
            children: BTreeMap::new(),
            failures: Vec::new(),
            aborting: false,
            exiting: false,
            closed: false,
            parent_cancelled: false,
            n_aborting: 0,
            at_end: None,
        };
        Self {
            shared: Arc::new(Shared {
                parent,
                handle: Handle::current(),
                state: Mutex::new(state),
            }),
        }
    }

    /// Spawns a task into the group. What it gives is its own affair; only a panic is a failure.
    ///
    /// In a group that is closed (a task has failed, or all are done and the block is over) the future is dropped
    /// unstarted, and the task is cancelled from the start: awaiting it raises the cancellation that a
    /// failed group has in store for its body anyway. [`checked_spawn`](GroupTask::checked_spawn) gives the future back.
    ///
    /// # asyncio counterpart
    ///
    /// `TaskGroup.create_task()`.
    #[doc(alias = "create_task")]
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> Task<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.builder().spawn(future)
    }

    /// Spawns a task into the group that may fail: an `Err` is a failure of the group.
    ///
    /// In a group that is closed: as [`spawn`](Self::spawn).
    ///
    /// # asyncio counterpart
    ///
    /// `TaskGroup.create_task()`.
    #[track_caller]
    pub fn try_spawn<F, T>(&self, future: F) -> Task<Result<T, E>>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: Clone,
    {
        self.builder().try_spawn(future)
    }

    /// Describes a task to be spawned into the group.
    ///
    /// # Examples
    ///
    /// ```
    /// use tasca_combinators::TaskGroup;
    ///
    /// # let rt = tasca_core::Runtime::builder().current_thread().build().unwrap();
    /// # rt.block_on(async {
    /// let name = TaskGroup::<()>::scope(async |group| {
    ///     group.builder().name("fetch").spawn(async {}).name()
    /// });
    /// assert_eq!(name.await.unwrap(), "fetch");
    /// # });
    /// ```
    #[track_caller]
    pub fn builder(&self) -> GroupTask<'_, E> {
        GroupTask {
            group: self,
            name: None,
            context: None,
        }
    }

    /// Cancels the body and all tasks of the group, and closes it. The scope gives an empty [`ExceptionGroup`] if nothing fails of it,
    /// or the value of a body that was over.
    ///
    /// # asyncio counterpart
    ///
    /// None; a task that raises, and an `except` around the block.
    pub fn cancel(&self) {
        let children = {
            let mut state = lock(&self.shared.state);
            if state.aborting || state.closed {
                return;
            }
            let children = state.abort();
            state.n_aborting += 1;
            state.parent_cancelled |= !state.exiting;
            (children, state.parent_cancelled)
        };
        self.shared.carry_out(children.0, children.1);
    }

    /// Whether the group takes no more tasks.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        !lock(&self.shared.state).takes_tasks()
    }
}

impl<E: Send + 'static> Shared<E> {
    /// Cancels tasks on behalf of an abort, and the parent, if asked to.
    fn carry_out(&self, children: Vec<TaskRef>, parent: bool) {
        for child in children {
            child.cancel();
        }
        if parent {
            self.parent.cancel();
        }
        let at_end = {
            let mut state = lock(&self.state);
            state.n_aborting -= 1;
            if state.is_over() {
                state.at_end.take()
            } else {
                None
            }
        };
        if let Some(at_end) = at_end {
            // A parent that was cancelled looks again by itself.
            tell(at_end);
        }
    }

    /// A task is done (rule TG24).
    fn child_done(&self, index: usize, child: &TaskRef, what: Option<What<E>>) {
        let what = what.filter(|_| !child.is_cancelled());
        let (gone, at_end, abort) = {
            let mut state = lock(&self.state);
            let gone = state.children.remove(&index);
            let mut abort = None;
            if let Some(what) = what {
                let task = Some((child.name(), child.spawned_at()));
                state.failures.push(Failure { task, what });
                if !state.aborting {
                    let children = state.abort();
                    // A parent that waits for this very task is woken anyway (rule TG23).
                    if !(state.exiting && state.is_over()) {
                        state.parent_cancelled = true;
                        state.n_aborting += 1;
                        abort = Some(children);
                    }
                }
            }
            let at_end = if state.is_over() {
                state.at_end.take()
            } else {
                None
            };
            (gone, at_end, abort)
        };
        drop(gone);
        if let Some(at_end) = at_end {
            tell(at_end);
        }
        if let Some(children) = abort {
            self.carry_out(children, true);
        }
    }

    /// Waits at the end of the block. Gives the cancellation that is to go on afterwards.
    async fn wait_for_children(
        &self,
        is_success: bool,
        mut cancelled: Option<Cancelled>,
    ) -> Option<Cancelled> {
        lock(&self.state).exiting = true;
        if !is_success {
            self.abort_quietly();
        }
        loop {
            let at_end = {
                let mut state = lock(&self.state);
                if state.is_over() {
                    return cancelled;
                }
                let (promise, at_end) = promise();
                state.at_end = Some(promise);
                at_end
            };
            if let Err(again) = catch_cancelled(at_end).await
                && self.abort_quietly()
            {
                cancelled = Some(again);
            }
        }
    }

    /// Cancels the tasks, but not the parent; `false` if that was done before.
    fn abort_quietly(&self) -> bool {
        let children = {
            let mut state = lock(&self.state);
            if state.aborting {
                return false;
            }
            state.abort()
        };
        for child in children {
            child.cancel();
        }
        true
    }

    /// Ends the block: takes the group's own request back (rule TG7).
    fn close(&self, cancelled: Option<Cancelled>) -> (Vec<Failure<E>>, Option<Cancelled>) {
        let (failures, parent_cancelled) = {
            let mut state = lock(&self.state);
            state.closed = true;
            (mem::take(&mut state.failures), state.parent_cancelled)
        };
        if parent_cancelled && self.parent.uncancel() == 0 {
            return (failures, None);
        }
        (failures, cancelled)
    }

    /// Fails; a cancellation from outside that stands is delivered at the next suspension (rule TG6).
    fn fail<R>(
        &self,
        mut failures: Vec<Failure<E>>,
        body: Option<E>,
    ) -> Result<R, ExceptionGroup<E>> {
        failures.extend(body.map(|error| Failure {
            task: None,
            what: What::Error(error),
        }));
        if !failures.is_empty() && self.parent.cancelling() > 0 {
            self.parent.uncancel();
            self.parent.cancel();
        }
        Err(ExceptionGroup::new(failures))
    }
}

/// The end of a scope that is dropped.
struct End<'a, E: Send + 'static> {
    shared: &'a Shared<E>,
    is_over: bool,
}

impl<E: Send + 'static> Drop for End<'_, E> {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        let (children, parent_cancelled) = {
            let mut state = lock(&self.shared.state);
            state.closed = true;
            state.exiting = true;
            (state.abort(), mem::take(&mut state.parent_cancelled))
        };
        for child in children {
            child.cancel();
        }
        if parent_cancelled {
            self.shared.parent.uncancel();
        }
    }
}

impl<E> Clone for TaskGroup<E> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<E> fmt::Debug for TaskGroup<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = lock(&self.shared.state);
        f.debug_struct("TaskGroup")
            .field("n_tasks", &state.children.len())
            .field("n_failures", &state.failures.len())
            .field("aborting", &state.aborting)
            .finish_non_exhaustive()
    }
}
