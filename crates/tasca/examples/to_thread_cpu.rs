//! Computations, one after the other and then gathered: the speed-up is about the number of cores.
//!
//! `cargo run --release -p tasca --example to_thread_cpu`
#![expect(clippy::print_stdout, reason = "a program prints")]

use std::time::Instant;

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

const LIMIT: u64 = 1_000_000;

#[tasca::main]
async fn main() {
    let n_cores = std::thread::available_parallelism().map_or(1, usize::from);
    let n_jobs = 2 * n_cores;

    let began = Instant::now();
    let mut one_by_one = Vec::new();
    for _ in 0..n_jobs {
        one_by_one.push(spawn_blocking(|| count_primes(LIMIT)).await);
    }
    let alone = began.elapsed();
    println!("{n_jobs} jobs one after the other: {alone:.2?}");

    let began = Instant::now();
    let gathered = gather((0..n_jobs).map(|_| spawn_blocking(|| count_primes(LIMIT)))).await;
    let together = began.elapsed();
    println!("{n_jobs} jobs gathered: {together:.2?}");

    assert_eq!(one_by_one, gathered);
    let speed_up = alone.as_secs_f64() / together.as_secs_f64();
    println!(
        "{} primes; {speed_up:.1} times as fast on {n_cores} cores",
        gathered[0]
    );
}
