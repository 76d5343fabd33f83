//! `Io`: that every byte arrives, whatever is inside and around it.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::executor::block_on;
use futures::future::poll_fn;
use futures::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, Cursor};
use futures::task::noop_waker;
use hyper::rt::{Read, ReadBuf, Write};
use tasca_hyper::Io;

/// Polls hyper's `Read` once, with a buffer of so many bytes that are not initialised.
fn poll_read(io: &mut (impl Read + Unpin), n_bytes: usize) -> Poll<io::Result<Vec<u8>>> {
    let mut space = vec![MaybeUninit::uninit(); n_bytes];
    let mut buffer = ReadBuf::uninit(&mut space);
    let waker = noop_waker();
    let cx = &mut Context::from_waker(&waker);
    Pin::new(io)
        .poll_read(cx, buffer.unfilled())
        .map_ok(|()| buffer.filled().to_vec())
}

/// Reads to the end with buffers of one size.
fn read_all(io: &mut (impl Read + Unpin), n_bytes: usize) -> Vec<u8> {
    let mut all = Vec::new();
    loop {
        match poll_read(io, n_bytes) {
            Poll::Ready(Ok(part)) if part.is_empty() => return all,
            Poll::Ready(Ok(part)) => all.extend(part),
            other => panic!("{other:?} after {} bytes", all.len()),
        }
    }
}

fn bytes(n_bytes: usize) -> Vec<u8> {
    (0_u8..251).cycle().take(n_bytes).collect()
}

#[test]
fn every_byte_arrives_whatever_the_sizes() {
    const SCRATCH: usize = 64 * 1024;
    for n_there in [0, 1, SCRATCH - 1, SCRATCH, SCRATCH + 1, 5 * SCRATCH] {
        for n_wanted in [1000, SCRATCH - 1, SCRATCH, SCRATCH + 1, 3 * SCRATCH] {
            let mut io = Io::new(Cursor::new(bytes(n_there)));
            assert!(
                read_all(&mut io, n_wanted) == bytes(n_there),
                "{n_there} by {n_wanted}"
            );
        }
    }
}

#[test]
fn a_read_into_no_space_reads_nothing() {
    let mut io = Io::new(Cursor::new(bytes(10)));
    assert!(matches!(poll_read(&mut io, 0), Poll::Ready(Ok(part)) if part.is_empty()));
    assert_eq!(read_all(&mut io, 4), bytes(10));
}

/// A stream whose reads are done by a function.
struct Reader<F>(F);

impl<F: FnMut(&mut [u8]) -> Poll<io::Result<usize>> + Unpin> AsyncRead for Reader<F> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        (self.0)(buffer)
    }
}

#[test]
fn pending_and_errors_are_passed_on() {
    let mut n_polls = 0;
    let mut io = Io::new(Reader(|_: &mut [u8]| {
        n_polls += 1;
        if n_polls == 1 {
            Poll::Pending
        } else {
            Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
        }
    }));
    assert!(poll_read(&mut io, 10).is_pending());
    let Poll::Ready(Err(error)) = poll_read(&mut io, 10) else {
        panic!("an error was expected")
    };
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
}

#[test]
fn a_stream_may_read_from_another_wrapper_while_it_is_read() {
    let mut inner = Io::new(Cursor::new(bytes(1000)));
    let mut outer = Io::new(Reader(|buffer: &mut [u8]| {
        // Both are in need of the thread's buffer now.
        buffer.fill(0xff);
        let part = match poll_read(&mut inner, 7) {
            Poll::Ready(Ok(part)) => part,
            other => panic!("{other:?}"),
        };
        buffer[..part.len()].copy_from_slice(&part);
        Poll::Ready(Ok(part.len()))
    }));
    assert_eq!(read_all(&mut outer, 100), bytes(1000));
}

#[test]
fn a_stream_that_panics_leaves_the_next_read_alone() {
    let mut bad = Io::new(Reader(|_: &mut [u8]| panic!("boom")));
    assert!(catch_unwind(AssertUnwindSafe(|| poll_read(&mut bad, 10))).is_err());
    assert_eq!(read_all(&mut Io::new(Cursor::new(bytes(10))), 4), bytes(10));
}

#[test]
fn a_stream_that_claims_more_than_it_was_asked_for_is_caught() {
    for n_wanted in [10, 1 << 20] {
        let mut liar = Io::new(Reader(|buffer: &mut [u8]| {
            Poll::Ready(Ok(buffer.len() + 1))
        }));
        assert!(catch_unwind(AssertUnwindSafe(|| poll_read(&mut liar, n_wanted))).is_err());
    }
}

/// Notes what is called.
#[derive(Default)]
struct Writer(Vec<String>);

impl AsyncWrite for Writer {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.0.push(format!("write {}", buffer.len()));
        Poll::Ready(Ok(buffer.len()))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let lengths: Vec<usize> = buffers.iter().map(|buffer| buffer.len()).collect();
        self.0.push(format!("write {lengths:?}"));
        Poll::Ready(Ok(lengths.iter().sum()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.push("flush".to_owned());
        Poll::Ready(Ok(()))
    }

    fn poll_close(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.push("close".to_owned());
        Poll::Ready(Ok(()))
    }
}

#[test]
fn what_is_written_is_passed_on_as_it_is() {
    let mut io = Io::new(Writer::default());
    assert!(io.is_write_vectored());
    let parts = [IoSlice::new(b"head"), IoSlice::new(b"body!")];
    block_on(async {
        assert_eq!(
            poll_fn(|cx| Pin::new(&mut io).poll_write(cx, b"one"))
                .await
                .unwrap(),
            3
        );
        let written = poll_fn(|cx| Pin::new(&mut io).poll_write_vectored(cx, &parts)).await;
        assert_eq!(written.unwrap(), 9);
        poll_fn(|cx| Pin::new(&mut io).poll_flush(cx))
            .await
            .unwrap();
        poll_fn(|cx| Pin::new(&mut io).poll_shutdown(cx))
            .await
            .unwrap();
    });
    assert_eq!(
        io.into_inner().0,
        ["write 3", "write [4, 5]", "flush", "close"]
    );
}

#[test]
fn a_stream_of_hypers_is_read_and_written_like_any_other() {
    // The inner wrapper makes a stream of hyper's, the outer one takes it back.
    block_on(async {
        let mut reader = Io::new(Io::new(Cursor::new(bytes(1000))));
        let mut all = Vec::new();
        reader.read_to_end(&mut all).await.unwrap();
        assert_eq!(all, bytes(1000));

        let mut writer = Io::new(Io::new(Writer::default()));
        writer.write_all(b"one").await.unwrap();
        let parts = [IoSlice::new(b"a"), IoSlice::new(b"bc")];
        assert_eq!(writer.write_vectored(&parts).await.unwrap(), 3);
        writer.close().await.unwrap();
        assert_eq!(
            writer.get_ref().get_ref().0,
            ["write 3", "write [1, 2]", "close"]
        );
    });
}
