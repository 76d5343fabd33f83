//! Cancel requests: counting, and where they arrive (rules C1-C21).

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use tasca::time::sleep;
use tasca::{Cancelled, Task, catch_cancelled, current_task, promise, spawn, yield_now};
use tasca_tests::{Counter, Kind, Log, everywhere, in_order, on_each, start};

/// Waits for ever, in a scope; gives the message of what it caught.
async fn caught() -> Option<String> {
    let cancelled = catch_cancelled(pending::<()>())
        .await
        .expect_err("the body waits for ever");
    cancelled.message().map(str::to_owned)
}

#[test]
fn a_request_arrives_where_the_task_is_suspended() {
    everywhere(|_| async {
        let task = start(caught()).await;
        assert!(task.cancel_with("lunch"));
        assert_eq!(task.await.as_deref(), Some("lunch"));
        let task = start(caught()).await;
        assert!(task.cancel());
        assert_eq!(task.await, None);
    });
}

#[test]
fn the_body_is_dropped_at_its_await_before_the_handler_runs() {
    everywhere(|_| async {
        let (promise, started) = promise();
        let drops = Counter::new();
        let held = drops.on_drop();
        let counted = drops.clone();
        let task = spawn(async move {
            let body = async {
                let _held = held;
                promise.set(()).unwrap();
                pending::<()>().await;
            };
            catch_cancelled(body).await.unwrap_err();
            counted.get()
        });
        started.await;
        assert_eq!(drops.get(), 0);
        task.cancel();
        assert_eq!(task.await, 1);
    });
}

#[test]
fn every_request_counts_and_uncancel_takes_one_back() {
    everywhere(|_| async {
        let task = spawn(async {
            let me = current_task().unwrap();
            assert_eq!(me.cancelling(), 0);
            assert_eq!(me.uncancel(), 0, "never below zero");
            me.cancel();
            me.cancel_with("second");
            assert_eq!(me.cancelling(), 2);
            assert_eq!(me.uncancel(), 1);
            let cancelled = catch_cancelled(pending::<()>()).await.unwrap_err();
            assert_eq!(
                cancelled.message(),
                Some("second"),
                "of requests that are only noted the last counts"
            );
            assert_eq!(me.cancelling(), 1, "delivery takes nothing back");
            me.uncancel()
        });
        assert_eq!((&task).await, &0);
        assert!(!task.is_cancelled());
        assert!(!task.cancel(), "it is done");
        assert_eq!(task.cancelling(), 0);
    });
}

#[test]
fn a_noted_request_is_forgotten_when_the_count_reaches_zero() {
    everywhere(|_| async {
        let task = spawn(async {
            let me = current_task().unwrap();
            me.cancel();
            assert_eq!(me.uncancel(), 0);
            catch_cancelled(yield_now()).await.is_ok()
        });
        assert!(task.await);
    });
}

#[test]
fn the_count_survives_the_end() {
    everywhere(|_| async {
        let task = spawn(pending::<()>());
        task.cancel();
        task.finished().await;
        assert_eq!(task.cancelling(), 1);
        assert_eq!(task.uncancel(), 0);
        assert!(task.is_cancelled(), "the number changes and nothing else");
    });
}

#[test]
fn a_task_cancelled_before_it_starts_never_runs() {
    in_order(&Kind::ONE_THREAD, |_| async {
        let (polls, drops) = (Counter::new(), Counter::new());
        let (counted, held) = (polls.clone(), drops.on_drop());
        let task = spawn(async move {
            let _held = held;
            counted.add();
        });
        assert!(task.cancel_with("first"));
        assert!(task.cancel_with("last"));
        assert!(
            !task.is_finished() && !task.is_cancelled(),
            "it ends at its turn (rule C21)"
        );
        let error = task.outcome().await.unwrap_err();
        assert_eq!(error.cancel_message(), Some("last"));
        assert_eq!((polls.get(), drops.get()), (0, 1));
    });
}

#[test]
fn a_task_that_cancels_itself_gets_it_at_its_next_suspension() {
    everywhere(|_| async {
        let log = Log::new();
        let task = spawn({
            let log = log.clone();
            async move {
                current_task().unwrap().cancel_with("self");
                log.say("goes on");
                let (promise, ready) = promise();
                promise.set(()).unwrap();
                ready.await;
                log.say("an await that does not suspend delivers nothing");
                yield_now().await;
                log.say("not reached");
            }
        });
        assert_eq!(
            task.outcome().await.unwrap_err().cancel_message(),
            Some("self")
        );
        assert_eq!(
            log.take(),
            ["goes on", "an await that does not suspend delivers nothing"]
        );
    });
}

