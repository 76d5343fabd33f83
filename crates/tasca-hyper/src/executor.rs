//! [`Executor`].

use hyper::rt;

/// Runs what hyper has to do beside a connection, as tasks of the current runtime.
///
/// HTTP/2 needs it for its streams; HTTP/1 does not. The tasks are detached: they end with their connection, and a panic
/// in one goes to the runtime's exception handler.
///
/// # asyncio counterpart
///
/// `asyncio.create_task`, handed to a library as a value.
///
/// # Examples
///
/// ```
/// use hyper::rt::Executor as _;
/// use tasca_hyper::Executor;
///
/// # let rt = tasca_core::Runtime::builder().current_thread().build().unwrap();
/// # rt.block_on(async {
/// let (promise, task) = tasca_core::promise();
/// Executor::new().execute(async { promise.set("done") });
/// assert_eq!(task.await, "done");
/// # });
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Executor {}

impl Executor {
    /// An executor for whichever runtime it is used in.
    #[must_use]
    pub const fn new() -> Self {
        Self {}
    }
}

impl<F> rt::Executor<F> for Executor
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    /// Spawns `future`.
    ///
    /// # Panics
    ///
    /// Outside a runtime.
    #[track_caller]
    fn execute(&self, future: F) {
        drop(tasca_core::spawn(future));
    }
}
