//! `AsyncRead` and `AsyncWrite` for the streams of this crate.

/// Implements the traits for a stream and for references to it.
///
/// `$stream` has a field `io: Async<S>` with `&S: Read + Write`, and a function `shut_down_writing`.
macro_rules! impl_stream_io {
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
                std::task::Poll::Ready(self.shut_down_writing())
            }
        }
    };
}

pub(crate) use impl_stream_io;
