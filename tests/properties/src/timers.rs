//! The timer queue beside a sorted map.

use std::collections::BTreeMap;
use std::sync::Arc;

use arbitrary::Arbitrary;

use crate::timer_queue::{TimerKey, TimerQueue, TimerShard, Turn};

/// How far apart deadlines are: the queue has places for what is due soon, and for every distance.
const UNITS_NS: [u64; 4] = [10, 2_000_000, 1_000_000_000, 3_000_000_000_000];

/// What can be done to a timer queue. Where a timer or a turn is meant, the number counts those that there are, round and round.
#[derive(Clone, Copy, Debug, Arbitrary)]
pub enum Op {
    /// Arms one, so many units from now.
    Arm {
        /// Of [`UNITS_NS`].
        unit: u8,
        /// How many of them.
        distance: u8,
    },
    /// Takes a turn, for a timer that is armed later.
    TakeTurn,
    /// Arms one in a turn that was taken.
    ArmInTurn {
        /// Which turn.
        turn: u8,
        /// Of [`UNITS_NS`].
        unit: u8,
        /// How many of them.
        distance: u8,
    },
    /// Arms one that counts from the next reading of the clock.
    ArmUncounted {
        /// Of [`UNITS_NS`].
        unit: u8,
        /// How many of them.
        distance: u8,
    },
    /// Time passes, and the clock is read.
    Read {
        /// Of [`UNITS_NS`].
        unit: u8,
        /// How many of them.
        passed: u8,
    },
    /// Asks when one is due, which is a reading.
    Ask(u16),
    /// The owner cancels one.
    Cancel(u16),
    /// Another thread does.
    CancelRemotely(u16),
    /// Gives one another payload.
    Replace(u16),
    /// Time passes, and at most so many that are due fire.
    Fire {
        /// Of [`UNITS_NS`].
        unit: u8,
        /// How many of them.
        passed: u8,
        /// How many fire at most.
        max: u8,
    },
    /// Uses the key of one that has ended.
    UseStale(u16),
    /// Asks when there is something to do: not after each step, or what is looked at would always be in order.
    Look,
    /// All are taken out.
    Drain,
}

/// Stands before the delay of one that is not counted yet, where others have their deadline.
const UNCOUNTED: u64 = 1 << 63;

/// A payload: the number of its timer. Counted by its references.
type Payload = Arc<u64>;

struct Timers {
    queue: TimerQueue<Payload, Arc<TimerShard<Payload>>>,
    /// What it should hold, by (deadline, number): the order of firing. What counts from a reading to come is behind [`UNCOUNTED`].
    model: BTreeMap<(u64, u64), (TimerKey, Payload)>,
    ended: Vec<TimerKey>,
    turns: Vec<(u64, Turn)>,
    newest: (u64, Turn),
    now_ns: u64,
    /// Nothing that others have cancelled is in the way.
    is_exact: bool,
}

fn ns(unit: u8, count: u8) -> u64 {
    UNITS_NS[usize::from(unit) % UNITS_NS.len()] * u64::from(count)
}

impl Timers {
    #[expect(unsafe_code, reason = "the queue says what it wants of its shard")]
    fn new() -> Self {
        // SAFETY: (1), (2) The shard is new. (3) It is an `Arc`.
        let queue = unsafe { TimerQueue::with_shard(Arc::new(TimerShard::new())) };
        Self {
            queue,
            model: BTreeMap::new(),
            ended: Vec::new(),
            turns: Vec::new(),
            newest: (0, Turn::FIRST),
            now_ns: 0,
            is_exact: true,
        }
    }

    fn take_turn(&mut self) -> (u64, Turn) {
        self.newest = (self.newest.0 + 1, self.newest.1.next());
        self.newest
    }

    fn arm(&mut self, (number, turn): (u64, Turn), distance_ns: u64) {
        let (deadline, payload) = (self.now_ns + distance_ns, Payload::new(number));
        let key = self
            .queue
            .insert_in_turn(deadline, turn, Arc::clone(&payload));
        assert!(self.queue.shard().is_armed(key));
        self.model.insert((deadline, number), (key, payload));
    }

    fn arm_uncounted(&mut self, delay_ns: u64) {
        let (number, turn) = self.take_turn();
        let payload = Payload::new(number);
        let key = self
            .queue
            .insert_uncounted(delay_ns, turn, Arc::clone(&payload));
        self.model
            .insert((UNCOUNTED + delay_ns, number), (key, payload));
    }

