//! `Async` around what is no socket.

use std::io::{PipeReader, PipeWriter, pipe};
use std::process::{Command, Stdio};

use futures::future::try_join;
use futures::{AsyncReadExt, AsyncWriteExt};
use tasca_core::io::Async;
use tasca_core::{spawn, yield_now};

use crate::on_each_runtime;

fn async_pipe() -> (Async<PipeReader>, Async<PipeWriter>) {
    let (reader, writer) = pipe().unwrap();
    (Async::new(reader).unwrap(), Async::new(writer).unwrap())
}

#[test]
fn a_pipe_carries_more_than_it_holds() {
    const N_BYTES: usize = 1 << 20;
    on_each_runtime(|| async {
        let (mut reader, mut writer) = async_pipe();
        let writing = async move {
            for chunk in (0..N_BYTES).collect::<Vec<_>>().chunks(1_000) {
                let bytes: Vec<_> = chunk.iter().map(|i| (i % 251) as u8).collect();
                writer.write_all(&bytes).await?;
            }
            writer.flush().await?;
            // The reader sees the end when the writer is gone.
            drop(writer);
            Ok(())
        };
        let mut received = Vec::new();
        try_join(writing, reader.read_to_end(&mut received))
            .await
            .unwrap();
        assert_eq!(received.len(), N_BYTES);
        assert!(
            received
                .iter()
                .enumerate()
                .all(|(i, &byte)| byte == (i % 251) as u8)
        );
    });
}

#[test]
fn a_writer_to_a_pipe_that_nobody_reads_gets_an_error() {
    on_each_runtime(|| async {
        let (reader, mut writer) = async_pipe();
        let writing = spawn(async move {
            loop {
                if let Err(error) = writer.write(&[0; 1 << 16]).await {
                    return error.kind();
                }
            }
        });
        yield_now().await;
        drop(reader);
        assert_eq!(writing.await, std::io::ErrorKind::BrokenPipe);
    });
}

#[test]
fn readiness_follows_the_source() {
    on_each_runtime(|| async {
        let (reader, writer) = async_pipe();
        writer.writable().await.unwrap();
        assert!(futures::poll!(Box::pin(reader.readable())).is_pending());
        // Behind the back of `Async`: its memory of readiness is stale in both directions.
        for _ in 0..3 {
            rustix::io::write(writer.get_ref(), b"x").unwrap();
            reader.readable().await.unwrap();
            rustix::io::read(reader.get_ref(), &mut [0; 8]).unwrap();
            assert!(futures::poll!(Box::pin(reader.readable())).is_pending());
        }
    });
}

#[test]
fn the_output_of_a_process_can_be_awaited() {
    on_each_runtime(|| async {
        let mut child = Command::new("echo")
            .arg("hello")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = Async::new(child.stdout.take().unwrap()).unwrap();
        let mut text = String::new();
        output.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "hello\n");
        assert!(child.wait().unwrap().success());
    });
}

#[test]
fn a_second_wrapper_of_one_descriptor_is_refused_by_the_same_poller() {
    on_each_runtime(|| async {
        let (reader, writer) = async_pipe();
        assert!(futures::poll!(Box::pin(reader.readable())).is_pending());
        // What the second one does when it is dropped must not silence the first.
        let second = Async::new(reader.get_ref()).unwrap();
        if let std::task::Poll::Ready(outcome) = futures::poll!(Box::pin(second.readable())) {
            let error = outcome.unwrap_err();
            assert_eq!(error.kind(), std::io::ErrorKind::AlreadyExists);
            drop(second);
            rustix::io::write(writer.get_ref(), b"x").unwrap();
            reader.readable().await.unwrap();
        }
    });
}
