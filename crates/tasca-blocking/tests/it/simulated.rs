//! Thread pools on the deterministic runtime: virtual time, and an order that the seed decides.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use parking_lot::Mutex;
use tasca_blocking::{
    DefaultExecutor, PoolsConfig, Queued, ThreadPool, run_in_executor, sleep, spawn_blocking,
    to_thread,
};
use tasca_core::{Handle, Runtime, spawn, time, yield_now};

use crate::support::{HANG, guarded};

fn deterministic(seed: u64) -> Runtime {
    // A clock that stands still when it should not is not helped on by impatience.
    Runtime::builder()
        .deterministic(seed)
        .stall_after(HANG)
        .build()
        .unwrap()
}

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// What happened, and at which millisecond of virtual time.
#[derive(Clone)]
struct Log {
    runtime: Handle,
    begin: std::time::Instant,
    lines: Arc<Mutex<Vec<(u64, String)>>>,
}

impl Log {
    fn new(rt: &Runtime) -> Self {
        Self {
            runtime: rt.handle(),
            begin: rt.handle().time(),
            lines: Arc::default(),
        }
    }

    fn add(&self, text: impl Into<String>) {
        let at = (self.runtime.time() - self.begin).as_millis() as u64;
        self.lines.lock().push((at, text.into()));
    }

    /// A job that takes so many milliseconds.
    fn job(&self, name: &str, takes: u64) -> impl FnOnce() -> u64 + Send + use<> {
        let (log, name) = (self.clone(), name.to_owned());
        move || {
            log.add(format!("{name} begins"));
            sleep(ms(takes));
            log.add(format!("{name} ends"));
            takes
        }
    }

    fn lines(&self) -> Vec<(u64, String)> {
        self.lines.lock().clone()
    }

    #[track_caller]
    fn is(&self, expected: &[(u64, &str)]) {
        let lines = self.lines();
        let lines: Vec<(u64, &str)> = lines.iter().map(|(at, text)| (*at, &**text)).collect();
        assert_eq!(lines, expected);
    }
}

#[test]
fn a_job_begins_in_the_submission_and_takes_virtual_time() {
    guarded(
        "a job begins in the submission and takes virtual time",
        || {
            let rt = deterministic(0);
            let log = Log::new(&rt);
            rt.block_on(async {
                let task = run_in_executor(&DefaultExecutor, log.job("job", 5_000_000));
                log.add("submitted");
                assert_eq!(task.await, 5_000_000);
                log.add("awaited");
            });
            log.is(&[
                (0, "job begins"),
                (0, "submitted"),
                (5_000_000, "job ends"),
                (5_000_000, "awaited"),
            ]);
        },
    );
}

#[test]
fn a_pool_of_two_runs_two_and_the_third_when_one_ends() {
    guarded("a pool of two runs two and the third when one ends", || {
        let rt = deterministic(0);
        PoolsConfig::new()
            .blocking(ThreadPool::builder().max_threads(2))
            .install(&rt.handle())
            .unwrap();
        let log = Log::new(&rt);
        rt.block_on(async {
            let tasks = [("a", 5), ("b", 3), ("c", 1)]
                .map(|(name, takes)| run_in_executor(&DefaultExecutor, log.job(name, takes)));
            for task in tasks {
                task.await;
            }
        });
        log.is(&[
            (0, "a begins"),
            (0, "b begins"),
            (3, "b ends"),
            (3, "c begins"),
            (4, "c ends"),
            (5, "a ends"),
        ]);
    });
}

#[test]
fn jobs_end_before_the_timers_of_the_instant_and_in_the_order_of_their_beginning() {
    guarded("jobs end before the timers of the instant and", || {
        let rt = deterministic(0);
        let log = Log::new(&rt);
        rt.block_on(async {
            let late = run_in_executor(&DefaultExecutor, log.job("late", 4));
            let one = run_in_executor(&DefaultExecutor, log.job("one", 3));
            let (timer, job) = (log.clone(), one.task_ref());
            Handle::current().call_later(ms(3), move || {
                // The step that completes the task was queued before this one.
                timer.add(format!("timer; one is done: {}", job.is_finished()));
            });
            let two = spawn_blocking(log.job("two", 3));
            two.await;
            log.add("two awaited");
            one.await;
            late.await;
        });
        log.is(&[
            (0, "late begins"),
            (0, "one begins"),
            (0, "two begins"),
            (3, "one ends"),
            (3, "two ends"),
            (3, "timer; one is done: true"),
            (3, "two awaited"),
            (4, "late ends"),
        ]);
    });
}

