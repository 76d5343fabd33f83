//! Whatever runs jobs, and how they are handed to it.

use tasca_core::{Job, JobBuilder, Task};

/// Something that runs jobs: a [`ThreadPool`](crate::ThreadPool), the [`DefaultExecutor`](crate::DefaultExecutor), or what you make of it.
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

/// Runs `work` on `executor`, from now on, whether the task is awaited or not.
///
/// `work` does not see the caller's context variables. Cancelling the task before `work` has begun takes it out of
/// the queue; it never runs. Afterwards the task is cancelled at once all the same, and `work` runs on, unless it asks
/// ([`is_cancelled`](crate::is_cancelled)); its outcome is dropped.
///
/// # asyncio counterpart
///
/// `loop.run_in_executor()`. The default executor is [`DefaultExecutor`](crate::DefaultExecutor).
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
