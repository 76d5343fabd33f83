//! [`TaskGroup`]: tasks that do not outlive a block.
//!
//! What is guaranteed: when [`TaskGroup::scope`] is over, every task of the group is done. The first failure of a task cancels
//! the others and the body; all are waited for, and every failure is in the [`ExceptionGroup`].
//! Cancelling the task that runs the scope cancels the group, and goes on afterwards.
//!
//! How it works today: the group counts the tasks that are not done. The end of one is told to the group's
//! record by the thread that completed it: it gives its count back, and the last one wakes the block. The group also has a
//! list of its tasks, for whom it would have to cancel, out of which those that are done are taken now and then. A group that fails asks its own task to stop, as anybody could, and takes the
//! request back at the end of the block; the count of requests tells whether there are others.

mod body;
mod children;
mod error;
mod spawn;

use std::fmt;
use std::mem;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::Arc;

use futures::FutureExt;
use tasca_core::{
    Cancelled, Handle, Promise, Task, TaskRef, catch_cancelled, current_task, promise,
};

use crate::needs::{Need, Needs};
use crate::primitive::Mutex;
use crate::sync::{lock, tell};
use children::{Children, Gate};
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
///     group.try_spawn(async { Err::<(), _>("no luck") });
///     group.spawn(std::future::pending::<()>()); // cancelled
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
    gate: Gate,
    state: Mutex<State<E>>,
}

struct State<E> {
    children: Children,
    failures: Vec<Failure<E>>,
    /// The group has asked its own task to stop.
    parent_cancelled: bool,
    /// The block waits at its end.
    at_end: Option<Promise<()>>,
}

/// For the task that is cancelled when another one fails.
const NEED: Need = Need::Task("a task group needs a task to be cancelled: await it inside one");

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
    /// If it is awaited outside a task. If the body panics, the panic goes on when all tasks are done.
    ///
    /// # Cancel safety
    ///
    /// If the task that runs the scope is cancelled, the body and all tasks of the group are; when they are done, the cancellation
    /// goes on, or, if some of them failed of it, the failures are given, and the next suspension gets the cancellation.
    /// Dropping the future drops the body and cancels the tasks.
    pub fn scope<B, F>(body: B) -> impl Future<Output = Result<F::Output, ExceptionGroup<E>>>
    where
        B: FnOnce(Self) -> F,
        F: Future,
    {
        Needs::new(NEED, Self::run(|group| body(group).map(Ok)))
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
    pub fn try_scope<B, F, R>(body: B) -> impl Future<Output = Result<R, ExceptionGroup<E>>>
    where
        B: FnOnce(Self) -> F,
        F: Future<Output = Result<R, E>>,
    {
        Needs::new(NEED, Self::run(body))
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

    fn new() -> Self {
        // Panic: looked at before the first poll.
        let parent = current_task().expect("the scope runs in a task");
        let state = State {
            children: Children::new(),
            failures: Vec::new(),
            parent_cancelled: false,
            at_end: None,
        };
        Self {
            shared: Arc::new(Shared {
                parent,
                handle: Handle::current(),
                gate: Gate::new(),
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
            builder: Task::builder(),
        }
    }

    /// Cancels the body and all tasks of the group, and closes it. The scope gives an empty [`ExceptionGroup`] if nothing fails of it,
    /// or the value of a body that was over.
    ///
    /// # asyncio counterpart
    ///
    /// None; a task that raises, and an `except` around the block.
    pub fn cancel(&self) {
        let shared = &self.shared;
        let (children, parent) = {
            let mut state = lock(&shared.state);
            if shared.gate.is_closed() || shared.gate.abort().is_aborting() {
                return;
            }
            shared.gate.stay();
            state.parent_cancelled |= !shared.gate.look().is_exiting();
            (state.children.running(), state.parent_cancelled)
        };
        shared.carry_out(children, parent);
    }

    /// Whether the group takes no more tasks.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        !self.shared.gate.look().takes_tasks()
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
        // A parent that was cancelled looks again by itself.
        self.leave();
    }

    /// Gives a count back; the last one tells the block, if it waits at its end.
    fn leave(&self) {
        if self.gate.leave().is_over() {
            let at_end = lock(&self.state).at_end.take();
            at_end.into_iter().for_each(tell);
        }
    }

    /// A task is done that did not end well (rule TG24).
    fn child_failed(&self, child: &TaskRef) {
        let word = child.take_word().and_then(|word| word.downcast().ok());
        let abort = word.filter(|_| !child.is_cancelled()).and_then(|what| {
            let task = Some((child.name(), child.spawned_at()));
            let failure = Failure { task, what: *what };
            let mut state = lock(&self.state);
            state.failures.push(failure);
            let before = self.gate.abort();
            // A parent that waits for this very task is woken anyway (rule TG23).
            let cancels = !before.is_aborting() && !before.is_last();
            state.parent_cancelled |= cancels;
            cancels.then(|| state.children.running())
        });
        match abort {
            // The task's count goes on for the abort.
            Some(children) => self.carry_out(children, true),
            None => self.leave(),
        }
    }

    /// Waits at the end of the block. Gives the cancellation that is to go on afterwards.
    async fn wait_for_children(
        &self,
        is_success: bool,
        mut cancelled: Option<Cancelled>,
    ) -> Option<Cancelled> {
        {
            let _state = lock(&self.state);
            self.gate.exit();
        }
        if !is_success {
            self.abort_quietly();
        }
        loop {
            if self.gate.look().is_over() {
                return cancelled;
            }
            let (promise, at_end) = promise();
            let displaced = {
                let mut state = lock(&self.state);
                // Liveness: who gives the last count back takes the lock afterwards.
                if self.gate.look().is_over() {
                    return cancelled;
                }
                state.at_end.replace(promise)
            };
            drop(displaced);
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
            let state = lock(&self.state);
            if self.gate.abort().is_aborting() {
                return false;
            }
            state.children.running()
        };
        for child in children {
            child.cancel();
        }
        true
    }

    /// Ends the block: takes the group's own request back (rule TG7).
    fn close(&self, cancelled: Option<Cancelled>) -> (Vec<Failure<E>>, Option<Cancelled>) {
        let (failures, parent_cancelled, children) = {
            let mut state = lock(&self.state);
            self.gate.close();
            let children = mem::replace(&mut state.children, Children::new());
            let failures = mem::take(&mut state.failures);
            (failures, state.parent_cancelled, children)
        };
        drop(children);
        if parent_cancelled && self.parent.retract_cancel() == 0 {
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
            self.shared.gate.close();
            self.shared.gate.abort();
            let parent_cancelled = mem::take(&mut state.parent_cancelled);
            let children = mem::replace(&mut state.children, Children::new());
            (children, parent_cancelled)
        };
        for child in children.running() {
            child.cancel();
        }
        if parent_cancelled {
            self.shared.parent.retract_cancel();
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
        let n_failures = lock(&self.shared.state).failures.len();
        let seen = self.shared.gate.look();
        f.debug_struct("TaskGroup")
            .field("n_tasks", &seen.count())
            .field("n_failures", &n_failures)
            .field("aborting", &seen.is_aborting())
            .finish_non_exhaustive()
    }
}
