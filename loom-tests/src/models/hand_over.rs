//! What a worker has and others take over: its queue and its timers, behind the biased lock; its shared tier.
//!
//! Worker, rescuer and publisher do the steps of the scheduler's around the shipped rooms: lock, queues, timers, idle accounting.

use std::task::{Wake, Waker};

use loom::sync::Arc;
use loom::thread;

use crate::biased::BiasedLock;
use crate::explore::{three_threads, two_busy_threads, two_threads};
use crate::idle::{Idle, Unparked};
use crate::primitive::{AtomicUsize, Condvar, Mutex, Ordering};
use crate::queue::{Injector, Private, Shared, Thief};
use crate::timer_queue::{TimerQueue, TimerShard};

/// A worker as others see it, and the injector.
struct Place {
    core: BiasedLock<Core>,
    idle: Idle,
    injector: Injector<usize>,
    notified: Mutex<bool>,
    changed: Condvar,
}

struct Core {
    queue: Private<usize>,
    timers: TimerQueue<Waker, Arc<TimerShard<Waker>>>,
}

/// Counts its wakes.
#[derive(Default)]
struct Woken(std::sync::atomic::AtomicUsize);

impl Wake for Woken {
    fn wake(self: std::sync::Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Place {
    fn new() -> Arc<Self> {
        // SAFETY: (1), (2) The shard is new. (3) It is an `Arc`.
        let timers = unsafe { TimerQueue::with_shard(Arc::new(TimerShard::new())) };
        Arc::new(Self {
            core: BiasedLock::new(Core {
                queue: Private::new(),
                timers,
            }),
            idle: Idle::new(1, 1),
            injector: Injector::new(),
            notified: Mutex::new(false),
            changed: Condvar::new(),
        })
    }

    /// The worker's own way to its core.
    fn own<R>(&self, f: impl FnOnce(&mut Core) -> R) -> R {
        // SAFETY: (1) one thread of each model is the worker. (2) No model nests.
        unsafe { self.core.with_owner(f) }
    }

    /// The way of others.
    fn visit<R>(&self, mut f: impl FnMut(&mut Core) -> R) -> R {
        loop {
            if let Some(result) = self.core.try_visit(&mut f) {
                return result;
            }
            thread::yield_now();
        }
    }

    /// As the scheduler wakes a worker for something that only it can do.
    fn nudge(&self) {
        if self.idle.choose(0).is_some() {
            self.notify();
        }
    }

    fn notify(&self) {
        *self.notified.lock() = true;
        self.changed.notify_all();
    }

    fn sleep(&self) {
        let mut notified = self.notified.lock();
        while !*notified {
            self.changed.wait(&mut notified);
        }
        *notified = false;
    }

    /// As a worker parks: with a deadline the sleep ends by itself, without one somebody has to end it. Gives the
    /// deadline that it slept until.
    fn park(&self) -> Option<u64> {
        self.idle.announce_park(0, false);
        let deadline = self.own(|core| core.timers.next_deadline());
        if deadline.is_none() {
            self.sleep();
        }
        if self.idle.retract_park(0) == Unparked::ByOther {
            self.idle.stop_searching();
        }
        deadline
    }
}

/// A timer is armed from another thread while its worker goes to sleep: the worker sleeps until it is due, or is woken and finds
/// it. Catches a nudge that is left out, and a deadline that is read before the announcement. The fences of the lock would do
/// without those of the idle accounting here; for the queues they do not (`idle`).
#[test]
fn a_timer_from_elsewhere_is_slept_for() {
    two_busy_threads(|| {
        let place = Place::new();
        let woken = std::sync::Arc::new(Woken::default());
        let elsewhere = thread::spawn({
            let place = Arc::clone(&place);
            let waker = Waker::from(std::sync::Arc::clone(&woken));
            move || {
                place.visit(|core| core.timers.insert(7, waker.clone()));
                place.nudge();
            }
        });
        let mut fired = Vec::new();
        while fired.is_empty() {
            place.park();
            place.own(|core| core.timers.pop_expired(7, &mut fired, usize::MAX));
        }
        fired.into_iter().for_each(|(_, waker)| waker.wake());
        elsewhere.join().expect("no panic");
        assert_eq!(woken.0.load(Ordering::Relaxed), 1);
    });
}

/// A rescuer takes out what waits behind a poll, while the worker queues more and comes back: every task runs once, on one side.
/// Catches a lock that lets both in, and a queue that is taken without being emptied.
#[test]
fn what_is_rescued_runs_once() {
    two_busy_threads(|| {
        let place = Place::new();
        place.own(|core| {
            core.queue.push(1);
            core.queue.push(2);
        });
        let rescuer = thread::spawn({
            let place = Arc::clone(&place);
            move || {
                let mut taken = Vec::new();
                let visited = place.core.try_visit(|core| {
                    core.queue.take_all(|task| *task == 2, &mut taken);
                });
                assert!(visited.is_some() || taken.is_empty());
                for task in taken {
                    place.injector.push(task);
                }
            }
        });
        let mut ran = Vec::new();
        ran.extend(place.own(|core| core.queue.pop()));
        place.own(|core| core.queue.push(4));
        while let Some(task) = place.own(|core| core.queue.pop()) {
            ran.push(task);
        }
        rescuer.join().expect("no panic");
        let own = Shared::new();
        while let Some(task) = own.pop().or_else(|| own.take_from(&place.injector)) {
            ran.push(task);
        }
        ran.sort_unstable();
        assert_eq!(ran, [1, 2, 4]);
    });
}

/// A worker shares, a thief steals, both take the last task: each runs once, and the hint that spares thieves a fence is never
/// zero beside a task. Catches a hint that is not made true after a push, and a batch whose rest is lost.
#[test]
fn what_is_shared_is_taken_once() {
    two_busy_threads(|| {
        let own: Shared<usize> = Shared::new();
        let thief: Thief<usize> = own.thief();
        let n_stolen = Arc::new(AtomicUsize::new(0));
        let stealing = thread::spawn({
            let n_stolen = Arc::clone(&n_stolen);
            move || {
                let queue = Shared::new();
                while let Some(task) = queue.pop().or_else(|| queue.steal(&thief)) {
                    n_stolen.fetch_add(task, Ordering::Relaxed);
                }
                thief
            }
        });
        let mut n_own = 0;
        for task in [1, 10] {
            own.extend([task].into_iter());
            n_own += own.pop().unwrap_or(0);
        }
        let thief = stealing.join().expect("no panic");
        let rest = Shared::new();
        let mut left = 0;
        // As before a sleep: who is told that there is nothing does not come back.
        while !thief.is_empty() || !rest.is_empty() {
            left += rest.pop().or_else(|| rest.steal(&thief)).unwrap_or(0);
        }
        assert_eq!(n_own + left + n_stolen.load(Ordering::Relaxed), 11);
    });
}

/// A worker shares what waits behind its poll, and that poll lasts until somebody else has run it: the thief finds it before it sleeps, or
/// is woken. Catches the fence of either gone, a hint that is made true too late, and a look by the hint alone without a fence.
#[test]
fn what_is_shared_is_seen_or_a_sleeper_is_woken() {
    two_threads(|| {
        let place = Place::new();
        let own: Shared<usize> = Shared::new();
        let victim: Thief<usize> = own.thief();
        let thief = thread::spawn({
            let place = Arc::clone(&place);
            move || {
                let queue = Shared::new();
                let mut searching = false;
                loop {
                    if let Some(task) = queue.steal(&victim) {
                        if searching {
                            place.idle.stop_searching();
                        }
                        return task;
                    }
                    place.idle.announce_park(0, searching);
                    if victim.is_empty() {
                        place.sleep();
                        searching = place.idle.retract_park(0) == Unparked::ByOther;
                    } else {
                        searching = place.idle.turn_back(0, searching);
                    }
                }
            }
        });
        own.extend([7].into_iter());
        if place.idle.choose_to_wake().is_some() {
            place.notify();
        }
        assert_eq!(thief.join().expect("no panic"), 7);
        assert!(!place.idle.has_searchers());
    });
}

/// Two workers empty the injector in batches while it is filled: every task is taken once. Catches a batch whose rest is not
/// announced in the taker's own queue.
#[test]
fn what_is_injected_is_taken_once() {
    three_threads(|| {
        let injector = Arc::new(Injector::new());
        let takers = [(); 2].map(|()| {
            let injector = Arc::clone(&injector);
            thread::spawn(move || {
                let queue = Shared::new();
                let mut sum = 0;
                while let Some(task) = queue.pop().or_else(|| queue.take_from(&injector)) {
                    sum += task;
                }
                sum
            })
        });
        injector.push(1);
        injector.push(10);
        let mut sum = 0;
        for taker in takers {
            sum += taker.join().expect("no panic");
        }
        let queue = Shared::new();
        while let Some(task) = queue.pop().or_else(|| queue.take_from(&injector)) {
            sum += task;
        }
        assert_eq!(sum, 11);
    });
}
