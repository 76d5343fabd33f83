//! Cancel requests against polls, the end, and what the task waits for.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use loom::thread;

use crate::explore::{three_threads, two_busy_threads, two_threads};
use crate::runners::{Flag, Runners, Touched, panic_quietly, waker_of};
use crate::scope::catch_cancelled;
use crate::task::cancel;
use crate::task::current::{self, Current};
use crate::task::error::TaskError;
use crate::task::expiry::{self, ExpiryId, Left};
use crate::task::handle::Task;
use crate::task::leaf::yield_now;
use crate::task::promise::promise;
use crate::task::weak::WeakTask;

/// The end of a task that is done.
fn end_of<T>(task: &Task<T>) -> Result<&T, &TaskError> {
    assert!(task.is_finished());
    task.result().map_err(|error| match error {
        crate::task::error::ResultError::Failed(error) => error,
        other => panic!("{other}"),
    })
}

/// A request against the poll that suspends: the future is dropped once, on one side, and the task ends cancelled. Catches a
/// request that is not noted on a running task, an end of a poll that does not settle it, and a holder who is not alone.
#[test]
fn a_request_during_a_poll_arrives() {
    two_busy_threads(|| {
        let runners = Runners::new();
        let task = runners.spawn(pending::<()>());
        let runner = runners.run_elsewhere(|| ());
        assert!(task.cancel());
        runners.run();
        runner.join().expect("no panic");
        assert!(end_of(&task).is_err_and(TaskError::is_cancelled));
    });
}

/// A request against the poll that completes: if it was accepted the task ends cancelled (rule C7), if refused with its
/// value; never both, never neither. Catches a completion that overtakes a request.
#[test]
fn a_request_is_refused_or_ends_the_task() {
    two_threads(|| {
        let runners = Runners::new();
        let task = runners.spawn(async { Touched::new() });
        let runner = runners.run_elsewhere(|| ());
        let accepted = task.cancel_with("stop");
        runners.run();
        runner.join().expect("no panic");
        match end_of(&task) {
            Ok(value) => {
                assert!(!accepted, "a request was lost");
                value.touch();
            }
            Err(error) => {
                assert!(accepted && error.is_cancelled());
                assert_eq!(error.cancel_message(), Some("stop"));
            }
        }
    });
}

/// A request to a task that waits for another, against the end of that other: the request is passed on, or
/// arrives at the waiter; the handle of the other is not used after it has gone. Catches a note that is read by
/// someone who is not the holder, and a refusal that is not delivered at the waiter.
#[test]
fn a_request_that_is_passed_on_meets_the_end_of_the_awaited() {
    two_busy_threads(|| {
        let runners = Runners::new();
        let flag = Flag::new();
        let inner = runners.spawn(flag.wait());
        let inner_waker = waker_of(&inner);
        let outer = runners.spawn(inner);
        runners.run_queued();
        let runner = runners.run_elsewhere(move || {
            flag.set();
            inner_waker.wake();
        });
        let accepted = outer.cancel();
        runners.run();
        runner.join().expect("no panic");
        assert_eq!(end_of(&outer).is_err_and(TaskError::is_cancelled), accepted);
    });
}

/// The same by reference, where the awaited task is done or detached while the request is on its way. Catches the same on
/// the list of waiters.
#[test]
fn a_request_that_is_passed_on_by_reference() {
    two_busy_threads(|| {
        let runners = Runners::new();
        let flag = Flag::new();
        let inner = runners.spawn(flag.wait());
        let inner_waker = waker_of(&inner);
        let outer = runners.spawn(async move {
            (&inner).await;
        });
        runners.run_queued();
        let runner = runners.run_elsewhere(move || {
            flag.set();
            inner_waker.wake();
        });
        let accepted = outer.cancel();
        runners.run();
        runner.join().expect("no panic");
        assert_eq!(end_of(&outer).is_err_and(TaskError::is_cancelled), accepted);
    });
}

