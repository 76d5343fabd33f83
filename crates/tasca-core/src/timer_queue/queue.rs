//! The half of a timer queue that belongs to its owner.

use std::cmp::Reverse;
use std::task::Waker;

use crate::primitive::Arc;

use super::fresh::Fresh;
use super::heap::Heap;
use super::places::{Entry, Place, Places};
use super::shard::TimerShard;
use super::slot::{Claim, TimerKey};

/// The order of one worker's timers.
///
/// Its owner is whoever has the `&mut`: the worker, or somebody who was let in to fire its timers.
#[derive(Debug)]
pub(crate) struct TimerQueue {
    // Invariant: this queue is the only one of the shard (both are made by `new`), so that the
    // owner of the one is the owner of the other.
    shard: Arc<TimerShard>,
    // Invariant: a slot is on the free list of `places` (and `FREE`), or has one entry, in `fresh`
    // or `heap` (and is not `FREE`), or is in `unsettled` (and is `TAKING` or `CANCELLED`).
    places: Places,
    fresh: Fresh,
    heap: Heap,
    // Invariant: empty between calls. Its entries' places mean nothing.
    due: Vec<Entry>,
    /// Slots without an entry whose waker was still being taken out when they were looked at.
    unsettled: Vec<u32>,
    /// Counts armings, modulo 2^32.
    next_arming: u32,
    /// How many remotely cancelled timers have been cleared away, modulo 2^32.
    n_cleared: u32,
}

impl TimerQueue {
    /// An empty queue with its shard.
    pub(crate) fn new() -> Self {
        Self {
            shard: Arc::new(TimerShard::new()),
            places: Places::new(),
            fresh: Fresh::new(),
            heap: Heap::new(),
            due: Vec::new(),
            unsettled: Vec::new(),
            next_arming: 0,
            n_cleared: 0,
        }
    }

    /// The part that other threads use; to be cloned where they find it.
    pub(crate) fn shard(&self) -> &Arc<TimerShard> {
        &self.shard
    }

    /// How many timers wait. Includes those that other threads have cancelled and that have not
    /// been cleared away yet.
    pub(crate) fn len(&self) -> usize {
        self.fresh.len() + self.heap.len()
    }

    /// A time at which [`pop_expired`](Self::pop_expired) should be called; `None` without timers.
    ///
    /// Never later than the earliest deadline; earlier only if other threads have cancelled timers.
    #[inline]
    pub(crate) fn next_deadline(&self) -> Option<u64> {
        let fresh = self.fresh.next_deadline();
        let heap = self.heap.first().map(|entry| entry.deadline_ns);
        match (fresh, heap) {
            (Some(fresh), Some(heap)) => Some(fresh.min(heap)),
            (one, other) => one.or(other),
        }
    }

    /// Arms a timer.
    #[inline]
    pub(crate) fn insert(&mut self, deadline_ns: u64, waker: Waker) -> TimerKey {
        if self.fresh.is_full() {
            self.age();
        }
        let slot = match self.places.take_free() {
            Some(slot) => slot,
            None => self.find_slot(),
        };
        // SAFETY: (1) `&mut self`, and the invariant at `shard`. (2) The slot comes off the free
        // list, or is new.
        let generation = unsafe { self.shard.slots.get_or_grow(slot).arm(waker) };
        let arming = self.next_arming;
        self.next_arming = arming.wrapping_add(1);
        let entry = Entry {
            deadline_ns,
            arming,
            slot,
        };
        self.fresh.push(entry, &mut self.places);
        TimerKey { slot, generation }
    }

    /// Cancels a timer at once and returns its waker; nothing if it has fired or been cancelled.
    #[inline]
    pub(crate) fn cancel(&mut self, key: TimerKey) -> Option<Waker> {
        let slot = self.shard.slots.get(key.slot)?;
        // SAFETY: `&mut self`, and the invariant at `shard`.
        let waker = unsafe { slot.claim(key) }?;
        match self.places.get(key.slot) {
            Place::Fresh(position) => self.fresh.remove(position, &mut self.places),
            Place::Heap(position) => self.heap.remove(position, &mut self.places),
        };
        self.places.put_free(key.slot);
        Some(waker)
    }

    /// Whether the timer is armed and would wake what this waker wakes.
    #[inline]
    pub(crate) fn holds_waker(&self, key: TimerKey, waker: &Waker) -> bool {
        self.shard.slots.get(key.slot).is_some_and(|slot| {
            // SAFETY: by the invariant at `shard` and the borrow of `self`, no owner writes.
            unsafe { slot.holds(key, waker) }
        })
    }

    /// Replaces the waker of a timer and returns the old one; the key stays good.
    ///
    /// To be asked by the holder of the key: in between, the timer seems not to be armed.
    ///
    /// # Errors
    ///
    /// Gives the new waker back if the timer has fired or been cancelled.
    pub(crate) fn replace_waker(&mut self, key: TimerKey, waker: Waker) -> Result<Waker, Waker> {
        match self.shard.slots.get(key.slot) {
            // SAFETY: `&mut self`, and the invariant at `shard`.
            Some(slot) => unsafe { slot.swap(key, waker) },
            None => Err(waker),
        }
    }

