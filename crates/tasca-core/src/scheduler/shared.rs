//! What all workers of a runtime share.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::ptr::NonNull;
use std::sync::{OnceLock, Weak};
use std::thread::{self, ThreadId};
use std::time::Duration;

use crossbeam_utils::CachePadded;

use super::clock::Clock;
use super::current;
use super::deterministic::Deterministic;
use super::ending;
use super::extension::Extensions;
use super::gate::Gate;
use super::parker::{HOME_FIRST, Parkers};
use super::remote::Remote;
use super::shutdown::Threads;
use super::watchdog::Watchdog;
use super::worker::Worker;
use crate::driver::Driver;
use crate::idle::Idle;
use crate::primitive::{Arc, AtomicBool, AtomicU64, Ordering, StaticU64, fork_generation};
use crate::queue::Injector;
use crate::slab;
use crate::task::cancel;
use crate::task::cell::{self, Birth};
use crate::task::context::Context;
use crate::task::current as polling;
use crate::task::error::{Problem, Reporter, Trouble};
use crate::task::ext::Ext;
use crate::task::handle::{Task, TaskRef};
use crate::task::observe::Observer;
use crate::task::state::{Kind, Live};
use crate::task::{After, Anchor, Callback, JOB_ID, PROMISE_ID, Runnable, Schedule};

/// How many spare workers may be started for each regular one, one level at a time, while tasks hold threads up.
pub(crate) const SPARES_PER_WORKER: usize = 3;

const FIRST_JOB: u64 = 1;

/// Ids are handed out to workers in blocks; small ones at first, so that small programs see small numbers.
const ID_BLOCK_MAX: u64 = 4096;

thread_local! {
    /// What this thread has woken and not queued yet; see [`Shared::hold_back`].
    static HELD_BACK: RefCell<Option<Vec<Runnable>>> = const { RefCell::new(None) };
}

/// How a runtime runs its tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flavor {
    MultiThread,
    CurrentThread,
    Deterministic { seed: u64 },
}

/// The heart of a runtime, alive while anybody may schedule on it.
pub(crate) struct Shared {
    me: Weak<Shared>,
    anchor: Anchor,
    pub(crate) flavor: Flavor,
    /// Regular workers first, then the spare ones.
    pub(crate) workers: Box<[Arc<Remote>]>,
    pub(crate) n_workers: usize,
    pub(crate) injector: Injector<Runnable>,
    pub(crate) idle: CachePadded<Idle>,
    pub(crate) driver: Arc<Driver>,
    pub(crate) clock: Clock,
    pub(crate) parkers: Parkers,
    pub(crate) watchdog: Watchdog,
    pub(crate) deterministic: Deterministic,
    /// Which runtime of the process this is, in the upper bits of the ids of its tasks.
    ordinal: u64,
    counters: CachePadded<Counters>,
    pub(crate) gate: Gate,
    /// On a runtime that runs on its caller's thread: the thread that has spawned tasks that must not leave it.
    bound_to: OnceLock<ThreadId>,
    handler: Reporter,
    reported: AtomicBool,
    fork_generation: u64,
    pub(crate) settings: Settings,
    pub(crate) threads: Threads,
    pub(crate) extensions: Extensions,
}

