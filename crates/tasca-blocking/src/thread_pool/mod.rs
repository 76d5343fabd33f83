//! [`ThreadPool`]: a crew with threads of the system, or with simulated ones.

mod builder;

use std::fmt;
use std::panic::Location;

use tasca_core::{Handle, Job, JobBuilder, JobQueue, Process, Simulation, Task};

use crate::crew::{Call, Counts, Crew, Failed, Limits, Line, Refusal, Work};
use crate::ends::{LeftBehind, QueueFull, Queued};
use crate::equipment::Equipment;
use crate::executor::Executor;
use crate::limiter::{Limiter, Permit};
use crate::primitive::{Arc, Duration, Instant, Mutex};
use crate::simulated;

pub use builder::ThreadPoolBuilder;
pub(crate) use builder::n_cores;

/// Threads that run closures, and a queue for those that wait.
///
/// Threads are started as they are needed and end when they have been idle for a while. Cheap to clone; the pool ends with its
/// last handle: queued jobs are still run, then the threads end. [`shutdown`](Self::shutdown) waits for that.
///
/// # asyncio counterpart
///
/// `concurrent.futures.ThreadPoolExecutor`, given to `loop.run_in_executor()`.
///
/// # Examples
///
/// ```
/// use tasca_blocking::ThreadPool;
/// # let rt = tasca_core::Runtime::builder().current_thread().build().unwrap();
/// # rt.block_on(async {
/// let pool = ThreadPool::new(4);
/// let task = pool.spawn(|| 6 * 7);
/// assert_eq!(task.await, 42);
/// # });
/// ```
#[derive(Clone)]
pub struct ThreadPool {
    owner: Arc<Owner>,
}

/// The last of these ends the pool.
struct Owner(Arc<Inner>);

impl Drop for Owner {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// What the threads share.
pub(crate) struct Inner {
    crew: Crew<Job>,
    equipment: Arc<Equipment>,
    /// Places in the queue, where they are counted.
    places: Option<Limiter>,
    /// The counterparts of `crew` on deterministic runtimes that use this pool.
    simulated: Mutex<Vec<Arc<simulated::Crew>>>,
    /// Where the threads are.
    process: Process,
}

/// A pool at one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolStatistics {
    /// Threads, starting ones included.
    pub n_threads: usize,
    /// Threads without a job.
    pub n_idle: usize,
    /// Jobs that wait; cancelled ones may be counted for a while.
    pub n_queued: usize,
    /// Jobs that were run, or found cancelled.
    pub n_done: u64,
}

impl ThreadPool {
    /// Makes a pool of at most `max_threads` threads, with defaults for everything else.
    ///
    /// # Panics
    ///
    /// If `max_threads` is zero or more than 16,384.
    #[track_caller]
    #[must_use]
    pub fn new(max_threads: usize) -> Self {
        match Self::builder().max_threads(max_threads).build() {
            Ok(pool) => pool,
            Err(error) => panic!("{error}"),
        }
    }

    /// Describes a pool to be made.
    pub fn builder() -> ThreadPoolBuilder {
        ThreadPoolBuilder::new()
    }

    fn made_of(limits: Limits, places: Option<Limiter>, equipment: Equipment) -> Self {
        let inner = Inner {
            crew: Crew::new(limits),
            equipment: Arc::new(equipment),
            places,
            simulated: Mutex::default(),
            process: Process::this(),
        };
        Self {
            owner: Arc::new(Owner(Arc::new(inner))),
        }
    }

