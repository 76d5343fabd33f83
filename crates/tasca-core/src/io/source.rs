//! [`Async`]: a source and the means to wait for it.

use std::fmt;
use std::io;
use std::task::{Context, Poll};

use super::operation::Operation;
use super::port::Port;
use super::sys::{self, Source};
use crate::driver::{Direction, Driver};

/// Turns a source that blocks into one that can be awaited.
///
/// The source is anything with a file descriptor that the system can poll (on Windows, with a socket):
/// sockets, pipes, terminals, event descriptors; not regular files. It is put into non-blocking mode and stays in
/// it, also after [`into_inner`](Self::into_inner); the mode belongs to the open file, so duplicates of the
/// descriptor share it.
///
/// Wrap a descriptor once. A second `Async` over the same descriptor may fail with
/// [`AlreadyExists`](io::ErrorKind::AlreadyExists) at its first wait.
///
/// # asyncio counterpart
///
/// `loop.add_reader` and `loop.add_writer`, and the `sock_` functions of the loop.
///
/// # Examples
///
/// ```
/// # #[cfg(unix)] {
/// use std::io::{Read, Write};
/// use std::os::unix::net::UnixStream;
/// use tasca_core::io::Async;
///
/// let rt = tasca_core::Runtime::builder().current_thread().build().unwrap();
/// let n = rt.block_on(async {
///     let (here, mut there) = UnixStream::pair()?;
///     let here = Async::new(here)?;
///     there.write_all(b"hello")?;
///     here.read_with(|mut stream| stream.read(&mut [0; 16])).await
/// });
/// assert_eq!(n.unwrap(), 5);
/// # }
/// ```
pub struct Async<T: Source> {
    // Invariant: `None` only in `into_inner`, after which the value is dropped.
    source: Option<T>,
    port: Port,
    sole_owner: bool,
}

// A server has connections by the hundred thousand: a field more is a decision. Not in the driver, where it would be asked of a model's
// atomics as well.
const _: () = assert!(Driver::BYTES_PER_SOURCE <= 64);

impl<T: Source> Async<T> {
    /// Wraps `source` and puts it into non-blocking mode. Needs no runtime.
    ///
    /// # Errors
    ///
    /// That of the system if the mode cannot be set; `source` is dropped.
    pub fn new(source: T) -> io::Result<Self> {
        sys::set_nonblocking(&source)?;
        Ok(Self::from_nonblocking(source))
    }

    /// Wraps a source that is in non-blocking mode already, which saves a system call.
    ///
    /// If it is not, operations block the worker.
    pub fn from_nonblocking(source: T) -> Self {
        Self {
            source: Some(source),
            port: Port::new(),
            sole_owner: false,
        }
    }

    /// Promises that dropping the source closes it for good: that it owns its descriptor and that there are
    /// no duplicates, in this process or another. Saves a system call at the end on Linux.
    ///
    /// If the promise is broken, the system goes on reporting events of the duplicate, which cost time
    /// and are ignored.
    #[must_use]
    pub fn assume_sole_owner(mut self) -> Self {
        self.sole_owner = true;
        self
    }

