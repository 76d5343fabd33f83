//! The watchdog beside workers, both as shipped: a model does its ticks. Two of them make a poll that lasts *stuck*.

use std::sync::Arc;
use std::task::Waker;

use futures::future::join;

use super::place::{Meeting, Place, read, spawn_on};
use crate::explore::{one_preemption, two_threads};
use crate::poller::{Events, Source};
use crate::scheduler::shared::Shared;
use crate::scheduler::timers::{Alarm, Timer};
use crate::scheduler::watchdog::Watch;
use crate::scheduler::worker::Worker;

/// Ticks until a poll is stuck.
const TICKS_UNTIL_STUCK: usize = 2;
/// More ticks than it takes until a spare worker is called, and than it takes until the watchdog sleeps.
const TICKS_UNTIL_SPARE: usize = 12;
const TICKS_UNTIL_SLEEP: usize = 30;

/// A watchdog that has seen nobody awake for long: it would go to sleep.
fn quiet_watch(shared: &Arc<Shared>) -> Watch {
    shared.watchdog.ensure_awake(shared);
    shared.idle.announce_park(0, false);
    let mut watch = Watch::new(Arc::clone(shared));
    for _ in 0..TICKS_UNTIL_SLEEP {
        watch.tick();
    }
    watch
}

/// A poll that blocks until something has happened behind it.
#[derive(Clone)]
struct Stuck {
    begun: Arc<Meeting>,
    over: Arc<Meeting>,
}

impl Stuck {
    fn new() -> Self {
        Self {
            begun: Meeting::of(1),
            over: Meeting::of(1),
        }
    }

    /// The poll of a task that first spawns another one behind it, which ends it.
    fn behind_itself(place: &Place) -> Self {
        let stuck = Self::new();
        place.spawn({
            let (stuck, shared) = (stuck.clone(), Arc::downgrade(&place.shared));
            async move {
                let shared = shared.upgrade().expect("in use");
                let over = Arc::clone(&stuck.over);
                drop(spawn_on(&shared, async move { assert!(over.come()) }));
                stuck.block();
            }
        });
        stuck
    }

    fn block(&self) {
        self.begun.come();
        self.over.wait();
    }

    /// Workers begin, the poll lasts, `meanwhile` happens, the watchdog ticks: the poll ends all the same.
    fn is_relieved(&self, mut place: Place, n_ticks: usize, meanwhile: impl FnOnce()) {
        let mut watch = Watch::new(Arc::clone(&place.shared));
        place.begin();
        self.begun.wait();
        meanwhile();
        for _ in 0..n_ticks {
            watch.tick();
        }
        self.over.wait();
        place.finish();
    }
}

/// The watchdog goes to sleep beside the only worker, which leaves its own sleep by the shipped steps: it is seen, or wakes the watchdog.
fn meets_a_watchdog_that_goes_to_sleep(prepare: fn(&Place)) {
    two_threads(move || {
        let mut place = Place::new(1);
        prepare(&place);
        let shared = Arc::clone(&place.shared);
        let mut watch = quiet_watch(&shared);
        place.beside_worker(Worker::park, || {
            if watch.may_sleep() {
                assert!(shared.watchdog.wait(None));
            }
        });
        place.run_after(|| shared.stop());
    });
}

/// A worker that is woken in its poller. Catches one that does not tell the watchdog, and the watchdog's fence gone.
#[test]
fn who_wakes_up_is_seen_or_wakes_the_watchdog() {
    meets_a_watchdog_that_goes_to_sleep(|place| {
        place.shared.driver.poller(0).notify().expect("never fails");
    });
}

/// A worker that has announced its sleep and turns back, since it sees work. Catches one that does not tell the watchdog, and the worker's
/// fence gone (on the other way there are more fences).
#[test]
fn who_turns_back_is_seen_or_wakes_the_watchdog() {
    meets_a_watchdog_that_goes_to_sleep(|place| place.spawn(async {}));
}

