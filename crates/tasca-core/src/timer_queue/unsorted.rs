//! Timers in no order, with a time before which none is due.

use super::places::{Container, Entry, Places};

/// An unsorted array.
#[derive(Debug)]
pub(super) struct Unsorted {
    entries: Vec<Entry>,
    /// Which container this is.
    container: Container,
    // Invariant: not above any entry's deadline; equal to the least of them unless
    // `is_bound_loose`; `u64::MAX` when there is no entry.
    bound_ns: u64,
    /// Whether the entry that made the bound has been removed.
    is_bound_loose: bool,
}

impl Unsorted {
    pub(super) fn new(container: Container) -> Self {
        Self {
            entries: Vec::new(),
            container,
            bound_ns: u64::MAX,
            is_bound_loose: false,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// A time before which nothing in here is due. Costs nothing.
    #[inline]
    pub(super) fn bound_ns(&self) -> u64 {
        self.bound_ns
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The entry at a position.
    pub(super) fn get(&self, position: usize) -> Option<&Entry> {
        self.entries.get(position)
    }

    pub(super) fn is_bound_loose(&self) -> bool {
        self.is_bound_loose
    }

    /// Makes the bound the least deadline. Looks at every entry, if that is not what the bound is.
    pub(super) fn tighten(&mut self) {
        if self.is_bound_loose {
            let deadlines = self.entries.iter().map(|entry| entry.deadline_ns);
            self.bound_ns = deadlines.min().unwrap_or(u64::MAX);
            self.is_bound_loose = false;
        }
    }

    /// Adds an entry.
    #[inline]
    pub(super) fn push(&mut self, entry: Entry, places: &mut Places) {
        if entry.deadline_ns <= self.bound_ns {
            self.bound_ns = entry.deadline_ns;
            self.is_bound_loose = false;
        }
        places.set(entry.slot, self.container, self.entries.len());
        self.entries.push(entry);
    }

    /// Removes the entry at a position.
    #[inline]
    pub(super) fn remove(&mut self, position: usize, places: &mut Places) {
        let removed = self.entries.swap_remove(position);
        if let Some(moved) = self.entries.get(position) {
            places.set(moved.slot, self.container, position);
        }
        if self.entries.is_empty() {
            self.bound_ns = u64::MAX;
            self.is_bound_loose = false;
        } else if removed.deadline_ns == self.bound_ns {
            self.is_bound_loose = true;
        }
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
                    places.set(moved.slot, self.container, position);
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
