//! The stealable tiers, on crossbeam's deques.

use std::fmt;

use crossbeam_deque as deque;
use crossbeam_utils::CachePadded;

use crate::primitive::{Arc, AtomicUsize, Ordering};

/// The most that one steal takes.
const STEAL_MAX: usize = 32;

/// The owner's end of a worker's shared tier: first in, first out.
pub(crate) struct Shared<T> {
    queue: deque::Worker<T>,
    /// How long the queue was when the owner last looked, so that others find it empty without a fence.
    // Invariant: written by the owner alone, after every push. Thieves only make the queue shorter, so the hint may be
    // too large, but is never zero beside an item.
    len: Arc<CachePadded<AtomicUsize>>,
}

/// The thieves' end.
pub(crate) struct Thief<T> {
    queue: deque::Stealer<T>,
    len: Arc<CachePadded<AtomicUsize>>,
}

/// The queue from outside, and for overflow.
pub(crate) struct Injector<T>(deque::Injector<T>);

impl<T> Shared<T> {
    pub(crate) fn new() -> Self {
        Self {
            queue: deque::Worker::new_fifo(),
            len: Arc::default(),
        }
    }

    pub(crate) fn thief(&self) -> Thief<T> {
        Thief {
            queue: self.queue.stealer(),
            len: Arc::clone(&self.len),
        }
    }

    /// Adds `tasks` for thieves to see; the owner then executes a full fence and looks for somebody to wake.
    pub(crate) fn extend(&self, tasks: impl Iterator<Item = T>) {
        tasks.for_each(|task| self.queue.push(task));
        self.publish_len();
    }

    /// Takes the oldest.
    pub(crate) fn pop(&self) -> Option<T> {
        // Ordering: Relaxed; the owner's own note.
        if self.len.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let task = self.queue.pop();
        self.publish_len();
        task
    }

    /// How many are left of what was shared, thieves permitting.
    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether nothing is left of what was shared, by the queue itself and not by the hint.
    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Makes the hint true.
    fn publish_len(&self) {
        // Ordering: Relaxed; whoever must not miss a task has executed a full fence, as has the owner after a push.
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

    /// Takes what another worker shares: one to run, the others into this queue, from where they can be taken on. Of more than
    /// one batch about half is left for others: who took all would be taken all of it from by the next.
    pub(crate) fn steal(&self, victim: &Thief<T>) -> Option<T> {
        let wanted = match victim.len_hint() {
            0 => return None,
            few @ ..=STEAL_MAX => few,
            many => many / 2,
        };
        let n_before = self.queue.len();
        loop {
            match victim
                .queue
                .steal_batch_with_limit_and_pop(&self.queue, STEAL_MAX)
            {
                deque::Steal::Success(task) => {
                    // Each steal is of a half. The owner has kept its own half back already.
                    while self.queue.len() + 1 < n_before + wanted
                        && !victim
                            .queue
                            .steal_batch_with_limit(&self.queue, STEAL_MAX)
                            .is_empty()
                    {}
                    self.publish_len();
                    return Some(task);
                }
                deque::Steal::Empty => return None,
                deque::Steal::Retry => {}
            }
        }
    }
}

impl<T> Thief<T> {
    /// No fewer than there are.
    fn len_hint(&self) -> usize {
        // Ordering: Relaxed; see `Shared::publish_len`.
        self.len.load(Ordering::Relaxed)
    }

    /// Whether there is nothing to steal. Costs a fence only where the hint says that there is.
    pub(crate) fn is_empty(&self) -> bool {
        self.len_hint() == 0 || self.queue.is_empty()
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
