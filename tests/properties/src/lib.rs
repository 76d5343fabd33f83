//! Histories of operations beside plain models of what they should do.
//!
//! Each module has an `Op`, and a `check` that applies a history of them to the real thing and to the model. The tests below draw
//! histories with `proptest`, which makes a failing one as short as it can; the fuzzers in `tests/fuzz` have theirs made of bytes
//! and are guided by what the bytes reach. Both call the same `check`, so that what a fuzzer finds becomes a test by being
//! written down: a `check` of that history.
//!
//! ```sh
//! cargo test -p tasca-properties                             # a thousand histories of each kind
//! PROPTEST_CASES=100000 cargo test -p tasca-properties lines # more of one kind
//! PROPTEST_RNG_SEED=7 cargo test -p tasca-properties         # always the same
//! ```
//!
//! Futures are polled by hand, and only when they were woken ([`parties`]): a lost wake-up is a party that is due and
//! sleeps. Whole programs run on the deterministic runtime, where an hour of virtual time says that nothing goes on.

mod parties;
mod primitive;

pub mod attributes;
pub mod cancels;
pub mod contexts;
pub mod lines;
pub mod names;
pub mod queues;
pub mod run_queues;
pub mod scenarios;
pub mod signals;
pub mod timers;
pub mod turns;

// Rooms that nobody outside of the core sees.
#[path = "../../../crates/tasca-core/src/queue/mod.rs"]
mod queue;
#[path = "../../../crates/tasca-core/src/scheduler/sharing.rs"]
#[expect(dead_code, reason = "how much is given away has tests of its own")]
mod sharing;
#[path = "../../../crates/tasca-core/src/slots/mod.rs"]
mod slots;
#[path = "../../../crates/tasca-core/src/timer_queue/mod.rs"]
#[expect(dead_code, reason = "some questions are asked by the scheduler only")]
mod timer_queue;

use attributes::options;

/// Checks a thousand histories, and shows the shortest one that fails.
#[cfg(test)]
#[track_caller]
fn holds<S: proptest::strategy::Strategy>(histories: S, check: impl Fn(&S::Value)) {
    holds_in(4, histories, check);
}

/// Checks so many times the usual number of histories.
#[cfg(test)]
#[track_caller]
fn holds_in<S: proptest::strategy::Strategy>(n: u32, histories: S, check: impl Fn(&S::Value)) {
    use proptest::test_runner::{Config, TestError, TestRunner};

    let mut config = Config {
        failure_persistence: None,
        max_shrink_time: 60_000,
        ..Config::default()
    };
    config.cases *= n;
    let outcome = TestRunner::new(config).run(&histories, |history| {
        check(&history);
        Ok(())
    });
    match outcome {
        Ok(()) => {}
        Err(TestError::Fail(why, history)) => panic!("{why}\nthe shortest history:\n{history:#?}"),
        Err(TestError::Abort(why)) => panic!("{why}"),
    }
}
