//! How long a worker's polls take, and after how many of them it looks around.
//!
//! A look reads the clock, and there should be one every [`LOOK_NS`]: with short polls, a thousand polls apart. So how long a poll takes is
//! estimated, from one look to the next. A look that comes early, for the end of a lap, does not count.

use std::cell::Cell;

/// A busy worker looks at timers and the injector about this often.
pub(crate) const LOOK_NS: u64 = 50_000;
/// The most polls between two looks.
const POLLS_PER_LOOK_MAX: u64 = 1024;
const POLLS_PER_LOOK_AT_FIRST: u32 = 16;
/// What polls are taken to last before any was measured: so short that a first burst stays together until something is known of it.
const POLL_NS_AT_FIRST: u64 = 900;

/// One worker's measure of time.
#[derive(Debug)]
pub(crate) struct Pace {
    until_look: Cell<u32>,
    /// How many polls are measured together.
    per_measure: Cell<u32>,
    /// How many of them come after the next look, which is early then.
    after_look: Cell<u32>,
    measured_ns: Cell<u64>,
    poll_ns: Cell<u64>,
}

impl Pace {
    pub(crate) fn new(now_ns: u64) -> Self {
        Self {
            until_look: Cell::new(1),
            per_measure: Cell::new(POLLS_PER_LOOK_AT_FIRST),
            after_look: Cell::new(0),
            measured_ns: Cell::new(now_ns),
            poll_ns: Cell::new(POLL_NS_AT_FIRST),
        }
    }

    /// The duration of a poll.
    #[inline(always)]
    pub(crate) fn poll_ns(&self) -> u64 {
        self.poll_ns.get()
    }

    /// Counts a poll that is to come; `true` if a look is to come first.
    #[inline(always)]
    pub(crate) fn is_time_to_look(&self) -> bool {
        let until_look = self.until_look.get() - 1;
        self.until_look.set(until_look);
        until_look == 0
    }

    /// Looks: what has been polled since it was measured last has taken until now.
    pub(crate) fn look(&self, now_ns: u64) {
        let elapsed = now_ns - self.measured_ns.get();
        let n_left = self.until_look.get() + self.after_look.get();
        if self.after_look.get() > 0 && elapsed < LOOK_NS {
            // A few short polls of a lap are no measure of those that come.
            self.after_look.set(n_left);
            return;
        }
        let n_polls = u64::from(self.per_measure.get() - n_left);
        self.after_look.set(0);
        if let Some(measured) = elapsed.checked_div(n_polls) {
            let known = self.poll_ns.get();
            // A worker that was preempted measures nonsense: among many short polls the estimate doubles at most, and a few
            // long ones, which are believed sooner, have to come again; a few short ones say little about those that are queued.
            let estimate = match measured {
                longer if longer >= known && n_polls > 4 => longer.min(known * 2),
                longer if longer >= known => longer.min(known * 8),
                shorter => known.midpoint(shorter),
            };
            self.poll_ns.set(estimate.max(1));
        }
        self.measured_ns.set(now_ns);
    }

    /// Sets the next look: for the end of a lap with so many polls left, if that is sooner.
    pub(crate) fn set_next_look(&self, n_lap: u64) {
        let n_left = match self.after_look.get() {
            0 => {
                // No more than twice as many as before, for the next ones may be long again.
                let n_polls = (LOOK_NS / self.poll_ns.get())
                    .min(u64::from(self.per_measure.get()) * 2)
                    .clamp(1, POLLS_PER_LOOK_MAX) as u32;
                self.per_measure.set(n_polls);
                n_polls
            }
            n_left => n_left,
        };
        let until_look = match u32::try_from(n_lap) {
            Ok(n_lap) if n_lap > 0 => n_left.min(n_lap),
            _ => n_left,
        };
        self.until_look.set(until_look);
        self.after_look.set(n_left - until_look);
    }

    /// Begins to measure anew: the time before was spent otherwise.
    #[inline]
    pub(crate) fn begin_anew(&self, now_ns: u64) {
        self.measured_ns.set(now_ns);
        self.until_look.set(self.per_measure.get());
        self.after_look.set(0);
    }
}
