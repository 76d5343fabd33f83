//! The half of a timer queue that belongs to its owner.

use std::cmp::Reverse;
use std::marker::PhantomData;
use std::ops::Deref;

use super::far::Far;
use super::heap::Heap;
use super::places::{Container, Entry, Places, Turn};
use super::shard::TimerShard;
use super::slot::{Claim, TimerKey};
use super::unsorted::Unsorted;

/// How many timers wait unsorted although they are due soon. A scan is some ten nanoseconds.
const FRESH_MAX: usize = 32;

/// So many timers are a crowd.
const CROWD_MIN: usize = 4;

/// The order of one worker's timers.
///
/// Its owner is whoever has the `&mut`: the worker, or somebody who was let in to fire its timers.
#[derive(Debug)]
pub(crate) struct TimerQueue<T, S> {
    // Invariant: this queue is the only one of the shard, so that the owner of the one is the owner
    // of the other.
    shard: S,
    payload: PhantomData<T>,
    // Invariant: a slot is on the free list of `places` (and `FREE`), or has one entry, in `fresh`,
    // `far`, `uncounted` or `heap` (and is not `FREE`), or is in `unsettled` (and is `TAKING` or `CANCELLED`).
    places: Places,
    fresh: Unsorted,
    /// What counts from a reading of the clock that has not been made. The entries have their delay where others have their deadline.
    uncounted: Unsorted,
    far: Far,
    heap: Heap,
    /// When something was last fired, or might have been.
    now_ns: u64,
    // Invariant: empty between calls. Its entries' places mean nothing.
    due: Vec<Entry>,
    /// Slots without an entry whose payload was still being taken out when they were looked at.
    unsettled: Vec<u32>,
    /// The latest turn that a timer was armed in.
    newest_turn: Turn,
    /// How many remotely cancelled timers have been cleared away, modulo 2^32.
    n_cleared: u32,
}

impl<T, S: Deref<Target = TimerShard<T>>> TimerQueue<T, S> {
    /// An empty queue on a shard: a new one, or one that another queue had before.
    ///
    /// # Safety
    ///
    /// 1. No other queue has the shard as long as this one exists.
    /// 2. No timer of it is armed, and no waker is being taken out: it is new, or the queue that had it before
    ///    [has been emptied](Self::try_empty).
    /// 3. `shard` always refers to the same one.
    pub(crate) unsafe fn with_shard(shard: S) -> Self {
        // The queue that had the shard before has left nothing to be cleared away.
        let n_cleared = shard.cancelled_remotely();
        Self {
            shard,
            payload: PhantomData,
            places: Places::new(),
            fresh: Unsorted::new(Container::Fresh),
            uncounted: Unsorted::new(Container::Uncounted),
            far: Far::new(),
            heap: Heap::new(),
            now_ns: 0,
            due: Vec::new(),
            unsettled: Vec::new(),
            newest_turn: Turn::FIRST,
            n_cleared,
        }
    }

    /// The part that other threads use; to be cloned where they find it.
    pub(crate) fn shard(&self) -> &S {
        &self.shard
    }

    /// How many timers wait. Includes those that other threads have cancelled and that have not
    /// been cleared away yet.
    pub(crate) fn len(&self) -> usize {
        self.fresh.len() + self.uncounted.len() + self.far.len() + self.heap.len()
    }

    /// A time at which [`pop_expired`](Self::pop_expired) should be called; `None` without timers.
    ///
    /// At once, if timers wait for a reading of the clock: they have no deadline before. Else never later than the earliest
    /// deadline, and earlier only if timers have been cancelled.
    #[inline]
    pub(crate) fn next_look(&mut self) -> Option<u64> {
        if self.uncounted.len() > 0 {
            return Some(self.now_ns);
        }
        self.fresh.tighten();
        let heap = self
            .heap
            .first()
            .map_or(u64::MAX, |entry| entry.deadline_ns);
        let next_ns = heap.min(self.fresh.bound_ns()).min(self.far.bound_ns());
        (next_ns < u64::MAX || self.len() > 0).then_some(next_ns)
    }

    /// When the crowd of timers ends whose first is due at the [next look](Self::next_look), if there is a crowd: the last deadline
    /// within `length_ns`, as far as these are at hand. Else that look.
    pub(crate) fn end_of_crowd(&self, next_look_ns: u64, length_ns: u64) -> u64 {
        if self.uncounted.len() > 0 {
            return next_look_ns;
        }
        let at_hand = self.heap.front().iter().chain(self.fresh.entries());
        let (n_close, last_ns) = at_hand
            .map(|entry| entry.deadline_ns)
            .filter(|deadline_ns| deadline_ns.saturating_sub(next_look_ns) <= length_ns)
            .fold((0, next_look_ns), |(count, last_ns), deadline_ns| {
                (count + 1, deadline_ns.max(last_ns))
            });
        if n_close >= CROWD_MIN {
            last_ns
        } else {
            next_look_ns
        }
    }

