//! The rules of `wait_for` (F), each by its name.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::FutureExt;
use tasca_combinators::{gather, shield, wait_for};
use tasca_core::{Task, catch_cancelled, current_task, promise, spawn, yield_now};

use crate::{
    LONG, SHORT, everywhere, settle, slow_to_stop, start, stubborn, stuck, until_cancelled,
};

// F1
#[test]
fn the_body_runs_in_the_calling_task() {
    everywhere(|| async {
        let me = current_task().unwrap().id();
        assert_eq!(
            wait_for(async { current_task().unwrap().id() }, LONG).await,
            Ok(me)
        );
    });
}

// F2
#[test]
fn in_time_it_gives_the_value() {
    everywhere(|| async {
        assert_eq!(wait_for(spawn(async { 1 }), LONG).await, Ok(1));
    });
}

// F3
#[test]
fn when_the_limit_passes_a_task_is_cancelled_and_waited_for() {
    everywhere(|| async {
        let (let_go, slow) = slow_to_stop().await;
        let shadow = slow.task_ref();
        let waiter = spawn(wait_for(slow, SHORT));
        until_cancelled(&shadow).await;
        settle().await;
        assert!(!waiter.is_finished(), "it waits for the clean-up");
        let_go.set(()).unwrap();
        assert!(waiter.await.is_err());
        assert!(shadow.is_cancelled());
    });
}

// F4
#[test]
fn an_operand_that_swallows_the_cancellation_gives_its_value() {
    everywhere(|| async {
        assert_eq!(wait_for(stubborn(6).await, SHORT).await, Ok(6));
        assert_eq!(current_task().unwrap().cancelling(), 0);
    });
}

// F5
#[test]
fn an_operand_that_reacts_with_an_error_gives_that() {
    everywhere(|| async {
        assert_eq!(
            wait_for(stubborn(Err::<(), _>("no")).await, SHORT).await,
            Ok(Err("no"))
        );
    });
}

// F6
#[test]
fn cancelling_the_caller_cancels_the_operand_and_waits_for_it() {
    everywhere(|| async {
        let (let_go, slow) = slow_to_stop().await;
        let shadow = slow.task_ref();
        let waiter = start(wait_for(slow, LONG)).await;
        settle().await;
        waiter.cancel();
        until_cancelled(&shadow).await;
        settle().await;
        assert!(!waiter.is_finished());
        let_go.set(()).unwrap();
        assert!(waiter.outcome().await.unwrap_err().is_cancelled());
    });
}

// F7
#[test]
fn without_a_limit_it_is_a_plain_await() {
    everywhere(|| async {
        assert_eq!(wait_for(async { 2 }, None).await, Ok(2));
    });
}

// F8
#[test]
fn with_a_limit_of_zero_what_is_done_counts_and_the_rest_is_cancelled() {
    everywhere(|| async {
        let done = spawn(async { 3 });
        done.finished().await;
        assert_eq!(wait_for(done, Duration::ZERO).await, Ok(3));
        let running = stuck().await;
        let shadow = running.task_ref();
        assert!(wait_for(running, Duration::ZERO).await.is_err());
        assert!(shadow.is_cancelled());
        let by_reference = stuck().await;
        assert!(wait_for(&by_reference, Duration::ZERO).await.is_err());
        assert!(by_reference.is_cancelled());
    });
}

// F8, M8
#[test]
fn a_future_with_a_limit_of_zero_never_begins() {
    everywhere(|| async {
        let begun = AtomicBool::new(false);
        let begin = async { begun.store(true, Ordering::Relaxed) };
        assert!(wait_for(begin, Duration::ZERO).await.is_err());
        assert!(!begun.into_inner());
    });
}

