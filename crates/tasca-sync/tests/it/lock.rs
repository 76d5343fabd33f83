//! Rules L1 to L9.

use std::pin::pin;
use std::sync::Arc;

use tasca_core::spawn;
use tasca_sync::Lock;

use crate::{cycles, ended, everywhere, exactly, poll_once};

#[test]
fn l1_a_free_lock_is_taken_without_suspending() {
    everywhere(|| async {
        let lock = Lock::new(1);
        let guard = poll_once(pin!(lock.lock())).await.expect("free");
        assert_eq!(*guard, 1);
        assert!(lock.is_locked());
        assert!(lock.try_lock().is_none());
        assert!(poll_once(pin!(lock.lock())).await.is_none());
        drop(guard);
        assert!(!lock.is_locked());
        assert!(lock.try_lock().is_some());
    });
}

#[test]
fn l2_waiters_get_the_lock_in_the_order_of_waiting() {
    everywhere(|| async {
        let lock = Lock::new(());
        let guard = lock.lock().await;
        let (mut a, mut b, mut c) = (pin!(lock.lock()), pin!(lock.lock()), pin!(lock.lock()));
        for waiter in [&mut a, &mut b, &mut c] {
            assert!(poll_once(waiter.as_mut()).await.is_none());
        }
        drop(guard);
        assert!(poll_once(c.as_mut()).await.is_none());
        assert!(poll_once(b.as_mut()).await.is_none());
        let guard = poll_once(a.as_mut()).await.expect("first");
        assert!(poll_once(b.as_mut()).await.is_none());
        drop(guard);
        drop(poll_once(b.as_mut()).await.expect("second"));
        drop(poll_once(c.as_mut()).await.expect("third"));
    });
}

#[test]
fn l3_a_released_lock_reads_as_free_but_newcomers_queue_behind_the_waiter() {
    everywhere(|| async {
        let lock = Lock::new(());
        let guard = lock.lock().await;
        let mut waiter = pin!(lock.lock());
        assert!(poll_once(waiter.as_mut()).await.is_none());
        drop(guard);
        assert!(!lock.is_locked());
        assert!(lock.try_lock().is_none());
        let mut newcomer = pin!(lock.lock());
        assert!(poll_once(newcomer.as_mut()).await.is_none());
        drop(poll_once(waiter).await.expect("on its way to the waiter"));
        assert!(poll_once(newcomer).await.is_some());
    });
}

#[test]
fn l4_a_newcomer_takes_a_free_lock_whose_waiters_are_all_cancelled() {
    exactly(|trace| async move {
        let lock = Arc::new(Lock::new(()));
        let guard = lock.lock().await;
        let waiters = ["a", "b"].map(|name| {
            let lock = Arc::clone(&lock);
            trace.spawn(name, async move { drop(lock.lock().await) })
        });
        cycles(1).await;
        waiters.iter().for_each(|waiter| assert!(waiter.cancel()));
        drop(guard);
        assert!(poll_once(pin!(lock.lock())).await.is_some());
        assert!(lock.try_lock().is_some());
        cycles(1).await;
        trace.expect(&[("a!", 0), ("b!", 0)]);
    });
}

#[test]
fn l5_only_a_guard_releases_so_a_free_lock_cannot_be_released() {
    // There is no method to call; what a guard releases, it has.
    let lock = Arc::new(Lock::new(()));
    let guard = Arc::clone(&lock).try_lock_owned().expect("free");
    drop(guard);
    assert!(!lock.is_locked());
}

#[test]
fn l6_a_woken_waiter_that_goes_away_wakes_the_next() {
    everywhere(|| async {
        let lock = Lock::new(());
        let guard = lock.lock().await;
        let mut next = pin!(lock.lock());
        {
            let mut first = pin!(lock.lock());
            assert!(poll_once(first.as_mut()).await.is_none());
            assert!(poll_once(next.as_mut()).await.is_none());
            drop(guard); // wakes the first
        }
        drop(poll_once(next).await.expect("woken by the one who left"));
        assert!(lock.try_lock().is_some());
    });
}

