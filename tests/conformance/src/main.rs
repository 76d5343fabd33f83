//! Reads scenarios as JSON lines from standard input and writes their traces as JSON lines to standard output, in the same order.
//!
//! ```text
//! tasca-conformance --runtime deterministic|multi-thread[:N]|current-thread [--seed S] [--tick MICROSECONDS] [--jobs N]
//! ```
//!
//! Scenarios in real time sleep most of the time, so several are run at once. One that fails or does not end takes no other with
//! it: its line says so, and so does the exit status. A line that is no scenario ends the program.

use std::collections::BTreeMap;
use std::io::{BufRead, Write};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use tasca_conformance::suite::parse;
use tasca_conformance::{Flavor, Options, check, run, silence_expected_panics};

const USAGE: &str = "usage: tasca-conformance --runtime deterministic|multi-thread[:N]|current-thread [--seed S] \
     [--tick MICROSECONDS] [--jobs N]";

/// How many scenarios are run at once in real time, unless it is said.
const N_JOBS: usize = 8;

fn options(args: impl Iterator<Item = String>) -> Result<(Options, usize), String> {
    let mut args = args;
    let mut runtime = None;
    let (mut seed, mut tick, mut n_jobs) = (0, None, None);
    while let Some(arg) = args.next() {
        let value = args.next().ok_or_else(|| format!("{arg} needs a value"))?;
        let number = || {
            value
                .parse::<u64>()
                .map_err(|error| format!("{arg} {value}: {error}"))
        };
        let positive = || match number()? {
            0 => Err(format!("{arg} {value}: at least one")),
            n => Ok(n),
        };
        match &*arg {
            "--runtime" => runtime = Some(value),
            "--seed" => seed = number()?,
            "--tick" => tick = Some(Duration::from_micros(positive()?)),
            "--jobs" => n_jobs = usize::try_from(positive()?).ok(),
            _ => return Err(format!("unknown option {arg}")),
        }
    }
    let runtime = runtime.ok_or("--runtime is missing")?;
    let flavor = match runtime.split_once(':') {
        None if runtime == "deterministic" => Flavor::Deterministic(seed),
        None if runtime == "current-thread" => Flavor::CurrentThread,
        None if runtime == "multi-thread" => Flavor::MultiThread(None),
        Some(("multi-thread", count)) => match count.parse() {
            Ok(n_workers @ 1..) => Flavor::MultiThread(Some(n_workers)),
            _ => return Err(format!("--runtime {runtime}: how many workers?")),
        },
        _ => return Err(format!("unknown runtime {runtime}")),
    };
    let n_default = match flavor {
        Flavor::Deterministic(_) => 1,
        Flavor::MultiThread(_) | Flavor::CurrentThread => N_JOBS,
    };
    Ok((Options { flavor, tick }, n_jobs.unwrap_or(n_default)))
}

/// The answer to a line.
struct Line {
    text: String,
    is_failure: bool,
}

fn answer(scenario: &Value, options: &Options) -> Line {
    let failed = |why: String| Line {
        text: json!({"name": scenario["name"], "failed": why}).to_string(),
        is_failure: true,
    };
    match std::panic::catch_unwind(|| run(scenario, options)) {
        Ok(Ok(answer)) => Line {
            text: answer.to_json(scenario).to_string(),
            is_failure: false,
        },
        Ok(Err(error)) => failed(error.to_string()),
        Err(_) => failed("the interpreter panicked".to_owned()),
    }
}

/// Reads scenarios and hands them out, until the end or a line that is none.
fn read(scenarios: &mpsc::SyncSender<(usize, Value)>) -> Result<(), String> {
    let lines = std::io::stdin().lock().lines();
    let mut n_scenarios = 0;
    for (index, line) in lines.enumerate() {
        let bad = |what: &dyn std::fmt::Display| format!("line {}: {what}", index + 1);
        let line = line.map_err(|error| bad(&error))?;
        if line.trim().is_empty() {
            continue;
        }
        let scenario: Value = parse(&line).map_err(|error| bad(&error))?;
        check(&scenario).map_err(|error| bad(&error))?;
        if scenarios.send((n_scenarios, scenario)).is_err() {
            return Ok(());
        }
        n_scenarios += 1;
    }
    Ok(())
}

/// Runs all scenarios; tells whether all could be run.
fn run_all(options: Options, n_jobs: usize) -> Result<bool, String> {
    let (hand_out, scenarios) = mpsc::sync_channel(n_jobs);
    let scenarios = Arc::new(Mutex::new(scenarios));
    let (tell, told) = mpsc::channel();
    for _ in 0..n_jobs {
        let (scenarios, tell) = (Arc::clone(&scenarios), tell.clone());
        thread::spawn(move || {
            loop {
                let next = scenarios
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .recv();
                let Ok((index, scenario)) = next else { return };
                if tell.send((index, answer(&scenario, &options))).is_err() {
                    return;
                }
            }
        });
    }
    drop(tell);
    let reader = thread::spawn(move || read(&hand_out));
    let mut stdout = std::io::stdout().lock();
    let mut early: BTreeMap<usize, Line> = BTreeMap::new();
    let (mut n_written, mut is_well) = (0, true);
    for (index, line) in told {
        early.insert(index, line);
        while let Some(line) = early.remove(&n_written) {
            n_written += 1;
            is_well &= !line.is_failure;
            let written = writeln!(stdout, "{}", line.text).and_then(|()| stdout.flush());
            written.map_err(|error| format!("standard output: {error}"))?;
        }
    }
    let read = reader.join().map_err(|_| "the reader panicked")?;
    read.map(|()| is_well)
}

#[expect(clippy::print_stderr, reason = "a program says what is wrong")]
fn main() -> ExitCode {
    silence_expected_panics();
    let options = match options(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("tasca-conformance: {error}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match run_all(options.0, options.1) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("tasca-conformance: {error}");
            ExitCode::from(2)
        }
    }
}
