//! Cancelling jobs: those that wait never run, those that run are left alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tasca_blocking::{ThreadPool, check_cancelled, is_cancelled, spawn_blocking, to_thread};
use tasca_core::{Task, catch_cancelled, spawn, yield_now};

use crate::support::{Latch, current_thread, guarded, multi_thread, on_each};

/// A pool whose one thread is busy until the latch is hit.
fn busy_pool() -> (ThreadPool, Latch, Task<()>) {
    let (started, go) = (Latch::new(), Latch::new());
    let (start, wait) = (started.clone(), go.clone());
    let pool = ThreadPool::new(1);
    let task = pool.spawn(move || {
        start.hit();
        wait.wait(1);
    });
    started.wait(1);
    (pool, go, task)
}

#[test]
fn a_queued_job_never_runs_and_its_closure_is_dropped_at_once() {
    on_each(|| async {
        let (pool, go, _busy) = busy_pool();
        let captured = Arc::new(());
        let ran = Latch::new();
        let (kept, hit) = (captured.clone(), ran.clone());
        let task = pool.spawn(move || {
            drop(kept);
            hit.hit();
        });
        assert_eq!(Arc::strong_count(&captured), 2);
        assert!(task.cancel_with("not needed"));
        assert_eq!(Arc::strong_count(&captured), 1);
        assert!(task.is_cancelled());
        assert!(!task.cancel(), "it is done");
        let error = task.outcome().await.unwrap_err();
        assert_eq!(error.cancel_message(), Some("not needed"));
        go.hit();
        assert_eq!(pool.spawn(|| 1).await, 1);
        assert_eq!(ran.count(), 0);
    });
}

#[test]
fn a_running_job_runs_on_and_can_see_it_while_its_waiter_goes_on_at_once() {
    on_each(|| async {
        let (started, cancelled, ended) = (Latch::new(), Latch::new(), Latch::new());
        let (start, wait, end) = (started.clone(), cancelled.clone(), ended.clone());
        let task = spawn_blocking(move || {
            assert!(!is_cancelled());
            check_cancelled().unwrap();
            start.hit();
            wait.wait(1);
            assert!(is_cancelled());
            let error = check_cancelled().unwrap_err();
            assert_eq!(error.message(), Some("enough"));
            assert_eq!(error.to_string(), "the job was cancelled: enough");
            end.hit();
        });
        started.wait(1);
        assert!(task.cancel_with("enough"));
        // The job still waits for this thread.
        assert!(task.outcome().await.unwrap_err().is_cancelled());
        assert_eq!(ended.count(), 0);
        cancelled.hit();
        ended.wait(1);
    });
}

#[test]
fn the_outcome_of_a_cancelled_job_is_dropped() {
    on_each(|| async {
        let (started, go) = (Latch::new(), Latch::new());
        let value = Arc::new(());
        let pool = ThreadPool::new(1);
        let (start, wait, kept) = (started.clone(), go.clone(), value.clone());
        let task = pool.spawn(move || {
            start.hit();
            wait.wait(1);
            kept
        });
        started.wait(1);
        task.cancel();
        go.hit();
        pool.spawn(|| ()).await;
        assert_eq!(Arc::strong_count(&value), 1);
    });
}

#[test]
fn a_cancel_of_the_waiting_task_is_passed_on_to_the_job() {
    on_each(|| async {
        let (started, go) = (Latch::new(), Latch::new());
        let (start, wait) = (started.clone(), go.clone());
        let waiter = spawn(to_thread(move || {
            start.hit();
            wait.wait(1);
            assert!(is_cancelled());
        }));
        while started.count() == 0 {
            yield_now().await;
        }
        waiter.cancel_with("stop");
        let error = waiter.outcome().await.unwrap_err();
        assert_eq!(error.cancel_message(), Some("stop"));
        go.hit();
    });
}

#[test]
fn a_waiter_can_catch_its_cancellation_at_a_to_thread() {
    on_each(|| async {
        let (started, go) = (Latch::new(), Latch::new());
        let (start, wait) = (started.clone(), go.clone());
        let waiter = spawn(async move {
            let caught = catch_cancelled(to_thread(move || {
                start.hit();
                wait.wait(1);
            }))
            .await;
            caught.is_err()
        });
        while started.count() == 0 {
            yield_now().await;
        }
        waiter.cancel();
        assert!(waiter.await);
        go.hit();
    });
}

#[test]
fn a_dropped_to_thread_cancels_its_job() {
    on_each(|| async {
        let (started, go, seen) = (Latch::new(), Latch::new(), Latch::new());
        let (start, wait, see) = (started.clone(), go.clone(), seen.clone());
        let mut future = to_thread(move || {
            start.hit();
            wait.wait(1);
            if is_cancelled() {
                see.hit();
            }
        });
        assert!(futures::poll!(&mut future).is_pending());
        started.wait(1);
        drop(future);
        go.hit();
        seen.wait(1);
    });
}

