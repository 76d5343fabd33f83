//! Sleeping, and limiting how long something may take.

use std::time::{Duration, Instant};

use crate::{
    clock,
    rt::Rt,
    work::Random,
    workload::{Entry, Metric, Workload, entry},
};

/// The workloads of this module.
#[must_use]
pub fn all() -> Vec<Entry> {
    vec![
        entry::<TimeoutReady>(),
        entry::<TimeoutYield>(),
        entry::<TimeoutYield100>(),
        entry::<TimeoutSlow>(),
        entry::<Sleep100us>(),
        entry::<Sleeps>(),
        entry::<SleepsLate>(),
    ]
}

/// Far enough away never to pass during a run.
const LONG: Duration = Duration::from_secs(30);

/// A timeout around a future that is ready at once.
#[derive(Debug)]
pub struct TimeoutReady;

impl Workload for TimeoutReady {
    const NAME: &'static str = "timeout_ready";
    const ELEMENTS: u64 = 1;

    async fn run<R: Rt>(rt: R, rounds: u64) -> Duration {
        let start = Instant::now();
        for number in 0..rounds {
            assert_eq!(rt.timeout(LONG, async { number }).await, Some(number));
        }
        start.elapsed()
    }
}

/// A timeout around a future that yields once, in one task alone.
#[derive(Debug)]
pub struct TimeoutYield;

impl Workload for TimeoutYield {
    const NAME: &'static str = "timeout_yield";
    const ELEMENTS: u64 = 1;

    async fn run<R: Rt>(rt: R, rounds: u64) -> Duration {
        let start = Instant::now();
        for _ in 0..rounds {
            assert_eq!(rt.timeout(LONG, rt.yield_now()).await, Some(()));
        }
        start.elapsed()
    }
}

/// Like [`TimeoutYield`], in 100 tasks at once: what a runtime does when it has nothing else to run
/// does not show here.
#[derive(Debug)]
pub struct TimeoutYield100;

impl Workload for TimeoutYield100 {
    const NAME: &'static str = "timeout_yield_100";
    const ELEMENTS: u64 = 100;

    async fn run<R: Rt>(rt: R, rounds: u64) -> Duration {
        let start = Instant::now();
        let tasks: Vec<_> = (0..Self::ELEMENTS)
            .map(|_| rt.spawn(TimeoutYield::run(rt, rounds)))
            .collect();
        for task in tasks {
            task.await;
        }
        start.elapsed()
    }
}

/// 1,000 tasks at once, each with a timeout around a sleep of 1 ms, by processor time; per task.
#[derive(Debug)]
pub struct TimeoutSlow;

impl Workload for TimeoutSlow {
    const NAME: &'static str = "timeout_slow";
    const ELEMENTS: u64 = 1_000;
    const METRIC: Metric = Metric::Cpu;

    async fn run<R: Rt>(rt: R, rounds: u64) -> Duration {
        let mut tasks = Vec::with_capacity(1_000);
        let start = clock::process();
        for _ in 0..rounds {
            tasks.extend((0..Self::ELEMENTS).map(|_| {
                rt.spawn(async move { rt.timeout(LONG, rt.sleep(Duration::from_millis(1))).await })
            }));
            for task in tasks.drain(..) {
                assert_eq!(task.await, Some(()));
            }
        }
        clock::process() - start
    }
}

/// How much longer than 100 µs a sleep of 100 µs lasts.
#[derive(Debug)]
pub struct Sleep100us;

impl Workload for Sleep100us {
    const NAME: &'static str = "sleep_100us";
    const ELEMENTS: u64 = 1;
    const METRIC: Metric = Metric::Lateness;

    async fn run<R: Rt>(rt: R, rounds: u64) -> Duration {
        let delay = Duration::from_micros(100);
        let mut late = Duration::ZERO;
        for _ in 0..rounds {
            late += sleep_late(rt, delay).await;
        }
        late
    }
}

/// 10,000 tasks that sleep for 1 to 11 ms, by processor time; per task.
#[derive(Debug)]
pub struct Sleeps;

impl Workload for Sleeps {
    const NAME: &'static str = "sleeps_10k";
    const ELEMENTS: u64 = SLEEPERS;
    const METRIC: Metric = Metric::Cpu;

    async fn run<R: Rt>(rt: R, rounds: u64) -> Duration {
        let start = clock::process();
        for round in 0..rounds {
            sleep_many(rt, round).await;
        }
        clock::process() - start
    }
}

/// Like [`Sleeps`]; the median of how much longer than asked for they slept.
#[derive(Debug)]
pub struct SleepsLate;

impl Workload for SleepsLate {
    const NAME: &'static str = "sleeps_10k_late";
    const ELEMENTS: u64 = 1;
    const METRIC: Metric = Metric::Lateness;

    async fn run<R: Rt>(rt: R, rounds: u64) -> Duration {
        let mut sum = Duration::ZERO;
        for round in 0..rounds {
            let mut late = sleep_many(rt, round).await;
            late.sort_unstable();
            sum += late[late.len() / 2];
        }
        sum
    }
}

const SLEEPERS: u64 = 10_000;

/// Lets 10,000 tasks sleep at once; returns by how much each was late.
async fn sleep_many<R: Rt>(rt: R, seed: u64) -> Vec<Duration> {
    let mut random = Random::new(seed);
    let tasks: Vec<_> = (0..SLEEPERS)
        .map(|_| {
            let delay = Duration::from_micros(1_000 + random.below(10_000));
            rt.spawn(async move { sleep_late(rt, delay).await })
        })
        .collect();
    let mut late = Vec::with_capacity(tasks.len());
    for task in tasks {
        late.push(task.await);
    }
    late
}

/// Sleeps; returns by how much longer than asked for.
async fn sleep_late<R: Rt>(rt: R, delay: Duration) -> Duration {
    let deadline = Instant::now() + delay;
    rt.sleep(delay).await;
    let now = Instant::now();
    assert!(now >= deadline, "woke up early");
    now - deadline
}
