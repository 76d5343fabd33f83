//! What happens beside the deterministic loop and yet belongs to its model: simulated threads, for example.

use std::sync::Weak;
use std::time::Instant;

use crate::primitive::Arc;
use crate::scheduler::current;
use crate::scheduler::deterministic;
use crate::scheduler::outside::Kind;
use crate::scheduler::shared::{Flavor, Shared};
use crate::task::job::Job;

/// A deterministic runtime as seen by those who simulate something beside its loop, such as threads that run jobs.
///
/// They have *outside events* happen at instants of virtual time: calls on the loop's thread, between its cycles, before
/// the timers of the same instant. It does not keep the runtime: once that has gone events are dropped.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use tasca_core::{Runtime, Simulation, promise};
///
/// let rt = Runtime::builder().deterministic(0).build()?;
/// rt.block_on(async {
///     let model = Simulation::current().unwrap();
///     let begin = model.time();
///     let (promise, task) = promise();
///     model.call_at(begin + Duration::from_secs(3600), move || promise.set(()).unwrap());
///     task.await;
///     assert_eq!(model.time() - begin, Duration::from_secs(3600));
/// });
/// # Ok::<_, std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Simulation {
    shared: Weak<Shared>,
}

impl Simulation {
    /// Gives the model of the runtime that this thread is in, if that is a deterministic one.
    #[inline]
    #[must_use]
    pub fn current() -> Option<Self> {
        current::with_shared(|shared| {
            let shared = shared?;
            matches!(shared.flavor, Flavor::Deterministic { .. }).then(|| Self {
                shared: Arc::downgrade(&shared.keep_alive()),
            })
        })
    }

    /// Whether the two are of one runtime.
    #[must_use]
    pub fn is_same_as(&self, other: &Self) -> bool {
        Weak::ptr_eq(&self.shared, &other.shared)
    }

    /// Whether the runtime is still there.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.shared.strong_count() > 0
    }

    /// Whether this thread is the one that runs the loop at this moment.
    #[must_use]
    pub fn is_loop_here(&self) -> bool {
        current::with_worker(|worker| {
            worker.is_some_and(|worker| std::ptr::eq(worker.shared(), self.shared.as_ptr()))
        })
    }

    /// Reads the virtual clock; real time once the runtime has gone.
    #[must_use]
    pub fn time(&self) -> Instant {
        self.shared
            .upgrade()
            .map_or_else(Instant::now, |shared| shared.clock.now())
    }

    /// Has `event` called at `when`, or in the next cycle if that is past; from any thread. Of those that are due together,
    /// the first arranged comes first with seed 0, any with another.
    pub fn call_at(&self, when: Instant, event: impl FnOnce() + Send + 'static) {
        if let Some(shared) = self.shared.upgrade() {
            let at_ns = shared.clock.ns_of(when);
            shared
                .deterministic
                .outside
                .arrange(at_ns, Kind::Work, Box::new(event));
            shared.deterministic.notify();
        }
    }

    /// Has an interrupt come at `when`, unless the program has ended by then: what SIGINT is to a program in real time, here for the main task
    /// of this runtime alone. Of what is due together interrupts come last. `at_that` is called first, on the loop's thread.
    ///
    /// The first interrupt in a run cancels its main task. The second, one that finds main done, and one while
    /// [`cancel_tasks`](crate::Runtime::cancel_tasks) waits stop the loop at once, as they cannot elsewhere: the run, or the waiting, is over.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use tasca_core::{Runtime, Simulation, catch_cancelled, time::sleep};
    ///
    /// let rt = Runtime::builder().deterministic(0).build()?;
    /// let ended = rt.run(async {
    ///     let model = Simulation::current().unwrap();
    ///     model.interrupt_at(model.time() + Duration::from_secs(60), || ());
    ///     let interrupted = catch_cancelled(sleep(Duration::from_secs(3600))).await.unwrap_err();
    ///     sleep(Duration::from_secs(1)).await; // Clean-up.
    ///     interrupted.reraise::<()>().await
    /// });
    /// assert!(ended.unwrap_err().is_interrupted());
    /// # Ok::<_, std::io::Error>(())
    /// ```
    pub fn interrupt_at(&self, when: Instant, at_that: impl FnOnce() + Send + 'static) {
        let Some(shared) = self.shared.upgrade() else {
            return;
        };
        let runtime = Weak::clone(&self.shared);
        let interrupt = move || {
            at_that();
            if let Some(shared) = runtime.upgrade() {
                shared.deterministic.interrupts.interrupt();
            }
        };
        let at_ns = shared.clock.ns_of(when);
        let outside = &shared.deterministic.outside;
        outside.arrange(at_ns, Kind::Interrupt, Box::new(interrupt));
        shared.deterministic.notify();
    }

    /// Keeps the clock from jumping until the hold is dropped: something is under way that takes no virtual time.
    #[must_use = "time goes on when the hold is dropped"]
    pub fn hold_time(&self) -> TimeHold {
        if let Some(shared) = self.shared.upgrade() {
            shared.deterministic.job_began();
        }
        TimeHold {
            shared: Weak::clone(&self.shared),
        }
    }

    /// Makes `job` part of the model: unlike a job on a thread outside it, it does not hold time from now to its end.
    pub fn adopt(&self, job: &Job) {
        if let Some(shared) = self.shared.upgrade()
            && job.take_clock(&*shared)
        {
            shared.deterministic.job_ended();
        }
    }

    /// Delivers events, without a loop, until `is_over` or there are none left. `false`, and nothing is done, if
    /// another thread runs the loop: it delivers them.
    pub fn run_events(&self, is_over: impl Fn() -> bool) -> bool {
        let Some(shared) = self.shared.upgrade() else {
            return false;
        };
        if self.is_loop_here() {
            deterministic::run_events(&shared, is_over);
            return true;
        }
        // Who has the seed may act for the loop.
        let Some(seed) = shared.threads.take_seed(0) else {
            return false;
        };
        deterministic::run_events(&shared, is_over);
        shared.threads.return_seed(seed);
        true
    }
}

/// The virtual clock does not jump while this lives; see [`Simulation::hold_time`].
#[derive(Debug)]
pub struct TimeHold {
    shared: Weak<Shared>,
}

impl Drop for TimeHold {
    fn drop(&mut self) {
        if let Some(shared) = self.shared.upgrade() {
            shared.deterministic.job_ended();
        }
    }
}
