//! The sources of `tasca-sync`, on loom's primitives; the models are in the other `sync_` files.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "the public face of the primitives serves users, not models"
)]

#[path = "../../../crates/tasca-sync/src/condition.rs"]
pub(crate) mod condition;
#[path = "../../../crates/tasca-sync/src/event.rs"]
pub(crate) mod event;
#[path = "../../../crates/tasca-sync/src/line.rs"]
mod line;
#[path = "../../../crates/tasca-sync/src/lock.rs"]
pub(crate) mod lock;
#[path = "../../../crates/tasca-sync/src/permits.rs"]
pub(crate) mod permits;
#[path = "../../../crates/tasca-sync/src/queue/mod.rs"]
pub(crate) mod queue;
#[path = "../../../crates/tasca-sync/src/raw_lock.rs"]
pub(crate) mod raw_lock;
#[path = "../../../crates/tasca-sync/src/rw_lock.rs"]
pub(crate) mod rw_lock;
#[path = "../../../crates/tasca-sync/src/shared.rs"]
mod shared;
#[path = "../../../crates/tasca-sync/src/wait.rs"]
mod wait;

/// What `tasca_sync::primitive` is there. Cells that only the holder of a lock gets at do not synchronise by themselves:
/// loom would say if the lock did not.
mod primitive {
    use std::fmt;
    use std::ops::{Deref, DerefMut};

    /// Guards share by it, and nothing else: `self: Arc<Self>` is possible with this one alone.
    pub(crate) use std::sync::Arc;

    use crate::primitive::UnsafeCell;
    pub(crate) use crate::primitive::{AtomicUsize, Mutex, Ordering};
    pub(crate) use crate::task::toolkit as leaf;

    /// Models cancel by dropping: nothing is ever delivered.
    pub(crate) async fn catch_cancelled<F: Future>(body: F) -> Result<F::Output, Never> {
        Ok(body.await)
    }

    /// The cancellation that does not come.
    pub(crate) enum Never {}

    impl Never {
        #[expect(clippy::unused_async, reason = "the face of the shipped function")]
        pub(crate) async fn reraise<T>(self) -> T {
            match self {}
        }
    }

    /// In the place of crossbeam's cell.
    pub(crate) struct AtomicCell<T>(UnsafeCell<T>);

    // SAFETY: loom watches that uses come one after the other.
    unsafe impl<T: Send> Sync for AtomicCell<T> {}

    impl<T: Default> AtomicCell<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(UnsafeCell::new(value))
        }

        pub(crate) fn take(&self) -> T {
            // SAFETY: as for `Sync`.
            self.0
                .with_mut(|value| std::mem::take(unsafe { &mut *value }))
        }

        pub(crate) fn store(&self, new: T) {
            // SAFETY: as for `Sync`.
            self.0.with_mut(|value| unsafe { *value = new });
        }

        pub(crate) fn into_inner(self) -> T {
            self.take()
        }
    }

    /// In the place of `parking_lot`'s lock, which nobody ever waits for.
    pub(crate) struct RwLock<T>(UnsafeCell<T>);

    // SAFETY: loom watches that nobody writes beside others.
    unsafe impl<T: Send + Sync> Sync for RwLock<T> {}

    pub(crate) struct RwLockReadGuard<'a, T>(&'a RwLock<T>);
    pub(crate) struct RwLockWriteGuard<'a, T>(&'a RwLock<T>);

    impl<T> RwLock<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(UnsafeCell::new(value))
        }

        #[expect(clippy::unnecessary_wraps, reason = "has the face of the original")]
        pub(crate) fn try_read(&self) -> Option<RwLockReadGuard<'_, T>> {
            Some(RwLockReadGuard(self))
        }

        #[expect(clippy::unnecessary_wraps, reason = "has the face of the original")]
        pub(crate) fn try_write(&self) -> Option<RwLockWriteGuard<'_, T>> {
            Some(RwLockWriteGuard(self))
        }

        pub(crate) fn get_mut(&mut self) -> &mut T {
            // SAFETY: nobody else has the lock.
            self.0.with_mut(|value| unsafe { &mut *value })
        }

        pub(crate) fn into_inner(self) -> T {
            self.0.into_inner()
        }
    }

    impl<T> Deref for RwLockReadGuard<'_, T> {
        type Target = T;

        fn deref(&self) -> &T {
            // SAFETY: as for `Sync`.
            self.0.0.with(|value| unsafe { &*value })
        }
    }

    impl<T> Deref for RwLockWriteGuard<'_, T> {
        type Target = T;

        fn deref(&self) -> &T {
            // SAFETY: as for `Sync`.
            self.0.0.with(|value| unsafe { &*value })
        }
    }

    impl<T> DerefMut for RwLockWriteGuard<'_, T> {
        fn deref_mut(&mut self) -> &mut T {
            // SAFETY: as for `Sync`.
            self.0.0.with_mut(|value| unsafe { &mut *value })
        }
    }

    impl<T> fmt::Debug for AtomicCell<T> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("AtomicCell")
        }
    }
}

/// Polls a future once, with a waker that does nothing.
pub(crate) fn poll_once<F: Future + ?Sized>(
    future: std::pin::Pin<&mut F>,
) -> std::task::Poll<F::Output> {
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    future.poll(&mut cx)
}
