//! A heap with four children a node that knows where its entries are.

use super::places::{Container, Entry, Places};

const N_CHILDREN: usize = 4;

/// The root, its children and theirs.
const FRONT_MAX: usize = 1 + N_CHILDREN + N_CHILDREN * N_CHILDREN;

/// The entries that are old enough, or due soon enough, to be worth ordering.
#[derive(Debug)]
pub(super) struct Heap {
    // Invariant: no entry is before its parent, except for one that is being sifted; every entry's
    // place is its position here.
    entries: Vec<Entry>,
}

impl Heap {
    pub(super) fn new() -> Self {
        Self {
            entries: Vec::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The entry that fires first.
    #[inline]
    pub(super) fn first(&self) -> Option<&Entry> {
        self.entries.first()
    }

    /// Some entries of those that fire first, that one among them.
    pub(super) fn front(&self) -> &[Entry] {
        &self.entries[..self.entries.len().min(FRONT_MAX)]
    }

    /// The entry at a position.
    pub(super) fn get(&self, position: usize) -> Option<&Entry> {
        self.entries.get(position)
    }

    pub(super) fn push(&mut self, entry: Entry, places: &mut Places) {
        let position = self.entries.len();
        self.entries.push(entry);
        self.sift_up(position, entry, places);
    }

    /// Removes the entry at a position.
    pub(super) fn remove(&mut self, position: usize, places: &mut Places) -> Entry {
        let removed = self.entries.swap_remove(position);
        if let Some(&moved) = self.entries.get(position) {
            // The entry comes from the end of another branch: it may belong above this place.
            if position > 0 && moved.is_before(&self.entries[(position - 1) / N_CHILDREN]) {
                self.sift_up(position, moved, places);
            } else {
                self.sift_down(position, moved, places);
            }
        }
        removed
    }

    /// Keeps the entries that `keep` says yes to; `keep` is asked once about each.
    pub(super) fn retain(
        &mut self,
        places: &mut Places,
        mut keep: impl FnMut(Entry, &mut Places) -> bool,
    ) {
        self.entries.retain(|&entry| keep(entry, places));
        for (position, entry) in self.entries.iter().enumerate() {
            places.set(entry.slot, Container::Heap, position);
        }
        let Some(last) = self.entries.len().checked_sub(1) else {
            return;
        };
        if last > 0 {
            for position in (0..=(last - 1) / N_CHILDREN).rev() {
                self.sift_down(position, self.entries[position], places);
            }
        }
    }

    /// Puts `entry`, for which `position` is kept open, there or nearer to the root.
    fn sift_up(&mut self, mut position: usize, entry: Entry, places: &mut Places) {
        while position > 0 {
            let parent_position = (position - 1) / N_CHILDREN;
            let parent = self.entries[parent_position];
            if !entry.is_before(&parent) {
                break;
            }
            self.entries[position] = parent;
            places.set(parent.slot, Container::Heap, position);
            position = parent_position;
        }
        self.entries[position] = entry;
        places.set(entry.slot, Container::Heap, position);
    }

    /// Puts `entry`, for which `position` is kept open, there or further from the root.
    fn sift_down(&mut self, mut position: usize, entry: Entry, places: &mut Places) {
        loop {
            let first_child = position * N_CHILDREN + 1;
            let past_children = (first_child + N_CHILDREN).min(self.entries.len());
            let Some(children) = self.entries.get(first_child..past_children) else {
                break;
            };
            let mut least = match children.first() {
                Some(&child) => (first_child, child),
                None => break,
            };
            for (i, &child) in children.iter().enumerate().skip(1) {
                if child.is_before(&least.1) {
                    least = (first_child + i, child);
                }
            }
            let (child_position, child) = least;
            if !child.is_before(&entry) {
                break;
            }
            self.entries[position] = child;
            places.set(child.slot, Container::Heap, position);
            position = child_position;
        }
        self.entries[position] = entry;
        places.set(entry.slot, Container::Heap, position);
    }
}