/// A waker of a task that somebody holds in order to cancel what it waits for: the wake is not lost. Catches a canceller
/// that lets go without looking at what came in meanwhile.
#[test]
fn a_wake_while_the_task_is_held_by_a_canceller() {
    two_busy_threads(|| {
        let runners = Runners::new();
        let (flag, stubborn) = (Flag::new(), Flag::new());
        let (ignored, outside) = (stubborn.wait(), flag.wait());
        // Takes the request and goes on.
        let inner = runners.spawn(async move {
            swallow(ignored).await;
        });
        let inner_waker = waker_of(&inner);
        let outer = runners.spawn(async move {
            let mut inner = std::pin::pin!(inner.outcome());
            let mut outside = std::pin::pin!(outside);
            std::future::poll_fn(|cx| {
                if outside.as_mut().poll(cx).is_ready() {
                    return std::task::Poll::Ready(());
                }
                inner.as_mut().poll(cx).map(|_| ())
            })
            .await;
        });
        let outer_waker = waker_of(&outer);
        runners.run_queued();
        let runner = thread::spawn({
            let runners = runners.clone();
            move || {
                flag.set();
                outer_waker.wake();
                runners.run_queued();
            }
        });
        let accepted = outer.cancel();
        runners.run_queued();
        runner.join().expect("no panic");
        runners.run_queued();
        assert!(outer.is_finished(), "a wake or a request was lost");
        if !accepted {
            assert!(end_of(&outer).is_ok());
        }
        stubborn.set();
        inner_waker.wake();
        runners.run();
    });
}

/// Never lets a request through: for the model above.
async fn swallow(until: impl Future<Output = ()>) {
    let mut until = std::pin::pin!(until);
    std::future::poll_fn(|cx| {
        let task = current::with(Current::task);
        if let Some(task) = task {
            // What a scope does with a request that it takes.
            drop(cancel::take_delivery(task));
        }
        until.as_mut().poll(cx)
    })
    .await;
}

/// Two requests at once are counted twice and delivered once. Catches a count outside the lock.
#[test]
fn two_requests_are_counted_twice_and_arrive_once() {
    three_threads(|| {
        let runners = Runners::new();
        let task = runners.spawn(pending::<()>());
        runners.run_queued();
        let canceller = thread::spawn({
            let task = task.task_ref();
            move || task.cancel_with("one")
        });
        let runner = runners.run_elsewhere(|| ());
        let accepted = usize::from(task.cancel_with("other"))
            + usize::from(canceller.join().expect("no panic"));
        runners.run();
        runner.join().expect("no panic");
        assert!(accepted > 0);
        assert_eq!(task.cancelling(), accepted);
        assert!(end_of(&task).is_err_and(TaskError::is_cancelled));
    });
}

/// A request without a message, which the state word alone may tell of, against one with a message: both are counted, the task
/// is cancelled once, and what it waits for next it waits for in peace. Catches two requests that stand side by side, one in
/// the word and one in the side block.
#[test]
fn a_bare_request_meets_one_with_a_message() {
    two_busy_threads(|| {
        let runners = Runners::new();
        let flag = Flag::new();
        let after = flag.wait();
        let task = runners.spawn(async move {
            let ended = catch_cancelled(pending::<()>()).await;
            after.await;
            ended.is_err()
        });
        let waker = waker_of(&task);
        runners.run_queued();
        let canceller = thread::spawn({
            let task = task.task_ref();
            move || task.cancel_with("why")
        });
        assert!(task.cancel());
        assert!(canceller.join().expect("no panic"));
        runners.run_queued();
        assert_eq!(task.cancelling(), 2);
        assert!(!task.is_finished(), "a request came twice");
        flag.set();
        waker.wake();
        runners.run();
        assert!(end_of(&task).is_ok_and(|was_cancelled| *was_cancelled));
    });
}

/// A request without a message against somebody who asks for the number of requests: it is counted from the moment it is made, and
/// once. Catches a look at the side block alone, and a request that is moved there while it is looked at.
#[test]
fn a_bare_request_is_counted_by_who_looks() {
    two_busy_threads(|| {
        let runners = Runners::new();
        let task = runners.spawn(pending::<()>());
        runners.run_queued();
        let other = thread::spawn({
            let task = task.task_ref();
            move || task.cancelling()
        });
        assert!(task.cancel());
        assert_eq!(task.cancelling(), 1);
        assert!(other.join().expect("no panic") <= 1);
        runners.run();
        assert_eq!(task.cancelling(), 1);
        assert!(end_of(&task).is_err_and(TaskError::is_cancelled));
    });
}

/// A request before the first poll: the body never runs, whoever comes first to the queue. Catches a first poll that does
/// not look.
#[test]
fn a_request_before_the_first_poll_drops_the_future_unpolled() {
    two_threads(|| {
        let runners = Runners::new();
        let task = runners.spawn(async {
            unreachable!("cancelled before it began");
        });
        assert!(task.cancel());
        let runner = runners.run_elsewhere(|| ());
        runners.run();
        runner.join().expect("no panic");
        let task: Task<()> = task;
        assert!(end_of(&task).is_err_and(TaskError::is_cancelled));
    });
}