    /// Runs `work` on the pool; at once, if a thread is free.
    ///
    /// If the pool has shut down the task is cancelled; if its queue is full, or no thread can be started and there is none, or
    /// this is a child that was forked after the pool was made, the task ends as if `work` had panicked with a message that
    /// says so.
    ///
    /// # asyncio counterpart
    ///
    /// `loop.run_in_executor(pool, work)`.
    #[track_caller]
    pub fn spawn<F, R>(&self, work: F) -> Task<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        let (job, task) = JobBuilder::new().build(work);
        self.inner().take(job, false);
        task
    }

    /// As [`spawn`](Self::spawn), unless the queue is full.
    ///
    /// # Errors
    ///
    /// [`QueueFull`]; `work` is dropped.
    #[track_caller]
    pub fn try_spawn<F, R>(&self, work: F) -> Result<Task<R>, QueueFull>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        let place = match &self.inner().places {
            Some(places) => Some(places.try_acquire().ok_or(QueueFull)?),
            None => None,
        };
        Ok(self.spawn_at(place, Location::caller(), work))
    }

    /// Waits for a place in the queue, then runs `work` as [`spawn`](Self::spawn) does. Places are given in the order of asking.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped or its task cancelled before there is a place, `work` is dropped.
    #[track_caller]
    pub fn submit<F, R>(&self, work: F) -> impl Future<Output = Task<R>> + use<F, R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        let (pool, caller) = (self.clone(), Location::caller());
        #[expect(
            clippy::async_yields_async,
            reason = "the place is awaited, not the job"
        )]
        async move {
            let place = match &pool.inner().places {
                Some(places) => Some(places.acquire().await),
                None => None,
            };
            pool.spawn_at(place, caller, work)
        }
    }

    fn spawn_at<F, R>(
        &self,
        place: Option<Permit>,
        caller: &'static Location<'static>,
        work: F,
    ) -> Task<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        let (job, task) = JobBuilder::new().location(caller).build(work);
        let has_place = place.is_some();
        if let Some(place) = place {
            job.attach(place);
        }
        self.inner().take(job, has_place);
        task
    }

    /// Takes no more jobs, ends those that wait, and waits for those that run until `timeout` has passed.
    ///
    /// It blocks this thread: in a task, call it in [`to_thread`](crate::to_thread). In a child that was forked after the pool
    /// was made there is nothing to wait for.
    ///
    /// # Errors
    ///
    /// [`LeftBehind`], if the time was not enough.
    pub fn shutdown(&self, queued: Queued, timeout: Duration) -> Result<(), LeftBehind> {
        self.inner()
            .shut_down(queued, Instant::now().checked_add(timeout))
    }

    /// Gives a snapshot of the pool; all zero in a child that was forked after it was made.
    #[must_use]
    pub fn statistics(&self) -> PoolStatistics {
        let counts = self.inner().counts();
        PoolStatistics {
            n_threads: counts.n_threads,
            n_idle: counts.n_idle,
            n_queued: counts.n_queued,
            n_done: counts.n_done,
        }
    }

    pub(crate) fn inner(&self) -> &Arc<Inner> {
        &self.owner.0
    }
}

impl fmt::Debug for ThreadPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadPool")
            .field("name", &self.inner().equipment.name)
            .field("statistics", &self.statistics())
            .finish_non_exhaustive()
    }
}

impl Executor for ThreadPool {
    #[inline]
    fn execute(&self, job: Job) {
        self.inner().take(job, false);
    }
}

impl Work for Job {
    type Label = &'static Location<'static>;
    type Line = JobQueue;

    fn run(self) {
        Self::run(self);
    }

    fn label(&self) -> Self::Label {
        self.spawned_at()
    }
}

impl Line<Job> for JobQueue {
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
        self.take_cancelled()
    }
}

impl Inner {
    /// Takes a job, or ends it.
    pub(crate) fn take(self: &Arc<Self>, job: Job, has_place: bool) {
        if !self.process.is_this() {
            return self.refuse_in_child(job);
        }
        if !has_place && let Some(places) = &self.places {
            match places.try_acquire() {
                Some(place) => job.attach(place),
                None => return self.refuse_above_bound(job),
            }
        }
        let refused = match Simulation::current() {
            None => self.crew.submit(job).map(|call| self.carry_out(call)),
            Some(model) => self.crew_in(model).submit(job),
        };
        match refused {
            Ok(()) => {}
            Err((Refusal::Full, job)) => self.refuse_above_bound(job),
            Err((Refusal::Closed, job)) => {
                job.cancel(format!(
                    "submitted to thread pool '{}', which has shut down",
                    self.equipment.name
                ));
            }
        }
    }

    #[cold]
    fn refuse_above_bound(&self, job: Job) {
        let name = &self.equipment.name;
        job.fail(format!("the queue of thread pool '{name}' is full"));
    }