#[test]
fn a_task_cancelled_at_its_very_end_is_cancelled_and_its_value_dropped() {
    everywhere(|_| async {
        let drops = Counter::new();
        let held = drops.on_drop();
        let task = spawn(async move {
            current_task().unwrap().cancel_with("at the end");
            held
        });
        let error = task.outcome().await.map(drop).unwrap_err();
        assert_eq!(error.cancel_message(), Some("at the end"));
        assert_eq!(drops.get(), 1);
    });
}

#[test]
fn a_panic_after_a_request_is_the_end() {
    everywhere(|_| async {
        let task = spawn(async {
            current_task().unwrap().cancel();
            panic!("instead");
        });
        let error = task.outcome().await.unwrap_err();
        assert_eq!(
            error.panic_text(),
            Some("instead"),
            "the request is forgotten (rule C8)"
        );
    });
}

#[test]
fn an_err_after_a_request_is_the_end_of_a_task_that_may_fail() {
    everywhere(|_| async {
        let fails = tasca::try_spawn(async {
            current_task().unwrap().cancel();
            Err::<(), _>("instead")
        });
        assert_eq!(
            fails.await,
            Err("instead"),
            "the request is forgotten (rule C8)"
        );
        let succeeds = tasca::try_spawn(async {
            current_task().unwrap().cancel_with("at the end");
            Ok::<_, ()>(1)
        });
        let error = succeeds.outcome().await.unwrap_err();
        assert_eq!(
            error.cancel_message(),
            Some("at the end"),
            "a value is not (rule C7)"
        );
    });
}

#[test]
fn a_cancel_wins_over_a_result_that_waits() {
    // On one thread the waiter cannot resume between the two calls.
    in_order(&Kind::ONE_THREAD, |_| async {
        let (promise, opened) = promise();
        let (start, started) = tasca::promise();
        let waiter = spawn(async move {
            start.set(()).unwrap();
            let ended = catch_cancelled((&opened).into_future()).await.copied();
            (
                ended.unwrap_err().message().map(str::to_owned),
                *opened.result().unwrap(),
            )
        });
        started.await;
        promise.set(5).unwrap();
        waiter.cancel_with("wins");
        let (message, value) = waiter.await;
        assert_eq!(message.as_deref(), Some("wins"));
        assert_eq!(value, 5, "the operand keeps its value for others");
    });
}

#[test]
fn a_cancel_wins_over_a_sleep_that_is_over() {
    on_each(&[Kind::Deterministic(0)], |_| async {
        let handle = tasca::Handle::current();
        let sleeper = spawn(sleep(Duration::from_secs(1)));
        let shadow = sleeper.task_ref();
        // Armed after the sleeper's own timer and due with it: its step is queued, and has not run.
        yield_now().await;
        handle.call_later(Duration::from_secs(1), move || assert!(shadow.cancel()));
        assert!(sleeper.outcome().await.unwrap_err().is_cancelled());
    });
}

#[test]
fn a_request_travels_down_a_chain_of_joins() {
    everywhere(|_| async {
        let mut outermost = start(pending::<()>()).await;
        let mut links = vec![outermost.task_ref()];
        for _ in 0..20 {
            outermost = start(outermost).await;
            links.push(outermost.task_ref());
        }
        assert!(outermost.cancel_with("all the way"));
        let error = outermost.outcome().await.unwrap_err();
        assert_eq!(error.cancel_message(), Some("all the way"));
        for link in links {
            assert!(link.is_cancelled(), "{link:?}");
            assert_eq!(link.cancelling(), 1);
        }
    });
}

#[test]
fn a_child_that_swallows_the_request_leaves_its_parent_running() {
    everywhere(|_| async {
        let child = start(caught()).await;
        let child_shadow = child.task_ref();
        let parent = start(async move {
            let message = child.await;
            yield_now().await;
            message
        })
        .await;
        parent.cancel_with("swallow this");
        let parent_shadow = parent.task_ref();
        assert_eq!(
            parent.await.as_deref(),
            Some("swallow this"),
            "the parent got the child's value"
        );
        assert!(!parent_shadow.is_cancelled() && !child_shadow.is_cancelled());
        assert_eq!(parent_shadow.cancelling(), 1, "the count stays raised");
    });
}

#[test]
fn everybody_who_waits_for_the_child_is_hit() {
    // Who gets the message is rule C16.
    everywhere(|_| async {
        let child = Arc::new(start(pending::<()>()).await);
        let mut waiters = Vec::new();
        for _ in 0..3 {
            let child = Arc::clone(&child);
            waiters.push(start(async move { *(&*child).await }).await);
        }
        waiters[1].cancel_with("one of three");
        for (index, waiter) in waiters.into_iter().enumerate() {
            let shadow = waiter.task_ref();
            let error = waiter.outcome().await.unwrap_err();
            assert!(error.is_cancelled());
            assert_eq!(shadow.cancelling(), usize::from(index == 1));
        }
        assert!(child.is_cancelled());
    });
}

