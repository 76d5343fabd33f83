//! The pools of a runtime: one for blocking calls, one for computations.
//!
//! Two lanes, each with threads and a queue of its own, are what keeps computations from holding up blocking calls: there
//! is nothing that the two share but the processor.

use std::fmt;

use tasca_core::{Extension, Handle, Job, JobBuilder, Problem, Task, Trouble};

use crate::ends::Queued;
use crate::executor::Executor;
use crate::primitive::Instant;
use crate::thread_pool::{ThreadPool, ThreadPoolBuilder, n_cores};

/// What belongs to one runtime.
pub(crate) struct Pools {
    blocking: ThreadPool,
    cpu: ThreadPool,
    queued: Queued,
}

impl Pools {
    /// Hands a job to the lane for blocking calls.
    #[track_caller]
    #[inline]
    pub(crate) fn blocking(job: Job) {
        Handle::with_current_extension(Self::new, |pools: &Self| {
            pools.blocking.inner().take(job, false);
        });
    }

    /// Hands a job to the lane for computations.
    #[track_caller]
    #[inline]
    pub(crate) fn cpu(job: Job) {
        Handle::with_current_extension(Self::new, |pools: &Self| {
            pools.cpu.inner().take(job, false);
        });
    }

    fn new() -> Self {
        PoolsConfig::new()
            .make()
            .expect("the defaults are possible")
    }
}

impl Extension for Pools {
    fn shut_down(&self, deadline: Option<Instant>) -> Vec<Problem> {
        // Both stop taking jobs at once, then share what is left of the time.
        self.cpu.inner().close();
        self.blocking.inner().close();
        [&self.blocking, &self.cpu]
            .into_iter()
            .filter_map(|pool| pool.inner().shut_down(self.queued, deadline).err())
            .map(|left| Problem::new(Trouble::Shutdown, left.to_string()))
            .collect()
    }

    fn is_busy(&self) -> bool {
        [&self.blocking, &self.cpu].into_iter().any(|pool| {
            let counts = pool.inner().counts();
            counts.n_idle < counts.n_threads
                || (counts.n_queued > 0 && self.queued == Queued::Drain)
        })
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

/// Runs `work`, a computation, on the runtime's threads for that, one for each core; from now on, whether the task is awaited or not.
///
/// There are no more such threads than cores, so `work` must not wait for anything but its own computation: calls that
/// block belong to [`to_thread`](crate::to_thread) or to [`run_in_executor`](crate::run_in_executor) with the [`DefaultExecutor`]. However long
/// the queue here, it takes nothing from those. `work` runs in a copy of the caller's context.
///
/// Cancelling is as for [`run_in_executor`](crate::run_in_executor).
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

/// Describes the pools that belong to a runtime, for those who want other ones than the defaults.
///
/// # asyncio counterpart
///
/// `loop.set_default_executor()`.
///
/// # Examples
///
/// ```
/// use tasca_blocking::{PoolsConfig, ThreadPool};
///
/// let rt = tasca_core::Runtime::new()?;
/// PoolsConfig::new()
///     .blocking(ThreadPool::builder().max_threads(64))
///     .install(&rt.handle())?;
/// # Ok::<_, std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a configuration does nothing until `install`"]
pub struct PoolsConfig {
    blocking: ThreadPoolBuilder,
    cpu: ThreadPoolBuilder,
    queued: Queued,
}

impl PoolsConfig {
    /// The defaults: up to 512 threads for blocking calls, one for each core for computations; a runtime that ends
    /// runs what is in the queues, within its [`shutdown_timeout`](tasca_core::Builder::shutdown_timeout).
    pub fn new() -> Self {
        Self {
            blocking: ThreadPool::builder().name("tasca-blocking"),
            cpu: ThreadPool::builder()
                .name("tasca-cpu")
                .max_threads(n_cores())
                .grow_eagerly(),
            queued: Queued::Drain,
        }
    }

    /// Sets the pool for blocking calls: that of `to_thread` and of the default executor.
    pub fn blocking(mut self, pool: ThreadPoolBuilder) -> Self {
        self.blocking = pool;
        self
    }

    /// Sets the pool for computations: that of `spawn_blocking`.
    pub fn cpu(mut self, pool: ThreadPoolBuilder) -> Self {
        self.cpu = pool;
        self
    }

    /// Sets what becomes of queued jobs when the runtime ends.
    pub fn queued_at_shutdown(mut self, queued: Queued) -> Self {
        self.queued = queued;
        self
    }

    /// Gives these pools to a runtime that has not used any yet.
    ///
    /// # Errors
    ///
    /// As for [`ThreadPoolBuilder::build`]; [`std::io::ErrorKind::AlreadyExists`] if the runtime has its pools already.
    pub fn install(self, runtime: &Handle) -> std::io::Result<()> {
        let pools = self.make()?;
        let mut is_used = false;
        runtime.with_extension(
            || {
                is_used = true;
                pools
            },
            |_: &Pools| (),
        );
        match is_used {
            true => Ok(()),
            false => Err(std::io::Error::new(
                std::io::ErrorKind::AlreadyExists,
                "the runtime has its thread pools already: install others before the first use",
            )),
        }
    }

    fn make(self) -> std::io::Result<Pools> {
        Ok(Pools {
            blocking: self.blocking.inside_runtime().build()?,
            cpu: self.cpu.inside_runtime().build()?,
            queued: self.queued,
        })
    }
}

impl Default for PoolsConfig {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Pools {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pools")
            .field("blocking", &self.blocking)
            .field("cpu", &self.cpu)
            .field("queued", &self.queued)
            .finish()
    }
}

/// The pools of a runtime at one instant.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct PoolsStatistics {
    /// The pool for blocking calls.
    pub blocking: crate::PoolStatistics,
    /// The pool for computations.
    pub cpu: crate::PoolStatistics,
}

/// Gives a snapshot of the pools of the runtime that the caller is in.
///
/// # Panics
///
/// Outside a runtime.
#[track_caller]
#[must_use]
pub fn statistics() -> PoolsStatistics {
    Handle::with_current_extension(Pools::new, |pools: &Pools| PoolsStatistics {
        blocking: pools.blocking.statistics(),
        cpu: pools.cpu.statistics(),
    })
}
