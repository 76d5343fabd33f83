//! Deadlines: [`timeout`], [`timeout_at`], [`wait_for`], and the scope they are made of.
//!
//! They run a body in the task that awaits it. When the deadline passes, the task is asked
//! to stop, as anybody could ask it: what the body waits for gets the request, and may clean up or refuse.
//! When the body has ended of it, the scope takes its request back and turns the cancellation into an
//! [`Elapsed`], provided that nobody else has asked the task to stop as well: the count of requests tells.
//!
//! The deadline is an [`Expiry`], which costs next to nothing until the body suspends. It is part of the future; only a
//! [`TimeoutScope`], which others can look at and change, keeps it behind a lock.

use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use pin_project_lite::pin_project;
use tasca_core::{
    Awaitable, CatchCancelled, Expiry, Handle, Left, Reraise, TaskRef, catch_cancelled,
};

use crate::needs::{Need, Needs};
use crate::primitive::{Mutex, lock};
use crate::shield::ended;

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
    shared: Arc<Mutex<State>>,
}

struct State {
    when: Option<Instant>,
    expiry: Expiry,
    /// How it ended.
    ended: Option<Left>,
}

impl TimeoutScope {
    fn new(when: Option<Instant>) -> Self {
        let state = State {
            when,
            expiry: Expiry::at(when),
            ended: None,
        };
        Self {
            shared: Arc::new(Mutex::new(state)),
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
        lock(&self.shared).when
    }

    /// Whether the deadline has passed while the body ran.
    #[must_use]
    pub fn expired(&self) -> bool {
        lock(&self.shared).has_expired()
    }

    /// Gives the running scope another deadline, or none. One in the past is due at once.
    ///
    /// # Errors
    ///
    /// [`RescheduleError`] before the scope runs, once the deadline has passed, and after the end.
    ///
    /// # Panics
    ///
    /// Outside a runtime.
    #[track_caller]
    pub fn reschedule(&self, deadline: Option<Instant>) -> Result<(), RescheduleError> {
        let mut state = lock(&self.shared);
        match state.ended {
            Some(Left::InTime) => return Err(RescheduleError("has ended")),
            Some(Left::Late { .. }) => return Err(RescheduleError("has expired")),
            None if !state.expiry.is_entered() => return Err(RescheduleError("does not run yet")),
            None => {}
        }
        if state.expiry.reschedule(deadline).is_err() {
            return Err(RescheduleError("has expired"));
        }
        state.when = deadline;
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
    pub fn run<F: IntoFuture>(self, body: F) -> Timeout<F::IntoFuture> {
        let running = Running {
            scope: self,
            is_entered: false,
        };
        Timeout::new(Scope::Shared(running), body.into_future())
    }
}

impl State {
    fn has_expired(&self) -> bool {
        match self.ended {
            Some(left) => left != Left::InTime,
            None => self.expiry.has_passed(),
        }
    }

    fn leave(&mut self) -> Left {
        let left = self.expiry.leave();
        *self.ended.get_or_insert(left)
    }
}

/// A scope that ends with the future of its body.
struct Running {
    scope: TimeoutScope,
    is_entered: bool,
}

impl Running {
    #[track_caller]
    fn enter(&mut self) {
        let mut state = lock(&self.scope.shared);
        let is_new = state.ended.is_none() && !state.expiry.is_entered();
        if is_new {
            state.expiry.enter();
            self.is_entered = true;
        }
        drop(state);
        assert!(is_new, "a timeout scope is run once");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.is_entered {
            let _left = lock(&self.scope.shared).leave();
        }
    }
}

/// Where the deadline is: in the future alone, or where others see it.
enum Scope {
    Own(Expiry),
    Shared(Running),
}

impl Scope {
    #[inline]
    fn is_entered(&self) -> bool {
        match self {
            Self::Own(expiry) => expiry.is_entered(),
            Self::Shared(running) => running.is_entered,
        }
    }

    #[track_caller]
    #[inline]
    fn enter(&mut self) {
        match self {
            Self::Own(expiry) => expiry.enter(),
            Self::Shared(running) => running.enter(),
        }
    }

    #[inline]
    fn suspend(&mut self) {
        match self {
            Self::Own(expiry) => expiry.suspend(),
            Self::Shared(running) => lock(&running.scope.shared).expiry.suspend(),
        }
    }

    #[inline]
    fn leave(&mut self) -> Left {
        match self {
            Self::Own(expiry) => expiry.leave(),
            Self::Shared(running) => lock(&running.scope.shared).leave(),
        }
    }
}

pin_project! {
    /// The future of [`timeout`], [`timeout_at`] and [`TimeoutScope::run`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct Timeout<F> {
        // Dropped first: it may look at the scope.
        #[pin]
        stage: Stage<F>,
        scope: Scope,
    }
}

pin_project! {
    #[project = StageProjection]
    enum Stage<F> {
        Running { #[pin] body: CatchCancelled<F> },
        Raising { cancellation: Reraise<Infallible> },
    }
}

impl<F: Future> Timeout<F> {
    #[inline]
    fn new(scope: Scope, body: F) -> Self {
        Self {
            stage: Stage::Running {
                body: catch_cancelled(body),
            },
            scope,
        }
    }
}

impl<F: Future> Future for Timeout<F> {
    type Output = Result<F::Output, Elapsed>;

    #[track_caller]
    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let StageProjection::Running { body } = this.stage.as_mut().project() {
            if !this.scope.is_entered() {
                this.scope.enter();
            }
            let Poll::Ready(ended) = body.poll(cx) else {
                this.scope.suspend();
                return Poll::Pending;
            };
            let left = this.scope.leave();
            match ended {
                Ok(value) => return Poll::Ready(Ok(value)),
                Err(_) if left == (Left::Late { is_own: true }) => {
                    return Poll::Ready(Err(Elapsed::new()));
                }
                Err(cancelled) => {
                    let cancellation = cancelled.reraise();
                    this.stage.set(Stage::Raising { cancellation });
                }
            }
        }
        match this.stage.project() {
            StageProjection::Raising { cancellation } => {
                match ready!(Pin::new(cancellation).poll(cx)) {}
            }
            StageProjection::Running { .. } => unreachable!("its end was dealt with"),
        }
    }
}

impl<F> fmt::Debug for Timeout<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timeout")
            .field("is_entered", &self.scope.is_entered())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for TimeoutScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = lock(&self.shared);
        f.debug_struct("TimeoutScope")
            .field("when", &state.when)
            .field("expired", &state.has_expired())
            .finish_non_exhaustive()
    }
}

