//! Where each slot's entry is, and which slots are free.
//!
//! One number a slot, apart from the slots: moving an entry updates its place, and should not touch
//! memory that other threads read.

/// An entry's position is one in the fresh array if this bit is set, otherwise one in the heap.
const FRESH: u32 = 1 << 31;

/// The end of the free list.
const NONE: u32 = u32::MAX;

/// What the queue orders. All of it takes part in comparisons but the slot.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) deadline_ns: u64,
    /// Counts armings, modulo 2^32.
    pub(super) arming: u32,
    pub(super) slot: u32,
}

impl Entry {
    /// Whether this one fires before the other. No two entries are equal.
    #[inline]
    pub(super) fn is_before(&self, other: &Self) -> bool {
        // Before means: less than half the circle behind. Without a branch, as deadlines in a heap
        // are not to be predicted.
        let is_armed_before = self.arming.wrapping_sub(other.arming) >= 1 << 31;
        (self.deadline_ns < other.deadline_ns)
            | ((self.deadline_ns == other.deadline_ns) & is_armed_before)
    }
}

/// A position in one of the two containers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Fresh(usize),
    Heap(usize),
}

/// The place of every slot in use, and the list of those that are not.
#[derive(Debug)]
pub(super) struct Places {
    // Invariant: at a slot with an entry, the entry's position; at a free slot, the next free slot
    // or `NONE`; at a slot that waits to be settled, nothing of meaning.
    places: Vec<u32>,
    /// The slot that was freed last: its memory is the likeliest to be in the cache.
    free: u32,
}

impl Places {
    pub(super) fn new() -> Self {
        Self {
            places: Vec::new(),
            free: NONE,
        }
    }

    /// Takes a slot off the free list.
    #[inline]
    pub(super) fn take_free(&mut self) -> Option<u32> {
        let slot = self.free;
        if slot == NONE {
            return None;
        }
        self.free = self.places[slot as usize];
        Some(slot)
    }

    /// Takes a slot that has never been used.
    ///
    /// # Panics
    ///
    /// When there are 2^31 slots, which no memory holds.
    #[cold]
    pub(super) fn take_new(&mut self) -> u32 {
        let slot = u32::try_from(self.places.len()).unwrap_or(NONE);
        assert!(slot < FRESH, "more than 2^31 timers on one worker");
        self.places.push(NONE);
        slot
    }

    /// Puts a slot on the free list.
    #[inline]
    pub(super) fn put_free(&mut self, slot: u32) {
        self.places[slot as usize] = self.free;
        self.free = slot;
    }

    /// The position of the entry of a slot that has one.
    #[inline]
    pub(super) fn get(&self, slot: u32) -> Place {
        let place = self.places[slot as usize];
        if place & FRESH == 0 {
            Place::Heap(place as usize)
        } else {
            Place::Fresh((place ^ FRESH) as usize)
        }
    }

    // Neither container has as many entries as there are slots, hence the casts.

    #[inline]
    pub(super) fn set_heap(&mut self, slot: u32, position: usize) {
        self.places[slot as usize] = position as u32;
    }

    #[inline]
    pub(super) fn set_fresh(&mut self, slot: u32, position: usize) {
        self.places[slot as usize] = position as u32 | FRESH;
    }
}
