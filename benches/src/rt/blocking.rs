//! Each runtime's threads for blocking calls.

use std::future::Future;

use super::{smol::Smol, tasca::Tasca, tokio::Tokio};

/// Calls that block, beside the workers.
pub trait Blocking: Copy + Send + Sync + 'static {
    /// Calls `work` on a thread of the pool. It begins at once, awaited or not.
    fn spawn_blocking<T, W>(self, work: W) -> impl Future<Output = T> + Send + 'static
    where
        T: Send + 'static,
        W: FnOnce() -> T + Send + 'static;
}

impl Blocking for Tasca {
    fn spawn_blocking<T, W>(self, work: W) -> impl Future<Output = T> + Send + 'static
    where
        T: Send + 'static,
        W: FnOnce() -> T + Send + 'static,
    {
        tasca::run_in_executor(&tasca::blocking::DefaultExecutor, work)
    }
}

impl Blocking for Tokio {
    fn spawn_blocking<T, W>(self, work: W) -> impl Future<Output = T> + Send + 'static
    where
        T: Send + 'static,
        W: FnOnce() -> T + Send + 'static,
    {
        super::tokio::Join::new(tokio::task::spawn_blocking(work))
    }
}

impl Blocking for Smol {
    fn spawn_blocking<T, W>(self, work: W) -> impl Future<Output = T> + Send + 'static
    where
        T: Send + 'static,
        W: FnOnce() -> T + Send + 'static,
    {
        blocking::unblock(work)
    }
}
