//! The rules of `as_completed` (A), each by its name.

use futures::StreamExt;
use tasca_combinators::as_completed;
use tasca_core::{Task, catch_cancelled, promise, spawn};

use crate::{SHORT, everywhere, in_order, settle, stuck};

// A1, A3
#[test]
fn tasks_come_in_the_order_in_which_they_end() {
    everywhere(|| async {
        let promises: [_; 3] = std::array::from_fn(|_| promise::<usize>());
        let (promises, tasks): (Vec<_>, Vec<_>) = promises.into_iter().unzip();
        let mut ended = as_completed(tasks);
        for (index, promise) in promises.into_iter().enumerate().rev() {
            promise.set(index).unwrap();
            assert_eq!(ended.next().await.unwrap().await, index);
        }
        assert!(StreamExt::next(&mut ended).await.is_none());
    });
}

// A2, A10
#[test]
fn a_failure_surfaces_when_the_item_is_awaited_and_the_stream_goes_on() {
    everywhere(|| async {
        let cancelled = stuck().await;
        cancelled.cancel();
        let ended = as_completed([cancelled, spawn(async {})]);
        let mut n_failed = 0;
        for _ in 0..2 {
            let task = ended.next().await.unwrap();
            n_failed += usize::from(catch_cancelled(task).await.is_err());
        }
        assert_eq!(n_failed, 1);
        assert!(ended.next().await.is_none());
    });
}

// A4, A5, A11
#[test]
fn after_the_timeout_what_had_ended_comes_first_then_one_failure_for_each_that_had_not() {
    everywhere(|| async {
        let (quick, slow) = (spawn(async {}), stuck().await);
        quick.finished().await;
        let ended = as_completed([&quick, &slow]).timeout(SHORT);
        tasca_core::time::sleep(SHORT * 3).await;
        assert!(ended.next().await.unwrap().unwrap().is_finished());
        assert!(ended.next().await.unwrap().is_err());
        assert!(ended.next().await.is_none());
        assert_eq!(slow.cancelling(), 0);
        slow.cancel();
    });
}

// A5
#[test]
fn dropping_the_stream_cancels_nothing() {
    everywhere(|| async {
        let task = stuck().await;
        drop(as_completed([&task]));
        settle().await;
        assert_eq!(task.cancelling(), 0);
        task.cancel();
    });
}

// A6
#[test]
fn repeated_operands_count_once() {
    everywhere(|| async {
        let task = spawn(async {});
        let ended = as_completed([&task, &task]);
        assert!(ended.next().await.is_some());
        assert!(ended.next().await.is_none());
    });
}

// A7
#[test]
fn without_operands_it_is_exhausted_at_once() {
    everywhere(|| async {
        let mut none = as_completed(Vec::<Task<()>>::new());
        assert!(StreamExt::next(&mut none).await.is_none());
    });
}

// A8
#[test]
fn those_that_are_done_at_the_call_come_in_the_order_of_the_arguments() {
    in_order(async {
        let tasks = [1, 2, 3].map(|n| spawn(async move { n }));
        settle().await;
        let outputs: Vec<i32> = as_completed(tasks).then(|task| task).collect().await;
        assert_eq!(outputs, [1, 2, 3]);
    });
}

// A9
#[test]
fn several_tasks_may_wait_and_are_served_in_their_order() {
    in_order(async {
        let (a, b) = (promise(), promise());
        let ended = std::sync::Arc::new(as_completed([a.1, b.1]));
        let [first, second] = [(), ()].map(|()| {
            let ended = std::sync::Arc::clone(&ended);
            spawn(async move { ended.next().await.unwrap().await })
        });
        settle().await;
        b.0.set("b").unwrap();
        settle().await;
        a.0.set("a").unwrap();
        assert_eq!((first.await, second.await), ("b", "a"));
    });
}

// A13
#[test]
fn a_next_that_is_dropped_has_used_up_its_turn() {
    everywhere(|| async {
        let (set, is_set) = promise();
        let ended = as_completed([is_set, spawn(std::future::pending())]);
        let mut next = Box::pin(ended.next());
        assert!(futures::poll!(&mut next).is_pending());
        drop(next);
        set.set(()).unwrap();
        assert!(ended.next().await.is_some());
        assert!(ended.next().await.is_none());
    });
}
