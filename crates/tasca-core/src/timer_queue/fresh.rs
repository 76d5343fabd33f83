//! New timers, in no order, with the earliest deadline known.

use super::places::{Entry, Places};

/// How many timers wait unsorted. A scan is some ten nanoseconds; so many timeouts that overlap
/// (tasks with a timeout that run at once) never cost any ordering.
const CAPACITY: usize = 32;

/// A small unsorted array.
#[derive(Debug)]
pub(super) struct Fresh {
    entries: Vec<Entry>,
    // Invariant: not above any entry's deadline; equal to the least of them unless
    // `is_bound_loose`; `u64::MAX` when there is no entry.
    bound_ns: u64,
    /// Whether the entry that made the bound has been removed.
    is_bound_loose: bool,
}

impl Fresh {
    pub(super) fn new() -> Self {
        Self {
            entries: Vec::with_capacity(CAPACITY),
            bound_ns: u64::MAX,
            is_bound_loose: false,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.entries.len() >= CAPACITY
    }

    /// A time before which nothing in here is due. Costs nothing.
    #[inline]
    pub(super) fn bound_ns(&self) -> u64 {
        self.bound_ns
    }

    /// The least deadline.
    pub(super) fn next_deadline(&self) -> Option<u64> {
        if self.is_bound_loose {
            self.entries.iter().map(|entry| entry.deadline_ns).min()
        } else {
            (!self.entries.is_empty()).then_some(self.bound_ns)
        }
    }

    /// Adds an entry. There must be room.
    #[inline]
    pub(super) fn push(&mut self, entry: Entry, places: &mut Places) {
        debug_assert!(!self.is_full(), "no room for a fresh timer");
        if entry.deadline_ns <= self.bound_ns {
            self.bound_ns = entry.deadline_ns;
            self.is_bound_loose = false;
        }
        places.set_fresh(entry.slot, self.entries.len());
        self.entries.push(entry);
    }

    /// Removes the entry at a position.
    #[inline]
    pub(super) fn remove(&mut self, position: usize, places: &mut Places) -> Entry {
        let removed = self.entries.swap_remove(position);
        if let Some(moved) = self.entries.get(position) {
            places.set_fresh(moved.slot, position);
        }
        if self.entries.is_empty() {
            self.bound_ns = u64::MAX;
            self.is_bound_loose = false;
        } else if removed.deadline_ns == self.bound_ns {
            self.is_bound_loose = true;
        }
        removed
    }

    /// Removes everything, in arming order as far as nothing has been removed before.
    pub(super) fn take_all(&mut self) -> impl Iterator<Item = Entry> {
        self.bound_ns = u64::MAX;
        self.is_bound_loose = false;
        self.entries.drain(..)
    }

    /// Removes the entries that `take` says yes to and hands them to it; sets the bound anew.
    /// `take` is asked once about each.
    pub(super) fn take_if(
        &mut self,
        places: &mut Places,
        mut take: impl FnMut(Entry, &mut Places) -> bool,
    ) {
        let mut bound_ns = u64::MAX;
        let mut position = 0;
        while let Some(&entry) = self.entries.get(position) {
            if take(entry, places) {
                self.entries.swap_remove(position);
                if let Some(moved) = self.entries.get(position) {
                    places.set_fresh(moved.slot, position);
                }
            } else {
                bound_ns = bound_ns.min(entry.deadline_ns);
                position += 1;
            }
        }
        self.bound_ns = bound_ns;
        self.is_bound_loose = false;
    }
}
