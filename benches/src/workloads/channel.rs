//! Two tasks that talk over a channel that belongs to no runtime.

use std::time::{Duration, Instant};

use futures::StreamExt;

use crate::{
    rt::Rt,
    workload::{Entry, Workload, entry},
};

/// The workloads of this module.
#[must_use]
pub fn all() -> Vec<Entry> {
    vec![
        entry::<PingPong>(),
        entry::<PingPongMpsc>(),
        entry::<PingPong100>(),
    ]
}

/// There and back over two bounded channels of `async-channel`; per round trip.
#[derive(Debug)]
pub struct PingPong;

impl Workload for PingPong {
    const NAME: &'static str = "ping_pong";
    const ELEMENTS: u64 = 1;

    async fn run<R: Rt>(rt: R, rounds: u64) -> Duration {
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

    async fn run<R: Rt>(rt: R, rounds: u64) -> Duration {
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

    async fn run<R: Rt>(rt: R, rounds: u64) -> Duration {
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