/// Runs `body` in this task; cancels it when `limit` has passed, counted from the body's first suspension.
///
/// A body that never suspends is never disturbed, whatever the limit, and costs no timer and no reading of the clock. Of one that does,
/// the limit counts from the next time that its worker looks at the clock: at once if it has nothing else to run, else some 50 µs
/// later, unless a poll takes longer.
///
/// # asyncio counterpart
///
/// `async with asyncio.timeout(limit)`, which counts from the entry: what the body does before it suspends for the first time,
/// and cannot be interrupted in, counts there too. For the handle that it gives, use a [`TimeoutScope`].
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
#[inline]
pub fn timeout<F: IntoFuture>(limit: Duration, body: F) -> Timeout<F::IntoFuture> {
    Timeout::new(Scope::Own(Expiry::after(limit)), body.into_future())
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
#[inline]
pub fn timeout_at<F: IntoFuture>(deadline: Instant, body: F) -> Timeout<F::IntoFuture> {
    Timeout::new(Scope::Own(Expiry::at(Some(deadline))), body.into_future())
}

/// Waits for `future`, which may be a task; cancels it when `limit` passes first, and waits until it has stopped.
///
/// A future runs in the calling task, and is dropped when the limit passes. With a limit of zero nothing is begun: a task that is
/// done gives its output, one that is not is cancelled and waited for (a cancellation of the caller is not passed on
/// any more then), and a future that is no task is not polled at all. Of a gather or a shield, whose operands have begun,
/// make a task first, with [`Gather::into_task`](crate::Gather::into_task) or [`Shield::into_task`](crate::Shield::into_task).
/// Without a limit this is a plain await.
///
/// # asyncio counterpart
///
/// `asyncio.wait_for()`. As there, the call may last longer than the limit while the future cleans up.
///
/// # Errors
///
/// [`Elapsed`] if the limit passed first and the future was cancelled for it. One that gives a value all
/// the same succeeds.
///
/// # Panics
///
/// If it is awaited outside a task, with a limit above zero.
///
/// # Cancel safety
///
/// A cancellation of the waiting task is passed on to a task that is waited for, and its end is awaited. Dropping the
/// returned future cancels such a task, and drops any other future.
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
pub fn wait_for<F: Awaitable>(
    future: F,
    limit: impl Into<Option<Duration>>,
) -> impl Future<Output = Result<F::Output, Elapsed>> {
    let task = CancelOnDrop(future.as_task().cloned());
    let limit = limit.into();
    let need = match limit {
        None | Some(Duration::ZERO) => Need::Nothing,
        Some(_) => {
            Need::Task("wait_for with a limit needs a task to be cancelled: await it inside one")
        }
    };
    Needs::new(need, async move {
        let mut task = task;
        match limit {
            None => Ok(future.await),
            Some(Duration::ZERO) => wait_for_no_time(future, task.0.take()).await,
            Some(limit) => timeout(limit, future).await,
        }
    })
}

/// Cancels a task that is not done when nobody waits for it any more.
struct CancelOnDrop(Option<TaskRef>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            task.cancel();
        }
    }
}

/// With a limit of zero (rules F8, F9, F14).
async fn wait_for_no_time<F: IntoFuture>(
    future: F,
    task: Option<TaskRef>,
) -> Result<F::Output, Elapsed> {
    // What is no task would begin with the first poll.
    let task = task.ok_or_else(Elapsed::new)?;
    if task.is_finished() {
        // If it was cancelled, then by somebody else.
        return Ok(future.await);
    }
    task.cancel();
    ended(task).await;
    catch_cancelled(future).await.map_err(|_| Elapsed::new())
}
