//! A handle: what can be asked of a runtime from anywhere.

use std::fmt;
use std::time::{Duration, Instant};

use super::block_on;
use crate::primitive::{Arc, Mutex};
use crate::scheduler::current::{self, Entered, no_runtime, with_runtime};
use crate::scheduler::extension::Extension;
use crate::scheduler::shared::Shared;
use crate::scheduler::timers::{self, Alarm, Timer};
use crate::task::cancel;
use crate::task::context::Context;
use crate::task::error::Problem;
use crate::task::handle::TaskRef;
use crate::task::{Schedule, waker};

/// A way to use a runtime, from any thread, for as long as one likes. Cheap to clone.
///
/// It does not keep the runtime from ending. Afterwards a spawned task is cancelled from the start, and a callback
/// is dropped.
///
/// # asyncio counterpart
///
/// The event loop, as `asyncio.get_running_loop()` gives it.
///
/// # Examples
///
/// ```
/// let rt = tasca_core::Runtime::new().unwrap();
/// let handle = rt.handle();
/// let answer = std::thread::spawn(move || handle.block_on(async { 42 }));
/// assert_eq!(answer.join().unwrap(), 42);
/// ```
#[derive(Clone)]
pub struct Handle {
    shared: Arc<Shared>,
}

impl Handle {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    #[inline]
    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Gives the runtime that this thread is in.
    ///
    /// # asyncio counterpart
    ///
    /// `asyncio.get_running_loop()`.
    ///
    /// # Panics
    ///
    /// Outside a runtime.
    #[doc(alias = "get_running_loop")]
    #[track_caller]
    #[must_use]
    pub fn current() -> Self {
        match Self::try_current() {
            Some(handle) => handle,
            None => no_runtime(),
        }
    }

    /// Gives the runtime that this thread is in, if any.
    #[must_use]
    pub fn try_current() -> Option<Self> {
        current::with_shared(|shared| shared.map(|shared| Self::new(shared.keep_alive())))
    }

    /// Whether this is the runtime that the thread is in.
    #[must_use]
    pub fn is_current(&self) -> bool {
        current::with_shared(|shared| {
            shared.is_some_and(|shared| std::ptr::eq(shared, Arc::as_ptr(&self.shared)))
        })
    }

