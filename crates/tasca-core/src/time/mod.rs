//! Waiting for a time: [`sleep`], [`sleep_until`], [`interval`].
//!
//! Deadlines are exact to the nanosecond and fire in their order; a timer never fires early. How late it fires is up to the
//! system: some tens of microseconds on an idle machine. On the deterministic runtime time is virtual.
//!
//! Deadlines for a task itself, which cancel it, are in [`expiry`]: what `timeout` is made of.

pub(crate) mod expiry;

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use crate::scheduler::current::{self, with_runtime};
use crate::scheduler::timers::{self, Alarm, Timer};
use crate::task::leaf;

/// Waits for `delay`; zero only yields.
///
/// # asyncio counterpart
///
/// `asyncio.sleep()`, in a `Duration` instead of seconds.
///
/// # Panics
///
/// The future panics if it is first polled outside a runtime.
///
/// # Cancel safety
///
/// Nothing is lost if the future is dropped; its timer is disarmed.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// # let rt = tasca_core::Runtime::builder().deterministic(0).build().unwrap();
/// # rt.block_on(async {
/// tasca_core::time::sleep(Duration::from_millis(5)).await;
/// # });
/// ```
pub fn sleep(delay: Duration) -> Sleep {
    Sleep {
        stage: Stage::New(Until::In(delay)),
    }
}

/// Waits until `deadline`; one in the past only yields.
///
/// # asyncio counterpart
///
/// None; `loop.call_at()` is the nearest.
///
/// # Panics
///
/// As for [`sleep`].
///
/// # Cancel safety
///
/// As for [`sleep`].
///
/// # Examples
///
/// ```
/// use std::time::{Duration, Instant};
/// # let rt = tasca_core::Runtime::builder().current_thread().build().unwrap();
/// # rt.block_on(async {
/// let deadline = Instant::now() + Duration::from_millis(5);
/// tasca_core::time::sleep_until(deadline).await;
/// assert!(Instant::now() >= deadline);
/// # });
/// ```
pub fn sleep_until(deadline: Instant) -> Sleep {
    Sleep {
        stage: Stage::New(Until::At(deadline)),
    }
}

/// When something is to happen.
#[derive(Clone, Copy, Debug)]
enum Until {
    /// The clock has not been read yet.
    In(Duration),
    At(Instant),
    /// Further away than the clock can tell.
    Never,
}

impl Until {
    /// By the clock of `shared`; `None` if that is never.
    fn resolve(self, now: impl FnOnce() -> Instant) -> Option<Instant> {
        match self {
            Self::In(delay) => now().checked_add(delay),
            Self::At(deadline) => Some(deadline),
            Self::Never => None,
        }
    }
}

/// The future of [`sleep`] and [`sleep_until`].
#[must_use = "futures do nothing unless awaited"]
pub struct Sleep {
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    New(Until),
    Armed {
        timer: Timer,
        deadline: Instant,
    },
    /// A sleep of no length gives the others a turn; the instant is the one that had passed.
    Yielded(Instant),
    /// The end is further away than the clock can tell.
    Endless,
}

impl Sleep {
    /// Gives the instant at which the sleep ends; `None` before it has begun, and if it never ends.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        match self.stage {
            Stage::New(Until::At(deadline))
            | Stage::Armed { deadline, .. }
            | Stage::Yielded(deadline) => Some(deadline),
            Stage::New(_) | Stage::Endless => None,
        }
    }

    /// Reads the clock and arms the timer, if there is something to wait for.
    #[track_caller]
    fn begin(until: Until, cx: &Context<'_>) -> Stage {
        with_runtime(|shared| {
            let Some(deadline) = until.resolve(|| timers::read_clock(shared)) else {
                return Stage::Endless;
            };
            let deadline_ns = shared.clock.ns_of(deadline);
            let is_past = match until {
                Until::In(delay) => delay.is_zero(),
                Until::At(_) | Until::Never => deadline_ns <= shared.clock.now_ns(),
            };
            if is_past {
                return Stage::Yielded(deadline);
            }
            let timer = Timer::arm(shared, deadline_ns, Alarm::Wake(cx.waker().clone()));
            Stage::Armed { timer, deadline }
        })
    }
}

/// Sees to it that an armed timer wakes the task that polls now.
fn keep_timer(timer: &mut Timer, deadline: Instant, cx: &Context<'_>) {
    current::with_shared(|shared| {
        if let Some(shared) = shared {
            timer.set_waker(shared, shared.clock.ns_of(deadline), cx.waker());
        }
    });
}

