//! Deadlines: [`timeout`], [`timeout_at`], [`wait_for`], and the scope they are made of.
//!
//! A [`TimeoutScope`] runs a body in the task that awaits it. When its deadline passes, a callback of the event loop asks the task
//! to stop, as anybody could: what the body waits for gets the request, and may clean up or refuse.
//! When the body has ended of it, the scope takes its request back and turns the cancellation into an
//! [`Elapsed`], provided that nobody else has asked the task to stop as well: the count of requests tells.

use std::error::Error;
use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use tasca_core::{CallHandle, Handle, TaskRef, awaited_task, catch_cancelled, current_task};

use crate::shield::ended;
use crate::sync::lock;

/// The time was up.
///
/// # asyncio counterpart
///
/// `TimeoutError`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elapsed(());

impl Elapsed {
    pub(crate) fn new() -> Self {
        Self(())
    }
}

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the time was up")
    }
}

impl Error for Elapsed {}

/// A [`TimeoutScope`] was not running, or its time was up, when it was to get another deadline.
///
/// # asyncio counterpart
///
/// The `RuntimeError` of `Timeout.reschedule()`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RescheduleError(&'static str);

impl fmt::Display for RescheduleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the deadline of a scope that {} cannot be changed",
            self.0
        )
    }
}

impl Error for RescheduleError {}

/// A deadline around a part of a task, with a handle to look at it and to change it. Clones are handles to the same scope.
///
/// # asyncio counterpart
///
/// `asyncio.Timeout`, as `asyncio.timeout()` and `asyncio.timeout_at()` give it.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tasca_combinators::TimeoutScope;
/// use tasca_core::time::sleep;
///
/// # let rt = tasca_core::Runtime::builder().deterministic(0).build().unwrap();
/// # rt.block_on(async {
/// let scope = TimeoutScope::after(Duration::from_secs(1));
/// let handle = scope.clone();
/// let ended = scope.run(async move {
///     sleep(Duration::from_millis(900)).await;
///     handle.reschedule_after(Duration::from_secs(1)).unwrap(); // progress: one more second
///     sleep(Duration::from_millis(900)).await;
///     "done"
/// });
/// assert_eq!(ended.await, Ok("done"));
/// # });
/// ```
#[derive(Clone)]
pub struct TimeoutScope {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    /// The expiry has been recorded with the task.
    fired: Condvar,
}

struct State {
    phase: Phase,
    when: Option<Instant>,
    timer: Option<CallHandle>,
    task: Option<TaskRef>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Created,
    Entered,
    /// The task is being asked to stop, by the thread that runs the callback.
    Firing,
    /// It has been asked; the body is still reacting.
    Expiring,
    /// Over, in time.
    Exited,
    /// Over, too late.
    Expired,
}

impl TimeoutScope {
    fn new(when: Option<Instant>) -> Self {
        let state = State {
            phase: Phase::Created,
            when,
            timer: None,
            task: None,
        };
        Self {
            shared: Arc::new(Shared {
                state: Mutex::new(state),
                fired: Condvar::new(),
            }),
        }
    }

    /// Makes a scope whose deadline is `limit` from now.
    ///
    /// # asyncio counterpart
    ///
    /// `asyncio.timeout(limit)`.
    ///
    /// # Panics
    ///
    /// Outside a runtime.
    #[track_caller]
    #[must_use]
    pub fn after(limit: Duration) -> Self {
        Self::new(Handle::current().time().checked_add(limit))
    }

    /// Makes a scope with a deadline.
    ///
    /// # asyncio counterpart
    ///
    /// `asyncio.timeout_at(deadline)`.
    #[must_use]
    pub fn at(deadline: Instant) -> Self {
        Self::new(Some(deadline))
    }

    /// Makes a scope without a deadline, which can be given one.
    ///
    /// # asyncio counterpart
    ///
    /// `asyncio.timeout(None)`.
    #[must_use]
    pub fn never() -> Self {
        Self::new(None)
    }

    /// Gives the deadline.
    #[must_use]
    pub fn when(&self) -> Option<Instant> {
        lock(&self.shared.state).when
    }

    /// Whether the deadline has passed while the body ran.
    #[must_use]
    pub fn expired(&self) -> bool {
        matches!(
            lock(&self.shared.state).phase,
            Phase::Firing | Phase::Expiring | Phase::Expired
        )
    }

    /// Gives the running scope another deadline, or none. One in the past is due at once.
    ///
    /// # Errors
    ///
    /// [`RescheduleError`] before the scope runs, once the deadline has passed, and after the end.
    pub fn reschedule(&self, deadline: Option<Instant>) -> Result<(), RescheduleError> {
        let old = {
            let mut state = lock(&self.shared.state);
            match state.phase {
                Phase::Entered => {}
                Phase::Created => return Err(RescheduleError("does not run yet")),
                Phase::Firing | Phase::Expiring | Phase::Expired => {
                    return Err(RescheduleError("has expired"));
                }
                Phase::Exited => return Err(RescheduleError("has ended")),
            }
            state.when = deadline;
            state.timer.take()
        };
        if let Some(timer) = old {
            timer.cancel();
        }
        self.arm();
        Ok(())
    }

