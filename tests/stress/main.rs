//! Storms on more workers than cores: everything that was begun ends, whatever the order.
//!
//! Each storm is drawn from a seed that is part of a failure's message. Set `TASCA_STRESS_SEED` to run one again, and
//! `TASCA_STRESS_ROUNDS` for more of them.
#![expect(clippy::print_stderr, reason = "says which seed a failing storm had")]

mod seeds;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tasca::sync::RwLock;
use tasca::time::sleep;
use tasca::{
    Handle, Runtime, Task, TaskRef, catch_cancelled, finally, promise, spawn, spawn_pinned,
    yield_now,
};
use tasca_tests::{Counter, Gate, Kind, Random, guarded, runtime};

/// Rounds of each storm.
const ROUNDS: u64 = if cfg!(debug_assertions) { 6 } else { 12 };

/// A number from the environment.
fn from_env(key: &str) -> Option<u64> {
    let text = std::env::var(key).ok()?;
    Some(text.parse().expect("the variable holds a number"))
}

/// Runs a storm with several seeds on runtimes of 8 to 16 workers, and on the two with one thread.
fn storm<F>(name: &'static str, body: impl Fn(Random) -> F + Clone + Send + 'static)
where
    F: Future<Output = ()> + Send + 'static,
{
    let rounds = from_env("TASCA_STRESS_ROUNDS").unwrap_or(ROUNDS);
    let first = from_env("TASCA_STRESS_SEED");
    for round in 0..rounds {
        let seed = first.unwrap_or_else(Random::fresh_seed);
        let kind = match round % 6 {
            0 => Kind::MultiThread(16),
            1 => Kind::MultiThread(8),
            2 => Kind::MultiThread(2),
            3 => Kind::CurrentThread,
            4 => Kind::Deterministic(seed),
            _ => Kind::MultiThread(12),
        };
        let said = Said(format!("{name}: TASCA_STRESS_SEED={seed} on {kind:?}"));
        let body = body.clone();
        let problems = guarded(&said.0.clone(), move || {
            let (runtime, problems) = runtime(kind);
            runtime.block_on(runtime.handle().spawn(body(Random::new(seed))));
            drop(runtime);
            problems
        });
        problems.expect_none();
        drop(said);
    }
}

/// Says what ran when a panic comes by.
struct Said(String);

impl Drop for Said {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.0);
        }
    }
}

#[test]
fn trees_of_tasks_come_to_their_end() {
    fn grow(
        mut random: Random,
        depth: u32,
        count: Counter,
    ) -> futures::future::BoxFuture<'static, u64> {
        Box::pin(async move {
            count.add();
            if depth == 0 {
                if random.one_in(4) {
                    yield_now().await;
                }
                return 1;
            }
            let children: Vec<Task<u64>> = (0..1 + random.below(4))
                .map(|_| spawn(grow(random.split(), depth - 1, count.clone())))
                .collect();
            let mut sum = 1;
            for child in children {
                sum += child.await;
            }
            sum
        })
    }
    storm("trees", |mut random| async move {
        for _ in 0..10 {
            let count = Counter::new();
            let sum = spawn(grow(random.split(), 6, count.clone())).await;
            assert_eq!(sum, count.get() as u64);
        }
    });
}

