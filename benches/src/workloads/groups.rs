//! Waiting for many tasks at once: all in order, all in a scope, one after the other as they end.
//!
//! The tasks return a number at once, so that what is measured is starting them and waiting for them.

use std::time::{Duration, Instant};

use crate::{
    rt::Peer,
    workload::{Effort, Entry, Workload, entry},
};

/// The workloads of this module.
#[must_use]
pub fn all() -> Vec<Entry> {
    vec![
        entry::<Gather<10>>(),
        entry::<Gather<1_000>>(),
        entry::<Gather<100_000>>(),
        entry::<TaskGroup100>(),
        entry::<AsCompleted<100>>(),
        entry::<AsCompleted<10_000>>(),
    ]
}

/// `gather` of `N` futures, or `join_all` of as many spawned tasks; per child.
#[derive(Debug)]
pub struct Gather<const N: u64>;

impl<const N: u64> Workload for Gather<N> {
    const NAME: &'static str = match N {
        10 => "gather_10",
        1_000 => "gather_1k",
        100_000 => "gather_100k",
        _ => panic!("a size without a name"),
    };
    const ELEMENTS: u64 = N;
    const EFFORT: Effort = large(N);

    async fn run<R: Peer>(rt: R, rounds: u64) -> Duration {
        let start = Instant::now();
        for round in 0..rounds {
            let futures = (0..N).map(|number| async move { round + number }).collect();
            let outputs = rt.gather(futures).await;
            assert_eq!(outputs.len() as u64, N);
            assert_eq!(outputs.last(), Some(&(round + N - 1)));
        }
        start.elapsed()
    }
}

/// A scope with 100 tasks, whose outputs nobody wants; per task.
#[derive(Debug)]
pub struct TaskGroup100;

impl Workload for TaskGroup100 {
    const NAME: &'static str = "task_group_100";
    const ELEMENTS: u64 = 100;

    async fn run<R: Peer>(rt: R, rounds: u64) -> Duration {
        let start = Instant::now();
        for _ in 0..rounds {
            rt.scope((0..Self::ELEMENTS).map(|_| async {}).collect())
                .await;
        }
        start.elapsed()
    }
}

/// `N` tasks, taken as they end; per task.
#[derive(Debug)]
pub struct AsCompleted<const N: u64>;

impl<const N: u64> Workload for AsCompleted<N> {
    const NAME: &'static str = match N {
        100 => "as_completed_100",
        10_000 => "as_completed_10k",
        _ => panic!("a size without a name"),
    };
    const ELEMENTS: u64 = N;
    const EFFORT: Effort = large(N);

    async fn run<R: Peer>(rt: R, rounds: u64) -> Duration {
        let start = Instant::now();
        for _ in 0..rounds {
            let futures = (0..N).map(|number| async move { number }).collect();
            let mut sum = 0;
            rt.as_completed(futures, |number| sum += number).await;
            assert_eq!(sum, N * (N - 1) / 2);
        }
        start.elapsed()
    }
}

const fn large(elements: u64) -> Effort {
    if elements < 10_000 {
        Effort::Usual
    } else {
        Effort::Full
    }
}