#[test]
fn the_end_of_a_job_is_a_step_of_its_own_and_a_sleep_of_zero_waits_for_the_next_cycle() {
    guarded("the end of a job is a step of", || {
        let rt = deterministic(0);
        let log = Log::new(&rt);
        rt.block_on(async {
            let job = run_in_executor(&DefaultExecutor, log.job("job", 0));
            let ticks = log.clone();
            let tick = spawn(async move {
                for n in 1..=3 {
                    ticks.add(format!("tick {n}"));
                    yield_now().await;
                }
            });
            job.await;
            log.add("awaited");
            tick.await;
        });
        log.is(&[
            (0, "job begins"),
            (0, "job ends"),
            (0, "tick 1"),
            (0, "tick 2"),
            (0, "awaited"),
            (0, "tick 3"),
        ]);
    });
}

/// A program with jobs, pools and tasks that meet in many orders.
fn program(seed: u64) -> Vec<(u64, String)> {
    let rt = deterministic(seed);
    let log = Log::new(&rt);
    let pool = ThreadPool::new(2);
    rt.block_on(async {
        let mut tasks = Vec::new();
        for index in 0..8 {
            let (pool, log) = (pool.clone(), log.clone());
            tasks.push(spawn(async move {
                let own = run_in_executor(&pool, log.job(&format!("own {index}"), index % 3));
                let shared = to_thread(log.job(&format!("shared {index}"), 2)).await;
                let sum = shared + own.await + spawn_blocking(move || index).await;
                log.add(format!("task {index}: {sum}"));
            }));
        }
        tasks[3].cancel();
        for task in tasks {
            let _ended = task.outcome().await;
        }
    });
    log.lines()
}

#[test]
fn a_seed_replays_and_seeds_differ() {
    guarded("a seed replays and seeds differ", || {
        let mut orders = std::collections::BTreeSet::new();
        for seed in 0..20 {
            let first = program(seed);
            for _ in 0..3 {
                assert_eq!(program(seed), first, "seed {seed}");
            }
            orders.insert(first);
        }
        assert!(orders.len() > 15, "{} orders of 20 seeds", orders.len());
    });
}

#[test]
fn jobs_begin_in_the_order_of_submission_with_any_seed() {
    guarded(
        "jobs begin in the order of submission with any seed",
        || {
            for seed in 0..10 {
                let rt = deterministic(seed);
                let begun = Arc::new(Mutex::new(Vec::new()));
                let pool = ThreadPool::new(3);
                rt.block_on(async {
                    let tasks: Vec<_> = (0..20)
                        .map(|index| {
                            let begun = Arc::clone(&begun);
                            pool.spawn(move || {
                                begun.lock().push(index);
                                sleep(ms(index % 4));
                            })
                        })
                        .collect();
                    for task in tasks {
                        task.await;
                    }
                });
                assert_eq!(*begun.lock(), (0..20).collect::<Vec<_>>(), "seed {seed}");
            }
        },
    );
}

#[test]
fn a_queued_job_that_is_cancelled_never_runs_and_a_running_one_runs_on() {
    guarded("a queued job that is cancelled never runs and", || {
        let rt = deterministic(0);
        let log = Log::new(&rt);
        let pool = ThreadPool::new(1);
        rt.block_on(async {
            let running = run_in_executor(&pool, log.job("running", 10));
            let queued = run_in_executor(&pool, log.job("queued", 10));
            time::sleep(ms(1)).await;
            assert!(running.cancel() && queued.cancel());
            assert!(running.is_cancelled() && queued.is_cancelled());
            log.add("cancelled");
            run_in_executor(&pool, log.job("next", 5)).await;
        });
        log.is(&[
            (0, "running begins"),
            (1, "cancelled"),
            (10, "running ends"),
            (10, "next begins"),
            (15, "next ends"),
        ]);
    });
}

#[test]
fn the_end_of_the_runtime_waits_for_jobs_in_virtual_time() {
    guarded(
        "the end of the runtime waits for jobs in virtual time",
        || {
            let log = {
                let rt = deterministic(0);
                let log = Log::new(&rt);
                let (main, pool) = (log.clone(), ThreadPool::new(1));
                let runs = rt.run(async move {
                    // A second is far more real time than this test takes, and still within the time that the end has.
                    drop(run_in_executor(&pool, main.job("first", 1000)));
                    let cancelled = run_in_executor(&DefaultExecutor, main.job("cancelled", 5000));
                    drop(run_in_executor(&pool, main.job("second", 1000)));
                    time::sleep(ms(1)).await;
                    cancelled.cancel();
                    7
                });
                assert_eq!(runs.unwrap(), 7);
                log
            };
            log.is(&[
                (0, "first begins"),
                (0, "cancelled begins"),
                (1000, "first ends"),
                (1000, "second begins"),
                (2000, "second ends"),
                (5000, "cancelled ends"),
            ]);
        },
    );
}

