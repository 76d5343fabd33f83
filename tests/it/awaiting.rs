//! Waiting for tasks, and asking them for their results (design section 2; rules D1-D13).

use std::future::pending;
use std::sync::Arc;

use futures::FutureExt;
use tasca::{ResultError, Task, catch_cancelled, current_task, promise, spawn, yield_now};
use tasca_tests::{
    Bomb, Counter, Gate, Kind, everywhere, guarded, on_each, panic_of, panic_text, runtime, start,
};

#[test]
fn an_await_gives_the_value() {
    everywhere(|_| async {
        assert_eq!(spawn(async { 42 }).await, 42);
        let text = spawn(async {
            yield_now().await;
            String::from("later")
        });
        assert_eq!(text.await, "later");
    });
}

#[test]
fn a_reference_waits_without_consuming() {
    everywhere(|_| async {
        let task = spawn(async { String::from("kept") });
        assert_eq!((&task).await, "kept");
        assert_eq!((&task).await, "kept");
        assert_eq!(task.await, "kept");
    });
}

#[test]
fn any_number_of_tasks_wait_for_one() {
    everywhere(|_| async {
        let (promise, opened) = promise::<()>();
        let task = Arc::new(spawn(async move {
            opened.await;
            7
        }));
        let waiters: Vec<_> = (0..50)
            .map(|_| {
                let task = Arc::clone(&task);
                spawn(async move { *(&*task).await })
            })
            .collect();
        yield_now().await;
        promise.set(()).unwrap();
        for waiter in waiters {
            assert_eq!(waiter.await, 7);
        }
        assert_eq!(
            Arc::into_inner(task).expect("the waiters are done").await,
            7
        );
    });
}

#[test]
fn waiters_are_woken_in_the_order_in_which_they_came() {
    let (runtime, _) = runtime(Kind::Deterministic(0));
    let log = tasca_tests::Log::new();
    runtime.block_on(async {
        let (promise, opened) = promise::<()>();
        let opened = Arc::new(opened);
        let mut waiters = Vec::new();
        for index in 0..5 {
            let (waited_for, own_log) = (Arc::clone(&opened), log.clone());
            waiters.push(spawn(async move {
                (&*waited_for).await;
                own_log.say(format!("waiter {index}"));
            }));
            if index == 2 {
                // Registered between two tasks, called between them (rule D9).
                yield_now().await;
                let log = log.clone();
                opened.add_done_callback(move |_| log.say("callback"));
            }
        }
        yield_now().await;
        promise.set(()).unwrap();
        for waiter in waiters {
            waiter.await;
        }
    });
    assert_eq!(
        log.take(),
        [
            "waiter 0", "waiter 1", "waiter 2", "callback", "waiter 3", "waiter 4"
        ]
    );
}

#[test]
fn a_result_is_asked_for_as_often_as_one_likes() {
    everywhere(|_| async {
        let (promise, opened) = promise::<()>();
        let task = spawn(async move {
            opened.await;
            5
        });
        assert!(matches!(task.result(), Err(ResultError::InvalidState)));
        assert_eq!(
            task.result().unwrap_err().to_string(),
            "the task is not done"
        );
        promise.set(()).unwrap();
        (&task).await;
        assert_eq!(task.result().unwrap(), &5);
        assert_eq!(task.result().unwrap(), &5);

        let panicked = Task::builder().name("p").spawn(async { panic!("oh no") });
        panicked.finished().await;
        let error = panicked.result().unwrap_err();
        assert_eq!(error.to_string(), "task 'p' panicked: oh no");
    });
}

/// Rule C16: on the deterministic runtime the message goes to the first who asks, as in asyncio; elsewhere to everybody.
#[test]
fn c16_the_message_of_a_cancelled_task_is_given_once_or_to_everybody() {
    for kind in Kind::ALL {
        on_each(&[kind], |_| async move {
            let later = match kind {
                Kind::Deterministic(_) => None,
                Kind::CurrentThread | Kind::MultiThread(_) => Some("why"),
            };
            let message = |task: &Task<()>| match task.result() {
                Err(ResultError::Failed(error)) => error.cancel_message().map(str::to_owned),
                _ => unreachable!("it was cancelled"),
            };
            let by_result = start(pending::<()>()).await;
            by_result.cancel_with("why");
            by_result.finished().await;
            // Questions about the state do not count as asking.
            assert!(by_result.is_cancelled());
            assert_eq!(message(&by_result).as_deref(), Some("why"));
            assert_eq!(message(&by_result).as_deref(), later);
            let last = by_result.outcome().await.unwrap_err();
            assert_eq!(last.cancel_message(), later);

            let by_await = start(pending::<()>()).await;
            by_await.cancel_with("why");
            let caught = catch_cancelled(async { (&by_await).await }).await;
            assert_eq!(caught.unwrap_err().message(), Some("why"));
            let caught = catch_cancelled(async { (&by_await).await }).await;
            assert_eq!(caught.unwrap_err().message(), later);

            // One that ended by C7, and a future that was cancelled, say it every time.
            let at_end = start(async {
                current_task().unwrap().cancel_with("why");
            });
            let at_end = at_end.await;
            at_end.finished().await;
            let (promise, future) = promise::<()>();
            future.cancel_with("why");
            for _ in 0..2 {
                assert_eq!(message(&at_end).as_deref(), Some("why"));
                assert_eq!(message(&future).as_deref(), Some("why"));
            }
            drop(promise);
        });
    }
}

