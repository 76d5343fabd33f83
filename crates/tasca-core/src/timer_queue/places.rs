//! Where each slot's entry is, and which slots are free.
//!
//! One number a slot, apart from the slots: moving an entry updates its place, and should not touch
//! memory that other threads read.

/// A place is a container in the upper bits and a position in the others.
const CONTAINER_SHIFT: u32 = 28;
const POSITION_MASK: u32 = (1 << CONTAINER_SHIFT) - 1;

/// The end of the free list.
const NONE: u32 = u32::MAX;

/// A place in the order of timers of equal deadline.
///
/// Whoever arms timers counts turns; one is taken when a timer is armed, or earlier, for one that is to fire as if it had been
/// armed then. Compared modulo 2^32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Turn(u32);

impl Turn {
    pub(crate) const FIRST: Self = Self(0);

    #[inline]
    pub(crate) fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }

    /// Before means: less than half the circle behind.
    #[inline]
    pub(crate) fn is_before(self, other: Self) -> bool {
        self.distance(other) >= 1 << 31
    }

    /// How far this one is after the other.
    #[inline]
    pub(super) fn distance(self, other: Self) -> u32 {
        self.0.wrapping_sub(other.0)
    }
}

/// What the queue orders. All of it takes part in comparisons but the slot.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) deadline_ns: u64,
    pub(super) turn: Turn,
    pub(super) slot: u32,
}

impl Entry {
    /// Whether this one fires before the other.
    #[inline]
    pub(super) fn is_before(&self, other: &Self) -> bool {
        // Without a branch, as deadlines in a heap are not to be predicted.
        (self.deadline_ns < other.deadline_ns)
            | ((self.deadline_ns == other.deadline_ns) & self.turn.is_before(other.turn))
    }
}

/// Where entries can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Container {
    Heap,
    Fresh,
    Uncounted,
    /// A level of the far timers.
    Far(usize),
}

impl Container {
    #[inline]
    fn bits(self) -> u32 {
        match self {
            Self::Heap => 0,
            Self::Fresh => 1,
            Self::Uncounted => 2,
            // There are a few levels.
            Self::Far(level) => 3 + level as u32,
        }
    }

    #[inline]
    fn from_bits(bits: u32) -> Self {
        match bits {
            0 => Self::Heap,
            1 => Self::Fresh,
            2 => Self::Uncounted,
            far => Self::Far(far as usize - 3),
        }
    }
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
    /// When there are 2^28 slots, which take 14 GB.
    #[cold]
    pub(super) fn take_new(&mut self) -> u32 {
        let slot = u32::try_from(self.places.len()).unwrap_or(NONE);
        assert!(slot < POSITION_MASK, "more than 2^28 timers on one worker");
        self.places.push(NONE);
        slot
    }

    /// Puts a slot on the free list.
    #[inline]
    pub(super) fn put_free(&mut self, slot: u32) {
        self.places[slot as usize] = self.free;
        self.free = slot;
    }

    /// Where the entry is of a slot that has one.
    #[inline]
    pub(super) fn get(&self, slot: u32) -> (Container, usize) {
        let place = self.places[slot as usize];
        let container = Container::from_bits(place >> CONTAINER_SHIFT);
        (container, (place & POSITION_MASK) as usize)
    }

    #[inline]
    pub(super) fn set(&mut self, slot: u32, container: Container, position: usize) {
        // No container has as many entries as there are slots, hence the cast.
        self.places[slot as usize] = container.bits() << CONTAINER_SHIFT | position as u32;
    }
}