#[test]
fn jobs_that_wait_for_each_other_do_not_stand_still() {
    guarded("jobs that wait for each other do not stand still", || {
        for seed in 0..3 {
            let rt = Runtime::builder()
                .deterministic(seed)
                .stall_after(ms(100))
                .build()
                .unwrap();
            let pool = ThreadPool::new(2);
            let (send, receive) = mpsc::channel();
            let text = rt.block_on(async {
                // It keeps its turn until it is found asleep, and the clock from moving until the loop has no patience left.
                let waits = pool.spawn(move || receive.recv_timeout(HANG).unwrap());
                time::sleep(ms(1)).await;
                pool.spawn(move || send.send("from the other").unwrap())
                    .await;
                waits.await
            });
            assert_eq!(text, "from the other");
        }
    });
}

#[test]
fn a_job_that_waits_for_a_task_does_not_stand_still_and_time_does_until_it_ends() {
    guarded("a job that waits for a task does not", || {
        let rt = deterministic(0);
        let log = Log::new(&rt);
        rt.block_on(async {
            let handle = Handle::current();
            let inner = log.clone();
            let job = spawn_blocking(move || {
                let (send, receive) = mpsc::channel();
                drop(handle.spawn(async move { send.send(6 * 7).unwrap() }));
                let answer = receive.recv_timeout(HANG).unwrap();
                inner.add("has the answer");
                sleep(ms(5));
                inner.add("has slept");
                answer
            });
            time::sleep(ms(1)).await;
            log.add("a millisecond later");
            assert_eq!(job.await, 42);
        });
        log.is(&[
            (0, "has the answer"),
            (1, "a millisecond later"),
            (5, "has slept"),
        ]);
    });
}

#[test]
fn a_job_that_computes_keeps_its_turn() {
    guarded("a job that computes keeps its turn", || {
        let rt = deterministic(0);
        let log = Log::new(&rt);
        rt.block_on(async {
            let inner = log.clone();
            let job = spawn_blocking(move || {
                let begin = std::time::Instant::now();
                // Longer than a blocked thread would be waited for.
                while begin.elapsed() < ms(50) {
                    std::hint::spin_loop();
                }
                inner.add("computed");
            });
            log.add("submitted");
            job.await;
        });
        log.is(&[(0, "computed"), (0, "submitted")]);
    });
}

#[test]
fn a_panic_and_a_nested_job_are_as_everywhere() {
    guarded("a panic and a nested job are as everywhere", || {
        for seed in 0..3 {
            let rt = deterministic(seed);
            rt.block_on(async {
                let fails = spawn_blocking(|| {
                    sleep(ms(1));
                    panic!("in virtual time")
                });
                let error = fails.outcome().await.unwrap_err();
                assert_eq!(error.panic_text().unwrap(), "in virtual time");
                let nested = to_thread(|| run_in_executor(&DefaultExecutor, || 7)).await;
                assert_eq!(nested.await, 7);
            });
        }
    });
}

#[test]
fn a_pool_is_shut_down_from_outside_the_loop() {
    guarded("a pool is shut down from outside the loop", || {
        let rt = deterministic(0);
        let log = Log::new(&rt);
        let pool = ThreadPool::new(1);
        rt.block_on(async {
            drop(pool.spawn(log.job("one", 3000)));
            drop(pool.spawn(log.job("two", 3000)));
        });
        assert_eq!(pool.statistics().n_threads, 1);
        // Nobody runs the loop: the closer has time go on.
        pool.shutdown(Queued::Drain, HANG).unwrap();
        log.is(&[
            (0, "one begins"),
            (3000, "one ends"),
            (3000, "two begins"),
            (6000, "two ends"),
        ]);
        assert_eq!(pool.statistics().n_threads, 0);
        rt.block_on(async {
            let error = pool.spawn(|| ()).outcome().await.unwrap_err();
            assert!(error.is_cancelled());
        });
    });
}

#[test]
fn a_job_that_never_ends_is_left_behind_and_named() {
    guarded("a job that never ends is left behind and named", || {
        let (send, receive) = mpsc::channel::<()>();
        let problems = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&problems);
        let rt = Runtime::builder()
            .deterministic(0)
            .exception_handler(move |problem| told.lock().push(problem.to_string()))
            .build()
            .unwrap();
        rt.block_on(async {
            drop(spawn_blocking(move || receive.recv()));
        });
        rt.shutdown_timeout(ms(20));
        let problems = problems.lock().join("\n");
        assert!(
            problems.contains("1 jobs of thread pool 'tasca-cpu' are still running: from")
                && problems.contains("simulated.rs"),
            "{problems}"
        );
        drop(send);
    });
}

#[test]
fn one_pool_serves_runtimes_one_after_another() {
    guarded("one pool serves runtimes one after another", || {
        let pool = ThreadPool::new(1);
        for seed in 0..3 {
            let rt = deterministic(seed);
            let thread = rt.block_on(async {
                let job = pool.spawn(|| {
                    sleep(ms(1000));
                    std::thread::current().name().map(str::to_owned)
                });
                job.await
            });
            assert_eq!(thread.as_deref(), Some("blocking-0"));
        }
        let rt = crate::support::current_thread();
        assert_eq!(rt.block_on(pool.spawn(|| 1)), 1);
    });
}
