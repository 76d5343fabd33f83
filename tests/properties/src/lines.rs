//! Who is served next: semaphores, locks and read-write locks beside one model, a line in front of a number of places.
//!
//! A party takes as many places as it needs and waits in line until they are free; what becomes free goes to the head of the line at
//! once, whether or not that party is awake already, and until it is, everybody who comes queues up. A lock has one place, a
//! semaphore any number; a reader takes one of very many, a writer takes all. Nobody overtakes, no place is free while the head of
//! the line fits in, none is lost and none is doubled.

use std::pin::Pin;

use arbitrary::Arbitrary;
use tasca::sync::{Lock, Permit, RwLock, Semaphore};

use crate::parties::Parties;

/// What the line is in front of.
#[derive(Clone, Copy, Debug, Arbitrary)]
pub enum What {
    /// A semaphore, with so many permits, or one of those up to five that the number stands for.
    Semaphore(u8),
    /// A lock.
    Lock,
    /// A lock that many may read under.
    RwLock,
}

/// What happens in the line and in front of it. Which party is meant is counted round and round.
#[derive(Clone, Copy, Debug, Arbitrary)]
pub enum Op {
    /// Somebody comes, and waits if need be; to write, if there is a difference.
    Come {
        /// To write.
        writes: bool,
    },
    /// Somebody comes who does not wait.
    Try {
        /// To write.
        writes: bool,
    },
    /// One who was served gives back what it has.
    GiveBack(u8),
    /// One who waits goes away: perhaps with what it has been given and has not seen.
    GiveUp(u8),
    /// A semaphore gets one more permit.
    Release,
    /// One who has a permit leaves without giving it back.
    Forget(u8),
    /// All who were woken are polled, the first or the last one first.
    Settle {
        /// The last one.
        backwards: bool,
    },
}

/// Places that all readers together cannot take.
const N_PLACES_RW: usize = 1 << 20;

