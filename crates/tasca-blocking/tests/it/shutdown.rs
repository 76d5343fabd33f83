//! The end of a pool.

use std::time::Duration;

use tasca_blocking::{Queued, ThreadPool, to_thread};

use crate::support::{HANG, Latch, current_thread, guarded, on_each};

/// A pool with one job under way, and so many behind it.
struct Busy {
    pool: ThreadPool,
    go: Latch,
    ran: Latch,
    line: u32,
    tasks: Vec<tasca_core::Task<()>>,
}

fn busy(n_queued: usize) -> Busy {
    let (started, go, ran) = (Latch::new(), Latch::new(), Latch::new());
    let pool = ThreadPool::builder()
        .name("p")
        .max_threads(1)
        .build()
        .unwrap();
    let (start, wait) = (started.clone(), go.clone());
    let mut tasks = Vec::new();
    let line = line!() + 1;
    tasks.push(pool.spawn(move || {
        start.hit();
        wait.wait(1);
    }));
    for _ in 0..n_queued {
        let ran = ran.clone();
        tasks.push(pool.spawn(move || {
            ran.hit();
        }));
    }
    started.wait(1);
    Busy {
        pool,
        go,
        ran,
        line,
        tasks,
    }
}

#[test]
fn drain_runs_what_is_queued() {
    on_each(|| async {
        let Busy {
            pool,
            go,
            ran,
            tasks,
            ..
        } = busy(10);
        go.hit();
        pool.shutdown(Queued::Drain, HANG).unwrap();
        assert_eq!(ran.count(), 10);
        assert_eq!(pool.statistics().n_threads, 0);
        for task in tasks {
            task.await;
        }
    });
}

#[test]
fn cancel_cancels_what_is_queued_and_waits_for_what_runs() {
    guarded(
        "cancel cancels what is queued and waits for what runs",
        || {
            current_thread().block_on(async {
                let Busy {
                    pool,
                    go,
                    ran,
                    tasks,
                    ..
                } = busy(10);
                let closing = pool.clone();
                let closed = std::thread::spawn(move || closing.shutdown(Queued::Cancel, HANG));
                for task in &tasks[1..] {
                    let () = task.finished().await;
                    assert!(task.is_cancelled());
                }
                assert!(!tasks[0].is_finished());
                go.hit();
                closed.join().unwrap().unwrap();
                assert!(tasks[0].is_finished() && !tasks[0].is_cancelled());
                assert_eq!(ran.count(), 0);
            });
        },
    );
}

#[test]
fn what_outlasts_the_deadline_is_named_and_left() {
    guarded("what outlasts the deadline is named and left", || {
        current_thread().block_on(async {
            let Busy {
                pool,
                go,
                ran,
                line,
                mut tasks,
            } = busy(2);
            let left = pool
                .shutdown(Queued::Drain, Duration::from_millis(1))
                .unwrap_err();
            assert_eq!(left.running().len(), 1);
            assert_eq!(left.running()[0].line(), line);
            assert_eq!(left.n_cancelled(), 2);
            let text = left.to_string();
            assert!(
                text.starts_with("1 jobs of thread pool 'p' are still running: from "),
                "{text}"
            );
            assert!(text.contains(&format!("shutdown.rs:{line}:")), "{text}");
            assert!(text.ends_with("; 2 were cancelled in the queue"), "{text}");
            let error = tasks.pop().unwrap().outcome().await.unwrap_err();
            assert_eq!(
                error.cancel_message(),
                Some("thread pool 'p' has shut down")
            );
            // It ends all the same, and is told to its waiter.
            go.hit();
            tasks.swap_remove(0).await;
            assert_eq!(ran.count(), 0);
            pool.shutdown(Queued::Drain, HANG).unwrap();
        });
    });
}

#[test]
fn a_pool_that_has_shut_down_takes_nothing() {
    on_each(|| async {
        let pool = ThreadPool::builder().name("p").build().unwrap();
        pool.shutdown(Queued::Drain, HANG).unwrap();
        pool.shutdown(Queued::Drain, HANG).unwrap();
        let error = pool.spawn(|| 1).outcome().await.unwrap_err();
        assert_eq!(
            error.cancel_message(),
            Some("submitted to thread pool 'p', which has shut down")
        );
    });
}

#[test]
fn the_last_handle_ends_the_pool_after_what_is_queued() {
    on_each(|| async {
        let Busy {
            pool,
            go,
            ran,
            tasks,
            ..
        } = busy(5);
        drop(pool.clone());
        drop(pool);
        go.hit();
        for task in tasks {
            task.await;
        }
        assert_eq!(ran.count(), 5);
    });
}

#[test]
fn a_pool_may_be_dropped_and_shut_down_in_its_own_job() {
    on_each(|| async {
        let pool = ThreadPool::new(1);
        let inside = pool.clone();
        let task = pool.spawn(move || {
            let left = inside.shutdown(Queued::Drain, Duration::ZERO).unwrap_err();
            drop(inside);
            left.running().len()
        });
        drop(pool);
        assert_eq!(task.await, 1);
    });
}

#[test]
fn a_shutdown_can_be_awaited() {
    on_each(|| async {
        let pool = ThreadPool::new(2);
        assert_eq!(pool.spawn(|| 1).await, 1);
        to_thread(move || pool.shutdown(Queued::Drain, HANG))
            .await
            .unwrap();
    });
}

#[test]
fn submissions_racing_with_the_end_run_or_are_cancelled() {
    guarded(
        "submissions racing with the end run or are cancelled",
        || {
            let rt = current_thread();
            for _ in 0..200 {
                let pool = ThreadPool::new(2);
                let ran = Latch::new();
                let submitter = {
                    let (pool, ran) = (pool.clone(), ran.clone());
                    std::thread::spawn(move || {
                        (0..20)
                            .map(|_| {
                                let ran = ran.clone();
                                pool.spawn(move || {
                                    ran.hit();
                                })
                            })
                            .collect::<Vec<_>>()
                    })
                };
                pool.shutdown(Queued::Drain, HANG).unwrap();
                let mut n_ran = 0;
                for task in submitter.join().unwrap() {
                    match rt.block_on(task.outcome()) {
                        Ok(()) => n_ran += 1,
                        Err(error) => assert!(error.is_cancelled()),
                    }
                }
                assert_eq!(ran.count(), n_ran);
            }
        },
    );
}