#[test]
fn l6_a_waiter_cancelled_when_it_had_been_woken_passes_the_lock_on() {
    exactly(|trace| async move {
        let lock = Arc::new(Lock::new(()));
        let guard = lock.lock().await;
        let [a, b] = ["a", "b"].map(|name| {
            let lock = Arc::clone(&lock);
            trace.spawn(name, async move { drop(lock.lock().await) })
        });
        cycles(1).await;
        trace.log("release");
        drop(guard);
        assert!(a.cancel());
        assert!(ended(a).await.is_err());
        b.await;
        trace.expect(&[("release", 0), ("a!", 1), ("b", 2)]);
    });
}

#[test]
fn l7_every_end_of_the_block_releases() {
    everywhere(|| async {
        let lock = Arc::new(Lock::new(()));
        let panicking = spawn({
            let lock = Arc::clone(&lock);
            async move {
                let _guard = lock.lock().await;
                panic!("in the block");
            }
        });
        assert!(panicking.outcome().await.unwrap_err().is_panic());
        assert!(!lock.is_locked());
        let cancelled = spawn({
            let lock = Arc::clone(&lock);
            async move {
                let _guard = lock.lock().await;
                std::future::pending::<()>().await;
            }
        });
        while !lock.is_locked() {
            tasca_core::yield_now().await;
        }
        cancelled.cancel();
        assert!(cancelled.outcome().await.is_err());
        assert!(!lock.is_locked());
    });
}

#[test]
fn l8_a_guard_may_be_sent_and_released_elsewhere() {
    everywhere(|| async {
        let lock = Arc::new(Lock::new(1));
        let mut guard = Arc::clone(&lock).lock_owned().await;
        spawn(async move { *guard = 2 }).await;
        assert_eq!(*lock.lock().await, 2);
    });
}

#[test]
fn l9_a_release_wakes_the_first_only_and_does_not_look_past_a_cancelled_one() {
    exactly(|trace| async move {
        let lock = Arc::new(Lock::new(()));
        let guard = lock.lock().await;
        let [a, b] = ["a", "b"].map(|name| {
            let lock = Arc::clone(&lock);
            trace.spawn(name, async move { drop(lock.lock().await) })
        });
        cycles(1).await;
        trace.log("cancel, release");
        a.cancel();
        drop(guard); // a is first and cancelled: b is woken when a leaves, a cycle later
        assert!(lock.try_lock().is_none(), "b waits, and is not cancelled");
        b.await;
        trace.expect(&[("cancel, release", 0), ("a!", 1), ("b", 2)]);
    });
}

#[test]
fn h11_a_hand_over_takes_one_cycle() {
    exactly(|trace| async move {
        let lock = Arc::new(Lock::new(()));
        let guard = lock.lock().await;
        let tasks = ["a", "b", "c"].map(|name| {
            let lock = Arc::clone(&lock);
            trace.spawn(name, async move { drop(lock.lock().await) })
        });
        cycles(1).await;
        trace.log("release");
        drop(guard);
        for task in tasks {
            task.await;
        }
        trace.expect(&[("release", 0), ("a", 1), ("b", 2), ("c", 3)]);
    });
}

#[test]
fn a_lock_gives_its_value_back() {
    let lock = Lock::from(String::from("kept"));
    lock.try_lock().expect("free").push('!');
    assert_eq!(lock.into_inner(), "kept!");
}

#[test]
fn h8_what_need_not_wait_does_not_suspend_however_often() {
    exactly(|trace| async move {
        let lock = Lock::new(0);
        trace.log("first");
        for _ in 0..1000 {
            *lock.lock().await += 1;
        }
        trace.log("last");
        trace.expect(&[("first", 0), ("last", 0)]);
    });
}
