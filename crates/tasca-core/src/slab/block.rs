//! A box whose memory the thread keeps for the next one.
//!
//! A group of tasks, and a wave of cancellations, make a block beside each cell before they give the first one back. An allocator
//! has few blocks of a size at hand (glibc's seven for a thread), and takes several times as long for the others.
//! A thread that keeps cells keeps some of these as well. Unlike cells they are found by nobody, so what is too much goes back
//! to the allocator, and all of it when the thread ends.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::cell::Cell;
use std::marker::PhantomData;
use std::mem::{ManuallyDrop, MaybeUninit};
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

use crate::primitive::thread_local_const;

/// All blocks are of this size, so that any serves for any.
const BLOCK: Layout = Layout::new::<[MaybeUninit<u64>; 40]>();
/// A thread keeps so many, as many as cells of a class.
const KEPT_MAX: u32 = super::CACHE_MAX;

/// A block that is kept: it begins with the next one.
struct Kept {
    next: Option<NonNull<Kept>>,
}

/// The blocks that a thread keeps.
struct Stock {
    // Invariant: each block of the list is memory of the layout `BLOCK` that begins with a `Kept`, and belongs to this list.
    first: Cell<Option<NonNull<Kept>>>,
    len: Cell<u32>,
    /// None, unless the thread will call [`give_back`].
    max: Cell<u32>,
}

thread_local_const! {
    static STOCK: Stock = Stock { first: Cell::new(None), len: Cell::new(0), max: Cell::new(0) }
}

impl Stock {
    #[inline]
    fn pop(&self) -> Option<NonNull<u8>> {
        let block = self.first.get()?;
        // SAFETY: by the invariant at `first`.
        self.first.set(unsafe { block.as_ref() }.next);
        self.len.set(self.len.get() - 1);
        Some(block.cast())
    }

    /// Keeps a block; `false` if there are enough.
    ///
    /// # Safety
    ///
    /// The block is memory of the layout [`BLOCK`], and the list's if it is kept.
    #[inline]
    unsafe fn push(&self, block: NonNull<u8>) -> bool {
        if self.len.get() >= self.max.get() {
            return false;
        }
        let block: NonNull<Kept> = block.cast();
        let kept = Kept {
            next: self.first.get(),
        };
        // SAFETY: the block is large enough, and the caller's.
        unsafe { block.write(kept) };
        self.first.set(Some(block));
        self.len.set(self.len.get() + 1);
        true
    }
}

/// Lets this thread keep blocks, until it calls [`give_back`].
pub(super) fn keep() {
    STOCK.with(|stock| stock.max.set(KEPT_MAX));
}

/// Gives all blocks of this thread back to the allocator.
pub(super) fn give_back() {
    STOCK.with(|stock| {
        stock.max.set(0);
        while let Some(block) = stock.pop() {
            // SAFETY: by the invariant at `Stock::first`, and it is in no list now.
            unsafe { dealloc(block.as_ptr(), BLOCK) };
        }
    });
}

#[inline]
fn allocate() -> NonNull<u8> {
    STOCK.with(Stock::pop).unwrap_or_else(allocate_anew)
}

#[cold]
fn allocate_anew() -> NonNull<u8> {
    // SAFETY: the layout has a size.
    let block = unsafe { alloc(BLOCK) };
    NonNull::new(block).unwrap_or_else(|| handle_alloc_error(BLOCK))
}

/// # Safety
///
/// The block came from [`allocate`], and nobody uses it any more.
#[inline]
unsafe fn free(block: NonNull<u8>) {
    // SAFETY: the caller's promise.
    let is_kept = STOCK.with(|stock| unsafe { stock.push(block) });
    if !is_kept {
        // SAFETY: as above; it is in no list.
        unsafe { dealloc(block.as_ptr(), BLOCK) };
    }
}

/// Owns a value in a block of its own, as a box does.
#[derive(Debug)]
pub(crate) struct Block<T> {
    // Invariant: a block with a value in it, which this owns.
    value: NonNull<T>,
    owns: PhantomData<T>,
}

// SAFETY: owning a block is owning the value; the memory is no thread's while it is in use.
unsafe impl<T: Send> Send for Block<T> {}
// SAFETY: sharing a block is sharing the value.
unsafe impl<T: Sync> Sync for Block<T> {}

impl<T> Block<T> {
    const FITS: () = assert!(size_of::<T>() <= BLOCK.size() && align_of::<T>() <= BLOCK.align());

    /// Puts what `make` makes into a block: there, and not somewhere else first.
    #[inline(always)]
    pub(crate) fn new(make: impl FnOnce() -> T) -> Self {
        const { Self::FITS };
        let block = allocate().cast();
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
                unsafe { free(self.0) };
            }
        }
        let _free = Free(self.value.cast());
        // SAFETY: by the invariant at `value`; it is not used again.
        unsafe { self.value.drop_in_place() };
    }
}
