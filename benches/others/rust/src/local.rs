//! Workloads for runtimes whose tasks stay on one thread.

use std::{
    future::{Future, poll_fn},
    net::SocketAddr,
    task::Poll,
    time::{Duration, Instant},
};

use crate::Workload;

/// A runtime whose tasks stay on one thread.
pub(crate) trait Local: 'static {
    type Listener: 'static;
    type Stream: 'static;

    /// Runs `main` on a new runtime.
    fn run<F: Future<Output = Duration> + 'static>(main: F) -> Duration;

    /// Spawns a task on the same thread. It runs on if its handle is kept.
    fn spawn<F>(future: F) -> impl Future<Output = F::Output> + 'static
    where
        F: Future<Output: 'static> + 'static;

    /// Listens on a free port of the loopback interface.
    fn listen() -> (Self::Listener, SocketAddr);

    async fn accept(listener: &Self::Listener) -> Self::Stream;

    async fn connect(addr: SocketAddr) -> Self::Stream;

    /// Reads what there is, at most a buffer full; gives the buffer back with the length.
    async fn read(stream: &mut Self::Stream, buffer: Vec<u8>) -> (usize, Vec<u8>);

    /// Writes the first `length` bytes of the buffer, and gives it back.
    async fn write_all(stream: &mut Self::Stream, buffer: Vec<u8>, length: usize) -> Vec<u8>;
}

pub(crate) fn all<R: Local>() -> Vec<Workload> {
    vec![
        ("spawn_join", 1, |rounds| R::run(spawn_join::<R>(rounds))),
        ("spawn_join_100", 100, |rounds| {
            R::run(spawn_join_100::<R>(rounds))
        }),
        ("self_wake_100", 100, |rounds| {
            R::run(self_wake_100::<R>(rounds))
        }),
        ("ping_pong", 1, |rounds| R::run(ping_pong::<R>(rounds))),
        ("echo_1", 1, |rounds| R::run(echo::<R>(1, 64, rounds))),
        ("echo_32", 32, |rounds| R::run(echo::<R>(32, 64, rounds))),
        ("echo_500", 500, |rounds| R::run(echo::<R>(500, 64, rounds))),
        ("echo_32_4k", 32, |rounds| {
            R::run(echo::<R>(32, 4_096, rounds))
        }),
    ]
}

async fn spawn_join<R: Local>(rounds: u64) -> Duration {
    let start = Instant::now();
    for number in 0..rounds {
        assert_eq!(R::spawn(async move { number }).await, number);
    }
    start.elapsed()
}

async fn spawn_join_100<R: Local>(rounds: u64) -> Duration {
    let mut joins = Vec::with_capacity(100);
    let start = Instant::now();
    for round in 0..rounds {
        joins.extend((0..100).map(|number| R::spawn(async move { round + number })));
        let mut sum = 0;
        for join in joins.drain(..) {
            sum += join.await;
        }
        assert_eq!(sum, round * 100 + 4_950);
    }
    start.elapsed()
}

async fn self_wake_100<R: Local>(rounds: u64) -> Duration {
    let start = Instant::now();
    let spawn = |_| {
        let mut left = rounds;
        R::spawn(poll_fn(move |cx| {
            if left == 0 {
                return Poll::Ready(());
            }
            left -= 1;
            cx.waker().wake_by_ref();
            Poll::Pending
        }))
    };
    let tasks: Vec<_> = (0..100).map(spawn).collect();
    for task in tasks {
        task.await;
    }
    start.elapsed()
}

async fn ping_pong<R: Local>(rounds: u64) -> Duration {
    let (there, receive) = async_channel::bounded::<u64>(1);
    let (back, answer) = async_channel::bounded::<u64>(1);
    let echo = R::spawn(async move {
        while let Ok(number) = receive.recv().await {
            back.send(number + 1)
                .await
                .expect("the other side is there");
        }
    });
    let start = Instant::now();
    for number in 0..rounds {
        there.send(number).await.expect("the other side is there");
        assert_eq!(answer.recv().await, Ok(number + 1));
    }
    let time = start.elapsed();
    drop(there);
    echo.await;
    time
}

async fn echo<R: Local>(connections: usize, bytes: usize, rounds: u64) -> Duration {
    let (listener, addr) = R::listen();
    let mut servers = Vec::with_capacity(connections);
    let mut streams = Vec::with_capacity(connections);
    for _ in 0..connections {
        let connecting = R::spawn(async move { R::connect(addr).await });
        let stream = R::accept(&listener).await;
        servers.push(R::spawn(serve::<R>(stream)));
        streams.push(connecting.await);
    }
    for stream in &mut streams {
        ask::<R>(stream, bytes, 1).await;
    }
    let start = Instant::now();
    let ask = |mut stream| {
        R::spawn(async move {
            ask::<R>(&mut stream, bytes, rounds).await;
            stream
        })
    };
    let clients: Vec<_> = streams.into_iter().map(ask).collect();
    let mut streams = Vec::with_capacity(connections);
    for client in clients {
        streams.push(client.await);
    }
    let time = start.elapsed();
    drop(streams);
    for server in servers {
        server.await;
    }
    time
}

async fn serve<R: Local>(mut stream: R::Stream) {
    let mut buffer = vec![0; 8_192];
    let mut length;
    loop {
        (length, buffer) = R::read(&mut stream, buffer).await;
        if length == 0 {
            return;
        }
        buffer = R::write_all(&mut stream, buffer, length).await;
    }
}

async fn ask<R: Local>(stream: &mut R::Stream, bytes: usize, rounds: u64) {
    let mut message = vec![7; bytes];
    let mut buffer = vec![0; bytes];
    for _ in 0..rounds {
        message = R::write_all(stream, message, bytes).await;
        let mut length = 0;
        while length < bytes {
            let more;
            (more, buffer) = R::read(stream, buffer).await;
            assert_ne!(more, 0, "the server hung up");
            assert!(
                buffer[..more].iter().all(|byte| *byte == 7),
                "another answer"
            );
            length += more;
        }
    }
}
