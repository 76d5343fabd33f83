//! Calls on the threads for blocking calls, and what these do to everything else.

use std::{
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use super::{
    connections::{Dialogue, latencies, open, tail},
    tcp::serve,
};
use crate::{
    rt::Peer,
    sys,
    workload::{Effort, Entry, Metric, Probe, Workload, entry, probe},
};

/// The workloads of this module.
#[must_use]
pub fn all() -> Vec<Entry> {
    vec![
        entry::<RoundTrip>(),
        entry::<Batch<10_000>>(),
        entry::<Batch<100_000>>(),
        entry::<Contended>(),
        entry::<HeldUp>(),
        probe::<SleepTail<0>>(),
        probe::<SleepTail<64>>(),
        probe::<EchoTail<0>>(),
        probe::<EchoTail<64>>(),
        probe::<QueuedJob>(),
    ]
}

/// One trivial closure after another, each awaited.
#[derive(Debug)]
pub struct RoundTrip;

impl Workload for RoundTrip {
    const NAME: &'static str = "blocking_round_trip";
    const ELEMENTS: u64 = 1;

    async fn run<R: Peer>(rt: R, rounds: u64) -> Duration {
        let start = Instant::now();
        for number in 0..rounds {
            assert_eq!(rt.spawn_blocking(move || number).await, number);
        }
        start.elapsed()
    }
}

/// A hundred closures at once that sleep for 5 ms; per closure. With a thread for each, it would be 50 µs.
#[derive(Debug)]
pub struct HeldUp;

impl Workload for HeldUp {
    const NAME: &'static str = "blocking_held_up_100";
    const ELEMENTS: u64 = 100;

    async fn run<R: Peer>(rt: R, rounds: u64) -> Duration {
        let start = Instant::now();
        for _ in 0..rounds {
            let sleep = |_| rt.spawn_blocking(|| thread::sleep(Duration::from_millis(5)));
            let jobs: Vec<_> = (0..Self::ELEMENTS).map(sleep).collect();
            for job in jobs {
                job.await;
            }
        }
        start.elapsed()
    }
}

/// So many trivial closures at once, then each is awaited in order; per closure.
#[derive(Debug)]
pub struct Batch<const N: u64>;

impl<const N: u64> Workload for Batch<N> {
    const NAME: &'static str = match N {
        10_000 => "blocking_batch_10k",
        100_000 => "blocking_batch_100k",
        _ => panic!("a size without a name"),
    };
    const ELEMENTS: u64 = N;
    const EFFORT: Effort = if N > 10_000 {
        Effort::Full
    } else {
        Effort::Usual
    };

    async fn run<R: Peer>(rt: R, rounds: u64) -> Duration {
        let mut jobs = Vec::with_capacity(usize::try_from(N).expect("that many fit"));
        let start = Instant::now();
        for _ in 0..rounds {
            jobs.extend((0..N).map(|number| rt.spawn_blocking(move || number)));
            let mut sum = 0;
            for job in jobs.drain(..) {
                sum += job.await;
            }
            assert_eq!(sum, N * (N - 1) / 2);
        }
        start.elapsed()
    }
}

/// 16 tasks, each as in [`RoundTrip`]; per closure.
#[derive(Debug)]
pub struct Contended;

impl Workload for Contended {
    const NAME: &'static str = "blocking_contended";
    const ELEMENTS: u64 = 16;

    async fn run<R: Peer>(rt: R, rounds: u64) -> Duration {
        let start = Instant::now();
        let tasks: Vec<_> = (0..Self::ELEMENTS)
            .map(|_| rt.spawn(RoundTrip::run(rt, rounds)))
            .collect();
        for task in tasks {
            task.await;
        }
        start.elapsed()
    }
}

/// So many threads' worth of calls that block, one after the other, until [`end`](Self::end).
struct Calls<R: Peer> {
    over: Arc<AtomicBool>,
    tasks: Vec<R::Join<()>>,
}

