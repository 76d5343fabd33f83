//! Giving way to other tasks: by the runtime's own `yield_now`, and by waking oneself.

use std::{
    future::poll_fn,
    task::Poll,
    time::{Duration, Instant},
};

use crate::{
    rt::Peer,
    workload::{Entry, Workload, entry},
};

/// The workloads of this module.
#[must_use]
pub fn all() -> Vec<Entry> {
    vec![
        entry::<YieldAlone>(),
        entry::<Yield100>(),
        entry::<SelfWake100>(),
    ]
}

const TASKS: u64 = 100;

/// One task yields, with nobody else to run.
#[derive(Debug)]
pub struct YieldAlone;

impl Workload for YieldAlone {
    const NAME: &'static str = "yield_alone";
    const ELEMENTS: u64 = 1;

    async fn run<R: Peer>(rt: R, rounds: u64) -> Duration {
        let start = Instant::now();
        for _ in 0..rounds {
            rt.yield_now().await;
        }
        start.elapsed()
    }
}

/// 100 tasks yield in turn; per yield.
#[derive(Debug)]
pub struct Yield100;

impl Workload for Yield100 {
    const NAME: &'static str = "yield_100";
    const ELEMENTS: u64 = TASKS;

    async fn run<R: Peer>(rt: R, rounds: u64) -> Duration {
        let start = Instant::now();
        let spawn = |_| {
            rt.spawn(async move {
                for _ in 0..rounds {
                    rt.yield_now().await;
                }
            })
        };
        let tasks: Vec<_> = (0..TASKS).map(spawn).collect();
        for task in tasks {
            task.await;
        }
        start.elapsed()
    }
}

/// 100 tasks that each wake themselves and return; per poll.
#[derive(Debug)]
pub struct SelfWake100;

impl Workload for SelfWake100 {
    const NAME: &'static str = "self_wake_100";
    const ELEMENTS: u64 = TASKS;

    async fn run<R: Peer>(rt: R, rounds: u64) -> Duration {
        let start = Instant::now();
        let spawn = |_| {
            let mut left = rounds;
            rt.spawn(poll_fn(move |cx| {
                if left == 0 {
                    return Poll::Ready(());
                }
                left -= 1;
                cx.waker().wake_by_ref();
                Poll::Pending
            }))
        };
        let tasks: Vec<_> = (0..TASKS).map(spawn).collect();
        for task in tasks {
            task.await;
        }
        start.elapsed()
    }
}
