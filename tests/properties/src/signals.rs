//! Events, conditions and barriers beside lists of those who wait.

use arbitrary::Arbitrary;
use tasca::sync::{Barrier, Condition, Event, Lock};

use crate::parties::Parties;

/// What happens. Which party is meant is counted round and round.
#[derive(Clone, Copy, Debug, Arbitrary)]
pub enum Op {
    /// Somebody comes and waits.
    Come,
    /// One of those who wait goes away: perhaps after it was woken.
    GiveUp(u8),
    /// The event is set; so many who wait for the condition are notified; the barrier is broken.
    Signal(u8),
    /// The event is cleared; the barrier is reset.
    Clear,
    /// All who were woken are polled, the first or the last one first.
    Settle {
        /// The last one.
        backwards: bool,
    },
}

/// One who waits, and whether it should go on by now, and with what.
#[derive(Debug)]
struct Expected<T> {
    name: usize,
    /// How many waited already.
    n_before: usize,
    due: Option<T>,
}

/// Those who wait, beside what should become of them.
struct Scene<'a, T> {
    parties: Parties<'a, T>,
    expected: Vec<Expected<T>>,
}

impl<'a, T: PartialEq + std::fmt::Debug> Scene<'a, T> {
    fn new() -> Self {
        Self {
            parties: Parties::new(),
            expected: Vec::new(),
        }
    }

    /// Somebody comes, who should have this at once, or wait.
    fn come(&mut self, wait: impl Future<Output = T> + 'a, at_once: Option<T>) {
        let n_before = self.sleepers().count();
        let (name, told) = self.parties.come(wait);
        assert_eq!(told, at_once, "{name}");
        if told.is_none() {
            self.expected.push(Expected {
                name,
                n_before,
                due: None,
            });
        }
    }

    fn give_up(&mut self, which: u8) -> Option<Expected<T>> {
        let name = self.parties.give_up(which)?;
        let index = self.expected.iter().position(|it| it.name == name);
        Some(self.expected.remove(index.expect("it waits")))
    }

    /// Those who are not due, in the order in which they came.
    fn sleepers(&mut self) -> impl Iterator<Item = &mut Expected<T>> {
        self.expected.iter_mut().filter(|it| it.due.is_none())
    }

    fn settle(&mut self, backwards: bool) {
        while let Some((name, told)) = self.parties.poll_woken(backwards) {
            let index = self.expected.iter().position(|it| it.name == name);
            let index = index.expect("it waits");
            if told.is_some() {
                assert_eq!(told, self.expected.remove(index).due, "{name}");
            }
        }
        let asleep: Vec<_> = self.expected.iter().filter(|it| it.due.is_some()).collect();
        assert!(asleep.is_empty(), "due and asleep: {asleep:?}");
        assert!(
            self.parties
                .names()
                .eq(self.expected.iter().map(|it| it.name))
        );
    }
}

/// Applies `history` to an event: whoever waits when it is set goes on, even if it is cleared again before that.
///
/// # Panics
///
/// If somebody goes on who should not, or sleeps who should go on.
pub fn check_event(history: &[Op]) {
    let event = Event::new();
    let mut scene = Scene::new();
    let mut is_set = false;
    for &op in history {
        match op {
            Op::Come => scene.come(event.wait(), is_set.then_some(())),
            Op::GiveUp(which) => drop(scene.give_up(which)),
            Op::Signal(_) => {
                event.set();
                is_set = true;
                scene.sleepers().for_each(|it| it.due = Some(()));
            }
            Op::Clear => {
                event.clear();
                is_set = false;
            }
            Op::Settle { backwards } => scene.settle(backwards),
        }
        assert_eq!(event.is_set(), is_set);
    }
    scene.settle(false);
}

