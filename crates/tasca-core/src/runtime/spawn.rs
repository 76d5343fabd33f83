//! Spawning, with and without particulars.

use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as PollContext, Poll};

use super::handle::Handle;
use crate::scheduler::current::{self, with_runtime};
use crate::scheduler::shared::{Shared, SpawnOptions};
use crate::task::Context;
use crate::task::current as polling;
use crate::task::handle::{Task, TaskRef};
use crate::task::observe::{Observer, TryBody};

/// Spawns a task on this thread's runtime; it runs from now on, whether it is awaited or not.
///
/// It inherits the caller's context variables. On a runtime that has shut down the task is made, but it
/// is cancelled from the start.
///
/// # asyncio counterpart
///
/// `asyncio.create_task()`. The task need not be kept: a runtime holds its tasks.
///
/// # Panics
///
/// Outside a runtime.
///
/// # Examples
///
/// ```
/// # let rt = tasca_core::Runtime::builder().current_thread().build().unwrap();
/// # rt.block_on(async {
/// let task = tasca_core::spawn(async { 2 });
/// assert_eq!(task.await, 2);
/// # });
/// ```
#[doc(alias = "create_task")]
#[track_caller]
#[inline]
pub fn spawn<F>(future: F) -> Task<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let location = Location::caller();
    with_runtime(|shared| {
        // Made here: on its way through closures it would be copied, each time as a whole.
        let options = SpawnOptions::at(location);
        // SAFETY: the future is `Send` and `'static`.
        unsafe { shared.spawn(future, options) }
    })
}

/// Spawns a task that may fail: its error wins over a cancel request that has not been delivered.
///
/// A plain [`spawn`] knows nothing of its output: if the task was asked to stop and returns before it suspends again, it ends
/// cancelled, and the output is dropped. Here that holds for `Ok` only, and [`TaskRef::is_failed`] tells of an `Err`.
///
/// # asyncio counterpart
///
/// `asyncio.create_task()`, where every task may raise.
///
/// # Panics
///
/// Outside a runtime.
///
/// # Examples
///
/// ```
/// # let rt = tasca_core::Runtime::builder().current_thread().build().unwrap();
/// # rt.block_on(async {
/// let task = tasca_core::try_spawn(async {
///     tasca_core::current_task().unwrap().cancel();
///     Err::<(), _>("too bad")
/// });
/// assert_eq!(task.await, Err("too bad"));
/// # });
/// ```
#[doc(alias = "create_task")]
#[track_caller]
pub fn try_spawn<F, T, E>(future: F) -> Task<Result<T, E>>
where
    F: Future<Output = Result<T, E>> + Send + 'static,
    T: Send + 'static,
    E: Send + 'static,
{
    spawn(TryBody::new(future))
}

/// Spawns a task that stays on this thread, so that its future need not be `Send`.
///
/// # asyncio counterpart
///
/// None: asyncio has one thread.
///
/// # Panics
///
/// Outside a worker: on the multi-threaded runtime it is called in a task (not in the future of `block_on`, whose thread is
/// no worker), on the others inside `block_on`.
///
/// # Examples
///
/// ```
/// use std::rc::Rc;
/// # let rt = tasca_core::Runtime::builder().current_thread().build().unwrap();
/// # rt.block_on(async {
/// let shared = Rc::new(3);
/// let task = tasca_core::spawn_local(async move { *shared });
/// assert_eq!(task.await, 3);
/// # });
/// ```
#[track_caller]
pub fn spawn_local<F>(future: F) -> Task<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    spawn_local_with(future, SpawnOptions::at(Location::caller()))
}

#[track_caller]
fn spawn_local_with<F>(future: F, mut options: SpawnOptions) -> Task<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    let home = current::with_worker(|worker| {
        worker.map(|worker| {
            worker.shared().bind_to_this_thread();
            worker.index()
        })
    });
    assert!(
        home.is_some(),
        "spawn_local was called outside a worker: call it in a spawned task, or use spawn_pinned, which makes the \
         future on a worker of your choice"
    );
    options.home = home;
    with_runtime(|shared| {
        // SAFETY: the future stays with the worker whose thread this is; it is `'static`.
        unsafe { shared.spawn(future, options) }
    })
}

/// Makes a future on worker `worker` of this thread's runtime and keeps it there, so that it need not be `Send`.
///
/// # Errors
///
/// Gives `make` back if there is no such worker.
///
/// # Panics
///
/// Outside a runtime.
///
/// # Examples
///
/// ```
/// use std::rc::Rc;
/// # let rt = tasca_core::Runtime::builder().worker_threads(2).build().unwrap();
/// # rt.block_on(async {
/// let task = tasca_core::spawn_pinned(1, || async { *Rc::new(4) });
/// assert_eq!(task.ok().unwrap().await, 4);
/// # });
/// ```
#[track_caller]
pub fn spawn_pinned<M, F>(worker: usize, make: M) -> Result<Task<F::Output>, M>
where
    M: FnOnce() -> F + Send + 'static,
    F: Future + 'static,
    F::Output: Send + 'static,
{
    let mut options = SpawnOptions::at(Location::caller());
    options.home = Some(worker);
    with_runtime(|shared| {
        if worker >= shared.n_workers {
            return Err(make);
        }
        // SAFETY: until its first poll the body holds the closure, which is `Send`; from then on the
        // future, which stays with that worker. Both are `'static`.
        Ok(unsafe { shared.spawn(Pinned::Unmade(Some(make)), options) })
    })
}

/// A future that is made where it is polled.
enum Pinned<M, F> {
    Unmade(Option<M>),
    Made(Pin<Box<F>>),
}

