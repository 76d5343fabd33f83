//! The rules of `shield` (S), each by its name.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tasca_combinators::shield;
use tasca_core::{Runtime, Trouble, catch_cancelled, promise, spawn, yield_now};

use crate::guard::guarded;
use crate::{everywhere, settle, stuck};

// S1, S6
#[test]
fn it_gives_what_the_operand_gives() {
    everywhere(|| async {
        assert_eq!(shield(async { 1 }).await, 1);
        let task = spawn(async { 2 });
        assert_eq!(*shield(&task).await, 2);
        assert_eq!(shield(task).into_task().await, 2);
    });
}

// S1, S8
#[test]
fn a_cancelled_operand_cancels_it() {
    everywhere(|| async {
        let (a, b) = (stuck().await, stuck().await);
        a.cancel_with("why");
        b.cancel_with("why");
        assert_eq!(
            catch_cancelled(shield(a)).await.unwrap_err().message(),
            None
        );
        assert!(
            shield(b)
                .into_task()
                .outcome()
                .await
                .unwrap_err()
                .is_cancelled()
        );
    });
}

// S2
#[test]
fn cancelling_it_ends_it_at_once_and_leaves_the_operand_alone() {
    everywhere(|| async {
        let inner = stuck().await;
        let shadow = inner.task_ref();
        let shielded = shield(inner).into_task();
        assert!(shielded.cancel());
        assert!(shielded.is_finished() && shielded.is_cancelled());
        assert_eq!(shadow.cancelling(), 0);
        shadow.cancel();
    });
}

// S3
#[test]
fn shielding_what_is_done_does_not_suspend() {
    everywhere(|| async {
        let task = spawn(async { 3 });
        task.finished().await;
        let mut shielded = shield(task);
        assert_eq!(futures::poll!(&mut shielded), std::task::Poll::Ready(3));
    });
}

// S4
#[test]
fn cancelling_the_waiter_raises_there_at_once() {
    everywhere(|| async {
        let inner = stuck().await;
        let shadow = inner.task_ref();
        let (begun, has_begun) = promise();
        let waiter = spawn(async move {
            begun.set(()).unwrap();
            shield(inner).await;
        });
        has_begun.await;
        settle().await;
        waiter.cancel_with("m");
        assert_eq!(
            waiter.outcome().await.unwrap_err().cancel_message(),
            Some("m")
        );
        assert!(!shadow.is_finished());
        assert_eq!(shadow.cancelling(), 0);
        shadow.cancel();
    });
}

// S5, M13
#[test]
fn a_panic_of_the_operand_whose_waiter_is_gone_is_reported() {
    guarded(
        "a panic of the operand whose waiter is gone is reported",
        || {
            let n_reported = Arc::new(AtomicUsize::new(0));
            let count = Arc::clone(&n_reported);
            let rt = Runtime::builder()
                .deterministic(0)
                .exception_handler(move |problem| {
                    assert_eq!(problem.trouble(), Trouble::TaskPanicked);
                    count.fetch_add(1, Ordering::Relaxed);
                })
                .build()
                .unwrap();
            let main = async {
                let (set, is_set) = promise();
                let inner = spawn(async move {
                    is_set.await;
                    panic!("late");
                });
                let shadow = inner.task_ref();
                let shielded = shield(inner).into_task();
                yield_now().await;
                shielded.cancel();
                set.set(()).unwrap();
                shadow.finished().await;
                settle().await;
            };
            rt.run(main).unwrap();
            assert_eq!(n_reported.load(Ordering::Relaxed), 1);
        },
    );
}

// S7
#[test]
fn one_operand_may_have_several() {
    everywhere(|| async {
        let (set, is_set) = promise();
        let inner = is_set.into_shared();
        let (a, b) = (
            shield(inner.clone()).into_task(),
            shield(inner.clone()).into_task(),
        );
        a.cancel();
        set.set(4).unwrap();
        assert_eq!(b.await, 4);
        assert_eq!(*(&*inner).await, 4);
    });
}
