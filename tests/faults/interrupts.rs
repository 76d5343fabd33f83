//! SIGINT at any moment of a program: while it starts, runs, ends. It always ends, and the signal is never swallowed.

use std::future::pending;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStderr, ExitStatus, Stdio, exit};
use std::time::{Duration, Instant};

use tasca::{finally, run, spawn};
use tasca_tests::{guarded, let_interrupts_end_it};

use crate::alone::{again, alone_to_the_end};

const INTERRUPTED: i32 = 42;

/// The program: says when it begins, works until it is interrupted, cleans up for a while.
#[test]
#[ignore = "the program of the other tests"]
fn program() {
    let (_status, _said) = alone_to_the_end("interrupts::program", || {
        let_interrupts_end_it();
        say("starts");
        let ended = run(async {
            let _others: Vec<_> = (0..100)
                .map(|_| {
                    spawn(finally(
                        pending::<()>(),
                        tasca::time::sleep(Duration::from_millis(3)),
                    ))
                })
                .collect();
            say("runs");
            pending::<()>().await;
        });
        let error = ended.expect_err("main does not return");
        #[expect(clippy::exit, reason = "the answer to the test")]
        exit(if error.is_interrupted() {
            INTERRUPTED
        } else {
            1
        });
    });
}

#[expect(clippy::print_stderr, reason = "the program's lines to the test")]
fn say(line: &str) {
    eprintln!("{line}");
}

/// The program, and what it says: it fails if nobody is there to read that.
struct Program {
    process: Child,
    _said: BufReader<ChildStderr>,
}

/// Starts the program and waits until it has said `line`.
fn start_until(line: &str) -> Program {
    let mut process = again("interrupts::program")
        .arg("--ignored")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a process can be started");
    let mut said = BufReader::new(process.stderr.take().expect("it is piped"));
    let found = said
        .by_ref()
        .lines()
        .any(|it| it.is_ok_and(|it| it == line));
    assert!(found, "it never says {line:?}");
    Program {
        process,
        _said: said,
    }
}

impl Program {
    fn interrupt(&self) {
        let pid = i32::try_from(self.process.id()).expect("a pid is positive");
        // SAFETY: the child has not been waited for, so the number is still its own.
        let status = unsafe { libc::kill(pid, libc::SIGINT) };
        assert_eq!(status, 0);
    }

    fn end(mut self) -> ExitStatus {
        self.process.wait().expect("a child can be waited for")
    }
}

/// Lets so much time pass: the moment of the signal is what is being varied.
fn pass(delay: Duration) {
    let began = Instant::now();
    while began.elapsed() < delay {
        std::hint::spin_loop();
    }
}

/// One interrupt ends the program: by the signal's own force before anybody listens, later by way of main.
#[test]
fn an_interrupt_while_it_starts_is_not_swallowed() {
    for n in 0..40 {
        guarded("start", move || {
            let program = start_until("starts");
            pass(Duration::from_micros(n * 25));
            program.interrupt();
            let status = program.end();
            assert!(
                status.signal() == Some(libc::SIGINT) || status.code() == Some(INTERRUPTED),
                "{status} after {n}"
            );
        });
    }
}

/// The second one ends it at once, unless the clean-up was faster.
#[test]
fn a_second_interrupt_while_it_ends_ends_it_at_once() {
    for n in 0..30 {
        guarded("end", move || {
            let program = start_until("runs");
            program.interrupt();
            pass(Duration::from_micros(n * 200));
            program.interrupt();
            let status = program.end();
            assert!(
                status.signal() == Some(libc::SIGINT) || status.code() == Some(INTERRUPTED),
                "{status} after {n}"
            );
        });
    }
}
