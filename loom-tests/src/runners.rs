//! The smallest scheduler that tasks can have: one queue, and any thread that calls [`Runners::run`] is a runner.
//!
//! With two runners a task migrates: whichever comes first to the queue polls it.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::panic::Location;
use std::pin::Pin;
use std::ptr::NonNull;
use std::sync::{Arc as StdArc, Mutex as Hidden, Weak};
use std::task::{Context, Poll, Wake, Waker};

use loom::alloc::Track;
use loom::thread::{self, JoinHandle};

use crate::primitive::{self, AtomicBool, Condvar, Mutex, Ordering, UnsafeCell};
use crate::runtime::CallHandle;
use crate::task::cell::{self, Birth};
use crate::task::error::{Problem, Reporter, Trouble};
use crate::task::ext::Ext;
use crate::task::handle::{Task, TaskRef};
use crate::task::observe::Observer;
use crate::task::state::Kind;
use crate::task::{After, Anchor, Callback, Runnable, Schedule};

/// See the module.
pub(crate) struct Runners {
    me: Weak<Self>,
    anchor: Anchor,
    work: Mutex<Work>,
    changed: Condvar,
    reports: StdArc<Hidden<Vec<Trouble>>>,
    next_id: Hidden<u64>,
    timers: Mutex<Vec<CallHandle>>,
}

// loom runs the threads of a model one at a time on a single thread of the system, so this is the model's own.
std::thread_local! {
    static NEWEST: RefCell<Weak<Runners>> = const { RefCell::new(Weak::new()) };
}

#[derive(Default)]
struct Work {
    runnables: VecDeque<Runnable>,
    callbacks: VecDeque<Callback>,
    n_called_soon: usize,
    /// Tasks whose futures have not been dropped.
    n_alive: usize,
}

impl Runners {
    pub(crate) fn new() -> StdArc<Self> {
        let this = StdArc::new_cyclic(|me| Self {
            me: me.clone(),
            anchor: Anchor::new(me.as_ptr()),
            work: Mutex::new(Work::default()),
            changed: Condvar::new(),
            reports: StdArc::default(),
            next_id: Hidden::new(1),
            timers: Mutex::default(),
        });
        NEWEST.set(StdArc::downgrade(&this));
        this
    }

    /// The runners that were made last: this thread's runtime.
    pub(crate) fn current() -> StdArc<Self> {
        NEWEST.with_borrow(Weak::upgrade).expect("in use")
    }

    pub(crate) fn add_timer(&self, timer: CallHandle) {
        self.timers.lock().push(timer);
    }

    /// Has the time of all timers come.
    pub(crate) fn fire_timers(&self) {
        let timers = std::mem::take(&mut *self.timers.lock());
        timers.iter().for_each(CallHandle::run);
    }

    /// Spawns a future, and watches that it is polled by one thread at a time, never after its end, and dropped.
    pub(crate) fn spawn<F: Future + 'static>(&self, future: F) -> Task<F::Output> {
        self.spawn_observed(future, None)
    }

    /// As [`spawn`](Self::spawn), for a task that an observer may have been listed with from the start.
    pub(crate) fn spawn_observed<F: Future + 'static>(
        &self,
        future: F,
        observer: Option<StdArc<dyn Observer>>,
    ) -> Task<F::Output> {
        self.work.lock().n_alive += 1;
        let id = {
            let mut next_id = self.next_id.lock().expect("never poisoned");
            *next_id += 1;
            *next_id
        };
        let birth = Birth {
            kind: if observer.is_some() {
                Kind::ObservedTask
            } else {
                Kind::Task
            },
            home: None,
            id,
            location: Location::caller(),
            scheduler: NonNull::from(&self.anchor),
            ext: observer.map(|observer| Ext::observed_by(observer, None, None)),
        };
        let alive = Alive(self.me.upgrade().expect("in use"));
        let body = Watched {
            future,
            touched: Touched::new(),
            ended: false,
            _alive: alive,
        };
        // SAFETY: models keep the runners until their threads have been joined, and what they spawn
        // is used by one thread at a time (loom would say).
        let task = unsafe { cell::new(body, birth) };
        // SAFETY: the new task's handle, and the right to poll it, go where they belong.
        let handle = unsafe { Task::from_ptr(task) };
        // SAFETY: as above.
        self.schedule(unsafe { Runnable::new(task) });
        handle
    }

    /// Runs what is queued until every task is done; sleeps while there is nothing.
    pub(crate) fn run(&self) {
        while let Some(step) = self.next(true) {
            self.take(step);
        }
    }

    /// Runs what is queued until there is nothing.
    pub(crate) fn run_queued(&self) {
        while let Some(step) = self.next(false) {
            self.take(step);
        }
    }

    /// As [`run`](Self::run) on another thread, which does something else first.
    pub(crate) fn run_elsewhere(&self, first: impl FnOnce() + 'static) -> JoinHandle<()> {
        let runners = self.me.upgrade().expect("in use");
        thread::spawn(move || {
            first();
            runners.run();
        })
    }

    fn take(&self, step: Step) {
        match step {
            Step::Poll(runnable) => {
                if let After::Again(runnable) = runnable.run() {
                    self.schedule(runnable);
                }
            }
            Step::Call(callback) => callback(),
        }
    }

    fn next(&self, wait: bool) -> Option<Step> {
        let mut work = self.work.lock();
        loop {
            if let Some(callback) = work.callbacks.pop_front() {
                return Some(Step::Call(callback));
            }
            if let Some(runnable) = work.runnables.pop_front() {
                return Some(Step::Poll(runnable));
            }
            if work.n_alive == 0 || !wait {
                return None;
            }
            self.changed.wait(&mut work);
        }
    }

    /// How many callbacks have been queued so far.
    pub(crate) fn n_called_soon(&self) -> usize {
        self.work.lock().n_called_soon
    }

    /// What was reported to the exception handler.
    pub(crate) fn reports(&self) -> Vec<Trouble> {
        self.reports.lock().expect("never poisoned").clone()
    }
}