    /// Makes this runtime the one that `spawn`, `sleep` and sockets of this thread use, until the guard is dropped.
    ///
    /// # Panics
    ///
    /// In a forked child.
    #[track_caller]
    #[must_use = "the runtime is left when the guard is dropped"]
    pub fn enter(&self) -> EnterGuard<'_> {
        self.shared.check_not_forked();
        EnterGuard {
            _entered: current::enter(&self.shared),
            _handle: self,
        }
    }

    /// Polls `future` on this thread until it is ready; as [`Runtime::block_on`](crate::Runtime::block_on).
    ///
    /// # Panics
    ///
    /// As there.
    #[track_caller]
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        block_on::block_on(&self.shared, future)
    }

    /// Gives all tasks of the runtime that are not done, in the order in which they were spawned.
    #[must_use]
    pub fn all_tasks(&self) -> Vec<TaskRef> {
        self.shared.all_tasks()
    }

    /// Gives the number of the runtime's workers.
    #[must_use]
    pub fn n_workers(&self) -> usize {
        self.shared.n_workers
    }

    /// Reads the runtime's clock; on the deterministic runtime that of virtual time.
    ///
    /// # asyncio counterpart
    ///
    /// `loop.time()`.
    #[must_use]
    pub fn time(&self) -> Instant {
        timers::read_clock(&self.shared)
    }

    /// Has `callback` called as a step of the event loop, soon.
    ///
    /// It runs in a copy of the caller's context. On the multi-threaded runtime two callbacks may run at once and in any
    /// order. A panic in it goes to the exception handler.
    ///
    /// # asyncio counterpart
    ///
    /// `loop.call_soon()`.
    ///
    /// # Examples
    ///
    /// ```
    /// # let rt = tasca_core::Runtime::builder().current_thread().build().unwrap();
    /// # rt.block_on(async {
    /// let (promise, task) = tasca_core::promise();
    /// tasca_core::Handle::current().call_soon(move || promise.set(1).unwrap());
    /// assert_eq!(task.await, 1);
    /// # });
    /// ```
    pub fn call_soon(&self, callback: impl FnOnce() + Send + 'static) -> CallHandle {
        let task = self.shared.new_callback(in_context(callback), false);
        CallHandle {
            task,
            timer: None,
            when: None,
        }
    }

    /// The same as [`call_soon`](Self::call_soon), which may be called from any thread here.
    ///
    /// # asyncio counterpart
    ///
    /// `loop.call_soon_threadsafe()`.
    pub fn call_soon_threadsafe(&self, callback: impl FnOnce() + Send + 'static) -> CallHandle {
        self.call_soon(callback)
    }

    /// Has `callback` called after `delay`.
    ///
    /// # asyncio counterpart
    ///
    /// `loop.call_later()`, in a `Duration` instead of seconds.
    pub fn call_later(
        &self,
        delay: Duration,
        callback: impl FnOnce() + Send + 'static,
    ) -> CallHandle {
        self.call_at_option(self.time().checked_add(delay), callback)
    }

    /// Has `callback` called at `deadline`; soon, if that is past.
    ///
    /// # asyncio counterpart
    ///
    /// `loop.call_at()`.
    pub fn call_at(
        &self,
        deadline: Instant,
        callback: impl FnOnce() + Send + 'static,
    ) -> CallHandle {
        self.call_at_option(Some(deadline), callback)
    }

    fn call_at_option(
        &self,
        deadline: Option<Instant>,
        callback: impl FnOnce() + Send + 'static,
    ) -> CallHandle {
        // Queued at once where there are no cycles that it would have to wait for (rule H5).
        let is_due = deadline.is_some_and(|deadline| deadline <= self.time())
            && !self.shared.separates_callbacks();
        let task = self.shared.new_callback(in_context(callback), !is_due);
        let timer = deadline.filter(|_| !is_due).map(|deadline| {
            let deadline_ns = self.shared.clock.ns_of(deadline);
            Arc::new(Mutex::new(Some(Timer::arm(
                &self.shared,
                deadline_ns,
                Alarm::Wake(waker::owned(task.ptr())),
            ))))
        });
        CallHandle {
            task,
            timer,
            when: deadline,
        }
    }

    /// Calls `f` with the runtime's one value of type `T`, which `make` makes when it is first asked for.
    ///
    /// This is how crates above this one keep something for each runtime, such as thread pools. A runtime holds it until
    /// it is gone itself, so a value that keeps a `Handle` keeps the runtime in memory.
    ///
    /// # Panics
    ///
    /// If a runtime has more than 16 extensions; in a forked child.
    #[track_caller]
    pub fn with_extension<T: Extension, R>(
        &self,
        make: impl FnOnce() -> T,
        f: impl FnOnce(&T) -> R,
    ) -> R {
        self.shared.check_not_forked();
        f(self.shared.extensions.get_or_make(make))
    }

    /// As [`with_extension`](Self::with_extension), of the runtime that this thread is in.
    ///
    /// # Panics
    ///
    /// As there, and outside a runtime.
    #[track_caller]
    #[inline]
    pub fn with_current_extension<T: Extension, R>(
        make: impl FnOnce() -> T,
        f: impl FnOnce(&T) -> R,
    ) -> R {
        with_runtime(|shared| {
            shared.check_not_forked();
            f(shared.extensions.get_or_make(make))
        })
    }

    /// Hands a problem to the runtime's exception handler.
    ///
    /// # asyncio counterpart
    ///
    /// `loop.call_exception_handler()`.
    #[doc(alias = "call_exception_handler")]
    pub fn report(&self, problem: Problem) {
        Schedule::report(&*self.shared, problem);
    }
}

/// A callback that runs in a copy of the caller's context.
fn in_context(callback: impl FnOnce() + Send + 'static) -> Box<dyn FnOnce() + Send> {
    let context = Context::inherit().unwrap_or_default();
    Box::new(move || context.run(callback))
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle")
            .field("runtime", &self.shared)
            .finish()
    }
}

/// This thread is in a runtime while this lives; see [`Handle::enter`]. Guards are dropped in reverse order.
#[derive(Debug)]
pub struct EnterGuard<'a> {
    _entered: Entered,
    _handle: &'a Handle,
}

/// A callback that was queued; see [`Handle::call_soon`]. Dropping it changes nothing.
///
/// # asyncio counterpart
///
/// `asyncio.Handle` and `asyncio.TimerHandle`.
#[derive(Clone)]
pub struct CallHandle {
    task: TaskRef,
    /// Disarmed by `cancel`; else it stays armed when the handle is dropped.
    timer: Option<Arc<Mutex<Option<Timer>>>>,
    when: Option<Instant>,
}

impl CallHandle {
    /// Keeps the callback from being called, unless it has begun. May be called again, to no effect.
    pub fn cancel(&self) {
        if let Some(timer) = &self.timer {
            let timer = timer.lock().take();
            drop(timer);
        }
        cancel::kill(self.task.ptr());
    }

    /// Whether the callback was cancelled before it was called.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        let state = self.task.ptr().state().load();
        state.is_cancelled() || state.has_kill()
    }

    /// Gives the instant at which the callback is due, if it waits for one.
    ///
    /// # asyncio counterpart
    ///
    /// `TimerHandle.when()`.
    #[must_use]
    pub fn when(&self) -> Option<Instant> {
        self.when
    }
}

impl Drop for CallHandle {
    fn drop(&mut self) {
        if let Some(timer) = self.timer.take()
            && let Some(timer) = Arc::into_inner(timer)
            && let Some(timer) = timer.into_inner()
        {
            let _for_good = timer.let_go();
        }
    }
}

impl fmt::Debug for CallHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallHandle")
            .field("when", &self.when)
            .field("cancelled", &self.is_cancelled())
            .finish_non_exhaustive()
    }
}
