//! HTTP/1.1 on hyper: the server with each runtime's adaptors, the clients plain tasks on the same
//! runtime that know the bytes of the answer.

use std::time::Duration;

use super::connections::{Dialogue, ask_all, latencies, open, tail, warm_up};
use crate::{
    rt::{Peer, http::BODY},
    workload::{Effort, Entry, Metric, Probe, Workload, entry, probe},
};

/// The workloads of this module.
#[must_use]
pub fn all() -> Vec<Entry> {
    vec![
        entry::<Http<1, 1>>(),
        entry::<Http<32, 1>>(),
        entry::<Http<32, 16>>(),
        probe::<HttpTail<32>>(),
    ]
}

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";

/// The answer, except for the time in it.
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 13\r\n\
    date: Thu, 01 Jan 1970 00:00:00 GMT\r\n\r\nHello, world!";

fn dialogue(depth: usize) -> Dialogue {
    Dialogue {
        question: REQUEST,
        answer: ANSWER.len(),
        ending: BODY.as_bytes(),
        depth,
    }
}

/// So many connections, each with so many requests before it waits for the answers; per request.
#[derive(Debug)]
pub struct Http<const CONNECTIONS: usize, const DEPTH: usize>;

impl<const CONNECTIONS: usize, const DEPTH: usize> Workload for Http<CONNECTIONS, DEPTH> {
    const NAME: &'static str = match (CONNECTIONS, DEPTH) {
        (1, 1) => "http_1",
        (32, 1) => "http_32",
        (32, 16) => "http_32_pipelined",
        _ => panic!("a size without a name"),
    };
    const ELEMENTS: u64 = (CONNECTIONS * DEPTH) as u64;
    const EFFORT: Effort = if DEPTH == 1 {
        Effort::Usual
    } else {
        Effort::Full
    };

    async fn run<R: Peer>(rt: R, rounds: u64) -> Duration {
        let (mut streams, servers) = open(rt, CONNECTIONS, R::serve_http).await;
        warm_up::<R>(&mut streams, &dialogue(DEPTH)).await;
        let time = ask_all(rt, streams, dialogue(DEPTH), rounds).await;
        for server in servers {
            server.await;
        }
        time
    }
}

/// What 99 of 100 requests take at most, over so many connections.
#[derive(Debug)]
pub struct HttpTail<const CONNECTIONS: usize>;

impl<const CONNECTIONS: usize> Probe for HttpTail<CONNECTIONS> {
    const NAME: &'static str = match CONNECTIONS {
        32 => "http_32_p99",
        _ => panic!("a size without a name"),
    };
    const ELEMENTS: u64 = CONNECTIONS as u64;
    const METRIC: Metric = Metric::Tail;

    async fn probe<R: Peer>(rt: R, rounds: u64) -> f64 {
        let (mut streams, servers) = open(rt, CONNECTIONS, R::serve_http).await;
        warm_up::<R>(&mut streams, &dialogue(1)).await;
        let latencies = latencies(rt, streams, dialogue(1), rounds).await;
        for server in servers {
            server.await;
        }
        tail(&latencies)
    }
}
