//! I/O readiness: events against waits, clears, deregistration and shutdown.
//!
//! The kernel is a thread: it makes something possible with a relaxed store, then delivers the event,
//! then wakes. So a waiter that sees the event but not what made it, or that sleeps through it, is
//! stuck, and the model reports a deadlock.

#[path = "../../../crates/tasca-core/src/driver/readiness.rs"]
#[expect(
    dead_code,
    clippy::module_inception,
    reason = "some parts serve real sockets only; the room is as it is"
)]
mod readiness;
#[path = "../../../crates/tasca-core/src/driver/waiters.rs"]
#[expect(dead_code, reason = "some parts serve real sockets only")]
mod waiters;

use std::future::poll_fn;
use std::task::{Context, Poll, Waker};

use loom::future::block_on;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

use crate::explore::{three_threads, two_busy_threads, two_threads};

use readiness::{Direction, Readiness, Ready, Snapshot};
use waiters::{Wait, WaiterId};

use Direction::{Read, Write};

/// A source: what the kernel holds, and what is known about it.
#[derive(Default)]
struct Source {
    readiness: Readiness,
    /// Bytes to read.
    n_bytes: AtomicUsize,
    /// Whether the peer ended the stream: 0 or 1.
    ended: AtomicUsize,
    /// Room to write.
    room: AtomicUsize,
}

impl Source {
    fn new() -> Arc<Self> {
        Arc::new(Self::default())
    }

    /// The kernel's side: an edge becomes an event.
    fn deliver(&self, ready: Ready) {
        let mut wakers = Vec::new();
        assert!(self.readiness.deliver(0, ready, false, &mut wakers));
        wakers.into_iter().for_each(Waker::wake);
    }

    fn bytes_arrive(&self) {
        self.n_bytes.fetch_add(1, Ordering::Relaxed);
        self.deliver(Ready::READABLE);
    }

    /// An operation: takes one unit, or would block.
    fn take(count: &AtomicUsize) -> bool {
        count
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1))
            .is_ok()
    }

    /// What `Async` does: wait, try, clear, until `operation` succeeds.
    fn poll_operation<R>(
        &self,
        cx: &Context<'_>,
        direction: Direction,
        mut waiter: Option<&mut Option<WaiterId>>,
        mut operation: impl FnMut(Snapshot) -> Option<R>,
    ) -> Poll<R> {
        loop {
            let wait = match &mut waiter {
                None => Wait::Polled,
                Some(id) => Wait::Listed(id),
            };
            let Poll::Ready(evidence) = self.readiness.poll(cx, direction, wait) else {
                return Poll::Pending;
            };
            if let Some(done) = operation(evidence) {
                return Poll::Ready(done);
            }
            self.readiness.clear(evidence, direction);
        }
    }

    fn read_one(&self) {
        block_on(poll_fn(|cx| {
            self.poll_operation(cx, Read, None, |_| {
                stale_look(&self.n_bytes).then(|| Self::take(&self.n_bytes))
            })
        }));
    }
}

/// A look that may be as old as the memory model allows: the operation must not be older than the
/// event that it answers.
fn stale_look(count: &AtomicUsize) -> bool {
    count.load(Ordering::Relaxed) > 0
}

#[test]
fn an_edge_during_the_wait_is_not_lost() {
    two_threads(|| {
        let source = Source::new();
        let kernel = thread::spawn({
            let source = Arc::clone(&source);
            move || source.bytes_arrive()
        });
        source.read_one();
        kernel.join().unwrap();
    });
}

#[test]
fn a_stale_clear_is_refused() {
    two_busy_threads(|| {
        let source = Source::new();
        let kernel = thread::spawn({
            let source = Arc::clone(&source);
            move || {
                source.bytes_arrive();
                source.bytes_arrive();
            }
        });
        source.read_one();
        source.read_one();
        kernel.join().unwrap();
        assert_eq!(source.n_bytes.load(Ordering::Relaxed), 0);
    });
}

