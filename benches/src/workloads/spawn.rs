//! Spawning, and joining what was spawned.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crate::{
    latch::Latch,
    rt::Peer,
    workload::{Case, Entry, Workload, entry, per_operation},
};

/// The workloads of this module.
#[must_use]
pub fn all() -> Vec<Entry> {
    vec![
        entry::<Spawn>(),
        entry::<SpawnJoin>(),
        entry::<SpawnJoin100>(),
        entry::<SpawnJoinBig>(),
        entry::<ChainedSpawn>(),
    ]
}

/// Spawns 1,000 detached tasks and waits until all of them have run; per task.
#[derive(Debug)]
pub struct Spawn;

impl Workload for Spawn {
    const NAME: &'static str = "spawn";
    const ELEMENTS: u64 = 1_000;

    fn limits() -> Vec<Case> {
        vec![Case::limit("boxes", boxes)]
    }

    async fn run<R: Peer>(rt: R, rounds: u64) -> Duration {
        let latch = Latch::leak();
        let start = Instant::now();
        for _ in 0..rounds {
            latch.set(Self::ELEMENTS);
            for _ in 0..Self::ELEMENTS {
                R::detach(rt.spawn(async { latch.count_down() }));
            }
            latch.wait().await;
        }
        start.elapsed()
    }
}

/// The least that has to be done: closures of the same size are allocated, queued, and called.
fn boxes(_workers: usize, rounds: u64) -> f64 {
    let latch = Latch::leak();
    let mut queue: VecDeque<Box<dyn FnOnce()>> = VecDeque::new();
    let start = Instant::now();
    for _ in 0..rounds {
        latch.set(Spawn::ELEMENTS);
        queue.extend(
            (0..Spawn::ELEMENTS).map(|_| Box::new(|| latch.count_down()) as Box<dyn FnOnce()>),
        );
        while let Some(call) = queue.pop_front() {
            call();
        }
        assert!(latch.is_open());
    }
    per_operation(start.elapsed(), rounds * Spawn::ELEMENTS)
}

/// Spawns a task that returns a number and awaits it at once.
#[derive(Debug)]
pub struct SpawnJoin;

impl Workload for SpawnJoin {
    const NAME: &'static str = "spawn_join";
    const ELEMENTS: u64 = 1;

    async fn run<R: Peer>(rt: R, rounds: u64) -> Duration {
        let start = Instant::now();
        for number in 0..rounds {
            assert_eq!(rt.spawn(async move { number }).await, number);
        }
        start.elapsed()
    }
}

/// Spawns 100 tasks, then awaits each in order; per task.
#[derive(Debug)]
pub struct SpawnJoin100;

impl Workload for SpawnJoin100 {
    const NAME: &'static str = "spawn_join_100";
    const ELEMENTS: u64 = 100;

    async fn run<R: Peer>(rt: R, rounds: u64) -> Duration {
        let mut joins = Vec::with_capacity(100);
        let start = Instant::now();
        for round in 0..rounds {
            joins.extend((0..Self::ELEMENTS).map(|number| rt.spawn(async move { round + number })));
            let mut sum = 0;
            for join in joins.drain(..) {
                sum += join.await;
            }
            assert_eq!(sum, round * 100 + 4_950);
        }
        start.elapsed()
    }
}

/// Like [`SpawnJoin`], with a future of some 1,000 bytes that is polled twice.
#[derive(Debug)]
pub struct SpawnJoinBig;

impl Workload for SpawnJoinBig {
    const NAME: &'static str = "spawn_join_1kb";
    const ELEMENTS: u64 = 1;

    async fn run<R: Peer>(rt: R, rounds: u64) -> Duration {
        let start = Instant::now();
        for number in 0..rounds {
            let join = rt.spawn(async move {
                let mut load = [number; 120];
                rt.yield_now().await;
                load[7] += 1;
                std::hint::black_box(&mut load)[7]
            });
            assert_eq!(join.await, number + 1);
        }
        start.elapsed()
    }
}

/// Each of 1,000 detached tasks spawns the next one; per task.
#[derive(Debug)]
pub struct ChainedSpawn;

impl Workload for ChainedSpawn {
    const NAME: &'static str = "chained_spawn";
    const ELEMENTS: u64 = 1_000;

    async fn run<R: Peer>(rt: R, rounds: u64) -> Duration {
        let latch = Latch::leak();
        let start = Instant::now();
        for _ in 0..rounds {
            latch.set(1);
            link(rt, Self::ELEMENTS, latch);
            latch.wait().await;
        }
        start.elapsed()
    }
}

fn link<R: Peer>(rt: R, left: u64, latch: &'static Latch) {
    if left == 0 {
        latch.count_down();
    } else {
        R::detach(rt.spawn(async move { link(rt, left - 1, latch) }));
    }
}
