//! The stealable tiers, on crossbeam's deques.

use std::fmt;

use crossbeam_deque as deque;

use crate::primitive::{Arc, AtomicUsize, Ordering};

/// The most that one steal takes.
const STEAL_MAX: usize = 32;

/// The owner's end of a worker's shared tier: first in, first out.
pub(crate) struct Shared<T> {
    queue: deque::Worker<T>,
    /// A hint for thieves, who otherwise pay a fence to find the queue empty.
    len: Arc<AtomicUsize>,
}

/// The thieves' end.
pub(crate) struct Thief<T> {
    queue: deque::Stealer<T>,
    len: Arc<AtomicUsize>,
}

/// The queue from outside, and for overflow.
pub(crate) struct Injector<T>(deque::Injector<T>);

impl<T> Shared<T> {
    pub(crate) fn new() -> Self {
        Self {
            queue: deque::Worker::new_fifo(),
            len: Arc::new(AtomicUsize::new(0)),
        }
    }

    pub(crate) fn thief(&self) -> Thief<T> {
        Thief {
            queue: self.queue.stealer(),
            len: Arc::clone(&self.len),
        }
    }

    pub(crate) fn push(&self, task: T) {
        self.queue.push(task);
    }

    /// Takes the oldest.
    pub(crate) fn pop(&self) -> Option<T> {
        // Ordering: Relaxed; only the owner adds, so its own hint is never too small.
        if self.len.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let task = self.queue.pop();
        self.publish_len();
        task
    }

    /// Makes the hint true; called after pushes.
    pub(crate) fn publish_len(&self) {
        // Ordering: Relaxed; whoever must not miss a task executes a full fence between push and look.
        self.len.store(self.queue.len(), Ordering::Relaxed);
    }

    /// Takes some from `injector`: one to run, the others into this queue.
    pub(crate) fn take_from(&self, injector: &Injector<T>) -> Option<T> {
        loop {
            match injector
                .0
                .steal_batch_with_limit_and_pop(&self.queue, STEAL_MAX)
            {
                deque::Steal::Success(task) => {
                    self.publish_len();
                    return Some(task);
                }
                deque::Steal::Empty => return None,
                deque::Steal::Retry => {}
            }
        }
    }

    /// Takes some from another worker: one to run, the others into this queue.
    pub(crate) fn steal(&self, victim: &Thief<T>) -> Option<T> {
        // Ordering: Relaxed, as in `pop`.
        if victim.len.load(Ordering::Relaxed) == 0 {
            return None;
        }
        loop {
            match victim
                .queue
                .steal_batch_with_limit_and_pop(&self.queue, STEAL_MAX)
            {
                deque::Steal::Success(task) => {
                    victim.publish_len();
                    self.publish_len();
                    return Some(task);
                }
                deque::Steal::Empty => {
                    victim.publish_len();
                    return None;
                }
                deque::Steal::Retry => {}
            }
        }
    }
}

impl<T> Thief<T> {
    fn publish_len(&self) {
        // Ordering: Relaxed. The owner may add at the same time; a hint that is too small is made true by
        // the owner's next push or by the look that precedes a sleep, which asks the queue itself.
        self.len.store(self.queue.len(), Ordering::Relaxed);
    }

    /// Whether there is nothing to steal, by the queue itself and not by the hint.
    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }
}

impl<T> Injector<T> {
    pub(crate) fn new() -> Self {
        Self(deque::Injector::new())
    }

    pub(crate) fn push(&self, task: T) {
        self.0.push(task);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("len", &self.queue.len())
            .finish()
    }
}

impl<T> fmt::Debug for Thief<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Thief")
            .field("len", &self.queue.len())
            .finish()
    }
}

impl<T> fmt::Debug for Injector<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Injector")
            .field("is_empty", &self.is_empty())
            .finish()
    }
}
