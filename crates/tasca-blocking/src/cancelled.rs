//! Cancellation as a running closure sees it.

use std::fmt;
use std::io;

use tasca_core::{CancelMessage, current_job_cancelled};

/// Whether the job that this code runs in was cancelled, so that nobody waits for its value any more.
///
/// A closure that takes long asks now and then, and ends early. `false` outside a job.
///
/// # Examples
///
/// ```
/// use tasca_blocking::{is_cancelled, spawn_blocking};
/// # let rt = tasca_core::Runtime::builder().current_thread().build().unwrap();
/// # rt.block_on(async {
/// let task = spawn_blocking(|| {
///     while !is_cancelled() {
///         // one more step of the computation
///     }
/// });
/// task.cancel();
/// assert!(task.outcome().await.unwrap_err().is_cancelled());
/// # });
/// ```
#[must_use]
pub fn is_cancelled() -> bool {
    current_job_cancelled().is_some()
}

/// As [`is_cancelled`], for `?`.
///
/// # asyncio counterpart
///
/// None; `trio.from_thread.check_cancelled()`.
///
/// # Errors
///
/// [`JobCancelled`] if the job that this code runs in was cancelled.
pub fn check_cancelled() -> Result<(), JobCancelled> {
    match current_job_cancelled() {
        None => Ok(()),
        Some(message) => Err(JobCancelled { message }),
    }
}

/// The job that this code runs in was cancelled.
#[derive(Clone, Debug)]
pub struct JobCancelled {
    message: Option<CancelMessage>,
}

impl JobCancelled {
    /// The message of the request, if it had one.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        self.message.as_ref().map(CancelMessage::as_str)
    }
}

impl fmt::Display for JobCancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.message() {
            None => f.write_str("the job was cancelled"),
            Some(message) => write!(f, "the job was cancelled: {message}"),
        }
    }
}

impl std::error::Error for JobCancelled {}

impl From<JobCancelled> for io::Error {
    fn from(cancelled: JobCancelled) -> Self {
        Self::other(cancelled)
    }
}
