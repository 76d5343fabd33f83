//! Measures every runtime in the same run, interleaved, and prints how they compare.
//!
//! ```text
//! cargo run --release -p tasca-benches --bin side-by-side -- [options]
//!
//!   --only NAME        only this workload, or those whose name contains it; also several times
//!   --runtime NAME     only this runtime; may be given several times
//!   --workers N        only with N workers; may be given several times (default: 1 and 2)
//!   --rounds N         how often each is measured, at least 7 (default: 9)
//!   --millis N         how long one measurement lasts, about (default: 30)
//!   --json FILE        writes all figures to FILE as well
//!   --smoke            one short round of everything: says whether it works, not how fast it is
//!   --list             the names of the workloads
//! ```
//!
//! For each workload and number of workers, the runtimes are measured in turn, round by round, and each
//! round begins with another of them, so that a machine that slows down meanwhile slows all of them down.
//! A table line gives the median of the rounds in nanoseconds per operation, the quartiles around it and
//! the lowest, and for a peer the ratio of its median to tasca's: above 1, tasca is ahead. The heading has
//! the load of the machine before the run: what competes for the cores makes medians and quartiles wide
//! apart from the lowest.
//!
//! The column `by` says what is measured: `wall` is time that passed, `cpu` is processor time of all
//! threads, `late` is how much later than asked for a sleep ended.

#![expect(clippy::print_stdout, reason = "a program that prints a table")]
#![expect(clippy::print_stderr, reason = "and complains about its options")]

use std::{
    env, fs,
    num::NonZero,
    process::ExitCode,
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tasca_benches::{
    workload::{Case, Entry, Metric},
    workloads,
};

/// Fewer rounds do not make a median.
const ROUNDS_MIN: usize = 7;

/// What the ratios are taken to.
const OURS: &str = "tasca";

fn main() -> ExitCode {
    let options = match Options::parse(env::args().skip(1)) {
        Ok(options) => options,
        Err(message) => {
            eprintln!("side-by-side: {message}");
            return ExitCode::from(2);
        }
    };
    let entries = if options.only.is_empty() {
        workloads::all()
    } else {
        workloads::named(&options.only)
    };
    if options.list {
        for entry in entries {
            println!("{}", entry.name);
        }
        return ExitCode::SUCCESS;
    }
    if cfg!(debug_assertions) && !options.smoke {
        eprintln!("side-by-side: built without --release; the figures mean nothing");
    }
    println!("# {}", machine());
    println!("# load average {}", load());
    println!("# {}", options.describe());
    let mut results = Vec::new();
    for entry in &entries {
        for &workers in &options.workers {
            let rows = measure(entry, workers, &options);
            print(&rows);
            results.extend(rows);
        }
    }
    match &options.json {
        Some(path) => save(path, &options, &results),
        None => ExitCode::SUCCESS,
    }
}

/// What the command line asked for.
struct Options {
    only: Vec<String>,
    runtimes: Vec<String>,
    workers: Vec<usize>,
    rounds: usize,
    duration: Duration,
    json: Option<String>,
    smoke: bool,
    list: bool,
}

impl Options {
    fn parse(mut args: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self {
            only: Vec::new(),
            runtimes: Vec::new(),
            workers: Vec::new(),
            rounds: 9,
            duration: Duration::from_millis(30),
            json: None,
            smoke: false,
            list: false,
        };
        while let Some(name) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("{name} needs a value"));
            match name.as_str() {
                "--only" => options.only.push(value()?),
                "--runtime" => options.runtimes.push(value()?),
                "--workers" => options.workers.push(number(&name, &value()?)?),
                "--rounds" => options.rounds = number(&name, &value()?)?,
                "--millis" => {
                    options.duration = Duration::from_millis(number(&name, &value()?)? as u64);
                }
                "--json" => options.json = Some(value()?),
                "--smoke" => options.smoke = true,
                "--list" => options.list = true,
                _ => return Err(format!("unknown option {name}")),
            }
        }
        if options.workers.is_empty() {
            options.workers = vec![1, 2];
        }
        if options
            .workers
            .iter()
            .any(|&workers| workers == 0 || workers > 16)
        {
            return Err("--workers must be 1 to 16".into());
        }
        if options.smoke {
            options.rounds = 1;
            options.duration = Duration::ZERO;
        } else if options.rounds < ROUNDS_MIN {
            return Err(format!("--rounds must be at least {ROUNDS_MIN}"));
        }
        Ok(options)
    }

    fn wants_runtime(&self, case: &Case) -> bool {
        self.runtimes.is_empty() || self.runtimes.iter().any(|name| name == case.runtime)
    }

    fn describe(&self) -> String {
        format!(
            "median of {} rounds of about {} ms, ns per operation (quartiles, lowest), ratio to {OURS}",
            self.rounds,
            self.duration.as_millis(),
        )
    }
}

fn number(name: &str, value: &str) -> Result<usize, String> {
    value
        .parse()
        .map_err(|_| format!("{name} needs a number, not {value}"))
}