/// Rule C24.
#[test]
fn c24_a_task_that_awaits_itself_panics_instead_of_hanging() {
    everywhere(|problems| async move {
        let awaits_itself = |how: fn(Task<()>) -> futures::future::BoxFuture<'static, ()>| async move {
            let (give, given) = promise::<Task<()>>();
            let task = spawn(async move { how(given.await).await });
            let shadow = task.task_ref();
            give.set(task).unwrap();
            let (told, ended) = promise();
            shadow.add_done_callback(move |task| told.set(task.is_panicked()).unwrap());
            assert!(ended.await);
        };
        awaits_itself(|me| me.boxed()).await;
        awaits_itself(|me| async move { (&me).await.to_owned() }.boxed()).await;
        awaits_itself(|me| async move { me.finished().await }.boxed()).await;
        awaits_itself(|me| async move { drop(me.outcome().await) }.boxed()).await;
        for report in problems.wait(4) {
            let expected = "a task cannot await itself: it would wait for ever";
            assert_eq!(report.text.as_deref(), Some(expected));
        }
    });
}

/// Rule C24: the error comes one entry later, and a cancellation before it.
#[test]
fn c24_a_cancellation_comes_before_the_error_of_awaiting_oneself() {
    on_each(&[Kind::Deterministic(0)], |_| async {
        let (give, given) = promise::<Task<()>>();
        let task = spawn(async move {
            let me = given.await;
            let caught = catch_cancelled(async { (&me).await.to_owned() }).await;
            assert_eq!(caught.unwrap_err().message(), Some("first"));
        });
        let shadow = task.task_ref();
        yield_now().await;
        give.set(task).unwrap();
        yield_now().await;
        assert!(shadow.cancel_with("first"));
        shadow.finished().await;
        assert!(!shadow.is_panicked() && !shadow.is_cancelled());
    });
}

#[test]
fn an_outcome_is_the_end_as_a_value() {
    everywhere(|_| async {
        assert_eq!(spawn(async { 1 }).outcome().await.unwrap(), 1);

        let task = Task::builder().name("late").spawn(pending::<()>());
        task.cancel_with("enough");
        let error = task.outcome().await.unwrap_err();
        assert!(error.is_cancelled() && !error.is_panic());
        assert_eq!(error.cancel_message(), Some("enough"));
        assert_eq!(error.task_name(), "late");
        assert_eq!(error.spawned_at().file(), file!());
        assert!(error.into_panic().is_err());

        let task = spawn(async { std::panic::panic_any(17_u32) });
        let error = task.outcome().await.unwrap_err();
        assert!(error.is_panic() && !error.is_cancelled());
        assert_eq!(error.panic_text(), None);
        assert_eq!(*error.into_panic().unwrap().downcast::<u32>().unwrap(), 17);
    });
}

#[test]
fn an_err_is_a_value_like_any_other() {
    everywhere(|_| async {
        let task = spawn(async { Err::<u8, _>("refused") });
        assert_eq!(task.await, Err("refused"));
    });
}

#[test]
fn a_panic_goes_on_in_the_awaiting_task() {
    everywhere(|_| async {
        let outer = spawn(async { spawn(async { panic!("inner") }).await });
        let error = outer.outcome().await.unwrap_err();
        assert_eq!(error.panic_text(), Some("inner"));
        // The payload itself, not a copy of its text.
        let outer = spawn(async { spawn(async { std::panic::panic_any(3_i8) }).await });
        let payload = outer.outcome().await.unwrap_err().into_panic().unwrap();
        assert_eq!(*payload.downcast::<i8>().unwrap(), 3);
    });
}

#[test]
fn waiters_by_reference_of_a_panic_panic_with_its_text() {
    everywhere(|_| async {
        let task = Arc::new(
            Task::builder()
                .name("root")
                .spawn(async { panic!("cause") }),
        );
        for _ in 0..2 {
            let task = Arc::clone(&task);
            let waiter = spawn(async move { *(&*task).await });
            let error = waiter.outcome().await.unwrap_err();
            assert_eq!(error.panic_text(), Some("task 'root' panicked: cause"));
        }
    });
}

