//! What must hold whatever happens: nothing is lost, nothing is doubled, nobody is left behind. Many seeds, all runtimes,
//! cancellations at any moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use tasca_core::{Builder, Runtime, Task, spawn, yield_now};
use tasca_sync::{Barrier, Condition, Event, Lock, Queue, RwLock, Semaphore};

/// A generator of small numbers (Marsaglia's xorshift).
#[derive(Clone, Debug)]
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// Runs the test for many seeds in virtual time, and for some on the runtimes of real time.
fn many_seeds<F>(test: impl Fn(Random) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let run = |seed: u64, builder: Builder| {
        // The harness shows it when the test fails.
        #[expect(
            clippy::print_stderr,
            reason = "a failing seed is what replays the failure"
        )]
        {
            eprintln!("seed {seed}");
        }
        crate::run(builder, test(Random::new(seed)));
    };
    for seed in 0..300 {
        run(seed, Runtime::builder().deterministic(seed));
    }
    for seed in 300..320 {
        run(seed, Runtime::builder().current_thread());
        for n_workers in [1, 2, 4] {
            let builder = Runtime::builder().multi_thread();
            run(seed, builder.worker_threads(n_workers));
        }
    }
}

async fn pause(random: &mut Random) {
    for _ in 0..random.below(3) {
        yield_now().await;
    }
}

/// Cancels some of the tasks, one after the other; gives how many ended with a value.
async fn cancel_some(mut random: Random, tasks: Vec<Task<()>>) -> usize {
    let mut n_ended = 0;
    for task in &tasks {
        pause(&mut random).await;
        if random.below(3) == 0 {
            task.cancel();
        }
    }
    for task in tasks {
        n_ended += usize::from(task.outcome().await.is_ok());
    }
    n_ended
}

fn spawn_each<F>(random: &Random, n: u64, body: impl Fn(Random) -> F) -> Vec<Task<()>>
where
    F: Future<Output = ()> + Send + 'static,
{
    (0..n)
        .map(|n| spawn(body(Random::new(random.0 ^ (n + 1)))))
        .collect()
}

#[test]
fn a_lock_is_held_by_one_and_survives_cancellations() {
    many_seeds(|random| async move {
        let shared = Arc::new((Lock::new(0), AtomicUsize::new(0)));
        let tasks = spawn_each(&random, 12, |mut random| {
            let shared = Arc::clone(&shared);
            async move {
                pause(&mut random).await;
                let mut count = shared.0.lock().await;
                assert_eq!(shared.1.fetch_add(1, Ordering::Relaxed), 0, "alone");
                struct Leave<'a>(&'a AtomicUsize);
                impl Drop for Leave<'_> {
                    fn drop(&mut self) {
                        self.0.fetch_sub(1, Ordering::Relaxed);
                    }
                }
                let leave = Leave(&shared.1);
                pause(&mut random).await;
                *count += 1;
                drop(leave);
            }
        });
        let n_ended = cancel_some(random, tasks).await;
        // A task that is cancelled after its last await ends cancelled, although it counted.
        assert!(*shared.0.try_lock().expect("free") >= n_ended);
    });
}

#[test]
fn permits_are_conserved() {
    many_seeds(|mut random| async move {
        let n_permits = random.below(4) as usize;
        let semaphore = Arc::new(Semaphore::new(n_permits));
        let tasks = spawn_each(&random, 12, |mut random| {
            let semaphore = Arc::clone(&semaphore);
            async move {
                pause(&mut random).await;
                let permit = semaphore.acquire().await;
                pause(&mut random).await;
                drop(permit);
            }
        });
        let n_extra = 4 - n_permits;
        for _ in 0..n_extra {
            pause(&mut random).await;
            semaphore.release();
        }
        cancel_some(random, tasks).await;
        assert_eq!(semaphore.available_permits(), 4);
        assert!(!semaphore.is_locked());
    });
}

#[test]
fn no_item_is_lost_or_doubled() {
    many_seeds(|mut random| async move {
        let queue = Arc::new(Queue::bounded(random.below(4) as usize));
        let put = Arc::new(Mutex::new(Vec::new()));
        let got = Arc::new(Mutex::new(Vec::new()));
        let producers = spawn_each(&random, 6, |mut random| {
            let (queue, put) = (Arc::clone(&queue), Arc::clone(&put));
            async move {
                for _ in 0..5 {
                    let item = random.below(u64::MAX);
                    queue.put(item).await.expect("open");
                    // No await between the put and the note.
                    put.lock().push(item);
                    pause(&mut random).await;
                }
            }
        });
        let consumers = spawn_each(&random, 6, |mut random| {
            let (queue, got) = (Arc::clone(&queue), Arc::clone(&got));
            async move {
                while let Ok(item) = queue.get().await {
                    got.lock().push(item);
                    queue.task_done().expect("an item that was got");
                    pause(&mut random).await;
                }
            }
        });
        // All but one of the consumers may be cancelled.
        let last = spawn({
            let (queue, got) = (Arc::clone(&queue), Arc::clone(&got));
            async move {
                while let Ok(item) = queue.get().await {
                    got.lock().push(item);
                    queue.task_done().expect("an item that was got");
                }
            }
        });
        cancel_some(random.clone(), producers).await;
        queue.join().await;
        queue.shutdown();
        cancel_some(random, consumers).await;
        last.await;
        let (mut put, mut got) = (put.lock(), got.lock());
        put.sort_unstable();
        got.sort_unstable();
        assert_eq!(*put, *got);
    });
}

