//! Counts what an operation costs, instead of timing it: the same on a noisy machine as on a quiet one.
//!
//! ```text
//! cargo run --release -p tasca-benches --bin cost-counter -- [options]
//!
//!   --only NAME       only this workload, or those whose name contains it; also several times
//!                     (default: those with a budget)
//!   --runtime NAME    only this runtime; may be given several times
//!   --operations N    operations in the first of two stretches, at least one round (default: 60)
//!   --sites           lists where the locked instructions, fences and system calls are
//!   --functions       lists the instructions by function
//!   --markdown FILE   puts a table into FILE, between the comments that mark the place of `costs`
//!   --check           compares tasca with benches/budgets.toml; exit code 1 if a budget is exceeded
//! ```
//!
//! For each runtime and workload, the program runs itself again as a child process, with one worker.
//! The worker is followed with single steps through a stretch of rounds and through a second one of twice
//! as many; the difference is the cost of the rounds alone, without setting up. Counted are
//!
//! - locked read-modify-writes, those of the lock-taking exchange included;
//! - full fences;
//! - system calls;
//! - readings of the clock, which cost some 20 to 40 ns each;
//! - instructions in user mode, library and allocator included, clock excluded.
//!
//! Only the worker is followed. The other threads of the child (a reactor thread, a watchdog) stand still
//! meanwhile, so that none of them does its work, and a workload that needs one cannot be counted. The
//! clock goes by instructions, so that what a program does every so many microseconds it does as often as
//! it would at full speed. Nothing here is for workloads that sleep.
//!
//! A step takes some 20 µs in a virtual machine, so an operation should not be a large thing.
//!
//! What comes out is the same from run to run but for a few hundredths: what is done every so many operations
//! falls into the one stretch or the other, and addresses and hashes differ.
//!
//! Linux on x86-64 only.

#![expect(clippy::print_stdout, reason = "a program that prints a table")]
#![expect(clippy::print_stderr, reason = "and complains about its options")]

use std::process::ExitCode;

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod budgets;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod cost;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod decode;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod report;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod traced;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod tracer;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod vdso;

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
#[path = "unsupported.rs"]
mod report;

fn main() -> ExitCode {
    match report::run(std::env::args().skip(1)) {
        Ok(code) => code,
        Err(message) => {
            eprintln!("cost-counter: {message}");
            ExitCode::from(2)
        }
    }
}
