//! Sleeping, and limiting how long something may take.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    time::{Duration, Instant},
};

use crate::{
    clock,
    rt::Peer,
    work::Random,
    workload::{Case, Effort, Entry, Metric, Probe, Workload, entry, per_operation, probe},
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
        entry::<Sleeps<10_000>>(),
        entry::<Sleeps<1_000_000>>(),
        probe::<SleepsLate<10_000>>(),
        probe::<SleepsLate<100_000>>(),
        probe::<SleepsLate<1_000_000>>(),
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

    async fn run<R: Peer>(rt: R, rounds: u64) -> Duration {
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

    async fn run<R: Peer>(rt: R, rounds: u64) -> Duration {
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

    async fn run<R: Peer>(rt: R, rounds: u64) -> Duration {
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

    async fn run<R: Peer>(rt: R, rounds: u64) -> Duration {
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

    async fn run<R: Peer>(rt: R, rounds: u64) -> Duration {
        let delay = Duration::from_micros(100);
        let mut late = Duration::ZERO;
        for _ in 0..rounds {
            late += sleep_late(rt, delay).await;
        }
        late
    }
}

/// `N` tasks that each sleep for a time of their own, by processor time; per task.
#[derive(Debug)]
pub struct Sleeps<const N: u64>;

impl<const N: u64> Workload for Sleeps<N> {
    const NAME: &'static str = match N {
        10_000 => "sleeps_10k",
        1_000_000 => "sleeps_1m",
        _ => panic!("a size without a name"),
    };
    const ELEMENTS: u64 = N;
    const METRIC: Metric = Metric::Cpu;
    const EFFORT: Effort = effort(N);

    fn limits() -> Vec<Case> {
        vec![Case::limit("heap", heap::<N>)]
    }

    async fn run<R: Peer>(rt: R, rounds: u64) -> Duration {
        let start = clock::process();
        for round in 0..rounds {
            sleep_many(rt, N, round).await;
        }
        clock::process() - start
    }
}

/// As many deadlines put into a heap and taken out in order, with one reading of the clock for each: what
/// is left of timers if tasks cost nothing.
fn heap<const N: u64>(_workers: usize, rounds: u64) -> f64 {
    let start = clock::process();
    for round in 0..rounds {
        let mut heap: BinaryHeap<_> = delays(N, round)
            .map(|delay| Reverse(Instant::now() + delay))
            .collect();
        let mut last = None;
        while let Some(Reverse(deadline)) = heap.pop() {
            assert!(last <= Some(deadline), "out of order");
            last = Some(deadline);
        }
    }
    per_operation(clock::process() - start, rounds * N)
}

/// Like [`Sleeps`]; the median of how much longer than asked for they slept.
#[derive(Debug)]
pub struct SleepsLate<const N: u64>;

impl<const N: u64> Probe for SleepsLate<N> {
    const NAME: &'static str = match N {
        10_000 => "sleeps_10k_late",
        100_000 => "sleeps_100k_late",
        1_000_000 => "sleeps_1m_late",
        _ => panic!("a size without a name"),
    };
    const ELEMENTS: u64 = N;
    const METRIC: Metric = Metric::Lateness;
    const EFFORT: Effort = effort(N);

    async fn probe<R: Peer>(rt: R, rounds: u64) -> f64 {
        let mut late = Vec::new();
        for round in 0..rounds {
            late.extend(sleep_many(rt, N, round).await);
        }
        late.sort_unstable();
        late[late.len() / 2].as_nanos() as f64
    }
}

const fn effort(sleepers: u64) -> Effort {
    if sleepers < 1_000_000 {
        Effort::Usual
    } else {
        Effort::Full
    }
}

/// The delays of so many sleepers: spread over as many microseconds as there are sleepers, so that a
/// runtime that needs less than that for a sleep can keep up, and so long that all of them sleep before the
/// first one ends.
fn delays(sleepers: u64, seed: u64) -> impl Iterator<Item = Duration> {
    let mut random = Random::new(seed + 1);
    let delay = move |_| Duration::from_micros(sleepers + random.below(sleepers));
    (0..sleepers).map(delay)
}

/// Lets so many tasks sleep at once; returns by how much each was late.
async fn sleep_many<R: Peer>(rt: R, sleepers: u64, seed: u64) -> Vec<Duration> {
    let tasks: Vec<_> = delays(sleepers, seed)
        .map(|delay| rt.spawn(async move { sleep_late(rt, delay).await }))
        .collect();
    let mut late = Vec::with_capacity(tasks.len());
    for task in tasks {
        late.push(task.await);
    }
    late
}

/// Sleeps; returns by how much longer than asked for.
async fn sleep_late<R: Peer>(rt: R, delay: Duration) -> Duration {
    let deadline = Instant::now() + delay;
    rt.sleep(delay).await;
    let now = Instant::now();
    assert!(now >= deadline, "woke up early");
    now - deadline
}