#[test]
fn two_readers_and_two_events() {
    three_threads(|| {
        let source = Source::new();
        let reader = thread::spawn({
            let source = Arc::clone(&source);
            move || {
                let mut id = None;
                block_on(poll_fn(|cx| {
                    source.poll_operation(cx, Read, Some(&mut id), |_| {
                        Source::take(&source.n_bytes).then_some(())
                    })
                }));
            }
        });
        let kernel = thread::spawn({
            let source = Arc::clone(&source);
            move || {
                source.bytes_arrive();
                source.bytes_arrive();
            }
        });
        let mut id = None;
        block_on(poll_fn(|cx| {
            source.poll_operation(cx, Read, Some(&mut id), |_| {
                Source::take(&source.n_bytes).then_some(())
            })
        }));
        reader.join().unwrap();
        kernel.join().unwrap();
    });
}

#[test]
fn the_end_of_a_stream_is_not_lost_behind_a_short_read() {
    two_busy_threads(|| {
        let source = Source::new();
        let kernel = thread::spawn({
            let source = Arc::clone(&source);
            move || {
                source.bytes_arrive();
                source.ended.store(1, Ordering::Relaxed);
                source.deliver(Ready::READABLE.or(Ready::READ_CLOSED));
            }
        });
        // A read gives all there is, and so is always a short one.
        let read = |evidence: Snapshot| {
            if Source::take(&source.n_bytes) {
                if evidence.short_transfer_drains(Read) {
                    source.readiness.clear(evidence, Read);
                }
                return Some(1);
            }
            stale_look(&source.ended).then_some(0)
        };
        let mut n_bytes = 0;
        loop {
            match block_on(poll_fn(|cx| source.poll_operation(cx, Read, None, read))) {
                0 => break,
                n => n_bytes += n,
            }
        }
        assert_eq!(n_bytes, 1);
        kernel.join().unwrap();
    });
}

#[test]
fn the_directions_are_independent() {
    three_threads(|| {
        let source = Source::new();
        let kernel = thread::spawn({
            let source = Arc::clone(&source);
            move || {
                source.bytes_arrive();
                source.room.store(1, Ordering::Relaxed);
                source.deliver(Ready::WRITABLE);
            }
        });
        let writer = thread::spawn({
            let source = Arc::clone(&source);
            move || {
                block_on(poll_fn(|cx| {
                    source.poll_operation(cx, Write, None, |_| {
                        Source::take(&source.room).then_some(())
                    })
                }));
            }
        });
        source.read_one();
        writer.join().unwrap();
        kernel.join().unwrap();
    });
}

#[test]
fn a_late_event_is_not_seen_by_the_next_registration() {
    two_threads(|| {
        let source = Source::new();
        let late = thread::spawn({
            let source = Arc::clone(&source);
            move || {
                let mut wakers = Vec::new();
                source
                    .readiness
                    .deliver(0, Ready::READABLE, false, &mut wakers);
                wakers.into_iter().for_each(Waker::wake);
            }
        });
        source.readiness.retire(1);
        let seen = source.readiness.snapshot();
        assert_eq!(seen.generation(), 1);
        assert!(!seen.is_ready(Read));
        let mut woken = false;
        block_on(poll_fn(|cx| {
            // A late event may wake the wrong one; it must not make it believe anything.
            if woken {
                return Poll::Ready(());
            }
            assert!(source.readiness.poll(cx, Read, Wait::Polled).is_pending());
            woken = true;
            cx.waker().wake_by_ref();
            Poll::Pending
        }));
        late.join().unwrap();
        assert!(!source.readiness.snapshot().is_ready(Read));
        let mut wakers = Vec::new();
        assert!(
            !source
                .readiness
                .deliver(0, Ready::READABLE, false, &mut wakers)
        );
        assert!(
            source
                .readiness
                .deliver(1, Ready::READABLE, false, &mut wakers)
        );
        assert!(source.readiness.snapshot().is_ready(Read));
    });
}

