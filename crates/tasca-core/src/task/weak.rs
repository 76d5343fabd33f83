//! A task by its place and number, for those who may outlive it.

use std::ptr::NonNull;

use super::handle::TaskRef;
use super::header::{Header, TaskPtr};
use super::state::Live;

/// An id that no task has: a job is no promise.
const NOBODY: u64 = u64::MAX;

/// Names a task without a reference to it: copying it costs nothing, and it keeps nothing alive.
///
/// The cell may be another task's by now, or nobody's. Its memory is a cell's for ever, and the id tells.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WeakTask {
    // Invariant: the start of memory that the slab has given out for a cell.
    header: NonNull<Header>,
    id: u64,
}

// SAFETY: the pointer is followed by `get` only, which asks the state word first; that is for every thread.
unsafe impl Send for WeakTask {}
// SAFETY: as above.
unsafe impl Sync for WeakTask {}

impl WeakTask {
    #[inline(always)]
    pub(crate) fn of(task: TaskPtr) -> Self {
        let header = task.header();
        Self {
            header: NonNull::from(header),
            id: header.id,
        }
    }

    /// Whether this names `task`, which the caller can reach.
    #[inline(always)]
    pub(crate) fn is(&self, task: TaskPtr) -> bool {
        std::ptr::eq(self.header.as_ptr(), task.header()) && self.id == task.header().id
    }

    /// The task, if it is still there and not done.
    pub(crate) fn get(&self) -> Option<TaskRef> {
        if self.is_nobody() {
            return None;
        }
        // SAFETY: the invariant at `header`.
        let task = unsafe { TaskRef::try_from_cell(self.header, Live::Any) }?;
        (task.ptr().header().id == self.id).then_some(task)
    }

    /// The same, spoiled: it names no task.
    pub(crate) fn into_nobody(self) -> Self {
        Self { id: NOBODY, ..self }
    }

    /// Whether this comes from [`into_nobody`](Self::into_nobody).
    pub(crate) fn is_nobody(&self) -> bool {
        self.id == NOBODY
    }
}
