//! What others hand to one worker.

use std::collections::VecDeque;

use crate::primitive::{AtomicBool, Mutex, Ordering};

/// A queue with many senders, and one receiver that can see for the price of a load that it is empty.
#[derive(Debug)]
pub(crate) struct Inbox<T> {
    queue: Mutex<VecDeque<T>>,
    filled: AtomicBool,
}

impl<T> Inbox<T> {
    pub(crate) fn new() -> Self {
        Self {
            queue: Mutex::new(VecDeque::new()),
            filled: AtomicBool::new(false),
        }
    }

    /// Leaves something; the sender then executes a full fence and looks whether the receiver sleeps.
    pub(crate) fn push(&self, item: T) {
        let mut queue = self.queue.lock();
        queue.push_back(item);
        // Ordering: Relaxed; set under the lock, under which it is cleared. The receiver that looks
        // without the lock and must not miss it has executed a full fence, as has the sender.
        self.filled.store(true, Ordering::Relaxed);
    }

    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        // Ordering: see `push`.
        !self.filled.load(Ordering::Relaxed)
    }

    /// Takes everything, in the order in which it came.
    pub(crate) fn take(&self) -> VecDeque<T> {
        let mut queue = self.queue.lock();
        self.filled.store(false, Ordering::Relaxed);
        std::mem::take(&mut queue)
    }
}
