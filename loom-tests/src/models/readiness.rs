//! I/O readiness: events against waits, clears, deregistration and shutdown.
//!
//! The kernel is a thread: it makes something possible with a relaxed store, then delivers the event,
//! then wakes. So a waiter that sees the event but not what made it, or that sleeps through it, is
//! stuck, and the model reports a deadlock.

#[path = "../../../crates/tasca-core/src/driver/readiness.rs"]
#[expect(
    dead_code,
    clippy::duplicate_mod,
    clippy::module_inception,
    reason = "some parts serve real sockets only; the room is as it is, and keeps this to itself"
)]
mod readiness;
#[path = "../../../crates/tasca-core/src/driver/waiters.rs"]
#[expect(
    dead_code,
    clippy::duplicate_mod,
    reason = "some parts serve real sockets only; the room keeps this to itself"
)]
mod waiters;

use std::future::poll_fn;
use std::task::{Context, Poll, Waker};

use loom::future::block_on;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread::{self, JoinHandle};

use crate::explore::{three_threads, two_busy_threads, two_threads};
use crate::runners::Bell;

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

    /// The kernel's side: an edge becomes an event, of the first registration.
    fn deliver(&self, ready: Ready) {
        assert!(self.deliver_to(0, ready, false));
    }

    /// Delivers an event of a registration, and wakes; `false` if that registration is over.
    fn deliver_to(&self, generation: u32, ready: Ready, disarmed: bool) -> bool {
        let mut wakers = Vec::new();
        let delivered = self
            .readiness
            .deliver(generation, ready, disarmed, &mut wakers);
        wakers.into_iter().for_each(Waker::wake);
        delivered
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

    /// Reads one byte as the only reader.
    fn read_one(&self) {
        block_on(poll_fn(|cx| {
            self.poll_operation(cx, Read, None, |_| {
                stale_look(&self.n_bytes).then(|| Self::take(&self.n_bytes))
            })
        }));
    }

    /// Reads one byte as one of several.
    fn read_one_of_many(&self) {
        let mut id = None;
        block_on(poll_fn(|cx| {
            self.poll_operation(cx, Read, Some(&mut id), |_| {
                Self::take(&self.n_bytes).then_some(())
            })
        }));
    }

    fn write_one(&self) {
        block_on(poll_fn(|cx| {
            self.poll_operation(cx, Write, None, |_| Self::take(&self.room).then_some(()))
        }));
    }
}

/// Another thread that does something with the source.
fn beside(source: &Arc<Source>, f: impl FnOnce(&Source) + 'static) -> JoinHandle<()> {
    let source = Arc::clone(source);
    thread::spawn(move || f(&source))
}

/// A look that may be as old as the memory model allows: the operation must not be older than the
/// event that it answers.
fn stale_look(count: &AtomicUsize) -> bool {
    count.load(Ordering::Relaxed) > 0
}

/// An event against a wait: the reader is woken, or sees it; and with it what made it. Catches a waiter that does not look again
/// once it is listed, and Relaxed in either exchange.
#[test]
fn an_edge_during_the_wait_is_not_lost() {
    two_threads(|| {
        let source = Source::new();
        let kernel = beside(&source, Source::bytes_arrive);
        source.read_one();
        kernel.join().unwrap();
    });
}

/// A second event against the clear that the first one led to: it is not cleared away. Catches a clear that does not look how old
/// its evidence is.
#[test]
fn a_stale_clear_is_refused() {
    two_busy_threads(|| {
        let source = Source::new();
        let kernel = beside(&source, |source| {
            source.bytes_arrive();
            source.bytes_arrive();
        });
        source.read_one();
        source.read_one();
        kernel.join().unwrap();
        assert_eq!(source.n_bytes.load(Ordering::Relaxed), 0);
    });
}

/// Two readers and two bytes: each gets one, though either may clear what the other waits for. Catches a waiter that does not
/// look again, and an event that wakes one of them only.
#[test]
fn two_readers_and_two_events() {
    three_threads(|| {
        let source = Source::new();
        let reader = beside(&source, Source::read_one_of_many);
        let kernel = beside(&source, |source| {
            source.bytes_arrive();
            source.bytes_arrive();
        });
        source.read_one_of_many();
        reader.join().unwrap();
        kernel.join().unwrap();
    });
}

