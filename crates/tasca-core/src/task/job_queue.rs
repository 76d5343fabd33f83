//! Jobs in a row, each of which leads to the next: a queue that takes no memory of its own.
//!
//! A thread pool may have a million jobs that wait, and a job is in one queue at most, so the place for the link is in the cell.

use std::fmt;

use super::header::TaskPtr;
use super::job::Job;
use crate::primitive::UnsafeCell;

/// The annex of a job's cell: the job behind it in its queue.
// Invariant: belongs to who owns the job, be it the queue. Whether its task is cancelled meanwhile makes no difference.
#[derive(Debug)]
pub(crate) struct Link(UnsafeCell<Option<TaskPtr>>);

impl Default for Link {
    fn default() -> Self {
        Self(UnsafeCell::new(None))
    }
}

/// The job behind `job`.
///
/// # Safety
///
/// `job` is a job's cell, and the job is in a queue that is the caller's.
unsafe fn next_of(job: TaskPtr) -> Option<TaskPtr> {
    // SAFETY: a job's cell has this annex.
    let link = unsafe { job.annex::<Link>() };
    // SAFETY: by the invariant at `Link` it is the caller's.
    link.0.with(|next| unsafe { *next })
}

/// Notes what is behind `job`.
///
/// # Safety
///
/// As for [`next_of`].
unsafe fn set_next_of(job: TaskPtr, new: Option<TaskPtr>) {
    // SAFETY: a job's cell has this annex.
    let link = unsafe { job.annex::<Link>() };
    // SAFETY: by the invariant at `Link` it is the caller's.
    link.0.with_mut(|next| unsafe { *next = new });
}

/// Jobs that wait to be run, first in, first out. For executors.
///
/// It takes no memory for what is in it: each job has the place for its successor. Jobs that are still in it when it is dropped are
/// dropped, which cancels their tasks.
///
/// # Examples
///
/// ```
/// use tasca_core::{JobBuilder, JobQueue};
/// # let rt = tasca_core::Runtime::builder().current_thread().build().unwrap();
/// # rt.block_on(async {
/// let mut queue = JobQueue::new();
/// let (job, task) = JobBuilder::new().build(|| 6 * 7);
/// queue.push_back(job);
/// std::thread::spawn(move || {
///     while let Some(job) = queue.pop_front() {
///         job.run();
///     }
/// });
/// assert_eq!(task.await, 42);
/// # });
/// ```
#[derive(Default)]
pub struct JobQueue {
    // Invariant: there is a first and a last or neither; links lead from the one to the other, `len` of them with the end, which
    // leads nowhere. Each is a job's cell, and its job is this queue's.
    first: Option<TaskPtr>,
    last: Option<TaskPtr>,
    len: usize,
}

impl JobQueue {
    /// An empty queue.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            first: None,
            last: None,
            len: 0,
        }
    }

    /// How many jobs there are, cancelled ones included.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Puts a job behind all others.
    pub fn push_back(&mut self, job: Job) {
        let job = job.into_ptr();
        // SAFETY: a job of this queue from now on.
        unsafe { set_next_of(job, None) };
        match self.last.replace(job) {
            // SAFETY: by the invariant a job of this queue.
            Some(last) => unsafe { set_next_of(last, Some(job)) },
            None => self.first = Some(job),
        }
        self.len += 1;
    }

    /// Puts a job before all others.
    pub fn push_front(&mut self, job: Job) {
        let job = job.into_ptr();
        // SAFETY: a job of this queue from now on.
        unsafe { set_next_of(job, self.first) };
        self.first = Some(job);
        self.last.get_or_insert(job);
        self.len += 1;
    }

    /// Takes the first job out.
    pub fn pop_front(&mut self) -> Option<Job> {
        let job = self.first?;
        // SAFETY: by the invariant a job of this queue.
        self.first = unsafe { next_of(job) };
        if self.first.is_none() {
            self.last = None;
        }
        self.len -= 1;
        // SAFETY: by the invariant the queue's own, as `into_ptr` has left it, and in the queue no more.
        Some(unsafe { Job::from_ptr(job) })
    }

    /// Takes out the jobs whose tasks were cancelled, so that there is nothing left to run. Both parts keep their order.
    #[must_use]
    pub fn take_cancelled(&mut self) -> Self {
        let (mut cancelled, mut others) = (Self::new(), Self::new());
        while let Some(job) = self.pop_front() {
            if job.is_cancelled() {
                cancelled.push_back(job);
            } else {
                others.push_back(job);
            }
        }
        *self = others;
        cancelled
    }
}

impl Drop for JobQueue {
    fn drop(&mut self) {
        while let Some(job) = self.pop_front() {
            drop(job);
        }
    }
}

impl fmt::Debug for JobQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobQueue").field("len", &self.len).finish()
    }
}
