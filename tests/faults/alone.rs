//! Tests that have a process to themselves: this program, started again for one test.

use std::fs;
use std::process::{Command, ExitStatus, Stdio};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tasca_tests::end_if_it_hangs;

/// Set in the process of such a test; says which one it is.
const KEY: &str = "TASCA_TEST_ALONE";

/// Runs `body` in a process of its own, which has the whole path `test` of the calling test.
///
/// # Panics
///
/// If that process does not end well, with what it said.
#[track_caller]
pub(crate) fn alone(test: &str, body: impl FnOnce()) {
    if is_alone(test) {
        end_if_it_hangs();
        return body();
    }
    let output = again(test)
        .stdin(Stdio::null())
        .output()
        .expect("a process can be started");
    let said = String::from_utf8_lossy(&output.stderr);
    let counted = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && counted.contains("1 passed"),
        "{test}: {}\n{counted}{said}",
        output.status
    );
}

/// As [`alone`], for a body that ends the process itself; gives how it ended and what it said.
pub(crate) fn alone_to_the_end(test: &str, body: impl FnOnce()) -> (ExitStatus, String) {
    if is_alone(test) {
        end_if_it_hangs();
        body();
        unreachable!("the process has ended");
    }
    let output = again(test)
        .stdin(Stdio::null())
        .output()
        .expect("a process can be started");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status, said)
}

fn is_alone(test: &str) -> bool {
    std::env::var(KEY).is_ok_and(|alone| alone == test)
}

/// The command that runs one test of this program.
pub(crate) fn again(test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("a program knows itself"));
    command
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(KEY, test)
        .env_remove("RUST_BACKTRACE");
    command
}

/// Lets this process have as many descriptors as it may, which is more than shells let their programs have; gives how many that is.
pub(crate) fn raise_descriptor_limit() -> usize {
    let maximum = getrlimit(Resource::Nofile).maximum;
    let raised = Rlimit {
        current: maximum,
        maximum,
    };
    setrlimit(Resource::Nofile, raised).expect("the soft limit can be raised to the hard one");
    maximum.map_or(usize::MAX, |n| usize::try_from(n).unwrap_or(usize::MAX))
}

/// How many descriptors are open.
pub(crate) fn n_descriptors() -> usize {
    let entries = fs::read_dir("/proc/self/fd").expect("this is Linux");
    // One is that of the directory itself.
    entries.count() - 1
}

/// How many threads there are.
pub(crate) fn n_threads() -> usize {
    let entries = fs::read_dir("/proc/self/task").expect("this is Linux");
    entries.count()
}
