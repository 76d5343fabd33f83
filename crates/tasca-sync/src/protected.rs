//! The value behind a lock: what the unsafe code of this crate is about.
//!
//! **Invariant**: whoever has let a guard out has been let past its raw lock, and the guard gives that right up once, when it
//! is dropped or suspended, and does not look at the value afterwards. So a reference to the value, which borrows a
//! guard, lives no longer than the right to it. The raw locks order what one holder did before what the next one does.

use super::primitive::UnsafeCell;

/// A value that only who holds a lock gets at.
#[derive(Debug)]
pub(crate) struct Protected<T>(UnsafeCell<T>);

// SAFETY: sharing it gives one thread at a time access to the value, in which it may be moved out or replaced: that is what
// `Send` allows. What hands out references to several threads at once asks for `T: Sync` besides.
unsafe impl<T: Send> Sync for Protected<T> {}

impl<T> Protected<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(UnsafeCell::new(value))
    }

    /// # Safety
    ///
    /// While the reference lives, the caller holds the lock, alone or with others who read.
    #[inline(always)]
    pub(crate) unsafe fn get(&self) -> &T {
        // SAFETY: nobody writes, as the caller promises.
        self.0.with(|value| unsafe { &*value })
    }

    /// # Safety
    ///
    /// While the reference lives, the caller holds the lock alone, and makes no other reference.
    #[inline(always)]
    #[expect(clippy::mut_from_ref, reason = "it is a lock that makes it exclusive")]
    pub(crate) unsafe fn get_alone(&self) -> &mut T {
        // SAFETY: nobody else reads or writes, as the caller promises.
        self.0.with_mut(|value| unsafe { &mut *value })
    }

    pub(crate) fn get_mut(&mut self) -> &mut T {
        // SAFETY: nobody else has so much as the lock.
        unsafe { self.get_alone() }
    }

    pub(crate) fn into_inner(self) -> T {
        self.0.into_inner()
    }
}
