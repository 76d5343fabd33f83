//! Panics of foreign code: wakers and comparisons.

use std::cmp::Ordering;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll, Wake, Waker};

use tasca_sync::{Event, Lock, PriorityQueue};

#[derive(Debug, Default)]
struct Panicking(AtomicUsize);

impl Wake for Panicking {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Relaxed);
        panic!("in a waker");
    }
}

#[test]
fn a_waker_that_panics_does_not_keep_the_others_from_being_woken() {
    let event = Event::new();
    let wakes = Arc::new(Panicking::default());
    let waker = Waker::from(Arc::clone(&wakes));
    let mut cx = Context::from_waker(&waker);
    let mut waits = [(); 3].map(|()| Box::pin(event.wait()));
    for wait in &mut waits {
        assert!(wait.as_mut().poll(&mut cx).is_pending());
    }
    assert!(catch_unwind(AssertUnwindSafe(|| event.set())).is_err());
    assert_eq!(wakes.0.load(Relaxed), 3);
    for wait in &mut waits {
        assert!(wait.as_mut().poll(&mut cx).is_ready());
    }
}

#[test]
fn a_waker_that_panics_in_a_release_leaves_the_lock_usable() {
    let lock = Lock::new(1);
    let waker = Waker::from(Arc::new(Panicking::default()));
    let mut cx = Context::from_waker(&waker);
    let guard = lock.try_lock().expect("free");
    let mut wait = pin!(lock.lock());
    assert!(wait.as_mut().poll(&mut cx).is_pending());
    assert!(catch_unwind(AssertUnwindSafe(|| drop(guard))).is_err());
    let Poll::Ready(guard) = wait.poll(&mut cx) else {
        panic!("woken")
    };
    assert_eq!(*guard, 1);
}

#[derive(Debug)]
struct Touchy(u32);

impl PartialEq for Touchy {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}
impl Eq for Touchy {}
impl PartialOrd for Touchy {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Touchy {
    fn cmp(&self, other: &Self) -> Ordering {
        assert!(self.0 != 13 && other.0 != 13, "in a comparison");
        self.0.cmp(&other.0)
    }
}

#[test]
fn a_comparison_that_panics_leaves_the_queue_usable_and_its_count_right() {
    let queue = PriorityQueue::unbounded();
    queue.put_nowait(Touchy(1)).expect("room");
    assert!(catch_unwind(AssertUnwindSafe(|| queue.put_nowait(Touchy(13)))).is_err());
    assert_eq!(queue.len(), 2);
    queue.shutdown_now();
    assert!(queue.is_empty());
    assert!(queue.task_done().is_err(), "both were thrown away");
}