    /// The earliest deadline; `None` without timers. Earlier only if other threads have cancelled timers, or if there are some that
    /// count from a reading of the clock to come.
    ///
    /// May have to look at many timers.
    pub(crate) fn next_deadline(&mut self) -> Option<u64> {
        let next_ns = self.next_look()?;
        if self.far.bound_ns() == next_ns {
            self.far.tighten();
        }
        self.next_look()
    }

    /// The latest turn that a timer was armed in.
    pub(crate) fn newest_turn(&self) -> Turn {
        self.newest_turn
    }

    /// Arms a timer, in the turn after the newest.
    pub(crate) fn insert(&mut self, deadline_ns: u64, payload: T) -> TimerKey {
        self.insert_in_turn(deadline_ns, self.newest_turn.next(), payload)
    }

    /// Arms a timer, in a turn that was taken for it.
    #[inline]
    pub(crate) fn insert_in_turn(&mut self, deadline_ns: u64, turn: Turn, payload: T) -> TimerKey {
        let (key, entry) = self.arm(deadline_ns, turn, payload);
        if !self.far.push(entry, self.now_ns, &mut self.places) {
            if self.fresh.len() >= FRESH_MAX {
                self.age();
            }
            self.fresh.push(entry, &mut self.places);
        }
        key
    }

    /// Arms a timer that is due so long after the next reading of the clock that the queue is [told of](Self::note_reading), in a turn
    /// that was taken for it.
    #[inline]
    pub(crate) fn insert_uncounted(&mut self, delay_ns: u64, turn: Turn, payload: T) -> TimerKey {
        let (key, entry) = self.arm(delay_ns, turn, payload);
        self.uncounted.push(entry, &mut self.places);
        key
    }

    /// Puts a payload into a slot; gives the timer's name, and the entry to be put somewhere.
    #[inline(always)]
    fn arm(&mut self, deadline_ns: u64, turn: Turn, payload: T) -> (TimerKey, Entry) {
        if self.newest_turn.is_before(turn) {
            self.newest_turn = turn;
        }
        let slot = match self.places.take_free() {
            Some(slot) => slot,
            None => self.find_slot(),
        };
        // SAFETY: (1) `&mut self`, and the invariant at `shard`. (2) The slot comes off the free
        // list, or is new.
        let generation = unsafe { self.shard.slots.get_or_grow(slot).arm(payload) };
        let entry = Entry {
            deadline_ns,
            turn,
            slot,
        };
        (TimerKey { slot, generation }, entry)
    }

    /// Tells of a reading of the clock: what has waited for one counts from it.
    #[inline]
    pub(crate) fn note_reading(&mut self, now_ns: impl FnOnce() -> u64) {
        if self.uncounted.len() > 0 {
            self.count_from(now_ns());
        }
    }

    #[cold]
    fn count_from(&mut self, now_ns: u64) {
        let Self {
            places,
            uncounted,
            far,
            heap,
            ..
        } = self;
        uncounted.take_if(places, |entry, places| {
            let entry = Entry {
                deadline_ns: now_ns.saturating_add(entry.deadline_ns),
                ..entry
            };
            if !far.push(entry, now_ns, places) {
                heap.push(entry, places);
            }
            true
        });
    }

    /// When a timer is due; `None` if it has fired or been cancelled. What waits for a reading of the clock counts from `now_ns`.
    pub(crate) fn deadline_of(&mut self, key: TimerKey, now_ns: u64) -> Option<u64> {
        self.note_reading(|| now_ns);
        if !self.shard.is_armed(key) {
            return None;
        }
        let entry = match self.places.get(key.slot) {
            (Container::Fresh, position) => self.fresh.get(position),
            (Container::Uncounted, position) => self.uncounted.get(position),
            (Container::Far(level), position) => self.far.get(level, position),
            (Container::Heap, position) => self.heap.get(position),
        };
        entry.map(|entry| entry.deadline_ns)
    }

    /// Cancels a timer at once and returns its payload; nothing if it has fired or been cancelled.
    #[inline]
    pub(crate) fn cancel(&mut self, key: TimerKey) -> Option<T> {
        let slot = self.shard.slots.get(key.slot)?;
        // SAFETY: `&mut self`, and the invariant at `shard`.
        let payload = unsafe { slot.claim(key) }?;
        match self.places.get(key.slot) {
            (Container::Fresh, position) => {
                self.fresh.remove(position, &mut self.places);
            }
            (Container::Uncounted, position) => {
                self.uncounted.remove(position, &mut self.places);
            }
            (Container::Far(level), position) => {
                self.far.remove(level, position, &mut self.places);
            }
            (Container::Heap, position) => {
                self.heap.remove(position, &mut self.places);
            }
        }
        self.places.put_free(key.slot);
        Some(payload)
    }