/// Applies `history` to a condition: as many go on as were notified, the first ones first; who goes away although it was
/// notified is replaced by the next.
///
/// # Panics
///
/// If somebody goes on who should not, or sleeps who should go on.
pub fn check_condition(history: &[Op]) {
    let (lock, condition) = (Lock::new(()), Condition::new());
    let mut scene = Scene::new();
    for &op in history {
        match op {
            Op::Come => {
                // Those who were notified take the lock before.
                scene.settle(false);
                let wait = async {
                    let mut guard = lock.lock().await;
                    condition.wait(&mut guard).await;
                };
                scene.come(wait, None);
            }
            Op::GiveUp(which) => {
                let gone = scene.give_up(which);
                if gone.is_some_and(|it| it.due.is_some())
                    && let Some(next) = scene.sleepers().next()
                {
                    next.due = Some(());
                }
            }
            Op::Signal(n) => {
                scene.settle(false);
                let guard = lock.try_lock().expect("nobody has it");
                let n_notified = match n {
                    u8::MAX => {
                        condition.notify_all(&guard);
                        usize::MAX
                    }
                    n => {
                        condition.notify(&guard, usize::from(n));
                        usize::from(n)
                    }
                };
                scene
                    .sleepers()
                    .take(n_notified)
                    .for_each(|it| it.due = Some(()));
            }
            Op::Clear => {}
            Op::Settle { backwards } => scene.settle(backwards),
        }
    }
    scene.settle(false);
    assert!(!lock.is_locked());
}

/// Applies `history` to a barrier for up to four parties: they go on together, each with the number of its arrival.
///
/// # Panics
///
/// If somebody goes on who should not, or sleeps who should go on; if the numbers are wrong.
pub fn check_barrier(n_parties: u8, history: &[Op]) {
    let n_parties = 1 + usize::from(n_parties) % 4;
    let barrier = Barrier::new(n_parties);
    let mut scene = Scene::new();
    let mut is_broken = false;
    for &op in history {
        // Who leaves and who arrives do not meet: what then happens depends on who is first.
        if matches!(op, Op::Come | Op::Signal(_) | Op::Clear) {
            scene.settle(false);
        }
        let n_waiting = scene.sleepers().count();
        match op {
            Op::Come => {
                let is_last = n_waiting + 1 == n_parties;
                let at_once = match is_broken {
                    true => Some(None),
                    false => is_last.then_some(Some(n_waiting)),
                };
                scene.come(async { barrier.wait().await.ok() }, at_once);
                if is_last && !is_broken {
                    // As in asyncio, the number of one who went away is given again.
                    scene
                        .sleepers()
                        .for_each(|it| it.due = Some(Some(it.n_before)));
                }
            }
            Op::GiveUp(which) => drop(scene.give_up(which)),
            Op::Signal(_) | Op::Clear => {
                let breaks = matches!(op, Op::Signal(_));
                let mut caller = Parties::new();
                let (_, told) = caller.come(async {
                    match breaks {
                        true => barrier.abort().await,
                        false => barrier.reset().await,
                    }
                });
                assert_eq!(told, Some(()), "nobody is on the way out");
                is_broken = breaks;
                scene.sleepers().for_each(|it| it.due = Some(None));
            }
            Op::Settle { backwards } => scene.settle(backwards),
        }
        assert_eq!(barrier.is_broken(), is_broken);
    }
    scene.settle(false);
    let n_waiting = scene.sleepers().count();
    assert_eq!(barrier.n_waiting(), n_waiting);
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::{Op, check_barrier, check_condition, check_event};
    use crate::holds;

    fn op() -> impl Strategy<Value = Op> {
        prop_oneof![
            8 => Just(Op::Come),
            3 => any::<u8>().prop_map(Op::GiveUp),
            3 => prop_oneof![3 => 0..4_u8, 1 => Just(u8::MAX)].prop_map(Op::Signal),
            1 => Just(Op::Clear),
            4 => any::<bool>().prop_map(|backwards| Op::Settle { backwards }),
        ]
    }

    #[test]
    fn who_waits_for_an_event_goes_on_once_it_was_set() {
        holds(vec(op(), 0..60), |history| check_event(history));
    }

    #[test]
    fn as_many_go_on_as_a_condition_notified() {
        holds(vec(op(), 0..60), |history| check_condition(history));
    }

    /// Found by a fuzzer: the model took the number that stands for all of them for a number.
    #[test]
    fn all_go_on_who_are_more_than_a_byte_can_count() {
        let mut history = [Op::Come; 300].to_vec();
        history.push(Op::Signal(u8::MAX));
        check_condition(&history);
    }

    #[test]
    fn parties_pass_a_barrier_together() {
        let op = prop_oneof![
            8 => Just(Op::Come),
            3 => any::<u8>().prop_map(Op::GiveUp),
            1 => Just(Op::Signal(0)),
            1 => Just(Op::Clear),
            4 => any::<bool>().prop_map(|backwards| Op::Settle { backwards }),
        ];
        holds((0..4_u8, vec(op, 0..60)), |(n_parties, history)| {
            check_barrier(*n_parties, history);
        });
    }
}
