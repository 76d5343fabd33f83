//! Rules V1 to V4.

use std::pin::pin;
use std::sync::Arc;

use tasca_sync::Event;

use crate::{cycles, everywhere, exactly, poll_once};

#[test]
fn v1_set_wakes_all_waiters_in_the_order_of_waiting() {
    exactly(|trace| async move {
        let event = Arc::new(Event::new());
        let tasks = ["a", "b", "c"].map(|name| {
            let event = Arc::clone(&event);
            trace.spawn(name, async move { event.wait().await })
        });
        cycles(1).await;
        trace.log("set");
        event.set();
        event.set();
        for task in tasks {
            task.await;
        }
        trace.expect(&[("set", 0), ("a", 1), ("b", 1), ("c", 1)]);
    });
}

#[test]
fn v2_waiting_for_a_set_event_does_not_suspend() {
    everywhere(|| async {
        let event = Event::new();
        assert!(!event.is_set());
        event.set();
        assert!(event.is_set());
        assert!(poll_once(pin!(event.wait())).await.is_some());
    });
}

#[test]
fn v3_clear_affects_only_later_waiters() {
    everywhere(|| async {
        let event = Event::new();
        let mut early = pin!(event.wait());
        assert!(poll_once(early.as_mut()).await.is_none());
        event.set();
        event.clear();
        assert!(!event.is_set());
        let mut late = pin!(event.wait());
        assert!(poll_once(late.as_mut()).await.is_none());
        assert!(poll_once(early).await.is_some());
        assert!(poll_once(late.as_mut()).await.is_none());
        event.set();
        assert!(poll_once(late).await.is_some());
    });
}

#[test]
fn v4_a_cancelled_waiter_leaves_and_the_event_is_not_affected() {
    exactly(|trace| async move {
        let event = Arc::new(Event::new());
        let [a, b] = ["a", "b"].map(|name| {
            let event = Arc::clone(&event);
            trace.spawn(name, async move { event.wait().await })
        });
        cycles(1).await;
        a.cancel();
        cycles(1).await;
        assert!(!event.is_set());
        event.set();
        b.await;
        trace.expect(&[("a!", 0), ("b", 1)]);
    });
}