#[test]
fn a_condition_loses_no_notification_that_somebody_waits_for() {
    many_seeds(|random| async move {
        let shared = Arc::new((Lock::new(0_usize), Condition::new()));
        // Each takes one; as many are given as there are takers: nobody is left behind, whoever is cancelled.
        let tasks = spawn_each(&random, 8, |mut random| {
            let shared = Arc::clone(&shared);
            async move {
                pause(&mut random).await;
                let mut n = shared.0.lock().await;
                shared.1.wait_for(&mut n, |n| *n > 0).await;
                *n -= 1;
            }
        });
        let giver = spawn({
            let (shared, mut random) = (Arc::clone(&shared), random.clone());
            async move {
                for _ in 0..8 {
                    pause(&mut random).await;
                    let mut n = shared.0.lock().await;
                    *n += 1;
                    shared.1.notify(&n, 1);
                }
            }
        });
        cancel_some(random, tasks).await;
        giver.await;
        assert!(shared.0.try_lock().is_some());
    });
}

#[test]
fn an_event_lets_everybody_go_who_is_not_cancelled() {
    many_seeds(|mut random| async move {
        let event = Arc::new(Event::new());
        let tasks = spawn_each(&random, 10, |mut random| {
            let event = Arc::clone(&event);
            async move {
                pause(&mut random).await;
                event.wait().await;
            }
        });
        pause(&mut random).await;
        event.set();
        cancel_some(random, tasks).await;
    });
}

#[test]
fn a_barrier_lets_whole_groups_go() {
    many_seeds(|mut random| async move {
        let n_parties = 1 + random.below(4) as usize;
        let barrier = Arc::new(Barrier::new(n_parties));
        let counts = Arc::new(
            (0..n_parties)
                .map(|_| AtomicUsize::new(0))
                .collect::<Vec<_>>(),
        );
        let tasks = spawn_each(&random, 3 * n_parties as u64, |mut random| {
            let (barrier, counts) = (Arc::clone(&barrier), Arc::clone(&counts));
            async move {
                pause(&mut random).await;
                let number = barrier.wait().await.expect("whole");
                counts[number].fetch_add(1, Ordering::Relaxed);
            }
        });
        for task in tasks {
            task.await;
        }
        assert!(
            counts
                .iter()
                .all(|count| count.load(Ordering::Relaxed) == 3)
        );
        assert_eq!(barrier.n_waiting(), 0);
    });
}

#[test]
fn a_barrier_survives_cancelled_parties() {
    many_seeds(|random| async move {
        let barrier = Arc::new(Barrier::new(2));
        let tasks = spawn_each(&random, 9, |mut random| {
            let barrier = Arc::clone(&barrier);
            async move {
                pause(&mut random).await;
                barrier.wait().await.expect("whole");
            }
        });
        for task in &tasks[..5] {
            task.cancel();
        }
        // Whoever is left over gets a partner. One who came by when it saw a party alone could meet nobody:
        // another may have come meanwhile. So this one stays until all are done, and is cancelled in its wait.
        let partner = spawn({
            let (barrier, mut random) = (Arc::clone(&barrier), random.clone());
            async move {
                loop {
                    pause(&mut random).await;
                    barrier.wait().await.expect("whole");
                }
            }
        });
        for task in tasks {
            drop(task.outcome().await);
        }
        partner.cancel();
        assert!(partner.outcome().await.is_err_and(|e| e.is_cancelled()));
        assert_eq!(barrier.n_waiting(), 0);
    });
}

#[test]
fn access_to_an_rw_lock_is_conserved() {
    many_seeds(|random| async move {
        let shared = Arc::new((RwLock::new(()), AtomicUsize::new(0)));
        let tasks = spawn_each(&random, 12, |mut random| {
            let shared = Arc::clone(&shared);
            async move {
                pause(&mut random).await;
                if random.below(2) == 0 {
                    let _guard = shared.0.write().await;
                    assert_eq!(shared.1.load(Ordering::Relaxed), 0, "nobody reads");
                    pause(&mut random).await;
                } else {
                    let guard = shared.0.read().await;
                    shared.1.fetch_add(1, Ordering::Relaxed);
                    shared.1.fetch_sub(1, Ordering::Relaxed);
                    pause(&mut random).await;
                    drop(guard);
                }
            }
        });
        cancel_some(random, tasks).await;
        assert!(shared.0.try_write().is_some());
    });
}