    /// What the model makes of a reading of the clock.
    fn count(&mut self) {
        for ((delay, number), timer) in self.model.split_off(&(UNCOUNTED, 0)) {
            let deadline = self.now_ns.saturating_add(delay - UNCOUNTED);
            self.model.insert((deadline, number), timer);
        }
    }

    fn any(&self, which: u16) -> Option<(u64, u64)> {
        let index = usize::from(which).checked_rem(self.model.len())?;
        self.model.keys().nth(index).copied()
    }

    /// Whoever was cancelled gives its payload back, which nobody else has.
    fn cancel(&mut self, which: u16, cancel: impl FnOnce(&mut Self, TimerKey) -> Option<Payload>) {
        let Some(name) = self.any(which) else { return };
        let (key, payload) = self.model.remove(&name).expect("it was chosen");
        let back = cancel(self, key).expect("it was armed");
        assert!(Arc::ptr_eq(&back, &payload), "its own payload");
        self.end(key);
    }

    fn end(&mut self, key: TimerKey) {
        assert!(!self.queue.shard().is_armed(key));
        self.ended.push(key);
    }

    fn fire(&mut self, max: usize) {
        self.count();
        let mut fired = Vec::new();
        let more = self.queue.pop_expired(self.now_ns, &mut fired, max);
        let fired: Vec<_> = fired.into_iter().map(|(key, it)| (key, *it)).collect();
        let mut expected = Vec::new();
        while let Some(first) = self.model.first_entry()
            && first.key().0 <= self.now_ns
            && expected.len() < max
        {
            let ((_, number), (key, _)) = first.remove_entry();
            expected.push((key, number));
        }
        assert_eq!(fired, expected, "fired at {}", self.now_ns);
        fired.into_iter().for_each(|(key, _)| self.end(key));
        let is_due = self.earliest().is_some_and(|ns| ns <= self.now_ns);
        // A timer that others have cancelled may still seem to be due.
        assert!(more == is_due || (more && !self.is_exact), "more: {more}");
    }

    fn earliest(&self) -> Option<u64> {
        self.model.keys().next().map(|(deadline, _)| *deadline)
    }

    fn apply(&mut self, op: Op) {
        match op {
            Op::Arm { unit, distance } => {
                let turn = self.take_turn();
                self.arm(turn, ns(unit, distance));
            }
            Op::TakeTurn => {
                let turn = self.take_turn();
                self.turns.push(turn);
            }
            Op::ArmInTurn {
                turn,
                unit,
                distance,
            } => {
                if let Some(index) = usize::from(turn).checked_rem(self.turns.len()) {
                    let turn = self.turns.swap_remove(index);
                    self.arm(turn, ns(unit, distance));
                }
            }
            Op::ArmUncounted { unit, distance } => self.arm_uncounted(ns(unit, distance)),
            Op::Read { unit, passed } => {
                self.now_ns += ns(unit, passed);
                let mut is_read = false;
                self.queue.note_reading(|| {
                    is_read = true;
                    self.now_ns
                });
                assert!(is_read || self.n_uncounted() == 0, "somebody waits for it");
                self.count();
            }
            Op::Ask(which) => {
                let Some(name) = self.any(which) else { return };
                let (key, _) = self.model[&name];
                let deadline = match name.0.checked_sub(UNCOUNTED) {
                    Some(delay) => self.now_ns + delay,
                    None => name.0,
                };
                assert_eq!(self.queue.deadline_of(key, self.now_ns), Some(deadline));
                self.count();
            }
            Op::Cancel(which) => self.cancel(which, |this, key| this.queue.cancel(key)),
            Op::CancelRemotely(which) => {
                self.is_exact = false;
                self.cancel(which, |this, key| this.queue.shard().cancel_remote(key));
            }
            Op::Replace(which) => {
                let Some(name) = self.any(which) else { return };
                let (key, payload) = self.model.get_mut(&name).expect("it was chosen");
                let old = std::mem::replace(payload, Payload::new(name.1));
                let back = self.queue.replace(*key, Arc::clone(payload));
                assert!(Arc::ptr_eq(&back.expect("it is armed"), &old));
                assert!(self.queue.holds(*key, |held| Arc::ptr_eq(held, payload)));
            }
            Op::Fire { unit, passed, max } => {
                self.now_ns += ns(unit, passed);
                self.fire(usize::from(max));
            }
            Op::UseStale(which) => {
                let Some(index) = usize::from(which).checked_rem(self.ended.len()) else {
                    return;
                };
                let key = self.ended[index];
                assert!(!self.queue.shard().is_armed(key));
                assert_eq!(self.queue.deadline_of(key, self.now_ns), None);
                self.count();
                assert!(self.queue.cancel(key).is_none());
                assert!(self.queue.shard().cancel_remote(key).is_none());
                assert!(self.queue.replace(key, Payload::new(0)).is_err());
            }
            Op::Look => self.look(),
            Op::Drain => {
                let mut drained = Vec::new();
                self.queue.drain_all(&mut drained);
                let mut numbers: Vec<u64> = drained.iter().map(|it| **it).collect();
                numbers.sort_unstable();
                let mut expected: Vec<u64> = self.model.keys().map(|(_, number)| *number).collect();
                expected.sort_unstable();
                assert_eq!(numbers, expected, "drained");
                for (_, (key, _)) in std::mem::take(&mut self.model) {
                    self.end(key);
                }
                assert_eq!(self.queue.len(), 0);
                self.is_exact = true;
            }
        }
    }

