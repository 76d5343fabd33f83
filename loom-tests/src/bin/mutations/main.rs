//! Proves that each model can fail.
//!
//! For every entry of the [`list`]: one line of the shipped sources is weakened in a copy (the tree itself is never
//! touched), the models are built on the copy, and the entry's model has to go red. One that stays green watches nothing,
//! or the line is not needed. All mutations are in one build (see [`weave`]), and a variable says which is in force.
//!
//! ```sh
//! cargo run -p tasca-loom-tests --bin mutations                    # all of them, some minutes
//! cargo run -p tasca-loom-tests --bin mutations -- idle            # those whose model's name contains it
//! cargo run -p tasca-loom-tests --bin mutations -- --check         # only that the list fits sources and models
//! cargo run -p tasca-loom-tests --bin mutations -- --orderings     # every ordering of the rooms, weakened one by one
//! cargo run -p tasca-loom-tests --bin mutations -- --orderings task/state.rs
//! ```
//!
//! `TASCA_MUTATIONS_DIR` says where the copy and its build go; by default into the system's temporary directory.
#![expect(clippy::print_stdout, reason = "a program")]

mod bench;
mod list;
mod orderings;
mod sources;
mod weave;

use std::process::ExitCode;

use bench::Bench;
use list::Mutation;
use sources::Sources;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |option: &str| arguments.iter().any(|argument| argument == option);
    let filters: Vec<&str> = arguments
        .iter()
        .map(String::as_str)
        .filter(|word| !word.starts_with("--"))
        .collect();
    let sources = Sources::own();
    let outcome = if has("--orderings") {
        orderings::run(&sources, &filters)
    } else {
        misfits(&sources).and_then(|misfits| {
            misfits.iter().for_each(|misfit| println!("{misfit}"));
            let is_well = misfits.is_empty();
            Ok(is_well && (has("--check") || run(&sources, &filters)?))
        })
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            println!("mutations: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Entries that do not fit the sources or have no model, and models without an entry.
fn misfits(sources: &Sources) -> Result<Vec<String>, String> {
    let models = sources.models()?;
    let mut misfits = Vec::new();
    for mutation in list::all() {
        let Mutation { model, what, .. } = mutation;
        if !models.iter().any(|name| name == model) {
            misfits.push(format!("no model {model}, for {what:?}"));
        }
        if let Err(why) = mutation.find(sources) {
            misfits.push(format!("{model}: {what:?} does not fit: {why}"));
        }
    }
    let unwatched = models
        .iter()
        .filter(|model| list::all().all(|mutation| mutation.model != **model));
    misfits.extend(unwatched.map(|model| format!("no mutation for model {model}")));
    Ok(misfits)
}

/// Tries those whose model's name contains one of the filters; `true` if all are seen.
fn run(sources: &Sources, filters: &[&str]) -> Result<bool, String> {
    let chosen: Vec<&Mutation> = list::all()
        .filter(|mutation| {
            filters.is_empty() || filters.iter().any(|part| mutation.model.contains(part))
        })
        .collect();
    let mutants = chosen.iter().map(|mutation| mutation.find(sources));
    let bench = Bench::new(mutants.collect::<Result<_, _>>()?)?;
    let verdicts = bench.try_out(
        |number| vec![chosen[number].model.to_owned()],
        |number, verdict| {
            let Mutation { model, what, .. } = chosen[number];
            println!("{verdict:<10}  {model:<72} {what}");
        },
    )?;
    let n_unseen = verdicts.iter().filter(|verdict| !verdict.is_seen()).count();
    println!(
        "{} mutations, {n_unseen} not as they should be",
        chosen.len()
    );
    Ok(n_unseen == 0)
}

#[cfg(test)]
#[test]
fn the_list_fits_the_sources_and_has_every_model() {
    let misfits = misfits(&Sources::own()).expect("the sources can be read");
    assert_eq!(misfits, Vec::<String>::new());
}
