//! Rules K1 to K11.

use std::pin::pin;
use std::sync::Arc;

use tasca_core::{Task, catch_cancelled};
use tasca_sync::{Condition, Lock};

use crate::{Trace, cycles, everywhere, exactly, poll_once};

#[derive(Debug, Default)]
struct Shared {
    lock: Lock<usize>,
    condition: Condition,
}

fn waiter(trace: &Trace, shared: &Arc<Shared>, name: &'static str) -> Task<()> {
    let shared = Arc::clone(shared);
    trace.spawn(name, async move {
        let mut guard = shared.lock.lock().await;
        shared.condition.wait(&mut guard).await;
        *guard += 1;
    })
}

#[test]
fn k1_notify_marks_up_to_n_waiters_in_order() {
    exactly(|trace| async move {
        let shared = Arc::new(Shared::default());
        let tasks = ["a", "b", "c"].map(|name| waiter(&trace, &shared, name));
        cycles(4).await;
        trace.log("two");
        shared.condition.notify(&shared.lock.lock().await, 0);
        shared.condition.notify(&shared.lock.lock().await, 2);
        cycles(4).await;
        trace.log("more than there are");
        shared.condition.notify(&shared.lock.lock().await, 5);
        for task in tasks {
            task.await;
        }
        shared.condition.notify(&shared.lock.lock().await, 1);
        trace.expect(&[
            ("two", 0),
            ("a", 1),
            ("b", 1),
            ("more than there are", 4),
            ("c", 5),
        ]);
    });
}

#[test]
fn k1_notify_skips_cancelled_waiters() {
    exactly(|trace| async move {
        let shared = Arc::new(Shared::default());
        let [a, b] = ["a", "b"].map(|name| waiter(&trace, &shared, name));
        cycles(3).await;
        trace.log("cancel, notify");
        a.cancel();
        shared.condition.notify(&shared.lock.lock().await, 1);
        b.await;
        trace.expect(&[("cancel, notify", 0), ("a!", 1), ("b", 1)]);
    });
}

#[test]
fn k2_notify_all_marks_all_present_waiters() {
    everywhere(|| async {
        let shared = Shared::default();
        let wait = async || {
            let mut guard = shared.lock.lock().await;
            shared.condition.wait(&mut guard).await;
        };
        let (mut a, mut b) = (pin!(wait()), pin!(wait()));
        assert!(poll_once(a.as_mut()).await.is_none());
        assert!(poll_once(b.as_mut()).await.is_none());
        shared.condition.notify_all(&shared.lock.lock().await);
        let mut late = pin!(wait());
        assert!(poll_once(late.as_mut()).await.is_none());
        assert!(poll_once(a).await.is_some());
        assert!(poll_once(b).await.is_some());
        assert!(poll_once(late).await.is_none());
    });
}

#[test]
fn k3_a_notified_waiter_returns_only_with_the_lock_held() {
    exactly(|trace| async move {
        let shared = Arc::new(Shared::default());
        let task = waiter(&trace, &shared, "a");
        cycles(2).await;
        let guard = shared.lock.lock().await;
        trace.log("notify");
        shared.condition.notify(&guard, 1);
        cycles(5).await;
        trace.log("release");
        drop(guard);
        task.await;
        trace.expect(&[("notify", 0), ("release", 5), ("a", 6)]);
    });
}

#[test]
fn k4_waiting_and_notifying_take_a_guard_of_one_lock() {
    everywhere(|| async {
        let (lock, other, condition) = (Lock::new(()), Lock::new(()), Condition::new());
        let mut waiter = pin!(async {
            let mut guard = lock.lock().await;
            condition.wait(&mut guard).await;
        });
        assert!(poll_once(waiter.as_mut()).await.is_none());
        let wrong = other.lock().await;
        let notified = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            condition.notify(&wrong, 1);
        }));
        assert!(notified.is_err(), "a guard of another lock");
        condition.notify(&lock.lock().await, 1);
        assert!(poll_once(waiter).await.is_some());
    });
}

#[test]
fn k5_wait_releases_the_lock() {
    everywhere(|| async {
        let shared = Shared::default();
        let mut guard = shared.lock.lock().await;
        let mut wait = Box::pin(shared.condition.wait(&mut guard));
        assert!(poll_once(wait.as_mut()).await.is_none());
        assert!(!shared.lock.is_locked());
        shared.condition.notify(&shared.lock.lock().await, 1);
        assert!(poll_once(wait.as_mut()).await.is_some());
        drop(wait);
        assert!(shared.lock.is_locked());
        *guard += 1;
    });
}

#[test]
fn k6_wait_for_asks_first_and_after_each_wake_up() {
    everywhere(|| async {
        let shared = Shared::default();
        let mut guard = shared.lock.lock().await;
        assert!(
            poll_once(pin!(shared.condition.wait_for(&mut guard, |n| *n == 0)))
                .await
                .is_some()
        );
        drop(guard);
        let mut waiter = pin!(async {
            let mut guard = shared.lock.lock().await;
            shared.condition.wait_for(&mut guard, |n| *n == 2).await;
            *guard
        });
        for _ in 0..2 {
            assert!(poll_once(waiter.as_mut()).await.is_none());
            let mut guard = shared.lock.lock().await;
            *guard += 1;
            shared.condition.notify(&guard, 1);
        }
        assert_eq!(poll_once(waiter).await, Some(2));
    });
}

