//! Rules Q1 to Q14.

use std::pin::pin;
use std::sync::Arc;

use tasca_core::{spawn, yield_now};
use tasca_sync::queue::{QueueOf, Store};
use tasca_sync::{
    GetNowaitError, LifoQueue, PriorityQueue, PutError, PutNowaitError, Queue, QueueShutDown,
    TaskDoneError,
};

use crate::{Trace, cycles, everywhere, exactly, poll_once};

fn drain<S: Store<Item = u32>>(queue: &QueueOf<S>) -> Vec<u32> {
    for n in [2, 3, 1] {
        queue.put_nowait(n).expect("room");
    }
    std::iter::from_fn(|| queue.get_nowait().ok()).collect()
}

#[test]
fn q1_first_in_first_out() {
    assert_eq!(drain(&Queue::unbounded()), [2, 3, 1]);
}

#[test]
fn q2_the_other_two_give_the_youngest_and_the_smallest() {
    assert_eq!(drain(&LifoQueue::unbounded()), [1, 3, 2]);
    assert_eq!(drain(&PriorityQueue::bounded(3)), [1, 2, 3]);
}

#[test]
fn q3_put_waits_while_the_queue_is_full_and_zero_means_no_bound() {
    everywhere(|| async {
        let queue = Queue::bounded(1);
        assert_eq!(poll_once(pin!(queue.put(1))).await, Some(Ok(())));
        assert!(queue.is_full());
        let mut second = pin!(queue.put(2));
        assert!(poll_once(second.as_mut()).await.is_none());
        assert_eq!(queue.get().await, Ok(1));
        assert_eq!(poll_once(second).await, Some(Ok(())));
        let endless = Queue::bounded(0);
        for n in 0..100 {
            assert_eq!(poll_once(pin!(endless.put(n))).await, Some(Ok(())));
        }
        assert!(!endless.is_full());
        assert_eq!((endless.len(), endless.maxsize()), (100, 0));
    });
}

#[test]
fn q4_the_forms_that_never_wait_fail() {
    let queue = Queue::bounded(1);
    assert_eq!(queue.get_nowait(), Err(GetNowaitError::Empty));
    queue.put_nowait("a").expect("room");
    let error = queue.put_nowait("b").unwrap_err();
    assert!(error.is_full());
    assert_eq!(error, PutNowaitError::Full("b"));
    assert_eq!(error.into_item(), "b");
    assert_eq!(queue.get_nowait(), Ok("a"));
    assert!(queue.is_empty());
}

#[test]
fn q5_a_get_resumes_when_an_item_is_put_and_a_put_when_one_is_taken() {
    everywhere(|| async {
        let queue = Arc::new(Queue::bounded(1));
        let consumer = spawn({
            let queue = Arc::clone(&queue);
            async move {
                let mut sum = 0;
                for _ in 0..100 {
                    sum += queue.get().await.expect("open");
                }
                sum
            }
        });
        for n in 0..100 {
            queue.put(n).await.expect("open");
        }
        assert_eq!(consumer.await, 4950);
    });
}

fn getter(trace: &Trace, queue: &Arc<Queue<u32>>, name: &'static str) -> tasca_core::Task<()> {
    let (got, queue) = (trace.clone(), Arc::clone(queue));
    trace.spawn(name, async move {
        match queue.get().await {
            Ok(item) => got.log(item.to_string()),
            Err(QueueShutDown { .. }) => got.log("shut down"),
        }
    })
}

fn putter(trace: &Trace, queue: &Arc<Queue<u32>>, name: &'static str) -> tasca_core::Task<()> {
    let (put, queue) = (trace.clone(), Arc::clone(queue));
    trace.spawn(name, async move {
        if let Err(PutError(item)) = queue.put(9).await {
            put.log(format!("shut down: {item}"));
        }
    })
}

