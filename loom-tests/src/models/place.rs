//! A runtime with the shipped workers, for the models of them.

use std::future::poll_fn;
use std::panic::Location;
use std::sync::Arc;
use std::task::{Poll, Wake, ready};
use std::time::Duration;

use loom::thread::{self, JoinHandle};

use crate::driver::{Direction, Driver, Wait};
use crate::poller::Source;
use crate::primitive::{Condvar, Mutex};
use crate::queue;
use crate::scheduler::current::io_driver;
use crate::scheduler::ending;
use crate::scheduler::remote::Remote;
use crate::scheduler::shared::{Flavor, Settings, Shared, SpawnOptions};
use crate::scheduler::worker::{Seed, Worker};
use crate::task::handle::Task;

/// A runtime whose workers are threads of the model.
pub(super) struct Place {
    pub(super) shared: Arc<Shared>,
    /// For workers that have not begun.
    seeds: Vec<Seed>,
    workers: Vec<JoinHandle<()>>,
}

impl Place {
    pub(super) fn new(n_workers: usize) -> Self {
        Self::with_spares(n_workers, 0)
    }

    /// One in which so many workers may be called when all are stuck.
    pub(super) fn with_spares(n_workers: usize, n_spares: usize) -> Self {
        let (mut remotes, mut seeds) = (Vec::new(), Vec::new());
        for index in 0..n_workers + n_spares {
            let queue = queue::Shared::new();
            remotes.push(Remote::new(index, queue.thief()));
            seeds.push(Seed { index, queue });
        }
        let driver = Driver::new(n_workers, n_spares).expect("pollers never fail");
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
        for spare in seeds.drain(n_workers..) {
            shared.threads.return_seed(spare);
        }
        Self {
            shared,
            seeds,
            workers: Vec::new(),
        }
    }

    /// All workers begin, on threads of their own.
    pub(super) fn begin(&mut self) {
        for seed in self.seeds.drain(..) {
            let shared = Arc::clone(&self.shared);
            shared.gate.worker_begins();
            self.workers
                .push(thread::spawn(move || ending::work(&shared, seed)));
        }
    }

    /// The last of those that have not begun does one thing, on a thread of its own, while this one does something else.
    pub(super) fn beside_worker(
        &mut self,
        body: impl FnOnce(&Worker) + 'static,
        meanwhile: impl FnOnce(),
    ) {
        let seed = self.seeds.pop().expect("a worker");
        let shared = Arc::clone(&self.shared);
        let worker = thread::spawn(move || Worker::enter(&shared, seed, body).1);
        meanwhile();
        self.seeds.push(worker.join().expect("no panic"));
    }

    /// All begin, with this thread as the last of them, when it has done something else, until a task stops the runtime.
    pub(super) fn run_after(mut self, first: impl FnOnce()) {
        let seed = self.seeds.pop().expect("a worker");
        self.shared.gate.worker_begins();
        self.begin();
        first();
        ending::work(&self.shared, seed);
        self.join();
    }

    /// A task from outside, of which nobody keeps a handle.
    #[track_caller]
    pub(super) fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        drop(spawn_on(&self.shared, future));
    }

    /// Ends it when its tasks have.
    pub(super) fn finish(self) {
        self.shared.stop();
        self.join();
    }

    fn join(self) {
        for worker in self.workers {
            worker.join().expect("no panic");
        }
        self.shared.threads.join();
        assert!(
            !self.shared.idle.has_searchers(),
            "a searcher was counted and never left"
        );
    }
}

#[track_caller]
pub(super) fn spawn_on<F>(shared: &Shared, future: F) -> Task<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    // SAFETY: the future is `Send` and `'static`.
    unsafe { shared.spawn(future, SpawnOptions::at(Location::caller())) }
}

/// Reads what comes, once, as a task on a worker.
pub(super) async fn read(source: Arc<Source>) {
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
}

/// So many have to come before anybody who waits goes on.
pub(super) struct Meeting {
    n_missing: Mutex<usize>,
    changed: Condvar,
}

impl Meeting {
    pub(super) fn of(n: usize) -> Arc<Self> {
        Arc::new(Self {
            n_missing: Mutex::new(n),
            changed: Condvar::new(),
        })
    }

    /// One of them is here; `true` if it is the last.
    pub(super) fn come(&self) -> bool {
        let mut n_missing = self.n_missing.lock();
        *n_missing -= 1;
        self.changed.notify_all();
        *n_missing == 0
    }

    /// Blocks until all are here.
    pub(super) fn wait(&self) {
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
