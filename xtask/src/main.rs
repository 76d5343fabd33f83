//! Chores of the workspace, in plain Rust so that there is nothing to install.
//!
//! `cargo xtask <chore>`:
//!
//! - `layers`: crates depend downwards only, and so do the rooms of `tasca-core`;
//! - `tidy`: rules of the house that neither the compiler nor clippy knows;
//! - `rules`: every rule of asyncio has its row in the map, and what pins it exists;
//! - `deny`: licences, sources and duplicate versions of all dependencies, as `deny.toml` says;
//! - `sanitize`: tests, storms and the mixed load under the address and thread sanitizers, or those that are named, of which
//!   `valgrind` is one (`--short`: what finds most for its minutes; `--soak n`: the load for n seconds);
//! - `ci`: everything that CI runs, with the time of each step (`--without a,b` leaves steps out,
//!   `--only a,b` runs just those).
//!
//! A check is a pure function from text to findings, so that its tests can show it a bad input and
//! see it fail. A finding is a line that says where, what, and what to do instead. Exit codes:
//! 0 for no findings, 1 for some, 2 if a check could not be made.
#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line program speaks by printing"
)]

mod ci;
mod crates;
mod deny;
mod rooms;
mod rules;
mod sanitize;
mod source;
mod spdx;
mod tidy;
mod workspace;

use std::process::ExitCode;

use workspace::Workspace;

/// What went wrong while checking, as opposed to what the check found.
type Trouble = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match run(&args) {
        Ok(findings) if findings.is_empty() => ExitCode::SUCCESS,
        Ok(findings) => {
            for finding in &findings {
                println!("{finding}");
            }
            println!("{}: {} finding(s)", args.join(" "), findings.len());
            ExitCode::from(1)
        }
        Err(trouble) => {
            eprintln!("xtask: {trouble}");
            ExitCode::from(2)
        }
    }
}

fn run(args: &[&str]) -> Result<Vec<String>, Trouble> {
    let workspace = Workspace::locate()?;
    match args {
        ["layers"] => {
            let mut findings = crates::check(&workspace)?;
            findings.extend(rooms::check(&workspace)?);
            Ok(findings)
        }
        ["tidy"] => tidy::check(&workspace),
        ["rules"] => rules::check(&workspace),
        ["deny"] => deny::check(&workspace),
        ["sanitize", words @ ..] => sanitize::run(&workspace, words),
        ["ci", choice @ ..] => ci::run(&workspace, choice),
        _ => Err(
            "usage: cargo xtask layers | tidy | rules | deny | sanitize | ci [--without a,b | --only a,b]"
                .into(),
        ),
    }
}
