//! [`Needs`]: futures that are made of `async` blocks, and panic where they are awaited all the same.
//!
//! What a block in here awaits, it awaits at a line of this crate, which says nothing to a user who has awaited it in the wrong place.
//! So what the block needs is looked at before it begins, by the poll that the user's own await makes.

use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use tasca_core::{Handle, leaf};

/// What there has to be where a future is awaited.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Need {
    Nothing,
    Runtime,
    /// A task, for the sake of what is said to who awaits the future outside any.
    Task(&'static str),
}

pin_project! {
    /// A future that needs something. It is looked at when the future is polled for the first time.
    #[derive(Debug)]
    pub(crate) struct Needs<F> {
        need: Need,
        #[pin]
        future: F,
    }
}

impl<F: Future> Needs<F> {
    #[inline]
    pub(crate) fn new(need: Need, future: F) -> Self {
        Self { need, future }
    }
}

impl<F: Future> Future for Needs<F> {
    type Output = F::Output;

    #[track_caller]
    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        match std::mem::replace(this.need, Need::Nothing) {
            Need::Nothing => {}
            Need::Runtime => drop(Handle::current()),
            Need::Task(why) => assert!(leaf::is_in_task(), "{why}"),
        }
        this.future.poll(cx)
    }
}