#[test]
fn deregistration_releases_every_waker() {
    two_threads(|| {
        let source = Source::new();
        let token = std::sync::Arc::new(CountsNothing);
        let waker = Waker::from(std::sync::Arc::clone(&token));
        let cx = Context::from_waker(&waker);
        let mut id = None;
        let polled = source.readiness.poll(&cx, Read, Wait::Polled);
        assert!(polled.is_pending());
        let polled = source.readiness.poll(&cx, Write, Wait::Listed(&mut id));
        assert!(polled.is_pending());
        let kernel = thread::spawn({
            let source = Arc::clone(&source);
            move || {
                let mut wakers = Vec::new();
                let both = Ready::READABLE.or(Ready::WRITABLE);
                source.readiness.deliver(0, both, false, &mut wakers);
                wakers.into_iter().for_each(Waker::wake);
            }
        });
        source.readiness.retire(1);
        kernel.join().unwrap();
        drop(waker);
        assert_eq!(std::sync::Arc::strong_count(&token), 1);
    });
}

struct CountsNothing;

impl std::task::Wake for CountsNothing {
    fn wake(self: std::sync::Arc<Self>) {}
}

#[test]
fn a_waiter_that_leaves_takes_no_wake_with_it() {
    three_threads(|| {
        let source = Source::new();
        let kernel = thread::spawn({
            let source = Arc::clone(&source);
            move || source.bytes_arrive()
        });
        let leaver = thread::spawn({
            let source = Arc::clone(&source);
            move || {
                let cx = Context::from_waker(Waker::noop());
                let mut id = None;
                // Ready or not, it goes.
                let _ = source.readiness.poll(&cx, Read, Wait::Listed(&mut id));
                source.readiness.remove(Read, &Wait::Listed(&mut id));
            }
        });
        let mut id = None;
        block_on(poll_fn(|cx| {
            source.poll_operation(cx, Read, Some(&mut id), |_| {
                Source::take(&source.n_bytes).then_some(())
            })
        }));
        leaver.join().unwrap();
        kernel.join().unwrap();
    });
}

#[test]
fn shutdown_ends_a_wait_in_each_direction() {
    three_threads(|| {
        let source = Source::new();
        let wait = |direction| {
            let source = Arc::clone(&source);
            move || {
                let seen = block_on(poll_fn(|cx| {
                    source.readiness.poll(cx, direction, Wait::Polled)
                }));
                assert!(seen.is_shut_down());
                source.readiness.clear(seen, direction);
                assert!(source.readiness.snapshot().is_shut_down());
            }
        };
        let reader = thread::spawn(wait(Read));
        let writer = thread::spawn(wait(Write));
        let mut wakers = Vec::new();
        source.readiness.shut_down(&mut wakers);
        wakers.into_iter().for_each(Waker::wake);
        reader.join().unwrap();
        writer.join().unwrap();
    });
}

#[test]
fn an_event_that_disarms_wakes_both_directions() {
    two_threads(|| {
        let source = Source::new();
        let kernel = thread::spawn({
            let source = Arc::clone(&source);
            move || {
                let mut wakers = Vec::new();
                let delivered = source
                    .readiness
                    .deliver(0, Ready::WRITABLE, true, &mut wakers);
                assert!(delivered);
                wakers.into_iter().for_each(Waker::wake);
            }
        });
        // The reader is never ready; it has to be woken all the same if it waited before the event.
        let mut n_polls = 0;
        block_on(poll_fn(|cx| {
            n_polls += 1;
            let polled = source.readiness.poll(cx, Read, Wait::Polled);
            assert!(polled.is_pending());
            if n_polls == 2 || source.readiness.snapshot().is_ready(Write) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        }));
        kernel.join().unwrap();
    });
}
