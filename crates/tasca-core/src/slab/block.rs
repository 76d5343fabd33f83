//! A box in the memory of the slab.
//!
//! A group of tasks, and a wave of cancellations, make a block beside each cell before they give the first one back. An allocator
//! has few blocks of a size at hand (glibc's seven for a thread), and takes several times as long for the others. So blocks
//! are cells of a class of their own, in pages that nobody walks over: there is no state word in them.

use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

use super::class::BLOCK_BYTES;
use super::{CACHE_LINE, Class, allocate, free};

/// Owns a value in a block of its own, as a box does.
#[derive(Debug)]
pub(crate) struct Block<T> {
    // Invariant: a cell of the class `BLOCK` with a value in it, which this owns.
    value: NonNull<T>,
    owns: PhantomData<T>,
}

// SAFETY: owning a block is owning the value; the memory is no thread's while it is in use.
unsafe impl<T: Send> Send for Block<T> {}
// SAFETY: sharing a block is sharing the value.
unsafe impl<T: Sync> Sync for Block<T> {}

impl<T> Block<T> {
    const FITS: () = assert!(size_of::<T>() <= BLOCK_BYTES && align_of::<T>() <= CACHE_LINE);

    /// Puts what `make` makes into a block: there, and not somewhere else first.
    #[inline(always)]
    pub(crate) fn new(make: impl FnOnce() -> T) -> Self {
        const { Self::FITS };
        let block = allocate(Class::BLOCK).cast();
        // Panic: if `make` does, memory is lost, and nothing else.
        let value = make();
        // SAFETY: the block is this function's, and large and aligned enough.
        unsafe { block.write(value) };
        Self {
            value: block,
            owns: PhantomData,
        }
    }

    /// Leaves the value to the caller, who gives it back to [`from_raw`](Self::from_raw).
    #[inline]
    pub(crate) fn into_raw(self) -> *mut T {
        ManuallyDrop::new(self).value.as_ptr()
    }

    /// # Safety
    ///
    /// The pointer came from [`into_raw`](Self::into_raw), and is not used again.
    #[inline]
    pub(crate) unsafe fn from_raw(value: *mut T) -> Self {
        // SAFETY: the pointer of a block is not null.
        let value = unsafe { NonNull::new_unchecked(value) };
        Self {
            value,
            owns: PhantomData,
        }
    }
}

impl<T> Deref for Block<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: by the invariant at `value`.
        unsafe { self.value.as_ref() }
    }
}

impl<T> DerefMut for Block<T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: by the invariant at `value`.
        unsafe { self.value.as_mut() }
    }
}

impl<T> Drop for Block<T> {
    #[inline]
    fn drop(&mut self) {
        /// Frees the memory also if the value's drop panics.
        struct Free(NonNull<u8>);
        impl Drop for Free {
            #[inline]
            fn drop(&mut self) {
                // SAFETY: by the invariant at `Block::value`, and the value is gone.
                unsafe { free(self.0, Class::BLOCK) };
            }
        }
        let _free = Free(self.value.cast());
        // SAFETY: by the invariant at `value`; it is not used again.
        unsafe { self.value.drop_in_place() };
    }
}
