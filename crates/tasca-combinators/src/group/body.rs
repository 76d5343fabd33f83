//! The body of a task in a group: it leaves word of how it failed before it ends.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use tasca_core::current_task;

use super::error::What;

/// How an output fails.
pub(super) type Failed<T, E> = fn(&T) -> Option<E>;

pin_project! {
    /// The future of a task in a group.
    pub(super) struct Body<F: Future, E> {
        #[pin]
        future: F,
        failed: Failed<F::Output, E>,
    }
}

impl<F: Future, E> Body<F, E> {
    pub(super) fn new(future: F, failed: Failed<F::Output, E>) -> Self {
        Self { future, failed }
    }
}

fn text_of(payload: &(dyn Any + Send)) -> Option<String> {
    let text = payload
        .downcast_ref::<&'static str>()
        .map(ToString::to_string);
    text.or_else(|| payload.downcast_ref::<String>().cloned())
}

impl<F: Future, E: Send + 'static> Future for Body<F, E> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        // Panic: the future is not polled again, and the panic goes on.
        match catch_unwind(AssertUnwindSafe(|| this.future.poll(cx))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(output)) => {
                if let Some(error) = (this.failed)(&output)
                    && let Some(task) = current_task()
                {
                    task.leave_word(Box::new(What::Error(error)));
                }
                Poll::Ready(output)
            }
            Err(payload) => {
                if let Some(task) = current_task() {
                    let what = What::<E>::Panic(text_of(&*payload));
                    task.leave_word(Box::new(what));
                    // The group tells of it.
                    task.set_observed();
                }
                resume_unwind(payload);
            }
        }
    }
}