/// A reader that takes a short read for the end of what is there, against the end of the stream. Catches a clear that does not look
/// how old its evidence is.
#[test]
fn the_end_of_a_stream_is_not_lost_behind_a_short_read() {
    two_busy_threads(|| {
        let source = Source::new();
        let kernel = beside(&source, |source| {
            source.bytes_arrive();
            source.ended.store(1, Ordering::Relaxed);
            source.deliver(Ready::READABLE.or(Ready::READ_CLOSED));
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

/// A reader and a writer of one source: each goes on by its own event, and clears nothing of the other's. Catches an event
/// that wakes one direction only.
#[test]
fn the_directions_are_independent() {
    three_threads(|| {
        let source = Source::new();
        let kernel = beside(&source, |source| {
            source.bytes_arrive();
            source.room.store(1, Ordering::Relaxed);
            source.deliver(Ready::WRITABLE);
        });
        let writer = beside(&source, Source::write_one);
        source.read_one();
        writer.join().unwrap();
        kernel.join().unwrap();
    });
}

/// An event of a registration against its end and the next one: the next one believes nothing of it. Catches an event that does not
/// look whose it is.
#[test]
fn a_late_event_is_not_seen_by_the_next_registration() {
    two_threads(|| {
        let source = Source::new();
        let late = beside(&source, |source| {
            let _delivered = source.deliver_to(0, Ready::READABLE, false);
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
        assert!(!source.deliver_to(0, Ready::READABLE, false));
        assert!(source.deliver_to(1, Ready::READABLE, false));
        assert!(source.readiness.snapshot().is_ready(Read));
    });
}

/// The end of a registration against an event: no waker stays behind, in either direction and manner of waiting. Catches one that
/// forgets a direction.
#[test]
fn deregistration_releases_every_waker() {
    two_threads(|| {
        let source = Source::new();
        let (bell, waker) = Bell::new();
        let cx = Context::from_waker(&waker);
        let mut id = None;
        let polled = source.readiness.poll(&cx, Read, Wait::Polled);
        assert!(polled.is_pending());
        let polled = source.readiness.poll(&cx, Write, Wait::Listed(&mut id));
        assert!(polled.is_pending());
        let kernel = beside(&source, |source| {
            let _delivered = source.deliver_to(0, Ready::READABLE.or(Ready::WRITABLE), false);
        });
        source.readiness.retire(1);
        kernel.join().unwrap();
        drop(waker);
        assert_eq!(bell.n_wakers(), 0);
    });
}

/// One of two readers gives up at any moment: the other reads. Catches one that takes the other's place along.
#[test]
fn a_waiter_that_leaves_takes_no_wake_with_it() {
    three_threads(|| {
        let source = Source::new();
        let kernel = beside(&source, Source::bytes_arrive);
        let leaver = beside(&source, |source| {
            let cx = Context::from_waker(Waker::noop());
            let mut id = None;
            // Ready or not, it goes.
            let _polled = source.readiness.poll(&cx, Read, Wait::Listed(&mut id));
            source.readiness.remove(Read, &Wait::Listed(&mut id));
        });
        source.read_one_of_many();
        leaver.join().unwrap();
        kernel.join().unwrap();
    });
}

/// The end of the driver against a reader and a writer: both go on, and learn it for good. Catches one direction forgotten, and a clear
/// that takes the end back.
#[test]
fn shutdown_ends_a_wait_in_each_direction() {
    three_threads(|| {
        let source = Source::new();
        let [reader, writer] = [Read, Write].map(|direction| {
            beside(&source, move |source| {
                let seen = block_on(poll_fn(|cx| {
                    source.readiness.poll(cx, direction, Wait::Polled)
                }));
                assert!(seen.is_shut_down());
                source.readiness.clear(seen, direction);
                assert!(source.readiness.snapshot().is_shut_down());
            })
        });
        let mut wakers = Vec::new();
        source.readiness.shut_down(&mut wakers);
        wakers.into_iter().for_each(Waker::wake);
        reader.join().unwrap();
        writer.join().unwrap();
    });
}

/// An event of one direction after which the system reports nothing more until it is asked: whoever waits in the other has to ask again, so
/// it is woken as well. Catches an event that wakes its own direction only.
#[test]
fn an_event_that_disarms_wakes_both_directions() {
    two_threads(|| {
        let source = Source::new();
        let kernel = beside(&source, |source| {
            assert!(source.deliver_to(0, Ready::WRITABLE, true));
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
