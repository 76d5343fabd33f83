//! A lock that costs its owner next to nothing and everybody else a system call.
//!
//! A worker's run queue and timers belong to it alone, until it is stuck in a long poll: then
//! somebody else must be able to take them away. [`BiasedLock`] gives the owner access for two
//! plain stores and a load, and makes the rare visitor pay, with a `membarrier`, for both.
#![doc = include_str!("PROTOCOL.md")]

use crate::primitive::{
    AtomicBool, Mutex, Ordering, UnsafeCell, heavy_fence, light_fence, spin_loop, yield_now,
};

/// How often a visitor looks at `busy` before it gives up. The owner is inside for nanoseconds,
/// unless the system took the processor away from it just there.
const VISITOR_SPINS_MAX: usize = 2_000;

/// Mutual exclusion between one owner thread and rare visitors.
#[derive(Debug)]
pub(crate) struct BiasedLock<T> {
    /// Set by the owner while it is inside.
    busy: AtomicBool,
    /// Set by the visitor that holds `visitors`, from before its fence until it leaves.
    revoked: AtomicBool,
    /// Serialises visitors; the owner takes it only when it finds itself revoked.
    visitors: Mutex<()>,
    // Invariant: touched only by the owner between its `busy = true` (having then read `revoked`
    // as false) and its `busy = false`, or by the holder of `visitors` who set `revoked`, passed
    // the heavy fence and then read `busy` as false.
    value: UnsafeCell<T>,
}

// SAFETY: the protocol above gives exclusive access to one thread at a time, and hands the value
// from thread to thread, hence `T: Send`.
unsafe impl<T: Send> Sync for BiasedLock<T> {}
// SAFETY: owning the lock is owning the value.
unsafe impl<T: Send> Send for BiasedLock<T> {}

impl<T> BiasedLock<T> {
    pub(crate) fn new(value: T) -> Self {
        Self {
            busy: AtomicBool::new(false),
            revoked: AtomicBool::new(false),
            visitors: Mutex::new(()),
            value: UnsafeCell::new(value),
        }
    }

    /// Runs `f` on the value as its owner.
    ///
    /// `f` must not call user code, and must not enter this lock again.
    ///
    /// # Safety
    ///
    /// 1. Only one thread, the owner, calls this during the life of the lock (or the right to call
    ///    it is handed from one thread to the next with synchronisation).
    /// 2. `f` does not call `with_owner` or `try_visit` of the same lock.
    #[inline(always)]
    pub(crate) unsafe fn with_owner<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        // Ordering: Relaxed; the fence pair, not this store, makes it visible before the load.
        self.busy.store(true, Ordering::Relaxed);
        light_fence();
        // Ordering: Acquire pairs with the Release store in `try_visit`: what a visitor did to the
        // value happened before.
        if self.revoked.load(Ordering::Acquire) {
            self.wait_for_visitor();
        }
        let _leave = Leave(&self.busy);
        self.value.with_mut(|value| {
            // SAFETY: the owner is inside (see the invariant at `value`); duty (2) of the caller
            // excludes a second reference from this thread.
            f(unsafe { &mut *value })
        })
    }

    /// Steps back until the visitor is gone; afterwards `busy` is set and `revoked` is clear.
    #[cold]
    fn wait_for_visitor(&self) {
        loop {
            // Ordering: Release, as at every exit of the owner.
            self.busy.store(false, Ordering::Release);
            drop(self.visitors.lock());
            // Ordering: as in `with_owner`.
            self.busy.store(true, Ordering::Relaxed);
            light_fence();
            if !self.revoked.load(Ordering::Acquire) {
                return;
            }
        }
    }

    /// Runs `f` on the value from another thread; `None` if the owner did not leave in time.
    ///
    /// `f` must not call user code. Never called by the owner (it would wait for itself and give up).
    pub(crate) fn try_visit<R>(&self, f: impl FnOnce(&mut T) -> R) -> Option<R> {
        let _turn = self.visitors.lock();
        // Ordering: Relaxed; the fence pair makes it visible before `busy` is read.
        self.revoked.store(true, Ordering::Relaxed);
        let _return = Return(&self.revoked);
        heavy_fence();
        for spin in 0..VISITOR_SPINS_MAX {
            // Ordering: Acquire pairs with the owner's Release store at its exit.
            if !self.busy.load(Ordering::Acquire) {
                return Some(self.value.with_mut(|value| {
                    // SAFETY: this thread is the visitor inside (see the invariant at `value`).
                    f(unsafe { &mut *value })
                }));
            }
            if spin % 64 == 63 {
                yield_now();
            } else {
                spin_loop();
            }
        }
        None
    }
}

/// The owner's exit, also by panic.
struct Leave<'a>(&'a AtomicBool);

impl Drop for Leave<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        // Ordering: Release pairs with the visitor's Acquire load of `busy`.
        self.0.store(false, Ordering::Release);
    }
}

/// The visitor's exit, also by panic. The mutex is released after it.
struct Return<'a>(&'a AtomicBool);

impl Drop for Return<'_> {
    fn drop(&mut self) {
        // Ordering: Release pairs with the owner's Acquire load of `revoked`.
        self.0.store(false, Ordering::Release);
    }
}