/// What was waited for, until it is dropped.
#[expect(dead_code, reason = "dropped, not read")]
enum Held<'a> {
    Permit(Permit<'a>),
    Lock(tasca::sync::LockGuard<'a, ()>),
    Read(tasca::sync::ReadGuard<'a, ()>),
    Write(tasca::sync::WriteGuard<'a, ()>),
}

enum Service {
    Semaphore(Semaphore),
    Lock(Lock<()>),
    RwLock(RwLock<()>),
}

type Wait<'a> = Pin<Box<dyn Future<Output = Held<'a>> + 'a>>;

impl Service {
    fn new(what: What) -> Self {
        match what {
            What::Semaphore(n) => Self::Semaphore(Semaphore::new(usize::from(n) % 6)),
            What::Lock => Self::Lock(Lock::new(())),
            What::RwLock => Self::RwLock(RwLock::new(())),
        }
    }

    fn n_places(&self) -> usize {
        match self {
            Self::Semaphore(semaphore) => semaphore.available_permits(),
            Self::Lock(_) => 1,
            Self::RwLock(_) => N_PLACES_RW,
        }
    }

    /// How many places such a party takes.
    fn n_needed(&self, writes: bool) -> usize {
        match self {
            Self::RwLock(_) if writes => N_PLACES_RW,
            _ => 1,
        }
    }

    fn come(&self, writes: bool) -> Wait<'_> {
        match self {
            Self::Semaphore(it) => Box::pin(async { Held::Permit(it.acquire().await) }),
            Self::Lock(it) => Box::pin(async { Held::Lock(it.lock().await) }),
            Self::RwLock(it) if writes => Box::pin(async { Held::Write(it.write().await) }),
            Self::RwLock(it) => Box::pin(async { Held::Read(it.read().await) }),
        }
    }

    fn attempt(&self, writes: bool) -> Option<Held<'_>> {
        match self {
            Self::Semaphore(it) => it.try_acquire().map(Held::Permit),
            Self::Lock(it) => it.try_lock().map(Held::Lock),
            Self::RwLock(it) if writes => it.try_write().map(Held::Write),
            Self::RwLock(it) => it.try_read().map(Held::Read),
        }
    }
}

/// One in line.
struct Place {
    name: usize,
    n_needed: usize,
    /// It has been given its places, and has to see that yet.
    is_due: bool,
}

struct Scene<'a> {
    service: &'a Service,
    waiting: Parties<'a, Held<'a>>,
    served: Vec<(usize, Held<'a>)>,
    line: Vec<Place>,
    n_free: usize,
}

impl<'a> Scene<'a> {
    fn new(service: &'a Service) -> Self {
        Self {
            service,
            waiting: Parties::new(),
            served: Vec::new(),
            line: Vec::new(),
            n_free: service.n_places(),
        }
    }

    /// Whether somebody who comes now is served at once.
    fn is_free(&self, n_needed: usize) -> bool {
        n_needed <= self.n_free && self.line.is_empty()
    }

    /// Places become free: those at the head of the line go, up to `n_go_max`.
    fn free(&mut self, n_places: usize, n_go_max: usize) {
        self.n_free += n_places;
        let waiting = self.line.iter_mut().filter(|place| !place.is_due);
        for place in waiting.take(n_go_max) {
            if place.n_needed > self.n_free {
                break;
            }
            self.n_free -= place.n_needed;
            place.is_due = true;
        }
    }

    /// Somebody gives places back. A semaphore's permit is for one, as in asyncio.
    fn give_back(&mut self, n_places: usize) {
        let n_go_max = match self.service {
            Service::Semaphore(_) => 1,
            Service::Lock(_) | Service::RwLock(_) => usize::MAX,
        };
        self.free(n_places, n_go_max);
    }

    fn take_served(&mut self, which: u8) -> Option<(usize, Held<'a>)> {
        let index = usize::from(which).checked_rem(self.served.len())?;
        Some(self.served.swap_remove(index))
    }

    fn apply(&mut self, op: Op) {
        let service = self.service;
        match op {
            Op::Come { writes } => {
                let n_needed = service.n_needed(writes);
                let is_free = self.is_free(n_needed);
                let (name, held) = self.waiting.come(service.come(writes));
                assert_eq!(held.is_some(), is_free, "served at once");
                match held {
                    Some(held) => self.serve(n_needed, held),
                    None => self.line.push(Place {
                        name,
                        n_needed,
                        is_due: false,
                    }),
                }
            }
            Op::Try { writes } => {
                let n_needed = service.n_needed(writes);
                let held = service.attempt(writes);
                assert_eq!(held.is_some(), self.is_free(n_needed), "served at once");
                if let Some(held) = held {
                    self.serve(n_needed, held);
                }
            }
            Op::GiveBack(which) => {
                if let Some((n_places, held)) = self.take_served(which) {
                    drop(held);
                    self.give_back(n_places);
                }
            }
            Op::GiveUp(which) => {
                if let Some(name) = self.waiting.give_up(which) {
                    let place = self.leave_line(name);
                    let n_places = if place.is_due { place.n_needed } else { 0 };
                    self.free(n_places, usize::MAX);
                }
            }
            Op::Release => {
                if let Service::Semaphore(semaphore) = service {
                    semaphore.release();
                    self.give_back(1);
                }
            }
            Op::Forget(which) => {
                if matches!(service, Service::Semaphore(_))
                    && let Some((_, Held::Permit(permit))) = self.take_served(which)
                {
                    permit.forget();
                }
            }
            Op::Settle { backwards } => self.settle(backwards),
        }
    }

    fn serve(&mut self, n_places: usize, held: Held<'a>) {
        self.n_free -= n_places;
        self.served.push((n_places, held));
    }

    fn leave_line(&mut self, name: usize) -> Place {
        let index = self.line.iter().position(|place| place.name == name);
        self.line.remove(index.expect("it is in line"))
    }

    fn settle(&mut self, backwards: bool) {
        while let Some((name, held)) = self.waiting.poll_woken(backwards) {
            let Some(held) = held else { continue };
            let place = self.leave_line(name);
            assert!(place.is_due, "{name} was not due");
            self.served.push((place.n_needed, held));
            self.free(0, usize::MAX);
        }
        let asleep: Vec<usize> = self
            .line
            .iter()
            .filter(|it| it.is_due)
            .map(|it| it.name)
            .collect();
        assert!(asleep.is_empty(), "due and not woken: {asleep:?}");
    }

    fn check(&self) {
        match self.service {
            Service::Semaphore(semaphore) => {
                assert_eq!(semaphore.available_permits(), self.n_free);
                assert_eq!(semaphore.is_locked(), !self.is_free(1));
            }
            // One that is on its way to the next counts as free.
            Service::Lock(lock) => assert_eq!(lock.is_locked(), !self.served.is_empty()),
            Service::RwLock(_) => {}
        }
    }
}

/// Applies `history` to `what` and to a line.
///
/// # Panics
///
/// If somebody is served who is not due, or is due and sleeps; if there are more places or fewer than there should be.
pub fn check(what: What, history: &[Op]) {
    let service = Service::new(what);
    let mut scene = Scene::new(&service);
    for &op in history {
        scene.apply(op);
        scene.check();
    }
    // Whoever is in line is served in the end, if there is anything to be given.
    while !scene.served.is_empty() || scene.line.iter().any(|place| place.is_due) {
        scene.settle(false);
        while let Some((n_places, held)) = scene.served.pop() {
            drop(held);
            scene.give_back(n_places);
        }
        scene.check();
    }
    assert!(scene.line.is_empty() || scene.n_free == 0, "nobody is left");
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::{Op, What, check};
    use crate::holds;

    fn op() -> impl Strategy<Value = Op> {
        prop_oneof![
            6 => any::<bool>().prop_map(|writes| Op::Come { writes }),
            2 => any::<bool>().prop_map(|writes| Op::Try { writes }),
            6 => any::<u8>().prop_map(Op::GiveBack),
            3 => any::<u8>().prop_map(Op::GiveUp),
            1 => Just(Op::Release),
            1 => any::<u8>().prop_map(Op::Forget),
            3 => any::<bool>().prop_map(|backwards| Op::Settle { backwards }),
        ]
    }

    #[test]
    fn semaphores_serve_in_order_and_waste_nothing() {
        let histories = ((0..6_u8).prop_map(What::Semaphore), vec(op(), 0..80));
        holds(histories, |(what, history)| check(*what, history));
    }

    #[test]
    fn locks_serve_in_order_and_waste_nothing() {
        holds(vec(op(), 0..60), |history| check(What::Lock, history));
    }

    #[test]
    fn readers_and_writers_are_served_in_order_and_waste_nothing() {
        holds(vec(op(), 0..80), |history| check(What::RwLock, history));
    }
}