    /// As [`reschedule`](Self::reschedule), with a deadline that is `limit` from now.
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Panics
    ///
    /// Outside a runtime.
    #[track_caller]
    pub fn reschedule_after(&self, limit: Duration) -> Result<(), RescheduleError> {
        self.reschedule(Handle::current().time().checked_add(limit))
    }

    #[track_caller]
    fn arm(&self) {
        let Some(deadline) = self.when() else { return };
        let shared = Arc::clone(&self.shared);
        let expire = move || shared.expire(deadline);
        let handle = Handle::current();
        let timer = if deadline <= handle.time() {
            // Due before whatever the body leaves to be done next (rule T9).
            handle.call_soon(expire)
        } else {
            handle.call_at(deadline, expire)
        };
        let late = {
            let mut state = lock(&self.shared.state);
            // Somebody else may have changed the deadline, or the scope may be over.
            let is_current = state.phase == Phase::Entered && state.when == Some(deadline);
            if is_current {
                state.timer.replace(timer)
            } else {
                Some(timer)
            }
        };
        if let Some(late) = late {
            late.cancel();
        }
    }

    /// Runs `body` in this task until it ends, or the deadline passes and the body has ended of that.
    ///
    /// # Errors
    ///
    /// [`Elapsed`] if the deadline passed and the body was cancelled for it: it has been dropped at its await point. A body that
    /// gives a value all the same, late as it is, succeeds.
    ///
    /// # Panics
    ///
    /// If the scope has been run before, or outside a task.
    ///
    /// # Cancel safety
    ///
    /// A cancellation from outside goes to the body, and passes through. Dropping the future drops the body
    /// and disarms the timer.
    pub async fn run<F: IntoFuture>(self, body: F) -> Result<F::Output, Elapsed> {
        let mut run = Run::enter(&self);
        let ended = catch_cancelled(body.into_future()).await;
        let is_elapsed = run.leave();
        match ended {
            Ok(value) => Ok(value),
            Err(_) if is_elapsed => Err(Elapsed(())),
            Err(cancelled) => cancelled.reraise().await,
        }
    }
}

impl Shared {
    /// The deadline has passed.
    fn expire(&self, deadline: Instant) {
        let task = {
            let mut state = lock(&self.state);
            if state.phase != Phase::Entered || state.when != Some(deadline) {
                return;
            }
            state.phase = Phase::Firing;
            state.timer = None;
            state.task.clone()
        };
        if let Some(task) = task {
            task.cancel();
        }
        lock(&self.state).phase = Phase::Expiring;
        self.fired.notify_all();
    }
}

/// A scope while its body runs.
struct Run<'a> {
    scope: &'a TimeoutScope,
    task: TaskRef,
    /// Requests that stood when the scope was entered.
    cancelling: usize,
    is_over: bool,
}

impl<'a> Run<'a> {
    #[track_caller]
    fn enter(scope: &'a TimeoutScope) -> Self {
        let task =
            current_task().expect("a timeout needs a task to be cancelled: await it inside one");
        let cancelling = task.cancelling();
        {
            let mut state = lock(&scope.shared.state);
            assert!(state.phase == Phase::Created, "a timeout scope is run once");
            state.phase = Phase::Entered;
            state.task = Some(task.clone());
        }
        scope.arm();
        Self {
            scope,
            task,
            cancelling,
            is_over: false,
        }
    }

    /// Ends the scope: disarms the timer, takes its request back; says whether a cancellation of the body is its own.
    fn leave(&mut self) -> bool {
        self.is_over = true;
        let shared = &self.scope.shared;
        let (timer, has_fired) = {
            let mut state = lock(&shared.state);
            // The request must have been recorded before it is taken back (rule M9).
            while state.phase == Phase::Firing {
                state = shared
                    .fired
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
            }
            let has_fired = state.phase == Phase::Expiring;
            state.phase = if has_fired {
                Phase::Expired
            } else {
                Phase::Exited
            };
            state.task = None;
            (state.timer.take(), has_fired)
        };
        if let Some(timer) = timer {
            timer.cancel();
        }
        has_fired && self.task.uncancel() <= self.cancelling
    }
}

// The body panicked, or the scope is dropped from outside.
impl Drop for Run<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            self.leave();
        }
    }
}

impl fmt::Debug for TimeoutScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = lock(&self.shared.state);
        f.debug_struct("TimeoutScope")
            .field("phase", &state.phase)
            .field("when", &state.when)
            .finish_non_exhaustive()
    }
}

