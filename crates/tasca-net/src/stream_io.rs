//! What the streams of this crate have in common.

/// Implements `AsyncRead` and `AsyncWrite` for a stream or for references to it.
///
/// The stream has a field `io: Async<S>` with `&S: Read + Write`.
macro_rules! impl_transfer {
    ($stream:ty, $($reference:tt)*) => {
        impl futures::io::AsyncRead for $($reference)* $stream {
            fn poll_read(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                buffer: &mut [u8],
            ) -> std::task::Poll<std::io::Result<usize>> {
                use std::io::Read as _;
                self.io.poll_read_stream_with(cx, buffer.len(), |mut source| source.read(buffer))
            }

            fn poll_read_vectored(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                buffers: &mut [std::io::IoSliceMut<'_>],
            ) -> std::task::Poll<std::io::Result<usize>> {
                use std::io::Read as _;
                // Every system takes so many buffers at once, but perhaps no more.
                let n_wanted = buffers.iter().take(16).map(|buffer| buffer.len()).sum();
                self.io
                    .poll_read_stream_with(cx, n_wanted, |mut source| source.read_vectored(buffers))
            }
        }

        impl futures::io::AsyncWrite for $($reference)* $stream {
            fn poll_write(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                buffer: &[u8],
            ) -> std::task::Poll<std::io::Result<usize>> {
                use std::io::Write as _;
                self.io.poll_write_stream_with(cx, buffer.len(), |mut source| source.write(buffer))
            }

            fn poll_write_vectored(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                buffers: &[std::io::IoSlice<'_>],
            ) -> std::task::Poll<std::io::Result<usize>> {
                use std::io::Write as _;
                // As in `poll_read_vectored`.
                let n_wanted = buffers.iter().take(16).map(|buffer| buffer.len()).sum();
                self.io
                    .poll_write_stream_with(cx, n_wanted, |mut source| source.write_vectored(buffers))
            }

            /// There is nothing to flush: what was written is with the system.
            fn poll_flush(
                self: std::pin::Pin<&mut Self>,
                _: &mut std::task::Context<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                std::task::Poll::Ready(Ok(()))
            }

            /// Ends the writing half; the peer reads the end of the stream.
            fn poll_close(
                self: std::pin::Pin<&mut Self>,
                _: &mut std::task::Context<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                std::task::Poll::Ready(<$stream as $crate::split::sealed::Stream>::end_writing(&self))
            }
        }
    };
}

/// Gives a stream with a field `io: Async<$std>` what does not depend on the kind of its addresses.
macro_rules! impl_stream {
    ($stream:ident, $std:ty) => {
        impl $stream {
            /// A stream that nobody else has seen.
            pub(super) fn unshared(io: Async<$std>) -> Self {
                Self {
                    io: io.assume_sole_owner(),
                }
            }

            /// Waits for a connection that the system has begun to make.
            pub(super) async fn connected(self) -> std::io::Result<Self> {
                self.writable().await?;
                match self.take_error()? {
                    None => Ok(self),
                    Some(error) => Err(error),
                }
            }

            /// Waits until there is something to read, the end of the stream or an error.
            ///
            /// # Errors
            ///
            /// Those of [`Async::readable`].
            ///
            /// # Cancel safety
            ///
            /// Nothing is lost if the future is dropped.
            pub async fn readable(&self) -> std::io::Result<()> {
                self.io.readable().await
            }

            /// Waits until there is room to write, or an error.
            ///
            /// # Errors
            ///
            /// Those of [`Async::writable`].
            ///
            /// # Cancel safety
            ///
            /// Nothing is lost if the future is dropped.
            pub async fn writable(&self) -> std::io::Result<()> {
                self.io.writable().await
            }

            /// Divides the stream for two parts of one task. (`split` of `futures` divides any stream, behind a lock.)
            pub fn split_mut(
                &mut self,
            ) -> (
                $crate::split::ReadHalf<'_, Self>,
                $crate::split::WriteHalf<'_, Self>,
            ) {
                $crate::split::borrowed(self)
            }

            /// Divides the stream for two tasks. Dropping the writing half ends the writing half of the connection.
            #[must_use]
            pub fn into_split(
                self,
            ) -> (
                $crate::split::OwnedReadHalf<Self>,
                $crate::split::OwnedWriteHalf<Self>,
            ) {
                $crate::split::owned(self)
            }

            /// Ends the reading half, the writing half, or both, for all who use the stream.
            ///
            /// # Errors
            ///
            /// Those of the system, [`NotConnected`](std::io::ErrorKind::NotConnected) if the connection is gone already.
            pub fn shutdown(&self, how: std::net::Shutdown) -> std::io::Result<()> {
                self.io.get_ref().shutdown(how)
            }

            /// Takes the error that the system keeps for the socket (`SO_ERROR`).
            ///
            /// # Errors
            ///
            /// Those of asking for it.
            pub fn take_error(&self) -> std::io::Result<Option<std::io::Error>> {
                self.io.get_ref().take_error()
            }

            /// Wraps a stream of the standard library, and puts it into non-blocking mode.
            ///
            /// # Errors
            ///
            /// Those of the system.
            pub fn from_std(stream: $std) -> std::io::Result<Self> {
                Async::new(stream).map(|io| Self { io })
            }

            /// Gives the stream of the standard library back. It stays in non-blocking mode.
            ///
            /// # Errors
            ///
            /// Those of the system.
            pub fn into_std(self) -> std::io::Result<$std> {
                self.io.into_inner()
            }
        }

        impl $crate::split::sealed::Stream for $stream {
            fn end_writing(&self) -> std::io::Result<()> {
                match self.shutdown(std::net::Shutdown::Write) {
                    // There is nobody left to tell.
                    Err(error) if error.kind() == std::io::ErrorKind::NotConnected => Ok(()),
                    done => done,
                }
            }
        }

        $crate::stream_io::impl_transfer!($stream,);
        $crate::stream_io::impl_transfer!($stream, &);
        $crate::descriptor::impl_descriptor!($stream);

        impl std::fmt::Debug for $stream {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.io.get_ref().fmt(f)
            }
        }
    };
}

pub(crate) use {impl_stream, impl_transfer};
