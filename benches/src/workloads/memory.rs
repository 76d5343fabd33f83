//! Memory: what a task costs that does nothing, one that sleeps, and a connection.
//!
//! What is counted is what the process has more of, handles included, divided by how many there are.
//! Threads, stacks and whatever else there is once are there before.

use std::{future::pending, hint::black_box, net::TcpStream, time::Duration};

use super::tcp::serve;
use crate::{
    rt::Peer,
    sys,
    workload::{Entry, Metric, Probe, probe},
};

/// The workloads of this module.
#[must_use]
pub fn all() -> Vec<Entry> {
    vec![
        probe::<IdleTask>(),
        probe::<SleepingTask>(),
        probe::<Connection>(),
    ]
}

/// A task that waits for what never comes, with a future of no bytes.
#[derive(Debug)]
pub struct IdleTask;

impl Probe for IdleTask {
    const NAME: &'static str = "memory_idle_task";
    const ELEMENTS: u64 = 200_000;
    const METRIC: Metric = Metric::Bytes;

    async fn probe<R: Peer>(rt: R, rounds: u64) -> f64 {
        tasks(rt, rounds * Self::ELEMENTS, || rt.spawn(pending())).await
    }
}

/// A task that sleeps.
#[derive(Debug)]
pub struct SleepingTask;

impl Probe for SleepingTask {
    const NAME: &'static str = "memory_sleeping_task";
    const ELEMENTS: u64 = 200_000;
    const METRIC: Metric = Metric::Bytes;

    async fn probe<R: Peer>(rt: R, rounds: u64) -> f64 {
        let long = Duration::from_secs(3_600);
        let sleep = || rt.spawn(rt.sleep(long));
        tasks(rt, rounds * Self::ELEMENTS, sleep).await
    }
}

async fn tasks<R: Peer>(rt: R, count: u64, spawn: impl Fn() -> R::Join<()>) -> f64 {
    let mut tasks = Vec::with_capacity(usize::try_from(count).expect("that many fit"));
    let before = sys::resident_bytes();
    // In portions, so that the queue does not become part of it: each has been polled before the next.
    while tasks.len() < tasks.capacity() {
        tasks.extend((0..100).map(|_| spawn()));
        rt.spawn(async {}).await;
        rt.yield_now().await;
    }
    rt.sleep(Duration::from_millis(1)).await;
    let bytes = sys::resident_bytes() - before;
    let cancelled = R::cancel_all(tasks).await;
    assert_eq!(cancelled as u64, count);
    bytes as f64 / count as f64
}

/// A connection, served by a task with a buffer of 64 bytes that waits for the first message.
#[derive(Debug)]
pub struct Connection;

impl Probe for Connection {
    const NAME: &'static str = "memory_connection";
    const ELEMENTS: u64 = 2_000;
    const METRIC: Metric = Metric::Bytes;

    async fn probe<R: Peer>(rt: R, rounds: u64) -> f64 {
        let count = rounds * Self::ELEMENTS;
        sys::allow_descriptors(2 * count + 100);
        let (mut listener, addr) = rt.listen().await.expect("a free port");
        let mut clients = Vec::with_capacity(usize::try_from(count).expect("that many fit"));
        let mut servers = Vec::with_capacity(clients.capacity());
        let before = sys::resident_bytes();
        while clients.len() < clients.capacity() {
            // A plain socket, which has no memory in this process, and connects without waiting as long as
            // the listener's queue has room.
            clients.push(TcpStream::connect(addr).expect("the server listens"));
            let stream = R::accept(&mut listener).await.expect("a connection");
            servers.push(rt.spawn(serve::<R, 64>(stream)));
        }
        rt.sleep(Duration::from_millis(10)).await;
        let bytes = sys::resident_bytes() - before;
        drop(black_box(clients));
        for server in servers {
            server.await;
        }
        bytes as f64 / count as f64
    }
}
