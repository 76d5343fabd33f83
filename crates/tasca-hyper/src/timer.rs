//! [`Timer`], and the sleeps that it makes.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::rt;
use tasca_core::Handle;
use tasca_core::time;

/// Gives hyper the time of the current runtime: for timeouts, keep-alive and the `date` header's age.
///
/// On the deterministic runtime that is virtual time, so that a test of a timeout takes none.
///
/// # asyncio counterpart
///
/// `loop.time` and `loop.call_at`, handed to a library as a value.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use hyper::rt::Timer as _;
/// use tasca_hyper::Timer;
///
/// # let rt = tasca_core::Runtime::builder().deterministic(0).build().unwrap();
/// # rt.block_on(async {
/// let timer = Timer::new();
/// let start = timer.now();
/// timer.sleep(Duration::from_secs(3600)).await;
/// assert_eq!(timer.now() - start, Duration::from_secs(3600));
/// # });
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Timer {}

impl Timer {
    /// A timer for whichever runtime it is used in.
    #[must_use]
    pub const fn new() -> Self {
        Self {}
    }
}

impl rt::Timer for Timer {
    /// Sleeps for `duration`, counted from the first poll on, which panics outside a runtime.
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn rt::Sleep>> {
        Box::pin(Sleep(time::sleep(duration)))
    }

    /// Sleeps until `deadline`. The first poll panics outside a runtime.
    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn rt::Sleep>> {
        Box::pin(Sleep(time::sleep_until(deadline)))
    }

    /// The current runtime's time; the system's where there is no runtime.
    fn now(&self) -> Instant {
        Handle::try_current().map_or_else(Instant::now, |handle| handle.time())
    }

    /// Moves the end of `sleep`, which may be over already, to `new_deadline`.
    fn reset(&self, sleep: &mut Pin<Box<dyn rt::Sleep>>, new_deadline: Instant) {
        match sleep.as_mut().downcast_mut_pin::<Sleep>() {
            // The box is kept; the old timer is disarmed as it is dropped.
            Some(mut ours) => ours.set(Sleep(time::sleep_until(new_deadline))),
            None => *sleep = self.sleep_until(new_deadline),
        }
    }
}

/// A sleep of this library under hyper's trait.
#[derive(Debug)]
struct Sleep(time::Sleep);

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(cx)
    }
}

impl rt::Sleep for Sleep {}