    #[cold]
    fn refuse_in_child(&self, job: Job) {
        let name = &self.equipment.name;
        job.fail(format!(
            "thread pool '{name}' was made before fork(): its threads do not exist in the child process; make a new \
             pool after fork(), or call exec()"
        ));
    }

    /// The simulated threads on that runtime.
    #[cold]
    fn crew_in(&self, model: Simulation) -> Arc<simulated::Crew> {
        let mut crews = self.simulated.lock();
        crews.retain(|crew| crew.model().is_alive());
        if let Some(crew) = crews.iter().find(|crew| crew.model().is_same_as(&model)) {
            return Arc::clone(crew);
        }
        let limits = self.crew.limits();
        let crew = simulated::Crew::new(
            model,
            Arc::clone(&self.equipment),
            limits.n_max,
            limits.n_queued_max,
        );
        crews.push(Arc::clone(&crew));
        drop(crews);
        if self.crew.is_closing() {
            crew.close();
        }
        if !self.equipment.is_inside_runtime() {
            simulated::Guests::register(Arc::downgrade(&crew));
        }
        crew
    }

    #[inline]
    fn carry_out(self: &Arc<Self>, call: Call) {
        match call {
            Call::Nobody => {}
            Call::Wake(seat) => self.crew.wake(seat),
            Call::Start(seat) => self.start(seat),
            Call::Later(pause) => self.retry_after(pause),
        }
    }

    #[cold]
    fn start(self: &Arc<Self>, seat: usize) {
        let inner = Arc::clone(self);
        if let Err(error) = self.equipment.start(seat, move || inner.run(seat)) {
            match self
                .crew
                .start_failed(seat, Instant::now(), Handle::try_current().is_some())
            {
                Failed::Orphans(mut jobs) => {
                    while let Some(job) = jobs.pop_front() {
                        self.equipment.fail_without_thread(job, &error);
                    }
                }
                Failed::Retry(pause) => self.retry_after(pause),
                Failed::Noted => {}
            }
        }
    }

    /// Has the timers of the runtime that this thread is in bring the next try. Outside a runtime there are none.
    fn retry_after(self: &Arc<Self>, pause: Duration) {
        let pool = Arc::downgrade(self);
        match Handle::try_current() {
            Some(runtime) => {
                runtime.call_later(pause, move || {
                    if let Some(pool) = pool.upgrade() {
                        let call = pool.crew.retry();
                        pool.carry_out(call);
                    }
                });
            }
            None => self.crew.forget_retry(),
        }
    }

    /// A thread's main.
    fn run(self: Arc<Self>, seat: usize) {
        self.equipment
            .with_hooks(|| self.crew.serve(seat, &|call| self.carry_out(call)));
    }

    pub(crate) fn counts(&self) -> Counts {
        if !self.process.is_this() {
            return Counts::default();
        }
        let simulated = self.simulated.lock().clone();
        simulated
            .iter()
            .map(|crew| crew.counts())
            .fold(self.crew.counts(), |sum, more| sum + more)
    }

    pub(crate) fn close(&self) {
        // In a forked child a lock may be held by a thread that is not there.
        if self.process.is_this() {
            self.crew.close();
            for crew in self.simulated.lock().clone() {
                crew.close();
            }
        }
    }

    pub(crate) fn shut_down(
        &self,
        queued: Queued,
        deadline: Option<Instant>,
    ) -> Result<(), LeftBehind> {
        if !self.process.is_this() {
            return Ok(());
        }
        self.close();
        let simulated = self.simulated.lock().clone();
        let ended: Vec<_> = simulated
            .iter()
            .map(|crew| crew.shut_down(queued, deadline))
            .chain([self.shut_down_crew(queued, deadline)])
            .collect();
        ended.into_iter().fold(Ok(()), LeftBehind::merge)
    }

    fn shut_down_crew(&self, queued: Queued, deadline: Option<Instant>) -> Result<(), LeftBehind> {
        if queued == Queued::Cancel {
            self.equipment.cancel_all(self.crew.take_queue());
        }
        if self.crew.wait_until_gone(deadline) {
            return Ok(());
        }
        let n_cancelled = self.equipment.cancel_all(self.crew.take_queue());
        self.equipment.left_behind(self.crew.running(), n_cancelled)
    }
}
