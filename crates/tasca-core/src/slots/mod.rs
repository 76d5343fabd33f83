//! Storage whose elements never move: what is found at an index once is there for good.
//!
//! Timers and I/O registrations are named by small numbers that travel between threads. Whoever
//! holds such a number must be able to look at the element without a lock, also long after the
//! element has been given to another use; so memory is never freed or moved before the whole
//! [`Slots`] goes. Telling an old use from a new one is left to the elements (they carry a
//! generation).
//!
//! Memory comes in chunks, four of each size, so that at most a fifth of it is not used yet (a million timers take tens of
//! megabytes):
//!
//! ```text
//! chunk     0        1         2         3         4         5          ...  7           8
//! indices   0..16    16..32    32..48    48..64    64..96    96..128    ...  160..192    192..256    ...
//! ```
//!
//! What chunk an index lies in is said by the highest bit of `index + 64` and the two below it; the other bits are the
//! offset. A look-up is a count of zeros and two loads.
//!
//! Rejected: a vector behind a lock (every look-up would pay for it, and growing moves elements);
//! chunks of one size (their table has to grow, and then the table moves); freeing chunks that have
//! become empty (every reader would have to announce itself).

use std::marker::PhantomData;
use std::ptr;

use crate::primitive::{AtomicPtr, Ordering};

/// The first chunks of one size have two to this power of elements together.
const FIRST_BITS: u32 = 6;

/// Two to this power of chunks have the same size.
const PART_BITS: u32 = 2;

/// Enough for every index: `u32::MAX + 64` has its highest bit at 32, with zeros behind it.
const N_CHUNKS: usize = ((32 - FIRST_BITS) << PART_BITS) as usize + 1;

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
    let len_bits = highest - PART_BITS;
    let part = (shifted >> len_bits) as usize & ((1 << PART_BITS) - 1);
    let chunk = ((highest - FIRST_BITS) as usize) << PART_BITS | part;
    let offset = shifted & ((1 << len_bits) - 1);
    (chunk, offset as usize)
}

/// How many elements a chunk has.
fn chunk_len(chunk: usize) -> usize {
    1 << ((FIRST_BITS - PART_BITS) as usize + (chunk >> PART_BITS))
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