/// What comes next of each kind. Written by many, and apart from what all workers read at each spawn.
struct Counters {
    number: AtomicU64,
    job: AtomicU64,
    promise: AtomicU64,
    home: AtomicU64,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("flavor", &self.flavor)
            .field("n_workers", &self.n_workers)
            .field("closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}

/// What the builder was told, as far as it matters later.
pub(crate) struct Settings {
    pub(crate) thread_name: String,
    pub(crate) stack_bytes: Option<usize>,
    pub(crate) shutdown_timeout: Duration,
    pub(crate) stall_after: Duration,
    pub(crate) eager_tasks: bool,
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings")
            .field("thread_name", &self.thread_name)
            .finish_non_exhaustive()
    }
}

/// What a task is spawned with, besides its future.
#[derive(Debug)]
pub(crate) struct SpawnOptions {
    pub(crate) name: Option<String>,
    pub(crate) context: Option<Context>,
    pub(crate) location: &'static Location<'static>,
    pub(crate) home: Option<usize>,
    pub(crate) kind: Kind,
    /// Whether the first step is taken inside the spawn; by default as the runtime says.
    pub(crate) eager: Option<bool>,
    /// Who is told of its end, before anybody else.
    pub(crate) observer: Option<Arc<dyn Observer>>,
}

impl SpawnOptions {
    #[inline(always)]
    pub(crate) fn at(location: &'static Location<'static>) -> Self {
        Self {
            name: None,
            context: None,
            location,
            home: None,
            kind: Kind::Task,
            eager: None,
            observer: None,
        }
    }
}

impl Shared {
    pub(crate) fn new(
        flavor: Flavor,
        workers: Vec<Remote>,
        n_workers: usize,
        driver: Driver,
        handler: Reporter,
        settings: Settings,
    ) -> Arc<Self> {
        static NEXT_ORDINAL: StaticU64 = StaticU64::new(1);
        let (clock, seed) = match flavor {
            Flavor::Deterministic { seed } => (Clock::virtual_time(), seed),
            Flavor::MultiThread | Flavor::CurrentThread => (Clock::real(), 0),
        };
        Arc::new_cyclic(|me| Self {
            me: me.clone(),
            anchor: Anchor::new(me.as_ptr()),
            flavor,
            idle: CachePadded::new(Idle::new(workers.len(), n_workers)),
            workers: workers.into_iter().map(Arc::new).collect(),
            n_workers,
            injector: Injector::new(),
            driver: Arc::new(driver),
            clock,
            parkers: Parkers::new(),
            watchdog: Watchdog::new(),
            deterministic: Deterministic::new(seed),
            // Ordering: Relaxed (here and for the numbers below): uniqueness is all there is to it.
            ordinal: (NEXT_ORDINAL.fetch_add(1, Ordering::Relaxed) & 0xffff) << 48,
            counters: CachePadded::new(Counters {
                number: AtomicU64::new(1),
                job: AtomicU64::new(FIRST_JOB),
                promise: AtomicU64::new(1),
                home: AtomicU64::new(0),
            }),
            gate: Gate::new(),
            bound_to: OnceLock::new(),
            handler,
            reported: AtomicBool::new(false),
            fork_generation: fork_generation(),
            settings,
            threads: Threads::new(),
            extensions: Extensions::new(),
        })
    }

    pub(crate) fn keep_alive(&self) -> Arc<Self> {
        self.me
            .upgrade()
            .expect("a runtime in use is kept by somebody")
    }

    /// Fails in a forked child, where none of the runtime's threads exist.
    #[track_caller]
    pub(crate) fn check_not_forked(&self) {
        assert!(
            !self.is_forked(),
            "this tasca runtime was made before fork(): its threads do not exist in the child process; \
             make a new runtime after fork(), or call exec()"
        );
    }

    #[inline(always)]
    pub(crate) fn is_forked(&self) -> bool {
        self.fork_generation != fork_generation()
    }

    /// Notes that there are tasks that must be polled and dropped on this thread. A worker's own thread is its
    /// only one, so only the other flavours need the note.
    pub(crate) fn bind_to_this_thread(&self) {
        if self.flavor != Flavor::MultiThread {
            self.bound_to.get_or_init(|| thread::current().id());
        }
    }

    /// Whether tasks of this runtime must not be touched by this thread.
    pub(crate) fn is_bound_to_another_thread(&self) -> bool {
        self.bound_to
            .get()
            .is_some_and(|bound| *bound != thread::current().id())
    }

    /// All tasks that are not done, in the order in which they were spawned.
    pub(crate) fn all_tasks(&self) -> Vec<TaskRef> {
        let mut tasks = Vec::new();
        self.for_each_task(Live::Tasks, |task| tasks.push(task));
        tasks.sort_by_key(TaskRef::id);
        tasks
    }

    /// A worker for what comes from outside, in turn.
    pub(crate) fn next_home(&self) -> usize {
        self.counters.home.fetch_add(1, Ordering::Relaxed) as usize % self.n_workers
    }

    /// Numbers for `wanted` more tasks at most, as a range.
    pub(crate) fn take_numbers(&self, wanted: u64) -> std::ops::Range<u64> {
        take_block(&self.counters.number, wanted)
    }

    /// Numbers for promises.
    pub(crate) fn take_promise_numbers(&self, wanted: u64) -> std::ops::Range<u64> {
        take_block(&self.counters.promise, wanted)
    }

