//! Running a model, and saying what was explored.

use std::any::type_name_of_val;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use loom::model::Builder;

/// Preemptions in a model of three threads, or of two whose executions without a bound are millions, unless
/// `LOOM_MAX_PREEMPTIONS` says otherwise.
const PREEMPTIONS_MAX: usize = 2;

/// A model that is done sooner does not do what its name says.
const EXECUTIONS_MIN: usize = 10;

/// Explores every execution of a model with two threads.
#[track_caller]
pub(crate) fn two_threads(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = None;
    explore(builder, model);
}

/// Explores the executions of a model with two threads that have a few preemptions: for models with so many steps
/// that all executions are millions.
#[track_caller]
pub(crate) fn two_busy_threads(model: impl Fn() + Send + Sync + 'static) {
    bounded(PREEMPTIONS_MAX, model);
}

/// Explores the executions of a model with three threads that have a few preemptions.
#[track_caller]
pub(crate) fn three_threads(model: impl Fn() + Send + Sync + 'static) {
    bounded(PREEMPTIONS_MAX, model);
}

/// Explores the executions of a model of many steps that have one preemption: a switch at any place, and what follows.
#[track_caller]
pub(crate) fn one_preemption(model: impl Fn() + Send + Sync + 'static) {
    bounded(1, model);
}

fn bounded(preemptions: usize, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(preemptions));
    explore(builder, model);
}

fn explore(mut builder: Builder, model: impl Fn() + Send + Sync + 'static) {
    builder.max_branches = builder.max_branches.max(10_000);
    let bound = builder.preemption_bound;
    let name = name_of(&model);
    let n_executions = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&n_executions);
    let begun = Instant::now();
    builder.check(move || {
        counter.fetch_add(1, Ordering::Relaxed);
        crate::slab::begin_execution();
        model();
    });
    let n_executions = n_executions.load(Ordering::Relaxed);
    let bound = bound.map_or_else(|| "none".to_owned(), |bound| bound.to_string());
    // Not by `println!`, which the test harness swallows when all is well.
    let line = format!(
        "model {name}: bound {bound}, {n_executions} executions, {:.2} s\n",
        begun.elapsed().as_secs_f64()
    );
    io::stderr()
        .write_all(line.as_bytes())
        .expect("stderr is open");
    assert!(
        n_executions >= EXECUTIONS_MIN,
        "{name} explores next to nothing"
    );
}

/// `room::model`, out of the type of a closure inside it.
fn name_of<T>(model: &T) -> String {
    let path = type_name_of_val(model);
    let path = path.split_once("models::").map_or(path, |(_, rest)| rest);
    path.trim_end_matches("::{{closure}}").to_owned()
}
