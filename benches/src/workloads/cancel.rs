//! Cancelling many tasks that sleep, without and with clean-up.

use std::time::{Duration, Instant};

use crate::{
    latch::Latch,
    rt::Peer,
    workload::{Effort, Entry, Workload, entry},
};

/// The workloads of this module.
#[must_use]
pub fn all() -> Vec<Entry> {
    vec![
        entry::<Cancel<100>>(),
        entry::<Cancel<1_000>>(),
        entry::<CleanUp<1_000>>(),
        entry::<CleanUp<100_000>>(),
    ]
}

/// Nobody sleeps as long as that.
const LONG: Duration = Duration::from_secs(3_600);

/// Cancels `N` sleeping tasks and waits until they have ended; per task.
#[derive(Debug)]
pub struct Cancel<const N: u64>;

impl<const N: u64> Workload for Cancel<N> {
    const NAME: &'static str = match N {
        100 => "cancel_100",
        1_000 => "cancel_1k",
        _ => panic!("a number without a name"),
    };
    const ELEMENTS: u64 = N;

    async fn run<R: Peer>(rt: R, rounds: u64) -> Duration {
        let latch = Latch::leak();
        let mut time = Duration::ZERO;
        for _ in 0..rounds {
            latch.set(Self::ELEMENTS);
            let sleep = |_| {
                rt.spawn(async move {
                    latch.count_down();
                    rt.sleep(LONG).await;
                })
            };
            let tasks = (0..Self::ELEMENTS).map(sleep).collect();
            latch.wait().await;
            let start = Instant::now();
            let cancelled = R::cancel_all(tasks).await;
            time += start.elapsed();
            assert_eq!(cancelled as u64, Self::ELEMENTS);
        }
        time
    }
}

/// Stops `N` sleeping tasks that each have to yield before they end; per task.
#[derive(Debug)]
pub struct CleanUp<const N: u64>;

impl<const N: u64> Workload for CleanUp<N> {
    const NAME: &'static str = match N {
        1_000 => "clean_up_1k",
        100_000 => "clean_up_100k",
        _ => panic!("a size without a name"),
    };
    const ELEMENTS: u64 = N;
    const EFFORT: Effort = if N < 10_000 {
        Effort::Usual
    } else {
        Effort::Full
    };

    async fn run<R: Peer>(rt: R, rounds: u64) -> Duration {
        let latch = Latch::leak();
        let mut time = Duration::ZERO;
        for _ in 0..rounds {
            latch.set(N);
            let sleep = |_| {
                let body = async move {
                    latch.count_down();
                    rt.sleep(LONG).await;
                };
                rt.spawn_stoppable(body, rt.yield_now())
            };
            let tasks = (0..N).map(sleep).collect();
            latch.wait().await;
            let start = Instant::now();
            let stopped = R::stop_all(tasks).await;
            time += start.elapsed();
            assert_eq!(stopped as u64, N);
        }
        time
    }
}
