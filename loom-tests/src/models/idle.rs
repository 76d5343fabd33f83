//! Parking and waking: work must not lie in a queue beside a worker that sleeps.
//!
//! The workers here do what the scheduler's do around [`Idle`]: announce, look once more, sleep, retract. A wake-up
//! that is lost leaves a thread asleep for ever, which loom reports as a deadlock.

use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

use crate::deque::Reachable;
use crate::explore::{three_threads, two_threads};
use crate::idle::{Idle, Unparked};
use crate::primitive::{Condvar, Mutex};
use crate::queue::Inbox;

/// Where a worker sleeps: a poller that remembers one wake-up.
struct Bed {
    notified: Mutex<bool>,
    changed: Condvar,
    n_notified: AtomicUsize,
}

impl Bed {
    fn new() -> Self {
        Self {
            notified: Mutex::new(false),
            changed: Condvar::new(),
            n_notified: AtomicUsize::new(0),
        }
    }

    fn notify(&self) {
        self.n_notified.fetch_add(1, Ordering::Relaxed);
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
}

struct Place {
    idle: Idle,
    queue: Reachable<u32>,
    inbox: Inbox<u32>,
    beds: Vec<Bed>,
    n_sleeps: AtomicUsize,
}

impl Place {
    fn new(n_workers: usize) -> Arc<Self> {
        Arc::new(Self {
            idle: Idle::new(n_workers, n_workers),
            queue: Reachable::new(),
            inbox: Inbox::new(),
            beds: (0..n_workers).map(|_| Bed::new()).collect(),
            n_sleeps: AtomicUsize::new(0),
        })
    }

    /// Work for anybody.
    fn publish(&self, item: u32) {
        self.queue.push(item);
        self.wake_one();
    }

    fn wake_one(&self) {
        if let Some(worker) = self.idle.choose_to_wake() {
            self.beds[worker].notify();
        }
    }

    /// Work for one.
    fn send(&self, worker: usize, item: u32) {
        self.inbox.push(item);
        if let Some(chosen) = self.idle.choose(worker) {
            self.beds[chosen].notify();
        }
    }

    fn see_work(&self) -> bool {
        !self.queue.is_empty() || !self.inbox.is_empty()
    }

    /// Works, as worker `index`, until it has one item.
    fn find(&self, index: usize) -> u32 {
        self.find_from(index, false)
    }

    /// The same for a worker that has announced its sleep already.
    fn find_from_bed(&self, index: usize) -> u32 {
        let searching = self.rest(index, false);
        self.find_from(index, searching)
    }

    /// Looks, and sleeps if there is nothing; gives whether it counts as searching.
    fn rest(&self, index: usize, was_searching: bool) -> bool {
        if self.see_work() {
            return self.idle.turn_back(index, was_searching);
        }
        self.n_sleeps.fetch_add(1, Ordering::Relaxed);
        self.beds[index].sleep();
        self.idle.retract_park(index) == Unparked::ByOther
    }

    fn find_from(&self, index: usize, mut searching: bool) -> u32 {
        loop {
            let found = self.queue.pop().or_else(|| {
                if self.inbox.is_empty() {
                    None
                } else {
                    self.inbox.take().pop_front()
                }
            });
            if let Some(item) = found {
                if searching && self.idle.stop_searching() && !self.queue.is_empty() {
                    self.wake_one();
                }
                return item;
            }
            if !searching && self.idle.start_searching(1) {
                searching = true;
                continue;
            }
            self.idle.announce_park(index, searching);
            searching = self.rest(index, searching);
        }
    }

