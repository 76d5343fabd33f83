//! Breaks the code on purpose, one line at a time, and looks whether the test that should notice turns red.
//!
//! ```text
//! cargo run -p tasca-properties --bin broken-code              # all, half an hour on an idle machine
//! cargo run -p tasca-properties --bin broken-code -- lines     # those whose test's name contains it
//! cargo run -p tasca-properties --bin broken-code -- --check   # only that every break still fits
//! ```
//!
//! The [`list`] has the histories beside models, the whole programs of `tests/stress/seeds.rs`, and the hits at every await
//! point of `tests/faults`. All happens in a copy of the tree, see `tasca_broken`; first with nothing broken, where every test has to
//! be green.
#![expect(clippy::print_stdout, reason = "the result is a table")]

mod list;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use list::{BREAKS, Break, Suite};
use tasca_broken::{Copied, Trouble, Verdict, try_out};

/// None of the tests takes a fifth of it.
const PATIENCE: Duration = Duration::from_secs(300);

/// The copy of the tree, and the tests in it.
struct Bench {
    copy: Copied,
}

impl Bench {
    /// The file as it is, and broken.
    fn texts(&self, broken: &Break) -> Result<(String, String), Trouble> {
        self.copy.texts(&broken.path(), broken.from, broken.to)
    }

    /// Fails if a test is red though nothing is broken.
    fn check_sound(&self, breaks: &[&Break]) -> Result<(), Trouble> {
        let suites: BTreeSet<_> = breaks.iter().map(|b| b.suite).collect();
        for suite in suites {
            if let Err(said) = self.copy.build(suite.0)? {
                return Err(format!("with nothing broken:\n{said}").into());
            }
        }
        let tests: BTreeSet<_> = breaks.iter().map(|b| (b.suite, b.test)).collect();
        for (suite, test) in tests {
            match self.test(suite, test)? {
                Verdict::Survived => {}
                other => return Err(format!("{test} with nothing broken: {other}").into()),
            }
        }
        Ok(())
    }

    /// Breaks the code in several places, runs the tests, and mends the code.
    fn try_breaks(&self, round: &[&Break]) -> Result<Vec<Verdict>, Trouble> {
        let mut sound: Vec<(PathBuf, String)> = Vec::new();
        for broken in round {
            let path = self.copy.root().join(broken.path());
            let (before, text) = self.texts(broken)?;
            fs::write(&path, text)?;
            sound.push((path, before));
        }
        let verdicts = round
            .iter()
            .map(|broken| self.test(broken.suite, broken.test));
        let verdicts: Result<Vec<Verdict>, Trouble> = verdicts.collect();
        for (path, before) in sound {
            fs::write(path, before)?;
        }
        verdicts
    }

    fn test(&self, suite: &Suite, test: &str) -> Result<Verdict, Trouble> {
        let Ok(program) = self.copy.build(suite.0)? else {
            return Ok(Verdict::Broken);
        };
        try_out(self.copy.command(&program).arg(test), PATIENCE)
    }
}

/// Tries those that are chosen; `true` if all are noticed.
fn run() -> Result<bool, Trouble> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let check_only = words.iter().any(|word| word == "--check");
    let filters: Vec<&String> = words
        .iter()
        .filter(|word| !word.starts_with("--"))
        .collect();
    let is_chosen = |broken: &&Break| {
        filters.is_empty()
            || filters
                .iter()
                .any(|word| broken.test.contains(word.as_str()))
    };
    let bench = Bench {
        copy: Copied::new("tasca-broken-code")?,
    };
    let (mut n_tried, mut n_missed) = (0, 0);
    let mut fitting = Vec::new();
    for broken in BREAKS.iter().filter(is_chosen) {
        n_tried += 1;
        match bench.texts(broken) {
            Ok(_) => fitting.push(broken),
            Err(error) => {
                n_missed += 1;
                say(broken, &format!("UNFIT ({error})"));
            }
        }
    }
    if check_only {
        fitting.clear();
    }
    bench.check_sound(&fitting)?;
    for round in rounds(&fitting) {
        match bench.try_breaks(&round) {
            Ok(verdicts) => {
                for (broken, verdict) in round.iter().zip(verdicts) {
                    n_missed += usize::from(!verdict.is_seen());
                    say(broken, &verdict.to_string());
                }
            }
            Err(error) => {
                n_missed += round.len();
                let verdict = format!("NOT TRIED ({error})");
                round.iter().for_each(|broken| say(broken, &verdict));
            }
        }
    }
    println!("{n_tried} breaks, {n_missed} not as they should be");
    Ok(n_tried > 0 && n_missed == 0)
}

fn say(broken: &Break, verdict: &str) {
    println!("{verdict:<10} {:<36} {}", broken.test, broken.what);
}

/// Those that do not meet in any test share a build, which is what takes the time.
fn rounds<'a>(breaks: &[&'a Break]) -> Vec<Vec<&'a Break>> {
    let mut rounds: Vec<Vec<&Break>> = Vec::new();
    for broken in breaks {
        let round = rounds
            .iter_mut()
            .find(|round| round.iter().all(|other| broken.agrees_with(other)));
        match round {
            Some(round) => round.push(broken),
            None => rounds.push(vec![broken]),
        }
    }
    rounds
}

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            println!("broken-code: {error}");
            ExitCode::from(2)
        }
    }
}
