//! Locks and semaphores: who is let in, what is seen there, and what becomes of what was given to somebody who is gone.

use std::pin::pin;

use loom::future::block_on;
use loom::sync::Arc;
use loom::thread;

use super::sync_rooms::lock::Lock;
use super::sync_rooms::permits::Permits;
use super::sync_rooms::poll_once;
use super::sync_rooms::rw_lock::RwLock;
use crate::explore::{three_threads, two_busy_threads, two_threads};
use crate::runners::{Common, Runners};

/// Two threads take a lock in turn, and each sees what the other did. Catches a release or an acquire that orders nothing, a waiter
/// that joins the line without having said so, and a release that does not look at the line.
#[test]
fn a_lock_is_held_by_one_at_a_time() {
    two_threads(|| {
        let lock = Arc::new(Lock::new(0));
        let other = thread::spawn({
            let lock = Arc::clone(&lock);
            move || block_on(async { *lock.lock().await += 1 })
        });
        block_on(async { *lock.lock().await += 1 });
        other.join().expect("no panic");
        assert_eq!(*lock.try_lock().expect("free, with nobody in line"), 2);
    });
}

/// A waiter that is dropped at any moment, woken or not, does not keep the next one waiting. Catches a waiter that leaves and
/// wakes nobody.
#[test]
fn a_waiter_that_is_dropped_passes_the_lock_on() {
    three_threads(|| {
        let lock = Arc::new(Lock::new(()));
        let guard = lock.try_lock().expect("free");
        let dropped = thread::spawn({
            let lock = Arc::clone(&lock);
            move || {
                let mut wait = pin!(lock.lock());
                let _taken = poll_once(wait.as_mut());
            }
        });
        let waits = thread::spawn({
            let lock = Arc::clone(&lock);
            move || drop(block_on(lock.lock()))
        });
        drop(guard);
        dropped.join().expect("no panic");
        waits.join().expect("no panic");
        assert!(lock.try_lock().is_some());
    });
}

/// A future that waits in line is polled by somebody else, while the lock is released. Catches a waker that is not replaced, or
/// replaced in a place that has been woken.
#[test]
fn a_waiter_may_be_polled_by_another_thread() {
    two_threads(|| {
        let lock = std::sync::Arc::new(Lock::new(()));
        let guard = lock.try_lock().expect("free");
        let mut wait = Box::pin(std::sync::Arc::clone(&lock).lock_owned());
        assert!(poll_once(wait.as_mut()).is_pending());
        let other = thread::spawn(move || drop(block_on(wait)));
        drop(guard);
        other.join().expect("no panic");
        assert!(lock.try_lock().is_some());
    });
}

/// One permit, two takers, one of whom gives up at any moment. Catches a permit that goes away with the waiter it was handed
/// to, and one that is handed over and stays in the counter.
#[test]
fn permits_are_conserved() {
    three_threads(|| {
        let permits = Arc::new(Permits::new(1));
        let dropped = thread::spawn({
            let permits = Arc::clone(&permits);
            move || {
                if poll_once(pin!(permits.acquire())).is_ready() {
                    permits.release(1);
                }
            }
        });
        let waits = thread::spawn({
            let permits = Arc::clone(&permits);
            move || {
                block_on(permits.acquire());
                assert!(permits.release(1), "it was out");
            }
        });
        block_on(permits.acquire());
        assert!(permits.release(1), "it was out");
        dropped.join().expect("no panic");
        waits.join().expect("no panic");
        assert_eq!(permits.available(), 1);
        assert!(!permits.is_locked());
    });
}

/// Who takes a permit sees what was done before it was released. Catches a release or an acquire that orders nothing.
#[test]
fn a_permit_carries_what_was_done_before() {
    two_threads(|| {
        let (permits, data) = (Arc::new(Permits::new(1)), Common::new());
        let take_turn = |permits: &Permits, data: &Common| {
            block_on(permits.acquire());
            data.touch();
            permits.release(1);
        };
        let other = thread::spawn({
            let (permits, data) = (Arc::clone(&permits), data.clone());
            move || take_turn(&permits, &data)
        });
        take_turn(&permits, &data);
        other.join().expect("no panic");
    });
}

