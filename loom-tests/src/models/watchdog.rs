//! The watchdog beside workers, both as shipped: a model does its ticks. Two of them make a poll that lasts *stuck*.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Poll, Waker, ready};

use loom::thread;

use super::place::{Meeting, Place, spawn_on};
use crate::driver::{Direction, Driver, Wait};
use crate::explore::{one_preemption, two_threads};
use crate::idle::Unparked;
use crate::poller::Source;
use crate::scheduler::current::io_driver;
use crate::scheduler::shared::Shared;
use crate::scheduler::timers::{Alarm, Timer};
use crate::scheduler::watchdog::Watch;

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

/// The only worker wakes up while the watchdog goes to sleep: it is seen, or wakes the watchdog. Catches the fence of either gone.
#[test]
fn who_wakes_up_is_seen_or_wakes_the_watchdog() {
    two_threads(|| {
        let place = Place::new(1);
        let mut watch = quiet_watch(&place.shared);
        let worker = thread::spawn({
            let shared = Arc::clone(&place.shared);
            move || {
                assert_eq!(shared.idle.retract_park(0), Unparked::BySelf);
                shared.watchdog.ensure_awake(&shared);
            }
        });
        if watch.may_sleep() {
            assert!(place.shared.watchdog.wait(None));
        }
        worker.join().expect("no panic");
    });
}

/// A task queues another one and blocks until that has run; the other worker is anywhere on its way to sleep. Catches a watchdog to which no poll is
/// stuck, and one that keeps what it has taken.
#[test]
fn what_waits_behind_a_stuck_poll_is_run_elsewhere() {
    one_preemption(|| {
        let mut place = Place::new(2);
        let (inside, behind) = (Meeting::of(1), Meeting::of(1));
        place.spawn({
            let (inside, behind) = (Arc::clone(&inside), Arc::clone(&behind));
            let shared = Arc::downgrade(&place.shared);
            async move {
                let shared = shared.upgrade().expect("in use");
                drop(spawn_on(&shared, {
                    let behind = Arc::clone(&behind);
                    async move { assert!(behind.come()) }
                }));
                inside.come();
                behind.wait();
            }
        });
        let mut watch = Watch::new(Arc::clone(&place.shared));
        place.begin();
        inside.wait();
        watch.tick();
        watch.tick();
        behind.wait();
        place.finish();
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
            watch.tick();
            watch.tick();
        });
    });
}

/// A poll lasts until a timer of its worker's own has gone off. Catches a rescue that leaves timers where they are.
#[test]
fn a_timer_behind_a_stuck_poll_goes_off() {
    one_preemption(|| {
        let mut place = Place::new(2);
        let (inside, fired) = (Meeting::of(1), Meeting::of(1));
        place.spawn({
            let (inside, fired) = (Arc::clone(&inside), Arc::clone(&fired));
            let shared = Arc::downgrade(&place.shared);
            async move {
                let shared = shared.upgrade().expect("in use");
                let due_ns = shared.clock.now_ns();
                let alarm = Alarm::Wake(Waker::from(Arc::clone(&fired)));
                Timer::arm(&shared, due_ns, alarm).let_go();
                inside.come();
                fired.wait();
            }
        });
        let mut watch = Watch::new(Arc::clone(&place.shared));
        place.begin();
        inside.wait();
        watch.tick();
        watch.tick();
        fired.wait();
        place.finish();
    });
}

/// A poll lasts until another task has read what arrives at a source of its worker's. Catches a rescue that does not look into the
/// poller, or keeps what it is told.
#[test]
fn what_arrives_behind_a_stuck_poll_is_read() {
    one_preemption(|| {
        let mut place = Place::new(2);
        let source = Arc::new(Source::default());
        let (inside, read) = (Meeting::of(1), Meeting::of(1));
        place.spawn({
            let (source, read, inside) =
                (Arc::clone(&source), Arc::clone(&read), Arc::clone(&inside));
            let shared = Arc::downgrade(&place.shared);
            async move {
                let shared = shared.upgrade().expect("in use");
                let (driver, home) = io_driver().expect("on a worker");
                let registration = Driver::register(&driver, &source, home).expect("not over");
                let stuck = Arc::clone(&read);
                let mut stuck = Some(async move {
                    inside.come();
                    stuck.wait();
                });
                poll_fn(|cx| {
                    loop {
                        let ready = registration.poll_ready(cx, Direction::Read, Wait::Polled);
                        // Behind this one, when it waits.
                        if let Some(stuck) = stuck.take() {
                            drop(spawn_on(&shared, stuck));
                        }
                        let evidence = ready!(ready).expect("not over");
                        if source.read() {
                            return Poll::Ready(());
                        }
                        registration.clear_ready(evidence, Direction::Read);
                    }
                })
                .await;
                registration.deregister(&source).expect("never fails");
                read.come();
            }
        });
        let mut watch = Watch::new(Arc::clone(&place.shared));
        place.begin();
        inside.wait();
        source.fill();
        watch.tick();
        watch.tick();
        read.wait();
        place.finish();
    });
}

/// The only worker is stuck for long, and a task waits behind its poll: a spare worker comes and runs it. Catches a watchdog that calls
/// none.
#[test]
fn a_spare_worker_comes_when_all_are_stuck() {
    one_preemption(|| {
        let mut place = Place::with_spares(1, 1);
        let (inside, behind) = (Meeting::of(1), Meeting::of(1));
        place.spawn({
            let (inside, behind) = (Arc::clone(&inside), Arc::clone(&behind));
            let shared = Arc::downgrade(&place.shared);
            async move {
                let shared = shared.upgrade().expect("in use");
                drop(spawn_on(&shared, {
                    let behind = Arc::clone(&behind);
                    async move { assert!(behind.come()) }
                }));
                inside.come();
                behind.wait();
            }
        });
        let mut watch = Watch::new(Arc::clone(&place.shared));
        place.begin();
        inside.wait();
        for _ in 0..TICKS_UNTIL_SPARE {
            watch.tick();
        }
        behind.wait();
        place.finish();
    });
}
