//! Workers as they are: the loop, its queues, idle accounting, timers and driver, with tasks in them, all as shipped.
//!
//! Whoever waits in here is blocked until it happens, so a task or a wake-up that is lost leaves every thread asleep, which
//! loom reports as a deadlock.

use std::future::poll_fn;
use std::panic::Location;
use std::sync::Arc;
use std::task::{Poll, Wake, Waker, ready};
use std::time::Duration;

use loom::thread::{self, JoinHandle};

use crate::driver::{Direction, Driver, Wait};
use crate::explore::two_busy_threads;
use crate::poller::Source;
use crate::primitive::{Condvar, Mutex};
use crate::queue;
use crate::runners::waker_of;
use crate::scheduler::current::{io_driver, with_worker};
use crate::scheduler::ending;
use crate::scheduler::remote::Remote;
use crate::scheduler::shared::{Flavor, Settings, Shared, SpawnOptions};
use crate::scheduler::timers::{Alarm, Timer};
use crate::scheduler::worker::Seed;
use crate::slab;
use crate::task::handle::Task;

/// A runtime whose workers are threads of the model.
struct Place {
    shared: Arc<Shared>,
    /// For workers that have not begun.
    seeds: Vec<Seed>,
    workers: Vec<JoinHandle<()>>,
}

impl Place {
    fn new(n_workers: usize) -> Self {
        let (mut remotes, mut seeds) = (Vec::new(), Vec::new());
        for index in 0..n_workers {
            let queue = queue::Shared::new();
            remotes.push(Remote::new(index, queue.thief()));
            seeds.push(Seed { index, queue });
        }
        let driver = Driver::new(n_workers, 0).expect("pollers never fail");
        let settings = Settings {
            thread_name: String::new(),
            stack_bytes: None,
            shutdown_timeout: Duration::ZERO,
            stall_after: Duration::ZERO,
            eager_tasks: false,
        };
        let handler = Arc::new(|problem| panic!("{problem:?}"));
        let flavor = Flavor::MultiThread;
        let shared = Shared::new(flavor, remotes, n_workers, driver, handler, settings);
        Self {
            shared,
            seeds,
            workers: Vec::new(),
        }
    }

    /// All workers begin, on threads of their own.
    fn begin(&mut self) {
        for seed in self.seeds.drain(..) {
            let shared = Arc::clone(&self.shared);
            shared.gate.worker_begins();
            self.workers
                .push(thread::spawn(move || ending::work(&shared, seed)));
        }
    }

    /// The same with this thread as the last of them, when it has done something else, until a task stops the runtime.
    fn run_after(mut self, first: impl FnOnce()) {
        let seed = self.seeds.pop().expect("a worker");
        self.shared.gate.worker_begins();
        self.begin();
        first();
        ending::work(&self.shared, seed);
        self.join();
    }

    /// A task from outside, of which nobody keeps a handle.
    #[track_caller]
    fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        drop(spawn_on(&self.shared, future));
    }

    /// Ends it when its tasks have.
    fn finish(self) {
        self.shared.stop();
        self.join();
    }

    fn join(self) {
        for worker in self.workers {
            worker.join().expect("no panic");
        }
        assert!(
            !self.shared.idle.has_searchers(),
            "a searcher was counted and never left"
        );
    }
}

#[track_caller]
fn spawn_on<F>(shared: &Shared, future: F) -> Task<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    // SAFETY: the future is `Send` and `'static`.
    unsafe { shared.spawn(future, SpawnOptions::at(Location::caller())) }
}

/// So many have to come before anybody who waits goes on.
struct Meeting {
    n_missing: Mutex<usize>,
    changed: Condvar,
}

impl Meeting {
    fn of(n: usize) -> Arc<Self> {
        Arc::new(Self {
            n_missing: Mutex::new(n),
            changed: Condvar::new(),
        })
    }

    /// One of them is here; `true` if it is the last.
    fn come(&self) -> bool {
        let mut n_missing = self.n_missing.lock();
        *n_missing -= 1;
        self.changed.notify_all();
        *n_missing == 0
    }

    /// Blocks until all are here.
    fn wait(&self) {
        let mut n_missing = self.n_missing.lock();
        while *n_missing > 0 {
            self.changed.wait(&mut n_missing);
        }
    }
}

impl Wake for Meeting {
    fn wake(self: Arc<Self>) {
        self.come();
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
                let (driver, home) = io_driver().expect("on a worker");
                let registration = Driver::register(&driver, &source, home).expect("not over");
                poll_fn(|cx| {
                    loop {
                        let ready = registration.poll_ready(cx, Direction::Read, Wait::Polled);
                        let evidence = ready!(ready).expect("not over");
                        if source.read() {
                            return Poll::Ready(());
                        }
                        registration.clear_ready(evidence, Direction::Read);
                    }
                })
                .await;
                registration.deregister(&source).expect("never fails");
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
