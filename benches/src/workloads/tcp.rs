//! Echo over TCP on the loopback interface; both sides are tasks of the runtime.

use std::{
    hint::black_box,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use super::connections::{Dialogue, ask_all, latencies, open, tail, warm_up};
use crate::{
    rt::Peer,
    work::{FIVE_MICROSECONDS, burn},
    workload::{Entry, Metric, Probe, Workload, entry, probe},
};

/// The workloads of this module.
#[must_use]
pub fn all() -> Vec<Entry> {
    vec![
        entry::<Echo<1, 64, 1>>(),
        entry::<Echo<8, 64, 1>>(),
        entry::<Echo<32, 64, 1>>(),
        entry::<Echo<500, 64, 1>>(),
        entry::<Echo<32, 4_096, 1>>(),
        entry::<Echo<32, 64, 16>>(),
        entry::<EchoChurn>(),
        probe::<EchoTail<1>>(),
        probe::<EchoTail<32>>(),
        probe::<EchoTail<500>>(),
        probe::<EchoBusyTail>(),
    ]
}

/// So many connections with messages of so many bytes; each sends so many before it waits for the answers.
/// Per message.
#[derive(Debug)]
pub struct Echo<const CONNECTIONS: usize, const BYTES: usize, const DEPTH: usize>;

impl<const CONNECTIONS: usize, const BYTES: usize, const DEPTH: usize> Workload
    for Echo<CONNECTIONS, BYTES, DEPTH>
{
    const NAME: &'static str = match (CONNECTIONS, BYTES, DEPTH) {
        (1, 64, 1) => "echo_1",
        (8, 64, 1) => "echo_8",
        (32, 64, 1) => "echo_32",
        (500, 64, 1) => "echo_500",
        (32, 4_096, 1) => "echo_32_4k",
        (32, 64, 16) => "echo_32_pipelined",
        _ => panic!("an echo without a name"),
    };
    const ELEMENTS: u64 = (CONNECTIONS * DEPTH) as u64;

    async fn run<R: Peer>(rt: R, rounds: u64) -> Duration {
        let (mut streams, servers) = open(rt, CONNECTIONS, serve::<R, BUFFER>).await;
        warm_up::<R>(&mut streams, &dialogue::<BYTES>(DEPTH)).await;
        let time = ask_all(rt, streams, dialogue::<BYTES>(DEPTH), rounds).await;
        for server in servers {
            server.await;
        }
        time
    }
}

/// What 99 of 100 messages of 64 bytes take at most, over so many connections.
#[derive(Debug)]
pub struct EchoTail<const CONNECTIONS: usize>;

impl<const CONNECTIONS: usize> Probe for EchoTail<CONNECTIONS> {
    const NAME: &'static str = match CONNECTIONS {
        1 => "echo_1_p99",
        32 => "echo_32_p99",
        500 => "echo_500_p99",
        _ => panic!("an echo without a name"),
    };
    const ELEMENTS: u64 = CONNECTIONS as u64;
    const METRIC: Metric = Metric::Tail;

    async fn probe<R: Peer>(rt: R, rounds: u64) -> f64 {
        let (mut streams, servers) = open(rt, CONNECTIONS, serve::<R, BUFFER>).await;
        warm_up::<R>(&mut streams, &dialogue::<64>(1)).await;
        let latencies = latencies(rt, streams, dialogue::<64>(1), rounds).await;
        for server in servers {
            server.await;
        }
        tail(&latencies)
    }
}

/// What 99 of 100 messages take at most over eight connections, beside two tasks that compute for 100 µs at a time, and yield.
#[derive(Debug)]
pub struct EchoBusyTail;

impl Probe for EchoBusyTail {
    const NAME: &'static str = "echo_8_busy_p99";
    const ELEMENTS: u64 = 8;
    const METRIC: Metric = Metric::Tail;

    async fn probe<R: Peer>(rt: R, rounds: u64) -> f64 {
        let (mut streams, servers) = open(rt, 8, serve::<R, BUFFER>).await;
        warm_up::<R>(&mut streams, &dialogue::<64>(1)).await;
        let is_over = Arc::new(AtomicBool::new(false));
        let compute = |_| {
            let is_over = Arc::clone(&is_over);
            rt.spawn(async move {
                // Ordering: Relaxed; nothing is handed over.
                while !is_over.load(Ordering::Relaxed) {
                    black_box(burn(20 * FIVE_MICROSECONDS));
                    rt.yield_now().await;
                }
            })
        };
        let computing: Vec<_> = (0..2).map(compute).collect();
        let latencies = latencies(rt, streams, dialogue::<64>(1), rounds).await;
        // Ordering: Relaxed; as there.
        is_over.store(true, Ordering::Relaxed);
        for task in computing.into_iter().chain(servers) {
            task.await;
        }
        tail(&latencies)
    }
}

/// Eight clients that connect, send one message of 64 bytes, and close; per connection.
#[derive(Debug)]
pub struct EchoChurn;

impl Workload for EchoChurn {
    const NAME: &'static str = "echo_churn";
    const ELEMENTS: u64 = 8;

    async fn run<R: Peer>(rt: R, rounds: u64) -> Duration {
        let (mut listener, addr) = rt.listen().await.expect("a free port");
        let start = Instant::now();
        let acceptor = rt.spawn(async move {
            let mut servers = Vec::new();
            for _ in 0..rounds * Self::ELEMENTS {
                let stream = R::accept(&mut listener).await.expect("a connection");
                servers.push(rt.spawn(serve::<R, BUFFER>(stream)));
            }
            servers
        });
        let come_and_go = |_| rt.spawn(come_and_go(rt, addr, rounds));
        let clients: Vec<_> = (0..Self::ELEMENTS).map(come_and_go).collect();
        for client in clients {
            client.await;
        }
        for server in acceptor.await {
            server.await;
        }
        start.elapsed()
    }
}

async fn come_and_go<R: Peer>(rt: R, addr: SocketAddr, rounds: u64) {
    for _ in 0..rounds {
        let stream = rt.connect(addr).await.expect("the server listens");
        ask_all(rt, vec![stream], dialogue::<64>(1), 1).await;
    }
}

fn dialogue<const BYTES: usize>(depth: usize) -> Dialogue {
    Dialogue {
        question: &[7; BYTES],
        answer: BYTES,
        ending: &[7; BYTES],
        depth,
    }
}

/// What an echo server reads into: larger than a message, as servers have it. A read that fills its buffer
/// must be followed by another one, which finds nothing.
pub(super) const BUFFER: usize = 8_192;

/// Sends back what comes, at most `BYTES` at once.
pub(super) async fn serve<R: Peer, const BYTES: usize>(mut stream: R::Stream) {
    let mut buffer = vec![0; BYTES];
    loop {
        let length = R::read(&mut stream, &mut buffer)
            .await
            .expect("the client writes");
        if length == 0 {
            return;
        }
        R::write_all(&mut stream, &buffer[..length])
            .await
            .expect("the client reads");
    }
}
