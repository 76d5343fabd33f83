//! What the attributes `main` and `test` expand to. Not for use by hand, and not under semver.
//!
//! All four take the runtime's description and the first task's future, and give back its output.
//! They differ in what a runtime that cannot be built, or a first task that was cancelled, does: it
//! ends the process after a `main`, and fails a `test`. The `_local` forms are for the runtimes on
//! one thread, whose futures need not be `Send`.

use std::future::Future;
use std::process;

use crate::{Builder, RunError, Runtime};

/// What a shell reports for a program that Ctrl-C ended: 128 + SIGINT.
const EXIT_INTERRUPTED: i32 = 130;

/// Runs the body of a `main` on a runtime whose tasks move between threads.
#[track_caller]
pub fn main<F>(builder: Builder, body: F) -> F::Output
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    build_or_exit(builder)
        .run(body)
        .unwrap_or_else(|error| exit(&error))
}

/// Runs the body of a `main` on a runtime of one thread.
#[track_caller]
pub fn main_local<F>(builder: Builder, body: F) -> F::Output
where
    F: Future + 'static,
    F::Output: 'static,
{
    build_or_exit(builder)
        .run_local(body)
        .unwrap_or_else(|error| exit(&error))
}

/// Runs the body of a test on a runtime whose tasks move between threads.
#[track_caller]
pub fn test<F>(builder: Builder, body: F) -> F::Output
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    build_or_panic(builder)
        .run(body)
        .unwrap_or_else(|error| panic!("{error}"))
}

/// Runs the body of a test on a runtime of one thread.
#[track_caller]
pub fn test_local<F>(builder: Builder, body: F) -> F::Output
where
    F: Future + 'static,
    F::Output: 'static,
{
    build_or_panic(builder)
        .run_local(body)
        .unwrap_or_else(|error| panic!("{error}"))
}

#[expect(
    clippy::print_stderr,
    clippy::exit,
    reason = "stands for the runtime of a `main`"
)]
fn build_or_exit(builder: Builder) -> Runtime {
    builder.build().unwrap_or_else(|error| {
        eprintln!("Error: cannot start the tasca runtime: {error}");
        process::exit(1)
    })
}

#[track_caller]
fn build_or_panic(builder: Builder) -> Runtime {
    builder
        .build()
        .unwrap_or_else(|error| panic!("cannot start the tasca runtime: {error}"))
}

/// Ends the process: its `main` has no output to report.
#[expect(
    clippy::print_stderr,
    clippy::exit,
    reason = "stands for the runtime of a `main`"
)]
fn exit(error: &RunError) -> ! {
    eprintln!("Error: {error}");
    process::exit(if error.is_interrupted() {
        EXIT_INTERRUPTED
    } else {
        1
    })
}
