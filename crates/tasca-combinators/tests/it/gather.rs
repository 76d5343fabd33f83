//! The rules of `gather` and `try_gather` (G), each by its name.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tasca_combinators::{gather, shield, try_gather};
use tasca_core::{
    Runtime, Task, catch_cancelled, current_task, promise, spawn, try_spawn, yield_now,
};

use crate::guard::guarded;
use crate::{everywhere, in_order, settle, slow_to_stop, start, stubborn, stuck, until_cancelled};

// G1
#[test]
fn outputs_come_in_the_order_of_the_arguments() {
    everywhere(|| async {
        let (slow, is_slow) = promise();
        let first = spawn(is_slow);
        let second = spawn(async move {
            slow.set(1).unwrap();
            2
        });
        assert_eq!(
            gather((first, second, async { "three" })).await,
            (1, 2, "three")
        );
        assert_eq!(gather([1, 2, 3].map(|n| async move { n })).await, [1, 2, 3]);
        assert_eq!(
            gather((0..100).map(|n| async move { n })).await,
            Vec::from_iter(0..100)
        );
    });
}

// G2
#[test]
fn without_operands_it_is_done_at_once() {
    everywhere(|| async {
        let none: Vec<Task<u8>> = Vec::new();
        assert!(gather(none).into_task().is_finished());
        assert_eq!(gather([(); 0].map(|()| async { 1 })).await, [0; 0]);
    });
}

// G3
#[test]
fn the_same_task_given_twice_is_waited_for_once_and_gives_twice() {
    everywhere(|| async {
        let task = spawn(async {
            yield_now().await;
            7
        });
        assert_eq!(gather((&task, &task, &task)).await, (&7, &7, &7));
        let shared = task.into_shared();
        assert_eq!(gather(vec![shared.clone(), shared]).await, [7, 7]);
    });
}

// G4
#[test]
fn the_first_error_is_given_at_once_and_the_others_go_on() {
    everywhere(|| async {
        let other = stuck().await;
        let shadow = other.task_ref();
        let failed = try_gather((
            async move {
                other.await;
                Ok::<_, &str>(())
            },
            async { Err::<(), _>("no") },
        ));
        assert_eq!(failed.await, Err("no"));
        settle().await;
        assert!(!shadow.is_finished());
        assert_eq!(shadow.cancelling(), 0);
        shadow.cancel();
    });
}

// G4
#[test]
fn the_first_error_of_tasks_by_reference_is_given_at_once() {
    everywhere(|| async {
        let (bad, is_bad) = promise::<Result<u8, &str>>();
        let (_good, is_good) = promise::<Result<u8, &str>>();
        let bad_task = spawn(async move {
            yield_now().await;
            bad.set(Err("no")).unwrap();
        });
        assert_eq!(try_gather((&is_good, &is_bad)).await, Err(&"no"));
        bad_task.await;
    });
}

// G5
#[test]
fn failures_after_the_end_are_ignored() {
    everywhere(|| async {
        let (fail, is_failed) = promise();
        let late = try_spawn(is_failed);
        let shadow = late.task_ref();
        assert_eq!(
            try_gather([late, try_spawn(async { Err(1) })]).await,
            Err::<[(); 2], _>(1)
        );
        fail.set(Err(2)).unwrap();
        shadow.finished().await;
    });
}

// G6, G8
#[test]
fn return_exceptions_waits_for_all_and_gives_failures_as_values() {
    everywhere(|| async {
        let cancelled = stuck().await;
        cancelled.cancel();
        let panics = spawn(async {
            if true {
                panic!("oh")
            }
        });
        let (a, b, c) = gather((cancelled, panics, async { 3 }))
            .return_exceptions()
            .await;
        assert!(a.unwrap_err().is_cancelled());
        assert_eq!(b.unwrap_err().panic_text(), Some("oh"));
        assert_eq!(c.unwrap(), 3);
    });
}

// G7, C15
#[test]
fn a_child_cancelled_by_others_fails_it_while_the_waiter_was_never_asked() {
    everywhere(|| async {
        let (bad, good) = (stuck().await, stuck().await);
        let shadow = good.task_ref();
        bad.cancel_with("by hand");
        let cancelled = catch_cancelled(gather((bad, good))).await.unwrap_err();
        assert_eq!(cancelled.message(), Some("by hand"));
        assert_eq!(current_task().unwrap().cancelling(), 0);
        assert_eq!(shadow.cancelling(), 0);
        shadow.cancel();
    });
}

