//! Options, the table, and the comparison with the budgets.

use std::{
    collections::BTreeMap,
    env, fs,
    process::{Command, ExitCode},
};

use tasca_benches::{
    page::put_between,
    workload::{Case, Entry},
    workloads,
};

use crate::{budgets::Budgets, cost::Cost, decode::Kind, traced, tracer};

/// Whose budgets are checked.
const OURS: &str = "tasca";

/// What the command line asked for.
struct Options {
    only: Vec<String>,
    runtimes: Vec<String>,
    operations: u64,
    sites: bool,
    functions: bool,
    check: bool,
    markdown: Option<String>,
}

pub(crate) fn run(args: impl Iterator<Item = String>) -> Result<ExitCode, String> {
    let mut args = args.peekable();
    if args.next_if(|name| name == "--traced").is_some() {
        return run_traced(args);
    }
    let options = parse(args)?;
    let budgets = Budgets::load()?;
    let known = workloads::all();
    let unknown = |name: &&str| known.iter().all(|entry| entry.name != *name);
    if let Some(name) = budgets.workloads().find(unknown) {
        return Err(format!(
            "there is a budget for {name}, which is no workload"
        ));
    }
    let entries = if options.only.is_empty() {
        known
            .into_iter()
            .filter(|entry| budgets.has(entry.name))
            .collect()
    } else {
        workloads::named(&options.only)
    };
    let mut exceeded = Vec::new();
    let mut table = Table::default();
    println!(
        "{:<18} {:<6} {:>8} {:>8} {:>9} {:>12} {:>13}",
        "per operation", "", "locked", "fences", "syscalls", "clock reads", "instructions"
    );
    for entry in &entries {
        for case in entry.cases.iter().filter(|case| options.wants_case(case)) {
            let rounds = options.operations.div_ceil(entry.elements);
            let counts = tracer::count(case.runtime, entry.name, rounds)
                .map_err(|error| format!("{} on {}: {error}", entry.name, case.runtime))?;
            let cost = Cost::new(&counts, rounds * entry.elements);
            print(entry, case, &cost, &options);
            table.add(entry, case, &cost);
            if options.check && case.runtime == OURS {
                exceeded.extend(budgets.exceeded(entry.name, &cost)?);
            }
        }
    }
    if let Some(path) = &options.markdown {
        table.put_into(path)?;
    }
    for line in &exceeded {
        println!("over budget: {line}");
    }
    Ok(if exceeded.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The figures for a page of documentation: a line for each operation, a column for each runtime.
#[derive(Default)]
struct Table {
    runtimes: Vec<&'static str>,
    /// With the cells in the order of the runtimes.
    lines: Vec<(&'static str, Vec<String>)>,
}

impl Table {
    fn add(&mut self, entry: &Entry, case: &Case, cost: &Cost) {
        if !self.runtimes.contains(&case.runtime) {
            self.runtimes.push(case.runtime);
        }
        // What is below zero is nothing, and noise.
        let figures = [cost.locked, cost.fences, cost.syscalls, cost.clock_reads]
            .map(|figure| format!("{}", (figure.max(0.0) * 10.0).round() / 10.0));
        let cell = format!("{} / {:.0}", figures.join(" / "), cost.instructions);
        match self.lines.last_mut() {
            Some((name, cells)) if *name == entry.name => cells.push(cell),
            _ => self.lines.push((entry.name, vec![cell])),
        }
    }

    fn put_into(&self, path: &str) -> Result<(), String> {
        let page = fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
        let mut text = format!("| operation | {} |\n|---|", self.runtimes.join(" | "));
        text.push_str(&"---|".repeat(self.runtimes.len()));
        text.push('\n');
        for (name, cells) in &self.lines {
            text.push_str(&format!("| {name} | {} |\n", cells.join(" | ")));
        }
        let page =
            put_between(&page, "costs", &text).map_err(|error| format!("{path}: {error}"))?;
        fs::write(path, page).map_err(|error| format!("{path}: {error}"))
    }
}

/// The child's part.
fn run_traced(mut args: impl Iterator<Item = String>) -> Result<ExitCode, String> {
    let (Some(runtime), Some(workload), Some(rounds)) = (args.next(), args.next(), args.next())
    else {
        return Err("--traced needs a runtime, a workload and a number".into());
    };
    let rounds = rounds
        .parse()
        .map_err(|_| format!("{rounds} is no number"))?;
    let entry = workloads::all()
        .into_iter()
        .find(|entry| entry.name == workload);
    let cases = entry
        .ok_or_else(|| format!("{workload} is no workload"))?
        .cases;
    let case = cases.iter().find(|case| case.runtime == runtime);
    traced::run(
        case.ok_or_else(|| format!("{runtime} is no runtime"))?,
        rounds,
    );
    Ok(ExitCode::SUCCESS)
}

fn parse(mut args: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options = Options {
        only: Vec::new(),
        runtimes: Vec::new(),
        operations: 60,
        sites: false,
        functions: false,
        check: false,
        markdown: None,
    };
    while let Some(name) = args.next() {
        let mut value = || args.next().ok_or_else(|| format!("{name} needs a value"));
        match name.as_str() {
            "--only" => options.only.push(value()?),
            "--runtime" => options.runtimes.push(value()?),
            "--operations" => {
                let value = value()?;
                options.operations = value.parse().map_err(|_| format!("{value} is no number"))?;
            }
            "--sites" => options.sites = true,
            "--functions" => options.functions = true,
            "--check" => options.check = true,
            "--markdown" => options.markdown = Some(value()?),
            _ => return Err(format!("unknown option {name}")),
        }
    }
    if options.operations == 0 {
        return Err("--operations must be at least 1".into());
    }
    if options.check && options.runtimes.is_empty() {
        options.runtimes.push(OURS.into());
    }
    Ok(options)
}

impl Options {
    fn wants_case(&self, case: &Case) -> bool {
        let named = || self.runtimes.iter().any(|name| name == case.runtime);
        case.mark.is_some() && (self.runtimes.is_empty() || named())
    }
}

fn print(entry: &Entry, case: &Case, cost: &Cost, options: &Options) {
    println!(
        "{:<18} {:<6} {:>8.2} {:>8.2} {:>9.3} {:>12.2} {:>13.1}",
        entry.name,
        case.runtime,
        cost.locked,
        cost.fences,
        cost.syscalls,
        cost.clock_reads,
        cost.instructions
    );
    if options.sites {
        print_sites(cost);
    }
    if options.functions {
        print_functions(cost);
    }
}

/// What is rarer than this does not matter.
const TIMES_MIN: f64 = 0.01;

/// Each locked instruction, fence and system call.
fn print_sites(cost: &Cost) {
    let counted = |(_, kind, times): &&(u64, Kind, f64)| {
        !matches!(kind, Kind::Plain | Kind::Repeated) && *times >= TIMES_MIN
    };
    let sites: Vec<_> = cost.sites.iter().filter(counted).collect();
    let names = names(sites.iter().map(|(site, ..)| *site));
    for (site, kind, times) in sites {
        println!("  {times:>8.2}  {kind:?} in {}", name(&names, *site));
    }
}

/// The instructions of each function together.
fn print_functions(cost: &Cost) {
    let names = names(cost.sites.iter().map(|(site, ..)| *site));
    let mut functions = BTreeMap::<&str, f64>::new();
    for (site, _, times) in &cost.sites {
        let (function, _) = name(&names, *site)
            .rsplit_once(" at ")
            .unwrap_or(("elsewhere", ""));
        *functions.entry(function).or_default() += times;
    }
    let mut functions: Vec<_> = functions
        .into_iter()
        .filter(|(_, times)| *times >= TIMES_MIN)
        .collect();
    functions.sort_by(|(_, one), (_, other)| other.total_cmp(one));
    for (function, times) in functions {
        println!("  {times:>8.1}  instructions in {function}");
    }
}

fn name(names: &BTreeMap<u64, String>, site: u64) -> &str {
    names
        .get(&site)
        .map_or("other libraries at ?", String::as_str)
}

/// Function and line of each address, as far as the tool `addr2line` is there and knows them.
fn names(sites: impl Iterator<Item = u64>) -> BTreeMap<u64, String> {
    let sites: Vec<_> = sites.collect();
    let Ok(program) = env::current_exe() else {
        return BTreeMap::new();
    };
    let mut names = BTreeMap::new();
    // In portions, because a command line has an end.
    for sites in sites.chunks(1_000) {
        let output = Command::new("addr2line")
            .args(["--functions", "--demangle", "--pretty-print", "--exe"])
            .arg(&program)
            .args(sites.iter().map(|site| format!("{site:#x}")))
            .output();
        // Without the tool the figures have to do.
        let Ok(output) = output else { break };
        let text = String::from_utf8_lossy(&output.stdout);
        let known =
            |(site, line): (&u64, &str)| (!line.starts_with("??")).then(|| (*site, line.into()));
        names.extend(sites.iter().zip(text.lines()).filter_map(known));
    }
    names
}
