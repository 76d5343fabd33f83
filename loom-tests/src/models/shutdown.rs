//! The end of a runtime: spawns, wakes and workers against it.

use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

use crate::deque::Reachable;
use crate::explore::{three_threads, two_threads};
use crate::idle::Idle;
use crate::runners::Common;
use crate::scheduler::gate::Gate;

/// A task that is made while the runtime closes is refused by its spawner or seen by the walk. Catches either fence
/// gone, a spawner that looks before it publishes, and a walk before the closing.
#[test]
fn a_spawn_is_refused_or_seen_by_the_walk() {
    two_threads(|| {
        let gate = Arc::new(Gate::new());
        let cell = Arc::new(AtomicUsize::new(0));
        let spawner = thread::spawn({
            let (gate, cell) = (Arc::clone(&gate), Arc::clone(&cell));
            move || {
                cell.store(1, Ordering::Release);
                gate.is_closed_to_newborn()
            }
        });
        gate.close();
        let seen = cell.load(Ordering::Relaxed) == 1;
        let refused = spawner.join().expect("no panic");
        assert!(refused || seen, "a task is forgotten");
    });
}

struct Ending {
    gate: Gate,
    idle: Idle,
    injector: Reachable<u32>,
    n_run: AtomicUsize,
    /// What is done before the stop.
    before_stop: Common,
}

impl Ending {
    fn new(n_workers: usize) -> Arc<Self> {
        let gate = Gate::new();
        (0..n_workers).for_each(|_| gate.worker_begins());
        Arc::new(Self {
            gate,
            idle: Idle::new(n_workers, n_workers),
            injector: Reachable::new(),
            n_run: AtomicUsize::new(0),
            before_stop: Common::new(),
        })
    }

    fn drain(&self) -> bool {
        let mut any = false;
        while self.injector.pop().is_some() {
            self.n_run.fetch_add(1, Ordering::Relaxed);
            any = true;
        }
        any
    }

    /// A waker that was about to queue a task when the end came.
    fn push(&self) {
        self.injector.push(1);
        assert_eq!(
            self.idle.choose_to_wake(),
            None,
            "no worker sleeps in this model"
        );
        self.drain_if_over();
    }

    /// The same without the look for a worker, and so without its fence.
    fn push_after_the_stop(&self) {
        self.injector.push(1);
        self.drain_if_over();
    }

    fn drain_if_over(&self) {
        if self.gate.is_over() {
            self.drain();
        }
    }

    /// The loop of a worker that never sleeps: ends once it has seen the stop, and nothing in one more look.
    fn work(&self) {
        loop {
            if self.drain() {
                continue;
            }
            if self.gate.is_stopped() {
                self.before_stop.touch();
                if !self.drain() {
                    break;
                }
            }
            thread::yield_now();
        }
        if self.gate.worker_ended() {
            self.drain();
        }
    }
}

/// A push from outside against the end of the last worker: one of them runs the task. Catches the fence at the worker's end gone,
/// the count read before the push, and a last worker that does not look again.
#[test]
fn a_late_push_is_run_by_the_last_worker_or_the_pusher() {
    two_threads(|| {
        let ending = Ending::new(1);
        ending.gate.stop();
        let waker = thread::spawn({
            let ending = Arc::clone(&ending);
            move || ending.push_after_the_stop()
        });
        ending.work();
        waker.join().expect("no panic");
        assert_eq!(
            ending.n_run.load(Ordering::Relaxed),
            1,
            "a task is forgotten"
        );
        assert!(ending.injector.is_empty());
    });
}

/// The same while the stop comes from a third thread: a pusher that did not see the stop has pushed in time, and a
/// worker that saw it sees what was done before. Catches a stop that is looked for before the push, the pusher's first fence gone,
/// and Relaxed in `stop` or `is_stopped`.
#[test]
fn a_push_during_the_stop_is_run() {
    three_threads(|| {
        let ending = Ending::new(1);
        let waker = thread::spawn({
            let ending = Arc::clone(&ending);
            move || ending.push()
        });
        let worker = thread::spawn({
            let ending = Arc::clone(&ending);
            move || ending.work()
        });
        ending.before_stop.touch();
        ending.gate.stop();
        waker.join().expect("no panic");
        worker.join().expect("no panic");
        assert_eq!(
            ending.n_run.load(Ordering::Relaxed),
            1,
            "a task is forgotten"
        );
    });
}

/// Two workers end while a waker pushes: the task is run once, whoever is last, and the last one sees what the other did.
/// Catches a count that is not an exchange.
#[test]
fn the_last_of_two_workers_looks_again() {
    three_threads(|| {
        let ending = Ending::new(2);
        ending.gate.stop();
        let memory = [Common::new(), Common::new()];
        let workers = [0, 1].map(|index| {
            let (ending, memory) = (Arc::clone(&ending), memory.clone());
            thread::spawn(move || {
                memory[index].touch();
                if ending.gate.worker_ended() {
                    memory[1 - index].touch();
                    ending.drain();
                }
            })
        });
        ending.push();
        for worker in workers {
            worker.join().expect("no panic");
        }
        assert_eq!(
            ending.n_run.load(Ordering::Relaxed),
            1,
            "a task is forgotten"
        );
    });
}
