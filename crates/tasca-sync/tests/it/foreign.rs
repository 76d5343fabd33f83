//! Outside tasks, inside futures with wakers of their own, and beside other leaves of one task.

use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use futures::executor::block_on;
use futures::stream::{FuturesUnordered, StreamExt};
use tasca_core::{catch_cancelled, spawn, yield_now};
use tasca_sync::{Barrier, Condition, Event, Lock, Queue, RwLock, Semaphore};

use crate::guard::guarded;
use crate::{cycles, everywhere, exactly, poll_once};

#[test]
fn everything_works_without_a_runtime() {
    guarded("everything works without a runtime", || {
        let lock = Arc::new((
            Lock::new(0),
            Condition::new(),
            Event::new(),
            Queue::bounded(1),
        ));
        let other = std::thread::spawn({
            let lock = Arc::clone(&lock);
            move || {
                block_on(async {
                    let (lock, changed, event, queue) = &*lock;
                    event.wait().await;
                    for n in 0..100 {
                        queue.put(n).await.expect("open");
                    }
                    queue.shutdown();
                    let mut guard = lock.lock().await;
                    *guard = 1;
                    changed.notify_all(&guard);
                });
            }
        });
        let sum = block_on(async {
            let (lock, changed, event, queue) = &*lock;
            let mut guard = lock.lock().await;
            event.set();
            let mut sum = 0;
            while let Ok(n) = queue.get().await {
                sum += n;
            }
            changed.wait_for(&mut guard, |n| *n == 1).await;
            assert_eq!(Barrier::new(1).wait().await, Ok(0));
            Semaphore::new(1).acquire().await.forget();
            *RwLock::new(0).write().await += 1;
            sum
        });
        assert_eq!(sum, 4950);
        other.join().expect("no panic");
    });
}

#[test]
fn a_set_of_futures_with_wakers_of_its_own_waits_in_line() {
    everywhere(|| async {
        let semaphore = Semaphore::new(1);
        let mut all: FuturesUnordered<_> = (0..10)
            .map(|n| {
                let semaphore = &semaphore;
                async move {
                    let _permit = semaphore.acquire().await;
                    yield_now().await;
                    n
                }
            })
            .collect();
        let mut order = Vec::new();
        while let Some(n) = all.next().await {
            order.push(n);
        }
        assert_eq!(order, (0..10).collect::<Vec<_>>());
    });
}

/// Polls both, the first one first, until both are ready.
async fn both<A: Future, B: Future>(a: A, b: B) {
    let (mut a, mut b) = (pin!(a), pin!(b));
    let (mut a_done, mut b_done) = (false, false);
    std::future::poll_fn(|cx| {
        a_done = a_done || a.as_mut().poll(cx).is_ready();
        b_done = b_done || b.as_mut().poll(cx).is_ready();
        if a_done && b_done {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}

#[test]
fn a_waiter_that_was_passed_over_and_not_cancelled_after_all_starts_anew() {
    // The task waits in two places. Its request is taken in the first, after the second was passed over.
    exactly(|trace| async move {
        let shared = Arc::new((
            Lock::new(()),
            Semaphore::new(0),
            Queue::<()>::unbounded(),
            RwLock::new(()),
            Condition::new(),
        ));
        let guard = shared.0.lock().await;
        let write = shared.3.write().await;
        let spawn = |name, which: usize| {
            let (shared, trace) = (Arc::clone(&shared), trace.clone());
            spawn(async move {
                let second = async {
                    match which {
                        0 => drop(shared.0.lock().await),
                        1 => shared.1.acquire().await.forget(),
                        2 => drop(shared.2.get().await),
                        3 => drop(shared.3.read().await),
                        _ => unreachable!(),
                    }
                    trace.log(name);
                };
                let first = async {
                    let body = catch_cancelled(std::future::pending::<()>()).await;
                    assert!(body.is_err());
                };
                both(first, second).await;
            })
        };
        let tasks = [
            spawn("lock", 0),
            spawn("semaphore", 1),
            spawn("queue", 2),
            spawn("rw", 3),
        ];
        cycles(2).await;
        tasks.iter().for_each(|task| assert!(task.cancel()));
        drop(guard);
        shared.1.release();
        shared.2.put_nowait(()).expect("room");
        drop(write);
        for task in tasks {
            task.await;
        }
        assert_eq!(trace.take().len(), 4);
        assert!(shared.0.try_lock().is_some());
        assert!(shared.3.try_write().is_some());
        assert_eq!(shared.1.available_permits(), 0);
    });
}

#[test]
fn a_future_may_move_to_another_task_while_it_waits() {
    everywhere(|| async {
        let event = Arc::new(Event::new());
        let mut waiting = Box::pin({
            let event = Arc::clone(&event);
            async move { event.wait().await }
        });
        assert!(poll_once(waiting.as_mut()).await.is_none());
        let task = spawn(waiting);
        yield_now().await;
        event.set();
        task.await;
    });
}
