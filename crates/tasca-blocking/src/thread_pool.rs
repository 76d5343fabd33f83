//! [`ThreadPool`]: a crew with threads of the system.

use std::any::Any;
use std::fmt;
use std::io;
use std::num::NonZero;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::thread;

use tasca_core::{Handle, Job, JobBuilder, Problem, Task, Trouble};

use crate::crew::{Call, Crew, Limits, Refusal, Work};
use crate::executor::Executor;
use crate::limiter::{Limiter, Permit};
use crate::primitive::{Arc, Duration, Instant};

/// The most threads a pool can be asked to have.
const THREADS_MAX: usize = 16_384;
/// So many jobs wait in a pool that was given no other bound.
const QUEUED_MAX: usize = 1 << 20;
/// How many threads a pool starts without waiting for the watcher's judgement.
const BASE_MAX: usize = 4;
/// The watcher's window.
const WINDOW: Duration = Duration::from_micros(100);
/// How long growth rests after the system had no thread.
const START_PAUSE: Duration = Duration::from_millis(10);

type Hook = Arc<dyn Fn() + Send + Sync>;

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
        self.0.crew.close();
    }
}

/// What the threads share.
pub(crate) struct Inner {
    crew: Crew<Job>,
    name: String,
    stack_bytes: Option<usize>,
    on_start: Option<Hook>,
    on_stop: Option<Hook>,
    /// Places in the queue, where they are counted.
    places: Option<Limiter>,
    /// Its threads are in the runtime that the pool belongs to.
    inside_runtime: bool,
}

/// Describes a [`ThreadPool`] to be made.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tasca_blocking::ThreadPool;
///
/// let pool = ThreadPool::builder()
///     .name("db")
///     .max_threads(8)
///     .keep_alive(Duration::from_secs(60))
///     .queue_bound(100)
///     .build()?;
/// # drop(pool);
/// # Ok::<_, std::io::Error>(())
/// ```
#[derive(Clone)]
#[must_use = "a builder does nothing until `build`"]
pub struct ThreadPoolBuilder {
    n_min: usize,
    n_max: usize,
    eager: bool,
    keep_alive: Duration,
    name: String,
    stack_bytes: Option<usize>,
    queue_bound: Option<usize>,
    on_start: Option<Hook>,
    on_stop: Option<Hook>,
    inside_runtime: bool,
}

impl ThreadPoolBuilder {
    /// Has the threads be in the runtime of those who submit: for pools that belong to one.
    pub(crate) fn inside_runtime(mut self) -> Self {
        self.inside_runtime = true;
        self
    }

    /// Sets how many threads stay, however little there is to do; 0 by default. They are started when first needed.
    pub fn min_threads(mut self, n_threads: usize) -> Self {
        self.n_min = n_threads;
        self
    }

    /// Sets how many threads there are at most; 512 by default.
    pub fn max_threads(mut self, n_threads: usize) -> Self {
        self.n_max = n_threads;
        self
    }

    /// Has a thread start for every job that finds all threads at work, up to the maximum. By default the pool
    /// waits to see whether jobs are held up, once it has four threads.
    pub fn grow_eagerly(mut self) -> Self {
        self.eager = true;
        self
    }

    /// Sets how long a thread stays without a job; 10 seconds by default.
    pub fn keep_alive(mut self, keep_alive: Duration) -> Self {
        self.keep_alive = keep_alive;
        self
    }

