//! Thread pools: the queue, the idle threads, growth, retirement and the end.
//!
//! Timed waits do not depend on a clock here: [`expiring`] says how many of a thread's next ones expire, at once. What others
//! do while such a wait lets go of the lock is explored like everything else, so the moment of expiry is any moment.

#[path = "../../../crates/tasca-blocking/src/crew/mod.rs"]
#[expect(dead_code, reason = "some questions are asked by the pool only")]
mod crew;

use std::collections::VecDeque;
use std::sync::Arc as StdArc;
use std::sync::atomic::{AtomicUsize as Count, Ordering::Relaxed};
use std::time::{Duration, Instant};

use loom::sync::{Arc, Notify};
use loom::thread;

use crate::explore::{three_threads, two_busy_threads, two_threads};
use crate::primitive::Mutex;
use crate::runners::Touched;
use crate::task::job::JobBuilder;
use crate::task::job_queue::JobQueue;
use crew::{Call, Crew, Failed, Limits, Line, Refusal, Work};

/// What `tasca_blocking::primitive` is there.
mod primitive {
    use std::cell::Cell;
    use std::time::{Duration, Instant};

    pub(crate) use crate::primitive::{AtomicUsize, Mutex, MutexGuard, Ordering};

    loom::thread_local! {
        static EXPIRING: Cell<usize> = Cell::new(0);
    }

    /// Has the next `n` timed waits of this thread expire.
    pub(crate) fn expiring(n: usize) {
        EXPIRING.with(|left| left.set(n));
    }

    fn expires() -> bool {
        EXPIRING.with(|left| {
            let n = left.get();
            left.set(n.saturating_sub(1));
            n > 0
        })
    }

    /// At most one thread sleeps at a time on any of these, but for the last.
    #[derive(Debug)]
    pub(crate) struct Condvar(crate::primitive::Condvar);

    impl Condvar {
        pub(crate) fn new() -> Self {
            Self(crate::primitive::Condvar::new())
        }

        pub(crate) fn notify_one(&self) {
            self.0.notify_all();
        }

        pub(crate) fn notify_all(&self) {
            self.0.notify_all();
        }
    }

    pub(crate) fn spin_until(is_over: impl Fn() -> bool) {
        let _seen = is_over();
    }

    pub(crate) fn wait_for<'a, T>(
        mutex: &'a Mutex<T>,
        condvar: &Condvar,
        guard: MutexGuard<'a, T>,
        _: Duration,
    ) -> (MutexGuard<'a, T>, bool) {
        wait(mutex, condvar, guard, expires())
    }

    pub(crate) fn wait_until<'a, T>(
        mutex: &'a Mutex<T>,
        condvar: &Condvar,
        guard: MutexGuard<'a, T>,
        deadline: Option<Instant>,
    ) -> (MutexGuard<'a, T>, bool) {
        wait(mutex, condvar, guard, deadline.is_some() && expires())
    }

    fn wait<'a, T>(
        mutex: &'a Mutex<T>,
        condvar: &Condvar,
        mut guard: MutexGuard<'a, T>,
        expires: bool,
    ) -> (MutexGuard<'a, T>, bool) {
        if expires {
            drop(guard);
            loom::thread::yield_now();
            return (mutex.lock(), true);
        }
        condvar.0.wait(&mut guard);
        (guard, false)
    }
}

use primitive::expiring;

/// What became of the jobs of one model.
#[derive(Default)]
struct Ends {
    n_ran: Count,
    n_dropped: Count,
}

/// A job that counts itself, and may wait for something.
struct Job {
    ends: StdArc<Ends>,
    ran: bool,
    waits_for: Option<Arc<Notify>>,
    tells: Option<Arc<Notify>>,
}

impl Job {
    fn new(ends: &StdArc<Ends>) -> Self {
        Self {
            ends: StdArc::clone(ends),
            ran: false,
            waits_for: None,
            tells: None,
        }
    }

    fn waiting_for(mut self, event: &Arc<Notify>) -> Self {
        self.waits_for = Some(Arc::clone(event));
        self
    }

    fn telling(mut self, event: &Arc<Notify>) -> Self {
        self.tells = Some(Arc::clone(event));
        self
    }
}

impl Work for Job {
    type Label = ();
    type Line = VecDeque<Self>;

