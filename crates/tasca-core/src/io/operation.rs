//! One operation of one task: the future behind the `async` functions.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::port::{Attempt, Port};
use super::sys::Source;
use crate::driver::{Direction, Wait, WaiterId};

/// Tries `operation` until it does something else than block.
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub(super) struct Operation<'a, S: Source, F> {
    port: &'a Port,
    source: &'a S,
    direction: Direction,
    operation: F,
    /// Our name among those who wait, from the first wait on.
    id: Option<WaiterId>,
    waited: bool,
}

impl<'a, S: Source, F> Operation<'a, S, F> {
    pub(super) fn new(port: &'a Port, source: &'a S, direction: Direction, operation: F) -> Self {
        Self {
            port,
            source,
            direction,
            operation,
            id: None,
            waited: false,
        }
    }
}

// Nothing in here is ever pinned: `operation` is only called, by reference.
impl<S: Source, F> Unpin for Operation<'_, S, F> {}

impl<'a, S: Source, F, R> Future for Operation<'a, S, F>
where
    F: FnMut(&mut &'a S) -> io::Result<R>,
{
    type Output = io::Result<R>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let attempt = Attempt {
            direction: this.direction,
            wait: Wait::Listed(&mut this.id),
            waited: this.waited,
        };
        let mut source = this.source;
        let polled =
            this.port
                .poll_operation(cx, attempt, &mut source, &mut this.operation, |_| false);
        this.waited = polled.is_pending();
        polled
    }
}

impl<S: Source, F> Drop for Operation<'_, S, F> {
    fn drop(&mut self) {
        if self.id.is_some() {
            self.port
                .remove_waiter(self.direction, &Wait::Listed(&mut self.id));
        }
    }
}