/// Rules C3, D9: those who wait for one future wake in the order in which they began to wait, also if one of them was cancelled.
#[test]
fn d9_a_cancel_through_a_shared_future_wakes_its_waiters_in_their_order() {
    on_each(&[Kind::Deterministic(0)], |_| async {
        for victim in 0..3 {
            let (promise, future) = promise::<()>();
            let future = Arc::new(future);
            let log = Log::new();
            let mut waiters = Vec::new();
            for index in 0..3 {
                let (future, said) = (Arc::clone(&future), log.clone());
                let body = async move {
                    let caught = catch_cancelled(async { (&*future).await.to_owned() }).await;
                    said.say(format!("{index}: {}", caught.unwrap_err()));
                };
                waiters.push(start(body).await);
            }
            assert!(waiters[victim].cancel_with("m"));
            assert!(promise.is_cancelled());
            for waiter in waiters {
                waiter.await;
            }
            let expected: Vec<_> = (0..3)
                .map(|index| format!("{index}: cancelled: m"))
                .collect();
            assert_eq!(log.take(), expected, "{victim}");
        }
    });
}

#[test]
fn a_cancel_finds_its_end_where_a_gather_waits_for_its_own_task() {
    everywhere(|_| async {
        let (give, given) = promise::<Task<()>>();
        let task = start(async move {
            let [()] = tasca::gather([given.await]).await;
        })
        .await;
        let shadow = task.task_ref();
        give.set(task).unwrap();
        yield_now().await;
        assert!(shadow.cancel());
        shadow.finished().await;
        assert!(shadow.is_cancelled());
    });
}

#[test]
fn cancelling_a_waiter_cancels_a_promise_that_it_waits_for() {
    everywhere(|_| async {
        let (promise, opened) = promise::<u8>();
        let waiter = start(opened).await;
        waiter.cancel_with("through");
        let error = waiter.outcome().await.unwrap_err();
        assert_eq!(error.cancel_message(), Some("through"));
        assert!(promise.is_cancelled());
        assert_eq!(promise.set(1), Err(1));
    });
}

#[test]
fn the_end_of_a_parent_says_nothing_to_its_children() {
    everywhere(|_| async {
        let (promise, told) = promise();
        let (release, released) = tasca::promise::<()>();
        let (start, started) = tasca::promise();
        let parent = spawn(async move {
            drop(spawn(async move {
                released.await;
                promise.set("unharmed").unwrap();
            }));
            start.set(()).unwrap();
            pending::<()>().await;
        });
        started.await;
        parent.cancel();
        parent.finished().await;
        release.set(()).unwrap();
        assert_eq!(told.await, "unharmed");
    });
}

#[test]
fn awaiting_what_others_cancelled_can_be_handled_like_an_error() {
    everywhere(|_| async {
        let child = spawn(pending::<()>());
        let shadow = child.task_ref();
        let parent = spawn(async move {
            let cancelled = catch_cancelled(child).await.unwrap_err();
            yield_now().await;
            cancelled.message().map(str::to_owned)
        });
        yield_now().await;
        shadow.cancel_with("child only");
        assert_eq!((&parent).await.as_deref(), Some("child only"));
        assert_eq!(parent.cancelling(), 0);
    });
}

#[test]
fn two_tasks_that_wait_for_each_other_can_be_cancelled() {
    everywhere(|_| async {
        let (give_a, take_a) = promise::<Task<()>>();
        let (give_b, take_b) = promise::<Task<()>>();
        let a = start(async move { take_b.await.await }).await;
        let b = start(async move { take_a.await.await }).await;
        let (a_shadow, b_shadow) = (a.task_ref(), b.task_ref());
        drop((give_a.set(a), give_b.set(b)));
        for _ in 0..10 {
            yield_now().await;
        }
        assert!(a_shadow.cancel_with("ring"));
        a_shadow.finished().await;
        b_shadow.finished().await;
        assert!(a_shadow.is_cancelled() && b_shadow.is_cancelled());
    });
}

#[test]
fn a_raised_cancellation_needs_no_request() {
    everywhere(|_| async {
        let task = spawn(async { Cancelled::with_message("own idea").reraise::<u8>().await });
        let shadow = task.task_ref();
        let error = task.outcome().await.unwrap_err();
        assert_eq!(error.cancel_message(), Some("own idea"));
        assert_eq!(shadow.cancelling(), 0);
    });
}
