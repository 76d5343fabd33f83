//! Cancellation as a value: the handler that Rust's unwinding-by-drop lacks.
//!
//! Dropping a future at its await point unwinds its frames. [`catch_cancelled`] is the `try` around them: it drops the
//! body when a cancellation is delivered, and goes on with the cancellation in its hand, free to await whatever
//! clean-up it needs. The root of every task is the outermost scope.
//!
//! What is guaranteed: a request is delivered to the innermost scope around the leaf that the task is
//! suspended in, once; clean-up is not cancelled by the request that caused it; a later request is a new one.

use std::fmt;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::FutureExt;
use pin_project_lite::pin_project;

use crate::primitive::{Ordering, StaticU64};
use crate::task::cancel::{self, LeafId};
use crate::task::current::{self, Current};
use crate::task::error::CancelMessage;

/// A cancellation that was caught.
///
/// # asyncio counterpart
///
/// `CancelledError`, inside `except`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cancelled {
    message: Option<CancelMessage>,
}

impl Cancelled {
    /// Makes a cancellation to be raised with [`reraise`](Self::reraise).
    ///
    /// # asyncio counterpart
    ///
    /// `CancelledError()`.
    #[must_use]
    pub fn new() -> Self {
        Self { message: None }
    }

    /// Makes a cancellation with a message.
    #[must_use]
    pub fn with_message(message: impl Into<CancelMessage>) -> Self {
        Self {
            message: Some(message.into()),
        }
    }

    /// Gives the reason, if the request had one.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        self.message.as_ref().map(CancelMessage::as_str)
    }

    /// Goes on with the cancellation: the next scope out gets it, or the task ends cancelled.
    ///
    /// The future never completes; what comes after it in the same block does not run.
    ///
    /// # asyncio counterpart
    ///
    /// `raise` inside `except CancelledError`.
    ///
    /// # Panics
    ///
    /// The future panics if it is polled outside any task.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before a scope took the cancellation (it lost a `select!`), nothing is raised.
    pub fn reraise<T>(self) -> Reraise<T> {
        Reraise {
            cancelled: self,
            leaf: None,
            marker: PhantomData,
        }
    }
}

impl Default for Cancelled {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.message() {
            Some(message) => write!(f, "cancelled: {message}"),
            None => f.write_str("cancelled"),
        }
    }
}

impl std::error::Error for Cancelled {}

/// The future of [`Cancelled::reraise`].
#[derive(Debug)]
#[must_use = "nothing is raised unless the future is awaited"]
pub struct Reraise<T> {
    cancelled: Cancelled,
    /// Set while the cancellation is raised and not taken.
    leaf: Option<LeafId>,
    marker: PhantomData<fn() -> T>,
}

impl<T> Future for Reraise<T> {
    type Output = T;

    #[track_caller]
    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<T> {
        static NEXT: StaticU64 = StaticU64::new(1);
        // Ordering: Relaxed: the number is all there is to it.
        let leaf = self
            .leaf
            .unwrap_or_else(|| (0, NEXT.fetch_add(1, Ordering::Relaxed)));
        assert!(
            cancel::raise(leaf, self.cancelled.message.clone()),
            "a cancellation was raised outside any task of a tasca runtime"
        );
        self.leaf = Some(leaf);
        Poll::Pending
    }
}

impl<T> Drop for Reraise<T> {
    fn drop(&mut self) {
        if let Some(leaf) = self.leaf {
            cancel::take_back(leaf);
        }
    }
}

/// Runs `body`; if a cancellation is delivered to it, drops it and gives the cancellation as a value.
///
/// # asyncio counterpart
///
/// `try: await body` with `except CancelledError`. Python runs the body's `finally` blocks on the way; here its values are
/// dropped.
///
/// # Errors
///
/// [`Cancelled`] if the body was cancelled: it has been dropped at its await point. The
/// code that follows may await, [`reraise`](Cancelled::reraise), or go on as if nothing had happened.
///
/// # Cancel safety
///
/// Dropping the future drops the body.
///
/// # Examples
///
/// ```
/// # let rt = tasca_core::Runtime::builder().current_thread().build().unwrap();
/// # rt.block_on(async {
/// use tasca_core::{catch_cancelled, spawn, yield_now};
///
/// let task = spawn(async {
///     match catch_cancelled(std::future::pending::<()>()).await {
///         Ok(()) => "finished",
///         Err(cancelled) => {
///             assert_eq!(cancelled.message(), Some("lunch"));
///             yield_now().await; // clean-up may wait
///             "swallowed"
///         }
///     }
/// });
/// yield_now().await;
/// task.cancel_with("lunch");
/// assert_eq!(task.await, "swallowed");
/// # });
/// ```
#[doc(alias = "CancelledError")]
pub fn catch_cancelled<F: IntoFuture>(body: F) -> CatchCancelled<F::IntoFuture> {
    CatchCancelled {
        body: Some(body.into_future()),
    }
}

pin_project! {
    /// The future of [`catch_cancelled`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless awaited"]
    pub struct CatchCancelled<F> {
        #[pin]
        body: Option<F>,
    }
}

impl<F: Future> Future for CatchCancelled<F> {
    type Output = Result<F::Output, Cancelled>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let body = this
            .body
            .as_mut()
            .as_pin_mut()
            .expect("polled after it was ready");
        let n_stood_back = current::with(Current::n_stood_back);
        if let Poll::Ready(value) = body.poll(cx) {
            this.body.set(None);
            return Poll::Ready(Ok(value));
        }
        if !current::with(Current::delivering) {
            return Poll::Pending;
        }
        let Some(message) = current::with(Current::task).and_then(cancel::take_delivery) else {
            return Poll::Pending;
        };
        this.body.set(None);
        current::with(|current| current.forget_stood_back(n_stood_back));
        Poll::Ready(Err(Cancelled { message }))
    }
}

/// Runs `body`, then `cleanup`, however the body ended: with a value, a panic or a cancellation.
///
/// The clean-up may await; the request that ended the body does not cancel it, a further one does. Afterwards
/// the value is returned, the panic resumed or the cancellation raised again.
///
/// # asyncio counterpart
///
/// `try: … finally: …`.
///
/// # Cancel safety
///
/// Dropping the future drops both; the clean-up does not run then. (A task's future is dropped only
/// when its runtime ends without waiting for it.)
///
/// # Examples
///
/// ```
/// # let rt = tasca_core::Runtime::builder().current_thread().build().unwrap();
/// # rt.block_on(async {
/// let (promise, told) = tasca_core::promise();
/// let task = tasca_core::spawn(tasca_core::finally(std::future::pending::<()>(), async {
///     promise.set("cleaned up").unwrap();
/// }));
/// tasca_core::yield_now().await;
/// task.cancel();
/// assert_eq!(told.await, "cleaned up");
/// assert!(task.outcome().await.unwrap_err().is_cancelled());
/// # });
/// ```
pub async fn finally<B, C>(body: B, cleanup: C) -> B::Output
where
    B: IntoFuture,
    C: IntoFuture<Output = ()>,
{
    let ended = catch_cancelled(AssertUnwindSafe(body.into_future()).catch_unwind()).await;
    cleanup.await;
    match ended {
        Ok(Ok(value)) => value,
        Ok(Err(payload)) => resume_unwind(payload),
        Err(cancelled) => cancelled.reraise().await,
    }
}
