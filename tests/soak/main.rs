//! A mixed load for as long as asked, and an account at the end: nothing lost, nothing leaked.
//!
//! `cargo run --release -p tasca-tests --bin soak -- --seconds 600`, with `--workers n`, `--seed n` and `--growth-mib n` if
//! wanted. Every loop of every load books what it begins and what has ended; at the end, tasks, permits, items, bytes,
//! descriptors, threads and memory are compared. The exit code is 1 if anything is amiss.
#![expect(
    clippy::print_stdout,
    clippy::exit,
    reason = "a command-line program speaks by printing, and one that hangs must be ended"
)]

mod account;
mod loads;
mod measure;

use std::process::{ExitCode, exit};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tasca::time::sleep;
use tasca::{Handle, Runtime, Task, spawn};
use tasca_tests::{Gate, Problems, Random};

use account::Account;
use measure::Measure;

/// Memory may grow by so much after the first quarter: allocators keep some, and their peaks come by chance.
const GROWTH_MIB_MAX: u64 = 16;

/// What the command line asks for.
struct Options {
    seconds: u64,
    n_workers: usize,
    seed: u64,
    growth_mib_max: u64,
}

impl Options {
    fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self {
            seconds: 60,
            n_workers: 4,
            seed: Random::fresh_seed(),
            growth_mib_max: GROWTH_MIB_MAX,
        };
        while let Some(word) = words.next() {
            let value = words.next().and_then(|value| value.parse::<u64>().ok());
            let value = value.ok_or_else(|| format!("{word} needs a number"))?;
            match word.as_str() {
                "--seconds" => options.seconds = value,
                "--workers" => options.n_workers = value as usize,
                "--seed" => options.seed = value,
                "--growth-mib" => options.growth_mib_max = value,
                _ => {
                    return Err(format!(
                        "{word}: there are --seconds, --workers, --seed, --growth-mib"
                    ));
                }
            }
        }
        Ok(options)
    }
}

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(error) => {
            println!("soak: {error}");
            return ExitCode::from(2);
        }
    };
    println!(
        "soak: {} s on {} workers, seed {}",
        options.seconds, options.n_workers, options.seed
    );
    let findings = soak(&options);
    for finding in &findings {
        println!("soak: {finding}");
    }
    println!("soak: {} finding(s)", findings.len());
    ExitCode::from(u8::from(!findings.is_empty()))
}

/// Runs everything; gives what is amiss.
fn soak(options: &Options) -> Vec<String> {
    // With the first thread the thread sanitizer starts one of its own, which is not to be counted.
    std::thread::spawn(|| ()).join().expect("it does not panic");
    let before = Measure::now();
    let (account, problems) = (Arc::new(Account::new()), Problems::default());
    let runtime = Runtime::builder()
        .worker_threads(options.n_workers)
        .exception_handler(problems.handler())
        .build()
        .expect("a runtime can be made");
    let over = Gate::new();
    watch(
        &runtime.handle(),
        Duration::from_secs(options.seconds),
        over.clone(),
    );
    let main = under_load(
        options.seconds,
        Random::new(options.seed),
        Arc::clone(&account),
    );
    let (early, late) = runtime.block_on(runtime.handle().spawn(main));
    drop(runtime);
    over.open();
    let after = Measure::settled(&before);

    let mut findings = account.findings();
    findings.extend(problems.take().iter().map(|it| format!("reported: {it:?}")));
    findings.extend(after.left_over(&before));
    if late.resident_kib > early.resident_kib + 1024 * options.growth_mib_max {
        findings.push(format!(
            "memory has grown from {} KiB to {} KiB",
            early.resident_kib, late.resident_kib
        ));
    }
    println!("before:  {before}\nearly:   {early}\nlate:    {late}\nafter:   {after}");
    println!("{account}");
    findings
}

/// Ends the process, and says what it waits for, if it has not ended by itself long after it should have.
fn watch(handle: &Handle, load: Duration, over: Gate) {
    const LATE: Duration = Duration::from_secs(60);
    let handle = handle.clone();
    std::thread::spawn(move || {
        let began = Instant::now();
        while began.elapsed() < load + LATE {
            if over.is_open() {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        println!("soak: it does not end; {} and these tasks:", Measure::now());
        for task in handle.all_tasks() {
            println!("soak: {task:?}");
        }
        exit(1);
    });
}

/// Keeps all loads up, and measures: after a quarter of the time, and at the end, each time under load.
async fn under_load(seconds: u64, mut random: Random, account: Arc<Account>) -> (Measure, Measure) {
    let stop = Gate::new();
    let loads: Vec<Task<()>> = loads::ALL
        .iter()
        .map(|load| spawn(load(random.split(), Arc::clone(&account), stop.clone())))
        .collect();
    let began = Instant::now();
    let (mut early, quarter) = (Measure::now(), Duration::from_secs(seconds) / 4);
    let mut said = began;
    while began.elapsed().as_secs() < seconds {
        sleep(Duration::from_millis(250)).await;
        if began.elapsed() <= quarter.max(Duration::from_secs(1)) {
            early = early.max(Measure::now());
        }
        if said.elapsed() > Duration::from_secs(30) {
            said = Instant::now();
            let n_tasks = tasca::all_tasks().len();
            println!(
                "{:>5} s  {}  {n_tasks} tasks",
                began.elapsed().as_secs(),
                Measure::now()
            );
        }
    }
    let late = Measure::now();
    stop.open();
    for load in loads {
        load.await;
    }
    // Detached ones come to their end by themselves.
    while !account.all_tasks_ended() {
        sleep(Duration::from_millis(1)).await;
    }
    (early, late)
}