#[test]
fn yields_and_sleeps_are_fair_to_all() {
    storm("yields", |mut random| async move {
        let tasks: Vec<_> = (0..300)
            .map(|_| {
                let mut random = random.split();
                spawn(async move {
                    for _ in 0..random.below(60) {
                        match random.below(8) {
                            0 => sleep(Duration::from_micros(random.below(300))).await,
                            1 => spawn(yield_now()).await,
                            _ => yield_now().await,
                        }
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await;
        }
    });
}

#[test]
fn cancels_hit_tasks_in_every_state_and_all_of_them_end() {
    storm("cancels", |mut random| async move {
        let (begun, ended) = (Counter::new(), Counter::new());
        for _ in 0..20 {
            let mut tasks = Vec::new();
            for _ in 0..100 {
                let mut random = random.split();
                let (begun, ended) = (begun.clone(), ended.clone());
                let depth = random.below(4);
                let mut task = spawn(async move {
                    begun.add();
                    let _ended = ended.on_drop();
                    match random.below(5) {
                        0 => yield_now().await,
                        1 => sleep(Duration::from_micros(random.below(500))).await,
                        2 => drop(catch_cancelled(sleep(Duration::from_micros(200))).await),
                        3 => finally(sleep(Duration::from_micros(300)), yield_now()).await,
                        _ => {
                            let child = spawn(sleep(Duration::from_micros(random.below(300))));
                            drop(catch_cancelled(child).await);
                        }
                    }
                });
                for _ in 0..depth {
                    task = spawn(task);
                }
                tasks.push(task);
            }
            // Cancelled from several sides at once, in any order, some twice.
            let shadows: Arc<Vec<_>> = Arc::new(tasks.iter().map(Task::task_ref).collect());
            let cancellers: Vec<_> = (0..4)
                .map(|_| {
                    let (shadows, mut random) = (Arc::clone(&shadows), random.split());
                    spawn(async move {
                        for _ in 0..60 {
                            let target = &shadows[random.below(100) as usize];
                            let was_done = target.is_finished();
                            let accepted = target.cancel_with("storm");
                            assert!(!(was_done && accepted), "a done task takes no request");
                            if random.one_in(8) {
                                target.uncancel();
                            }
                            if random.one_in(4) {
                                yield_now().await;
                            }
                        }
                    })
                })
                .collect();
            for canceller in cancellers {
                canceller.await;
            }
            for task in tasks {
                if let Err(error) = task.outcome().await {
                    assert!(error.is_cancelled(), "{error}");
                }
            }
        }
        // Detached ones may still be on their way. (A yield would keep virtual time from going on.)
        while begun.get() != ended.get() {
            sleep(Duration::from_micros(20)).await;
        }
    });
}

#[test]
fn every_waiter_of_a_promise_is_woken() {
    storm("promises", |mut random| async move {
        for _ in 0..100 {
            let (keep, task) = promise::<u64>();
            let task = Arc::new(task);
            let waiters: Vec<_> = (0..random.below(12))
                .map(|_| {
                    let (task, mut random) = (Arc::clone(&task), random.split());
                    spawn(async move {
                        if random.one_in(2) {
                            yield_now().await;
                        }
                        if random.one_in(3) {
                            task.finished().await;
                        }
                        *(&*task).await
                    })
                })
                .collect();
            let called = Counter::new();
            let counted = called.clone();
            task.add_done_callback(move |_| counted.add());
            let keeper = spawn(async move { keep.set(7).is_ok() });
            for waiter in waiters {
                assert_eq!(waiter.await, 7);
            }
            assert!(keeper.await);
            while called.get() == 0 {
                yield_now().await;
            }
        }
    });
}

#[test]
fn wakes_from_other_threads_are_not_lost() {
    storm("outside", |mut random| async move {
        let handle = Handle::current();
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let (handle, mut random) = (handle.clone(), random.split());
                std::thread::spawn(move || {
                    for _ in 0..200 {
                        let (keep, task) = promise::<()>();
                        let waiter = handle.spawn(task);
                        if random.one_in(2) {
                            std::thread::yield_now();
                        }
                        keep.set(()).expect("nobody cancels it");
                        if random.one_in(8) {
                            futures::executor::block_on(waiter);
                        }
                    }
                })
            })
            .collect();
        while threads.iter().any(|thread| !thread.is_finished()) {
            sleep(Duration::from_micros(50)).await;
        }
        for thread in threads {
            thread.join().expect("it does not panic");
        }
    });
}

#[test]
fn bound_tasks_and_free_ones_mix() {
    storm("bound", |mut random| async move {
        let n_workers = Handle::current().n_workers() as u64;
        let tasks: Vec<_> = (0..200)
            .map(|_| {
                let mut random = random.split();
                let worker = random.below(n_workers) as usize;
                let bound = spawn_pinned(worker, move || async move {
                    let home = std::thread::current().id();
                    for _ in 0..random.below(20) {
                        match random.below(3) {
                            0 => yield_now().await,
                            1 => sleep(Duration::from_micros(random.below(100))).await,
                            _ => spawn(yield_now()).await,
                        }
                        assert_eq!(std::thread::current().id(), home);
                    }
                });
                bound.ok().expect("there is such a worker")
            })
            .collect();
        for task in tasks {
            task.await;
        }
    });
}

/// Whoever is cancelled while something is handed to it takes nothing with it, and nobody gets another one's share.
#[test]
fn locks_are_handed_on_while_those_in_line_are_cancelled() {
    storm("locks", |mut random| async move {
        const N_RIVALS: u64 = 12;
        let lock = Arc::new(RwLock::new(0_u64));
        let (waiting, over) = (Arc::new(Mutex::new(HashMap::new())), Gate::new());
        let rivals: Vec<_> = (0..N_RIVALS)
            .map(|place| {
                let (lock, waiting) = (Arc::clone(&lock), Arc::clone(&waiting));
                let mut random = random.split();
                spawn(async move {
                    for _ in 0..1_000 {
                        let (reads, lock) = (random.one_in(2), Arc::clone(&lock));
                        let rival = spawn(async move {
                            if reads {
                                let _guard = lock.read().await;
                                yield_now().await;
                            } else {
                                *lock.write().await += 1;
                            }
                        });
                        waiting.lock().insert(place, rival.task_ref());
                        if let Err(error) = rival.outcome().await {
                            assert!(error.is_cancelled(), "{error}");
                        }
                    }
                })
            })
            .collect();
        let canceller = {
            let (waiting, over, mut random) = (Arc::clone(&waiting), over.clone(), random.split());
            // On a thread that shares nothing with the workers: it hits at any moment.
            std::thread::spawn(move || {
                while !over.is_open() {
                    let target = waiting.lock().get(&random.below(N_RIVALS)).cloned();
                    target.map(|target: TaskRef| target.cancel());
                }
            })
        };
        for rival in rivals {
            rival.await;
        }
        over.open();
        canceller.join().expect("it does not panic");
        assert!(lock.try_write().is_some(), "nobody is left");
    });
}

#[test]
fn runtimes_end_in_the_middle_of_a_storm() {
    for round in 0..ROUNDS * 5 {
        let seed = Random::fresh_seed();
        let said = Said(format!("ends: seed {seed}"));
        guarded(&said.0.clone(), move || {
            let mut random = Random::new(seed);
            let runtime = Runtime::builder()
                .worker_threads(1 + (round % 16) as usize)
                .build()
                .unwrap();
            let drops = Counter::new();
            let made = random.below(400);
            for _ in 0..made {
                let (held, mut random) = (drops.on_drop(), random.split());
                drop(runtime.handle().spawn(async move {
                    let _held = held;
                    loop {
                        match random.below(4) {
                            0 => sleep(Duration::from_micros(random.below(400))).await,
                            1 => drop(spawn(yield_now()).outcome().await),
                            2 => drop(spawn(std::future::pending::<()>())),
                            _ => yield_now().await,
                        }
                    }
                }));
            }
            if random.one_in(2) {
                runtime.block_on(sleep(Duration::from_micros(random.below(2000))));
            }
            drop(runtime);
            assert_eq!(drops.get() as u64, made);
        });
        drop(said);
    }
}