    /// Whether a job was ever made, so that some executor has threads.
    pub(crate) fn has_had_jobs(&self) -> bool {
        // Ordering: Relaxed; what this thread has not heard of is no concern of it.
        self.counters.job.load(Ordering::Relaxed) > FIRST_JOB
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.gate.is_closed()
    }

    #[inline(always)]
    pub(crate) fn is_stopped(&self) -> bool {
        self.gate.is_stopped()
    }

    /// Has every worker end once it has nothing to run.
    pub(crate) fn stop(&self) {
        self.gate.stop();
        for worker in 0..self.workers.len() {
            self.nudge(worker);
        }
    }

    /// Makes a task and queues it.
    ///
    /// # Safety
    ///
    /// If the future is not `Send`, `options.home` is a place on this thread; if it is not `'static`, the
    /// caller sees to it that the task is done, and its output taken, before anything borrowed ends.
    #[inline]
    pub(crate) unsafe fn spawn<F: Future>(
        &self,
        future: F,
        options: SpawnOptions,
    ) -> Task<F::Output> {
        let context = options.context.or_else(Context::inherit);
        let name = options.name.map(Into::into);
        let eager = options.eager.unwrap_or(self.settings.eager_tasks);
        let mut observer = options.observer;
        let (kind, ext) = match observer.take_if(|_| !eager) {
            Some(observer) => (
                Kind::ObservedTask,
                Some(Ext::observed_by(observer, context, name)),
            ),
            None => {
                let has_ext = name.is_some() || context.is_some();
                (options.kind, has_ext.then(|| Ext::new(context, name)))
            }
        };
        let home = options.home;
        let task = current::with_worker_of(self, |worker| {
            let number = match (options.kind, worker) {
                (Kind::HiddenRoot, _) => 0,
                (_, Some(worker)) => worker.next_number(),
                (_, None) => self.take_numbers(1).start,
            };
            let birth = Birth {
                kind,
                home,
                id: self.ordinal | number,
                location: options.location,
                scheduler: NonNull::from(&self.anchor),
                ext,
            };
            // SAFETY: (1) a runtime outlives its tasks: `shutdown` ends them first, and leaks the
            // runtime if it cannot. (2) The caller's promise.
            let task = unsafe { cell::new(future, birth) };
            // SAFETY: the new task's handle, and the right to poll it, go where they belong.
            let handle = unsafe { Task::from_ptr(task) };
            // SAFETY: as above.
            let runnable = unsafe { Runnable::new(task) };
            let late = self.gate.is_closed_to_newborn();
            let refused = options.kind == Kind::Task && (late || self.is_forked());
            if refused {
                self.refuse(runnable);
                return handle;
            }
            let runnable = if eager {
                match self.run_eagerly(worker, runnable) {
                    Some(runnable) => runnable,
                    None => return handle,
                }
            } else {
                runnable
            };
            match worker {
                Some(worker) if home.is_none() => worker.push_spawned(runnable),
                _ => self.schedule(runnable),
            }
            handle
        });
        // One that may have ended within the spawn is observed now: its observer knows before the spawner goes on (rule E8).
        if let Some(observer) = observer
            && !task.observe(0, Arc::clone(&observer))
        {
            observer.child_done(0, &task);
        }
        task
    }

    /// Takes the first step of a new task inside its spawn (rules E1 to E3), if the spawner is a task or callback on a worker that
    /// may run it. Gives it back if it has to be queued.
    #[cold]
    fn run_eagerly(&self, worker: Option<&Worker>, runnable: Runnable) -> Option<Runnable> {
        let Some(worker) = worker else {
            return Some(runnable);
        };
        let may_run = runnable.home().is_none_or(|home| home == worker.index());
        if !may_run || runnable.task().state().load().is_root() {
            return Some(runnable);
        }
        let Some(_nested) = polling::nest() else {
            return Some(runnable);
        };
        // Its handle is the caller's.
        let task = runnable.task();
        let after = runnable.run();
        if matches!(self.flavor, Flavor::Deterministic { .. }) && !task.state().load().is_complete()
        {
            let mut shared = task.ext_or_new().shared.lock();
            shared.rest_mut().begun_before = Some(worker.number_to_come());
        }
        match after {
            After::Gone => None,
            After::Again(runnable) => Some(runnable),
        }
    }

