//! `catch_cancelled`, `reraise` and `finally`: the handler and its clean-up (rules C11-C13, C22).

use std::future::pending;
use std::time::Duration;

use futures::future::{Either, select};
use tasca::sync::Event;
use tasca::time::sleep;
use tasca::{
    Cancelled, Runtime, catch_cancelled, current_task, finally, promise, spawn, yield_now,
};
use tasca_tests::{Counter, Kind, Log, everywhere, guarded, panic_of, start};

#[test]
fn a_scope_without_a_cancellation_gives_the_value() {
    everywhere(|_| async {
        assert_eq!(catch_cancelled(async { 1 }).await, Ok(1));
        let task = spawn(async { catch_cancelled(yield_now()).await.is_ok() });
        assert!(task.await);
    });
}

#[test]
fn clean_up_with_awaits_is_not_cancelled_again() {
    everywhere(|_| async {
        let (promise, opened) = promise();
        let task = start(async {
            let cancelled = catch_cancelled(pending::<()>()).await.unwrap_err();
            for _ in 0..10 {
                yield_now().await;
            }
            sleep(Duration::from_millis(1)).await;
            let text = opened.await;
            (text, cancelled.message().map(str::to_owned))
        })
        .await;
        task.cancel_with("once");
        yield_now().await;
        promise.set("clean").unwrap();
        assert_eq!(task.await, ("clean", Some("once".to_owned())));
    });
}

#[test]
fn a_second_request_cancels_the_clean_up() {
    everywhere(|_| async {
        let (promise, cleaning) = promise();
        let task = start(async move {
            let first = catch_cancelled(pending::<()>()).await.unwrap_err();
            let clean_up = async {
                promise.set(()).unwrap();
                pending::<()>().await;
            };
            let second = catch_cancelled(clean_up).await.unwrap_err();
            let me = current_task().unwrap();
            (first.to_string(), second.to_string(), me.cancelling())
        })
        .await;
        task.cancel_with("first");
        cleaning.await;
        task.cancel_with("second");
        let expected = (
            "cancelled: first".to_owned(),
            "cancelled: second".to_owned(),
            2,
        );
        assert_eq!(task.await, expected);
    });
}

#[test]
fn the_innermost_scope_gets_the_request_and_raises_it_to_the_next() {
    everywhere(|_| async {
        let log = Log::new();
        let said = log.clone();
        let task = start(async move {
            let inner = async {
                let cancelled = catch_cancelled(pending::<()>()).await.unwrap_err();
                said.say(format!("inner: {cancelled}"));
                yield_now().await;
                cancelled.reraise::<()>().await;
                unreachable!("what follows a reraise does not run");
            };
            let cancelled = catch_cancelled(inner).await.unwrap_err();
            said.say(format!("outer: {cancelled}"));
            cancelled.reraise::<()>().await;
        })
        .await;
        task.cancel_with("up");
        let error = task.outcome().await.unwrap_err();
        assert_eq!(error.cancel_message(), Some("up"));
        assert_eq!(log.take(), ["inner: cancelled: up", "outer: cancelled: up"]);
    });
}

#[test]
fn another_cancellation_may_be_raised_instead() {
    everywhere(|_| async {
        let task = start(async {
            catch_cancelled(pending::<()>()).await.unwrap_err();
            Cancelled::with_message("translated").reraise::<()>().await;
        })
        .await;
        task.cancel_with("original");
        let error = task.outcome().await.unwrap_err();
        assert_eq!(error.cancel_message(), Some("translated"));
    });
}

#[test]
fn a_reaction_that_fails_is_the_end() {
    everywhere(|_| async {
        let task = start(async {
            catch_cancelled(pending::<()>()).await.unwrap_err();
            panic!("in the handler");
        })
        .await;
        task.cancel();
        let error = task.outcome().await.unwrap_err();
        assert_eq!(error.panic_text(), Some("in the handler"));
    });
}

#[test]
fn a_scope_that_ends_in_the_same_poll_takes_nothing() {
    everywhere(|_| async {
        // The leaf that was waited for is ready when the request arrives beside it: only what is pending is cancelled.
        let task = start(async {
            let first = catch_cancelled(pending::<()>()).await;
            let second = catch_cancelled(async { 5 }).await;
            (first.is_err(), second)
        })
        .await;
        task.cancel();
        assert_eq!(task.await, (true, Ok(5)));
    });
}

#[test]
fn a_raise_that_loses_a_select_takes_it_back() {
    everywhere(|_| async {
        let task = spawn(async {
            let raising = Cancelled::with_message("lost").reraise::<u8>();
            let value = match select(raising, std::future::ready(7)).await {
                Either::Left((value, _)) => value,
                Either::Right((value, raising)) => {
                    drop(raising);
                    value
                }
            };
            yield_now().await;
            catch_cancelled(yield_now())
                .await
                .expect("nothing is raised");
            value
        });
        assert_eq!(task.await, 7);
    });
}

#[test]
fn an_awaited_cancelled_task_that_loses_a_select_takes_it_back() {
    everywhere(|_| async {
        let child = spawn(pending::<()>());
        child.cancel();
        child.finished().await;
        let task = spawn(async move {
            match select(child, std::future::ready(8)).await {
                Either::Right((value, child)) => {
                    drop(child);
                    yield_now().await;
                    value
                }
                Either::Left(_) => unreachable!("the child was cancelled"),
            }
        });
        assert_eq!(task.await, 8);
    });
}

#[test]
fn a_raise_outside_any_task_panics() {
    let text = panic_of(|| futures::executor::block_on(Cancelled::new().reraise::<()>()));
    assert!(text.contains("outside any task"), "{text}");
}