    fn run(mut self) {
        if let Some(event) = self.waits_for.take() {
            event.wait();
        }
        if let Some(event) = self.tells.take() {
            event.notify();
        }
        self.ran = true;
        self.ends.n_ran.fetch_add(1, Relaxed);
    }

    fn label(&self) {}
}

impl Line<Job> for VecDeque<Job> {
    fn len(&self) -> usize {
        Self::len(self)
    }

    fn push_back(&mut self, job: Job) {
        Self::push_back(self, job);
    }

    fn pop_front(&mut self) -> Option<Job> {
        Self::pop_front(self)
    }

    fn take_husks(&mut self) -> Self {
        // No model has as many jobs as are swept.
        Self::new()
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        if !self.ran {
            self.ends.n_dropped.fetch_add(1, Relaxed);
        }
    }
}

/// A crew whose threads are loom's.
#[derive(Clone)]
struct Pool {
    crew: Arc<Crew<Job>>,
    /// So many timed waits of each thread expire.
    n_expiring: usize,
    /// So many starts fail.
    n_failing: StdArc<Count>,
}

impl Pool {
    fn new(n_base: usize, n_max: usize, n_expiring: usize) -> Self {
        let limits = Limits {
            n_base,
            n_min: 0,
            n_max,
            n_queued_max: 8,
            keep_alive: Duration::ZERO,
            window: Duration::ZERO,
            start_pause: Duration::ZERO,
            has_timers: true,
        };
        Self {
            crew: Arc::new(Crew::new(limits)),
            n_expiring,
            n_failing: StdArc::default(),
        }
    }

    /// As `ThreadPool` does it.
    fn submit(&self, job: Job) -> Result<(), Refusal> {
        match self.crew.submit(job) {
            Ok(call) => {
                self.carry_out(call);
                Ok(())
            }
            Err((refusal, job)) => {
                drop(job);
                Err(refusal)
            }
        }
    }

    fn carry_out(&self, call: Call) {
        match call {
            Call::Nobody => {}
            Call::Wake(seat) => self.crew.wake(seat),
            Call::Later(_) => {
                let call = self.crew.retry();
                self.carry_out(call);
            }
            Call::Start(seat) => {
                if self.n_failing.load(Relaxed) > 0 {
                    self.n_failing.fetch_sub(1, Relaxed);
                    match self.crew.start_failed(seat, Instant::now(), true) {
                        Failed::Orphans(jobs) => drop(jobs),
                        Failed::Retry(_) => {
                            let call = self.crew.retry();
                            self.carry_out(call);
                        }
                        Failed::Noted => {}
                    }
                    return;
                }
                let pool = self.clone();
                thread::spawn(move || {
                    expiring(pool.n_expiring);
                    pool.crew.serve(seat, &|call| pool.carry_out(call));
                });
            }
        }
    }

    /// Ends the pool; all that was taken has run by then.
    fn end(&self) {
        self.crew.close();
        assert!(
            self.crew.wait_until_gone(None),
            "without a deadline all leave"
        );
        let counts = self.crew.counts();
        assert_eq!(
            (counts.n_threads, counts.n_idle, counts.n_queued),
            (0, 0, 0)
        );
    }
}

/// A job that is put in while the only thread spins, goes to sleep, sleeps or wakes up is run. Catches a thread that
/// becomes idle after it has let go of the lock under which it saw the queue empty, and a spinner that does not look again.
#[test]
fn no_job_is_overlooked_by_a_thread_that_goes_to_sleep() {
    two_threads(|| {
        let ends = StdArc::new(Ends::default());
        let pool = Pool::new(1, 1, 0);
        pool.submit(Job::new(&ends)).expect("open");
        let told = Arc::new(Notify::new());
        let second = Job::new(&ends).telling(&told);
        pool.submit(second).expect("open");
        // Nothing else happens: if the job was overlooked, this is a deadlock.
        told.wait();
        pool.end();
        assert_eq!(ends.n_ran.load(Relaxed), 2);
    });
}

/// The same with a second submitter.
#[test]
fn two_submitters_and_one_thread() {
    three_threads(|| {
        let ends = StdArc::new(Ends::default());
        let pool = Pool::new(1, 1, 0);
        let other = thread::spawn({
            let (pool, ends) = (pool.clone(), StdArc::clone(&ends));
            move || pool.submit(Job::new(&ends)).expect("open")
        });
        let told = Arc::new(Notify::new());
        let mine = Job::new(&ends).telling(&told);
        pool.submit(mine).expect("open");
        told.wait();
        other.join().expect("no panic");
        pool.end();
        assert_eq!(ends.n_ran.load(Relaxed), 2);
    });
}

