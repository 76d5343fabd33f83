//! The body of a task in a group: it leaves word of how it failed before it ends.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tasca_core::current_task;

use super::error::What;
use crate::primitive::Mutex;
use crate::sync::lock;

/// Where the body leaves word.
pub(super) type Word<E> = Arc<Mutex<Option<What<E>>>>;

/// How an output fails.
pub(super) type Failed<T, E> = fn(&T) -> Option<E>;

/// The future of a task in a group.
pub(super) struct Body<F: Future, E> {
    future: Pin<Box<F>>,
    word: Word<E>,
    failed: Failed<F::Output, E>,
}

impl<F: Future, E> Unpin for Body<F, E> {}

impl<F: Future, E> Body<F, E> {
    pub(super) fn new(future: F, word: Word<E>, failed: Failed<F::Output, E>) -> Self {
        Self {
            future: Box::pin(future),
            word,
            failed,
        }
    }
}

fn text_of(payload: &(dyn Any + Send)) -> Option<String> {
    let text = payload
        .downcast_ref::<&'static str>()
        .map(ToString::to_string);
    text.or_else(|| payload.downcast_ref::<String>().cloned())
}

impl<F: Future, E> Future for Body<F, E> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = &mut *self;
        // Panic: the future is not polled again, and the panic goes on.
        match catch_unwind(AssertUnwindSafe(|| this.future.as_mut().poll(cx))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(output)) => {
                if let Some(error) = (this.failed)(&output) {
                    *lock(&this.word) = Some(What::Error(error));
                }
                Poll::Ready(output)
            }
            Err(payload) => {
                *lock(&this.word) = Some(What::Panic(text_of(&*payload)));
                if let Some(task) = current_task() {
                    // The group tells of it.
                    task.set_observed();
                }
                resume_unwind(payload);
            }
        }
    }
}