    /// Sets what the threads' names begin with; `blocking` by default.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Sets the stack size of the threads in bytes; by default that of Rust's threads (2 MiB).
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.stack_bytes = Some(bytes);
        self
    }

    /// Sets how many jobs wait in the queue at most.
    ///
    /// [`ThreadPool::submit`] waits for a place, [`ThreadPool::try_spawn`] refuses at once. By default the bound is
    /// 1,048,576, which is meant to be an error when it is reached: nothing waits for it.
    pub fn queue_bound(mut self, n_jobs: usize) -> Self {
        self.queue_bound = Some(n_jobs);
        self
    }

    /// Sets what each thread calls before its first job.
    pub fn on_thread_start(mut self, hook: impl Fn() + Send + Sync + 'static) -> Self {
        self.on_start = Some(Arc::new(hook));
        self
    }

    /// Sets what each thread calls after its last job.
    pub fn on_thread_stop(mut self, hook: impl Fn() + Send + Sync + 'static) -> Self {
        self.on_stop = Some(Arc::new(hook));
        self
    }

    /// Makes the pool. No thread is started before it is needed.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::InvalidInput`] for a maximum of zero or more than 16,384, for a minimum above the maximum, and for a
    /// queue without a place.
    pub fn build(self) -> io::Result<ThreadPool> {
        let wrong = |text: String| Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        if self.n_max == 0 {
            return wrong("a thread pool needs at least one thread".into());
        }
        if self.n_max > THREADS_MAX {
            return wrong(format!(
                "{} threads are too many; the most is {THREADS_MAX}",
                self.n_max
            ));
        }
        if self.n_min > self.n_max {
            return wrong(format!(
                "at least {} and at most {} threads",
                self.n_min, self.n_max
            ));
        }
        if self.queue_bound == Some(0) {
            return wrong("a queue needs at least one place".into());
        }
        let n_base = if self.eager {
            self.n_max
        } else {
            n_cores().min(BASE_MAX).min(self.n_max)
        };
        let limits = Limits {
            n_base,
            n_min: self.n_min,
            n_max: self.n_max,
            n_queued_max: QUEUED_MAX.max(self.queue_bound.unwrap_or(0)),
            keep_alive: self.keep_alive,
            window: WINDOW,
            start_pause: START_PAUSE,
        };
        let inner = Inner {
            crew: Crew::new(limits),
            name: self.name,
            stack_bytes: self.stack_bytes,
            on_start: self.on_start,
            on_stop: self.on_stop,
            places: self.queue_bound.map(Limiter::new),
            inside_runtime: self.inside_runtime,
        };
        Ok(ThreadPool {
            owner: Arc::new(Owner(Arc::new(inner))),
        })
    }
}

/// The cores that the process may use.
pub(crate) fn n_cores() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get)
}

impl fmt::Debug for ThreadPoolBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadPoolBuilder")
            .field("name", &self.name)
            .field("min_threads", &self.n_min)
            .field("max_threads", &self.n_max)
            .field("keep_alive", &self.keep_alive)
            .field("queue_bound", &self.queue_bound)
            .finish_non_exhaustive()
    }
}

/// What becomes of the jobs that still wait when a pool is shut down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Queued {
    /// They are run, as far as the time allows; the rest is cancelled.
    #[default]
    Drain,
    /// They are cancelled.
    Cancel,
}

/// What a shutdown has left behind: jobs that still run, by the places that they came from, and how many never ran.
///
/// Their threads end when the jobs do; nobody waits for them.
#[derive(Debug)]
pub struct LeftBehind {
    running: Vec<&'static Location<'static>>,
    n_cancelled: usize,
    pool: String,
}

impl LeftBehind {
    /// The places that the jobs which still run came from.
    #[must_use]
    pub fn running(&self) -> &[&'static Location<'static>] {
        &self.running
    }

    /// The number of jobs that were to be run, and were cancelled because the time was up.
    #[must_use]
    pub fn n_cancelled(&self) -> usize {
        self.n_cancelled
    }
}

impl fmt::Display for LeftBehind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            running,
            n_cancelled,
            pool,
        } = self;
        write!(
            f,
            "{} jobs of thread pool '{pool}' are still running",
            running.len()
        )?;
        for (index, place) in running.iter().take(8).enumerate() {
            write!(f, "{} {place}", if index == 0 { ": from" } else { "," })?;
        }
        if running.len() > 8 {
            f.write_str(", …")?;
        }
        if *n_cancelled > 0 {
            write!(f, "; {n_cancelled} were cancelled in the queue")?;
        }
        Ok(())
    }
}

impl std::error::Error for LeftBehind {}

/// The queue has no place left, and the job was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueFull;

impl fmt::Display for QueueFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the thread pool's queue is full")
    }
}

impl std::error::Error for QueueFull {}

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
        ThreadPoolBuilder {
            n_min: 0,
            n_max: 512,
            eager: false,
            keep_alive: Duration::from_secs(10),
            name: "blocking".into(),
            stack_bytes: None,
            queue_bound: None,
            on_start: None,
            on_stop: None,
            inside_runtime: false,
        }
    }

    /// Runs `work` on the pool; at once, if a thread is free.
    ///
    /// If the pool has shut down the task is cancelled; if its queue is full, or no thread can be started and there is none,
    /// the task ends as if `work` had panicked with a message that says so.
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
    /// It blocks this thread: in a task, call it in [`to_thread`](crate::to_thread).
    ///
    /// # Errors
    ///
    /// [`LeftBehind`], if the time was not enough.
    pub fn shutdown(&self, queued: Queued, timeout: Duration) -> Result<(), LeftBehind> {
        self.inner()
            .shut_down(queued, Instant::now().checked_add(timeout))
    }

    /// Gives a snapshot of the pool.
    #[must_use]
    pub fn statistics(&self) -> PoolStatistics {
        let counts = self.inner().crew.counts();
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
            .field("name", &self.inner().name)
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

    fn run(self) {
        Self::run(self);
    }

    fn is_husk(&self) -> bool {
        self.is_cancelled()
    }

    fn label(&self) -> Self::Label {
        self.spawned_at()
    }
}

