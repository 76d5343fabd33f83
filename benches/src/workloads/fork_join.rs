//! Fork and join: recursive without work of its own, and with about 5 µs of it in each leaf.

use std::{
    future::Future,
    pin::Pin,
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
    vec![entry::<Fib>(), entry::<Tree5us>(), entry::<Batch5us>()]
}

/// A future that names itself in its own definition has to be boxed; it costs everybody the same.
type Recursive<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// The Fibonacci number of 15, where each call spawns one half and computes the other; per spawned task.
#[derive(Debug)]
pub struct Fib;

impl Workload for Fib {
    const NAME: &'static str = "fork_join_fib";
    /// The calls with an argument of 2 or more: each spawns once.
    const ELEMENTS: u64 = 986;

    async fn run<R: Peer>(rt: R, rounds: u64) -> Duration {
        let start = Instant::now();
        for _ in 0..rounds {
            assert_eq!(fib(rt, 15).await, 610);
        }
        start.elapsed()
    }
}

fn fib<R: Peer>(rt: R, n: u64) -> Recursive<u64> {
    Box::pin(async move {
        if n < 2 {
            return n;
        }
        let left = rt.spawn(fib(rt, n - 1));
        let right = fib(rt, n - 2).await;
        left.await + right
    })
}

/// A binary tree with 256 leaves, each with about 5 µs of work; per leaf.
#[derive(Debug)]
pub struct Tree5us;

impl Workload for Tree5us {
    const NAME: &'static str = "fork_join_5us";
    const ELEMENTS: u64 = 256;

    async fn run<R: Peer>(rt: R, rounds: u64) -> Duration {
        let leaf = burn(FIVE_MICROSECONDS);
        let start = Instant::now();
        for _ in 0..rounds {
            assert_eq!(tree(rt, 8).await, leaf.wrapping_mul(Self::ELEMENTS));
        }
        start.elapsed()
    }
}

fn tree<R: Peer>(rt: R, depth: u32) -> Recursive<u64> {
    Box::pin(async move {
        if depth == 0 {
            return burn(FIVE_MICROSECONDS);
        }
        let left = rt.spawn(tree(rt, depth - 1));
        let right = tree(rt, depth - 1).await;
        left.await.wrapping_add(right)
    })
}

/// 200 tasks from one spawner, each with about 5 µs of work; per task.
#[derive(Debug)]
pub struct Batch5us;

impl Workload for Batch5us {
    const NAME: &'static str = "batch_5us";
    const ELEMENTS: u64 = 200;

    async fn run<R: Peer>(rt: R, rounds: u64) -> Duration {
        let one = burn(FIVE_MICROSECONDS);
        let mut joins = Vec::with_capacity(200);
        let start = Instant::now();
        for _ in 0..rounds {
            let tasks = (0..Self::ELEMENTS).map(|_| rt.spawn(async { burn(FIVE_MICROSECONDS) }));
            joins.extend(tasks);
            for join in joins.drain(..) {
                assert_eq!(join.await, one);
            }
        }
        start.elapsed()
    }
}
