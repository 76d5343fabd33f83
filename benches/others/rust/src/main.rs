//! The workloads that glommio, monoio and may can do, for the runner `side-by-side --others`.
//!
//! `peer RUNTIME` begins with a line that names the workloads; "/1" says that there is one thread only. For
//! each line "WORKLOAD WORKERS ROUNDS" of the input, the workload does so many rounds, once warmed up, and
//! the answer is nanoseconds per operation.
//!
//! The workloads are those of the same names in `benches/src/workloads`. What glommio and monoio can do is
//! written once, in [`local`]; may's coroutines have stacks, and so a way of their own.

#![forbid(unsafe_code)]

use std::{env, io, os::unix::process::CommandExt, process::Command, time::Duration};

mod coroutines;
mod local;
mod on_glommio;
mod on_monoio;

/// A workload: its name, how many operations a round has, and what so many rounds take.
pub(crate) type Workload = (&'static str, u64, fn(u64) -> Duration);

fn main() {
    let mut args = env::args().skip(1);
    let runtime = args.next().expect("the name of a runtime");
    let (workloads, is_local) = match runtime.as_str() {
        "glommio" => (local::all::<on_glommio::Glommio>(), true),
        "monoio" => (local::all::<on_monoio::Monoio>(), true),
        "may" => (coroutines::all(), false),
        _ => panic!("no runtime {runtime}"),
    };
    let names: Vec<_> = workloads.iter().map(|(name, ..)| *name).collect();
    // may has as many threads as it was told at its first use, once for all: another number takes another
    // process. There the first question comes as an argument.
    let mut threads = None;
    if let Some(question) = args.next() {
        answer(&workloads, &question, is_local, &mut threads);
    } else if is_local {
        println!("{}/1", names.join("/1 "));
    } else {
        println!("{}", names.join(" "));
    }
    for line in io::stdin().lines().map_while(Result::ok) {
        answer(&workloads, &line, is_local, &mut threads);
    }
}

fn answer(workloads: &[Workload], question: &str, is_local: bool, threads: &mut Option<usize>) {
    let words: Vec<_> = question.split(' ').collect();
    let &[name, workers, rounds] = words.as_slice() else {
        panic!("not a question: {question}");
    };
    let workers: usize = workers.parse().expect("a number of workers");
    let rounds: u64 = rounds.parse().expect("a number of rounds");
    if !is_local && *threads != Some(workers) {
        if threads.is_some() {
            // Nothing of the input is lost: the next line comes after the answer.
            let program = env::current_exe().expect("this program");
            let error = Command::new(program).args(["may", question]).exec();
            panic!("cannot start again: {error}");
        }
        coroutines::start(workers);
        *threads = Some(workers);
    }
    let (_, elements, run) = workloads
        .iter()
        .find(|(known, ..)| *known == name)
        .expect("one of the names above");
    run(rounds.div_ceil(8));
    let took = run(rounds);
    println!("{}", took.as_nanos() as f64 / (rounds * elements) as f64);
}
