//! In the place of crossbeam's deques: the weakest that their contract allows.
//!
//! What the models know of a queue that all can reach (an injector, a stealable tier): a push releases, a take acquires, a
//! look may be stale unless fences forbid it, and every item is taken once. crossbeam's give more.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex as Hidden};

use crate::primitive::{AtomicUsize, Ordering};

/// A queue that all can reach.
#[derive(Debug)]
pub(crate) struct Reachable<T> {
    // loom does not see this lock, so it orders nothing in the model.
    items: Hidden<VecDeque<T>>,
    len: AtomicUsize,
}

impl<T> Reachable<T> {
    pub(crate) fn new() -> Self {
        Self {
            items: Hidden::new(VecDeque::new()),
            len: AtomicUsize::new(0),
        }
    }

    pub(crate) fn push(&self, item: T) {
        self.items.lock().expect("never poisoned").push_back(item);
        self.len.fetch_add(1, Ordering::Release);
    }

    pub(crate) fn pop(&self) -> Option<T> {
        let current = self.len.load(Ordering::Acquire);
        if current == 0 {
            return None;
        }
        let took = self
            .len
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |n| n.checked_sub(1));
        took.ok().map(|_| {
            self.items
                .lock()
                .expect("never poisoned")
                .pop_front()
                .expect("as many items as counted")
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.len.load(Ordering::Acquire)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One to run, up to `limit - 1` others to `to`.
    fn steal_batch(&self, to: &Worker<T>, limit: usize) -> Steal<T> {
        let Some(first) = self.pop() else {
            return Steal::Empty;
        };
        for _ in 1..limit {
            let Some(item) = self.pop() else { break };
            to.push(item);
        }
        Steal::Success(first)
    }
}

/// The owner's end.
pub(crate) struct Worker<T>(Arc<Reachable<T>>);

/// The thieves' end.
pub(crate) struct Stealer<T>(Arc<Reachable<T>>);

/// A queue that nobody owns.
pub(crate) struct Injector<T>(Reachable<T>);

/// What a thief gets.
pub(crate) enum Steal<T> {
    Empty,
    Success(T),
    #[expect(
        dead_code,
        reason = "the contract allows it; to try again is to try later"
    )]
    Retry,
}

impl<T> Worker<T> {
    pub(crate) fn new_fifo() -> Self {
        Self(Arc::new(Reachable::new()))
    }

    pub(crate) fn stealer(&self) -> Stealer<T> {
        Stealer(Arc::clone(&self.0))
    }

    pub(crate) fn push(&self, item: T) {
        self.0.push(item);
    }

    pub(crate) fn pop(&self) -> Option<T> {
        self.0.pop()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T> Steal<T> {
    pub(crate) fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }
}

impl<T> Stealer<T> {
    pub(crate) fn steal_batch_with_limit_and_pop(&self, to: &Worker<T>, limit: usize) -> Steal<T> {
        self.0.steal_batch(to, limit)
    }

    pub(crate) fn steal_batch_with_limit(&self, to: &Worker<T>, limit: usize) -> Steal<()> {
        match self.0.steal_batch(to, limit) {
            Steal::Success(item) => {
                to.push(item);
                Steal::Success(())
            }
            Steal::Empty => Steal::Empty,
            Steal::Retry => Steal::Retry,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T> Injector<T> {
    pub(crate) fn new() -> Self {
        Self(Reachable::new())
    }

    pub(crate) fn push(&self, item: T) {
        self.0.push(item);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn steal_batch_with_limit_and_pop(&self, to: &Worker<T>, limit: usize) -> Steal<T> {
        self.0.steal_batch(to, limit)
    }
}
