//! Limiters and bounded queues.

use tasca_blocking::{Limiter, ThreadPool, to_thread};
use tasca_core::{spawn, yield_now};

use crate::support::{Inside, Latch, current_thread, guarded, multi_thread, on_each};

#[test]
fn a_limiter_lets_so_many_pass() {
    on_each(|| async {
        let limiter = Limiter::new(2);
        let one = limiter.acquire().await;
        let two = limiter.try_acquire().unwrap();
        assert!(limiter.try_acquire().is_none());
        assert_eq!((limiter.available(), limiter.total()), (0, 2));
        drop(one);
        assert_eq!(limiter.available(), 1);
        drop(two);
        assert_eq!(limiter.available(), 2);
    });
}

#[test]
fn those_who_wait_are_let_in_in_order() {
    on_each(|| async {
        let limiter = Limiter::new(1);
        let first = limiter.acquire().await;
        let order = Latch::new();
        let mut tasks = Vec::new();
        for index in 1..=5 {
            let (mine, order) = (limiter.clone(), order.clone());
            tasks.push(spawn(async move {
                let _permit = mine.acquire().await;
                assert_eq!(order.hit(), index);
            }));
            while limiter.waiting() < index {
                yield_now().await;
            }
        }
        drop(first);
        for task in tasks {
            task.await;
        }
        assert_eq!(limiter.available(), 1);
    });
}

#[test]
fn who_is_cancelled_or_dropped_while_waiting_loses_no_permit() {
    on_each(|| async {
        let limiter = Limiter::new(1);
        let first = limiter.acquire().await;
        let waits = |limiter: &Limiter| {
            let limiter = limiter.clone();
            spawn(async move { drop(limiter.acquire().await) })
        };
        let (cancelled, last) = (waits(&limiter), waits(&limiter));
        let mut dropped = limiter.acquire();
        while limiter.waiting() < 2 {
            yield_now().await;
        }
        assert!(futures::poll!(&mut dropped).is_pending());
        assert_eq!(limiter.waiting(), 3);
        cancelled.cancel();
        assert!(cancelled.outcome().await.unwrap_err().is_cancelled());
        drop(dropped);
        assert_eq!(limiter.waiting(), 1);
        drop(first);
        last.await;
        assert_eq!(limiter.available(), 1);
    });
}

#[test]
fn a_permit_that_came_too_late_goes_on() {
    on_each(|| async {
        let limiter = Limiter::new(1);
        let first = limiter.acquire().await;
        let mut late = limiter.acquire();
        assert!(futures::poll!(&mut late).is_pending());
        drop(first);
        // It has the permit, and is dropped without having looked.
        drop(late);
        assert_eq!(limiter.available(), 1);
    });
}

#[test]
fn a_limiter_over_to_thread_holds() {
    guarded("a limiter over to thread holds", || {
        multi_thread().block_on(async {
            let limiter = Limiter::new(3);
            let inside = Inside::default();
            let tasks: Vec<_> = (0..1000)
                .map(|index| {
                    let inside = inside.clone();
                    let job = to_thread(move || {
                        let _inside = inside.enter();
                        std::thread::yield_now();
                        index
                    });
                    spawn(job.limiter(&limiter))
                })
                .collect();
            for (index, task) in tasks.into_iter().enumerate() {
                assert_eq!(task.await, index);
            }
            assert!(inside.most() <= 3);
            assert_eq!(limiter.available(), 3);
        });
    });
}

#[test]
fn a_job_that_panics_or_is_cancelled_gives_its_permit_back() {
    on_each(|| async {
        let limiter = Limiter::new(1);
        let job = spawn(to_thread(|| panic!("oh")).limiter(&limiter));
        assert!(job.outcome().await.is_err());
        assert_eq!(limiter.available(), 1);

        let (started, go) = (Latch::new(), Latch::new());
        let (start, wait) = (started.clone(), go.clone());
        let job = to_thread(move || {
            start.hit();
            wait.wait(1);
        });
        let job = spawn(job.limiter(&limiter));
        while started.count() == 0 {
            yield_now().await;
        }
        job.cancel();
        assert!(job.outcome().await.is_err());
        // The thread is still at it, and counts.
        assert_eq!(limiter.available(), 0);
        go.hit();
        drop(limiter.acquire().await);
    });
}

#[test]
#[should_panic(expected = "a limiter of zero")]
fn a_limiter_of_zero_is_a_mistake() {
    let _limiter = Limiter::new(0);
}

#[test]
fn a_full_queue_refuses_or_lets_wait_as_the_caller_chooses() {
    guarded(
        "a full queue refuses or lets wait as the caller chooses",
        || {
            current_thread().block_on(async {
                let (started, go) = (Latch::new(), Latch::new());
                let (start, wait) = (started.clone(), go.clone());
                let pool = ThreadPool::builder()
                    .name("small")
                    .max_threads(1)
                    .queue_bound(2)
                    .build()
                    .unwrap();
                let busy = pool.spawn(move || {
                    start.hit();
                    wait.wait(1);
                });
                started.wait(1);
                let queued = (pool.try_spawn(|| 1).unwrap(), pool.spawn(|| 2));
                let refused = pool.try_spawn(|| 3).unwrap_err();
                assert_eq!(refused.to_string(), "the thread pool's queue is full");
                let failed = pool.spawn(|| 4).outcome().await.unwrap_err();
                assert_eq!(
                    failed.panic_text(),
                    Some("the queue of thread pool 'small' is full")
                );
                let mut waiting = std::pin::pin!(pool.submit(|| 5));
                assert!(futures::poll!(&mut waiting).is_pending());
                go.hit();
                assert_eq!(waiting.await.await, 5);
                busy.await;
                assert_eq!((queued.0.await, queued.1.await), (1, 2));
            });
        },
    );
}