/// Somebody looks into the poller of a worker that goes to sleep there, and takes the notification of what has been queued for it. Catches one who
/// keeps that to himself.
#[test]
fn a_notification_that_a_visitor_takes_is_passed_on() {
    two_threads(|| {
        let mut place = Place::new(1);
        let shared = Arc::clone(&place.shared);
        let wakes_up = |worker: &Worker| {
            worker.park();
            worker.run_until(|| true);
        };
        place.beside_worker(wakes_up, || {
            drop(spawn_on(&shared, async {}));
            let visited = shared.driver.visit(0, &mut Events::new(), &mut Vec::new());
            assert!(visited.is_ok());
        });
        place.run_after(|| shared.stop());
    });
}

/// A task queues another one and blocks until that has run; the other worker is anywhere on its way to sleep. Catches a watchdog to which no poll is
/// stuck, and one that keeps what it has taken.
#[test]
fn what_waits_behind_a_stuck_poll_is_run_elsewhere() {
    one_preemption(|| {
        let place = Place::new(2);
        Stuck::behind_itself(&place).is_relieved(place, TICKS_UNTIL_STUCK, || ());
    });
}

/// A poll that was taken for stuck ends while the watchdog takes over what it has queued: that is run once, by its worker or by this thread, which
/// becomes one. Catches a visit beside the owner.
#[test]
fn a_poll_that_ends_meets_its_rescue() {
    one_preemption(|| {
        let place = Place::new(2);
        let inside = Meeting::of(1);
        place.spawn({
            let inside = Arc::clone(&inside);
            let shared = Arc::downgrade(&place.shared);
            async move {
                let shared = shared.upgrade().expect("in use");
                let stop = Arc::clone(&shared);
                drop(spawn_on(&shared, async move { stop.stop() }));
                inside.come();
            }
        });
        let mut watch = Watch::new(Arc::clone(&place.shared));
        place.run_after(|| {
            inside.wait();
            for _ in 0..TICKS_UNTIL_STUCK {
                watch.tick();
            }
        });
    });
}

/// A poll lasts until a timer of its worker's own has gone off. Catches a rescue that leaves timers where they are.
#[test]
fn a_timer_behind_a_stuck_poll_goes_off() {
    one_preemption(|| {
        let place = Place::new(2);
        let stuck = Stuck::new();
        place.spawn({
            let (stuck, shared) = (stuck.clone(), Arc::downgrade(&place.shared));
            async move {
                let shared = shared.upgrade().expect("in use");
                let alarm = Alarm::Wake(Waker::from(Arc::clone(&stuck.over)));
                Timer::arm(&shared, shared.clock.now_ns(), alarm).let_go();
                stuck.block();
            }
        });
        stuck.is_relieved(place, TICKS_UNTIL_STUCK, || ());
    });
}

/// A poll lasts until another task has read what arrives at a source of its worker's. Catches a rescue that does not look into the
/// poller, or keeps what it is told.
#[test]
fn what_arrives_behind_a_stuck_poll_is_read() {
    one_preemption(|| {
        let place = Place::new(2);
        let source = Arc::new(Source::default());
        let stuck = Stuck::new();
        place.spawn({
            let (stuck, shared) = (stuck.clone(), Arc::downgrade(&place.shared));
            let source = Arc::clone(&source);
            async move {
                let shared = shared.upgrade().expect("in use");
                let over = Arc::clone(&stuck.over);
                // In the same poll as the first look at the source: what blocks runs behind who waits for it.
                let block = async { drop(spawn_on(&shared, async move { stuck.block() })) };
                join(read(source), block).await;
                over.come();
            }
        });
        stuck.is_relieved(place, TICKS_UNTIL_STUCK, || source.fill());
    });
}

/// The only worker is stuck for long, and a task waits behind its poll: a spare worker comes and runs it. Catches a watchdog that calls
/// none.
#[test]
fn a_spare_worker_comes_when_all_are_stuck() {
    one_preemption(|| {
        let place = Place::with_spares(1, 1);
        Stuck::behind_itself(&place).is_relieved(place, TICKS_UNTIL_SPARE, || ());
    });
}
