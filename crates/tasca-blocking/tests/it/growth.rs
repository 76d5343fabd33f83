//! How many threads there are, and when.

use std::time::Duration;

use tasca_blocking::{ThreadPool, run_in_executor, spawn_blocking, statistics, to_thread};
use tasca_core::spawn;

use crate::support::{Inside, Latch, current_thread, guarded, multi_thread, on_each};

#[test]
fn a_hundred_thousand_jobs_with_a_limit_of_thirty_two() {
    guarded("a hundred thousand jobs with a limit of thirty two", || {
        const N: usize = 100_000;
        let pool = ThreadPool::builder().max_threads(32).build().unwrap();
        let inside = Inside::default();
        multi_thread().block_on(async {
            let tasks: Vec<_> = (0..N)
                .map(|index| {
                    let inside = inside.clone();
                    pool.spawn(move || {
                        let _inside = inside.enter();
                        index * 2
                    })
                })
                .collect();
            assert!(pool.statistics().n_threads <= 32);
            for (index, task) in tasks.into_iter().enumerate() {
                assert_eq!(task.await, index * 2);
            }
        });
        assert!(inside.most() <= 32, "{} at once", inside.most());
        assert!(pool.statistics().n_threads <= 32);
        assert_eq!(pool.statistics().n_queued, 0);
    });
}

#[test]
fn a_bounded_queue_holds_no_more_than_its_bound() {
    guarded("a bounded queue holds no more than its bound", || {
        const N: usize = 20_000;
        let pool = ThreadPool::builder()
            .max_threads(32)
            .queue_bound(100)
            .build()
            .unwrap();
        let main = {
            let pool = pool.clone();
            async move {
                let mut tasks = Vec::new();
                for index in 0..N {
                    tasks.push(pool.submit(move || index).await);
                    assert!(pool.statistics().n_queued <= 100);
                }
                for (index, task) in tasks.into_iter().enumerate() {
                    assert_eq!(task.await, index);
                }
            }
        };
        let rt = multi_thread();
        let main = rt.handle().spawn(main);
        rt.block_on(main);
    });
}

#[test]
fn a_hundred_jobs_that_block_all_run_at_once() {
    on_each(|| async {
        let pool = ThreadPool::new(100);
        let all = Latch::new();
        let tasks: Vec<_> = (0..100)
            .map(|_| {
                let all = all.clone();
                pool.spawn(move || {
                    all.hit();
                    // Only when the last has begun does any of them end.
                    all.wait(100);
                })
            })
            .collect();
        for task in tasks {
            task.await;
        }
        assert_eq!(pool.statistics().n_threads, 100);
    });
}

#[test]
fn jobs_that_block_are_found_out_however_slowly_they_come() {
    on_each(|| async {
        // One after the other, each only when the last has begun, and none ends: nobody submits or takes a job
        // in between, so growth is the watcher's alone.
        let pool = ThreadPool::new(20);
        let (begun, go) = (Latch::new(), Latch::new());
        let tasks: Vec<_> = (0..20)
            .map(|index| {
                let (begin, wait) = (begun.clone(), go.clone());
                let task = pool.spawn(move || {
                    begin.hit();
                    wait.wait(1);
                });
                begun.wait(index + 1);
                task
            })
            .collect();
        go.hit();
        for task in tasks {
            task.await;
        }
    });
}

#[test]
fn trivial_jobs_do_not_bring_hundreds_of_threads() {
    async fn n_threads_for_trivial_jobs() -> usize {
        let tasks: Vec<_> = (0..100_000)
            .map(|index| run_in_executor(&tasca_blocking::DefaultExecutor, move || index))
            .collect();
        for (index, task) in tasks.into_iter().enumerate() {
            assert_eq!(task.await, index);
        }
        statistics().blocking.n_threads
    }
    guarded("trivial jobs do not bring hundreds of threads", || {
        // Threads that get no processor look like jobs that block: the best of a few tries.
        let mut tries = (0..5).map(|_| multi_thread().block_on(n_threads_for_trivial_jobs()));
        assert!(tries.any(|n_threads| n_threads < 64), "always more");
    });
}

#[test]
fn a_pool_of_one_runs_in_the_order_of_submission() {
    on_each(|| async {
        let pool = ThreadPool::new(1);
        let order = Latch::new();
        let tasks: Vec<_> = (1..=1000)
            .map(|index| {
                let order = order.clone();
                pool.spawn(move || assert_eq!(order.hit(), index))
            })
            .collect();
        for task in tasks {
            task.await;
        }
        assert_eq!(pool.statistics().n_threads, 1);
    });
}

#[test]
fn no_thread_is_started_before_it_is_needed() {
    let pool = ThreadPool::new(8);
    assert_eq!(pool.statistics().n_threads, 0);
    assert_eq!(pool.statistics().n_done, 0);
}

#[test]
fn an_idle_thread_ends_after_the_keep_alive_time() {
    guarded("an idle thread ends after the keep alive time", || {
        current_thread().block_on(async {
            let stopped = Latch::new();
            let stop = stopped.clone();
            let pool = ThreadPool::builder()
                .max_threads(3)
                .keep_alive(Duration::from_millis(1))
                .on_thread_stop(move || {
                    stop.hit();
                })
                .build()
                .unwrap();
            assert_eq!(pool.spawn(|| 1).await, 1);
            stopped.wait(1);
            assert_eq!(pool.statistics().n_threads, 0);
            // And another comes when there is work again.
            assert_eq!(pool.spawn(|| 2).await, 2);
            stopped.wait(2);
        });
    });
}

