//! [`RayonExecutor`]: jobs on a rayon thread pool.

use std::sync::Arc;

use rayon_core::ThreadPool;
use tasca_core::Job;

use crate::executor::Executor;

/// Runs jobs on a rayon thread pool, so that they can use `join`, `scope` and parallel iterators on its threads.
///
/// Rayon's threads are as many as its cores: this is for computations, not for calls that block. Its queue has no bound;
/// [`Limiter`](crate::Limiter) gives one.
///
/// # Examples
///
/// ```
/// use tasca_blocking::{RayonExecutor, run_in_executor};
/// # let rt = tasca_core::Runtime::builder().current_thread().build().unwrap();
/// # rt.block_on(async {
/// let sum = run_in_executor(&RayonExecutor::global(), || {
///     let (left, right) = rayon_core::join(|| 1 + 2, || 3 + 4);
///     left + right
/// });
/// assert_eq!(sum.await, 10);
/// # });
/// ```
#[derive(Clone, Debug, Default)]
pub struct RayonExecutor {
    /// `None` for rayon's own global pool.
    pool: Option<Arc<ThreadPool>>,
}

impl RayonExecutor {
    /// Uses `pool`.
    #[must_use]
    pub fn new(pool: Arc<ThreadPool>) -> Self {
        Self { pool: Some(pool) }
    }

    /// Uses rayon's global pool, the one that parallel iterators use by default.
    #[must_use]
    pub fn global() -> Self {
        Self { pool: None }
    }
}

impl Executor for RayonExecutor {
    fn execute(&self, job: Job) {
        match &self.pool {
            Some(pool) => pool.spawn_fifo(|| job.run()),
            None => rayon_core::spawn_fifo(|| job.run()),
        }
    }
}
