//! What a leaf is made of, for crates that define leaves of their own.
//!
//! A *leaf* is a future that waits for something itself: for a place in a line, a signal, a device. Futures that
//! are made of other futures (every `async fn`) need nothing of this. A leaf of any other library works as well; what
//! the parts in here add is that a leaf
//!
//! - lets a cancellation win over a result that is ready, and consumes nothing when it does ([`enter`]);
//! - takes its share of the task's budget ([`Entered::made_progress`]);
//! - can tell, of a task that waits in some line, that it has been asked to stop and will not take what
//!   it waits for ([`Waiter::is_cancelled`]).
//!
//! # How a leaf polls
//!
//! 1. [`enter`], saying whether an earlier poll has left the leaf waiting. If that is `Pending`, return it.
//! 2. Try the operation. If it succeeds, call [`Entered::made_progress`] and return the result.
//! 3. Otherwise leave a [`Waiter`] where the other side will find it, and return `Pending`.
//!
//! A leaf that is dropped while it waits takes its waiter back. If it had been woken by then, it gives what it was woken
//! for to the next one: a cancelled task drops its leaves between the wake-up and the poll.
//!
//! # Examples
//!
//! ```
//! use std::sync::Mutex;
//! use std::task::{Context, Poll, ready};
//!
//! use tasca_core::leaf::{self, Waiter};
//!
//! /// A door that opens once, for one who waits.
//! #[derive(Default)]
//! struct Door(Mutex<(bool, Option<Waiter>)>);
//!
//! impl Door {
//!     fn open(&self) {
//!         let waiter = {
//!             let mut door = self.0.lock().unwrap();
//!             door.0 = true;
//!             door.1.take()
//!         };
//!         // Wakers are foreign code: no lock is held here.
//!         waiter.into_iter().for_each(Waiter::wake);
//!     }
//!
//!     fn poll_opened(&self, cx: &mut Context<'_>, waited: &mut bool) -> Poll<()> {
//!         let entered = ready!(leaf::enter(cx, *waited));
//!         let waiter = Waiter::new(cx);
//!         let mut door = self.0.lock().unwrap();
//!         if door.0 {
//!             entered.made_progress();
//!             return Poll::Ready(());
//!         }
//!         *waited = true;
//!         let _before = door.1.replace(waiter);
//!         Poll::Pending
//!     }
//! }
//!
//! # let rt = tasca_core::Runtime::builder().deterministic(0).build().unwrap();
//! # rt.block_on(async {
//! let door = std::sync::Arc::new(Door::default());
//! let guest = tasca_core::spawn({
//!     let door = std::sync::Arc::clone(&door);
//!     async move {
//!         let mut waited = false;
//!         std::future::poll_fn(|cx| door.poll_opened(cx, &mut waited)).await;
//!     }
//! });
//! tasca_core::yield_now().await;
//! door.open();
//! guest.await;
//! # });
//! ```

use std::task::{Context, Poll, Waker};

use super::cancel;
use super::current::{self, Current};
use super::handle::TaskRef;
use super::leaf::{self, LeafGuard};
use super::waker;

/// Asks whether the leaf may try its operation now. `waited` says that an earlier poll left it waiting.
///
/// `Pending` means: return it as it is, and consume nothing; the wake-up is arranged. It comes when the task has a
/// cancellation to take (a scope around the leaf takes it on the way out), or has used up the budget of this poll. A leaf
/// that is polled for the first time is not held up by a cancellation: only a suspension delivers.
///
/// Outside any task the answer is always ready.
///
/// # Examples
///
/// See the [module](self).
#[inline]
pub fn enter(cx: &mut Context<'_>, waited: bool) -> Poll<Entered> {
    leaf::enter(cx, waited).map(Entered)
}

/// Whether this code runs in a task: `false` in a callback and outside any runtime.
///
/// As [`current_task`](crate::current_task) would tell, without taking a reference to it.
#[must_use]
#[inline]
pub fn is_in_task() -> bool {
    current::with(Current::task).is_some()
}

/// The right to try the operation; see [`enter`].
#[must_use = "report progress, or drop it if there was none"]
#[derive(Debug)]
pub struct Entered(LeafGuard);

impl Entered {
    /// Notes that the operation succeeded; costs one unit of the poll's budget.
    #[inline]
    pub fn made_progress(self) {
        self.0.made_progress();
    }
}

/// Somebody who waits: whom to wake, and what has become of the task meanwhile.
///
/// # asyncio counterpart
///
/// The private future that each of asyncio's primitives makes for a task that has to wait.
#[derive(Debug)]
pub struct Waiter {
    waker: Waker,
    /// The task that waits, if its own waker does not tell: inside a future that hands out wakers of its own.
    task: Option<TaskRef>,
}

impl Waiter {
    /// Remembers who polls.
    #[must_use]
    #[inline]
    pub fn new(cx: &Context<'_>) -> Self {
        let task = current::with(Current::task);
        let own = waker::task(cx.waker());
        Self {
            waker: cx.waker().clone(),
            task: task
                .filter(|task| own.is_none_or(|own| own.as_raw() != task.as_raw()))
                .map(TaskRef::from_ptr),
        }
    }

    /// As [`new`](Self::new), if that calls no foreign code: `None` inside a future that hands out wakers of its own, and
    /// outside any task. What is made so may be made, and dropped, with a lock held.
    #[must_use]
    #[inline]
    pub fn of_task(cx: &Context<'_>) -> Option<Self> {
        let task = current::with(Current::task)?;
        let own = waker::task(cx.waker())?;
        (own.as_raw() == task.as_raw()).then(|| Self {
            waker: cx.waker().clone(),
            task: None,
        })
    }

    /// Whether this is still the right waiter for a leaf that is polled with `cx`; if not, make a new one.
    #[must_use]
    #[inline]
    pub fn is_for(&self, cx: &Context<'_>) -> bool {
        let polled = current::with(Current::task);
        self.waker.will_wake(cx.waker())
            && match (&self.task, polled) {
                (Some(task), Some(polled)) => task.ptr().as_raw() == polled.as_raw(),
                (Some(_), None) => false,
                (None, _) => true,
            }
    }

    /// Whether the task has been asked to stop while it was suspended, and has not taken that request yet.
    ///
    /// It will, at its next poll, and then most probably drop the leaf: a task in this state does not take what it
    /// waits for, and whatever there is to hand out may go to the next in line. Most probably, because a task may
    /// wait in several places at once, and the request be taken in another. So a waiter that is passed over for this reason
    /// is woken all the same, and its leaf starts anew if it is polled again.
    ///
    /// A request that comes when the task has been woken already does not count here: asyncio's private future is then done,
    /// and can no longer be cancelled. Always `false` for a waiter outside any task.
    ///
    /// Takes a lock of the task's for a moment; calls no foreign code.
    #[must_use]
    #[inline]
    pub fn is_cancelled(&self) -> bool {
        let task = match &self.task {
            Some(task) => Some(task.ptr()),
            None => waker::task(&self.waker),
        };
        task.is_some_and(cancel::has_accepted)
    }

    /// Wakes the leaf. Wakers may be foreign code: hold no lock here.
    #[inline]
    pub fn wake(self) {
        self.waker.wake();
    }
}
