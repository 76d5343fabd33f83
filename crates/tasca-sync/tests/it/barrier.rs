//! Rules Z1 to Z8.

use std::panic::catch_unwind;
use std::pin::pin;
use std::sync::Arc;

use tasca_core::{Task, spawn};
use tasca_sync::{Barrier, BrokenBarrier};

use crate::{Trace, cycles, everywhere, exactly, poll_once};

fn party(trace: &Trace, barrier: &Arc<Barrier>, name: &'static str) -> Task<()> {
    let (ended, barrier) = (trace.clone(), Arc::clone(barrier));
    trace.spawn(name, async move {
        match barrier.wait().await {
            Ok(number) => ended.log(number.to_string()),
            Err(BrokenBarrier { .. }) => ended.log("broken"),
        }
    })
}

#[test]
fn z1_everybody_waits_for_the_last_who_does_not_suspend() {
    exactly(|trace| async move {
        let barrier = Arc::new(Barrier::new(3));
        let tasks = ["a", "b"].map(|name| party(&trace, &barrier, name));
        cycles(3).await;
        assert_eq!(barrier.n_waiting(), 2);
        trace.log("last");
        let last = poll_once(pin!(barrier.wait())).await;
        assert_eq!(last, Some(Ok(2)));
        for task in tasks {
            task.await;
        }
        trace.expect(&[("last", 0), ("0", 1), ("a", 1), ("1", 1), ("b", 1)]);
    });
}

#[test]
fn z2_newcomers_wait_while_the_barrier_drains_and_it_fills_again() {
    everywhere(|| async {
        let barrier = Arc::new(Barrier::new(2));
        let mut numbers = Vec::new();
        for task in [(); 6].map(|()| {
            spawn({
                let barrier = Arc::clone(&barrier);
                async move { barrier.wait().await.expect("whole") }
            })
        }) {
            numbers.push(task.await);
        }
        numbers.sort_unstable();
        assert_eq!(numbers, [0, 0, 0, 1, 1, 1]);
        assert_eq!(barrier.n_waiting(), 0);
    });
    exactly(|_| async move {
        let barrier = Barrier::new(2);
        let mut first = pin!(barrier.wait());
        assert!(poll_once(first.as_mut()).await.is_none());
        assert_eq!(poll_once(pin!(barrier.wait())).await, Some(Ok(1)));
        let mut newcomer = pin!(barrier.wait());
        assert!(poll_once(newcomer.as_mut()).await.is_none());
        assert_eq!(barrier.n_waiting(), 0);
        assert_eq!(first.await, Ok(0));
        assert!(poll_once(newcomer.as_mut()).await.is_none());
        assert_eq!(barrier.n_waiting(), 1);
    });
}

#[test]
fn z3_a_barrier_is_for_one_party_at_least() {
    assert!(catch_unwind(|| Barrier::new(0)).is_err());
    everywhere(|| async {
        let barrier = Barrier::new(1);
        assert_eq!(barrier.parties(), 1);
        for _ in 0..3 {
            assert_eq!(poll_once(pin!(barrier.wait())).await, Some(Ok(0)));
        }
    });
}

#[test]
fn z4_a_cancelled_or_dropped_party_is_not_counted_any_more() {
    everywhere(|| async {
        let barrier = Arc::new(Barrier::new(2));
        let task = spawn({
            let barrier = Arc::clone(&barrier);
            async move { barrier.wait().await }
        });
        while barrier.n_waiting() == 0 {
            tasca_core::yield_now().await;
        }
        task.cancel();
        assert!(task.outcome().await.is_err());
        assert_eq!(barrier.n_waiting(), 0);
        {
            let mut dropped = pin!(barrier.wait());
            assert!(poll_once(dropped.as_mut()).await.is_none());
            assert_eq!(barrier.n_waiting(), 1);
        }
        assert_eq!(barrier.n_waiting(), 0);
        assert!(!barrier.is_broken());
        let mut a = pin!(barrier.wait());
        assert!(poll_once(a.as_mut()).await.is_none());
        assert_eq!(barrier.wait().await, Ok(1));
        assert_eq!(a.await, Ok(0));
    });
}

#[test]
fn z5_reset_has_everybody_fail_and_the_barrier_fill_afresh() {
    exactly(|trace| async move {
        let barrier = Arc::new(Barrier::new(3));
        barrier.reset().await; // idle: nothing
        let tasks = ["a", "b"].map(|name| party(&trace, &barrier, name));
        cycles(3).await;
        trace.log("reset");
        barrier.reset().await;
        for task in tasks {
            task.await;
        }
        trace.expect(&[
            ("reset", 0),
            ("broken", 1),
            ("a", 1),
            ("broken", 1),
            ("b", 1),
        ]);
        assert!(!barrier.is_broken());
        let mut again = pin!(barrier.wait());
        assert!(poll_once(again.as_mut()).await.is_none());
        assert_eq!(barrier.n_waiting(), 1);
    });
}

#[test]
fn z5_reset_while_draining_has_released_parties_fail_that_have_not_resumed() {
    exactly(|_| async move {
        let barrier = Barrier::new(2);
        let mut released = pin!(barrier.wait());
        assert!(poll_once(released.as_mut()).await.is_none());
        assert_eq!(barrier.wait().await, Ok(1));
        barrier.reset().await;
        assert!(released.await.is_err());
    });
}

#[test]
fn z6_abort_breaks_the_barrier_until_it_is_reset() {
    everywhere(|| async {
        let barrier = Barrier::new(2);
        let mut present = pin!(barrier.wait());
        assert!(poll_once(present.as_mut()).await.is_none());
        barrier.abort().await;
        assert!(barrier.is_broken());
        assert!(barrier.wait().await.is_err());
        assert!(present.await.is_err());
        assert!(barrier.is_broken());
        barrier.reset().await;
        assert!(!barrier.is_broken());
        let mut a = pin!(barrier.wait());
        assert!(poll_once(a.as_mut()).await.is_none());
        assert_eq!(barrier.wait().await, Ok(1));
        assert_eq!(a.await, Ok(0));
    });
}

#[test]
fn z7_n_waiting_counts_only_while_the_barrier_fills() {
    exactly(|_| async move {
        let barrier = Barrier::new(2);
        let mut a = pin!(barrier.wait());
        assert!(poll_once(a.as_mut()).await.is_none());
        assert_eq!(barrier.n_waiting(), 1);
        barrier.abort().await;
        assert_eq!(barrier.n_waiting(), 0);
    });
}

#[test]
fn z8_released_parties_resume_in_the_next_cycle_in_the_order_of_arrival() {
    exactly(|trace| async move {
        let barrier = Arc::new(Barrier::new(4));
        let tasks = ["a", "b", "c"].map(|name| party(&trace, &barrier, name));
        cycles(4).await;
        trace.log("last");
        assert_eq!(barrier.wait().await, Ok(3));
        for task in tasks {
            task.await;
        }
        // Each takes the barrier's lock when it resumes, and has released it when the next one does.
        trace.expect(&[
            ("last", 0),
            ("0", 1),
            ("a", 1),
            ("1", 1),
            ("b", 1),
            ("2", 1),
            ("c", 1),
        ]);
    });
}