impl Future for Sleep {
    type Output = ();

    // The caller is the line of the `await`.
    #[track_caller]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let waited = !matches!(self.stage, Stage::New(_));
        let guard = ready!(leaf::enter(cx, waited));
        match &mut self.stage {
            Stage::New(until) => {
                self.stage = Self::begin(*until, cx);
                if let Stage::Yielded(_) = self.stage {
                    cx.waker().wake_by_ref();
                }
                Poll::Pending
            }
            Stage::Armed { timer, deadline } if timer.is_armed() => {
                keep_timer(timer, *deadline, cx);
                Poll::Pending
            }
            Stage::Armed { .. } | Stage::Yielded(_) => {
                guard.made_progress();
                Poll::Ready(())
            }
            Stage::Endless => Poll::Pending,
        }
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleep")
            .field("stage", &self.stage)
            .finish_non_exhaustive()
    }
}

/// Ticks at fixed instants: now, and every `period` from now on.
///
/// # asyncio counterpart
///
/// None.
///
/// # Panics
///
/// If `period` is zero, or outside a runtime.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// # let rt = tasca_core::Runtime::builder().deterministic(0).build().unwrap();
/// # rt.block_on(async {
/// let mut interval = tasca_core::time::interval(Duration::from_secs(1));
/// let first = interval.tick().await;
/// assert_eq!(interval.tick().await - first, Duration::from_secs(1));
/// # });
/// ```
#[track_caller]
#[must_use]
pub fn interval(period: Duration) -> Interval {
    assert!(!period.is_zero(), "an interval needs a period above zero");
    Interval {
        period,
        next: with_runtime(timers::read_clock),
        sleep: None,
    }
}

/// What [`interval`] gives.
///
/// Ticks that were missed because nobody waited are made up for at once, one after the other, so that
/// their number stays right; [`Interval::skip_missed`] leaves them out.
#[derive(Debug)]
pub struct Interval {
    period: Duration,
    next: Instant,
    sleep: Option<Sleep>,
}

impl Interval {
    /// Waits for the next tick; gives the instant for which it was due.
    ///
    /// # Panics
    ///
    /// If it is awaited outside a runtime.
    ///
    /// # Cancel safety
    ///
    /// No tick is lost if the future is dropped.
    pub fn tick(&mut self) -> impl Future<Output = Instant> {
        Tick(self)
    }

    /// As [`tick`](Self::tick), for those who write futures by hand.
    ///
    /// # Panics
    ///
    /// Outside a runtime.
    #[track_caller]
    pub fn poll_tick(&mut self, cx: &mut Context<'_>) -> Poll<Instant> {
        let next = self.next;
        let sleep = self.sleep.get_or_insert_with(|| sleep_until(next));
        ready!(Pin::new(sleep).poll(cx));
        self.sleep = None;
        self.next += self.period;
        Poll::Ready(next)
    }

    /// Leaves out the ticks that are due already; gives their number.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tasca_core::time::{interval, sleep};
    /// # let rt = tasca_core::Runtime::builder().deterministic(0).build().unwrap();
    /// # rt.block_on(async {
    /// let mut interval = interval(Duration::from_secs(1));
    /// let first = interval.tick().await;
    /// sleep(Duration::from_millis(3_500)).await;
    /// assert_eq!(interval.skip_missed(), 2);
    /// assert_eq!(interval.tick().await - first, Duration::from_secs(3));
    /// # });
    /// ```
    pub fn skip_missed(&mut self) -> u32 {
        let now = current::with_shared(|shared| shared.map(|shared| shared.clock.now()));
        let late = now
            .unwrap_or_else(Instant::now)
            .saturating_duration_since(self.next);
        let n_missed = u32::try_from(late.as_nanos() / self.period.as_nanos()).unwrap_or(u32::MAX);
        if n_missed > 0 {
            self.next += self.period * n_missed;
            self.sleep = None;
        }
        n_missed
    }

    /// Gives the period.
    #[must_use]
    pub fn period(&self) -> Duration {
        self.period
    }
}

/// The future of [`Interval::tick`].
#[derive(Debug)]
struct Tick<'a>(&'a mut Interval);

impl Future for Tick<'_> {
    type Output = Instant;

    #[track_caller]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Instant> {
        self.0.poll_tick(cx)
    }
}