#[test]
fn a_request_wins_in_every_branch_of_a_join() {
    everywhere(|_| async {
        let drops = Counter::new();
        let (one, two) = (drops.on_drop(), drops.on_drop());
        let task = start(async move {
            let left = async {
                let _one = one;
                pending::<()>().await;
            };
            let right = async {
                let _two = two;
                sleep(Duration::from_secs(3600)).await;
            };
            catch_cancelled(futures::future::join(left, right))
                .await
                .is_err()
        })
        .await;
        task.cancel();
        assert!(task.await);
        assert_eq!(drops.get(), 2);
    });
}

#[test]
fn only_one_of_two_scopes_side_by_side_takes_the_request() {
    everywhere(|_| async {
        let task = start(async {
            let (caught, over) = (Counter::new(), Event::new());
            let scope = async || {
                if catch_cancelled(over.wait()).await.is_err() {
                    caught.add();
                    over.set();
                }
            };
            futures::future::join(scope(), scope()).await;
            caught.get()
        })
        .await;
        task.cancel();
        assert_eq!(task.await, 1, "delivery is once");
    });
}

#[test]
fn finally_runs_after_value_panic_and_cancellation() {
    everywhere(|_| async {
        for how in ["value", "panic", "cancel"] {
            let count = Counter::new();
            let counted = count.clone();
            let body = async move {
                match how {
                    "value" => 1,
                    "panic" => panic!("from the body"),
                    _ => pending().await,
                }
            };
            let task = start(finally(body, async move {
                yield_now().await;
                counted.add();
            }))
            .await;
            if how == "cancel" {
                task.cancel_with("stop");
            }
            let ended = task.outcome().await;
            assert_eq!(count.get(), 1, "{how}");
            match how {
                "value" => assert_eq!(ended.unwrap(), 1),
                "panic" => assert_eq!(ended.unwrap_err().panic_text(), Some("from the body")),
                _ => assert_eq!(ended.unwrap_err().cancel_message(), Some("stop")),
            }
        }
    });
}

#[test]
fn finally_blocks_run_from_the_inside_out() {
    everywhere(|_| async {
        let log = Log::new();
        let (inner, outer) = (log.clone(), log.clone());
        let task = start(finally(
            finally(pending::<()>(), async move {
                yield_now().await;
                inner.say("inner");
            }),
            async move {
                yield_now().await;
                outer.say("outer");
            },
        ))
        .await;
        task.cancel();
        assert!(task.outcome().await.unwrap_err().is_cancelled());
        assert_eq!(log.take(), ["inner", "outer"]);
    });
}

#[test]
fn scopes_work_in_the_future_of_block_on() {
    guarded("scopes work in the future of block on", || {
        let runtime = Runtime::new().unwrap();
        let text = runtime.block_on(async {
            let me = current_task().expect("the future of block_on is a task");
            me.cancel_with("by itself");
            catch_cancelled(pending::<()>())
                .await
                .unwrap_err()
                .to_string()
        });
        assert_eq!(text, "cancelled: by itself");
    });
}

/// What takes a cancellation is polled again when it is woken, not before: a leaf that stood back is gone with its scope.
#[test]
fn a_scope_that_took_a_cancellation_is_not_polled_once_more() {
    tasca_tests::on_each(&[Kind::Deterministic(0)], |_| async {
        let polls = Counter::new();
        let counted = polls.clone();
        let (told, gate) = promise::<()>();
        let task = start(async move {
            catch_cancelled(sleep(Duration::from_secs(9)))
                .await
                .unwrap_err();
            let mut gate = gate;
            std::future::poll_fn(|cx| {
                counted.add();
                std::pin::Pin::new(&mut gate).poll(cx)
            })
            .await;
        })
        .await;
        yield_now().await;
        assert!(task.cancel());
        for _ in 0..5 {
            yield_now().await;
        }
        assert_eq!(polls.get(), 1);
        told.set(()).unwrap();
        task.await;
        assert_eq!(polls.get(), 2);
    });
}

/// A leaf beside the scope that took the cancellation stood back as well, and nothing else wakes it.
#[test]
fn a_leaf_beside_the_scope_that_took_the_cancellation_is_polled_again() {
    everywhere(|_| async {
        let (told, gate) = promise();
        let task = start(async move {
            let caught = std::pin::pin!(catch_cancelled(pending::<()>()));
            // The gate is polled first, and stands back.
            futures::future::join(gate, caught).await
        })
        .await;
        yield_now().await;
        let shadow = task.task_ref();
        told.set(3).unwrap();
        shadow.cancel();
        let (value, caught) = task.await;
        assert_eq!(value, 3);
        assert!(caught.is_err());
    });
}

#[test]
fn a_request_that_was_taken_back_leaves_no_poll_behind() {
    tasca_tests::on_each(&[Kind::Deterministic(0)], |_| async {
        let polls = Counter::new();
        let counted = polls.clone();
        let task = start(async move {
            let me = current_task().unwrap();
            me.cancel();
            me.uncancel();
            std::future::poll_fn(|_| {
                counted.add();
                std::task::Poll::<()>::Pending
            })
            .await;
        })
        .await;
        for _ in 0..5 {
            yield_now().await;
        }
        assert_eq!(polls.get(), 1);
        task.cancel();
        task.finished().await;
    });
}

#[test]
fn a_task_is_given_to_a_scope_as_it_is() {
    everywhere(|_| async {
        let task = start(pending::<()>()).await;
        let shadow = task.task_ref();
        shadow.cancel_with("seen");
        let caught = catch_cancelled(task).await.unwrap_err();
        assert_eq!(caught.message(), Some("seen"));
        let kept = spawn(async { 4 });
        assert_eq!(*finally(&kept, yield_now()).await, 4);
    });
}
