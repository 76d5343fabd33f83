//! How a pool ends, and how it refuses.

use std::fmt;
use std::panic::Location;

/// What becomes of the jobs that still wait when a pool is shut down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Queued {
    /// They are run, as far as the time allows; the rest is cancelled.
    #[default]
    Drain,
    /// They are cancelled.
    Cancel,
}

/// What a shutdown has left behind: jobs that still run, by the places that they came from, and how many never ran.
///
/// Their threads end when the jobs do; nobody waits for them.
#[derive(Debug)]
pub struct LeftBehind {
    pub(crate) running: Vec<&'static Location<'static>>,
    pub(crate) n_cancelled: usize,
    pub(crate) pool: String,
}

impl LeftBehind {
    /// The places that the jobs which still run came from.
    #[must_use]
    pub fn running(&self) -> &[&'static Location<'static>] {
        &self.running
    }

    /// The number of jobs that were to be run, and were cancelled because the time was up.
    #[must_use]
    pub fn n_cancelled(&self) -> usize {
        self.n_cancelled
    }
}

impl LeftBehind {
    /// The end of a pool whose parts have ended so.
    pub(crate) fn merge(one: Result<(), Self>, other: Result<(), Self>) -> Result<(), Self> {
        match (one, other) {
            (Ok(()), end) | (end, Ok(())) => end,
            (Err(mut one), Err(other)) => {
                one.running.extend(other.running);
                one.n_cancelled += other.n_cancelled;
                Err(one)
            }
        }
    }
}

impl fmt::Display for LeftBehind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            running,
            n_cancelled,
            pool,
        } = self;
        write!(
            f,
            "{} jobs of thread pool '{pool}' are still running",
            running.len()
        )?;
        for (index, place) in running.iter().take(8).enumerate() {
            write!(f, "{} {place}", if index == 0 { ": from" } else { "," })?;
        }
        if running.len() > 8 {
            f.write_str(", …")?;
        }
        if *n_cancelled > 0 {
            write!(f, "; {n_cancelled} were cancelled in the queue")?;
        }
        Ok(())
    }
}

impl std::error::Error for LeftBehind {}

/// The queue has no place left, and the job was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueFull;

impl fmt::Display for QueueFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the thread pool's queue is full")
    }
}

impl std::error::Error for QueueFull {}