/// A waiter that has its guard outside the scope that catches its cancellation, and then holds the lock for ever.
fn stubborn(trace: &Trace, shared: &Arc<Shared>) -> Task<()> {
    let (trace, shared) = (trace.clone(), Arc::clone(shared));
    tasca_core::spawn(async move {
        let mut guard = shared.lock.lock().await;
        let waited = catch_cancelled(shared.condition.wait(&mut guard)).await;
        let message = waited.unwrap_err();
        *guard += 10; // the lock is held
        trace.log(message.message().unwrap_or("none"));
    })
}

#[test]
fn k7_a_cancelled_waiter_takes_the_lock_again_before_it_lets_the_cancellation_out() {
    exactly(|trace| async move {
        let shared = Arc::new(Shared::default());
        let task = stubborn(&trace, &shared);
        cycles(2).await;
        let guard = shared.lock.lock().await;
        trace.log("cancel");
        task.cancel_with("lunch");
        cycles(3).await;
        trace.log("release");
        drop(guard);
        task.await;
        assert_eq!(*shared.lock.lock().await, 10);
        trace.expect(&[("cancel", 0), ("release", 3), ("lunch", 4)]);
    });
}

#[test]
fn k8_the_last_of_several_cancellations_is_the_one_let_out() {
    exactly(|trace| async move {
        let shared = Arc::new(Shared::default());
        let task = stubborn(&trace, &shared);
        cycles(2).await;
        let guard = shared.lock.lock().await;
        for message in ["first", "second", "third"] {
            task.cancel_with(message);
            cycles(2).await;
        }
        trace.log("release");
        drop(guard);
        task.await;
        trace.expect(&[("release", 0), ("third", 1)]);
    });
}

#[test]
fn k9_a_wait_that_is_cancelled_passes_a_notification_on() {
    exactly(|trace| async move {
        let shared = Arc::new(Shared::default());
        let [a, b] = ["a", "b"].map(|name| waiter(&trace, &shared, name));
        cycles(3).await;
        trace.log("notify, cancel");
        shared.condition.notify(&shared.lock.lock().await, 1);
        a.cancel();
        b.await;
        trace.expect(&[("notify, cancel", 0), ("a!", 1), ("b", 2)]);
    });
}

#[test]
fn k9_a_notified_wait_that_is_dropped_passes_the_notification_on() {
    everywhere(|| async {
        let shared = Shared::default();
        let wait = async || {
            let mut guard = shared.lock.lock().await;
            shared.condition.wait(&mut guard).await;
        };
        let mut b = pin!(wait());
        {
            let mut a = pin!(wait());
            assert!(poll_once(a.as_mut()).await.is_none());
            assert!(poll_once(b.as_mut()).await.is_none());
            shared.condition.notify(&shared.lock.lock().await, 1);
        }
        assert!(poll_once(b.as_mut()).await.is_some());
        // In the second half of the wait, when the lock is being taken again.
        let mut d = pin!(wait());
        {
            let mut c = pin!(wait());
            assert!(poll_once(c.as_mut()).await.is_none());
            assert!(poll_once(d.as_mut()).await.is_none());
            let guard = shared.lock.lock().await;
            shared.condition.notify(&guard, 1);
            assert!(poll_once(c.as_mut()).await.is_none());
        }
        assert!(poll_once(d).await.is_some());
    });
}

#[test]
fn a_guard_whose_wait_was_dropped_has_lost_its_lock() {
    everywhere(|| async {
        let shared = Shared::default();
        let mut guard = shared.lock.lock().await;
        {
            let mut wait = Box::pin(shared.condition.wait(&mut guard));
            assert!(poll_once(wait.as_mut()).await.is_none());
        }
        let used = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| *guard));
        assert!(used.is_err());
        assert_eq!(format!("{guard:?}"), "<lost>");
        assert!(!shared.lock.is_locked());
        drop(guard);
        assert!(shared.lock.try_lock().is_some());
    });
}

#[test]
fn k10_several_conditions_may_share_a_lock() {
    everywhere(|| async {
        let (lock, not_empty, not_full) = (Lock::new(0), Condition::new(), Condition::new());
        let mut consumer = pin!(async {
            let mut n = lock.lock().await;
            not_empty.wait_for(&mut n, |n| *n > 0).await;
            *n -= 1;
            not_full.notify(&n, 1);
        });
        assert!(poll_once(consumer.as_mut()).await.is_none());
        {
            let mut n = lock.lock().await;
            *n += 1;
            not_empty.notify(&n, 1);
        }
        assert!(poll_once(consumer).await.is_some());
        let mut n = lock.lock().await;
        let full = not_full.wait_for(&mut n, |n| *n == 0);
        assert!(poll_once(pin!(full)).await.is_some());
    });
}

#[test]
fn k11_a_notified_waiter_queues_for_the_lock_behind_those_who_were_there() {
    exactly(|trace| async move {
        let shared = Arc::new(Shared::default());
        let a = waiter(&trace, &shared, "a");
        cycles(2).await;
        let guard = shared.lock.lock().await;
        let other = {
            let shared = Arc::clone(&shared);
            trace.spawn("other", async move { drop(shared.lock.lock().await) })
        };
        cycles(1).await;
        trace.log("notify, release");
        shared.condition.notify(&guard, 1);
        drop(guard);
        a.await;
        other.await;
        trace.expect(&[("notify, release", 0), ("other", 1), ("a", 2)]);
    });
}