#[test]
fn q6_getters_and_putters_are_woken_in_order_one_for_each_item_or_place() {
    exactly(|trace| async move {
        let queue = Arc::new(Queue::bounded(2));
        let tasks = ["a", "b"].map(|name| getter(&trace, &queue, name));
        cycles(1).await;
        trace.log("put");
        queue.put_nowait(1).expect("room");
        cycles(2).await;
        queue.put_nowait(2).expect("room");
        for task in tasks {
            task.await;
        }
        trace.expect(&[("put", 0), ("1", 1), ("a", 1), ("2", 3), ("b", 3)]);
        let queue = Arc::new(Queue::bounded(1));
        queue.put_nowait(0).expect("room");
        let tasks = ["c", "d"].map(|name| putter(&trace, &queue, name));
        cycles(1).await;
        trace.log("get");
        assert_eq!(queue.get_nowait(), Ok(0));
        cycles(2).await;
        assert_eq!(queue.get_nowait(), Ok(9));
        for task in tasks {
            task.await;
        }
        trace.expect(&[("get", 0), ("c", 1), ("d", 3)]);
    });
}

#[test]
fn q7_being_woken_is_not_owning() {
    exactly(|trace| async move {
        let queue = Arc::new(Queue::unbounded());
        let tasks = ["a", "b"].map(|name| getter(&trace, &queue, name));
        cycles(1).await;
        queue.put_nowait(1).expect("room");
        assert_eq!(queue.len(), 1);
        assert_eq!(queue.get_nowait(), Ok(1), "taken from under a");
        cycles(1).await;
        trace.log("put");
        queue.put_nowait(2).expect("room");
        queue.put_nowait(3).expect("room");
        for task in tasks {
            task.await;
        }
        trace.expect(&[("put", 0), ("2", 1), ("b", 1), ("3", 1), ("a", 1)]);
    });
}

#[test]
fn q8_a_woken_getter_or_putter_that_goes_away_wakes_the_next() {
    everywhere(|| async {
        let queue = Queue::bounded(1);
        let mut next = pin!(queue.get());
        {
            let mut first = pin!(queue.get());
            assert!(poll_once(first.as_mut()).await.is_none());
            assert!(poll_once(next.as_mut()).await.is_none());
            queue.put_nowait(1).expect("room");
        }
        assert_eq!(poll_once(next).await, Some(Ok(1)));
        queue.put_nowait(2).expect("room");
        let mut next = pin!(queue.put(4));
        {
            let mut first = pin!(queue.put(3));
            assert!(poll_once(first.as_mut()).await.is_none());
            assert!(poll_once(next.as_mut()).await.is_none());
            assert_eq!(queue.get_nowait(), Ok(2));
        }
        assert_eq!(poll_once(next).await, Some(Ok(())));
        assert_eq!(queue.get_nowait(), Ok(4), "3 was not put");
    });
}

#[test]
fn q8_a_getter_cancelled_when_it_had_been_woken_leaves_the_item_to_the_next() {
    exactly(|trace| async move {
        let queue = Arc::new(Queue::unbounded());
        let [a, b] = ["a", "b"].map(|name| getter(&trace, &queue, name));
        cycles(1).await;
        trace.log("put, cancel");
        queue.put_nowait(1).expect("room");
        a.cancel();
        b.await;
        trace.expect(&[("put, cancel", 0), ("a!", 1), ("1", 2), ("b", 2)]);
    });
}

#[test]
fn q9_join_waits_until_all_items_are_done() {
    everywhere(|| async {
        let queue = Queue::unbounded();
        assert!(poll_once(pin!(queue.join())).await.is_some());
        queue.put_nowait(1).expect("room");
        let mut join = pin!(queue.join());
        assert!(poll_once(join.as_mut()).await.is_none());
        assert_eq!(queue.get().await, Ok(1));
        assert!(poll_once(join.as_mut()).await.is_none());
        queue.task_done().expect("one");
        queue.put_nowait(2).expect("room");
        assert!(
            poll_once(join).await.is_some(),
            "woken, whatever came since"
        );
        assert!(poll_once(pin!(queue.join())).await.is_none());
    });
}

#[test]
fn q10_task_done_more_often_than_items_were_put_fails() {
    let queue = Queue::unbounded();
    let error: TaskDoneError = queue.task_done().unwrap_err();
    assert!(error.to_string().contains("task_done"));
    queue.put_nowait(()).expect("room");
    queue.task_done().expect("one");
    assert!(queue.task_done().is_err());
}

