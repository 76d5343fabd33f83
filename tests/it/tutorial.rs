//! The tutorial programs of asyncio, in virtual time, against what asyncio prints.
//!
//! The programs are the facade's examples themselves; `tests/asyncio/` has them in Python, and what they print there.

use tasca_tests::{Kind, Log};

#[path = "../../crates/tasca/examples/cancel_before_start.rs"]
mod cancel_before_start;
#[path = "../../crates/tasca/examples/cancel_two.rs"]
mod cancel_two;
#[path = "../../crates/tasca/examples/four_tasks.rs"]
mod four_tasks;
#[path = "../../crates/tasca/examples/in_sequence.rs"]
mod in_sequence;
#[path = "../../crates/tasca/examples/list_tasks.rs"]
mod list_tasks;
#[path = "../../crates/tasca/examples/swallow.rs"]
mod swallow;

/// Runs a program in the order of asyncio, which must print the same; then in others, where lines may change places.
macro_rules! check {
    ($program:ident) => {
        check!($program, 1..20)
    };
    ($program:ident, $seeds:expr) => {{
        let recorded = include_str!(concat!("../asyncio/", stringify!($program), ".txt"));
        let mut expected: Vec<String> = recorded.lines().map(as_rust_prints).collect();
        let program = |log: Log| $program::program(move |line: String| log.say(line));
        assert_eq!(lines(0, program), expected);
        expected.sort();
        for seed in $seeds {
            let mut lines = lines(seed, program);
            lines.sort();
            assert_eq!(lines, expected, "seed {seed}");
        }
    }};
}

fn as_rust_prints(line: &str) -> String {
    line.replace("True", "true").replace("False", "false")
}

/// What a program says.
fn lines<F>(seed: u64, program: impl Fn(Log) -> F) -> Vec<String>
where
    F: Future<Output = ()> + Send + 'static,
{
    let (runtime, problems) = tasca_tests::runtime(Kind::Deterministic(seed));
    let log = Log::new();
    runtime
        .run(program(log.clone()))
        .expect("main is not cancelled");
    problems.expect_none();
    log.take()
}

#[test]
fn four_tasks_sleep_side_by_side() {
    check!(four_tasks);
}

#[test]
fn four_tasks_sleep_in_sequence() {
    check!(in_sequence);
}

#[test]
fn two_of_four_are_cancelled_with_a_message() {
    check!(cancel_two);
}

#[test]
fn all_tasks_are_listed_before_and_after() {
    // How soon after a cancel the task has ended is a matter of order.
    check!(list_tasks, std::iter::empty());
}

#[test]
fn a_task_cancelled_before_its_first_poll_never_runs() {
    check!(cancel_before_start);
}

#[test]
fn a_task_swallows_its_cancellation() {
    check!(swallow);
}