#[test]
fn a_cancellation_is_raised_in_the_awaiting_task() {
    everywhere(|_| async {
        let (promise, opened) = promise::<()>();
        let inner = spawn(async move {
            promise.set(()).unwrap();
            pending::<()>().await;
        });
        let shadow = inner.task_ref();
        let outer = spawn(inner);
        opened.await;
        shadow.cancel_with("by a third party");
        let outer_shadow = outer.task_ref();
        let error = outer.outcome().await.unwrap_err();
        assert_eq!(error.cancel_message(), Some("by a third party"));
        assert_eq!(
            outer_shadow.cancelling(),
            0,
            "nobody asked the outer one to stop (rule C15)"
        );
    });
}

#[test]
fn a_dropped_handle_detaches() {
    everywhere(|_| async {
        let (promise, told) = promise();
        drop(spawn(async move {
            yield_now().await;
            promise.set("went on").unwrap();
        }));
        assert_eq!(told.await, "went on");
    });
}

#[test]
fn an_output_that_nobody_takes_is_dropped_once() {
    let drops = Counter::new();
    let seen = drops.clone();
    everywhere(move |_| {
        let drops = drops.clone();
        async move {
            let before = drops.get();
            let value = drops.on_drop();
            let task = spawn(async move { value });
            task.finished().await;
            assert_eq!(drops.get(), before, "it is kept for the owner");
            drop(task);
            assert_eq!(drops.get(), before + 1);
            // Detached before it is done: the task drops it.
            let (promise, ended) = promise();
            let value = drops.on_drop();
            let task = spawn(async move { value });
            task.add_done_callback(move |_| promise.set(()).unwrap());
            drop(task);
            ended.await;
        }
    });
    assert_eq!(seen.get(), 2 * Kind::ALL.len());
}

#[test]
fn finished_waits_for_the_end_and_touches_nothing() {
    everywhere(|_| async {
        let task = spawn(async { String::from("value") });
        let shadow = task.task_ref();
        let watchers: Vec<_> = (0..3)
            .map(|_| {
                let shadow = shadow.clone();
                spawn(async move { shadow.finished().await })
            })
            .collect();
        for watcher in watchers {
            watcher.await;
        }
        assert!(shadow.is_finished());
        assert_eq!(task.await, "value");
        shadow.finished().await;
    });
}

#[test]
fn a_task_is_awaited_on_another_runtime_and_on_a_foreign_executor() {
    guarded("a task is awaited on another runtime and on", || {
        let (ours, _) = runtime(Kind::MultiThread(2));
        let (theirs, _) = runtime(Kind::CurrentThread);
        let gate = Gate::new();
        let behind = gate.clone();
        let task = ours.handle().spawn(async move {
            behind.wait();
            1
        });
        let other = theirs.block_on(async move {
            let waiter = spawn(task);
            yield_now().await;
            gate.open();
            waiter.await
        });
        assert_eq!(other, 1);
        let task = ours.handle().spawn(async { 2 });
        assert_eq!(futures::executor::block_on(task), 2);
        let task = ours.handle().spawn(async { 3 });
        assert_eq!(futures::executor::block_on(task.outcome()).unwrap(), 3);
    });
}

#[test]
fn a_cancelled_task_awaited_outside_any_task_panics_and_says_what_to_do() {
    let (runtime, _) = runtime(Kind::MultiThread(1));
    let task = runtime.handle().spawn(pending::<()>());
    task.cancel();
    let text = guarded("foreign", move || {
        panic_of(|| futures::executor::block_on(task))
    });
    assert!(
        text.contains("outside any task") && text.contains("outcome()"),
        "{text}"
    );
    let task = runtime.handle().spawn(pending::<()>());
    task.cancel();
    assert!(
        futures::executor::block_on(task.outcome())
            .unwrap_err()
            .is_cancelled()
    );
}

#[test]
fn joins_that_lose_a_race_leave_no_waiter_behind() {
    everywhere(|_| async {
        let (promise, opened) = promise::<()>();
        let task = spawn(opened);
        for _ in 0..1000 {
            let by_reference = (&task).into_future();
            let _lost = futures::future::select(by_reference, yield_now()).await;
            drop(futures::future::select(Box::pin(task.finished()), yield_now()).await);
        }
        promise.set(()).unwrap();
        task.await;
    });
}

#[test]
fn a_panic_payload_whose_drop_panics_harms_nobody() {
    everywhere(|_| async {
        let task = spawn(async { std::panic::panic_any(Bomb("payload")) });
        task.finished().await;
        let error = task.outcome().await.unwrap_err();
        drop(error);
        let caught = std::panic::catch_unwind(|| panic!("control"));
        assert_eq!(panic_text(&*caught.unwrap_err()), "control");
    });
}
