//! Computations, one after the other and then gathered: the speed-up is about the number of cores.
//!
//! `cargo run --release -p tasca --example to_thread_cpu`
#![expect(clippy::print_stdout, reason = "a program prints")]

use std::time::{Duration, Instant};

use tasca::{gather, spawn_blocking};

/// The number of primes below `limit`, the slow way.
fn count_primes(limit: u64) -> usize {
    (2..limit)
        .filter(|n| {
            (2..)
                .take_while(|d| d * d <= *n)
                .all(|d| !n.is_multiple_of(d))
        })
        .count()
}

const LIMIT: u64 = 500_000;
const ROUNDS: usize = 5;

/// How long so many jobs take one after the other.
async fn one_by_one(n_jobs: usize) -> (Duration, Vec<usize>) {
    let began = Instant::now();
    let mut found = Vec::new();
    for _ in 0..n_jobs {
        found.push(spawn_blocking(|| count_primes(LIMIT)).await);
    }
    (began.elapsed(), found)
}

/// How long they take side by side.
async fn gathered(n_jobs: usize) -> (Duration, Vec<usize>) {
    let began = Instant::now();
    let found = gather((0..n_jobs).map(|_| spawn_blocking(|| count_primes(LIMIT)))).await;
    (began.elapsed(), found)
}

#[tasca::main]
async fn main() {
    let n_cores = std::thread::available_parallelism().map_or(1, usize::from);
    let n_jobs = 2 * n_cores;
    let mut speed_ups = Vec::new();
    // In turn, so that whatever else the machine does slows both down.
    for _ in 0..ROUNDS {
        let (alone, one_by_one) = one_by_one(n_jobs).await;
        let (together, gathered) = gathered(n_jobs).await;
        assert_eq!(one_by_one, gathered);
        println!("{n_jobs} jobs one after the other: {alone:.2?}; gathered: {together:.2?}");
        speed_ups.push(alone.as_secs_f64() / together.as_secs_f64());
    }
    speed_ups.sort_by(f64::total_cmp);
    println!(
        "{:.1} times as fast on {n_cores} cores",
        speed_ups[ROUNDS / 2]
    );
}
