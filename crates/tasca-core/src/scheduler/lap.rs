//! When a worker that is busy asks for its sockets.
//!
//! asyncio asks once in each turn of its loop, after all that was queued at the last one has run. The same here, where such a turn is called a
//! *lap*: at its end sockets are asked for, unless that was just done, and whom they wake goes before what is queued. Nobody is
//! overtaken for longer than that: each task that was queued has its poll in the lap that follows. So a
//! connection beside tasks that compute waits for each of them once for every message, not twice.
//!
//! A long lap is interrupted for the sockets, since other workers may have nothing to do. Whom they wake then goes behind what is
//! queued.

use std::cell::Cell;

/// At the end of a lap sockets are asked for if this has passed: it is a system call, and laps may be short.
const PAUSE_MIN_NS: u64 = 100_000;
/// In the middle of one, if this has.
const PAUSE_MAX_NS: u64 = 200_000;

/// The lap that a worker is in. Polls are counted as the worker does, by twos.
#[derive(Debug)]
pub(crate) struct Lap {
    asked_ns: Cell<u64>,
    /// When all that was queued at its beginning will have been polled.
    end: Cell<u64>,
}

impl Lap {
    pub(crate) fn new() -> Self {
        Self {
            asked_ns: Cell::new(0),
            end: Cell::new(0),
        }
    }

    /// Sockets have been asked for.
    #[inline]
    pub(crate) fn note_asked(&self, now_ns: u64) {
        self.asked_ns.set(now_ns);
    }

    /// Another lap begins, with so many tasks.
    #[inline]
    pub(crate) fn begin(&self, poll_count: u64, n_queued: usize) {
        self.end.set(poll_count + 2 * n_queued as u64);
    }

    /// How many polls are left of it.
    #[inline]
    pub(crate) fn n_left(&self, poll_count: u64) -> u64 {
        self.end.get().saturating_sub(poll_count) / 2
    }

    /// Whether to ask for sockets now.
    #[inline]
    pub(crate) fn is_time_to_ask(&self, now_ns: u64, poll_count: u64) -> bool {
        let pause_ns = if self.n_left(poll_count) == 0 {
            PAUSE_MIN_NS
        } else {
            PAUSE_MAX_NS
        };
        self.has_paused(now_ns, pause_ns)
    }

    /// Whether it is so long since sockets were asked for.
    #[inline]
    pub(crate) fn has_paused(&self, now_ns: u64, pause_ns: u64) -> bool {
        now_ns - self.asked_ns.get() >= pause_ns
    }
}