    /// Fires what is due at `now_ns`, in order: appends the wakers, at most `max`, to `out`.
    ///
    /// Returns whether something that is due has been left for another call.
    pub(crate) fn pop_expired(&mut self, now_ns: u64, out: &mut Vec<Waker>, max: usize) -> bool {
        self.sweep_if_due();
        if self.fresh.bound_ns() <= now_ns {
            self.sort_due(now_ns);
        }
        let mut n_left = max;
        while n_left > 0 {
            let Some(entry) = self.take_due(now_ns) else {
                return false;
            };
            if let Some(waker) = self.release(entry.slot) {
                out.push(waker);
                n_left -= 1;
            }
        }
        while let Some(entry) = self.due.pop() {
            self.heap.push(entry, &mut self.places);
        }
        self.heap
            .first()
            .is_some_and(|entry| entry.deadline_ns <= now_ns)
    }

    /// Ends every timer, for shutdown: appends the wakers to `out`, in no order.
    ///
    /// None of the keys is armed afterwards. The queue stays usable.
    pub(crate) fn drain_all(&mut self, out: &mut Vec<Waker>) {
        self.age();
        while let Some(last) = self.heap.len().checked_sub(1) {
            // The last entry of a heap leaves without any sifting.
            let entry = self.heap.remove(last, &mut self.places);
            out.extend(self.release(entry.slot));
        }
    }

    /// Frees the slot of an entry that has been removed, and returns the waker if the timer was
    /// armed.
    fn release(&mut self, slot: u32) -> Option<Waker> {
        let state = self.shard.slots.get_or_grow(slot);
        // SAFETY: (1) `&mut self`, and the invariant at `shard`. (2) The slot had an entry.
        let claim = unsafe { state.claim_any(slot) };
        match claim {
            Claim::Waker(waker) => {
                self.places.put_free(slot);
                return Some(waker);
            }
            Claim::Cancelled => self.places.put_free(slot),
            Claim::Taking => self.unsettled.push(slot),
        }
        self.n_cleared = self.n_cleared.wrapping_add(1);
        None
    }

    /// A slot for a new timer when the free list is empty.
    #[cold]
    fn find_slot(&mut self) -> u32 {
        self.settle();
        match self.places.take_free() {
            Some(slot) => slot,
            None => self.places.take_new(),
        }
    }

    /// Frees the slots whose waker has been taken out by now.
    fn settle(&mut self) {
        let Self {
            shard,
            places,
            unsettled,
            ..
        } = self;
        unsettled.retain(|&slot| {
            // SAFETY: (1) `&mut self`, and the invariant at `shard`. (2) The invariant at `places`.
            let is_free = unsafe { shard.slots.get_or_grow(slot).settle() };
            if is_free {
                places.put_free(slot);
            }
            !is_free
        });
    }

    /// Moves the whole fresh array to the heap.
    #[cold]
    fn age(&mut self) {
        self.sweep_if_due();
        for entry in self.fresh.take_all() {
            self.heap.push(entry, &mut self.places);
        }
    }

    /// Moves what is due from the fresh array to `due`, in reverse order.
    fn sort_due(&mut self, now_ns: u64) {
        let next_arming = self.next_arming;
        let Self {
            places, fresh, due, ..
        } = self;
        fresh.take_if(places, |entry, _| {
            let is_due = entry.deadline_ns <= now_ns;
            if is_due {
                due.push(entry);
            }
            is_due
        });
        // The same order as `Entry::is_before`, in a form that is total whatever the numbers are.
        due.sort_unstable_by_key(|entry| {
            Reverse((entry.deadline_ns, entry.arming.wrapping_sub(next_arming)))
        });
    }

    /// Takes the first entry that is due, from `due` or the heap.
    #[inline]
    fn take_due(&mut self, now_ns: u64) -> Option<Entry> {
        let sorted = self.due.last();
        match self.heap.first() {
            Some(first)
                if first.deadline_ns <= now_ns
                    && sorted.is_none_or(|sorted| first.is_before(sorted)) =>
            {
                Some(self.heap.remove(0, &mut self.places))
            }
            _ => self.due.pop(),
        }
    }

    /// Clears away what other threads have cancelled, if that is more than a quarter of everything.
    #[inline]
    fn sweep_if_due(&mut self) {
        // A timer can be cleared away before it is counted; the difference is below zero then.
        let n_marked = self.shard.cancelled_remotely().wrapping_sub(self.n_cleared) as i32;
        if n_marked > 0 && n_marked as usize > self.len() / 4 {
            self.sweep();
        }
    }

    #[cold]
    fn sweep(&mut self) {
        self.settle();
        let Self {
            shard,
            places,
            fresh,
            heap,
            unsettled,
            n_cleared,
            ..
        } = self;
        let mut is_cleared = |entry: Entry, places: &mut Places| {
            let slot = shard.slots.get_or_grow(entry.slot);
            if !slot.is_marked() {
                return false;
            }
            // SAFETY: (1) `&mut self`, and the invariant at `shard`. (2) The slot has an entry,
            // which is removed, and it is marked: it is `TAKING` or `CANCELLED`.
            if unsafe { slot.settle() } {
                places.put_free(entry.slot);
            } else {
                unsettled.push(entry.slot);
            }
            *n_cleared = n_cleared.wrapping_add(1);
            true
        };
        fresh.take_if(places, &mut is_cleared);
        heap.retain(places, |entry, places| !is_cleared(entry, places));
    }
}