#[test]
fn a_detached_task_does_not_cancel_its_job() {
    on_each(|| async {
        let ended = Latch::new();
        let end = ended.clone();
        drop(spawn_blocking(move || {
            assert!(!is_cancelled());
            end.hit();
        }));
        ended.wait(1);
    });
}

#[test]
fn outside_a_job_nothing_is_cancelled() {
    assert!(!is_cancelled());
    check_cancelled().unwrap();
    current_thread().block_on(async { assert!(!is_cancelled()) });
}

#[test]
fn ten_thousand_jobs_cancelled_at_random_each_ran_wholly_or_never_started() {
    guarded(
        "ten thousand jobs cancelled at random each ran wholly",
        || {
            const N: usize = if cfg!(miri) { 100 } else { 10_000 };
            const UNTOUCHED: u32 = 0;
            const BEGUN: u32 = 1;
            const ENDED: u32 = 2;
            let rt = multi_thread();
            for seed in 1..=3_u64 {
                let pool = ThreadPool::new(4);
                let marks: Arc<Vec<AtomicU32>> =
                    Arc::new((0..N).map(|_| AtomicU32::new(UNTOUCHED)).collect());
                let n_dropped = Arc::new(());
                let mut tasks = Vec::new();
                for index in 0..N {
                    let (marks, kept) = (marks.clone(), n_dropped.clone());
                    tasks.push(pool.spawn(move || {
                        assert_eq!(
                            marks[index].swap(BEGUN, Ordering::Relaxed),
                            UNTOUCHED,
                            "runs twice"
                        );
                        std::hint::black_box(&kept);
                        assert_eq!(marks[index].swap(ENDED, Ordering::Relaxed), BEGUN);
                        index
                    }));
                }
                // Two threads cancel, while the pool runs and this one waits.
                let shadows: Vec<_> = tasks.iter().map(Task::task_ref).collect();
                let cancellers: Vec<_> = (0..2)
                    .map(|which| {
                        let shadows = shadows.clone();
                        std::thread::spawn(move || {
                            let mut random = seed * 2 + which + 0x9e37_79b9_7f4a_7c15;
                            let mut n_cancelled = 0;
                            for _ in 0..N {
                                random ^= random << 13;
                                random ^= random >> 7;
                                random ^= random << 17;
                                n_cancelled += usize::from(shadows[random as usize % N].cancel());
                            }
                            n_cancelled
                        })
                    })
                    .collect();
                let n_cancelled: usize = cancellers
                    .into_iter()
                    .map(|thread| thread.join().unwrap())
                    .sum();
                let mut n_seen_cancelled = 0;
                rt.block_on(async {
                    for (index, task) in tasks.into_iter().enumerate() {
                        match task.outcome().await {
                            Ok(value) => {
                                assert_eq!(value, index);
                                assert_eq!(
                                    marks[index].load(Ordering::Relaxed),
                                    ENDED,
                                    "seed {seed}"
                                );
                            }
                            Err(error) => {
                                assert!(error.is_cancelled());
                                n_seen_cancelled += 1;
                            }
                        }
                    }
                });
                assert!(
                    n_cancelled >= n_seen_cancelled,
                    "every end as cancelled was asked for"
                );
                pool.shutdown(tasca_blocking::Queued::Drain, crate::support::HANG)
                    .unwrap();
                // Nothing runs any more: no mark is in between, and every closure is gone.
                for mark in marks.iter() {
                    assert_ne!(mark.load(Ordering::Relaxed), BEGUN, "seed {seed}");
                }
                assert_eq!(Arc::strong_count(&n_dropped), 1);
            }
        },
    );
}

#[test]
fn a_cancelled_job_makes_room_in_a_bounded_queue() {
    on_each(|| async {
        let (started, go) = (Latch::new(), Latch::new());
        let (start, wait) = (started.clone(), go.clone());
        let pool = ThreadPool::builder()
            .max_threads(1)
            .queue_bound(1)
            .build()
            .unwrap();
        let _busy = pool.spawn(move || {
            start.hit();
            wait.wait(1);
        });
        started.wait(1);
        let queued = pool.spawn(|| 1);
        assert!(pool.try_spawn(|| 2).is_err());
        let waiting = {
            let pool = pool.clone();
            spawn(async move { pool.submit(|| 3).await.await })
        };
        yield_now().await;
        assert!(!waiting.is_finished());
        queued.cancel();
        go.hit();
        assert_eq!(waiting.await, 3);
    });
}

#[test]
fn husks_do_not_pile_up_while_the_pool_is_stuck() {
    on_each(|| async {
        let (pool, go, _busy) = busy_pool();
        for _ in 0..50_000 {
            pool.spawn(|| ()).cancel();
        }
        let n_queued = pool.statistics().n_queued;
        assert!(n_queued <= 4096, "{n_queued} husks");
        go.hit();
        assert_eq!(pool.spawn(|| 1).await, 1);
    });
}