/// A thread that ends for want of work, at any moment, leaves no job behind. Catches a thread that leaves although it was called,
/// and one that stays in the list of the idle.
#[test]
fn a_thread_that_retires_leaves_no_job_behind() {
    three_threads(|| {
        let ends = StdArc::new(Ends::default());
        let pool = Pool::new(1, 1, 3);
        for _ in 0..2 {
            let told = Arc::new(Notify::new());
            let job = Job::new(&ends).telling(&told);
            pool.submit(job).expect("open");
            told.wait();
        }
        pool.end();
        assert_eq!(ends.n_ran.load(Relaxed), 2);
    });
}

/// A job that blocks until those behind it have run: another thread has to come, and to judge that it is needed. Catches a
/// submitter that relies on a thread which works, and a watcher that never takes a job.
#[test]
fn jobs_behind_one_that_blocks_get_a_thread() {
    three_threads(|| {
        let ends = StdArc::new(Ends::default());
        let pool = Pool::new(1, 2, 4);
        let (told, done) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let first = Job::new(&ends).waiting_for(&told).telling(&done);
        pool.submit(first).expect("open");
        pool.submit(Job::new(&ends)).expect("open");
        pool.submit(Job::new(&ends).telling(&told)).expect("open");
        // The end would bring a watcher to work as well.
        done.wait();
        pool.end();
        assert_eq!(ends.n_ran.load(Relaxed), 3);
    });
}

/// A submission against the end: it is refused, or the job runs before the last thread has left. Catches a close that
/// is not seen under the lock.
#[test]
fn what_was_taken_before_the_end_runs() {
    three_threads(|| {
        let ends = StdArc::new(Ends::default());
        let pool = Pool::new(1, 1, 0);
        let other = thread::spawn({
            let (pool, ends) = (pool.clone(), StdArc::clone(&ends));
            // Two: one starts the thread, the other may find it on its way out.
            move || {
                (0..2)
                    .filter(|_| pool.submit(Job::new(&ends)).is_ok())
                    .count()
            }
        });
        pool.end();
        let n_taken = other.join().expect("no panic");
        assert!(
            pool.crew.wait_until_gone(None),
            "a thread that was started leaves"
        );
        assert_eq!(ends.n_ran.load(Relaxed), n_taken);
        assert_eq!(ends.n_dropped.load(Relaxed), 2 - n_taken);
    });
}

/// A closer that takes the queue out against the thread that empties it: each job has one of the two ends.
#[test]
fn a_job_runs_or_is_taken_out_and_not_both() {
    two_threads(|| {
        let ends = StdArc::new(Ends::default());
        let pool = Pool::new(1, 1, 0);
        pool.submit(Job::new(&ends)).expect("open");
        pool.submit(Job::new(&ends)).expect("open");
        pool.crew.close();
        let n_taken = pool.crew.take_queue().len();
        pool.end();
        assert_eq!(ends.n_dropped.load(Relaxed), n_taken);
        assert_eq!(ends.n_ran.load(Relaxed), 2 - n_taken);
    });
}

/// The system has no thread for the first job, while another is submitted: no job is left in the queue with nobody to run it.
/// Catches a failure that takes out only the job it was for.
#[test]
fn a_start_that_fails_orphans_no_job() {
    three_threads(|| {
        let ends = StdArc::new(Ends::default());
        let pool = Pool::new(2, 2, 0);
        pool.n_failing.store(1, Relaxed);
        let other = thread::spawn({
            let (pool, ends) = (pool.clone(), StdArc::clone(&ends));
            move || pool.submit(Job::new(&ends)).expect("open")
        });
        pool.submit(Job::new(&ends)).expect("open");
        other.join().expect("no panic");
        pool.end();
        let (n_ran, n_dropped) = (ends.n_ran.load(Relaxed), ends.n_dropped.load(Relaxed));
        assert_eq!(n_ran + n_dropped, 2);
        assert!(n_dropped > 0, "the start did fail");
    });
}

