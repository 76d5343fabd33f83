//! What a task group gives when it fails: every failure, and whose it was.

use std::error::Error;
use std::fmt;
use std::panic::Location;

/// The failures of a task group, in the order in which they happened; that of the body comes last.
///
/// # asyncio counterpart
///
/// `ExceptionGroup`.
#[derive(Clone, Debug)]
pub struct ExceptionGroup<E> {
    failures: Vec<Failure<E>>,
}

/// One failure of a task group: an error, or a panic.
#[derive(Clone, Debug)]
pub struct Failure<E> {
    /// `None` for the body.
    pub(super) task: Option<(String, &'static Location<'static>)>,
    pub(super) what: What<E>,
}

#[derive(Clone, Debug)]
pub(super) enum What<E> {
    Error(E),
    Panic(Option<String>),
}

impl<E> ExceptionGroup<E> {
    pub(super) fn new(failures: Vec<Failure<E>>) -> Self {
        Self { failures }
    }

    /// Gives the number of failures. It is zero if the group was ended by its own
    /// [`cancel`](crate::TaskGroup::cancel), and nothing failed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.failures.len()
    }

    /// Whether nothing failed: the group was cancelled by [`TaskGroup::cancel`](crate::TaskGroup::cancel).
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.failures.is_empty()
    }

    /// Looks at the failures.
    pub fn iter(&self) -> std::slice::Iter<'_, Failure<E>> {
        self.failures.iter()
    }

    /// Gives the errors; panics among the failures are left out.
    pub fn into_errors(self) -> impl Iterator<Item = E> {
        self.failures.into_iter().filter_map(Failure::into_error)
    }
}

impl<E> IntoIterator for ExceptionGroup<E> {
    type Item = Failure<E>;
    type IntoIter = std::vec::IntoIter<Failure<E>>;

    fn into_iter(self) -> Self::IntoIter {
        self.failures.into_iter()
    }
}

impl<'a, E> IntoIterator for &'a ExceptionGroup<E> {
    type Item = &'a Failure<E>;
    type IntoIter = std::slice::Iter<'a, Failure<E>>;

    fn into_iter(self) -> Self::IntoIter {
        self.failures.iter()
    }
}

impl<E> Failure<E> {
    /// Gives the name of the task that failed; `None` for the body of the group.
    #[must_use]
    pub fn task_name(&self) -> Option<&str> {
        self.task.as_ref().map(|(name, _)| &**name)
    }

    /// Gives the place where the task that failed was spawned; `None` for the body of the group.
    #[must_use]
    pub fn spawned_at(&self) -> Option<&'static Location<'static>> {
        self.task.as_ref().map(|(_, location)| *location)
    }

    /// Whether the task panicked.
    #[must_use]
    pub fn is_panic(&self) -> bool {
        matches!(self.what, What::Panic(_))
    }

    /// Gives what the panic said, if it was one and said it in a string.
    #[must_use]
    pub fn panic_text(&self) -> Option<&str> {
        match &self.what {
            What::Panic(text) => text.as_deref(),
            What::Error(_) => None,
        }
    }

    /// Gives the error; `None` for a panic.
    #[must_use]
    pub fn error(&self) -> Option<&E> {
        match &self.what {
            What::Error(error) => Some(error),
            What::Panic(_) => None,
        }
    }

    /// Takes the error; `None` for a panic.
    #[must_use]
    pub fn into_error(self) -> Option<E> {
        match self.what {
            What::Error(error) => Some(error),
            What::Panic(_) => None,
        }
    }
}

impl<E: fmt::Display> fmt::Display for Failure<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.task {
            Some((name, _)) => write!(f, "task '{name}'")?,
            None => f.write_str("the body")?,
        }
        match &self.what {
            What::Error(error) => write!(f, ": {error}"),
            What::Panic(Some(text)) => write!(f, " panicked: {text}"),
            What::Panic(None) => f.write_str(" panicked"),
        }
    }
}

impl<E: fmt::Display> fmt::Display for ExceptionGroup<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("the task group was cancelled");
        }
        let plural = if self.len() == 1 {
            "failure"
        } else {
            "failures"
        };
        write!(f, "{} {plural} in a task group", self.len())?;
        for (index, failure) in self.failures.iter().enumerate() {
            f.write_str(if index == 0 { ": " } else { "; " })?;
            failure.fmt(f)?;
        }
        Ok(())
    }
}

impl<E: fmt::Debug + fmt::Display> Error for ExceptionGroup<E> {}

/// A task was not spawned, because its group is closed: one of its tasks failed, or it has ended. The future is in
/// here, unstarted.
///
/// # asyncio counterpart
///
/// The `RuntimeError` of `TaskGroup.create_task()`.
pub struct GroupClosed<F> {
    future: F,
}

impl<F> GroupClosed<F> {
    pub(super) fn new(future: F) -> Self {
        Self { future }
    }

    /// Gives the future back.
    pub fn into_future(self) -> F {
        self.future
    }
}

impl<F> fmt::Debug for GroupClosed<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GroupClosed")
    }
}

impl<F> fmt::Display for GroupClosed<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the task group is closed")
    }
}

impl<F> Error for GroupClosed<F> {}