#[test]
fn the_minimum_of_threads_stays() {
    guarded("the minimum of threads stays", || {
        current_thread().block_on(async {
            let stopped = Latch::new();
            let stop = stopped.clone();
            let pool = ThreadPool::builder()
                .min_threads(1)
                .max_threads(3)
                .grow_eagerly()
                .keep_alive(Duration::from_millis(1))
                .on_thread_stop(move || {
                    stop.hit();
                })
                .build()
                .unwrap();
            let meet = Latch::new();
            let tasks: Vec<_> = (0..3)
                .map(|_| {
                    let meet = meet.clone();
                    pool.spawn(move || {
                        meet.hit();
                        meet.wait(3);
                    })
                })
                .collect();
            for task in tasks {
                task.await;
            }
            stopped.wait(2);
            assert_eq!(pool.statistics().n_threads, 1);
        });
    });
}

#[test]
fn threads_have_names_and_stacks_and_hooks() {
    guarded("threads have names and stacks and hooks", || {
        current_thread().block_on(async {
            let (started, stopped) = (Latch::new(), Latch::new());
            let (start, stop) = (started.clone(), stopped.clone());
            let pool = ThreadPool::builder()
                .name("db")
                .max_threads(1)
                .stack_size(64 << 20)
                .on_thread_start(move || {
                    start.hit();
                })
                .on_thread_stop(move || {
                    stop.hit();
                })
                .build()
                .unwrap();
            let name = pool
                .spawn(|| std::thread::current().name().map(str::to_owned))
                .await;
            assert_eq!(name.as_deref(), Some("db-0"));
            // More than a thread has by default.
            let sum = pool.spawn(|| {
                std::hint::black_box([1_u8; 4 << 20])
                    .iter()
                    .map(|byte| u64::from(*byte))
                    .sum::<u64>()
            });
            assert_eq!(sum.await, 4 << 20);
            assert_eq!(started.count(), 1);
            assert_eq!(stopped.count(), 0);
            drop(pool);
            stopped.wait(1);
        });
    });
}

#[test]
fn a_hook_that_panics_does_no_harm() {
    guarded("a hook that panics does no harm", || {
        current_thread().block_on(async {
            let pool = ThreadPool::builder()
                .max_threads(1)
                .on_thread_start(|| panic!("in the hook"))
                .on_thread_stop(|| panic!("in the other"))
                .build()
                .unwrap();
            assert_eq!(pool.spawn(|| 1).await, 1);
            pool.shutdown(tasca_blocking::Queued::Drain, crate::support::HANG)
                .unwrap();
        });
    });
}

#[test]
fn impossible_sizes_are_errors() {
    let check = |builder: tasca_blocking::ThreadPoolBuilder, text: &str| {
        let error = builder.build().unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
        assert_eq!(error.to_string(), text);
    };
    check(
        ThreadPool::builder().max_threads(0),
        "a thread pool needs at least one thread",
    );
    check(
        ThreadPool::builder().max_threads(1 << 20),
        "1048576 threads are too many; the most is 16384",
    );
    check(
        ThreadPool::builder().min_threads(3).max_threads(2),
        "at least 3 and at most 2 threads",
    );
    check(
        ThreadPool::builder().queue_bound(0),
        "a queue needs at least one place",
    );
}

#[test]
fn computations_do_not_hold_up_blocking_calls_nor_the_other_way_round() {
    on_each(|| async {
        let n_cores = std::thread::available_parallelism().unwrap().get();
        let go = Latch::new();
        let hold = |wait: Latch| move || wait.wait(1);
        // The lane for computations is full, and has a queue.
        let held: Vec<_> = (0..n_cores * 10)
            .map(|_| spawn_blocking(hold(go.clone())))
            .collect();
        assert_eq!(to_thread(|| 1).await, 1);
        assert!(statistics().cpu.n_threads <= n_cores);
        go.hit();
        for task in held {
            task.await;
        }
        let go = Latch::new();
        let held: Vec<_> = (0..64)
            .map(|_| spawn(to_thread(hold(go.clone()))))
            .collect();
        for _ in 0..3 {
            tasca_core::yield_now().await;
        }
        assert_eq!(spawn_blocking(|| 2).await, 2);
        go.hit();
        for task in held {
            task.await;
        }
    });
}

#[test]
fn a_pool_that_cannot_start_its_first_thread_fails_its_jobs() {
    on_each(|| async {
        // No machine has the addresses for such a stack.
        let pool = ThreadPool::builder()
            .name("big")
            .stack_size(1 << 60)
            .build()
            .unwrap();
        for _ in 0..3 {
            let error = pool.spawn(|| ()).outcome().await.unwrap_err();
            let text = error.panic_text().unwrap();
            assert!(
                text.starts_with("thread pool 'big' has no thread, and none can be started: "),
                "{text}"
            );
        }
        assert_eq!(pool.statistics().n_threads, 0);
        pool.shutdown(tasca_blocking::Queued::Drain, crate::support::HANG)
            .unwrap();
    });
}
