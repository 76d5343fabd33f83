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
use std::time::Instant;

use bench::{Bench, Verdict};
use list::{MUTATIONS, Mutation};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let check_only = arguments.iter().any(|argument| argument == "--check");
    let filters: Vec<&String> = arguments.iter().filter(|word| !word.starts_with("--")).collect();
    let chosen: Vec<&Mutation> = MUTATIONS
        .iter()
        .filter(|mutation| {
            filters.is_empty() || filters.iter().any(|part| mutation.model.contains(part.as_str()))
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

/// Tries each; `true` if all is as it should be.
fn run(mutations: &[&Mutation], check_only: bool) -> Result<bool, String> {
    let bench = Bench::new()?;
    let mut n_bad = 0;
    let models = if check_only { Vec::new() } else { bench.build_and_list()? };
    for mutation in mutations {
        let begun = Instant::now();
        let verdict = match bench.mutated(mutation) {
            Err(error) => Verdict::Stale(error),
            Ok(_) if check_only => continue,
            Ok(_) if !models.iter().any(|model| model == mutation.model) => {
                Verdict::Stale("there is no such model".to_owned())
            }
            Ok(text) => bench.try_out(mutation, &text)?,
        };
        let good = matches!(verdict, Verdict::Red | Verdict::Hung);
        n_bad += usize::from(!good);
        let seconds = begun.elapsed().as_secs_f64();
        println!("{verdict:<10} {seconds:>5.1} s  {:<60} {}", mutation.model, mutation.what);
    }
    let unwatched: Vec<&String> = models
        .iter()
        .filter(|model| MUTATIONS.iter().all(|mutation| mutation.model != *model))
        .collect();
    for model in &unwatched {
        println!("no mutation for model {model}");
    }
    println!("{} mutations, {n_bad} not as they should be", mutations.len());
    Ok(n_bad == 0 && unwatched.is_empty())
}
