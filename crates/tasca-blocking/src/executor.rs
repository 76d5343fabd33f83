//! Whatever runs jobs, and how they are handed to it.

use tasca_core::{Job, JobBuilder, Task};

use crate::pools::Pools;

/// Something that runs jobs: a [`ThreadPool`](crate::ThreadPool), the [`DefaultExecutor`], or what you make of it.
///
/// # asyncio counterpart
///
/// `concurrent.futures.Executor`, as far as `loop.run_in_executor()` needs it.
///
/// # Examples
///
/// ```
/// use tasca_blocking::{Executor, Job, run_in_executor};
///
/// /// A new thread for every job.
/// struct Threads;
///
/// impl Executor for Threads {
///     fn execute(&self, job: Job) {
///         std::thread::spawn(move || job.run());
///     }
/// }
///
/// # let rt = tasca_core::Runtime::builder().current_thread().build().unwrap();
/// # rt.block_on(async {
/// assert_eq!(run_in_executor(&Threads, || 42).await, 42);
/// # });
/// ```
pub trait Executor: Send + Sync {
    /// Sees to it that [`Job::run`] is called, on some thread that may be blocked.
    ///
    /// It must not run the job on the calling thread, and must not block. An executor that cannot run it calls
    /// [`Job::fail`] or [`Job::cancel`]; one that drops it cancels it.
    fn execute(&self, job: Job);
}

impl<E: Executor + ?Sized> Executor for &E {
    fn execute(&self, job: Job) {
        (**self).execute(job);
    }
}

impl<E: Executor + ?Sized> Executor for std::sync::Arc<E> {
    fn execute(&self, job: Job) {
        (**self).execute(job);
    }
}

impl<E: Executor + ?Sized> Executor for Box<E> {
    fn execute(&self, job: Job) {
        (**self).execute(job);
    }
}

/// The executor for blocking calls that belongs to the runtime which the caller is in; [`to_thread`](crate::to_thread) uses it.
///
/// # asyncio counterpart
///
/// The `None` in `loop.run_in_executor(None, …)`.
#[derive(Clone, Copy, Debug, Default)]
pub struct DefaultExecutor;

impl Executor for DefaultExecutor {
    /// # Panics
    ///
    /// Outside a runtime.
    #[track_caller]
    fn execute(&self, job: Job) {
        Pools::blocking(job);
    }
}

/// The executor for computations that belongs to the runtime which the caller is in: a thread for each core. [`spawn_blocking`]
/// uses it.
#[derive(Clone, Copy, Debug, Default)]
pub struct CpuExecutor;

impl Executor for CpuExecutor {
    /// # Panics
    ///
    /// Outside a runtime.
    #[track_caller]
    fn execute(&self, job: Job) {
        Pools::cpu(job);
    }
}

/// Runs `work` on `executor`, from now on, whether the task is awaited or not.
///
/// `work` does not see the caller's context variables. Cancelling the task before `work` has begun takes it out of
/// the queue; it never runs. Afterwards the task is cancelled at once all the same, and `work` runs on, unless it asks
/// ([`is_cancelled`](crate::is_cancelled)); its outcome is dropped.
///
/// # asyncio counterpart
///
/// `loop.run_in_executor()`. The default executor is [`DefaultExecutor`].
///
/// # Examples
///
/// ```
/// use tasca_blocking::{DefaultExecutor, run_in_executor};
/// # let rt = tasca_core::Runtime::builder().current_thread().build().unwrap();
/// # rt.block_on(async {
/// let task = run_in_executor(&DefaultExecutor, || std::fs::metadata("/").is_ok());
/// assert!(task.await);
/// # });
/// ```
#[track_caller]
pub fn run_in_executor<E, F, R>(executor: &E, work: F) -> Task<R>
where
    E: Executor + ?Sized,
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    let (job, task) = JobBuilder::new().build(work);
    executor.execute(job);
    task
}

/// Runs `work`, a computation, on the runtime's threads for that, one for each core; from now on, whether the task is awaited or not.
///
/// There are no more such threads than cores, so `work` must not wait for anything but its own computation: calls that
/// block belong to [`to_thread`](crate::to_thread) or to [`run_in_executor`] with the [`DefaultExecutor`]. However long
/// the queue here, it takes nothing from those. `work` runs in a copy of the caller's context.
///
/// Cancelling is as for [`run_in_executor`].
///
/// # asyncio counterpart
///
/// `loop.run_in_executor()` with a `ProcessPoolExecutor`; threads do here what takes processes there.
///
/// # Panics
///
/// Outside a runtime.
///
/// # Examples
///
/// ```
/// use tasca_blocking::spawn_blocking;
/// # let rt = tasca_core::Runtime::builder().current_thread().build().unwrap();
/// # rt.block_on(async {
/// let task = spawn_blocking(|| (1..=20_u64).product::<u64>());
/// assert_eq!(task.await, 2_432_902_008_176_640_000);
/// # });
/// ```
#[track_caller]
pub fn spawn_blocking<F, R>(work: F) -> Task<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    let (job, task) = JobBuilder::new().inherit_context().build(work);
    Pools::cpu(job);
    task
}
