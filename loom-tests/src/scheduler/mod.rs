//! The scheduler: its shipped sources, on stand-ins for time and for the threads that a runtime starts by itself.
//!
//! A model starts the workers' threads, and has them do [`ending::work`]; what the watchdog and the closing thread do it does
//! itself, by the same functions.

#[path = "../../../crates/tasca-core/src/scheduler/current.rs"]
#[expect(dead_code, reason = "some questions are asked by rooms above only")]
pub(crate) mod current;
#[path = "../../../crates/tasca-core/src/scheduler/ending.rs"]
#[expect(dead_code, reason = "one of them is for runtimes on one thread")]
pub(crate) mod ending;
#[path = "../../../crates/tasca-core/src/scheduler/extension.rs"]
#[expect(dead_code, unreachable_pub, reason = "a part of what all share")]
pub(crate) mod extension;
#[path = "../../../crates/tasca-core/src/scheduler/gate.rs"]
#[expect(dead_code, reason = "some questions are asked by rooms above only")]
pub(crate) mod gate;
#[path = "../../../crates/tasca-core/src/scheduler/parker.rs"]
#[expect(dead_code, reason = "filled by rooms above only")]
pub(crate) mod parker;
#[path = "../../../crates/tasca-core/src/scheduler/patience.rs"]
pub(crate) mod patience;
#[path = "../../../crates/tasca-core/src/scheduler/remote.rs"]
pub(crate) mod remote;
#[path = "../../../crates/tasca-core/src/scheduler/shared.rs"]
#[expect(dead_code, reason = "some parts serve rooms above only")]
pub(crate) mod shared;
#[path = "../../../crates/tasca-core/src/scheduler/sharing.rs"]
pub(crate) mod sharing;
#[path = "../../../crates/tasca-core/src/scheduler/timers.rs"]
#[expect(dead_code, reason = "asked by the loop on one thread only")]
pub(crate) mod timers;
#[path = "../../../crates/tasca-core/src/scheduler/worker.rs"]
pub(crate) mod worker;

/// Time, which passes when something says so, as a sleep that ends by itself does, and with each reading: who waits awake for a time
/// comes to it.
pub(crate) mod clock {
    use std::cell::Cell;
    use std::time::{Duration, Instant};

    const READING_NS: u64 = 1_000;

    // The threads of a model run one at a time on a single thread of the system, so this is the model's own.
    std::thread_local! {
        static NOW_NS: Cell<u64> = const { Cell::new(0) };
    }

    /// Lets time pass.
    pub(crate) fn pass(ns: u64) {
        NOW_NS.set(NOW_NS.get() + ns);
    }

    /// The clock of the one runtime of an execution.
    #[derive(Debug)]
    pub(crate) struct Clock {
        origin: Instant,
    }

    impl Clock {
        pub(crate) fn real() -> Self {
            NOW_NS.set(0);
            Self {
                origin: Instant::now(),
            }
        }

        pub(crate) fn virtual_time() -> Self {
            Self::real()
        }

        #[expect(clippy::unused_self, reason = "the face of a clock")]
        pub(crate) fn now_ns(&self) -> u64 {
            pass(READING_NS);
            NOW_NS.get()
        }

        pub(crate) fn now(&self) -> Instant {
            self.instant_of(self.now_ns())
        }

        pub(crate) fn instant_of(&self, ns: u64) -> Instant {
            self.origin + Duration::from_nanos(ns)
        }

        #[expect(clippy::unused_self, reason = "the face of a clock")]
        pub(crate) fn is_virtual(&self) -> bool {
            false
        }

        pub(crate) fn ns_of(&self, instant: Instant) -> u64 {
            as_ns(instant.saturating_duration_since(self.origin))
        }
    }

    pub(crate) fn as_ns(duration: Duration) -> u64 {
        u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
    }
}

/// No model runs the loop on one thread.
pub(crate) mod deterministic {
    #[derive(Debug)]
    pub(crate) struct Deterministic;

    impl Deterministic {
        pub(crate) fn new(_: u64) -> Self {
            Self
        }

        pub(crate) fn notify(&self) {}

        pub(crate) fn job_began(&self) {}

        pub(crate) fn job_ended(&self) {}
    }
}

/// The threads of a runtime are its model's.
pub(crate) mod shutdown {
    #[derive(Debug)]
    pub(crate) struct Threads;

    impl Threads {
        pub(crate) fn new() -> Self {
            Self
        }
    }
}

/// The watchdog never ticks by itself.
pub(crate) mod watchdog {
    use super::shared::Shared;
    use crate::primitive::Arc;

    #[derive(Debug)]
    pub(crate) struct Watchdog;

    impl Watchdog {
        pub(crate) fn new() -> Self {
            Self
        }

        pub(crate) fn has_spares(&self) -> bool {
            false
        }

        pub(crate) fn ensure_awake(&self, _: &Arc<Shared>) {}

        pub(crate) fn hurry(&self, _: &Shared) {}
    }
}