    /// Ends a task that came too late, without polling it.
    #[cold]
    fn refuse(&self, runnable: Runnable) {
        let why = if self.is_forked() {
            "spawned in a forked child on a runtime that was made before fork()"
        } else {
            "spawned on a runtime that has shut down"
        };
        let task = runnable.task();
        cancel::leave_reason(task, why.into());
        // The state is OWNED, so the kill is only noted, and this runnable carries it out.
        let _noted = task.state().request_kill();
        let _gone = runnable.run();
    }

    /// Makes a callback, queued now or, with `timed`, by whoever wakes it.
    pub(crate) fn new_callback(&self, callback: Callback, timed: bool) -> TaskRef {
        let callback = self.guard_callback(callback);
        let birth = Birth {
            kind: if timed {
                Kind::TimedCallback
            } else {
                Kind::Callback
            },
            home: None,
            id: self.ordinal,
            location: Location::caller(),
            scheduler: NonNull::from(&self.anchor),
            ext: None,
        };
        let body = CallbackBody(Some(callback));
        // SAFETY: as in `spawn`; the body is `Send` and `'static`.
        let task = unsafe { cell::new(body, birth) };
        // SAFETY: the new task's handle.
        let handle: Task<()> = unsafe { Task::from_ptr(task) };
        let task_ref = handle.task_ref();
        if !timed {
            // SAFETY: made as held by its maker.
            let runnable = unsafe { Runnable::new(task) };
            if self.gate.is_closed_to_newborn() || self.is_forked() {
                self.refuse(runnable);
            } else {
                self.queue(runnable, true);
            }
        }
        // Detached: a callback is its own.
        drop(handle);
        task_ref
    }

    /// A callback whose panic is reported.
    fn guard_callback(&self, callback: Callback) -> Callback {
        let reporter = Arc::clone(&self.handler);
        Box::new(move || {
            if let Err(payload) = catch_unwind(AssertUnwindSafe(callback)) {
                reporter(Problem::from_panic(Trouble::CallbackPanicked, payload));
            }
        })
    }

    /// Queues a runnable, from any thread: one that was `spawned` just now, or woken.
    #[inline(always)]
    fn queue(&self, runnable: Runnable, spawned: bool) {
        current::with_worker_of(self, |worker| {
            let Some(worker) = worker else {
                return self.queue_from_outside(runnable);
            };
            match runnable.home() {
                Some(home) if home != worker.index() => self.queue_at(home, runnable),
                _ if spawned => worker.push_spawned(runnable),
                _ => worker.push_woken(runnable),
            }
        });
    }

    /// Keeps what `f` wakes on this thread, which is no worker, from running before `f` is over.
    pub(crate) fn hold_back<R>(&self, f: impl FnOnce() -> R) -> R {
        struct Release<'a>(&'a Shared);
        impl Drop for Release<'_> {
            fn drop(&mut self) {
                for runnable in HELD_BACK.take().into_iter().flatten() {
                    self.0.queue_from_outside(runnable);
                }
            }
        }
        HELD_BACK.set(Some(Vec::new()));
        let _release = Release(self);
        f()
    }

    #[cold]
    fn queue_from_outside(&self, runnable: Runnable) {
        let held_back = HELD_BACK.with_borrow_mut(|held_back| match held_back {
            Some(held_back) => {
                held_back.push(runnable);
                None
            }
            None => Some(runnable),
        });
        let Some(runnable) = held_back else { return };
        // Once queued, the task may run, end, and with it the last reason for this runtime to exist.
        let _keep = self.keep_alive();
        match runnable.home() {
            Some(home) => self.queue_at(home, runnable),
            None if self.flavor == Flavor::MultiThread => {
                self.injector.push(runnable);
                self.wake_one();
                ending::drain_if_over(self);
            }
            None => self.queue_at(0, runnable),
        }
    }

    /// Queues a runnable where it belongs.
    fn queue_at(&self, home: usize, runnable: Runnable) {
        if home >= HOME_FIRST {
            // The thread cannot have gone: it waits for the task that is about to run.
            if let Some(parker) = self.parkers.get(home) {
                parker.unpark();
            }
            return;
        }
        self.workers[home].inbox.push(runnable);
        self.nudge(home);
    }

    /// Wakes a worker because there is work that any of them can do.
    #[inline]
    pub(crate) fn wake_one(&self) {
        if let Some(worker) = self.idle.choose_to_wake() {
            self.notify(worker);
        }
    }

    /// Wakes a worker because there is something that only it can do.
    pub(crate) fn nudge(&self, worker: usize) {
        if let Some(chosen) = self.idle.choose(worker) {
            self.notify(chosen);
        }
    }

    fn notify(&self, worker: usize) {
        if let Flavor::Deterministic { .. } = self.flavor {
            self.deterministic.notify();
            return;
        }
        if let Err(error) = self.driver.poller(worker).notify() {
            // The worker will look when its present sleep ends, if it ends.
            self.report(Problem::new(
                Trouble::Driver,
                format!("a worker cannot be woken: {error}"),
            ));
        }
    }

    /// Reports a failure of the system that would otherwise be reported at every turn.
    #[cold]
    pub(crate) fn report_once(&self, problem: Problem) {
        // Ordering: Relaxed; at worst it is reported twice.
        if !self.reported.swap(true, Ordering::Relaxed) {
            self.report(problem);
        }
    }

    #[cold]
    pub(crate) fn report_driver_error(&self, error: &std::io::Error) {
        self.report_once(Problem::new(
            Trouble::Driver,
            format!("waiting for events failed: {error}"),
        ));
    }

    /// Whether any worker could find work in the queues that all can reach.
    pub(crate) fn has_stealable_work(&self) -> bool {
        !self.injector.is_empty() || self.workers.iter().any(|worker| !worker.thief.is_empty())
    }

    /// Calls `visit` with every task of this runtime that is not done.
    pub(crate) fn for_each_task(&self, which: Live, mut visit: impl FnMut(TaskRef)) {
        slab::for_each_cell(|state| {
            // SAFETY: the slab gives the starts of cells.
            let Some(task) = (unsafe { TaskRef::try_from_cell(state.cast(), which) }) else {
                return;
            };
            let scheduler = task.ptr().header().scheduler;
            let ordinal = task.ptr().header().id & !crate::task::NUMBER_MASK;
            if scheduler == NonNull::from(&self.anchor) && ordinal == self.ordinal {
                visit(task);
            }
        });
    }
}

