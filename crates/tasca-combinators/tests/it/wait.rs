//! The rules of `wait` (W), each by its name.

use std::time::Duration;

use tasca_combinators::wait;
use tasca_core::{catch_cancelled, promise, spawn, yield_now};

use crate::{LONG, SHORT, everywhere, in_order, settle, stuck};

// W1
#[test]
fn it_tells_who_is_done_whatever_they_did() {
    everywhere(|| async {
        let (good, bad) = (
            spawn(async { 1 }),
            spawn(async { if true { panic!("oh") } else { 2 } }),
        );
        let (done, pending) = wait([&good, &bad]).await;
        assert_eq!((done.len(), pending.len()), (2, 0));
        assert!(bad.outcome().await.unwrap_err().is_panic());
        assert_eq!(good.await, 1);
    });
}

// W2
#[test]
#[should_panic(expected = "at least one task")]
fn without_operands_it_panics() {
    in_order(async {
        wait(Vec::<tasca_core::Task<()>>::new()).await;
    });
}

// W3
#[test]
fn repeated_operands_count_once() {
    everywhere(|| async {
        let task = spawn(async {});
        let (done, pending) = wait([&task, &task]).await;
        assert_eq!((done.len(), pending.len()), (1, 0));
    });
}

// W4
#[test]
fn a_timeout_cancels_nothing() {
    everywhere(|| async {
        let task = stuck().await;
        let (done, pending) = wait([&task]).timeout(SHORT).await;
        assert_eq!((done.len(), pending.len()), (0, 1));
        assert_eq!(task.cancelling(), 0);
        task.cancel();
    });
}

// W5
#[test]
fn first_completed_returns_with_the_first() {
    everywhere(|| async {
        let (quick, slow) = (spawn(async { 1 }), spawn(std::future::pending()));
        let (done, pending) = wait([quick, slow]).first_completed().timeout(LONG).await;
        assert_eq!((done.len(), pending.len()), (1, 1));
        assert!(!pending[0].is_finished());
        pending[0].cancel();
        for task in done {
            assert_eq!(task.await, 1);
        }
    });
}

// W6
#[test]
fn first_exception_passes_over_values_and_cancellations() {
    everywhere(|| async {
        let cancelled = spawn(std::future::pending::<Result<u8, &str>>());
        cancelled.cancel();
        let good = spawn(async { Ok(1) });
        let (fail, failing) = promise();
        let bad = spawn(failing);
        let never = spawn(std::future::pending::<Result<u8, &str>>());
        let setter = {
            let (a, b) = (cancelled.task_ref(), good.task_ref());
            spawn(async move {
                a.finished().await;
                b.finished().await;
                settle().await;
                fail.set(Err("no")).unwrap();
            })
        };
        let (done, pending) = wait([cancelled, good, bad, never]).first_exception().await;
        assert_eq!((done.len(), pending.len()), (3, 1));
        pending[0].cancel();
        setter.await;
    });
}

// W6
#[test]
fn first_exception_waits_for_all_if_none_fails() {
    everywhere(|| async {
        let tasks = [spawn(async { Ok::<_, ()>(1) }), spawn(async { Ok(2) })];
        let (done, pending) = wait(&tasks).first_exception().await;
        assert_eq!((done.len(), pending.len()), (2, 0));
    });
}

// W7
#[test]
fn the_sets_are_made_when_the_caller_resumes() {
    in_order(async {
        let (a, b) = (promise(), promise());
        let tasks = [spawn(a.1), spawn(b.1)];
        let setter = spawn(async move {
            a.0.set(()).unwrap();
            b.0.set(()).unwrap();
        });
        let (done, _) = wait(&tasks).first_completed().await;
        assert_eq!(done.len(), 2);
        setter.await;
    });
}

// W8
#[test]
fn it_suspends_even_if_everything_is_done() {
    everywhere(|| async {
        let task = spawn(async {});
        task.finished().await;
        let mut waiting = wait([&task]);
        assert!(futures::poll!(&mut waiting).is_pending());
        waiting.await;
    });
}

// W9, M8
#[test]
fn a_limit_of_zero_gives_what_is_ready_its_turn() {
    in_order(async {
        let task = spawn(async {});
        let (done, _) = wait([&task]).timeout(Duration::ZERO).await;
        assert_eq!(done.len(), 1);
    });
}

// W10
#[test]
fn cancelling_the_waiter_leaves_the_tasks_alone() {
    everywhere(|| async {
        let task = stuck().await.into_shared();
        let shared = task.clone();
        let (begun, has_begun) = promise();
        let waiter = spawn(async move {
            begun.set(()).unwrap();
            catch_cancelled(wait([shared])).await.is_err()
        });
        has_begun.await;
        settle().await;
        waiter.cancel();
        assert!(waiter.await);
        yield_now().await;
        assert_eq!(task.cancelling(), 0);
        task.cancel();
    });
}