#[test]
fn with_a_limit_of_zero_a_gather_and_a_shield_count_as_tasks() {
    everywhere(|| async {
        let both = gather([2, 3].map(|n| async move { n })).into_task();
        both.finished().await;
        assert_eq!(wait_for(both, Duration::ZERO).await, Ok([2, 3]));
        let work = stuck().await.into_shared();
        let shielded = shield(work.clone()).into_task();
        assert!(wait_for(shielded, Duration::ZERO).await.is_err());
        assert_eq!(work.cancelling(), 0);
        work.cancel();
    });
}

#[test]
fn dropping_the_future_cancels_a_task_that_it_waits_for() {
    everywhere(|| async {
        for limit in [Some(LONG), Some(Duration::ZERO), None] {
            // Before the first poll, and after it.
            let [unpolled, polled, borrowed] = [stuck().await, stuck().await, stuck().await];
            let shadows = [&unpolled, &polled, &borrowed].map(Task::task_ref);
            drop(wait_for(unpolled, limit));
            for waiting in [
                Box::pin(wait_for(polled, limit)) as Pin<Box<dyn Future<Output = _> + Send>>,
                Box::pin(async { wait_for(&borrowed, limit).await.copied() }),
            ] {
                assert!(waiting.now_or_never().is_none());
            }
            for shadow in shadows {
                shadow.finished().await;
                assert!(shadow.is_cancelled());
                assert_eq!(shadow.cancelling(), 1);
            }
        }
    });
}

#[test]
fn dropping_the_future_leaves_a_shielded_task_alone() {
    everywhere(|| async {
        let work = stuck().await;
        drop(wait_for(shield(&work), LONG));
        assert_eq!(work.cancelling(), 0);
        work.cancel();
    });
}

// F9
#[test]
fn with_a_limit_of_zero_too_a_value_after_all_is_given() {
    everywhere(|| async {
        assert_eq!(wait_for(stubborn(4).await, Duration::ZERO).await, Ok(4));
    });
}

// F10
#[test]
fn a_shield_keeps_the_work_alive() {
    everywhere(|| async {
        let work = stuck().await;
        assert!(wait_for(shield(&work), SHORT).await.is_err());
        assert_eq!(work.cancelling(), 0);
        work.cancel();
    });
}

// F12
#[test]
fn limit_and_outside_cancel_together_are_a_cancellation() {
    everywhere(|| async {
        let (let_go, slow) = slow_to_stop().await;
        let shadow = slow.task_ref();
        let waiter = spawn(async move {
            let caught = catch_cancelled(wait_for(slow, SHORT)).await.is_err();
            (caught, current_task().unwrap().cancelling())
        });
        until_cancelled(&shadow).await;
        waiter.cancel();
        // The second request reaches the operand too, and may have ended its clean-up.
        let _refused = let_go.set(());
        assert_eq!(waiter.await, (true, 1));
    });
}

// F13
#[test]
fn an_operand_cancelled_by_somebody_else_is_no_timeout() {
    everywhere(|| async {
        let operand = stuck().await;
        operand.cancel_with("by hand");
        let caught = catch_cancelled(wait_for(operand, LONG)).await;
        assert_eq!(caught.unwrap_err().message(), Some("by hand"));
        let done = stuck().await;
        done.cancel();
        done.finished().await;
        assert!(
            catch_cancelled(wait_for(done, Duration::ZERO))
                .await
                .is_err()
        );
    });
}

// F14
#[test]
fn with_a_limit_of_zero_a_cancelled_caller_does_not_wait() {
    everywhere(|| async {
        let (let_go, slow) = slow_to_stop().await;
        let shadow = slow.task_ref();
        let (begun, has_begun) = promise();
        let waiter = spawn(async move {
            begun.set(()).unwrap();
            wait_for(slow, Duration::ZERO).await
        });
        has_begun.await;
        until_cancelled(&shadow).await;
        settle().await;
        waiter.cancel();
        assert!(waiter.outcome().await.unwrap_err().is_cancelled());
        assert!(!shadow.is_finished());
        assert_eq!(shadow.cancelling(), 1);
        let_go.set(()).unwrap();
        yield_now().await;
    });
}
