//! Runs many scenarios, several at once.

use std::sync::{Mutex, Once, PoisonError};
use std::thread;

use tasca_conformance::suite::Case;
use tasca_conformance::{Answer, Flavor, Options, run, silence_expected_panics};

/// A case, and what came of it here.
pub(crate) struct Found {
    pub(crate) case: Case,
    pub(crate) answer: Answer,
}

/// Tests in real time take turns: each would make the others late.
static TURN: Mutex<()> = Mutex::new(());

/// Runs all cases, in no particular order.
pub(crate) fn run_all(cases: Vec<Case>, flavor: Flavor, n_at_once: usize) -> Vec<Found> {
    static SILENCED: Once = Once::new();
    SILENCED.call_once(silence_expected_panics);
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let options = Options { flavor, tick: None };
    let waiting = Mutex::new(cases.into_iter());
    let found = Mutex::new(Vec::new());
    let take_next = || waiting.lock().unwrap().next();
    thread::scope(|scope| {
        for _ in 0..n_at_once {
            scope.spawn(|| {
                while let Some(case) = take_next() {
                    let answer = run(&case.scenario, &options).unwrap();
                    found.lock().unwrap().push(Found { case, answer });
                }
            });
        }
    });
    found.into_inner().unwrap()
}
