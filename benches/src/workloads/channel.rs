//! Tasks that talk over channels that belong to no runtime.

use std::time::{Duration, Instant};

use futures::StreamExt;

use crate::{
    rt::Peer,
    workload::{Entry, Workload, entry},
};

/// The workloads of this module.
#[must_use]
pub fn all() -> Vec<Entry> {
    vec![
        entry::<PingPong>(),
        entry::<PingPongMpsc>(),
        entry::<PingPong100>(),
        entry::<Pipeline>(),
    ]
}

/// There and back over two bounded channels of `async-channel`; per round trip.
#[derive(Debug)]
pub struct PingPong;

impl Workload for PingPong {
    const NAME: &'static str = "ping_pong";
    const ELEMENTS: u64 = 1;

    async fn run<R: Peer>(rt: R, rounds: u64) -> Duration {
        let (there, receive) = async_channel::bounded::<u64>(1);
        let (back, answer) = async_channel::bounded::<u64>(1);
        let echo = rt.spawn(async move {
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
}

/// There and back over two unbounded channels of `futures`; per round trip.
#[derive(Debug)]
pub struct PingPongMpsc;

impl Workload for PingPongMpsc {
    const NAME: &'static str = "ping_pong_mpsc";
    const ELEMENTS: u64 = 1;

    async fn run<R: Peer>(rt: R, rounds: u64) -> Duration {
        let (there, mut receive) = futures::channel::mpsc::unbounded::<u64>();
        let (back, mut answer) = futures::channel::mpsc::unbounded::<u64>();
        let echo = rt.spawn(async move {
            while let Some(number) = receive.next().await {
                back.unbounded_send(number + 1)
                    .expect("the other side is there");
            }
        });
        let start = Instant::now();
        for number in 0..rounds {
            there
                .unbounded_send(number)
                .expect("the other side is there");
            assert_eq!(answer.next().await, Some(number + 1));
        }
        let time = start.elapsed();
        drop(there);
        echo.await;
        time
    }
}

/// 100 pairs of tasks at once, each as in [`PingPong`]; per round trip.
#[derive(Debug)]
pub struct PingPong100;

impl Workload for PingPong100 {
    const NAME: &'static str = "ping_pong_100";
    const ELEMENTS: u64 = 100;

    async fn run<R: Peer>(rt: R, rounds: u64) -> Duration {
        let start = Instant::now();
        let pairs: Vec<_> = (0..Self::ELEMENTS)
            .map(|_| rt.spawn(PingPong::run(rt, rounds)))
            .collect();
        for pair in pairs {
            pair.await;
        }
        start.elapsed()
    }
}

/// Numbers that go through four tasks, with a channel of 16 of `async-channel` before each and behind the
/// last; per number.
#[derive(Debug)]
pub struct Pipeline;

impl Workload for Pipeline {
    const NAME: &'static str = "pipeline";
    const ELEMENTS: u64 = 64;

    async fn run<R: Peer>(rt: R, rounds: u64) -> Duration {
        let numbers = rounds * Self::ELEMENTS;
        let (first, mut last) = async_channel::bounded::<u64>(16);
        let start = Instant::now();
        let mut tasks = Vec::new();
        for _ in 0..4 {
            let (sender, receiver) = async_channel::bounded(16);
            let from = std::mem::replace(&mut last, receiver);
            tasks.push(rt.spawn(async move {
                while let Ok(number) = from.recv().await {
                    sender.send(number + 1).await.expect("the next is there");
                }
            }));
        }
        tasks.push(rt.spawn(async move {
            for number in 0..numbers {
                first.send(number).await.expect("the next is there");
            }
        }));
        for number in 0..numbers {
            assert_eq!(last.recv().await, Ok(number + 4));
        }
        let time = start.elapsed();
        for task in tasks {
            task.await;
        }
        time
    }
}
