//! Workers as they are: the loop, its queues, idle accounting, timers and driver, with tasks in them, all as shipped.
//!
//! Whoever waits in here is blocked until it happens, so a task or a wake-up that is lost leaves every thread asleep, which
//! loom reports as a deadlock.

use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};

use loom::thread;

use super::place::{Meeting, Place, read, spawn_on};
use crate::explore::{one_preemption, two_busy_threads};
use crate::poller::Source;
use crate::primitive::Tracked;
use crate::runners::waker_of;
use crate::scheduler::current::with_worker;
use crate::scheduler::ending;
use crate::scheduler::shared::SpawnOptions;
use crate::scheduler::timers::{Alarm, Timer};
use crate::slab;

/// Counts its wakes, and must not be left over.
#[derive(Default)]
struct Counted {
    n_wakes: AtomicUsize,
    _tracked: Tracked,
}

impl Wake for Counted {
    fn wake(self: Arc<Self>) {
        self.n_wakes.fetch_add(1, Ordering::Relaxed);
    }
}

/// A task comes from outside at any moment of a worker that runs dry, announces its sleep, looks and sleeps; and another one when
/// that is done. Catches a sleep without a look, a look that leaves out the injector, and an injection that wakes nobody.
#[test]
fn what_comes_from_outside_is_run() {
    two_busy_threads(|| {
        let mut place = Place::new(1);
        place.begin();
        for _ in 0..2 {
            let done = Meeting::of(1);
            place.spawn({
                let done = Arc::clone(&done);
                async move { assert!(done.come()) }
            });
            done.wait();
        }
        place.finish();
    });
}

/// The same for a task that is bound to the worker. Catches a look before the sleep that leaves out the inbox, and a message that
/// wakes nobody.
#[test]
fn what_is_bound_to_a_worker_is_run() {
    two_busy_threads(|| {
        let mut place = Place::new(1);
        place.begin();
        let done = Meeting::of(1);
        let body = {
            let done = Arc::clone(&done);
            async move { assert!(done.come()) }
        };
        let mut options = SpawnOptions::at(Location::caller());
        options.home = Some(0);
        // SAFETY: the future is `Send` and `'static`.
        drop(unsafe { place.shared.spawn(body, options) });
        done.wait();
        place.finish();
    });
}

/// A timer is armed from outside at any moment of a worker that goes to sleep: it fires, and not before its time. Catches an arming that
/// does not wake the worker, and a sleep that knows no deadlines.
#[test]
fn a_timer_from_outside_goes_off() {
    two_busy_threads(|| {
        let mut place = Place::new(1);
        place.begin();
        let fired = Meeting::of(1);
        let alarm = Alarm::Wake(Waker::from(Arc::clone(&fired)));
        Timer::arm(&place.shared, 60_000, alarm).let_go();
        fired.wait();
        assert!(place.shared.clock.now_ns() >= 60_000);
        place.finish();
    });
}

/// A timer is taken back from outside at any moment of its worker, which may be firing it: either it is taken back, and wakes nobody, or
/// it wakes once. The next one, in the same place, goes off. Catches a worker that keeps a timer to itself, and a timer that is taken back
/// twice.
#[test]
fn a_timer_is_taken_back_while_its_worker_fires() {
    one_preemption(|| {
        let mut place = Place::new(1);
        place.begin();
        let taken_back = Arc::new(Counted::default());
        let alarm = Alarm::Wake(Waker::from(Arc::clone(&taken_back)));
        let timer = Timer::arm(&place.shared, 60_000, alarm);
        let n_disarmed = usize::from(timer.disarm());
        drop(timer);
        let fired = Meeting::of(1);
        let alarm = Alarm::Wake(Waker::from(Arc::clone(&fired)));
        Timer::arm(&place.shared, 60_000, alarm).let_go();
        fired.wait();
        place.finish();
        let n_woken = taken_back.n_wakes.load(Ordering::Relaxed);
        assert_eq!(n_disarmed + n_woken, 1);
    });
}

/// A task waits for a source while the worker goes to sleep in its poller, and bytes come: it reads them. Catches a sleep that keeps what
/// it was told to itself.
#[test]
fn what_arrives_is_read() {
    two_busy_threads(|| {
        let mut place = Place::new(1);
        place.begin();
        let source = Arc::new(Source::default());
        let done = Meeting::of(1);
        place.spawn({
            let (source, done) = (Arc::clone(&source), Arc::clone(&done));
            async move {
                read(source).await;
                done.come();
            }
        });
        source.fill();
        done.wait();
        place.finish();
    });
}

/// A poll that is about to block hands over what waits behind it: another worker runs that meanwhile. Catches a hand-over that wakes
/// nobody.
#[test]
fn what_is_handed_over_is_run_beside_a_poll_that_blocks() {
    two_busy_threads(|| {
        let place = Place::new(2);
        place.spawn({
            let (shared, behind) = (Arc::downgrade(&place.shared), Meeting::of(1));
            async move {
                let shared = shared.upgrade().expect("in use");
                drop(spawn_on(&shared, {
                    let behind = Arc::clone(&behind);
                    async move { assert!(behind.come()) }
                }));
                with_worker(|worker| {
                    let _handed_over = worker.expect("on a worker").hand_over();
                    behind.wait();
                });
                shared.stop();
            }
        });
        place.run_after(|| ());
    });
}

/// A runtime is ended by its only worker while a task is spawned from outside, and another one, which is suspended or about to be, is woken:
/// both end. Catches a waker that leaves its task to workers that are gone.
#[test]
fn the_end_meets_a_spawn_and_a_wake() {
    two_busy_threads(|| {
        let place = Place::new(1);
        slab::prepare(2);
        let suspended = spawn_on(&place.shared, std::future::pending::<()>());
        let outside = thread::spawn({
            let shared = Arc::clone(&place.shared);
            let waker = waker_of(&suspended.task_ref());
            move || {
                waker.wake();
                spawn_on(&shared, async {})
            }
        });
        let shared = Arc::clone(&place.shared);
        place.run_after(|| {
            shared.gate.close();
            ending::kill_all(&shared);
            shared.stop();
        });
        let spawned = outside.join().expect("no panic");
        assert!(suspended.is_finished() && spawned.is_finished());
    });
}
