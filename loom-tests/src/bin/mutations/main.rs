//! Proves that each model can fail.
//!
//! For every entry of the [`list`]: one line of the shipped sources is weakened in a copy (the tree itself is never
//! touched), the models are built on the copy, and the entry's model has to go red. One that stays green watches nothing,
//! or the line is not needed.
//!
//! ```sh
//! cargo run -p tasca-loom-tests --bin mutations              # all of them, some minutes
//! cargo run -p tasca-loom-tests --bin mutations -- idle      # those whose model's name contains it
//! cargo run -p tasca-loom-tests --bin mutations -- --check   # only that every entry still applies
//! ```
//!
//! `TASCA_MUTATIONS_DIR` says where the copy and its build go; by default into the system's temporary directory.
#![expect(clippy::print_stdout, reason = "a program")]

mod bench;
mod list;

use std::process::ExitCode;

use bench::{Bench, Verdict};
use list::Mutation;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let check_only = arguments.iter().any(|argument| argument == "--check");
    let filters: Vec<&String> = arguments
        .iter()
        .filter(|word| !word.starts_with("--"))
        .collect();
    let chosen: Vec<&Mutation> = list::all()
        .filter(|mutation| {
            filters.is_empty()
                || filters
                    .iter()
                    .any(|part| mutation.model.contains(part.as_str()))
        })
        .collect();
    match run(&chosen, check_only) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            println!("mutations: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Tries all; `true` if all is as it should be.
fn run(mutations: &[&Mutation], check_only: bool) -> Result<bool, String> {
    let bench = Bench::new()?;
    let mut fitting = Vec::new();
    for mutation in mutations {
        match bench.check(mutation) {
            Ok(()) => fitting.push(*mutation),
            Err(why) => say(mutation, &Verdict::Stale(why)),
        }
    }
    let mut n_bad = mutations.len() - fitting.len();
    let mut n_unwatched = 0;
    if !check_only {
        let models = bench.build_and_list()?;
        for model in models
            .iter()
            .filter(|model| list::all().all(|mutation| mutation.model != **model))
        {
            println!("no mutation for model {model}");
            n_unwatched += 1;
        }
        for round in rounds(&fitting) {
            for (mutation, verdict) in bench.try_out(&round)? {
                n_bad += usize::from(!matches!(verdict, Verdict::Red | Verdict::Hung));
                say(mutation, &verdict);
            }
        }
    }
    println!(
        "{} mutations, {n_bad} not as they should be",
        mutations.len()
    );
    Ok(n_bad == 0 && n_unwatched == 0)
}

fn say(mutation: &Mutation, verdict: &Verdict) {
    println!("{verdict:<10}  {:<72} {}", mutation.model, mutation.what);
}

/// Mutations that do not meet in any model may share a build, which is what takes the time.
fn rounds<'a>(mutations: &[&'a Mutation]) -> Vec<Vec<&'a Mutation>> {
    let mut rounds: Vec<Vec<&Mutation>> = Vec::new();
    for mutation in mutations {
        let meets = |other: &&Mutation| {
            mutation.takes_in(&other.room()) || other.takes_in(&mutation.room())
        };
        match rounds.iter_mut().find(|round| !round.iter().any(meets)) {
            Some(round) => round.push(mutation),
            None => rounds.push(vec![mutation]),
        }
    }
    rounds
}
