//! The queues: the private ones as they are shipped, the stealable ones as the weakest that their contract allows.

#[path = "../../crates/tasca-core/src/queue/inbox.rs"]
mod inbox;

use std::collections::VecDeque;
use std::sync::Mutex as Hidden;

pub(crate) use inbox::Inbox;

use crate::primitive::{AtomicUsize, Ordering};

/// What the models know of a queue that all can reach (an injector, a stealable tier): a push releases, a look acquires, a
/// look may be stale unless fences forbid it, and every item is taken once. crossbeam's give more.
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

    pub(crate) fn is_empty(&self) -> bool {
        self.len.load(Ordering::Acquire) == 0
    }
}