/// The system has no second thread at first, and the job in the only one waits for the job behind it: the start is tried again,
/// without a submission and without a job that ends. Catches a failure that is only noted.
#[test]
fn a_start_that_fails_is_tried_again() {
    three_threads(|| {
        let ends = StdArc::new(Ends::default());
        let pool = Pool::new(2, 2, 0);
        let told = Arc::new(Notify::new());
        let first = Job::new(&ends).waiting_for(&told);
        pool.submit(first).expect("open");
        pool.n_failing.store(1, Relaxed);
        pool.submit(Job::new(&ends).telling(&told)).expect("open");
        pool.end();
        assert_eq!(ends.n_ran.load(Relaxed), 2);
    });
}

/// A cancel against the start and the end of a job: the closure runs as a whole, or is dropped without having begun; and the
/// task ends as cancelled exactly if the cancel says so. Catches a claim that a canceller can overtake, and a
/// request within the claim that is lost.
#[test]
fn a_job_that_is_cancelled_while_it_starts_runs_or_does_not() {
    two_busy_threads(|| {
        let ends = StdArc::new(Ends::default());
        let counted = Job::new(&ends);
        let (job, task) = JobBuilder::new().build(move || counted.run());
        let shadow = task.task_ref();
        let runner = thread::spawn(move || job.run());
        let was_cancelled = shadow.cancel();
        runner.join().expect("no panic");
        assert!(shadow.is_finished());
        assert_eq!(shadow.is_cancelled(), was_cancelled);
        let (n_ran, n_dropped) = (ends.n_ran.load(Relaxed), ends.n_dropped.load(Relaxed));
        assert_eq!(n_ran + n_dropped, 1);
        assert!(was_cancelled || n_ran == 1, "who is not cancelled runs");
        drop(task);
    });
}

/// The same with the handle dropped meanwhile: what the job comes to is dropped once, by whoever is last.
#[test]
fn a_job_that_nobody_waits_for_ends_once() {
    two_threads(|| {
        let ends = StdArc::new(Ends::default());
        let counted = Job::new(&ends);
        let (job, task) = JobBuilder::new().build(move || {
            counted.run();
            Touched::new()
        });
        let runner = thread::spawn(move || job.run());
        drop(task);
        runner.join().expect("no panic");
        assert_eq!(ends.n_ran.load(Relaxed), 1);
    });
}

/// A job that is dropped unrun against a cancel and the owner of the handle: one end, no leak.
#[test]
fn a_job_that_is_dropped_ends_once() {
    two_busy_threads(|| {
        let ends = StdArc::new(Ends::default());
        let counted = Job::new(&ends);
        let (job, task) = JobBuilder::new().build(move || counted.run());
        let shadow = task.task_ref();
        let dropper = thread::spawn(move || drop(job));
        shadow.cancel();
        drop(task);
        dropper.join().expect("no panic");
        assert!(shadow.is_cancelled());
        assert_eq!(ends.n_dropped.load(Relaxed), 1);
    });
}

/// Two threads share a queue of jobs behind a lock, and one is cancelled meanwhile: each job leaves once. loom sees to it that nobody
/// but who has the lock touches a link, and that a canceller, who writes the outcome beside it, does not. Catches a queue that has
/// been empty and takes a job that is gone for its last.
#[test]
fn jobs_in_a_queue_are_linked_by_its_owner_alone() {
    two_busy_threads(|| {
        let ends = StdArc::new(Ends::default());
        let queue = Arc::new(Mutex::new(JobQueue::new()));
        let submit = || {
            let counted = Job::new(&ends);
            let (job, task) = JobBuilder::new().build(move || counted.run());
            queue.lock().push_back(job);
            task
        };
        let first = submit();
        let taker = thread::spawn({
            let queue = Arc::clone(&queue);
            move || {
                let job = queue.lock().pop_front();
                job.into_iter().for_each(crate::task::job::Job::run);
            }
        });
        let second = submit();
        let was_cancelled = first.cancel();
        let husks = queue.lock().take_cancelled();
        taker.join().expect("no panic");
        let rest = queue.lock().pop_front();
        rest.into_iter().for_each(crate::task::job::Job::run);
        drop(husks);
        assert!(queue.lock().is_empty());
        assert_eq!(first.is_cancelled(), was_cancelled);
        assert!(second.is_finished() && !second.is_cancelled());
        let (n_ran, n_dropped) = (ends.n_ran.load(Relaxed), ends.n_dropped.load(Relaxed));
        assert_eq!(n_ran + n_dropped, 2);
    });
}