enum Step {
    Poll(Runnable),
    Call(Callback),
}

impl Schedule for Runners {
    fn anchor(&self) -> &Anchor {
        &self.anchor
    }

    fn schedule(&self, runnable: Runnable) {
        let mut work = self.work.lock();
        assert!(
            work.runnables
                .iter()
                .all(|queued| queued.task() != runnable.task()),
            "a task is queued twice"
        );
        work.runnables.push_back(runnable);
        drop(work);
        self.changed.notify_all();
    }

    fn call_soon(&self, callback: Callback) {
        let mut work = self.work.lock();
        work.callbacks.push_back(callback);
        work.n_called_soon += 1;
        drop(work);
        self.changed.notify_all();
    }

    fn separates_callbacks(&self) -> bool {
        false
    }

    fn report(&self, problem: Problem) {
        self.reporter()(problem);
    }

    fn keep(&self) -> StdArc<dyn Schedule> {
        self.me.upgrade().expect("in use")
    }

    fn reporter(&self) -> Reporter {
        let reports = StdArc::clone(&self.reports);
        StdArc::new(move |problem| {
            reports
                .lock()
                .expect("never poisoned")
                .push(problem.trouble());
        })
    }
}

/// Counts a task out when its future is dropped.
struct Alive(StdArc<Runners>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.work.lock().n_alive -= 1;
        self.0.changed.notify_all();
    }
}

/// Memory that loom watches, and that must not be forgotten: uses of it must come one after the other.
pub(crate) struct Touched {
    cell: UnsafeCell<()>,
    _tracked: Track<()>,
}

impl Touched {
    pub(crate) fn new() -> Self {
        Self {
            cell: UnsafeCell::new(()),
            _tracked: Track::new(()),
        }
    }

    pub(crate) fn touch(&self) {
        self.cell.with_mut(|_| ());
    }
}

impl Drop for Touched {
    fn drop(&mut self) {
        self.touch();
    }
}

/// Memory that several use, one after the other.
#[derive(Clone)]
pub(crate) struct Common(StdArc<primitive::Watched>);

impl Common {
    pub(crate) fn new() -> Self {
        Self(StdArc::default())
    }

    pub(crate) fn touch(&self) {
        self.0.write();
    }
}

struct Watched<F> {
    future: F,
    touched: Touched,
    ended: bool,
    _alive: Alive,
}

impl<F: Future> Future for Watched<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        // SAFETY: the future is pinned with what contains it, and not moved.
        let this = unsafe { self.get_unchecked_mut() };
        this.touched.touch();
        assert!(!this.ended, "polled after its end");
        // SAFETY: as above.
        let polled = unsafe { Pin::new_unchecked(&mut this.future) }.poll(cx);
        this.ended = polled.is_ready();
        this.touched.touch();
        polled
    }
}

/// A flag that orders nothing: who sees it has been told by something else to look.
#[derive(Clone)]
pub(crate) struct Flag(primitive::Arc<AtomicBool>);

impl Flag {
    pub(crate) fn new() -> Self {
        Self(primitive::Arc::new(AtomicBool::new(false)))
    }

    pub(crate) fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Waits until the flag is set. Whoever sets it has to wake the task as well.
    pub(crate) fn wait(&self) -> impl Future<Output = ()> + use<> {
        let flag = self.clone();
        std::future::poll_fn(move |_| {
            if flag.is_set() {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
    }
}

/// Counts wakes; for waiters that are no tasks.
#[derive(Default)]
pub(crate) struct Bell(std::sync::atomic::AtomicUsize);

impl Bell {
    pub(crate) fn new() -> (StdArc<Self>, Waker) {
        let bell = StdArc::new(Self::default());
        let waker = Waker::from(StdArc::clone(&bell));
        (bell, waker)
    }

    pub(crate) fn n_rings(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// How many wakers there are.
    pub(crate) fn n_wakers(self: &StdArc<Self>) -> usize {
        StdArc::strong_count(self) - 1
    }
}

impl Wake for Bell {
    fn wake(self: StdArc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// An owned waker of a task that may not have been polled yet.
pub(crate) fn waker_of(task: &TaskRef) -> Waker {
    crate::task::waker::owned(task.ptr())
}

/// Polls a future once, from outside any task.
pub(crate) fn poll_once<F: Future + Unpin>(future: &mut F, waker: &Waker) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(waker))
}

/// A panic that does not print.
pub(crate) fn panic_quietly() -> ! {
    std::panic::resume_unwind(Box::new("on purpose"))
}
