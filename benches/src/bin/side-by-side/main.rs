//! Measures every runtime in the same run, interleaved, and shows how they compare.
//!
//! ```text
//! cargo run --release -p tasca-benches --bin side-by-side -- [options]
//!
//! What is measured
//!   --only NAME        only this workload, or those whose name contains it; also several times
//!   --full             also what takes long, and variants; without it, and without --only, the usual ones
//!   --runtime NAME     only this runtime; may be given several times
//!   --others           also the programs in benches/others, as far as they can be built and run here
//!   --workers N        only with N workers; may be given several times (default: 1 and 2)
//!   --rounds N         how often each is measured, at least 7 (default: 9)
//!   --millis N         how long one measurement lasts, about (default: 20)
//!   --smoke            one short round of everything: says whether it works, not how fast it is
//!   --system-calls     counts the system calls for an operation instead, by all threads of the process
//!   --list             the names of the workloads
//! What is done with the figures, beside printing them
//!   --json FILE        writes them down; those of other workloads that the file has already stay
//!   --from FILE        measures nothing, and takes the figures from such a file
//!   --svg FILE         draws the ratios
//!   --markdown FILE    puts a table into FILE, between the comments that mark the place of `figures`
//!   --targets          says which targets of benches/targets.toml are missed; exit code 1 if any is
//! ```
//!
//! What docs/performance.md shows is made by
//!
//! ```text
//! cargo run --release -p tasca-benches --bin side-by-side -- --full --others \
//!     --json docs/performance.json --svg docs/performance.svg --markdown docs/performance.md
//! ```
//!
//! For each workload and number of workers, the runtimes are measured in turn, round by round, and each
//! round begins with another of them, so that a machine that slows down meanwhile slows all of them down.
//! What takes more than a fraction of a second is measured less often, three times at least. A line gives
//! the median of the rounds, the quartiles around it and the lowest, and for a peer the ratio of its median
//! to tasca's: above 1, tasca is ahead. The heading has the load of the machine before the run: what
//! competes for the cores makes medians and quartiles wide apart from the lowest.
//!
//! Before each measurement the program waits, a tenth of a second at most, until nothing else runs on its core, which two
//! processors may share. In the end it says how many measurements began on a shared one all the same: where they are
//! many, the runtimes did not have equal conditions, and the run should be made again.
//!
//! System calls are counted by the tool `perf`, which does not slow the program down, but has to be there
//! and to be allowed to (as root, or with `kernel.perf_event_paranoid` at -1).
//!
//! The column `by` says what is measured, see [`Metric`](tasca_benches::workload::Metric): bytes for
//! memory, else nanoseconds.

#![expect(clippy::print_stdout, reason = "a program that prints a table")]
#![expect(clippy::print_stderr, reason = "and complains about its options")]

use std::{env, fs, process::ExitCode};

use tasca_benches::{page::put_between, workload::Effort, workloads};

use crate::{
    gauge::Gauge,
    options::Options,
    others::Program,
    report::{Report, print_row},
    targets::Targets,
};

mod chart;
mod gauge;
mod machine;
mod markdown;
mod measure;
mod options;
mod others;
mod report;
mod system_calls;
mod targets;
mod watch;

/// What the ratios are taken to.
const OURS: &str = "tasca";

fn main() -> ExitCode {
    let outcome = Options::parse(env::args().skip(1)).and_then(|options| run(&options));
    outcome.unwrap_or_else(|message| {
        eprintln!("side-by-side: {message}");
        ExitCode::from(2)
    })
}

fn run(options: &Options) -> Result<ExitCode, String> {
    if options.serve {
        others::serve()?;
        return Ok(ExitCode::SUCCESS);
    }
    if options.list {
        for entry in workloads::all() {
            let when = match entry.effort {
                Effort::Usual => "",
                Effort::Full => "  (with --full)",
            };
            println!("{}{when}", entry.name);
        }
        return Ok(ExitCode::SUCCESS);
    }
    if options.system_calls {
        system_calls::count(options)?;
        return Ok(ExitCode::SUCCESS);
    }
    let targets = Targets::load()?;
    let report = match &options.from {
        Some(path) => Report::load(path)?,
        None => measure(options)?,
    };
    if let Some(path) = &options.svg {
        write(path, &chart::draw(&report))?;
    }
    if let Some(path) = &options.markdown {
        let page = fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
        let page = put_between(&page, "figures", &markdown::table(&report))
            .map_err(|message| format!("{path}: {message}"))?;
        write(path, &page)?;
    }
    if !options.targets {
        return Ok(ExitCode::SUCCESS);
    }
    let missed = targets.missed(&report);
    for line in &missed {
        println!("missed: {line}");
    }
    Ok(if missed.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Measures what is asked for, printing as it goes, and writing down as well: a long run that is broken off
/// has not been for nothing.
fn measure(options: &Options) -> Result<Report, String> {
    if cfg!(debug_assertions) && !options.smoke {
        eprintln!("side-by-side: built without --release; the figures mean nothing");
    }
    let mut report = Report::new(options.rounds, options.duration);
    if let Some(path) = &options.json {
        report.take_over(path)?;
    }
    let mut programs = if options.others {
        Program::start_all()
    } else {
        Vec::new()
    };
    println!("# {}, {}", report.machine, report.date());
    println!("# load average {}", report.load);
    println!(
        "# median of {} rounds of about {} ms (quartiles, lowest), ratio to {OURS}",
        options.rounds,
        options.duration.as_millis(),
    );
    let mut n_failed = 0;
    let mut gauge = if options.smoke {
        Gauge::impatient()
    } else {
        Gauge::new()
    };
    for entry in options.entries() {
        for &workers in &options.workers {
            let measured = measure::measure(&entry, workers, options, &mut programs, &mut gauge);
            for message in &measured.failed {
                eprintln!("{} with {workers} workers: {message}", entry.name);
            }
            n_failed += measured.failed.len();
            for row in &measured.rows {
                print_row(row, report::ratio(&measured.rows, row));
            }
            report.update(measured.rows);
            report.counts = gauge.counts();
            if let Some(path) = &options.json {
                write(path, &report.to_json())?;
            }
        }
    }
    println!("# {}", report.shared_cores());
    if options.smoke && n_failed > 0 {
        return Err(format!("{n_failed} measurements failed"));
    }
    Ok(report)
}

fn write(path: &str, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("{path}: {error}"))
}
