//! The ladder: every check that CI makes, cheapest first, with the seconds that each took.
//!
//! A step is a command that anyone can type; nothing is checked here that cannot be run by hand.
//! The first step that fails ends the run. `.ci/run` runs the README's two commands itself and then
//! all steps but `readme`, which is `.ci/run readme`.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::Trouble;
use crate::workspace::{Workspace, cargo};

/// A step: its name, a command line (`cargo` is the cargo that runs this), and environment.
#[derive(Debug)]
struct Step {
    name: &'static str,
    command: &'static str,
    env: Option<(&'static str, &'static str)>,
}

impl Step {
    const fn new(name: &'static str, command: &'static str) -> Self {
        Self {
            name,
            command,
            env: None,
        }
    }
}

const STEPS: [Step; 13] = [
    Step::new("fmt", "cargo fmt --all --check"),
    Step::new("layers", "cargo xtask layers"),
    Step::new("tidy", "cargo xtask tidy"),
    Step::new("rules", "cargo xtask rules"),
    Step::new("deny", "cargo xtask deny"),
    Step::new("lint", "cargo lint"),
    // Features add items and never change others: the facade must do without any.
    Step::new(
        "features",
        "cargo check --package tasca --no-default-features",
    ),
    Step {
        name: "docs",
        command: "cargo docs",
        env: Some(("RUSTDOCFLAGS", "-D warnings")),
    },
    // The main job, then every test and doc test of the workspace.
    Step::new("readme", "bash .ci/run readme"),
    Step::new("loom", "cargo loom"),
    // Counts, not times: the same on a busy machine.
    Step::new(
        "costs",
        "cargo run --release --package tasca-benches --bin cost-counter -- --check",
    ),
    // Each benchmark once, as a test, so that it does not rot.
    Step::new("benches", "cargo test --workspace --all-features --bench *"),
    // Says so, loudly, where the compiler has no sanitizers.
    Step::new("sanitize", "cargo xtask sanitize --short --soak 5"),
];

/// Runs the steps that `choice` (`--without a,b` or `--only a,b`) leaves.
pub(crate) fn run(workspace: &Workspace, choice: &[&str]) -> Result<Vec<String>, Trouble> {
    let mut times: Vec<(&str, Duration)> = Vec::new();
    let mut failed = None;
    for step in choose(choice)? {
        println!("\n== {}: {}", step.name, step.command);
        let start = Instant::now();
        let succeeded = execute(workspace, step)?;
        times.push((step.name, start.elapsed()));
        if !succeeded {
            failed = Some(format!("ci: step `{}` failed: {}", step.name, step.command));
            break;
        }
    }
    println!("\n== seconds per step");
    for (name, time) in &times {
        println!("{name:>10} {:8.1}", time.as_secs_f64());
    }
    let total: Duration = times.iter().map(|(_, time)| *time).sum();
    println!("{:>10} {:8.1}", "all", total.as_secs_f64());
    Ok(failed.into_iter().collect())
}

fn execute(workspace: &Workspace, step: &Step) -> Result<bool, Trouble> {
    let mut words = step.command.split(' ');
    let program = words.next().ok_or("a step without a command")?;
    let program = if program == "cargo" {
        cargo()
    } else {
        program.to_owned()
    };
    let mut command = Command::new(program);
    command
        .args(words)
        .envs(step.env)
        .current_dir(workspace.root());
    Ok(command
        .status()
        .map_err(|e| format!("{}: {e}", step.command))?
        .success())
}

fn choose(choice: &[&str]) -> Result<Vec<&'static Step>, Trouble> {
    let (keep, names) = match choice {
        [] => (false, ""),
        ["--without", names] => (false, *names),
        ["--only", names] => (true, *names),
        _ => return Err("usage: cargo xtask ci [--without a,b | --only a,b]".into()),
    };
    let names: Vec<&str> = names.split(',').filter(|name| !name.is_empty()).collect();
    if let Some(unknown) = names
        .iter()
        .find(|name| STEPS.iter().all(|step| step.name != **name))
    {
        let known = STEPS.map(|step| step.name).join(", ");
        return Err(format!("no step `{unknown}`; there are {known}").into());
    }
    Ok(STEPS
        .iter()
        .filter(|step| names.contains(&step.name) == keep)
        .collect())
}

#[cfg(test)]
mod tests {
    use super::{STEPS, choose};

    #[track_caller]
    fn n_chosen(choice: &[&str]) -> usize {
        choose(choice).map_or(0, |steps| steps.len())
    }

    #[test]
    fn steps_are_chosen_by_name() {
        assert_eq!(n_chosen(&[]), STEPS.len());
        assert_eq!(n_chosen(&["--without", "readme"]), STEPS.len() - 1);
        assert_eq!(n_chosen(&["--only", "fmt,tidy"]), 2);
    }

    #[test]
    fn a_misspelt_step_is_an_error_and_not_left_out() {
        assert!(choose(&["--only", "tydi"]).is_err());
        assert!(choose(&["--with"]).is_err());
    }
}