// G9, G12
#[test]
fn cancelling_the_waiter_cancels_the_children_and_waits_for_them() {
    everywhere(|| async {
        let (let_go, slow) = slow_to_stop().await;
        let shadow = slow.task_ref();
        let waiter = start(async move { gather([slow]).await }).await;
        settle().await;
        waiter.cancel_with("stop");
        until_cancelled(&shadow).await;
        settle().await;
        assert!(!waiter.is_finished(), "it waits for the clean-up");
        let_go.set(()).unwrap();
        let error = waiter.outcome().await.unwrap_err();
        assert_eq!(error.cancel_message(), Some("stop"));
        assert!(shadow.is_cancelled());
    });
}

// G9
#[test]
fn if_all_children_swallow_the_request_it_is_cancelled_all_the_same() {
    everywhere(|| async {
        let (a, b) = (stubborn(1).await, stubborn(2).await);
        let both = gather((a, b)).into_task();
        assert!(both.cancel());
        assert!(both.outcome().await.unwrap_err().is_cancelled());
    });
}

// G9
#[test]
fn with_return_exceptions_a_cancel_waits_for_all_children() {
    everywhere(|| async {
        let (let_go, slow) = slow_to_stop().await;
        let both = gather((stuck().await, slow))
            .return_exceptions()
            .into_task();
        both.cancel();
        settle().await;
        assert!(!both.is_finished());
        let_go.set(()).unwrap();
        assert!(both.outcome().await.unwrap_err().is_cancelled());
    });
}

// G10, G11
#[test]
fn a_done_gather_is_not_cancelled_and_its_children_go_on() {
    everywhere(|| async {
        let other = stuck().await;
        let shadow = other.task_ref();
        let failed = try_gather((
            try_spawn(async { Err::<(), _>(1) }),
            try_spawn(async move {
                other.await;
                Ok(())
            }),
        ))
        .into_task();
        failed.finished().await;
        assert!(!failed.cancel());
        settle().await;
        assert_eq!(shadow.cancelling(), 0);
        assert_eq!(failed.await, Err(1));
        shadow.cancel();
    });
}

// G13
#[test]
fn cancelling_the_former_waiter_leaves_the_remaining_children_alone() {
    everywhere(|| async {
        let other = stuck().await;
        let shadow = other.task_ref();
        let bad = spawn(async { Err::<(), _>(1) });
        let wrapped = spawn(async move {
            other.await;
            Ok(())
        });
        let (told, tell) = promise();
        let waiter = spawn(async move {
            assert_eq!(try_gather((bad, wrapped)).await, Err(1));
            told.set(()).unwrap();
            std::future::pending::<()>().await;
        });
        tell.await;
        waiter.cancel();
        assert!(waiter.outcome().await.is_err());
        settle().await;
        assert_eq!(shadow.cancelling(), 0);
        shadow.cancel();
    });
}

// G14
#[test]
fn futures_are_spawned_at_the_call_as_tasks_of_their_own() {
    everywhere(|| async {
        let me = current_task().unwrap().id();
        let (begun, has_begun) = promise();
        let both = gather((
            async move {
                begun.set(()).unwrap();
                current_task().unwrap().id()
            },
            async { current_task().unwrap().id() },
        ));
        // Before the gather is polled.
        has_begun.await;
        let (a, b) = both.await;
        assert!(a != b && a != me && b != me);
    });
}

// G15
#[test]
fn of_several_failures_at_the_call_the_first_argument_decides() {
    everywhere(|| async {
        let (a, b) = (
            try_spawn(async { Err::<(), _>(1) }),
            try_spawn(async { Err::<(), _>(2) }),
        );
        a.finished().await;
        b.finished().await;
        let (a, b) = (a.into_shared(), b.into_shared());
        let ended = try_gather((b, a)).into_task_with(|ended| matches!(ended, Ok(Err(2))));
        assert!(ended.try_take().unwrap().unwrap());
    });
}

// G16
#[test]
fn a_cancel_reaches_the_innermost_children() {
    everywhere(|| async {
        let (a, b, c) = (stuck().await, stuck().await, stuck().await);
        let shadows = [a.task_ref(), b.task_ref(), c.task_ref()];
        let nested = gather((gather((a, b)).into_task(), c)).into_task();
        nested.cancel();
        assert!(nested.outcome().await.is_err());
        for shadow in shadows {
            shadow.finished().await;
            assert!(shadow.is_cancelled());
        }
    });
}

