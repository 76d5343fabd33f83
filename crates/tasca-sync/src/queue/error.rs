//! How operations on queues fail.

use std::error::Error;
use std::fmt;

/// The queue was shut down, and there is nothing left to get.
///
/// # asyncio counterpart
///
/// `asyncio.QueueShutDown`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueShutDown;

impl fmt::Display for QueueShutDown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the queue is shut down")
    }
}

impl Error for QueueShutDown {}

/// The queue was shut down; the item comes back.
///
/// # asyncio counterpart
///
/// `asyncio.QueueShutDown`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PutError<T>(pub T);

impl<T> fmt::Debug for PutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PutError(..)")
    }
}

impl<T> fmt::Display for PutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        QueueShutDown.fmt(f)
    }
}

impl<T> Error for PutError<T> {}

/// Why an item could not be put at once; it comes back.
///
/// # asyncio counterpart
///
/// `asyncio.QueueFull` and `asyncio.QueueShutDown`.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PutNowaitError<T> {
    /// There is no room.
    Full(T),
    /// The queue was shut down.
    ShutDown(T),
}

impl<T> PutNowaitError<T> {
    /// Gives the item back.
    #[must_use]
    pub fn into_item(self) -> T {
        match self {
            Self::Full(item) | Self::ShutDown(item) => item,
        }
    }

    /// Whether there is no room, so that it is worth trying again.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Full(_))
    }
}

impl<T> fmt::Debug for PutNowaitError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "Full(..)",
            Self::ShutDown(_) => "ShutDown(..)",
        })
    }
}

impl<T> fmt::Display for PutNowaitError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full(_) => f.write_str("the queue is full"),
            Self::ShutDown(_) => QueueShutDown.fmt(f),
        }
    }
}

impl<T> Error for PutNowaitError<T> {}

/// Why there was no item to get at once.
///
/// # asyncio counterpart
///
/// `asyncio.QueueEmpty` and `asyncio.QueueShutDown`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GetNowaitError {
    /// There is no item.
    Empty,
    /// There is none, and none will come: the queue was shut down.
    ShutDown,
}

impl GetNowaitError {
    /// Whether there is no item yet, so that it is worth trying again.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }
}

impl fmt::Display for GetNowaitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the queue is empty"),
            Self::ShutDown => QueueShutDown.fmt(f),
        }
    }
}

impl Error for GetNowaitError {}

/// More items were reported as done than had been put.
///
/// # asyncio counterpart
///
/// The `ValueError` of `task_done()`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TaskDoneError;

impl fmt::Display for TaskDoneError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("task_done was called more often than items were put")
    }
}

impl Error for TaskDoneError {}
