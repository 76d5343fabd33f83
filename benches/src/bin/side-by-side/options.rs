//! The command line; `main.rs` says what it may be.

use std::time::Duration;

use tasca_benches::{
    workload::{Effort, Entry},
    workloads,
};

/// Fewer rounds do not make a median.
const ROUNDS_MIN: usize = 7;

/// More workers than that smol has no executors for.
const WORKERS_MAX: usize = 16;

/// What the command line asked for.
pub(crate) struct Options {
    only: Vec<String>,
    full: bool,
    runtimes: Vec<String>,
    pub(crate) others: bool,
    pub(crate) workers: Vec<usize>,
    pub(crate) rounds: usize,
    pub(crate) duration: Duration,
    pub(crate) smoke: bool,
    pub(crate) system_calls: bool,
    pub(crate) list: bool,
    /// Answers measurements that are asked for on the standard input, as the programs in benches/others
    /// do: how this program measures what needs a process of its own.
    pub(crate) serve: bool,
    pub(crate) json: Option<String>,
    pub(crate) from: Option<String>,
    pub(crate) svg: Option<String>,
    pub(crate) markdown: Option<String>,
    pub(crate) targets: bool,
}

impl Options {
    pub(crate) fn parse(mut args: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self {
            only: Vec::new(),
            full: false,
            runtimes: Vec::new(),
            others: false,
            workers: Vec::new(),
            rounds: 9,
            duration: Duration::from_millis(20),
            smoke: false,
            system_calls: false,
            list: false,
            serve: false,
            json: None,
            from: None,
            svg: None,
            markdown: None,
            targets: false,
        };
        while let Some(name) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("{name} needs a value"));
            match name.as_str() {
                "--only" => options.only.push(value()?),
                "--full" => options.full = true,
                "--runtime" => options.runtimes.push(value()?),
                "--others" => options.others = true,
                "--workers" => options.workers.push(number(&name, &value()?)?),
                "--rounds" => options.rounds = number(&name, &value()?)?,
                "--millis" => {
                    options.duration = Duration::from_millis(number(&name, &value()?)? as u64);
                }
                "--smoke" => options.smoke = true,
                "--system-calls" => options.system_calls = true,
                "--list" => options.list = true,
                "--serve" => options.serve = true,
                "--json" => options.json = Some(value()?),
                "--from" => options.from = Some(value()?),
                "--svg" => options.svg = Some(value()?),
                "--markdown" => options.markdown = Some(value()?),
                "--targets" => options.targets = true,
                _ => return Err(format!("unknown option {name}")),
            }
        }
        if options.workers.is_empty() {
            options.workers = vec![1, 2];
        }
        if options
            .workers
            .iter()
            .any(|workers| !(1..=WORKERS_MAX).contains(workers))
        {
            return Err(format!("--workers must be 1 to {WORKERS_MAX}"));
        }
        if options.smoke {
            options.rounds = 1;
            options.duration = Duration::ZERO;
        } else if options.rounds < ROUNDS_MIN {
            return Err(format!("--rounds must be at least {ROUNDS_MIN}"));
        }
        if let Some(name) = options
            .only
            .iter()
            .find(|name| workloads::named(&[(*name).clone()]).is_empty())
        {
            return Err(format!("no workload is called like {name}"));
        }
        Ok(options)
    }

    /// The workloads that are asked for.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        if !self.only.is_empty() {
            return workloads::named(&self.only);
        }
        let mut entries = workloads::all();
        entries.retain(|entry| self.full || entry.effort == Effort::Usual);
        entries
    }

    /// Whether workloads are asked for by name.
    pub(crate) fn names_workloads(&self) -> bool {
        !self.only.is_empty()
    }

    /// Whether the runtime with this name is to be measured.
    pub(crate) fn wants_runtime(&self, name: &str) -> bool {
        self.runtimes.is_empty() || self.runtimes.iter().any(|wanted| wanted == name)
    }
}

fn number(name: &str, value: &str) -> Result<usize, String> {
    value
        .parse()
        .map_err(|_| format!("{name} needs a number, not {value}"))
}
