//! Interrupts (rules R8-R11): SIGINT reaches a process of its own, which is this program in the role of a child.
#![cfg(unix)]
#![expect(
    clippy::print_stderr,
    reason = "the child's lines to its parent; the test harness owns standard output"
)]
#![expect(clippy::exit, reason = "the child's answer to its parent")]

use std::future::pending;
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio, exit};
use std::time::Duration;

use tasca::{Runtime, catch_cancelled, current_task, spawn};
use tasca_tests::{Gate, end_if_it_hangs, guarded, let_interrupts_end_it};

const INTERRUPTED: i32 = 42;

/// This program, in a role.
struct InRole {
    process: Child,
    lines: std::io::Lines<BufReader<ChildStderr>>,
}

impl InRole {
    fn start(role: &str) -> Self {
        let mut process = Command::new(std::env::current_exe().expect("a program knows itself"))
            .args(["--exact", "child", "--ignored", "--nocapture"])
            .env("TASCA_TEST_ROLE", role)
            .env_remove("RUST_BACKTRACE")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the child can be started");
        let lines = BufReader::new(process.stderr.take().expect("it is piped")).lines();
        Self { process, lines }
    }

    /// Reads the child's next line, which is this one.
    #[track_caller]
    fn says(&mut self, expected: &str) {
        let line = self
            .lines
            .next()
            .expect("the child says something")
            .expect("it can be read");
        assert_eq!(line, expected);
    }

    fn interrupt(&self) {
        let pid = i32::try_from(self.process.id()).expect("a pid is positive");
        // SAFETY: the process is a child of this one that has not been waited for.
        let status = unsafe { libc::kill(pid, libc::SIGINT) };
        assert_eq!(status, 0);
    }

    fn end(mut self) -> ExitStatus {
        self.process.wait().expect("a child can be waited for")
    }
}

impl Drop for InRole {
    fn drop(&mut self) {
        // It has ended, unless the test has failed.
        drop(self.process.kill());
    }
}

fn in_role<R: Send + 'static>(
    role: &'static str,
    test: impl FnOnce(InRole) -> R + Send + 'static,
) -> R {
    guarded(role, move || test(InRole::start(role)))
}

#[test]
fn an_interrupt_cancels_main_which_cleans_up() {
    for role in ["cleans-up", "cleans-up-on-one-thread"] {
        in_role(role, |mut child| {
            child.says("ready");
            child.interrupt();
            child.says("caught None, cancelling 1");
            child.says("cleaned up");
            assert_eq!(child.end().code(), Some(INTERRUPTED));
        });
    }
}

#[test]
fn an_interrupt_that_main_survives_is_not_the_outcome() {
    in_role("survives", |mut child| {
        child.says("ready");
        child.interrupt();
        child.says("value 5");
        assert_eq!(child.end().code(), Some(0));
    });
}

#[test]
fn the_second_interrupt_ends_the_process() {
    in_role("ignores", |mut child| {
        child.says("ready");
        child.interrupt();
        child.says("ignored");
        child.interrupt();
        assert_eq!(child.end().signal(), Some(libc::SIGINT));
    });
}

#[test]
fn the_second_interrupt_ends_even_a_process_that_is_stuck() {
    in_role("stuck", |mut child| {
        child.says("ready");
        child.interrupt();
        child.interrupt_until_dead();
        assert_eq!(child.end().signal(), Some(libc::SIGINT));
    });
}

impl InRole {
    /// Two signals that come at once are one for the system: repeats until the second has been seen.
    fn interrupt_until_dead(&mut self) {
        while self
            .process
            .try_wait()
            .expect("a child can be asked")
            .is_none()
        {
            self.interrupt();
            std::thread::yield_now();
        }
    }

    fn is_dead(&mut self) -> bool {
        self.process
            .try_wait()
            .expect("a child can be asked")
            .is_some()
    }
}

#[test]
fn what_main_leaves_is_cancelled_and_cleans_up_too() {
    in_role("leaves", |mut child| {
        child.says("ready");
        child.interrupt();
        child.says("left task cancelled");
        child.says("left task cleaned up");
        assert_eq!(child.end().code(), Some(INTERRUPTED));
    });
}

