//! The scheduler: its shipped sources, on stand-ins for time and for the threads that a runtime starts by itself.
//!
//! A model starts the workers' threads, and has them do [`ending::work`]; what the watchdog and the closing thread do it does
//! itself, by the same functions: a model says when the watchdog ticks.

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
#[path = "../../../crates/tasca-core/src/scheduler/lap.rs"]
pub(crate) mod lap;
#[path = "../../../crates/tasca-core/src/scheduler/pace.rs"]
pub(crate) mod pace;
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
#[path = "../../../crates/tasca-core/src/scheduler/watchdog.rs"]
#[expect(dead_code, reason = "a model does the ticks of the thread")]
pub(crate) mod watchdog;
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

/// The threads of a runtime are its model's. One that the runtime starts by itself is a worker, of a seed that the model has left for it.
pub(crate) mod shutdown {
    use std::io;

    use super::ending;
    use super::shared::Shared;
    use super::worker::Seed;
    use crate::primitive::{Arc, Mutex};

    #[derive(Debug)]
    pub(crate) struct Threads {
        seeds: Mutex<Vec<Seed>>,
        spare: Mutex<Option<loom::thread::JoinHandle<()>>>,
    }

    impl Threads {
        pub(crate) fn new() -> Self {
            Self {
                seeds: Mutex::new(Vec::new()),
                spare: Mutex::new(None),
            }
        }

        pub(crate) fn take_seed(&self, index: usize) -> Option<Seed> {
            let mut seeds = self.seeds.lock();
            let position = seeds.iter().position(|seed| seed.index == index)?;
            Some(seeds.swap_remove(position))
        }

        pub(crate) fn return_seed(&self, seed: Seed) {
            self.seeds.lock().push(seed);
        }

        /// Waits for the end of the spare worker, if one was started.
        pub(crate) fn join(&self) {
            let spare = self.spare.lock().take();
            if let Some(spare) = spare {
                spare.join().expect("no panic");
            }
        }
    }

    /// The watchdog: a model does its ticks.
    #[expect(clippy::unnecessary_wraps, reason = "the real one may fail")]
    pub(crate) fn start_thread(
        _: &Arc<Shared>,
        _: &str,
        body: impl FnOnce() + Send + 'static,
    ) -> io::Result<()> {
        drop(body);
        Ok(())
    }

    pub(crate) fn start_worker(shared: &Arc<Shared>, seed: Seed) -> Result<(), (Seed, io::Error)> {
        let kept = Arc::clone(shared);
        if let Err(error) = shared.driver.add_poller(seed.index) {
            return Err((seed, error));
        }
        shared.gate.worker_begins();
        let spare = loom::thread::spawn(move || {
            kept.watchdog.ensure_awake(&kept);
            ending::work(&kept, seed);
        });
        *shared.threads.spare.lock() = Some(spare);
        Ok(())
    }
}
