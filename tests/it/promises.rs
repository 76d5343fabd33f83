//! Tasks that are completed by hand (rules D1-D4, C20).

use std::sync::Arc;

use tasca::{Trouble, promise, spawn, yield_now};
use tasca_tests::{Counter, everywhere, panic_of};

#[test]
fn a_promise_gives_its_value_to_everybody() {
    everywhere(|_| async {
        let (promise, task) = promise::<String>();
        let task = Arc::new(task);
        let waiters: Vec<_> = (0..5)
            .map(|_| {
                let task = Arc::clone(&task);
                spawn(async move { (&*task).await.clone() })
            })
            .collect();
        yield_now().await;
        assert!(!task.is_finished());
        promise.set(String::from("kept")).unwrap();
        assert!(task.is_finished(), "it takes effect in the call");
        for waiter in waiters {
            assert_eq!(waiter.await, "kept");
        }
    });
}

#[test]
fn a_promise_is_kept_from_any_thread() {
    everywhere(|_| async {
        let (promise, task) = promise();
        let thread = std::thread::spawn(move || promise.set(9));
        assert_eq!(task.await, 9);
        assert_eq!(thread.join().unwrap(), Ok(()));
    });
}

#[test]
fn a_cancelled_promise_is_done_at_once_and_takes_no_value() {
    everywhere(|_| async {
        let (promise, task) = promise::<u8>();
        assert!(!promise.is_cancelled());
        assert!(task.cancel_with("no need"));
        assert!(task.is_finished() && task.is_cancelled() && promise.is_cancelled());
        assert!(!task.cancel(), "it is done");
        assert_eq!(promise.set(1), Err(1));
        let error = task.outcome().await.unwrap_err();
        assert_eq!(error.cancel_message(), Some("no need"));
    });
}

#[test]
fn a_kept_promise_is_not_cancelled_any_more() {
    everywhere(|_| async {
        let (promise, task) = promise();
        promise.set(3).unwrap();
        assert!(!task.cancel());
        assert_eq!(task.await, 3);
    });
}

#[test]
fn a_dropped_promise_cancels_with_a_message() {
    everywhere(|_| async {
        let (promise, task) = promise::<u8>();
        drop(promise);
        let error = task.outcome().await.unwrap_err();
        assert_eq!(error.cancel_message(), Some("the promise was dropped"));
    });
}

#[test]
fn a_promise_may_panic_instead() {
    everywhere(|problems| async move {
        let (promise, task) = promise::<u8>();
        promise.set_panic(Box::new("by hand")).unwrap();
        assert!(task.is_panicked());
        let waiter = spawn(task);
        assert_eq!(
            waiter.outcome().await.unwrap_err().panic_text(),
            Some("by hand")
        );
        // Nobody sees this one.
        let (promise, task) = tasca::promise::<u8>();
        promise.set_panic(Box::new("unseen")).unwrap();
        drop(task);
        problems.expect_one(Trouble::TaskPanicked, "unseen");
    });
}

#[test]
fn a_value_that_nobody_takes_is_dropped() {
    everywhere(|_| async {
        let drops = Counter::new();
        let (promise, task) = promise();
        drop(task);
        drop(promise.set(drops.on_drop()));
        assert_eq!(drops.get(), 1);
        let (promise, task) = tasca::promise();
        drop(promise.set(drops.on_drop()));
        assert_eq!(drops.get(), 1);
        drop(task);
        assert_eq!(drops.get(), 2);
    });
}

#[test]
fn promises_work_without_any_runtime() {
    let (promise, task) = promise();
    let (called, told) = std::sync::mpsc::channel();
    task.add_done_callback(move |task| called.send(task.is_finished()).unwrap());
    promise.set(4).unwrap();
    assert_eq!(told.recv(), Ok(true));
    assert_eq!(task.result().unwrap(), &4);
    assert_eq!(futures::executor::block_on(task), 4);
    let (promise, task) = tasca::promise::<u8>();
    drop(promise);
    let text = panic_of(|| futures::executor::block_on(task));
    assert!(text.contains("the promise was dropped"), "{text}");
}
