//! Accepting for as long as there is a listener.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::stream::{FusedStream, Stream};
use tasca_core::time::{Sleep, sleep};
use tasca_core::{Handle, Problem, Trouble};

use crate::errno;

/// The first pause after a failure, doubled by each further one in a row.
const PAUSE_MIN: Duration = Duration::from_millis(10);
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// A source of connections: [`TcpListener`](crate::TcpListener), `UnixListener`.
pub trait Listener: sealed::Listener {}

impl<L: sealed::Listener> Listener for L {}

pub(crate) mod sealed {
    use std::fmt;
    use std::io;
    use std::task::{Context, Poll};

    /// What [`Incoming`](super::Incoming) needs of a listener.
    #[expect(unnameable_types, reason = "sealed")]
    pub trait Listener {
        /// What is accepted.
        type Stream;

        /// Takes the next connection.
        fn poll_next_connection(&self, cx: &mut Context<'_>) -> Poll<io::Result<Self::Stream>>;

        /// What to call the listener in a report.
        fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result;
    }
}

/// The connections that a listener accepts, one after the other; a stream that does not end by itself.
///
/// A lack of descriptors or memory is reported to the runtime's exception handler, once until a connection
/// is accepted again; the stream then pauses, for 10 ms at first and for twice as long each time up to
/// a second, and goes on. Connections that are gone before they could be accepted are passed over. Any other error is
/// given to the caller and ends the stream.
///
/// Made by `incoming` of a listener.
#[must_use = "streams do nothing unless polled"]
pub struct Incoming<'a, L> {
    listener: &'a L,
    pause: Option<Pin<Box<Sleep>>>,
    next_pause: Duration,
    ended: bool,
}

impl<'a, L: Listener> Incoming<'a, L> {
    pub(crate) fn new(listener: &'a L) -> Self {
        Self {
            listener,
            pause: None,
            next_pause: PAUSE_MIN,
            ended: false,
        }
    }

    #[cold]
    fn back_off(&mut self, error: &io::Error) {
        if self.next_pause == PAUSE_MIN {
            report(self.listener, error);
        }
        self.pause = Some(Box::pin(sleep(self.next_pause)));
        self.next_pause = PAUSE_MAX.min(self.next_pause * 2);
    }
}

fn report(listener: &impl Listener, error: &io::Error) {
    /// The listener as it describes itself.
    struct Described<'a, L>(&'a L);

    impl<L: Listener> fmt::Display for Described<'_, L> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.describe(f)
        }
    }

    // Outside of every runtime there is nobody to report to.
    if let Some(handle) = Handle::try_current() {
        let listener = Described(listener);
        let text = format!("{listener} cannot accept connections, will try again: {error}");
        handle.report(Problem::new(Trouble::AcceptFailed, text));
    }
}

impl<L: Listener> Stream for Incoming<'_, L> {
    type Item = io::Result<L::Stream>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if this.ended {
            return Poll::Ready(None);
        }
        loop {
            if let Some(pause) = &mut this.pause {
                ready!(pause.as_mut().poll(cx));
                this.pause = None;
            }
            match ready!(this.listener.poll_next_connection(cx)) {
                Ok(stream) => {
                    this.next_pause = PAUSE_MIN;
                    return Poll::Ready(Some(Ok(stream)));
                }
                Err(error) if errno::may_pass(&error) => this.back_off(&error),
                Err(error) => {
                    this.ended = true;
                    return Poll::Ready(Some(Err(error)));
                }
            }
        }
    }
}

impl<L: Listener> FusedStream for Incoming<'_, L> {
    fn is_terminated(&self) -> bool {
        self.ended
    }
}

impl<L: fmt::Debug> fmt::Debug for Incoming<'_, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incoming")
            .field("listener", self.listener)
            .field("pausing", &self.pause.is_some())
            .finish()
    }
}