    /// After all has been found and everybody is up, nobody counts as searching.
    fn finish(&self) {
        assert!(
            !self.idle.has_searchers(),
            "a searcher was counted and never left"
        );
        assert!(!self.idle.is_hungry());
    }
}

/// A push and a look for a sleeper against an announcement and a look for work. Catches either fence gone, a
/// sleep without the second look, and an announcement after it.
#[test]
fn a_push_is_seen_or_its_sleeper_is_woken() {
    two_threads(|| {
        let place = Place::new(1);
        let worker = thread::spawn({
            let place = Arc::clone(&place);
            move || place.find(0)
        });
        place.publish(7);
        assert_eq!(worker.join().expect("no panic"), 7);
        place.finish();
    });
}

/// The same for what only one worker can do. Catches the fence in `choose` gone, and a `choose` that relies on searchers.
#[test]
fn a_message_is_seen_or_its_receiver_is_woken() {
    two_threads(|| {
        let place = Place::new(1);
        let worker = thread::spawn({
            let place = Arc::clone(&place);
            move || place.find(0)
        });
        place.send(0, 7);
        assert_eq!(worker.join().expect("no panic"), 7);
        place.finish();
    });
}

/// Two producers and one sleeper: both items are found, a sleep is ended once, and at the end nobody counts as searching. Catches a
/// claim that is no exchange, and one that was outrun and leaves its count behind.
#[test]
fn two_producers_wake_one_sleeper_once_for_each_sleep() {
    three_threads(|| {
        let place = Place::new(1);
        place.idle.announce_park(0, false);
        let producers = [1, 2].map(|item| {
            let place = Arc::clone(&place);
            thread::spawn(move || place.publish(item))
        });
        assert_eq!(place.find_from_bed(0) + place.find(0), 3);
        for producer in producers {
            producer.join().expect("no panic");
        }
        let n_notified = place.beds[0].n_notified.load(Ordering::Relaxed);
        let n_sleeps = place.n_sleeps.load(Ordering::Relaxed);
        // A worker may be woken between its announcement and its sleep, once for each announcement.
        assert!(
            n_notified <= n_sleeps + 2,
            "{n_notified} wake-ups for {n_sleeps} sleeps"
        );
        place.finish();
    });
}

/// Two items and two workers, each of which is busy for ever with the first item that it finds: both are found. So the
/// last searcher that finds work wakes another for the rest, and a publisher may rely on a searcher. Catches a
/// finder that wakes nobody, and a claim that clears the bit before it counts the searcher.
#[test]
fn the_last_searcher_that_finds_work_wakes_another() {
    three_threads(|| {
        let place = Place::new(2);
        place.idle.announce_park(1, false);
        assert!(place.idle.start_searching(1));
        let searcher = thread::spawn({
            let place = Arc::clone(&place);
            move || place.find_from(0, true)
        });
        let sleeper = thread::spawn({
            let place = Arc::clone(&place);
            move || place.find_from_bed(1)
        });
        place.publish(1);
        place.publish(2);
        let found = searcher.join().expect("no panic") + sleeper.join().expect("no panic");
        assert_eq!(found, 3);
        place.finish();
    });
}

/// Work for anybody against work for one, of which each counts the same worker out of its sleep. Catches a claim
/// that counts a searcher for a bit it did not clear.
#[test]
fn a_worker_is_claimed_once() {
    three_threads(|| {
        let place = Place::new(1);
        place.idle.announce_park(0, false);
        let one = thread::spawn({
            let place = Arc::clone(&place);
            move || place.publish(1)
        });
        let other = thread::spawn({
            let place = Arc::clone(&place);
            move || place.send(0, 2)
        });
        assert_eq!(place.find_from_bed(0) + place.find(0), 3);
        one.join().expect("no panic");
        other.join().expect("no panic");
        place.finish();
    });
}

/// A claim of a sleeper that gets up by itself, and sleeps again, while a publisher takes the claim's count for a searcher and
/// leaves. The publisher comes when the worker has looked, so it can be on its thread.
fn outrun_by_the_sleeper(claim: fn(&Place)) {
    two_threads(move || {
        let place = Place::new(1);
        place.idle.announce_park(0, false);
        let claimer = thread::spawn({
            let place = Arc::clone(&place);
            move || claim(&place)
        });
        let searching = place.idle.retract_park(0) == Unparked::ByOther;
        place.idle.announce_park(0, searching);
        assert!(!place.see_work());
        place.publish(7);
        claimer.join().expect("no panic");
        let n_notified = place.beds[0].n_notified.load(Ordering::Relaxed);
        assert!(n_notified > 0, "asleep beside an item");
        if place.idle.retract_park(0) == Unparked::ByOther {
            place.idle.stop_searching();
        }
        place.finish();
    });
}

/// The claim of whoever wakes another for the rest of what it found. Catches a count that is taken back by somebody who then does
/// not look.
#[test]
fn a_claim_that_was_outrun_looks_for_whom_it_misled() {
    outrun_by_the_sleeper(Place::wake_one);
}

/// The claim of somebody who needs this worker and no other. Catches the same.
#[test]
fn a_message_that_was_outrun_looks_for_whom_it_misled() {
    outrun_by_the_sleeper(|place| {
        if let Some(chosen) = place.idle.choose(0) {
            place.beds[chosen].notify();
        }
    });
}
