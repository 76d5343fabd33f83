//! The part of a worker that others may reach.

use crossbeam_utils::CachePadded;

use super::timers::{Shard, Timers};
use crate::biased::BiasedLock;
use crate::primitive::{AtomicBool, AtomicU64, Ordering, yield_now};
use crate::queue::{Inbox, Private, Thief};
use crate::task::Runnable;

/// What a worker owns, and loses to a rescuer when it is stuck.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) queue: Private<Runnable>,
    pub(crate) timers: Timers,
}

/// One for each worker, spare ones included.
///
/// What a searcher reads of every worker is never written, and lies apart from what the worker writes at each poll and
/// from what others write.
#[derive(Debug)]
pub(crate) struct Remote {
    pub(crate) index: usize,
    pub(crate) timers: &'static Shard,
    pub(crate) thief: Thief<Runnable>,
    pub(crate) core: CachePadded<BiasedLock<Core>>,
    /// Odd while the worker polls a task; changes with every poll.
    poll_count: CachePadded<AtomicU64>,
    pub(crate) inbox: CachePadded<Inbox<Runnable>>,
    /// Set by the watchdog: look at timers, sockets and the queues of others at the next boundary.
    attention: AtomicBool,
    /// Set by the worker: the poll that it is in will block, and need not be watched before it is believed.
    blocking: AtomicBool,
}

impl Remote {
    pub(crate) fn new(index: usize, thief: Thief<Runnable>) -> Self {
        let timers = Timers::new();
        Self {
            index,
            timers: timers.shard(),
            core: CachePadded::new(BiasedLock::new(Core {
                queue: Private::new(),
                timers,
            })),
            thief,
            inbox: CachePadded::new(Inbox::new()),
            poll_count: CachePadded::new(AtomicU64::new(0)),
            attention: AtomicBool::new(false),
            blocking: AtomicBool::new(false),
        }
    }

    /// Reaches into the core from another thread, for as long as it takes.
    pub(crate) fn visit<R>(&self, mut f: impl FnMut(&mut Core) -> R) -> R {
        loop {
            // Liveness: the owner runs no user code inside, so it leaves once it gets a processor.
            match self.core.try_visit(&mut f) {
                Some(result) => return result,
                None => yield_now(),
            }
        }
    }

    #[inline(always)]
    pub(crate) fn note_poll(&self, count: u64) {
        // Ordering: Relaxed; a progress mark for the watchdog, nothing is published by it.
        self.poll_count.store(count, Ordering::Relaxed);
    }

    pub(crate) fn poll_count(&self) -> u64 {
        self.poll_count.load(Ordering::Relaxed)
    }

    /// For the worker itself: whether it is in a poll.
    pub(crate) fn is_polling(&self) -> bool {
        !self.poll_count().is_multiple_of(2)
    }

    /// Notes that the worker's present poll blocks, or does so no longer.
    pub(crate) fn set_blocking(&self, blocking: bool) {
        // Ordering: Relaxed; a hint. The watchdog looks again at every tick.
        self.blocking.store(blocking, Ordering::Relaxed);
    }

    pub(crate) fn is_blocking(&self) -> bool {
        self.blocking.load(Ordering::Relaxed)
    }

    #[inline(always)]
    pub(crate) fn wants_attention(&self) -> bool {
        // Ordering: Relaxed; a hint.
        self.attention.load(Ordering::Relaxed)
    }

    pub(crate) fn set_attention(&self, wanted: bool) {
        self.attention.store(wanted, Ordering::Relaxed);
    }
}