    /// Whether the timer is armed, with a payload that `is_it` says yes to.
    ///
    /// `is_it` may compare the payload's words, but not follow them: another thread may be taking
    /// it out.
    #[inline]
    pub(crate) fn holds(&self, key: TimerKey, is_it: impl FnOnce(&T) -> bool) -> bool {
        self.shard.slots.get(key.slot).is_some_and(|slot| {
            // SAFETY: by the invariant at `shard` and the borrow of `self`, no owner writes.
            unsafe { slot.holds(key, is_it) }
        })
    }

    /// Replaces the payload of a timer and returns the old one; the key stays good.
    ///
    /// To be asked by the holder of the key: in between, the timer seems not to be armed.
    ///
    /// # Errors
    ///
    /// Gives the new one back if the timer has fired or been cancelled.
    pub(crate) fn replace(&mut self, key: TimerKey, payload: T) -> Result<T, T> {
        match self.shard.slots.get(key.slot) {
            // SAFETY: `&mut self`, and the invariant at `shard`.
            Some(slot) => unsafe { slot.swap(key, payload) },
            None => Err(payload),
        }
    }

    /// Fires what is due at `now_ns`, in order: appends names and payloads, at most `max`, to `out`.
    ///
    /// Returns whether something that is due has been left for another call.
    pub(crate) fn pop_expired(
        &mut self,
        now_ns: u64,
        out: &mut Vec<(TimerKey, T)>,
        max: usize,
    ) -> bool {
        self.sweep_if_due();
        self.now_ns = now_ns;
        self.note_reading(|| now_ns);
        self.far
            .bring_near(now_ns, &mut self.heap, &mut self.places);
        if self.fresh.bound_ns() <= now_ns {
            self.sort_due(now_ns);
        }
        let mut n_left = max;
        while n_left > 0 {
            let Some(entry) = self.take_due(now_ns) else {
                return false;
            };
            if let Some(fired) = self.release(entry.slot) {
                out.push(fired);
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

    /// Ends every timer, for shutdown: appends the payloads to `out`, in no order.
    ///
    /// None of the keys is armed afterwards. The queue stays usable.
    pub(crate) fn drain_all(&mut self, out: &mut Vec<T>) {
        let now_ns = self.now_ns;
        self.note_reading(|| now_ns);
        let Self {
            places, far, heap, ..
        } = self;
        far.take_if(places, |entry, places| {
            heap.push(entry, places);
            true
        });
        self.age();
        while let Some(last) = self.heap.len().checked_sub(1) {
            // The last entry of a heap leaves without any sifting.
            let entry = self.heap.remove(last, &mut self.places);
            out.extend(self.release(entry.slot).map(|(_, payload)| payload));
        }
    }

    /// As [`drain_all`](Self::drain_all); whether every slot is free now, and not one of them in the hands of a thread that
    /// cancels its timer.
    pub(crate) fn try_empty(&mut self, out: &mut Vec<T>) -> bool {
        self.drain_all(out);
        self.settle();
        self.unsettled.is_empty()
    }

    /// Frees the slot of an entry that has been removed, and returns name and payload if the timer
    /// was armed.
    fn release(&mut self, slot: u32) -> Option<(TimerKey, T)> {
        let state = self.shard.slots.get_or_grow(slot);
        // SAFETY: (1) `&mut self`, and the invariant at `shard`. (2) The slot had an entry.
        let claim = unsafe { state.claim_any(slot) };
        match claim {
            Claim::Payload(key, payload) => {
                self.places.put_free(slot);
                return Some((key, payload));
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
        self.sweep_if_due();
        self.settle();
        match self.places.take_free() {
            Some(slot) => slot,
            None => self.places.take_new(),
        }
    }

    /// Frees the slots whose payload has been taken out by now.
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
        let Self {
            places,
            fresh,
            heap,
            ..
        } = self;
        fresh.take_if(places, |entry, places| {
            heap.push(entry, places);
            true
        });
    }

    /// Moves what is due from the fresh array to `due`, in reverse order.
    fn sort_due(&mut self, now_ns: u64) {
        let newest_turn = self.newest_turn;
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
            let n_behind = newest_turn.distance(entry.turn);
            Reverse((entry.deadline_ns, Reverse(n_behind)))
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
            uncounted,
            far,
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
        uncounted.take_if(places, &mut is_cleared);
        far.take_if(places, &mut is_cleared);
        heap.retain(places, |entry, places| !is_cleared(entry, places));
    }
}