impl<R: Peer> Calls<R> {
    async fn begin(rt: R, n_calls: u64) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let begun = Arc::new(AtomicU64::new(0));
        let call = |_| {
            let (over, begun) = (Arc::clone(&over), Arc::clone(&begun));
            rt.spawn(async move {
                while !over.load(Ordering::Relaxed) {
                    let begun = Arc::clone(&begun);
                    let call = move || {
                        begun.fetch_add(1, Ordering::Relaxed);
                        thread::sleep(Duration::from_millis(20));
                    };
                    rt.spawn_blocking(call).await;
                }
            })
        };
        let tasks = (0..n_calls).map(call).collect();
        while begun.load(Ordering::Relaxed) < n_calls {
            rt.sleep(Duration::from_millis(1)).await;
        }
        Self { over, tasks }
    }

    async fn end(self) {
        self.over.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await;
        }
    }
}

/// A task that sleeps a millisecond, again and again, while so many calls block: by how much it is late.
#[derive(Debug)]
pub struct SleepTail<const CALLS: u64>;

impl<const CALLS: u64> Probe for SleepTail<CALLS> {
    const NAME: &'static str = match CALLS {
        0 => "blocking_0_sleep_p99",
        64 => "blocking_64_sleep_p99",
        _ => panic!("a number without a name"),
    };
    const ELEMENTS: u64 = 1;
    const METRIC: Metric = Metric::Tail;

    async fn probe<R: Peer>(rt: R, rounds: u64) -> f64 {
        const DELAY: Duration = Duration::from_millis(1);
        let calls = Calls::begin(rt, CALLS).await;
        let mut late = Vec::new();
        for _ in 0..rounds {
            let start = Instant::now();
            rt.sleep(DELAY).await;
            late.push(start.elapsed().saturating_sub(DELAY).as_nanos() as u64);
        }
        calls.end().await;
        late.sort_unstable();
        tail(&late)
    }
}

/// An echo over one connection while so many calls block.
#[derive(Debug)]
pub struct EchoTail<const CALLS: u64>;

impl<const CALLS: u64> Probe for EchoTail<CALLS> {
    const NAME: &'static str = match CALLS {
        0 => "blocking_0_echo_p99",
        64 => "blocking_64_echo_p99",
        _ => panic!("a number without a name"),
    };
    const ELEMENTS: u64 = 1;
    const METRIC: Metric = Metric::Tail;

    async fn probe<R: Peer>(rt: R, rounds: u64) -> f64 {
        let calls = Calls::begin(rt, CALLS).await;
        let (streams, servers) = open(rt, 1, serve::<R, 64>).await;
        let dialogue = Dialogue {
            question: &[7; 64],
            answer: 64,
            ending: &[7],
            depth: 1,
        };
        let latencies = latencies(rt, streams, dialogue, rounds).await;
        for server in servers {
            server.await;
        }
        calls.end().await;
        tail(&latencies)
    }
}

/// A closure of no bytes that waits for a thread, and its handle. All threads are there before.
#[derive(Debug)]
pub struct QueuedJob;

impl Probe for QueuedJob {
    const NAME: &'static str = "memory_queued_job";
    const ELEMENTS: u64 = 100_000;
    const METRIC: Metric = Metric::Bytes;
    const EFFORT: Effort = Effort::Full;

    async fn probe<R: Peer>(rt: R, rounds: u64) -> f64 {
        /// As many threads as each of the pools has at least.
        const THREADS: u64 = 500;
        let gate = Arc::new((Mutex::new(false), Condvar::new()));
        let begun = Arc::new(AtomicU64::new(0));
        // The largest of the pools has twelve threads more.
        let held: Vec<_> = (0..THREADS + 12)
            .map(|_| {
                let (gate, begun) = (Arc::clone(&gate), Arc::clone(&begun));
                rt.spawn_blocking(move || {
                    begun.fetch_add(1, Ordering::Relaxed);
                    let mut open = gate.0.lock().expect("nobody panics");
                    while !*open {
                        open = gate.1.wait(open).expect("nobody panics");
                    }
                })
            })
            .collect();
        while begun.load(Ordering::Relaxed) < THREADS {
            rt.sleep(Duration::from_millis(1)).await;
        }
        let count = rounds * Self::ELEMENTS;
        let mut jobs = Vec::with_capacity(usize::try_from(count).expect("that many fit"));
        let before = sys::resident_bytes();
        jobs.extend((0..count).map(|_| rt.spawn_blocking(|| ())));
        let bytes = sys::resident_bytes() - before;
        *gate.0.lock().expect("nobody panics") = true;
        gate.1.notify_all();
        for job in held {
            job.await;
        }
        for job in jobs {
            job.await;
        }
        bytes as f64 / count as f64
    }
}