    /// The source.
    ///
    /// Operations on it that would block may be tried at any time: the waiting functions do not rely on
    /// seeing all of them.
    #[expect(
        clippy::missing_panics_doc,
        reason = "cannot, by the invariant at `source`"
    )]
    pub fn get_ref(&self) -> &T {
        // Panic: see the invariant at `source`.
        self.source.as_ref().expect("the source was taken out")
    }

    /// Gives the source back, in non-blocking mode.
    ///
    /// # Errors
    ///
    /// That of the system if it could not be told to stop reporting on the source, which is dropped
    /// then.
    #[expect(
        clippy::missing_panics_doc,
        reason = "cannot, by the invariant at `source`"
    )]
    pub fn into_inner(mut self) -> io::Result<T> {
        // Panic: see the invariant at `source`.
        let source = self.source.take().expect("the source was taken out");
        self.port.deregister(&source, false)?;
        Ok(source)
    }

    /// Waits until a read would not block: there is something to read, the end of the stream, or an error.
    ///
    /// Any number of tasks may wait at once; all are woken, and somebody else may then read first.
    ///
    /// # asyncio counterpart
    ///
    /// `loop.add_reader`, as something to await.
    ///
    /// # Errors
    ///
    /// If there is no runtime, if it has shut down, or if the source cannot be registered with it.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost if the future is dropped. A cancellation is delivered here.
    pub async fn readable(&self) -> io::Result<()> {
        self.operation(Direction::Read, sys::probe(Direction::Read))
            .await
    }

    /// Waits until a write would not block: there is room, the peer has hung up, or there is an error.
    ///
    /// Otherwise as [`readable`](Self::readable).
    ///
    /// # asyncio counterpart
    ///
    /// `loop.add_writer`, as something to await.
    ///
    /// # Errors
    ///
    /// As [`readable`](Self::readable).
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost if the future is dropped. A cancellation is delivered here.
    pub async fn writable(&self) -> io::Result<()> {
        self.operation(Direction::Write, sys::probe(Direction::Write))
            .await
    }

    /// Runs an operation that reads, waiting for as long as it would block.
    ///
    /// `operation` is tried at once, and again when the source becomes readable. It must report
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) only where a read of the source did.
    /// [`Interrupted`](io::ErrorKind::Interrupted) is tried again at once.
    ///
    /// Any number of tasks may wait at once; all are woken and try again.
    ///
    /// # asyncio counterpart
    ///
    /// `loop.sock_recv`, `loop.sock_accept` and their like.
    ///
    /// # Errors
    ///
    /// Those of `operation`; those of waiting, as in [`readable`](Self::readable).
    ///
    /// # Cancel safety
    ///
    /// `operation` runs in a poll that returns its result, or it would have blocked: if the
    /// future is dropped, nothing was read. A cancellation is delivered here, before the operation is tried again.
    pub async fn read_with<R>(
        &self,
        mut operation: impl FnMut(&T) -> io::Result<R>,
    ) -> io::Result<R> {
        self.operation(Direction::Read, |source: &mut &T| operation(source))
            .await
    }

    /// Runs an operation that writes, waiting for as long as it would block.
    ///
    /// Otherwise as [`read_with`](Self::read_with).
    ///
    /// # asyncio counterpart
    ///
    /// `loop.sock_sendall`, one `send` at a time, and `loop.sock_sendto`.
    ///
    /// # Errors
    ///
    /// As [`read_with`](Self::read_with).
    ///
    /// # Cancel safety
    ///
    /// As [`read_with`](Self::read_with): if the future is dropped, nothing was written.
    pub async fn write_with<R>(
        &self,
        mut operation: impl FnMut(&T) -> io::Result<R>,
    ) -> io::Result<R> {
        self.operation(Direction::Write, |source: &mut &T| operation(source))
            .await
    }

    fn operation<'a, F, R>(&'a self, direction: Direction, operation: F) -> Operation<'a, T, F>
    where
        F: FnMut(&mut &'a T) -> io::Result<R>,
    {
        Operation::new(&self.port, self.get_ref(), direction, operation)
    }

    /// Polls an operation that reads; for `poll_` functions of traits.
    ///
    /// `operation` is as in [`read_with`](Self::read_with). One waker is remembered: that of the last call.
    ///
    /// # Errors
    ///
    /// As [`read_with`](Self::read_with).
    pub fn poll_read_with<R>(
        &self,
        cx: &mut Context<'_>,
        mut operation: impl FnMut(&T) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        self.poll_shared(cx, Direction::Read, |source| operation(source), |_| false)
    }

    /// Polls an operation that writes; for `poll_` functions of traits.
    ///
    /// Otherwise as [`poll_read_with`](Self::poll_read_with).
    ///
    /// # Errors
    ///
    /// As [`read_with`](Self::read_with).
    pub fn poll_write_with<R>(
        &self,
        cx: &mut Context<'_>,
        mut operation: impl FnMut(&T) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        self.poll_shared(cx, Direction::Write, |source| operation(source), |_| false)
    }

    /// Polls a read of up to `n_wanted` bytes from a *stream socket*.
    ///
    /// As [`poll_read_with`](Self::poll_read_with), and saves the next system call after a read that
    /// brought fewer bytes than wanted: a stream socket is empty then. Datagram sockets and terminals are not, they
    /// keep the bounds of messages and lines.
    ///
    /// # Errors
    ///
    /// As [`read_with`](Self::read_with).
    pub fn poll_read_stream_with(
        &self,
        cx: &mut Context<'_>,
        n_wanted: usize,
        mut operation: impl FnMut(&T) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        self.poll_shared(
            cx,
            Direction::Read,
            |source| operation(source),
            |&n_done| is_short(n_done, n_wanted),
        )
    }

    /// Polls a write of up to `n_wanted` bytes to a *stream socket*.
    ///
    /// As [`poll_write_with`](Self::poll_write_with), and saves the next system call after a write
    /// that took fewer bytes than wanted: the socket's buffer is full then.
    ///
    /// # Errors
    ///
    /// As [`read_with`](Self::read_with).
    pub fn poll_write_stream_with(
        &self,
        cx: &mut Context<'_>,
        n_wanted: usize,
        mut operation: impl FnMut(&T) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        self.poll_shared(
            cx,
            Direction::Write,
            |source| operation(source),
            |&n_done| is_short(n_done, n_wanted),
        )
    }

    fn poll_shared<R>(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        operation: impl FnMut(&mut &T) -> io::Result<R>,
        is_short: impl FnOnce(&R) -> bool,
    ) -> Poll<io::Result<R>> {
        self.port
            .poll_remembered(cx, direction, &mut self.get_ref(), operation, is_short)
    }

    /// As [`poll_shared`](Self::poll_shared), for operations that need the source to themselves. Not
    /// public: nobody may put another source in its place.
    pub(super) fn poll_exclusive<R>(
        &mut self,
        cx: &mut Context<'_>,
        direction: Direction,
        operation: impl FnMut(&mut T) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        // Panic: see the invariant at `source`.
        let source = self.source.as_mut().expect("the source was taken out");
        self.port
            .poll_remembered(cx, direction, source, operation, |_| false)
    }
}

/// Whether a transfer stopped because the source had no more to give or to take.
#[inline]
fn is_short(n_done: usize, n_wanted: usize) -> bool {
    /// No system moves as much at once as it is asked to, but all move this much.
    const MOVED_AT_ONCE_MIN: usize = 1 << 30;
    // None at all is the end of the stream, which stays to be read.
    0 < n_done && n_done < n_wanted.min(MOVED_AT_ONCE_MIN)
}

// Nothing in here is ever pinned.
impl<T: Source> Unpin for Async<T> {}

impl<T: Source> Drop for Async<T> {
    fn drop(&mut self) {
        if let Some(source) = &self.source {
            // An error is of no use to anybody: the source goes away, and whatever is still reported under
            // its key is ignored.
            drop(self.port.deregister(source, self.sole_owner));
        }
    }
}

impl<T: Source + fmt::Debug> fmt::Debug for Async<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Async").field(self.get_ref()).finish()
    }
}
