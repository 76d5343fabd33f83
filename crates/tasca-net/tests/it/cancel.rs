//! What cancellation and dropping leave behind.

use std::io::Write as _;
use std::pin::Pin;
use std::task::Context;

use futures::task::noop_waker_ref;
use futures::{AsyncReadExt, AsyncWriteExt};
use tasca_core::{Runtime, spawn, yield_now};
use tasca_net::{TcpListener, TcpStream};

use crate::guard::guarded;
use crate::on_each_runtime;

/// A stream of ours, and its peer, blocking and outside of any runtime.
async fn pair() -> (TcpStream, std::net::TcpStream) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let stream = TcpStream::connect(address).await.unwrap();
    (stream, listener.accept().unwrap().0)
}

#[test]
fn a_cancelled_read_loses_no_bytes() {
    on_each_runtime(|| async {
        for _ in 0..100 {
            let (mut stream, mut peer) = pair().await;
            let (waits, is_waiting) = futures::channel::oneshot::channel();
            let (result, results) = futures::channel::oneshot::channel();
            let reading = spawn(async move {
                let mut buffer = [0; 8];
                let mut read = stream.read(&mut buffer);
                assert!(futures::poll!(&mut read).is_pending());
                waits.send(()).unwrap();
                // Either the bytes or the cancellation: whichever the poll finds, nothing is lost.
                let n_read = match tasca_core::catch_cancelled(read).await {
                    Ok(n_read) => n_read.unwrap(),
                    Err(_) => 0,
                };
                stream.read_exact(&mut buffer[n_read..]).await.unwrap();
                // Not as the output: a cancellation may still come before the end of the task.
                result.send(buffer).unwrap();
            });
            is_waiting.await.unwrap();
            peer.write_all(b"precious").unwrap();
            reading.cancel();
            assert_eq!(&results.await.unwrap(), b"precious");
        }
    });
}

#[test]
fn cancellation_wins_over_bytes_that_are_there() {
    guarded("cancellation wins over bytes that are there", || {
        // On one thread the order is certain: nobody polls the reader in between.
        let rt = Runtime::builder().current_thread().build().unwrap();
        rt.block_on(async {
            let (mut stream, mut peer) = pair().await;
            let reading = spawn(async move {
                let mut buffer = [0; 16];
                let outcome = tasca_core::catch_cancelled(stream.read(&mut buffer)).await;
                assert!(outcome.is_err());
                stream
            });
            while !reading.is_finished() {
                yield_now().await;
                peer.write_all(b"precious").unwrap();
                reading.cancel();
            }
            let mut stream = reading.await;
            let mut received = [0; 8];
            stream.read_exact(&mut received).await.unwrap();
            assert_eq!(&received, b"precious");
        });
    });
}

#[test]
fn a_cancelled_accept_loses_no_connection() {
    guarded("a cancelled accept loses no connection", || {
        let rt = Runtime::builder().current_thread().build().unwrap();
        rt.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let accepting = spawn(async move {
                let outcome = tasca_core::catch_cancelled(listener.accept()).await;
                assert!(outcome.is_err());
                listener
            });
            yield_now().await;
            let client = std::net::TcpStream::connect(address).unwrap();
            accepting.cancel();
            let listener = accepting.await;
            let (_, peer) = listener.accept().await.unwrap();
            assert_eq!(peer, client.local_addr().unwrap());
        });
    });
}

#[test]
fn a_writer_that_waits_for_room_can_be_cancelled() {
    on_each_runtime(|| async {
        let (mut stream, peer) = pair().await;
        let (progress, progressed) = futures::channel::oneshot::channel();
        let writing = spawn(async move {
            let mut progress = Some(progress);
            let block = [0; 1 << 16];
            loop {
                let mut write = stream.write(&block);
                let first = futures::poll!(&mut write);
                if first.is_pending() {
                    if let Some(progress) = progress.take() {
                        progress.send(()).unwrap();
                    }
                    write.await.unwrap();
                }
            }
        });
        progressed.await.unwrap();
        assert!(writing.cancel_with("enough"));
        let error = writing.outcome().await.unwrap_err();
        assert!(error.is_cancelled());
        drop(peer);
    });
}

#[test]
fn a_dropped_wait_leaves_no_waker_behind() {
    on_each_runtime(|| async {
        let (stream, mut peer) = pair().await;
        for _ in 0..3 {
            let mut waits = [Box::pin(stream.readable()), Box::pin(stream.readable())];
            let mut cx = Context::from_waker(noop_waker_ref());
            for wait in &mut waits {
                assert!(Pin::new(wait).poll(&mut cx).is_pending());
            }
            drop(waits);
        }
        let waiting = spawn(async move {
            stream.readable().await.unwrap();
            stream
        });
        yield_now().await;
        peer.write_all(b"x").unwrap();
        let stream = waiting.await;
        assert_eq!(stream.peek(&mut [0; 8]).await.unwrap(), 1);
    });
}