/// A panic in a poll against a wake and a request: the task ends as panicked or, if the request stood before its first
/// poll, cancelled; its future is dropped once; nobody else hears of it. Catches a completion that leaves flags behind.
#[test]
fn a_panic_meets_a_wake_and_a_request() {
    two_busy_threads(|| {
        let runners = Runners::new();
        let task = runners.spawn(async {
            panic_quietly();
        });
        let waker = waker_of(&task);
        let runner = runners.run_elsewhere(|| ());
        waker.wake();
        let accepted = task.cancel();
        runners.run();
        runner.join().expect("no panic");
        let task: Task<()> = task;
        let error = end_of(&task).expect_err("it has no value");
        assert!(error.is_panic() || (accepted && error.is_cancelled()));
        drop(task);
        assert_eq!(runners.reports(), [], "it was seen");
    });
}

/// A request that is taken back against the poll that would deliver it: it arrives or it does not, and the count is right.
/// Catches a request that is forgotten in one place and kept in the other.
#[test]
fn a_request_that_is_taken_back() {
    two_busy_threads(|| {
        let runners = Runners::new();
        let flag = Flag::new();
        let task = runners.spawn(flag.wait());
        let waker = waker_of(&task);
        runners.run_queued();
        let runner = thread::spawn({
            let runners = runners.clone();
            move || runners.run_queued()
        });
        assert!(task.cancel());
        assert_eq!(task.uncancel(), 0);
        flag.set();
        waker.wake();
        runners.run();
        runner.join().expect("no panic");
        assert!(task.is_finished());
        assert_eq!(task.cancelling(), 0);
    });
}

/// A request to a task that waits for a promise, which is kept at the same moment; the task takes the request back and waits for
/// something else: what was taken back does not come there. Catches a canceller that lets go of the task, finds
/// the promise kept, and notes its request anew whatever has happened since.
#[test]
fn a_request_that_was_taken_back_does_not_come_back() {
    two_busy_threads(|| {
        let runners = Runners::new();
        let (promise, told) = promise::<()>();
        let took_back = Arc::new(AtomicBool::new(false));
        let task = runners.spawn({
            let took_back = Arc::clone(&took_back);
            async move {
                let _ended = catch_cancelled(told).await;
                let task = current::with(Current::task).expect("a task runs this");
                // As a scope does that is left.
                if cancel::cancelling(task) > 0 {
                    cancel::uncancel(task);
                    took_back.store(true, Ordering::Relaxed);
                }
                yield_now().await;
            }
        });
        runners.run_queued();
        let runner = runners.run_elsewhere(move || {
            // Fails if the request has come first.
            let _kept = promise.set(());
        });
        task.cancel();
        runners.run();
        runner.join().expect("no panic");
        let has_ended_cancelled = end_of(&task).is_err();
        assert!(!(has_ended_cancelled && took_back.load(Ordering::Relaxed)));
    });
}

/// A deadline that passes against the end of the scope that set it, and then a wait for something else: the scope takes back what was
/// counted, or keeps it from being counted, and nothing comes later. Catches a side that does not look whether the other has
/// been there, and a request that is not taken back.
#[test]
fn a_deadline_meets_the_end_of_its_scope() {
    two_busy_threads(|| {
        let runners = Runners::new();
        let id = ExpiryId {
            queue: 1,
            slot: 0,
            number: 1,
        };
        let flag = Flag::new();
        let body = flag.wait();
        let task = runners.spawn(async move {
            let ended = catch_cancelled(body).await;
            let task = current::with(Current::task).expect("a task runs this");
            let left = expiry::leave(task, id, 0);
            if left == Left::InTime {
                assert!(ended.is_ok(), "nobody else has asked");
            }
            yield_now().await;
        });
        let (weak, waker) = (WeakTask::of(task.ptr()), waker_of(&task));
        runners.run_queued();
        let runner = runners.run_elsewhere(move || {
            flag.set();
            waker.wake();
        });
        cancel::expire(weak, id);
        runners.run();
        runner.join().expect("no panic");
        assert!(end_of(&task).is_ok(), "a request outlived its scope");
        assert_eq!(task.cancelling(), 0);
    });
}