/// The same where it is released beside somebody in line, who leaves, and taken without a look at the line. Catches Relaxed in
/// `release_slow`.
#[test]
fn a_permit_carries_it_past_somebody_who_left_the_line() {
    three_threads(|| {
        let (permits, data) = (Arc::new(Permits::new(1)), Common::new());
        block_on(permits.acquire());
        let leaver = thread::spawn({
            let permits = Arc::clone(&permits);
            move || {
                if poll_once(pin!(permits.acquire())).is_ready() {
                    permits.release(1);
                }
            }
        });
        let taker = thread::spawn({
            let (permits, data) = (Arc::clone(&permits), data.clone());
            move || {
                if permits.try_acquire() {
                    data.touch();
                }
            }
        });
        data.touch();
        permits.release(1);
        leaver.join().expect("no panic");
        taker.join().expect("no panic");
    });
}

/// The same for a lock. Catches Relaxed in its `release_slow`.
#[test]
fn a_lock_carries_it_past_somebody_who_left_the_line() {
    three_threads(|| {
        let lock = Arc::new(Lock::new(0));
        let mut guard = lock.try_lock().expect("free");
        let leaver = thread::spawn({
            let lock = Arc::clone(&lock);
            move || {
                let mut wait = pin!(lock.lock());
                let _taken = poll_once(wait.as_mut());
            }
        });
        let taker = thread::spawn({
            let lock = Arc::clone(&lock);
            move || {
                if let Some(mut guard) = lock.try_lock() {
                    *guard += 1;
                }
            }
        });
        *guard += 1;
        drop(guard);
        leaver.join().expect("no panic");
        taker.join().expect("no panic");
    });
}

/// Two readers that are there, and a writer that comes: it is alone, and after them. Catches a release of a reader that
/// does not come to the writer, and a writer that is let in beside a reader.
#[test]
fn a_writer_is_alone_and_comes_after_the_readers() {
    three_threads(|| {
        let lock = Arc::new(RwLock::new(1));
        let readers = [(); 2].map(|()| {
            let lock = Arc::clone(&lock);
            thread::spawn(move || block_on(async { *lock.read().await }))
        });
        block_on(async { *lock.write().await += 1 });
        for reader in readers {
            assert!([1, 2].contains(&reader.join().expect("no panic")));
        }
        assert_eq!(*lock.try_write().expect("free"), 2);
    });
}

/// A writer in line gives up at any moment: the reader behind it gets in. Catches a writer that leaves and lets nobody go,
/// or takes with it what it had been given.
#[test]
fn a_writer_that_is_dropped_lets_the_reader_behind_it_go() {
    three_threads(|| {
        let lock = Arc::new(RwLock::new(1));
        let guard = lock.try_read().expect("free");
        let writer = thread::spawn({
            let lock = Arc::clone(&lock);
            move || {
                let mut wait = pin!(lock.write());
                let _taken = poll_once(wait.as_mut());
            }
        });
        let reader = thread::spawn({
            let lock = Arc::clone(&lock);
            move || block_on(async { *lock.read().await })
        });
        drop(guard);
        writer.join().expect("no panic");
        assert_eq!(reader.join().expect("no panic"), 1);
        assert!(lock.try_write().is_some());
    });
}

/// A task in line for writing is cancelled while the lock is handed on: it is let in or passed over, and the reader behind it
/// is not forgotten. Catches a hand-over that asks twice whether a task was cancelled.
#[test]
fn a_lock_is_handed_on_past_a_task_that_is_cancelled() {
    two_busy_threads(|| {
        let runners = Runners::new();
        let lock = std::sync::Arc::new(RwLock::new(1));
        let guard = lock.try_read().expect("free");
        let writer = runners.spawn({
            let lock = std::sync::Arc::clone(&lock);
            async move { drop(lock.write().await) }
        });
        let reader = runners.spawn({
            let lock = std::sync::Arc::clone(&lock);
            async move { *lock.read().await }
        });
        runners.run_queued();
        let shadow = writer.task_ref();
        let canceller = thread::spawn({
            let runners = runners.clone();
            move || {
                shadow.cancel();
                runners.run();
            }
        });
        drop(guard);
        runners.run();
        canceller.join().expect("no panic");
        assert_eq!(reader.result().ok(), Some(&1));
        assert!(lock.try_write().is_some(), "held by nobody");
    });
}