// G17, S7
#[test]
fn shielded_children_are_not_reached() {
    everywhere(|| async {
        let safe = stuck().await;
        let shadow = safe.task_ref();
        let shielded = gather((shield(safe).into_task(),)).into_task();
        shielded.cancel();
        assert!(shielded.outcome().await.is_err());
        assert_eq!(shadow.cancelling(), 0);
        shadow.cancel();
    });
}

// G18
#[test]
fn a_task_given_twice_is_asked_twice() {
    everywhere(|| async {
        let task = stuck().await.into_shared();
        let both = gather((task.clone(), task.clone())).into_task();
        both.cancel();
        task.finished().await;
        assert_eq!(task.cancelling(), 2);
    });
}

#[test]
fn dropping_a_gather_cancels_its_children() {
    everywhere(|| async {
        let (a, b) = (stuck().await, stuck().await);
        let (shadow, never_polled) = (a.task_ref(), b.task_ref());
        let mut polled = gather((a,));
        assert!(futures::poll!(&mut polled).is_pending());
        drop(polled);
        drop(gather((b,)));
        shadow.finished().await;
        never_polled.finished().await;
        assert!(shadow.is_cancelled() && never_polled.is_cancelled());
    });
}

// M13
#[test]
fn a_panic_of_a_child_goes_on_in_the_waiter() {
    everywhere(|| async {
        let waiter = spawn(async {
            gather((async {
                if true {
                    panic!("boom")
                }
            },))
            .await
        });
        assert_eq!(
            waiter.outcome().await.unwrap_err().panic_text(),
            Some("boom")
        );
    });
}

// C8
#[test]
fn a_flagged_task_that_fails_keeps_its_error() {
    everywhere(|| async {
        let task = try_spawn(async {
            current_task().unwrap().cancel();
            Err::<(), _>("kept")
        });
        assert_eq!(task.await, Err("kept"));
        let plain = spawn(async {
            current_task().unwrap().cancel();
        });
        assert!(plain.outcome().await.unwrap_err().is_cancelled());
    });
}

// H11
#[test]
fn the_waiter_resumes_two_cycles_after_the_last_child() {
    let cycles = in_order(async {
        let (set, is_set) = promise();
        let child = spawn(is_set);
        let shadow = child.task_ref();
        let waiter = spawn(async move { gather((child,)).await });
        settle().await;
        set.set(()).unwrap();
        while !shadow.is_finished() {
            yield_now().await;
        }
        let mut cycles = 0;
        while !waiter.is_finished() {
            yield_now().await;
            cycles += 1;
        }
        cycles
    });
    assert_eq!(cycles, 2);
}

#[test]
fn outside_any_runtime_tasks_of_one_can_be_gathered() {
    guarded("outside any runtime tasks of one can be gathered", || {
        let rt = Runtime::new().unwrap();
        let (a, b) = (
            rt.handle().spawn(async { 1 }),
            rt.handle().spawn(async { 2 }),
        );
        assert_eq!(futures::executor::block_on(gather((a, b))), (1, 2));
        let bad = rt.handle().spawn(async {
            if true {
                panic!("oh")
            }
        });
        let caught = catch_unwind(AssertUnwindSafe(|| {
            futures::executor::block_on(gather((bad,)))
        }));
        assert!(caught.is_err());
    });
}

// D5
#[test]
fn what_a_call_completes_decides_a_gather_behind_what_is_queued() {
    let deterministic = [0, 1, 2].map(|seed| Runtime::builder().deterministic(seed));
    for builder in deterministic
        .into_iter()
        .chain([Runtime::builder().current_thread()])
    {
        let runtime = builder.build().unwrap();
        let ended = guarded("decided by a call", move || {
            runtime.run(async {
                let task = stuck().await;
                let shadow = task.task_ref();
                let (_promise, future) = promise::<()>();
                let both = gather((task, future)).into_task();
                assert!(both.cancel());
                assert!(!both.is_finished(), "inside the call");
                assert!(catch_cancelled(both).await.is_err());
                assert!(shadow.is_cancelled(), "it was asked first");
            })
        });
        ended.unwrap();
    }
}
