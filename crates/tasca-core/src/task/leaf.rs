//! What every leaf of the library does before it looks at its own readiness.
//!
//! A leaf is a future that waits for something outside the task: a timer, a socket, another task. Two
//! things are decided here for all of them:
//!
//! - **Cancellation wins.** A leaf that was suspended when a cancel request was recorded stays
//!   pending and consumes nothing, so that the scope around it can take the request on the way out. A leaf that is
//!   polled for the first time and can go on at once does so: only a suspension delivers.
//! - **Budget.** After so many successful operations in one poll the task yields, so that a task
//!   whose operations are always ready cannot starve its neighbours.

use std::task::{Context, Poll};

use super::current;
use super::waker;

/// The right to try the operation; see [`enter`].
#[must_use]
#[derive(Debug)]
pub(crate) struct LeafGuard(());

/// Asks whether the leaf may try its operation now. `waited` says that it was pending before.
///
/// `Pending` means: return it as it is; the wake-up is arranged.
#[inline(always)]
pub(crate) fn enter(cx: &mut Context<'_>, waited: bool) -> Poll<LeafGuard> {
    current::with(|current| {
        if waited && current.delivering() {
            stand_back(cx);
            return Poll::Pending;
        }
        if !current.has_budget() {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(LeafGuard(()))
    })
}

/// Has a leaf polled again that stands back from a cancellation: it may be taken by a scope beside the leaf. If a scope around it
/// takes it, and goes on to wait for something else, there is no such poll.
#[cold]
fn stand_back(cx: &Context<'_>) {
    let polled = waker::task(cx.waker());
    current::with(|current| {
        match polled {
            Some(task) if current.is_task(task.as_raw()) => current.stand_back(),
            // Inside a future that hands out wakers of its own.
            _ => cx.waker().wake_by_ref(),
        }
    });
}

impl LeafGuard {
    /// Notes that the operation succeeded; costs one unit of the poll's budget.
    #[inline(always)]
    pub(crate) fn made_progress(self) {
        current::with(|current| {
            // Outside a task nobody resets the budget.
            if current.task().is_some() {
                current.charge();
            }
        });
    }
}

/// Yields once: the rest of the queue gets a turn.
///
/// # asyncio counterpart
///
/// `asyncio.sleep(0)`.
///
/// # Cancel safety
///
/// Nothing is lost if the future is dropped. A cancellation is delivered here.
///
/// # Examples
///
/// ```
/// # let rt = tasca_core::Runtime::builder().current_thread().build().unwrap();
/// # rt.block_on(async {
/// tasca_core::yield_now().await;
/// # });
/// ```
pub fn yield_now() -> YieldNow {
    YieldNow { yielded: false }
}

/// The future of [`yield_now`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct YieldNow {
    yielded: bool,
}

impl Future for YieldNow {
    type Output = ();

    #[inline]
    fn poll(mut self: std::pin::Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.yielded {
            // A request that came meanwhile is delivered here (asyncio rule C9).
            let delivering = current::with(current::Current::delivering);
            if !delivering {
                return Poll::Ready(());
            }
            stand_back(cx);
            return Poll::Pending;
        }
        self.yielded = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
