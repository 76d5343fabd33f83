//! How much of its queue a worker gives to those who have nothing.
//!
//! Moving a task costs: it, its future, its timer and whoever waits for it come out of a cold cache on the other side, and if nobody is
//! awake there, somebody has to be woken. Two rules say when it pays:
//!
//! - A *burst* is shared at once if its tasks take longer than moving them, and all of them together longer than waking somebody
//!   ([`of_burst`]). A burst of short tasks is over before another worker would have begun. What a worker has to do when it has just woken
//!   stays together in any case, if it is little ([`stays_together`]): then it runs in the order in which it was queued, as in asyncio, which is worth more
//!   than the eighth of a millisecond that another worker could save.
//! - A queue that *stands* is shared whatever its tasks are ([`Backlog`]): they come back again and again, or there is no end of them,
//!   so that the move is paid once and what it brings lasts. The two are told apart by time. Half of what was queued
//!   at every look for a millisecond, without the worker running dry, goes to others.
//!
//! What was put out of a burst and nobody has come for is run at home when its [`Turn`] comes. What was put out of a standing queue is left
//! to the other worker, which takes longer to come than that queue takes.

use std::cell::Cell;

/// The most tasks of a burst that are shared at once.
pub(crate) const BURST_MAX: usize = 32;
/// What it takes to have a task run elsewhere, some five lines of cache at 160 ns and more.
const MOVING_NS: u64 = 1_000;
/// Work is shared with who is awake and searching when what is queued takes this long.
const WORTH_MOVING_NS: u64 = 5_000;
/// The same where somebody has to be woken for it: twice what that costs.
const WORTH_WAKING_NS: u64 = 10_000;
/// Polls this long are shared before anybody asks: who runs dry cannot wait until one of them ends.
const LONG_POLL_NS: u64 = 20_000;

/// So much work stays together during the first time of a worker's being busy, which is as long.
const TOGETHER_NS: u64 = 250_000;
/// So many tasks at most. A server that wakes up has more connections to serve, and a recursion more branches.
const TOGETHER_MAX: usize = 12;

/// A queue that was never empty for so long stands.
const STANDING_NS: u64 = 1_000_000;
/// Fewer tasks than this stay together: they may be talking to each other, one at a time.
const STANDING_MIN: usize = 16;
/// The most tasks of a standing queue that are moved at once.
const STANDING_MAX: usize = 4096;

/// Whether polls of this length are shared before anybody asks.
#[inline(always)]
pub(crate) fn is_long(poll_ns: u64) -> bool {
    poll_ns >= LONG_POLL_NS
}

/// Whether polls of this length may go on for long after they have woken somebody.
#[inline(always)]
pub(crate) fn may_have_tail(poll_ns: u64) -> bool {
    poll_ns >= WORTH_MOVING_NS
}

/// Whether a worker that has been busy for `busy_ns` keeps its burst in any case.
#[inline]
pub(crate) fn stays_together(n_queued: usize, poll_ns: u64, busy_ns: u64) -> bool {
    busy_ns < TOGETHER_NS
        && n_queued <= TOGETHER_MAX
        && (n_queued as u64).saturating_mul(poll_ns) < TOGETHER_NS
}

/// How many of `n_queued` tasks, of which another is about to run here, others should have now.
#[inline]
pub(crate) fn of_burst(n_queued: usize, poll_ns: u64, has_searchers: bool) -> usize {
    if is_long(poll_ns) {
        return n_queued.min(BURST_MAX);
    }
    let worth = if has_searchers {
        WORTH_MOVING_NS
    } else {
        WORTH_WAKING_NS
    };
    let queued_ns = (n_queued as u64 + 1).saturating_mul(poll_ns);
    if poll_ns < MOVING_NS || queued_ns < worth {
        return 0;
    }
    n_queued.div_ceil(2).min(BURST_MAX)
}

/// What a worker knows of how its queue stands.
#[derive(Debug)]
pub(crate) struct Backlog {
    /// When this was begun anew.
    since_ns: Cell<u64>,
    /// The fewest tasks that were queued at a look since.
    least: Cell<usize>,
}

impl Backlog {
    pub(crate) fn new(now_ns: u64) -> Self {
        Self {
            since_ns: Cell::new(now_ns),
            least: Cell::new(usize::MAX),
        }
    }

    /// The worker has run dry: what it had was a burst.
    pub(crate) fn begin_anew(&self, now_ns: u64) {
        self.since_ns.set(now_ns);
        self.least.set(usize::MAX);
    }

    /// Takes note of what is queued at a look; gives how many tasks others should have, if they have nothing.
    pub(crate) fn excess(&self, now_ns: u64, n_queued: usize) -> usize {
        let least = self.least.get().min(n_queued);
        if now_ns.saturating_sub(self.since_ns.get()) < STANDING_NS {
            self.least.set(least);
            return 0;
        }
        self.begin_anew(now_ns);
        if least < STANDING_MIN {
            0
        } else {
            (least / 2).min(STANDING_MAX)
        }
    }
}

/// How long polls go on after they have woken somebody. Who is woken by the last thing that a poll does is run at home at once; who is
/// woken by the first waits for the rest of it.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    /// When the present poll woke somebody first; zero if it has not.
    since_ns: Cell<u64>,
    /// What was measured: the longest of late, halved at each that was shorter.
    ns: Cell<u64>,
}

impl Tail {
    /// The present poll has woken somebody.
    pub(crate) fn begin(&self, now_ns: u64) {
        if self.since_ns.get() == 0 {
            self.since_ns.set(now_ns);
        }
    }

    /// Whether a poll is being measured.
    #[inline(always)]
    pub(crate) fn is_open(&self) -> bool {
        self.since_ns.get() > 0
    }

    /// That poll has ended.
    #[cold]
    pub(crate) fn end(&self, now_ns: u64) {
        let measured = now_ns - self.since_ns.replace(0);
        // A short one says little about the next: it may be the answer to a long one.
        self.ns.set(measured.max(self.ns.get() / 2));
    }

    /// Whether the next one can be expected to be longer than waking somebody takes.
    pub(crate) fn is_worth_waking_for(&self) -> bool {
        self.ns.get() >= WORTH_WAKING_NS
    }
}

/// When what a worker has put out for others, and nobody has come for, is run at home: where it stood in the queue.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    /// One more than the tasks that come before; zero, if there is no turn to come.
    until: Cell<usize>,
    /// How many have this turn. It has an end, though more may come in from outside while it lasts.
    n: Cell<usize>,
}

impl Turn {
    /// So many tasks were put out, behind so many older ones.
    pub(crate) fn begin(&self, n_older: usize, n: usize) {
        self.until.set(n_older + 1);
        self.n.set(n);
    }

    /// So many tasks came before those that were there.
    pub(crate) fn delay(&self, n: usize) {
        if self.is_to_come() {
            self.until.set(self.until.get() + n);
        }
    }

    /// What was put out has no place in the queue any more.
    pub(crate) fn forget(&self) {
        self.until.set(0);
    }

    pub(crate) fn is_to_come(&self) -> bool {
        self.until.get() > 0
    }

    /// Counts a task that is about to be taken; `true` if it is one of those that were put out, if any is left.
    #[inline(always)]
    pub(crate) fn comes(&self) -> bool {
        let until = self.until.get();
        if until > 0 {
            self.until.set(until - 1);
        }
        until == 1
    }

    /// One of those was there, and the next one follows it.
    #[inline]
    pub(crate) fn note_taken(&self) {
        let n_left = self.n.get() - 1;
        self.n.set(n_left);
        self.until.set(usize::from(n_left > 0));
    }
}
