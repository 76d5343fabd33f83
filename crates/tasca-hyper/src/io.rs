//! [`Io`]: one wrapper, both ways.
//!
//! hyper's `Read` wants bytes in a buffer that may not be initialised; `AsyncRead` wants one that is. Filling hyper's
//! buffer in place takes unsafe code (`ReadBufCursor::advance`), initialising it first costs as much as its whole size at
//! each read, which may be hundreds of kilobytes for a request of fifty bytes. So a read goes into a buffer that each thread keeps, and what
//! has come is copied: that costs a copy of what was really read, out of the cache that the system has just put it into.

use std::cell::Cell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::io::{AsyncRead, AsyncWrite};
use hyper::rt;
use hyper::rt::ReadBufCursor;
use pin_project_lite::pin_project;

/// How much is read at once, at most.
const SCRATCH_BYTES: usize = 64 * 1024;

thread_local! {
    /// The buffer through which this thread reads; empty while it is lent, and at first.
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

pin_project! {
    /// A stream that hyper can read and write; and the other way round, a stream of hyper's that all others can.
    ///
    /// - Around an [`AsyncRead`] or [`AsyncWrite`], such as a socket or what TLS makes of one, it is a
    ///   [`hyper::rt::Read`] or [`hyper::rt::Write`]. Writes are vectored where the stream's are; of a stream that takes only the first of
    ///   many buffers, tell hyper (`writev(false)` of its builders).
    /// - Around a [`hyper::rt::Read`] or [`hyper::rt::Write`], such as an upgraded connection, it is an
    ///   [`AsyncRead`] or [`AsyncWrite`].
    ///
    /// # How it works today
    ///
    /// hyper's reads go through a buffer of 64 KiB that each thread keeps, and cost a copy of what came: some 35 µs for a
    /// megabyte, a tenth of what the system takes to move it in and out. Writes are passed on as they are.
    ///
    /// # asyncio counterpart
    ///
    /// None: asyncio has one kind of stream.
    ///
    /// # Cancel safety
    ///
    /// As the stream inside: nothing is kept in the wrapper.
    ///
    /// # Examples
    ///
    /// A client:
    ///
    /// ```
    /// use futures::{AsyncReadExt, AsyncWriteExt};
    /// use http_body_util::{BodyExt, Empty};
    /// use hyper::body::Bytes;
    /// use hyper::{Request, client::conn::http1};
    /// use tasca_hyper::Io;
    /// use tasca_net::{TcpListener, TcpStream};
    ///
    /// # let rt = tasca_core::Runtime::builder().current_thread().build().unwrap();
    /// # rt.block_on(async {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let address = listener.local_addr()?;
    /// # let server = tasca_core::spawn(async move {
    /// #     let (mut stream, _) = listener.accept().await?;
    /// #     stream.read(&mut [0; 512]).await?;
    /// #     stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi").await
    /// # });
    /// let stream = TcpStream::connect(address).await?;
    /// let (mut sender, connection) = http1::handshake(Io::new(stream)).await?;
    /// let connection = tasca_core::spawn(connection);
    ///
    /// let request = Request::get("/").header("host", "localhost").body(Empty::<Bytes>::new())?;
    /// let response = sender.send_request(request).await?;
    /// assert_eq!(response.into_body().collect().await?.to_bytes(), "hi");
    ///
    /// drop(sender); // the connection ends with its last sender
    /// connection.await?;
    /// # server.await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
    /// ```
    #[derive(Clone, Copy, Debug)]
    pub struct Io<T> {
        #[pin]
        inner: T,
    }
}

impl<T> Io<T> {
    /// Wraps a stream.
    #[must_use]
    pub const fn new(stream: T) -> Self {
        Self { inner: stream }
    }

    /// The stream.
    #[must_use]
    pub const fn get_ref(&self) -> &T {
        &self.inner
    }

    /// The stream.
    #[must_use]
    pub const fn get_mut(&mut self) -> &mut T {
        &mut self.inner
    }

    /// Gives the stream back. No byte of it is left in the wrapper.
    #[must_use]
    pub fn into_inner(self) -> T {
        self.inner
    }
}

impl<T: AsyncRead> rt::Read for Io<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        with_scratch(|scratch| {
            let n_wanted = buffer.remaining().min(scratch.len());
            let n_read = ready!(self.project().inner.poll_read(cx, &mut scratch[..n_wanted]))?;
            buffer.put_slice(&scratch[..n_read]);
            Poll::Ready(Ok(()))
        })
    }
}

/// Lends `read` this thread's buffer.
fn with_scratch<R>(read: impl FnOnce(&mut [u8]) -> R) -> R {
    // It is taken out, not borrowed, because `read` is the user's code and may come back here: then it, or a thread that is
    // ending, gets a new one.
    let mut scratch = SCRATCH.try_with(Cell::take).unwrap_or_default();
    if scratch.is_empty() {
        scratch = vec![0; SCRATCH_BYTES];
    }
    // Panic: if `read` unwinds, the buffer goes with it, and the next read makes another.
    let done = read(&mut scratch);
    // The thread is ending if this fails: nobody will miss the buffer.
    SCRATCH.try_with(|place| place.set(scratch)).ok();
    done
}

impl<T: AsyncWrite> rt::Write for Io<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.project().inner.poll_write(cx, buffer)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().inner.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().inner.poll_close(cx)
    }

    /// `AsyncWrite` cannot be asked. What a wrong yes costs is a system call a response; a wrong no would copy
    /// every body.
    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.project().inner.poll_write_vectored(cx, buffers)
    }
}

impl<T: rt::Read> AsyncRead for Io<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut buffer = rt::ReadBuf::new(buffer);
        ready!(self.project().inner.poll_read(cx, buffer.unfilled()))?;
        Poll::Ready(Ok(buffer.filled().len()))
    }
}

impl<T: rt::Write> AsyncWrite for Io<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.project().inner.poll_write(cx, buffer)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.project().inner.poll_write_vectored(cx, buffers)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().inner.poll_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().inner.poll_shutdown(cx)
    }
}