#[test]
fn a_cancel_by_somebody_else_is_a_cancel() {
    in_role("cancelled-too", |mut child| {
        child.says("ready");
        child.interrupt();
        child.says("cancelled: false");
        assert_eq!(child.end().code(), Some(0));
    });
}

#[test]
fn each_run_counts_from_zero_and_afterwards_the_signal_is_the_systems() {
    in_role("twice", |mut child| {
        for _ in 0..2 {
            child.says("ready");
            child.interrupt();
            child.says("interrupted");
        }
        child.says("over");
        while !child.is_dead() {
            child.interrupt();
            std::thread::yield_now();
        }
        assert_eq!(child.end().signal(), Some(libc::SIGINT));
    });
}

async fn cleans_up() {
    eprintln!("ready");
    let cancelled = catch_cancelled(pending::<()>()).await.unwrap_err();
    let me = current_task().expect("main is a task");
    eprintln!(
        "caught {:?}, cancelling {}",
        cancelled.message(),
        me.cancelling()
    );
    tasca::time::sleep(Duration::from_millis(5)).await;
    eprintln!("cleaned up");
    cancelled.reraise::<()>().await;
}

#[test]
#[ignore = "the child of the other tests"]
fn child() {
    let role = std::env::var("TASCA_TEST_ROLE").expect("a child has a role");
    end_if_it_hangs();
    let_interrupts_end_it();
    let runtime = Runtime::builder()
        .worker_threads(2)
        .build()
        .expect("a runtime can be made");
    let code = match role.as_str() {
        "cleans-up" => code_of(runtime.run(cleans_up())),
        "cleans-up-on-one-thread" => {
            let runtime = Runtime::builder()
                .current_thread()
                .build()
                .expect("a runtime can be made");
            code_of(runtime.run(cleans_up()))
        }
        "survives" => {
            let value = runtime.run(async {
                eprintln!("ready");
                drop(catch_cancelled(pending::<()>()).await);
                5
            });
            eprintln!("value {}", value.expect("main returned"));
            0
        }
        "ignores" => code_of(runtime.run(async {
            eprintln!("ready");
            loop {
                drop(catch_cancelled(pending::<()>()).await);
                eprintln!("ignored");
            }
        })),
        "stuck" => code_of(runtime.run(async {
            eprintln!("ready");
            Gate::new().wait();
        })),
        "leaves" => code_of(runtime.run(async {
            drop(
                tasca_tests::start(async {
                    let cancelled = catch_cancelled(pending::<()>()).await.unwrap_err();
                    eprintln!("left task cancelled");
                    tasca::time::sleep(Duration::from_millis(5)).await;
                    eprintln!("left task cleaned up");
                    cancelled.reraise::<()>().await;
                })
                .await,
            );
            eprintln!("ready");
            pending::<()>().await;
        })),
        "cancelled-too" => {
            let ended = runtime.run(async {
                let me = current_task().expect("main is a task");
                eprintln!("ready");
                let cancelled = catch_cancelled(pending::<()>()).await.unwrap_err();
                me.cancel_with("by somebody else");
                cancelled.reraise::<()>().await;
            });
            eprintln!(
                "cancelled: {}",
                ended.expect_err("main was cancelled").is_interrupted()
            );
            0
        }
        "twice" => {
            for runtime in [runtime, Runtime::new().expect("a runtime can be made")] {
                let ended = runtime.run(async {
                    eprintln!("ready");
                    spawn(pending::<()>()).await;
                });
                assert!(ended.expect_err("main was interrupted").is_interrupted());
                eprintln!("interrupted");
            }
            eprintln!("over");
            Gate::new().wait();
            1
        }
        other => panic!("no such role: {other}"),
    };
    exit(code);
}

fn code_of<T>(ended: Result<T, tasca::RunError>) -> i32 {
    match ended {
        Ok(_) => 0,
        Err(error) if error.is_interrupted() => INTERRUPTED,
        Err(_) => 1,
    }
}