impl Inner {
    /// Takes a job, or ends it.
    pub(crate) fn take(self: &Arc<Self>, job: Job, has_place: bool) {
        if !has_place && let Some(places) = &self.places {
            match places.try_acquire() {
                Some(place) => job.attach(place),
                None => return self.refuse(job),
            }
        }
        match self.crew.submit(job) {
            Ok(call) => self.carry_out(call),
            Err((Refusal::Full, job)) => self.refuse(job),
            Err((Refusal::Closed, job)) => {
                job.cancel(format!(
                    "submitted to thread pool '{}', which has shut down",
                    self.name
                ));
            }
        }
    }

    #[cold]
    fn refuse(&self, job: Job) {
        job.fail(format!("the queue of thread pool '{}' is full", self.name));
    }

    #[inline]
    fn carry_out(self: &Arc<Self>, call: Call) {
        match call {
            Call::Nobody => {}
            Call::Wake(seat) => self.crew.wake(seat),
            Call::Start(seat) => self.start(seat),
        }
    }

    #[cold]
    fn start(self: &Arc<Self>, seat: usize) {
        let mut builder = thread::Builder::new().name(format!("{}-{seat}", self.name));
        if let Some(bytes) = self.stack_bytes {
            builder = builder.stack_size(bytes);
        }
        let inner = Arc::clone(self);
        // Who starts a thread is in the runtime: a submitter, or another of these threads. The pool itself must not
        // keep the runtime, which keeps the pool.
        let runtime = if self.inside_runtime {
            Handle::try_current()
        } else {
            None
        };
        // Detached: the crew knows when the thread has left.
        if let Err(error) = builder.spawn(move || inner.run(seat, runtime)) {
            for job in self.crew.start_failed(seat, Instant::now()) {
                job.fail(format!(
                    "thread pool '{}' has no thread, and none can be started: {error}",
                    self.name
                ));
            }
        }
    }

    /// A thread's main.
    fn run(self: Arc<Self>, seat: usize, runtime: Option<Handle>) {
        let _entered = runtime.as_ref().map(Handle::enter);
        call_hook(self.on_start.as_ref());
        self.crew.serve(seat, &|call| self.carry_out(call));
        call_hook(self.on_stop.as_ref());
    }

    pub(crate) fn close(&self) {
        self.crew.close();
    }

    pub(crate) fn shut_down(
        &self,
        queued: Queued,
        deadline: Option<Instant>,
    ) -> Result<(), LeftBehind> {
        self.crew.close();
        if queued == Queued::Cancel {
            self.cancel_queue();
        }
        if self.crew.wait_until_gone(deadline) {
            return Ok(());
        }
        let n_cancelled = self.cancel_queue();
        let running = self.crew.running();
        if running.is_empty() && n_cancelled == 0 {
            // Only threads on their way out.
            return Ok(());
        }
        Err(LeftBehind {
            running,
            n_cancelled,
            pool: self.name.clone(),
        })
    }

    fn cancel_queue(&self) -> usize {
        let mut n_cancelled = 0;
        for job in self.crew.take_queue() {
            n_cancelled += usize::from(!job.is_cancelled());
            job.cancel(format!("thread pool '{}' has shut down", self.name));
        }
        n_cancelled
    }
}

/// A hook's panic is reported, and changes nothing else.
fn call_hook(hook: Option<&Hook>) {
    let Some(hook) = hook else { return };
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| hook())) {
        let text = payload
            .downcast_ref::<&str>()
            .map_or("", |text| *text)
            .to_owned();
        forget_quietly(payload);
        if let Some(handle) = Handle::try_current() {
            handle.report(Problem::new(
                Trouble::CallbackPanicked,
                format!("a pool thread's hook: {text}"),
            ));
        }
    }
}

/// Drops a panic's payload, whose drop may panic in turn.
fn forget_quietly(payload: Box<dyn Any + Send>) {
    if let Err(second) = catch_unwind(AssertUnwindSafe(move || drop(payload))) {
        #[expect(clippy::mem_forget, reason = "its drop could panic without end")]
        std::mem::forget(second);
    }
}