/// Runs `body` in this task; cancels it when `limit` has passed, counted from the first poll.
///
/// A body that never suspends is never disturbed, whatever the limit.
///
/// # asyncio counterpart
///
/// `async with asyncio.timeout(limit)`. For the handle that it gives, use a [`TimeoutScope`].
///
/// # Errors
///
/// [`Elapsed`] if the limit passed and the body was cancelled for it: it has been dropped at its await point. As in
/// asyncio, the call may last longer than the limit while the body cleans up, and a body that
/// swallows the cancellation and gives a value succeeds.
///
/// # Panics
///
/// If it is awaited outside a task.
///
/// # Cancel safety
///
/// A cancellation from outside goes to the body, and passes through. Dropping the future drops the body.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tasca_combinators::timeout;
/// use tasca_core::time::sleep;
///
/// # let rt = tasca_core::Runtime::builder().deterministic(0).build().unwrap();
/// # rt.block_on(async {
/// assert!(timeout(Duration::from_secs(1), sleep(Duration::from_secs(2))).await.is_err());
/// assert_eq!(timeout(Duration::ZERO, async { 5 }).await, Ok(5));
/// # });
/// ```
pub async fn timeout<F: IntoFuture>(limit: Duration, body: F) -> Result<F::Output, Elapsed> {
    TimeoutScope::after(limit).run(body).await
}

/// As [`timeout`], with a deadline.
///
/// # asyncio counterpart
///
/// `async with asyncio.timeout_at(deadline)`.
///
/// # Errors
///
/// As for [`timeout`].
///
/// # Panics
///
/// As for [`timeout`].
///
/// # Cancel safety
///
/// As for [`timeout`].
pub async fn timeout_at<F: IntoFuture>(deadline: Instant, body: F) -> Result<F::Output, Elapsed> {
    TimeoutScope::at(deadline).run(body).await
}

/// Waits for `future`, which may be a task; cancels it when `limit` passes first, and waits until it has stopped.
///
/// The future runs in the calling task. It is polled before the clock is looked at: one that is ready at once succeeds
/// with a limit of zero. If it is not, and waits for a task, that is cancelled at once, and waited for; a cancellation of the
/// caller is not passed on any more then. Without a limit this is a plain await.
///
/// # asyncio counterpart
///
/// `asyncio.wait_for()`. As there, the call may last longer than the limit while the future cleans up. With a limit of
/// zero asyncio spawns and cancels a coroutine, which then never starts; here a plain future is polled once.
///
/// # Errors
///
/// [`Elapsed`] if the limit passed first and the future was cancelled for it. One that gives a value all
/// the same succeeds.
///
/// # Panics
///
/// If it is awaited outside a task.
///
/// # Cancel safety
///
/// A cancellation of the waiting task is passed on to a task that is waited for, and its end is awaited. Dropping the
/// returned future drops `future`: a task is detached by that.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tasca_combinators::wait_for;
/// use tasca_core::{catch_cancelled, spawn, time::sleep};
///
/// # let rt = tasca_core::Runtime::builder().deterministic(0).build().unwrap();
/// # rt.block_on(async {
/// let stubborn = spawn(async {
///     match catch_cancelled(sleep(Duration::from_secs(9))).await {
///         Ok(()) => "slept",
///         Err(_) => "a value after all",
///     }
/// });
/// assert_eq!(wait_for(stubborn, Duration::from_secs(1)).await, Ok("a value after all"));
/// # });
/// ```
pub async fn wait_for<F: IntoFuture>(
    future: F,
    limit: impl Into<Option<Duration>>,
) -> Result<F::Output, Elapsed> {
    match limit.into() {
        None => Ok(future.await),
        Some(Duration::ZERO) => wait_for_no_time(future).await,
        Some(limit) => timeout(limit, future).await,
    }
}

/// With a limit of zero (rules F8, F9, F14).
async fn wait_for_no_time<F: IntoFuture>(future: F) -> Result<F::Output, Elapsed> {
    let mut future = pin!(catch_cancelled(future.into_future()));
    let mut awaited = None;
    let first = poll_fn(|cx| {
        let polled = future.as_mut().poll(cx);
        if polled.is_pending() {
            awaited = awaited_task();
        }
        Poll::Ready(polled)
    });
    match first.await {
        Poll::Ready(Ok(output)) => return Ok(output),
        // What it is has been cancelled already, by somebody else.
        Poll::Ready(Err(cancelled)) => return cancelled.reraise().await,
        Poll::Pending => {}
    }
    let Some(task) = awaited else {
        return Err(Elapsed(()));
    };
    task.cancel();
    ended(task).await;
    future.await.map_err(|_| Elapsed(()))
}
