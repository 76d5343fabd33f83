//! The rules of time-out scopes (T), each by its name.

use std::future::{pending, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use tasca_combinators::{Elapsed, TaskGroup, TimeoutScope, timeout, timeout_at};
use tasca_core::time::sleep;
use tasca_core::{
    Expiry, Handle, Runtime, catch_cancelled, current_task, promise, spawn, yield_now,
};

use crate::guard::guarded;
use crate::{LONG, SHORT, everywhere, in_order, settle};

fn cancelling() -> usize {
    current_task().unwrap().cancelling()
}

// T1, T17
#[test]
fn when_the_deadline_passes_it_fails_and_takes_its_request_back() {
    everywhere(|| async {
        let scope = TimeoutScope::after(SHORT);
        let handle = scope.clone();
        assert!(!handle.expired() && handle.when().is_some());
        assert!(scope.run(pending::<()>()).await.is_err());
        assert!(handle.expired());
        assert_eq!(cancelling(), 0);
        yield_now().await;
    });
}

// T2
#[test]
fn the_scope_whose_deadline_passes_converts() {
    everywhere(|| async {
        let inner = async { timeout(LONG, pending::<()>()).await };
        assert!(timeout(SHORT, inner).await.is_err());
        let outer = async { timeout(SHORT, pending::<()>()).await };
        assert_eq!(
            timeout(LONG, outer).await,
            Ok(timeout(SHORT, pending::<()>()).await)
        );
    });
}

// T3, T16
#[test]
fn an_error_of_the_body_passes() {
    everywhere(|| async {
        let body = async {
            if catch_cancelled(pending::<()>()).await.is_err() {
                return Err("other");
            }
            Ok(())
        };
        assert_eq!(timeout(SHORT, body).await, Ok(Err("other")));
        assert_eq!(cancelling(), 0);
    });
}

// T4
#[test]
fn a_body_that_swallows_it_succeeds_late() {
    everywhere(|| async {
        let scope = TimeoutScope::after(SHORT);
        let handle = scope.clone();
        let body = async {
            assert!(catch_cancelled(pending::<()>()).await.is_err());
            5
        };
        assert_eq!(scope.run(body).await, Ok(5));
        assert!(handle.expired());
        assert_eq!(cancelling(), 0);
    });
}

// T5, T13
#[test]
fn a_count_that_stood_before_does_not_hide_its_own_expiry() {
    everywhere(|| async {
        let task = spawn(async {
            current_task().unwrap().cancel();
            assert!(catch_cancelled(yield_now()).await.is_err());
            assert_eq!(cancelling(), 1);
            assert_eq!(
                timeout(SHORT, pending::<()>()).await,
                timeout(SHORT, pending()).await
            );
            cancelling()
        });
        assert_eq!(task.await, 1);
    });
}

// T6, T18
#[test]
fn a_cancel_from_outside_passes_through() {
    everywhere(|| async {
        let (begun, has_begun) = promise();
        let task = spawn(async move {
            begun.set(()).unwrap();
            timeout(LONG, pending::<()>()).await
        });
        has_begun.await;
        settle().await;
        task.cancel_with("out");
        assert_eq!(
            task.outcome().await.unwrap_err().cancel_message(),
            Some("out")
        );
    });
}

// T7
#[test]
fn deadline_and_outside_cancel_together_are_a_cancellation() {
    everywhere(|| async {
        let task = spawn(async {
            let scope = TimeoutScope::after(SHORT);
            let body = async {
                assert!(catch_cancelled(pending::<()>()).await.is_err());
                // The deadline has passed; now somebody else asks as well.
                current_task().unwrap().cancel_with("out");
                pending::<()>().await;
            };
            let caught = catch_cancelled(scope.run(body)).await;
            (caught.is_err(), cancelling())
        });
        assert_eq!(task.await, (true, 1));
    });
}

// T8
#[test]
fn without_a_limit_it_never_expires() {
    everywhere(|| async {
        let scope = TimeoutScope::never();
        assert_eq!(scope.when(), None);
        assert_eq!(scope.run(sleep(SHORT)).await, Ok(()));
    });
}

// T9
#[test]
fn a_deadline_that_is_past_does_not_disturb_a_body_that_never_suspends() {
    everywhere(|| async {
        assert_eq!(timeout(Duration::ZERO, async { 1 }).await, Ok(1));
        let past = Handle::current().time();
        assert!(timeout_at(past, pending::<()>()).await.is_err());
    });
}

// T9
#[test]
fn a_deadline_that_is_past_is_delivered_at_the_first_suspension() {
    in_order(async {
        assert!(timeout(Duration::ZERO, yield_now()).await.is_err());
    });
}

// T10
#[test]
fn the_deadline_can_be_changed_while_it_runs() {
    in_order(async {
        let scope = TimeoutScope::after(Duration::from_secs(1));
        let handle = scope.clone();
        let start = Handle::current().time();
        let ended = scope.run(async {
            handle.reschedule_after(Duration::from_secs(5)).unwrap();
            sleep(Duration::from_secs(3)).await;
            handle.reschedule(None).unwrap();
            sleep(Duration::from_secs(30)).await;
            handle.reschedule(Some(start)).unwrap();
            pending::<()>().await;
        });
        assert!(ended.await.is_err());
        assert_eq!(Handle::current().time() - start, Duration::from_secs(33));
    });
}

// T11
#[test]
fn a_scope_that_does_not_run_or_has_expired_keeps_its_deadline() {
    everywhere(|| async {
        let scope = TimeoutScope::after(SHORT);
        assert!(scope.reschedule(None).is_err());
        let handle = scope.clone();
        let body = async {
            assert!(catch_cancelled(pending::<()>()).await.is_err());
            assert!(handle.reschedule(None).is_err());
        };
        scope.clone().run(body).await.unwrap();
        assert!(scope.reschedule(None).is_err());
        let in_time = TimeoutScope::after(LONG);
        in_time.clone().run(async {}).await.unwrap();
        assert!(in_time.reschedule(None).is_err());
    });
}

// T12
#[test]
fn of_nested_scopes_with_one_deadline_the_outermost_fails() {
    everywhere(|| async {
        let deadline = Handle::current().time() + SHORT;
        let inner = async {
            let caught = catch_cancelled(timeout_at(deadline, pending::<()>())).await;
            caught.unwrap_err().reraise::<()>().await;
        };
        assert!(timeout_at(deadline, inner).await.is_err());
        assert_eq!(cancelling(), 0);
    });
}

// T12
#[test]
fn of_nested_scopes_with_one_limit_the_outermost_fails() {
    everywhere(|| async {
        let inner = || async {
            timeout(SHORT, pending::<()>()).await.unwrap_err();
            unreachable!("the inner scope has passed a cancellation");
        };
        let both = async { futures::join!(inner(), inner()) };
        assert_eq!(
            timeout(SHORT, both).await,
            Err(timeout(SHORT, pending::<()>()).await.unwrap_err())
        );
        assert_eq!(cancelling(), 0);
    });
}

// H4
#[test]
fn its_timer_comes_before_those_of_the_body_with_the_same_deadline() {
    in_order(async {
        let deadline = Handle::current().time() + SHORT;
        let scope = TimeoutScope::at(deadline);
        let (handle, (tell, told)) = (scope.clone(), promise());
        let body = async {
            let look = move || tell.set(handle.expired()).unwrap();
            let _timer = Handle::current().call_at(deadline, look);
            pending::<()>().await;
        };
        assert!(scope.run(body).await.is_err());
        assert!(told.await, "the timer of the body came first");
    });
}

// T12
#[test]
fn a_scope_ends_no_later_than_those_that_its_body_begins_with_the_same_limit() {
    everywhere(|| async {
        let [mut outer, mut first, mut second] = [LONG; 3].map(Expiry::after);
        outer.enter();
        first.enter();
        first.suspend();
        second.enter();
        second.suspend();
        outer.suspend();
        assert!(outer.deadline() <= first.deadline());
        assert!(first.deadline() <= second.deadline());
        let mut later = Expiry::after(LONG);
        later.enter();
        later.suspend();
        assert!(second.deadline() <= later.deadline());
    });
}

#[test]
fn a_limit_counts_from_no_later_than_what_begins_after_it() {
    fn begin() -> Expiry {
        let mut scope = Expiry::after(LONG);
        scope.enter();
        scope.suspend();
        scope
    }
    everywhere(|| async {
        let scope = begin();
        let mut later = Box::pin(sleep(LONG));
        assert!(poll_once(&mut later).await.is_pending());
        assert!(scope.deadline().is_some());
        assert!(scope.deadline() <= later.deadline());
        let scope = begin();
        let later = Handle::current().time() + LONG;
        assert!(scope.deadline().is_some_and(|deadline| deadline <= later));
    });
}

#[test]
fn what_is_left_of_a_limit_counts_in_the_task_that_a_scope_moves_to() {
    everywhere(|| async {
        let mut scope = Expiry::after(LONG);
        scope.enter();
        scope.suspend();
        let deadline = scope.deadline();
        assert!(deadline.is_some_and(|deadline| deadline <= Handle::current().time() + LONG));
        let moved = spawn(async move {
            scope.suspend();
            scope.deadline()
        });
        assert_eq!(moved.await, deadline);
    });
}

// T14
#[test]
fn a_scope_works_in_the_clean_up_after_another() {
    everywhere(|| async {
        let body = async {
            assert!(catch_cancelled(pending::<()>()).await.is_err());
            timeout(SHORT, pending::<()>()).await.unwrap_err()
        };
        let _elapsed: Elapsed = timeout(SHORT, body).await.unwrap();
        assert_eq!(cancelling(), 0);
    });
}

// T15
#[test]
fn a_group_inside_is_cancelled_like_any_body() {
    everywhere(|| async {
        let group = TaskGroup::<()>::scope(async |group| {
            let _detached = group.spawn(pending::<()>());
        });
        assert!(timeout(SHORT, group).await.is_err());
        assert_eq!(cancelling(), 0);
    });
}

#[test]
fn a_panic_of_the_body_leaves_no_request_behind() {
    everywhere(|| async {
        let task = spawn(async {
            timeout(SHORT, async {
                assert!(catch_cancelled(pending::<()>()).await.is_err());
                panic!("in the clean-up")
            })
            .await
        });
        let shadow = task.task_ref();
        assert!(task.outcome().await.unwrap_err().is_panic());
        assert_eq!(shadow.cancelling(), 0);
    });
}

// T18
#[test]
fn one_that_is_left_before_its_expiry_has_run_is_left_in_time() {
    in_order(async {
        let scope = TimeoutScope::never();
        let handle = scope.clone();
        let (go, going) = promise();
        let task = spawn(async move {
            let ended = scope.run(going).await;
            yield_now().await;
            (ended, cancelling())
        });
        yield_now().await;
        // The task's next step is queued before the expiry.
        go.set(1).unwrap();
        handle.reschedule(Some(Handle::current().time())).unwrap();
        assert!(!handle.expired());
        assert_eq!(task.await, (Ok(1), 0));
        assert!(!handle.expired());
    });
}

// M10, T4
#[test]
fn a_foreign_future_that_ends_with_the_deadline_leaves_no_request_behind() {
    in_order(async {
        let scope = TimeoutScope::never();
        let handle = scope.clone();
        // Not one of this library's, so it knows nothing of a cancellation that waits to be delivered.
        let (go, going) = futures::channel::oneshot::channel();
        let task = spawn(async move {
            let ended = scope.run(going).await;
            yield_now().await;
            (ended, cancelling())
        });
        yield_now().await;
        handle.reschedule(Some(Handle::current().time())).unwrap();
        while !handle.expired() {
            yield_now().await;
        }
        // The task has been asked, and has not taken its next step.
        go.send(1).unwrap();
        assert_eq!(task.await, (Ok(Ok(1)), 0));
    });
}

#[test]
fn a_scope_that_moves_to_another_task_cancels_that_one() {
    in_order(async {
        let mut scope = Box::pin(timeout(SHORT, pending::<()>()));
        assert!(poll_once(&mut scope).await.is_pending());
        let moved = spawn(async move { (scope.await, cancelling()) });
        assert_eq!(sleep_uncancelled(SHORT + SHORT).await, 0);
        assert_eq!(
            moved.await,
            (Err(timeout(SHORT, pending::<()>()).await.unwrap_err()), 0)
        );
    });
}

#[test]
fn a_scope_that_is_dropped_does_not_expire() {
    everywhere(|| async {
        let mut scope = Box::pin(timeout(SHORT, pending::<()>()));
        assert!(poll_once(&mut scope).await.is_pending());
        drop(scope);
        assert_eq!(sleep_uncancelled(SHORT + SHORT).await, 0);
    });
}

// M9
#[test]
fn no_request_is_left_behind_when_body_and_deadline_end_together() {
    guarded("no request is left behind when body and deadline", || {
        let runtime = Runtime::builder()
            .multi_thread()
            .worker_threads(4)
            .build()
            .unwrap();
        let ended = runtime.run(async {
            // Held up now and then, so that timers are fired by others than the workers that armed them.
            let blocker = spawn(async {
                loop {
                    std::thread::sleep(Duration::from_millis(3));
                    yield_now().await;
                }
            });
            let tasks = (0..8_u64).map(|n| {
                spawn(async move {
                    for round in 0..300 {
                        let limit = Duration::from_micros((n * 37 + round * 11) % 150);
                        let _either = timeout(limit, timeout(limit, sleep(limit))).await;
                        assert_eq!(cancelling(), 0);
                        // A request that was left behind would be delivered here.
                        yield_now().await;
                    }
                })
            });
            for task in tasks.collect::<Vec<_>>() {
                task.await;
            }
            blocker.cancel();
        });
        ended.unwrap();
    });
}

/// Sleeps; gives the number of requests that stand then. Panics if it is cancelled.
async fn sleep_uncancelled(delay: Duration) -> usize {
    catch_cancelled(sleep(delay)).await.unwrap();
    cancelling()
}

async fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(Pin::new(&mut *future).poll(cx))).await
}
