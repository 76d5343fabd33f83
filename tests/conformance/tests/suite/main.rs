//! All scenarios on all runtimes, compared with what `CPython` did.
//!
//! At the exact level some scenarios differ, and some need features that there are not: `exceptions.json` lists them, by rule
//! and with the reason. What differs and is not listed fails, and so does what is listed and does not differ.
//!
//! At the outcome level there are no exceptions. Some random scenarios end in several ways in asyncio too, when its schedule is
//! disturbed: `outcomes.json` has these ends, and one of them it must be.
#![expect(
    clippy::print_stdout,
    reason = "what real time has disturbed is shown, and fails nothing"
)]

mod exceptions;
mod fleet;

use std::sync::{Mutex, PoisonError};

use serde_json::Value;
use tasca_conformance::suite::{Case, cases};
use tasca_conformance::{Answer, Flavor, check, compare};

use exceptions::Exceptions;
use fleet::{Found, run_all};

/// In virtual time a scenario computes all the time that it takes.
const N_AT_ONCE_VIRTUAL: usize = 2;

/// In real time it sleeps most of the time.
const N_AT_ONCE_REAL: usize = 12;

/// How often a scenario that ended otherwise in real time is repeated, with the machine to itself: a rule that is broken shows
/// every time, a thread that lost the machine for some milliseconds does not.
const N_REPEATS: usize = 6;

/// So often a difference has to show again: one that is there on a machine that has more to do than it can is no rule that is broken.
const N_AGAIN: usize = 5;

/// Held by who runs scenarios in real time: they would make each other late.
static REAL_TIME: Mutex<()> = Mutex::new(());

fn is_skipped(found: &Found) -> bool {
    matches!(found.answer, Answer::Skipped(_))
}

/// Compares the outcomes of all scenarios that have one in any schedule.
#[track_caller]
fn check_outcomes(flavor: Flavor) {
    let mut cases = cases().unwrap();
    cases.retain(Case::is_schedule_independent);
    let n_cases = cases.len();
    let is_real = !matches!(flavor, Flavor::Deterministic(_));
    let n_at_once = if is_real {
        N_AT_ONCE_REAL
    } else {
        N_AT_ONCE_VIRTUAL
    };
    let _alone = is_real.then(|| REAL_TIME.lock().unwrap_or_else(PoisonError::into_inner));
    let found = run_all(cases, flavor, n_at_once);
    assert_eq!(found.len(), n_cases);
    let listed = Exceptions::load();
    let mut differences = Vec::new();
    for found in &found {
        if is_skipped(found) {
            let name = found.case.name();
            assert!(listed.is_skipped(&found.case), "{name} was skipped");
        } else if let Some(difference) = difference_of(found) {
            // Somebody else may have had the machine for longer than the scenario bears.
            let repeats = if is_real { N_REPEATS } else { 0 };
            let again = run_all(vec![found.case.clone(); repeats], flavor, 1);
            let n_again = again
                .iter()
                .filter(|it| difference_of(it).is_some())
                .count();
            if !is_real || n_again >= N_AGAIN {
                differences.push(difference);
            } else {
                let (n_shown, n_runs) = (1 + n_again, 1 + repeats);
                println!("on {flavor}, in {n_shown} of {n_runs} runs: {difference}");
            }
        }
    }
    assert!(
        differences.is_empty(),
        "on {flavor}, {} of {n_cases} outcomes differ from CPython's:\n{}",
        differences.len(),
        differences.join("\n")
    );
}

fn difference_of(found: &Found) -> Option<String> {
    let case = &found.case;
    let got = found.answer.to_json(&case.scenario);
    let difference = compare::outcome(&case.trace, &got)?;
    let mut others = case.other_outcomes.iter();
    let is_known = others.any(|projection| compare::is_outcome(projection, &got));
    (!is_known).then(|| format!("{} {}\n  {difference}", case.name(), rules(case)))
}

fn rules(case: &Case) -> &Value {
    &case.scenario["rules"]
}

#[test]
fn whole_traces_on_the_deterministic_runtime() {
    let found = run_all(
        cases().unwrap(),
        Flavor::Deterministic(0),
        N_AT_ONCE_VIRTUAL,
    );
    let mut listed = Exceptions::load();
    let mut wrong = Vec::new();
    for found in &found {
        let (name, case) = (found.case.name(), &found.case);
        if let Answer::Skipped(feature) = &found.answer {
            if !listed.skip(case, feature) {
                wrong.push(format!("{name} was skipped: it needs {feature}"));
            }
            continue;
        }
        let got = found.answer.to_json(&case.scenario);
        if let Some(difference) = compare::exact(&case.trace, &got)
            && !listed.differ(name)
        {
            wrong.push(format!("{name} {}\n  {difference}", rules(case)));
        }
    }
    let n_differ = wrong.len();
    wrong.extend(listed.not_needed());
    assert!(
        wrong.is_empty(),
        "{n_differ} of {} traces differ from CPython's and are not listed in exceptions.json; all that is wrong:\n{}",
        found.len(),
        wrong.join("\n")
    );
}

#[test]
fn outcomes_do_not_depend_on_the_seed() {
    for seed in [1, 2, 3, 5, 8] {
        check_outcomes(Flavor::Deterministic(seed));
    }
}

#[test]
fn outcomes_with_one_worker() {
    check_outcomes(Flavor::MultiThread(Some(1)));
}

#[test]
fn outcomes_with_two_workers() {
    check_outcomes(Flavor::MultiThread(Some(2)));
}

#[test]
fn outcomes_with_four_workers() {
    check_outcomes(Flavor::MultiThread(Some(4)));
}

#[test]
fn outcomes_on_one_thread() {
    check_outcomes(Flavor::CurrentThread);
}

#[test]
fn every_scenario_is_well_formed() {
    let cases = cases().unwrap();
    assert!(cases.len() > 1_000, "{} cases", cases.len());
    for case in &cases {
        assert_eq!(check(&case.scenario), Ok(()), "{}", case.name());
    }
}
