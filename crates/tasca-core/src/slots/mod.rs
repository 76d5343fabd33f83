//! Storage whose elements never move: what is found at an index once is there for good.
//!
//! Timers and I/O registrations are named by small numbers that travel between threads. Whoever
//! holds such a number must be able to look at the element without a lock, also long after the
//! element has been given to another use; so memory is never freed or moved before the whole
//! [`Slots`] goes. Telling an old use from a new one is left to the elements (they carry a
//! generation).
//!
//! Memory comes in chunks, each as large as everything before it and a first chunk more. Chunk `k`
//! holds `64 << k` elements and begins at index `64 * (2^k - 1)`:
//!
//! ```text
//! chunk     0        1          2             3
//! indices   0..64    64..192    192..448      448..960    ...
//! ```
//!
//! so that `index + 64` has its highest bit at `k + 6`, and the bits below it are the offset. A
//! look-up is a count of zeros and two loads.
//!
//! Rejected: a vector behind a lock (every look-up would pay for it, and growing moves elements);
//! chunks of one size (their table has to grow, and then the table moves); freeing chunks that have
//! become empty (every reader would have to announce itself).

use std::marker::PhantomData;
use std::ptr;

use crate::primitive::{AtomicPtr, Ordering};

/// The first chunk's length is two to this power.
const FIRST_BITS: u32 = 6;

/// Enough for every index: `u32::MAX + 64` has its highest bit at 32.
const N_CHUNKS: usize = 27;

/// A growing array with elements that stay where they are until the array is dropped.
#[derive(Debug)]
pub(crate) struct Slots<T> {
    // Invariant: each pointer is null or, from the exchange in `grow` on and until `drop`, a boxed
    // slice of `chunk_len(its position)` initialised elements that this value owns. It changes
    // once.
    chunks: [AtomicPtr<T>; N_CHUNKS],
    /// An `AtomicPtr<T>` is `Send` and `Sync` whatever `T` is; this takes both away again.
    _owned: PhantomData<*mut T>,
}

// SAFETY: sharing a `Slots` shares its elements, hence `T: Sync`; a shared one also makes elements
// on one thread that another drops, hence `T: Send`.
unsafe impl<T: Send + Sync> Sync for Slots<T> {}
// SAFETY: owning a `Slots` is owning its elements.
unsafe impl<T: Send> Send for Slots<T> {}

/// The chunk an index lies in, and where in it.
#[inline]
fn locate(index: u32) -> (usize, usize) {
    let shifted = u64::from(index) + (1 << FIRST_BITS);
    let highest = shifted.ilog2();
    let offset = shifted ^ (1 << highest);
    ((highest - FIRST_BITS) as usize, offset as usize)
}

/// How many elements a chunk has. More than fit into memory is an ordinary failure to allocate.
fn chunk_len(chunk: usize) -> usize {
    usize::try_from(1_u64 << (FIRST_BITS as usize + chunk)).unwrap_or(usize::MAX)
}

impl<T> Slots<T> {
    /// Allocates nothing yet.
    pub(crate) fn new() -> Self {
        Self {
            chunks: std::array::from_fn(|_| AtomicPtr::new(ptr::null_mut())),
            _owned: PhantomData,
        }
    }

    /// The element at an index, if its chunk exists.
    #[inline]
    pub(crate) fn get(&self, index: u32) -> Option<&T> {
        let (chunk, offset) = locate(index);
        // Ordering: Acquire pairs with the Release exchange in `grow`; the elements are seen
        // initialised.
        let first = self.chunks[chunk].load(Ordering::Acquire);
        if first.is_null() {
            return None;
        }
        // SAFETY: by the invariant at `chunks` the allocation has `chunk_len(chunk)` elements;
        // `locate` returns an offset below that.
        let element = unsafe { first.add(offset) };
        // SAFETY: the element is initialised, and stays until `self` is dropped, which the borrow
        // of `self` excludes; nobody makes a `&mut` to it before.
        Some(unsafe { &*element })
    }
}

impl<T: Default> Slots<T> {
    /// The element at an index; makes its chunk, full of default values, if there is none yet.
    ///
    /// Chunks are made singly: asking for a high index first leaves the lower chunks out.
    #[inline]
    pub(crate) fn get_or_grow(&self, index: u32) -> &T {
        match self.get(index) {
            Some(element) => element,
            None => self.grow(index),
        }
    }

    #[cold]
    fn grow(&self, index: u32) -> &T {
        let (chunk, _) = locate(index);
        let len = chunk_len(chunk);
        let elements: Box<[T]> = (0..len).map(|_| T::default()).collect();
        let first = Box::into_raw(elements).cast::<T>();
        // Ordering: Release pairs with the Acquire load in `get`. The loser publishes nothing and
        // reads the winner's chunk through `get`, so failure needs no ordering.
        let published = self.chunks[chunk].compare_exchange(
            ptr::null_mut(),
            first,
            Ordering::Release,
            Ordering::Relaxed,
        );
        if published.is_err() {
            // SAFETY: (1) `first` and `len` are those of the box above. (2) The exchange failed, so
            // nobody else has seen the pointer.
            drop(unsafe { take_chunk(first, len) });
        }
        // The chunk exists now, whoever made it: the exchange has either stored a pointer or found
        // one, and by coherence the load cannot read the null from before it.
        self.get(index).expect("a chunk was just published")
    }
}

impl<T> Drop for Slots<T> {
    fn drop(&mut self) {
        for (chunk, first) in self.chunks.iter().enumerate() {
            // Ordering: Relaxed; whoever drops has been handed the value with synchronisation.
            let first = first.load(Ordering::Relaxed);
            if !first.is_null() {
                // SAFETY: (1) by the invariant at `chunks`. (2) `&mut self`: no reference to an
                // element is left, and the pointers are not read again.
                drop(unsafe { take_chunk(first, chunk_len(chunk)) });
            }
        }
    }
}

/// Makes a chunk a box again.
///
/// # Safety
///
/// 1. `first` came from `Box::into_raw` of a slice of `len` elements.
/// 2. The caller owns it: nobody uses the pointer, or a reference made from it, any more.
unsafe fn take_chunk<T>(first: *mut T, len: usize) -> Box<[T]> {
    let elements = ptr::slice_from_raw_parts_mut(first, len);
    // SAFETY: the caller's duties are those of `from_raw`.
    unsafe { Box::from_raw(elements) }
}
