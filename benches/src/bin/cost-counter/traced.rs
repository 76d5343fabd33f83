//! The workload's side: a child process whose worker asks to be traced and says where it is.
//!
//! A mark is a system call that does nothing: `getpgid` of a process number that cannot exist, one for
//! each [`Mark`]. Whoever follows the worker instruction by instruction sees it; nobody else minds.

use nix::{
    sys::{
        ptrace,
        signal::{Signal, raise},
    },
    unistd::{Pid, getpgid},
};
use tasca_benches::workload::{Case, Mark};

/// The process numbers of the marks, far above what Linux hands out.
const BASE: i32 = i32::MAX - 16;

/// Runs the rounds; called in a process of its own.
pub(crate) fn run(case: &Case, rounds: u64) {
    let mark = case.mark.expect("limits are not counted");
    mark(rounds, at);
}

fn at(mark: Mark) {
    if mark == Mark::Begin {
        // From here on the parent has this thread, and only this one, in its hand.
        ptrace::traceme().expect("the parent may trace its child");
        raise(Signal::SIGSTOP).expect("a signal to oneself");
    }
    let number = Pid::from_raw(BASE + mark as i32);
    getpgid(Some(number)).expect_err("there is no such process");
}

/// The mark that a `getpgid` of this process number means.
pub(crate) fn mark_of(number: u64) -> Option<Mark> {
    let offset = i32::try_from(number).ok()?.checked_sub(BASE)?;
    [Mark::Begin, Mark::Middle, Mark::End]
        .into_iter()
        .find(|&mark| mark as i32 == offset)
}
