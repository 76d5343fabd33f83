//! Whether a worker that has run dry looks on for a while before it sleeps.
//!
//! A sleep costs its worker and whoever ends it some 25 µs together; looking on for less than that, where the next task
//! comes sooner, saves both. So looking on is bounded by [`LOOK_ON_NS`], and has to be earned: by sleeps that others
//! ended so early that looking on would have met them. What was earned is lost faster, and the faster the more often it was in vain:
//! where the pace looks promising but is just too slow, or the other side cannot run because this worker looks on, it comes down to
//! one look in some sixty sleeps. A little is lost too where a socket ended the look: the system
//! would have ended a sleep, with nobody paying for the wake-up, and asking it again and again costs more than the sleep. Among sockets
//! and tasks of others it is the tasks that decide. So a worker that is woken rarely, or by
//! sockets and timers alone, does not look on. Nor does any worker where there is one core: whoever is to
//! bring the task could not run meanwhile.

use std::cell::Cell;
use std::num::NonZero;
use std::sync::OnceLock;
use std::thread;

/// How long a worker looks on: as long as the sleep costs that it may save.
pub(crate) const LOOK_ON_NS: u64 = 20_000;
/// A pause that another thread ended within this time speaks for looking on. It has the time in it that it takes to
/// wake up.
const SHORT_PAUSE_NS: u64 = 40_000;
const CREDIT_MAX: i16 = 16;
const EARNED_BY_SLEEP: i16 = 1;
const EARNED_BY_FIND: i16 = 4;
/// What is lost when looking on was in vain: so much at first, and twice as much each time until it pays off again.
const LOST_MIN: i16 = 4;
const LOST_MAX: i16 = 64;
/// What is lost when a socket ended the look.
const LOST_TO_SOCKET: i16 = 1;

/// One worker's experience.
#[derive(Debug)]
pub(crate) struct Patience {
    /// Above zero: looking on has been paying off.
    credit: Cell<i16>,
    /// What the next look in vain costs.
    loss: Cell<i16>,
    has_company: bool,
}

impl Patience {
    pub(crate) fn new() -> Self {
        static N_CORES: OnceLock<usize> = OnceLock::new();
        let count = || thread::available_parallelism().map_or(1, NonZero::get);
        Self::on_cores(*N_CORES.get_or_init(count))
    }

    pub(crate) fn on_cores(n_cores: usize) -> Self {
        Self {
            credit: Cell::new(0),
            loss: Cell::new(LOST_MIN),
            has_company: n_cores > 1,
        }
    }

    /// Whether to look on.
    #[inline]
    pub(crate) fn is_left(&self) -> bool {
        self.has_company && self.credit.get() > 0
    }

    /// Looking on brought a task from another thread.
    pub(crate) fn paid_off(&self) {
        self.loss.set((self.loss.get() / 2).max(LOST_MIN));
        self.earn(EARNED_BY_FIND);
    }

    /// Looking on brought what the system would have ended a sleep for.
    pub(crate) fn was_not_needed(&self) {
        self.credit.set(self.credit.get() - LOST_TO_SOCKET);
    }

    /// Looking on brought nothing.
    pub(crate) fn was_in_vain(&self) {
        let loss = self.loss.get();
        self.credit.set((self.credit.get() - loss).max(-loss));
        self.loss.set((loss * 2).min(LOST_MAX));
    }

    /// Another thread has ended a sleep, so long after the worker ran dry.
    pub(crate) fn woken_after(&self, pause_ns: u64) {
        if pause_ns <= SHORT_PAUSE_NS {
            self.earn(EARNED_BY_SLEEP);
        }
    }

    fn earn(&self, credit: i16) {
        self.credit
            .set((self.credit.get() + credit).min(CREDIT_MAX));
    }
}