fn take_block(next: &AtomicU64, wanted: u64) -> std::ops::Range<u64> {
    let wanted = wanted.clamp(1, ID_BLOCK_MAX);
    let first = next.fetch_add(wanted, Ordering::Relaxed);
    first..first + wanted
}

/// The future of a callback: runs it, once.
struct CallbackBody(Option<Callback>);

impl Future for CallbackBody {
    type Output = ();

    fn poll(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<()> {
        if let Some(callback) = self.0.take() {
            let _in_callback = polling::enter_callback();
            callback();
        }
        std::task::Poll::Ready(())
    }
}

impl Schedule for Shared {
    fn anchor(&self) -> &Anchor {
        &self.anchor
    }

    #[inline]
    fn schedule(&self, runnable: Runnable) {
        self.queue(runnable, false);
    }

    fn call_soon(&self, callback: Callback) {
        drop(self.new_callback(callback, false));
    }

    fn next_job_id(&self) -> u64 {
        // Ordering: Relaxed: uniqueness is all there is to it.
        self.ordinal | JOB_ID | self.counters.job.fetch_add(1, Ordering::Relaxed)
    }

    #[inline]
    fn next_promise_id(&self) -> u64 {
        let number = current::with_worker_of(self, |worker| match worker {
            Some(worker) => worker.next_promise_number(),
            None => self.take_promise_numbers(1).start,
        });
        self.ordinal | PROMISE_ID | number
    }

    #[inline]
    fn job_began(&self) {
        if let Flavor::Deterministic { .. } = self.flavor {
            self.deterministic.job_began();
        }
    }

    #[inline]
    fn job_ended(&self) {
        if let Flavor::Deterministic { .. } = self.flavor {
            self.deterministic.job_ended();
        }
    }

    fn separates_callbacks(&self) -> bool {
        matches!(self.flavor, Flavor::Deterministic { .. })
    }

    fn permutes_steps(&self) -> bool {
        matches!(self.flavor, Flavor::Deterministic { seed } if seed != 0)
    }

    fn gives_messages_once(&self) -> bool {
        matches!(self.flavor, Flavor::Deterministic { .. })
    }

    fn report(&self, problem: Problem) {
        (self.handler)(problem);
    }

    fn keep(&self) -> Arc<dyn Schedule> {
        self.keep_alive()
    }

    fn reporter(&self) -> Reporter {
        Arc::clone(&self.handler)
    }
}