/// The processor, the cores that may be used, and the system.
fn machine() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown processor", |(_, model)| model);
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!(
        "{model}, {cores} cores, {} {}",
        env::consts::OS,
        kernel.trim()
    )
}

/// How many threads ran or wanted to, over the last 1, 5 and 15 minutes.
fn load() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').take(3).collect::<Vec<_>>().join(" ")
}

/// One runtime's figures for one workload.
struct Row {
    workload: &'static str,
    metric: String,
    workers: usize,
    runtime: &'static str,
    /// Nanoseconds per operation, in rising order.
    samples: Vec<f64>,
    /// Median relative to tasca's, where both were measured.
    ratio: Option<f64>,
}

impl Row {
    /// The sample below which `part` of the others are.
    fn quantile(&self, part: f64) -> f64 {
        let at = part * (self.samples.len() - 1) as f64;
        let (low, high) = (
            self.samples[at.floor() as usize],
            self.samples[at.ceil() as usize],
        );
        low + (high - low) * at.fract()
    }

    fn to_json(&self) -> Value {
        json!({
            "workload": self.workload,
            "metric": self.metric,
            "workers": self.workers,
            "runtime": self.runtime,
            "median_ns": self.quantile(0.5),
            "p25_ns": self.quantile(0.25),
            "p75_ns": self.quantile(0.75),
            "ratio_to_tasca": self.ratio,
            "samples_ns": self.samples,
        })
    }
}

fn measure(entry: &Entry, workers: usize, options: &Options) -> Vec<Row> {
    let cases: Vec<_> = entry
        .cases
        .iter()
        .filter(|case| options.wants_runtime(case))
        .collect();
    let lengths: Vec<_> = cases
        .iter()
        .map(|case| calibrate(case, entry.metric, workers, options.duration))
        .collect();
    let mut rows: Vec<_> = cases
        .iter()
        .map(|case| Row {
            workload: entry.name,
            metric: entry.metric.to_string(),
            workers,
            runtime: case.runtime,
            samples: Vec::with_capacity(options.rounds),
            ratio: None,
        })
        .collect();
    for round in 0..options.rounds {
        for turn in 0..cases.len() {
            let index = (round + turn) % cases.len();
            let time = (cases[index].measure)(workers, lengths[index]);
            let operations = lengths[index] * entry.elements;
            rows[index]
                .samples
                .push(time.as_nanos() as f64 / operations as f64);
        }
    }
    for row in &mut rows {
        row.samples.sort_by(f64::total_cmp);
    }
    let ours = rows
        .iter()
        .find(|row| row.runtime == OURS)
        .map(|row| row.quantile(0.5));
    for row in &mut rows {
        row.ratio = ours
            .filter(|&ours| ours > 0.0)
            .map(|ours| row.quantile(0.5) / ours);
    }
    rows
}

/// How many rounds of a workload last about as long as a measurement should.
fn calibrate(case: &Case, metric: Metric, workers: usize, duration: Duration) -> u64 {
    let mut rounds = 1;
    loop {
        // The shortest of three: somebody else's turn on the core must not make it look slow, for then
        // a measurement would have too few rounds to be one.
        let took = (0..3)
            .map(|_| time(case, metric, workers, rounds))
            .min()
            .unwrap_or_default();
        if took >= duration {
            return rounds;
        }
        if took > duration / 4 {
            let factor = duration.as_secs_f64() / took.as_secs_f64();
            return (rounds as f64 * factor).ceil() as u64;
        }
        rounds *= 4;
    }
}

/// How long a measurement lasts: the time that passed in it where it gives that, and else that with the
/// start and the end of the runtime.
fn time(case: &Case, metric: Metric, workers: usize, rounds: u64) -> Duration {
    let start = Instant::now();
    let measured = (case.measure)(workers, rounds);
    if metric == Metric::Wall {
        measured
    } else {
        start.elapsed()
    }
}

fn print(rows: &[Row]) {
    for row in rows {
        let ratio = match row.ratio {
            Some(ratio) if row.runtime != OURS => format!("{ratio:>7.2}x"),
            _ => String::new(),
        };
        let line = format!(
            "{:<18} {} {:<4}  {:<6} {:>10.1}  ({:.1} to {:.1}, min {:.1})",
            row.workload,
            row.workers,
            row.metric,
            row.runtime,
            row.quantile(0.5),
            row.quantile(0.25),
            row.quantile(0.75),
            row.quantile(0.0),
        );
        println!("{}", format!("{line:<88}{ratio}").trim_end());
    }
}

fn save(path: &str, options: &Options, rows: &[Row]) -> ExitCode {
    let document = json!({
        "machine": machine(),
        "load_average_after": load(),
        "rounds": options.rounds,
        "millis_per_round": options.duration.as_millis() as u64,
        "results": rows.iter().map(Row::to_json).collect::<Vec<_>>(),
    });
    match fs::write(path, format!("{document:#}\n")) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("side-by-side: cannot write {path}: {error}");
            ExitCode::FAILURE
        }
    }
}
