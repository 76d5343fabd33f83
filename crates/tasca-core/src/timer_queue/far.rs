//! Timers that are not due soon, sorted no more than coarsely.

use super::heap::Heap;
use super::places::{Container, Entry, Places};
use super::unsorted::Unsorted;

/// What is due within this is not far: longer than a timer is likely to wait among the fresh ones.
pub(super) const NEAR_NS: u64 = 100_000_000;

/// Each level reaches eight times as far as the one before.
const LEVEL_BITS: u32 = 3;

/// The last one has no end; the others reach some 58 hours.
const N_LEVELS: usize = 8;

/// Arrays by distance. A level is looked through when the first of it comes near, and what is no longer so far goes to the levels
/// below or to the heap: so each timer is looked at some eight times for each level that it passes, if it is not cancelled
/// before, and adding and removing one costs the same however many there are.
#[derive(Debug)]
pub(super) struct Far {
    levels: [Unsorted; N_LEVELS],
    // Invariant: not above the bound of any level.
    bound_ns: u64,
}

/// The level of a deadline; `None` if it is near.
#[inline]
fn level_of(deadline_ns: u64, now_ns: u64) -> Option<usize> {
    let n_near = deadline_ns.saturating_sub(now_ns) / NEAR_NS;
    let level = (n_near.checked_ilog2()? / LEVEL_BITS) as usize;
    Some(level.min(N_LEVELS - 1))
}

impl Far {
    pub(super) fn new() -> Self {
        Self {
            levels: std::array::from_fn(|level| Unsorted::new(Container::Far(level))),
            bound_ns: u64::MAX,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.levels.iter().map(Unsorted::len).sum()
    }

    /// A time before which nothing in here is due. Costs nothing.
    #[inline]
    pub(super) fn bound_ns(&self) -> u64 {
        self.bound_ns
    }

    /// Makes the bound the least deadline. Looks through the levels in which it may be.
    #[cold]
    pub(super) fn tighten(&mut self) {
        loop {
            let first = self.levels.iter_mut().min_by_key(|level| level.bound_ns());
            let Some(first) = first.filter(|first| first.is_bound_loose()) else {
                break;
            };
            first.tighten();
        }
        self.renew_bound();
    }

    fn renew_bound(&mut self) {
        let bounds = self.levels.iter().map(Unsorted::bound_ns);
        self.bound_ns = bounds.min().unwrap_or(u64::MAX);
    }

    /// Adds an entry, unless it is near.
    #[inline]
    pub(super) fn push(&mut self, entry: Entry, now_ns: u64, places: &mut Places) -> bool {
        let Some(level) = level_of(entry.deadline_ns, now_ns) else {
            return false;
        };
        self.bound_ns = self.bound_ns.min(entry.deadline_ns);
        self.levels[level].push(entry, places);
        true
    }

    /// The entry at a position of a level.
    pub(super) fn get(&self, level: usize, position: usize) -> Option<&Entry> {
        self.levels[level].get(position)
    }

    /// Removes the entry at a position of a level.
    #[inline]
    pub(super) fn remove(&mut self, level: usize, position: usize, places: &mut Places) {
        self.levels[level].remove(position, places);
    }

    /// Moves everything to the heap that may be due by `now_ns`, and some more.
    #[inline]
    pub(super) fn bring_near(&mut self, now_ns: u64, heap: &mut Heap, places: &mut Places) {
        if self.bound_ns <= now_ns {
            self.look_through(now_ns, heap, places);
        }
    }

    #[cold]
    fn look_through(&mut self, now_ns: u64, heap: &mut Heap, places: &mut Places) {
        for index in 0..N_LEVELS {
            let (below, rest) = self.levels.split_at_mut(index);
            let level = &mut rest[0];
            if level.bound_ns() > now_ns {
                continue;
            }
            level.take_if(places, |entry, places| {
                match level_of(entry.deadline_ns, now_ns) {
                    None => heap.push(entry, places),
                    Some(nearer) if nearer < index => below[nearer].push(entry, places),
                    Some(_) => return false,
                }
                true
            });
        }
        self.renew_bound();
    }

    /// As [`Unsorted::take_if`], of all levels.
    pub(super) fn take_if(
        &mut self,
        places: &mut Places,
        mut take: impl FnMut(Entry, &mut Places) -> bool,
    ) {
        for level in &mut self.levels {
            level.take_if(places, &mut take);
        }
        self.renew_bound();
    }
}
