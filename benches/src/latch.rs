//! Waiting until a number of tasks have finished without joining them.
//!
//! Detached tasks are what the spawn workloads measure, so they need another way to say that they are
//! done. It costs one read-modify-write a task, the same for every runtime.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    task::Poll,
};

use futures::task::AtomicWaker;

/// A count that goes down to zero, can be waited for, and can be set again.
///
/// Made with [`Latch::leak`], so that a task holds a plain reference: a counted one would cost each
/// task two more read-modify-writes and blur what is measured.
#[derive(Debug, Default)]
pub struct Latch {
    left: AtomicU64,
    waiter: AtomicWaker,
}

impl Latch {
    /// Makes a latch that lives until the process ends.
    #[must_use]
    pub fn leak() -> &'static Self {
        Box::leak(Box::default())
    }

    /// Sets the count; nobody may be waiting.
    pub fn set(&self, count: u64) {
        // Ordering: Release pairs with the AcqRel of `count_down`; tasks are spawned after this anyway.
        self.left.store(count, Ordering::Release);
    }

    /// Takes one off; the last one wakes the waiter.
    ///
    /// # Panics
    ///
    /// If the count is zero: a task has run twice.
    pub fn count_down(&self) {
        // Ordering: AcqRel, so that the one who counts to zero has seen what all the others did.
        let before = self.left.fetch_sub(1, Ordering::AcqRel);
        assert!(before != 0, "more tasks counted down than were spawned");
        if before == 1 {
            self.waiter.wake();
        }
    }

    /// Whether the count is zero.
    #[must_use]
    pub fn is_open(&self) -> bool {
        // Ordering: Acquire pairs with the AcqRel of `count_down`.
        self.left.load(Ordering::Acquire) == 0
    }

    /// Waits until the count is zero; one waiter at a time.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    pub async fn wait(&self) {
        std::future::poll_fn(|cx| {
            if self.is_open() {
                return Poll::Ready(());
            }
            self.waiter.register(cx.waker());
            if self.is_open() {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }
}