    fn n_uncounted(&self) -> usize {
        self.model.range((UNCOUNTED, 0)..).count()
    }

    /// What the queue says of its deadlines.
    fn look(&mut self) {
        if self.n_uncounted() > 0 {
            // The clock is to be read.
            for said in [self.queue.next_look(), self.queue.next_deadline()] {
                assert!(said.is_some_and(|said| said <= self.now_ns), "{said:?}");
            }
            return;
        }
        let earliest = self.earliest();
        for said in [self.queue.next_look(), self.queue.next_deadline()] {
            // What is due is due: one that was to be counted, and was cancelled from elsewhere, is told as the time of the last look.
            let latest = earliest.map(|earliest| earliest.max(self.now_ns));
            let is_late = latest.is_some_and(|latest| said.is_none_or(|said| said > latest));
            assert!(!is_late, "{said:?} is later than {earliest:?}");
        }
        if self.is_exact {
            assert_eq!(self.queue.next_deadline(), earliest);
        }
    }

    fn check(&self) {
        assert!(self.queue.len() >= self.model.len());
        assert!(self.queue.len() == self.model.len() || !self.is_exact);
        for (key, payload) in self.model.values() {
            assert!(self.queue.shard().is_armed(*key));
            assert_eq!(Arc::strong_count(payload), 2, "one is in the queue");
        }
    }
}

/// Applies `history` to a queue and to a sorted map.
///
/// # Panics
///
/// If they do not agree: on what fires, when, in which order, with what; on what is armed; on the earliest deadline.
pub fn check(history: &[Op]) {
    let mut timers = Timers::new();
    for &op in history {
        timers.apply(op);
        timers.check();
    }
    timers.now_ns = u64::MAX;
    timers.fire(usize::MAX);
    assert!(timers.model.is_empty());
    assert_eq!(timers.queue.len(), 0, "what was cancelled is gone too");
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::{Op, check};
    use crate::holds;

    fn op() -> impl Strategy<Value = Op> {
        // Coarse distances make for equal deadlines.
        let distance = prop_oneof![0..4_u8, 0..80_u8];
        prop_oneof![
            12 => (0..4_u8, distance.clone()).prop_map(|(unit, distance)| Op::Arm { unit, distance }),
            3 => (0..4_u8, distance.clone())
                .prop_map(|(unit, distance)| Op::ArmUncounted { unit, distance }),
            1 => (0..4_u8, 0..4_u8).prop_map(|(unit, passed)| Op::Read { unit, passed }),
            1 => any::<u16>().prop_map(Op::Ask),
            1 => Just(Op::TakeTurn),
            1 => (any::<u8>(), 0..4_u8, distance)
                .prop_map(|(turn, unit, distance)| Op::ArmInTurn { turn, unit, distance }),
            4 => any::<u16>().prop_map(Op::Cancel),
            3 => any::<u16>().prop_map(Op::CancelRemotely),
            1 => any::<u16>().prop_map(Op::Replace),
            2 => (0..4_u8, 0..20_u8, prop_oneof![0..4_u8, Just(u8::MAX)])
                .prop_map(|(unit, passed, max)| Op::Fire { unit, passed, max }),
            1 => any::<u16>().prop_map(Op::UseStale),
            4 => Just(Op::Look),
        ]
    }

    #[test]
    fn timers_agree_with_a_sorted_map() {
        // Some of them longer than what stays unsorted.
        let drained = vec(op(), 0..40).prop_map(|mut history| {
            history.push(Op::Drain);
            history
        });
        let histories = (prop_oneof![Just(Vec::new()), drained], vec(op(), 0..250));
        holds(histories, |(before, after)| {
            check(&[before.as_slice(), after].concat());
        });
    }
}
