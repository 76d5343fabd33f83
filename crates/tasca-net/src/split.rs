//! The two halves of a stream, for two owners.

use std::error::Error;
use std::fmt;
use std::io::{self, IoSlice, IoSliceMut};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::io::{AsyncRead, AsyncWrite};

pub(crate) mod sealed {
    use std::io;

    /// What a half needs of its stream.
    #[expect(unnameable_types, reason = "sealed")]
    pub trait Stream: Sized {
        /// Tells the peer that no more will be written.
        fn end_writing(&self) -> io::Result<()>;
    }
}

/// A stream that can be split: [`TcpStream`](crate::TcpStream), `UnixStream`.
pub trait SplitStream: sealed::Stream {}

impl<S: sealed::Stream> SplitStream for S {}

/// The reading half of a borrowed stream.
#[derive(Debug)]
pub struct ReadHalf<'a, S>(&'a S);

/// The writing half of a borrowed stream.
#[derive(Debug)]
pub struct WriteHalf<'a, S>(&'a S);

pub(crate) fn borrowed<S>(stream: &mut S) -> (ReadHalf<'_, S>, WriteHalf<'_, S>) {
    (ReadHalf(stream), WriteHalf(stream))
}

/// The reading half of a stream. The stream is closed when both halves are gone.
#[derive(Debug)]
pub struct OwnedReadHalf<S>(Arc<S>);

/// The writing half of a stream.
///
/// Dropping it ends the writing half of the connection, so that the peer reads the end of the stream;
/// see [`forget`](Self::forget).
#[derive(Debug)]
pub struct OwnedWriteHalf<S: SplitStream> {
    // Invariant: `None` only once the half is being taken apart.
    stream: Option<Arc<S>>,
}

pub(crate) fn owned<S: SplitStream>(stream: S) -> (OwnedReadHalf<S>, OwnedWriteHalf<S>) {
    let stream = Arc::new(stream);
    let reader = OwnedReadHalf(Arc::clone(&stream));
    let writer = OwnedWriteHalf {
        stream: Some(stream),
    };
    (reader, writer)
}

impl<S> ReadHalf<'_, S> {
    /// The whole stream.
    #[must_use]
    pub fn stream(&self) -> &S {
        self.0
    }
}

impl<S> WriteHalf<'_, S> {
    /// The whole stream.
    #[must_use]
    pub fn stream(&self) -> &S {
        self.0
    }
}

impl<S: SplitStream> OwnedReadHalf<S> {
    /// The whole stream.
    #[must_use]
    pub fn stream(&self) -> &S {
        &self.0
    }

    /// Puts the halves of one stream together again.
    ///
    /// # Errors
    ///
    /// [`ReuniteError`], with both halves in it, if they are not of the same stream.
    pub fn reunite(self, writer: OwnedWriteHalf<S>) -> Result<S, ReuniteError<S>> {
        writer.reunite(self)
    }
}

impl<S: SplitStream> OwnedWriteHalf<S> {
    fn shared(&self) -> &Arc<S> {
        // Panic: see the invariant at `stream`.
        self.stream.as_ref().expect("the half was taken apart")
    }

    /// The whole stream.
    #[must_use]
    pub fn stream(&self) -> &S {
        self.shared()
    }

    /// Drops the half without ending the writing half of the connection.
    pub fn forget(mut self) {
        self.stream = None;
    }

    /// Puts the halves of one stream together again.
    ///
    /// # Errors
    ///
    /// [`ReuniteError`], with both halves in it, if they are not of the same stream.
    #[expect(
        clippy::missing_panics_doc,
        reason = "there are exactly two references"
    )]
    pub fn reunite(mut self, reader: OwnedReadHalf<S>) -> Result<S, ReuniteError<S>> {
        if !Arc::ptr_eq(self.shared(), &reader.0) {
            return Err(ReuniteError {
                reader,
                writer: self,
            });
        }
        self.stream = None;
        // Panic: there are two references, one in each half, and the other one is gone.
        Ok(Arc::into_inner(reader.0).expect("a stream has two halves"))
    }
}

impl<S: SplitStream> Drop for OwnedWriteHalf<S> {
    fn drop(&mut self) {
        if let Some(stream) = self.stream.take() {
            // It fails where the connection is gone already, which is as good.
            drop(stream.end_writing());
        }
    }
}

/// Two halves that do not belong together, and so could not be reunited.
pub struct ReuniteError<S: SplitStream> {
    /// The reading half.
    pub reader: OwnedReadHalf<S>,
    /// The writing half, of another stream.
    pub writer: OwnedWriteHalf<S>,
}

impl<S: SplitStream> fmt::Debug for ReuniteError<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReuniteError").finish_non_exhaustive()
    }
}

impl<S: SplitStream> fmt::Display for ReuniteError<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the halves belong to different streams")
    }
}

impl<S: SplitStream> Error for ReuniteError<S> {}

/// A half gives access to its stream.
macro_rules! impl_half {
    (read $half:ty, [$($generics:tt)*], |$this:ident| $stream:expr) => {
        impl<$($generics)*> AsyncRead for $half
        where
            for<'s> &'s S: AsyncRead,
        {
            fn poll_read(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buffer: &mut [u8],
            ) -> Poll<io::Result<usize>> {
                let $this = self.get_mut();
                Pin::new(&mut $stream).poll_read(cx, buffer)
            }

            fn poll_read_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buffers: &mut [IoSliceMut<'_>],
            ) -> Poll<io::Result<usize>> {
                let $this = self.get_mut();
                Pin::new(&mut $stream).poll_read_vectored(cx, buffers)
            }
        }
    };
    (write $half:ty, [$($generics:tt)*], |$this:ident| $stream:expr) => {
        impl<$($generics)*> AsyncWrite for $half
        where
            for<'s> &'s S: AsyncWrite,
        {
            fn poll_write(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buffer: &[u8],
            ) -> Poll<io::Result<usize>> {
                let $this = self.get_mut();
                Pin::new(&mut $stream).poll_write(cx, buffer)
            }

            fn poll_write_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buffers: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                let $this = self.get_mut();
                Pin::new(&mut $stream).poll_write_vectored(cx, buffers)
            }

            fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                let $this = self.get_mut();
                Pin::new(&mut $stream).poll_flush(cx)
            }

            fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                let $this = self.get_mut();
                Pin::new(&mut $stream).poll_close(cx)
            }
        }
    };
}

impl_half!(read ReadHalf<'_, S>, [S], |this| this.0);
impl_half!(read OwnedReadHalf<S>, [S], |this| &*this.0);
impl_half!(write WriteHalf<'_, S>, [S], |this| this.0);
impl_half!(write OwnedWriteHalf<S>, [S: SplitStream], |this| this.stream());
