//! Done-callbacks (rules D5-D9, D11, D14, X4).

use std::sync::Arc;

use parking_lot::Mutex;
use tasca::{Context, ContextVar, Trouble, current_task, promise, spawn};
use tasca_tests::{Counter, Kind, Log, everywhere, guarded, in_order};

#[test]
fn a_callback_is_called_once_with_the_task_however_it_ends() {
    everywhere(|_| async {
        for how in ["value", "panic", "cancel"] {
            let (promise, told) = promise();
            let count = Counter::new();
            let counted = count.clone();
            let task = spawn(async move {
                match how {
                    "value" => {}
                    "panic" => panic!("seen below"),
                    _ => std::future::pending().await,
                }
            });
            task.add_done_callback(move |task| {
                counted.add();
                promise.set((task.clone(), task.is_finished())).unwrap();
            });
            if how == "cancel" {
                task.cancel();
            }
            assert_eq!(told.await, (task.task_ref(), true));
            assert_eq!(task.is_cancelled(), how == "cancel");
            assert_eq!(task.is_panicked(), how == "panic");
            drop(task.outcome().await);
            assert_eq!(count.get(), 1);
        }
    });
}

#[test]
fn callbacks_are_called_in_the_order_of_their_registration_one_after_the_other() {
    everywhere(|_| async {
        let (promise, opened) = promise::<()>();
        let task = spawn(opened);
        let order = Arc::new(Mutex::new(Vec::new()));
        for index in 0..100 {
            let order = Arc::clone(&order);
            task.add_done_callback(move |_| order.try_lock().expect("one at a time").push(index));
        }
        let (last, told) = tasca::promise();
        task.add_done_callback(move |_| last.set(()).unwrap());
        promise.set(()).unwrap();
        told.await;
        task.await;
        let order = order.lock();
        assert!(order.is_sorted(), "{order:?}");
        assert_eq!(order.len(), 100);
    });
}

#[test]
fn a_callback_is_never_called_inside_the_call_that_completes() {
    in_order(&Kind::ONE_THREAD, |_| async {
        let log = Log::new();
        let (promise, task) = promise::<()>();
        let (done, told) = tasca::promise();
        {
            let log = log.clone();
            task.add_done_callback(move |_| {
                log.say("callback");
                done.set(()).unwrap();
            });
        }
        log.say("before");
        promise.set(()).unwrap();
        log.say("after");
        told.await;
        assert_eq!(log.take(), ["before", "after", "callback"]);
    });
}

#[test]
fn a_callback_on_a_task_that_is_done_is_called_soon() {
    in_order(&Kind::ONE_THREAD, |_| async {
        let task = spawn(async {});
        (&task).await;
        let log = Log::new();
        let (promise, told) = promise();
        {
            let log = log.clone();
            task.add_done_callback(move |_| {
                log.say("callback");
                promise.set(()).unwrap();
            });
        }
        log.say("registered");
        told.await;
        assert_eq!(log.take(), ["registered", "callback"]);
    });
}

#[test]
fn a_removed_callback_is_not_called_and_the_others_keep_their_order() {
    everywhere(|_| async {
        let (promise, opened) = promise::<()>();
        let task = spawn(opened);
        let log = Log::new();
        let ids: Vec<_> = (0..5)
            .map(|index| {
                let log = log.clone();
                task.add_done_callback(move |_| log.say(index.to_string()))
            })
            .collect();
        assert!(task.remove_done_callback(ids[3]));
        assert!(task.remove_done_callback(ids[0]));
        assert!(!task.remove_done_callback(ids[0]), "it is gone");
        let (last, told) = tasca::promise();
        task.add_done_callback(move |_| last.set(()).unwrap());
        promise.set(()).unwrap();
        told.await;
        assert_eq!(log.take(), ["1", "2", "4"]);
        assert!(!task.remove_done_callback(ids[1]), "it was called");
    });
}

#[test]
fn a_removed_callback_is_dropped_at_once() {
    everywhere(|_| async {
        let drops = Counter::new();
        let (promise, task) = promise::<()>();
        let held = drops.on_drop();
        let id = task.add_done_callback(move |_| drop(held));
        assert_eq!(drops.get(), 0);
        assert!(task.remove_done_callback(id));
        assert_eq!(drops.get(), 1);
        promise.set(()).unwrap();
    });
}

#[test]
fn callbacks_may_register_remove_and_complete() {
    everywhere(|_| async {
        let (first, task) = promise::<()>();
        let (second, other) = promise::<u8>();
        let (third, told) = promise::<&str>();
        task.add_done_callback(move |task| {
            second.set(1).unwrap();
            task.add_done_callback(move |_| third.set("from within").unwrap());
        });
        first.set(()).unwrap();
        assert_eq!(other.await, 1);
        assert_eq!(told.await, "from within");
    });
}

#[test]
fn a_panic_in_a_callback_is_reported_and_the_others_are_called() {
    everywhere(|problems| async move {
        let (promise, task) = promise::<()>();
        let count = Counter::new();
        let (last, told) = tasca::promise();
        let counted = count.clone();
        task.add_done_callback(move |_| counted.add());
        task.add_done_callback(|_| panic!("in a callback"));
        let counted = count.clone();
        task.add_done_callback(move |_| counted.add());
        task.add_done_callback(move |_| last.set(()).unwrap());
        promise.set(()).unwrap();
        told.await;
        assert_eq!(count.get(), 2);
        problems.expect_one(Trouble::CallbackPanicked, "in a callback");
        task.await;
    });
}

#[test]
fn a_callback_runs_in_the_context_of_its_registration() {
    static WHERE: ContextVar<&str> = ContextVar::new("where");
    everywhere(|_| async {
        let _token = WHERE.set("registered");
        let (opener, opened) = promise::<()>();
        let (promise, seen) = promise();
        // Completed in another context.
        let completer = spawn(async move {
            let _token = WHERE.set("completer");
            opened.await;
        });
        completer.add_done_callback(move |_| {
            let value = WHERE.get();
            let _token = WHERE.set("changed");
            promise.set(value).unwrap();
        });
        let _token = WHERE.set("later");
        opener.set(()).unwrap();
        assert_eq!(seen.await, Some("registered"));
        assert_eq!(WHERE.get(), Some("later"), "the callback had a copy");
        completer.await;
        drop(Context::current());
    });
}

#[test]
fn a_callback_registered_outside_any_runtime_is_called_on_the_tasks_runtime() {
    guarded(
        "a callback registered outside any runtime is called on",
        || {
            let (runtime, _) = tasca_tests::runtime(Kind::MultiThread(2));
            let (opener, opened) = promise::<()>();
            let task = runtime.handle().spawn(opened);
            let (sender, receiver) = std::sync::mpsc::channel();
            task.add_done_callback(move |_| {
                sender
                    .send((
                        current_task().is_none(),
                        tasca::Handle::try_current().is_some(),
                    ))
                    .unwrap();
            });
            opener.set(()).unwrap();
            assert_eq!(receiver.recv_timeout(tasca_tests::HANG), Ok((true, true)));
        },
    );
}
