//! What the network workloads share: connections within the process, and clients on the runtime.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use crate::rt::{Peer, Rt};

/// Opens so many connections, each served by a task that runs `serve`; gives the clients' ends and the
/// tasks. The tasks end when the clients' ends are dropped.
pub(super) async fn open<R, S, F>(
    rt: R,
    connections: usize,
    serve: S,
) -> (Vec<R::Stream>, Vec<R::Join<()>>)
where
    R: Peer,
    S: Fn(R::Stream) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    let (mut listener, addr) = rt.listen().await.expect("a free port");
    let mut streams = Vec::with_capacity(connections);
    let mut servers = Vec::with_capacity(connections);
    for _ in 0..connections {
        let connecting = rt.spawn(async move { rt.connect(addr).await });
        let stream = R::accept(&mut listener).await.expect("a connection");
        servers.push(rt.spawn(serve(stream)));
        streams.push(connecting.await.expect("the server listens"));
    }
    (streams, servers)
}

/// What a client says, and hears.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dialogue {
    pub(super) question: &'static [u8],
    /// How long an answer is.
    pub(super) answer: usize,
    /// What an answer ends with.
    pub(super) ending: &'static [u8],
    /// How many questions are asked before the first answer is awaited.
    pub(super) depth: usize,
}

/// Has every connection used once: the first message touches buffers that nobody has touched before, here and in the kernel.
pub(super) async fn warm_up<R: Rt>(streams: &mut [R::Stream], dialogue: &Dialogue) {
    let mut buffer = vec![0; dialogue.answer * dialogue.depth];
    for stream in streams {
        ask::<R>(stream, dialogue, &mut buffer).await;
    }
}

/// Lets a client on each of `streams` ask `rounds` times; returns how long all of that took, without the closing of the streams.
pub(super) async fn ask_all<R: Peer>(
    rt: R,
    streams: Vec<R::Stream>,
    dialogue: Dialogue,
    rounds: u64,
) -> Duration {
    let start = Instant::now();
    let ask = |mut stream| {
        rt.spawn(async move {
            let mut buffer = vec![0; dialogue.answer * dialogue.depth];
            for _ in 0..rounds {
                ask::<R>(&mut stream, &dialogue, &mut buffer).await;
            }
            stream
        })
    };
    let clients: Vec<_> = streams.into_iter().map(ask).collect();
    let mut streams = Vec::with_capacity(clients.len());
    for client in clients {
        streams.push(client.await);
    }
    start.elapsed()
}

/// As [`ask_all`]; returns how long each of the exchanges took, in nanoseconds and rising order.
pub(super) async fn latencies<R: Peer>(
    rt: R,
    streams: Vec<R::Stream>,
    dialogue: Dialogue,
    rounds: u64,
) -> Vec<u64> {
    let ask = |mut stream| {
        rt.spawn(async move {
            let mut buffer = vec![0; dialogue.answer * dialogue.depth];
            let mut latencies = Vec::new();
            for _ in 0..rounds {
                let start = Instant::now();
                ask::<R>(&mut stream, &dialogue, &mut buffer).await;
                latencies.push(start.elapsed().as_nanos() as u64);
            }
            latencies
        })
    };
    let clients: Vec<_> = streams.into_iter().map(ask).collect();
    let mut latencies = Vec::new();
    for client in clients {
        latencies.extend(client.await);
    }
    latencies.sort_unstable();
    latencies
}

/// What 99 of 100 of `sorted` are at most.
pub(super) fn tail(sorted: &[u64]) -> f64 {
    sorted[sorted.len() * 99 / 100] as f64
}

/// Asks `depth` questions, then waits for as many answers.
async fn ask<R: Rt>(stream: &mut R::Stream, dialogue: &Dialogue, buffer: &mut [u8]) {
    for _ in 0..dialogue.depth {
        R::write_all(stream, dialogue.question)
            .await
            .expect("the server reads");
    }
    let mut length = 0;
    while length < buffer.len() {
        let more = R::read(stream, &mut buffer[length..])
            .await
            .expect("an answer");
        assert_ne!(more, 0, "the server hung up");
        length += more;
    }
    for answer in buffer.chunks(dialogue.answer) {
        assert!(answer.ends_with(dialogue.ending), "a wrong answer");
    }
}
