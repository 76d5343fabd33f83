//! System calls for an operation, by all threads.
//!
//! Each runtime does a workload in a process of its own under `perf stat`, once with so many rounds and once
//! with three times as many: the difference is without the start and the end.

use std::{
    env,
    io::Write,
    process::{Command, Stdio},
};

use tasca_benches::workload::{Case, Effort, Entry, Metric};

use crate::options::Options;

/// What is counted: how threads are put to sleep and woken, and what an echo needs anyway.
const CALLS: [&str; 7] = [
    "futex",
    "epoll_wait",
    "epoll_pwait",
    "epoll_pwait2",
    "write",
    "sendto",
    "recvfrom",
];

/// Operations in the shorter run, about.
const OPERATIONS: u64 = 20_000;

/// Counts for the workloads that are asked for; without `--only`, for those that wait for sockets.
pub(crate) fn count(options: &Options) -> Result<(), String> {
    let entries = options.entries();
    let is_wanted = |entry: &&Entry| {
        options.names_workloads()
            || (entry.effort == Effort::Usual
                && entry.metric == Metric::Wall
                && ["echo", "http"]
                    .iter()
                    .any(|part| entry.name.starts_with(part)))
    };
    let headings: Vec<_> = CALLS.iter().map(|call| format!("{call:>12}")).collect();
    println!(
        "{:<20} {:>2} {:<6} {}",
        "per operation",
        "",
        "",
        headings.join(" ")
    );
    for entry in entries.iter().filter(is_wanted) {
        for &workers in &options.workers {
            for case in entry
                .cases
                .iter()
                .filter(|case| case.mark.is_some() && options.wants_runtime(case.runtime))
            {
                let calls = count_case(entry, case, workers)?;
                let calls: Vec<_> = calls.iter().map(|calls| format!("{calls:>12.3}")).collect();
                println!(
                    "{:<20} {workers:>2} {:<6} {}",
                    entry.name,
                    case.runtime,
                    calls.join(" ")
                );
            }
        }
    }
    Ok(())
}

fn count_case(entry: &Entry, case: &Case, workers: usize) -> Result<Vec<f64>, String> {
    let rounds = OPERATIONS.div_ceil(entry.elements);
    let short = run(entry, case, workers, rounds)?;
    let long = run(entry, case, workers, 3 * rounds)?;
    // The warm-up is an eighth of each, rounded up.
    let n_rounds = |rounds: u64| rounds + rounds.div_ceil(8);
    let operations = (n_rounds(3 * rounds) - n_rounds(rounds)) * entry.elements;
    let difference =
        |(short, long): (&u64, &u64)| (*long as f64 - *short as f64).max(0.0) / operations as f64;
    Ok(short.iter().zip(&long).map(difference).collect())
}

/// How often each of [`CALLS`] was made in so many rounds.
fn run(entry: &Entry, case: &Case, workers: usize, rounds: u64) -> Result<Vec<u64>, String> {
    let events: Vec<_> = CALLS
        .iter()
        .map(|call| format!("syscalls:sys_enter_{call}"))
        .collect();
    let program = env::current_exe().map_err(|error| error.to_string())?;
    let mut perf = Command::new("perf")
        .args([
            "stat",
            "--field-separator",
            ",",
            "--event",
            &events.join(","),
        ])
        .arg("--")
        .arg(program)
        .arg("--serve")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("perf cannot be started: {error}"))?;
    let question = format!("{}\n{} {workers} {rounds}\n", case.runtime, entry.name);
    // The end of the input, which is closed after this, ends the program.
    perf.stdin
        .take()
        .ok_or("no input")?
        .write_all(question.as_bytes())
        .map_err(|error| format!("perf: {error}"))?;
    let output = perf
        .wait_with_output()
        .map_err(|error| format!("perf: {error}"))?;
    let text = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("perf: {}", text.trim()));
    }
    // Lines like `1234,,syscalls:sys_enter_futex,...`.
    let counted = |event: &String| {
        let line = text
            .lines()
            .find(|line| line.split(',').any(|field| field == event))?;
        line.split(',').next()?.parse().ok()
    };
    events
        .iter()
        .map(|event| counted(event).ok_or_else(|| format!("perf does not count {event}")))
        .collect()
}
