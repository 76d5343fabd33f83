//! Events, conditions and queues: no wake-up is lost between the look and the wait.

use std::pin::pin;

use loom::future::block_on;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

use super::sync_rooms::barrier::Barrier;
use super::sync_rooms::condition::Condition;
use super::sync_rooms::event::Event;
use super::sync_rooms::lock::Lock;
use super::sync_rooms::poll_once;
use super::sync_rooms::queue::Queue;
use crate::explore::{three_threads, two_busy_threads, two_threads};

/// Who waits for an event is let go, and sees what was done before it was set. Catches a flag that is set after the line was
/// woken, a look that is not repeated under the line's lock, and a flag that publishes nothing.
#[test]
fn an_event_that_is_set_lets_its_waiter_go() {
    two_threads(|| {
        let shared = Arc::new((Event::new(), AtomicUsize::new(0)));
        let waits = thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                block_on(shared.0.wait());
                assert_eq!(shared.1.load(Ordering::Relaxed), 1, "done before");
            }
        });
        shared.1.store(1, Ordering::Relaxed);
        shared.0.set();
        waits.join().expect("no panic");
    });
}

/// A notification between the release of the lock and the wait is not lost. Catches a wait that gives the lock up before it has
/// taken its place.
#[test]
fn a_notification_finds_who_gave_up_the_lock() {
    three_threads(|| {
        let shared = Arc::new((Lock::new(false), Condition::new()));
        let waits = thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                block_on(async {
                    let mut ready = shared.0.lock().await;
                    shared.1.wait_for(&mut ready, |ready| *ready).await;
                });
            }
        });
        block_on(async {
            let mut ready = shared.0.lock().await;
            *ready = true;
            shared.1.notify(&ready, 1);
        });
        waits.join().expect("no panic");
    });
}

/// One of two waiters is dropped at any moment, notified or not: the other is let go. Catches a wait that takes its notification
/// along.
#[test]
fn a_wait_that_is_dropped_passes_its_notification_on() {
    three_threads(|| {
        let shared = Arc::new((Lock::new(0), Condition::new()));
        let dropped = thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                let mut wait = pin!(async {
                    let mut n = shared.0.lock().await;
                    shared.1.wait_for(&mut n, |n| *n > 0).await;
                });
                let _taken = poll_once(wait.as_mut());
            }
        });
        let waits = thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                block_on(async {
                    let mut n = shared.0.lock().await;
                    shared.1.wait_for(&mut n, |n| *n > 0).await;
                });
            }
        });
        block_on(async {
            let mut n = shared.0.lock().await;
            *n = 1;
            shared.1.notify(&n, 1);
        });
        dropped.join().expect("no panic");
        waits.join().expect("no panic");
    });
}

/// One of two getters is dropped at any moment: the item goes to the other. Catches a getter that was woken, leaves, and wakes
/// nobody.
#[test]
fn a_getter_that_is_dropped_leaves_the_item_to_the_next() {
    three_threads(|| {
        let queue = Arc::new(Queue::unbounded());
        let dropped = thread::spawn({
            let queue = Arc::clone(&queue);
            move || {
                if let std::task::Poll::Ready(Ok(item)) = poll_once(pin!(queue.get())) {
                    queue.put_nowait(item).expect("open");
                }
            }
        });
        let gets = thread::spawn({
            let queue = Arc::clone(&queue);
            move || block_on(queue.get())
        });
        queue.put_nowait(7).expect("open");
        dropped.join().expect("no panic");
        assert_eq!(gets.join().expect("no panic"), Ok(7));
        assert!(queue.is_empty());
    });
}

/// A bounded queue with a producer that has to wait, and the joiner of it all. Catches room that is made and not announced, and
/// an end that is not.
#[test]
fn a_producer_that_waits_for_room_gets_it_and_the_joiner_its_end() {
    three_threads(|| {
        let queue = Arc::new(Queue::bounded(1));
        let producer = thread::spawn({
            let queue = Arc::clone(&queue);
            move || {
                block_on(async {
                    queue.put(1).await.expect("open");
                    queue.put(2).await.expect("open");
                    queue.join().await;
                });
            }
        });
        for n in [1, 2] {
            assert_eq!(block_on(queue.get()), Ok(n));
            queue.task_done().expect("got");
        }
        producer.join().expect("no panic");
    });
}

/// A getter waits while the queue is shut down beside a put: an item that was taken is got, and nobody waits for ever. Catches a
/// shutdown that wakes nobody, and one that takes an item along.
#[test]
fn a_queue_that_is_shut_down_lets_its_getter_go() {
    three_threads(|| {
        let queue = Arc::new(Queue::unbounded());
        let gets = thread::spawn({
            let queue = Arc::clone(&queue);
            move || block_on(queue.get()).is_ok()
        });
        let puts = thread::spawn({
            let queue = Arc::clone(&queue);
            move || queue.put_nowait(7).is_ok()
        });
        queue.shutdown();
        let (got, put) = (
            gets.join().expect("no panic"),
            puts.join().expect("no panic"),
        );
        assert!(put || !got, "out of nothing");
        assert_eq!(queue.len(), usize::from(put && !got));
    });
}

/// Two parties meet: both go on with numbers of their own, and the barrier is good for the next round. Catches a
/// last party that wakes nobody.
#[test]
fn two_parties_meet() {
    two_busy_threads(|| {
        let barrier = Arc::new(Barrier::new(2));
        let other = thread::spawn({
            let barrier = Arc::clone(&barrier);
            move || block_on(barrier.wait()).expect("not broken")
        });
        let number = block_on(barrier.wait()).expect("not broken");
        assert_eq!(number + other.join().expect("no panic"), 1);
        assert_eq!(barrier.n_waiting(), 0);
    });
}

/// A party waits while the barrier is broken: it is told. Catches an end that is not announced.
#[test]
fn a_party_learns_that_the_barrier_broke() {
    two_busy_threads(|| {
        let barrier = Arc::new(Barrier::new(2));
        let other = thread::spawn({
            let barrier = Arc::clone(&barrier);
            move || block_on(barrier.wait()).is_err()
        });
        block_on(barrier.abort());
        assert!(other.join().expect("no panic"));
    });
}