impl<M, F> Unpin for Pinned<M, F> {}

impl<M: FnOnce() -> F, F: Future> Future for Pinned<M, F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut PollContext<'_>) -> Poll<F::Output> {
        if let Self::Unmade(make) = &mut *self {
            let make = make
                .take()
                .expect("a future whose making panicked is not polled again");
            *self = Self::Made(Box::pin(make()));
        }
        match &mut *self {
            Self::Made(future) => future.as_mut().poll(cx),
            Self::Unmade(_) => unreachable!("made above"),
        }
    }
}

/// Spawns a task with particulars; made with [`Task::builder`].
#[derive(Debug)]
#[must_use = "a builder does nothing until `spawn`"]
pub struct TaskBuilder {
    options: SpawnOptions,
    handle: Option<Handle>,
}

impl Task<()> {
    /// Describes a task to be spawned.
    ///
    /// # Examples
    ///
    /// ```
    /// use tasca_core::Task;
    /// # let rt = tasca_core::Runtime::builder().current_thread().build().unwrap();
    /// # rt.block_on(async {
    /// let task = Task::builder().name("fetch").spawn(async { 1 });
    /// assert_eq!(task.name(), "fetch");
    /// # });
    /// ```
    #[track_caller]
    pub fn builder() -> TaskBuilder {
        TaskBuilder {
            options: SpawnOptions::at(Location::caller()),
            handle: None,
        }
    }
}

impl TaskBuilder {
    /// Sets the task's name.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.options.name = Some(name.into());
        self
    }

    /// Sets the context that the task runs in: that very one, shared, not a copy.
    pub fn context(mut self, context: Context) -> Self {
        self.options.context = Some(context);
        self
    }

    /// Sets whether the task takes its first step at once, inside the spawn; by default as the runtime's builder
    /// [says](crate::Builder::eager_tasks).
    ///
    /// Until its first suspension the new task is the current one, in its own context; then the spawner goes on. A panic of that
    /// step is the new task's. It is an ordinary spawn where the step cannot be taken: outside a task or callback, on another runtime's
    /// thread, for a task that belongs to another worker, or when such spawns are nested too deep.
    ///
    /// # asyncio counterpart
    ///
    /// `asyncio.Task(…, eager_start=True)`.
    ///
    /// # Examples
    ///
    /// ```
    /// use tasca_core::Task;
    /// # let rt = tasca_core::Runtime::builder().deterministic(0).build().unwrap();
    /// # rt.block_on(async {
    /// let task = Task::builder().eager(true).spawn(async { 1 });
    /// assert!(task.is_finished());
    /// # });
    /// ```
    pub fn eager(mut self, eager: bool) -> Self {
        self.options.eager = Some(eager);
        self
    }

    /// Has the observer told of the end of the task, for good, as [`TaskRef::observe`] does; cheaper than that, and the first to
    /// know. If the task takes its first step inside the spawn and ends in it, that is told inside the spawn.
    pub fn observed_by(mut self, observer: Arc<dyn Observer>) -> Self {
        self.options.observer = Some(observer);
        self
    }

    /// Sets the runtime; by default it is this thread's.
    pub fn on(mut self, handle: Handle) -> Self {
        self.handle = Some(handle);
        self
    }

    /// Spawns the task.
    ///
    /// # Panics
    ///
    /// As for [`spawn`].
    #[track_caller]
    pub fn spawn<F>(self, future: F) -> Task<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let Self { options, handle } = self;
        match handle {
            // SAFETY: the future is `Send` and `'static`.
            Some(handle) => unsafe { handle.shared().spawn(future, options) },
            // SAFETY: as above.
            None => with_runtime(|shared| unsafe { shared.spawn(future, options) }),
        }
    }

    /// Spawns a task that may fail; see [`try_spawn`].
    ///
    /// # Panics
    ///
    /// As for [`spawn`].
    #[track_caller]
    pub fn try_spawn<F, T, E>(self, future: F) -> Task<Result<T, E>>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: Send + 'static,
    {
        self.spawn(TryBody::new(future))
    }

    /// Spawns a task that stays on this thread.
    ///
    /// # Panics
    ///
    /// As for [`spawn_local`].
    #[track_caller]
    pub fn spawn_local<F>(self, future: F) -> Task<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        spawn_local_with(future, self.options)
    }
}

/// Gives the task that this code runs in; `None` in a callback and outside any task.
///
/// # asyncio counterpart
///
/// `asyncio.current_task()`.
#[must_use]
pub fn current_task() -> Option<TaskRef> {
    polling::with(polling::Current::task).map(TaskRef::from_ptr)
}

/// Gives all tasks of this thread's runtime that are not done, in the order in which they were spawned.
///
/// # asyncio counterpart
///
/// `asyncio.all_tasks()`.
///
/// # Panics
///
/// Outside a runtime.
#[track_caller]
#[must_use]
pub fn all_tasks() -> Vec<TaskRef> {
    with_runtime(Shared::all_tasks)
}

impl Handle {
    /// Spawns a task on this runtime, from any thread.
    ///
    /// # asyncio counterpart
    ///
    /// `asyncio.run_coroutine_threadsafe()`: the task can be awaited from anywhere, by
    /// [`outcome`](Task::outcome) also outside any runtime.
    #[doc(alias = "run_coroutine_threadsafe")]
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> Task<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        // SAFETY: the future is `Send` and `'static`.
        unsafe {
            self.shared()
                .spawn(future, SpawnOptions::at(Location::caller()))
        }
    }
}
