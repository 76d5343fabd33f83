//! Locks and queues under contention, each runtime's own.

use std::{
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    rt::Peer,
    work::{FIVE_MICROSECONDS, burn},
    workload::{Entry, Workload, entry},
};

/// The workloads of this module.
#[must_use]
pub fn all() -> Vec<Entry> {
    vec![
        entry::<LockFree>(),
        entry::<LockContended>(),
        entry::<QueueFanIn>(),
        entry::<QueuePipeline>(),
        entry::<QueueWork>(),
    ]
}

/// One task takes a lock that nobody else wants.
#[derive(Debug)]
pub struct LockFree;

impl Workload for LockFree {
    const NAME: &'static str = "lock_free";
    const ELEMENTS: u64 = 1;

    async fn run<R: Peer>(_rt: R, rounds: u64) -> Duration {
        let lock = R::lock();
        let start = Instant::now();
        for _ in 0..rounds {
            *R::acquire(&lock).await += 1;
        }
        let time = start.elapsed();
        assert_eq!(*R::acquire(&lock).await, rounds);
        time
    }
}

const TASKS: u64 = 32;

/// 32 tasks that take turns with one lock, and yield while they have it; per turn.
#[derive(Debug)]
pub struct LockContended;

impl Workload for LockContended {
    const NAME: &'static str = "lock_contended";
    const ELEMENTS: u64 = TASKS;

    async fn run<R: Peer>(rt: R, rounds: u64) -> Duration {
        let lock = Arc::new(R::lock());
        let start = Instant::now();
        let count = |_| {
            let lock = Arc::clone(&lock);
            rt.spawn(async move {
                for _ in 0..rounds {
                    let mut guard = R::acquire(&lock).await;
                    rt.yield_now().await;
                    *guard += 1;
                }
            })
        };
        let tasks: Vec<_> = (0..TASKS).map(count).collect();
        for task in tasks {
            task.await;
        }
        let time = start.elapsed();
        assert_eq!(*R::acquire(&lock).await, rounds * TASKS);
        time
    }
}

/// 32 tasks that put into one queue with room for 16, and one that takes out; per item.
#[derive(Debug)]
pub struct QueueFanIn;

impl Workload for QueueFanIn {
    const NAME: &'static str = "queue_fan_in";
    const ELEMENTS: u64 = TASKS;

    async fn run<R: Peer>(rt: R, rounds: u64) -> Duration {
        let (sender, mut receiver) = R::queue(16);
        let start = Instant::now();
        let put = |number| {
            let sender = sender.clone();
            rt.spawn(async move {
                for _ in 0..rounds {
                    R::put(&sender, number).await;
                }
            })
        };
        let tasks: Vec<_> = (0..TASKS).map(put).collect();
        let mut sum = 0;
        for _ in 0..rounds * TASKS {
            sum += R::get(&mut receiver).await;
        }
        let time = start.elapsed();
        assert_eq!(sum, rounds * (0..TASKS).sum::<u64>());
        for task in tasks {
            task.await;
        }
        time
    }
}

const STAGES: u64 = 4;

/// Numbers that go through four tasks, with a queue of 16 before each and behind the last; per number.
#[derive(Debug)]
pub struct QueuePipeline;

impl Workload for QueuePipeline {
    const NAME: &'static str = "queue_pipeline";
    const ELEMENTS: u64 = 64;

    async fn run<R: Peer>(rt: R, rounds: u64) -> Duration {
        let numbers = rounds * Self::ELEMENTS;
        let (first, mut last) = R::queue(16);
        let start = Instant::now();
        let mut tasks = Vec::new();
        for _ in 0..STAGES {
            let (sender, receiver) = R::queue(16);
            let mut from = std::mem::replace(&mut last, receiver);
            tasks.push(rt.spawn(async move {
                for _ in 0..numbers {
                    let number = R::get(&mut from).await;
                    R::put(&sender, number + 1).await;
                }
            }));
        }
        tasks.push(rt.spawn(async move {
            for number in 0..numbers {
                R::put(&first, number).await;
            }
        }));
        for number in 0..numbers {
            assert_eq!(R::get(&mut last).await, number + STAGES);
        }
        let time = start.elapsed();
        for task in tasks {
            task.await;
        }
        time
    }
}

/// One task makes items and another uses them, 1 µs each; between them is a queue with room for 64. Per item.
#[derive(Debug)]
pub struct QueueWork;

impl Workload for QueueWork {
    const NAME: &'static str = "queue_work";
    const ELEMENTS: u64 = 64;

    async fn run<R: Peer>(rt: R, rounds: u64) -> Duration {
        const STEPS: u64 = FIVE_MICROSECONDS / 5;
        let numbers = rounds * Self::ELEMENTS;
        let (sender, mut receiver) = R::queue(64);
        let start = Instant::now();
        let maker = rt.spawn(async move {
            for number in 0..numbers {
                black_box(burn(STEPS));
                R::put(&sender, number).await;
            }
        });
        for number in 0..numbers {
            assert_eq!(R::get(&mut receiver).await, number);
            black_box(burn(STEPS));
        }
        let time = start.elapsed();
        maker.await;
        time
    }
}
