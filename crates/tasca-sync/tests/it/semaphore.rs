//! Rules P1 to P8.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;

use tasca_sync::{BoundedSemaphore, Semaphore};

use crate::{cycles, everywhere, exactly, poll_once};

#[test]
fn p1_acquire_waits_while_there_is_no_permit() {
    everywhere(|| async {
        let semaphore = Semaphore::new(2);
        let a = poll_once(pin!(semaphore.acquire())).await.expect("one");
        let b = poll_once(pin!(semaphore.acquire())).await.expect("two");
        assert_eq!(semaphore.available_permits(), 0);
        assert!(semaphore.try_acquire().is_none());
        let mut c = pin!(semaphore.acquire());
        assert!(poll_once(c.as_mut()).await.is_none());
        drop(b);
        assert!(poll_once(c).await.is_some());
        drop(a);
        assert_eq!(semaphore.available_permits(), 2);
    });
}

#[test]
fn p1_an_initial_value_of_zero_waits_for_a_release() {
    everywhere(|| async {
        let semaphore = Semaphore::new(0);
        assert!(semaphore.is_locked());
        let mut waiter = pin!(semaphore.acquire());
        assert!(poll_once(waiter.as_mut()).await.is_none());
        semaphore.release();
        poll_once(waiter).await.expect("released").forget();
        assert!(semaphore.is_locked());
    });
}

#[test]
fn p2_permits_go_out_in_the_order_of_waiting() {
    exactly(|trace| async move {
        let semaphore = Arc::new(Semaphore::new(0));
        let tasks = ["a", "b", "c"].map(|name| {
            let semaphore = Arc::clone(&semaphore);
            trace.spawn(name, async move { semaphore.acquire().await.forget() })
        });
        cycles(1).await;
        trace.log("two");
        semaphore.release();
        semaphore.release();
        cycles(2).await;
        trace.log("third");
        semaphore.release();
        for task in tasks {
            task.await;
        }
        trace.expect(&[("two", 0), ("a", 1), ("b", 1), ("third", 2), ("c", 3)]);
    });
}

#[test]
fn p3_a_released_permit_is_gone_from_the_counter_before_the_waiter_resumes() {
    everywhere(|| async {
        let semaphore = Semaphore::new(0);
        let mut waiter = pin!(semaphore.acquire());
        assert!(poll_once(waiter.as_mut()).await.is_none());
        semaphore.release();
        assert_eq!(semaphore.available_permits(), 0);
        semaphore.release();
        assert_eq!(semaphore.available_permits(), 1);
        let _permit = poll_once(waiter).await.expect("handed over");
    });
}

#[test]
fn p3_a_resuming_waiter_hands_further_permits_on() {
    exactly(|trace| async move {
        let semaphore = Arc::new(Semaphore::new(0));
        let spawn = |name| {
            let semaphore = Arc::clone(&semaphore);
            trace.spawn(name, async move { semaphore.acquire().await.forget() })
        };
        let a = spawn("a");
        cycles(1).await;
        trace.log("release");
        semaphore.release();
        semaphore.release(); // nobody else waits yet: stays in the counter
        let mut late = pin!(semaphore.acquire());
        assert!(poll_once(late.as_mut()).await.is_none(), "behind a");
        a.await;
        late.await.forget();
        trace.log("late");
        trace.expect(&[("release", 0), ("a", 1), ("late", 2)]);
    });
}

#[test]
fn p4_a_bounded_semaphore_refuses_to_exceed_its_initial_value() {
    everywhere(|| async {
        let semaphore = BoundedSemaphore::new(1);
        assert!(semaphore.release().is_err());
        assert_eq!(semaphore.available_permits(), 1);
        let permit = semaphore.acquire().await;
        assert!(semaphore.is_locked());
        semaphore.release().expect("the guard has it");
        drop(permit); // too late: all permits are back
        assert_eq!(semaphore.available_permits(), 1);
        semaphore.try_acquire().expect("free").forget();
        semaphore.release().expect("forgotten");
    });
}

#[test]
fn p5_an_initial_value_is_not_negative_and_not_too_large() {
    assert!(catch_unwind(|| Semaphore::new(Semaphore::PERMITS_MAX + 1)).is_err());
    let semaphore = Semaphore::new(Semaphore::PERMITS_MAX);
    let caught = catch_unwind(AssertUnwindSafe(|| semaphore.release()));
    assert!(caught.is_err());
    assert_eq!(semaphore.available_permits(), Semaphore::PERMITS_MAX);
}

#[test]
fn p6_a_waiter_that_goes_away_with_a_permit_gives_it_to_the_next_or_back() {
    everywhere(|| async {
        let semaphore = Semaphore::new(0);
        let mut next = pin!(semaphore.acquire());
        {
            let mut first = pin!(semaphore.acquire());
            assert!(poll_once(first.as_mut()).await.is_none());
            assert!(poll_once(next.as_mut()).await.is_none());
            semaphore.release();
        }
        poll_once(next).await.expect("passed on").forget();
        {
            let mut alone = pin!(semaphore.acquire());
            assert!(poll_once(alone.as_mut()).await.is_none());
            semaphore.release();
        }
        assert_eq!(semaphore.available_permits(), 1);
    });
}

#[test]
fn p6_a_waiter_cancelled_before_leaves_no_trace() {
    exactly(|trace| async move {
        let semaphore = Arc::new(Semaphore::new(0));
        let [a, b] = ["a", "b"].map(|name| {
            let semaphore = Arc::clone(&semaphore);
            trace.spawn(name, async move { semaphore.acquire().await.forget() })
        });
        cycles(1).await;
        trace.log("cancel");
        a.cancel();
        cycles(1).await;
        semaphore.release();
        b.await;
        assert_eq!(semaphore.available_permits(), 0);
        trace.expect(&[("cancel", 0), ("a!", 1), ("b", 2)]);
    });
}

#[test]
fn p7_locked_is_true_while_somebody_waits_even_with_a_permit_free() {
    everywhere(|| async {
        let semaphore = Semaphore::new(0);
        let mut waiter = pin!(semaphore.acquire());
        assert!(poll_once(waiter.as_mut()).await.is_none());
        semaphore.release();
        semaphore.release();
        assert_eq!(semaphore.available_permits(), 1);
        assert!(semaphore.is_locked());
        assert!(semaphore.try_acquire().is_none());
        poll_once(waiter).await.expect("handed over").forget();
        assert!(!semaphore.is_locked());
    });
}

#[test]
fn p8_a_release_looks_past_cancelled_waiters() {
    exactly(|trace| async move {
        let semaphore = Arc::new(Semaphore::new(0));
        let [a, b] = ["a", "b"].map(|name| {
            let semaphore = Arc::clone(&semaphore);
            trace.spawn(name, async move { semaphore.acquire().await.forget() })
        });
        cycles(1).await;
        trace.log("cancel, release");
        a.cancel();
        semaphore.release(); // in the same cycle: a has not left the line
        b.await;
        trace.expect(&[("cancel, release", 0), ("a!", 1), ("b", 1)]);
    });
}

#[test]
fn p8_a_newcomer_takes_a_permit_if_everybody_in_line_is_cancelled() {
    exactly(|trace| async move {
        let semaphore = Arc::new(Semaphore::new(0));
        let task = {
            let semaphore = Arc::clone(&semaphore);
            trace.spawn("a", async move { semaphore.acquire().await.forget() })
        };
        cycles(1).await;
        task.cancel();
        semaphore.release();
        assert!(!semaphore.is_locked());
        assert!(semaphore.try_acquire().is_some());
    });
}