#[test]
fn q11_shutdown_fails_puts_and_gets_of_an_empty_queue_waiting_or_new() {
    exactly(|trace| async move {
        let empty = Arc::new(Queue::bounded(1));
        let full = Arc::new(Queue::bounded(1));
        full.put_nowait(0).expect("room");
        let tasks = [
            getter(&trace, &empty, "g"),
            putter(&trace, &full, "p"),
            getter(&trace, &empty, "h"),
        ];
        cycles(1).await;
        trace.log("shutdown");
        empty.shutdown();
        full.shutdown();
        empty.shutdown();
        for task in tasks {
            task.await;
        }
        trace.expect(&[
            ("shutdown", 0),
            ("shut down", 1),
            ("g", 1),
            ("shut down", 1),
            ("h", 1),
            ("shut down: 9", 1),
            ("p", 1),
        ]);
        assert_eq!(empty.put(1).await, Err(PutError(1)));
        assert_eq!(empty.put_nowait(1), Err(PutNowaitError::ShutDown(1)));
        assert!(empty.get().await.is_err());
        assert_eq!(empty.get_nowait(), Err(GetNowaitError::ShutDown));
    });
}

#[test]
fn q12_what_is_left_after_a_shutdown_can_be_got_and_finished() {
    everywhere(|| async {
        let queue = Queue::unbounded();
        let mut woken = pin!(queue.get());
        assert!(poll_once(woken.as_mut()).await.is_none());
        queue.put_nowait(1).expect("room");
        queue.put_nowait(2).expect("room");
        queue.shutdown();
        assert_eq!(woken.await, Ok(1), "it was woken for an item");
        assert_eq!(queue.get().await, Ok(2));
        assert!(queue.get().await.is_err());
        queue.task_done().expect("two");
        queue.task_done().expect("one");
        queue.join().await;
    });
}

#[test]
fn q13_an_immediate_shutdown_throws_items_away_and_counts_them_as_done() {
    everywhere(|| async {
        let queue = Queue::unbounded();
        let items = [(); 3].map(|()| Arc::new(()));
        for item in items.clone() {
            queue.put_nowait(item).expect("room");
        }
        let taken = queue.get().await.expect("there");
        let mut join = pin!(queue.join());
        assert!(poll_once(join.as_mut()).await.is_none());
        queue.shutdown_now();
        assert!(queue.is_empty());
        assert_eq!(Arc::strong_count(&items[2]), 1, "dropped");
        assert!(queue.get().await.is_err());
        assert!(poll_once(join.as_mut()).await.is_none(), "one was taken");
        drop(taken);
        queue.task_done().expect("taken");
        assert!(poll_once(join).await.is_some());
        assert!(queue.task_done().is_err());
    });
}

#[test]
fn q14_a_put_looks_past_a_cancelled_getter() {
    exactly(|trace| async move {
        let queue = Arc::new(Queue::unbounded());
        let [a, b] = ["a", "b"].map(|name| getter(&trace, &queue, name));
        cycles(1).await;
        trace.log("cancel, put");
        a.cancel();
        queue.put_nowait(1).expect("room");
        b.await;
        trace.expect(&[("cancel, put", 0), ("a!", 1), ("1", 1), ("b", 1)]);
    });
}

#[test]
fn items_of_a_dropped_queue_are_dropped() {
    let item = Arc::new(());
    let queue = Queue::bounded(2);
    queue.put_nowait(Arc::clone(&item)).expect("room");
    drop(queue);
    assert_eq!(Arc::strong_count(&item), 1);
}

#[test]
fn a_shut_down_queue_ends_all_its_consumers() {
    everywhere(|| async {
        let queue: Arc<Queue<usize>> = Arc::new(Queue::bounded(1));
        let consumers = [(); 4].map(|()| {
            let queue = Arc::clone(&queue);
            spawn(async move {
                let mut n_items = 0;
                while queue.get().await.is_ok() {
                    n_items += 1;
                    yield_now().await;
                }
                n_items
            })
        });
        for n in 0..50 {
            queue.put(n).await.expect("open");
        }
        queue.shutdown();
        let mut n_items = 0;
        for consumer in consumers {
            n_items += consumer.await;
        }
        assert_eq!(n_items, 50);
    });
}
