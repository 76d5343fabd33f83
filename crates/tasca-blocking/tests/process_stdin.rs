//! Standard input: lines as they come, none lost, and a process that ends while it is being read. A process of its own.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the processes talk over their pipes"
)]

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tasca_blocking::stdin;
use tasca_core::{spawn, yield_now};

const ROLE: &str = "TASCA_TEST_STDIN";

#[test]
fn standard_input() {
    end_if_it_hangs();
    match std::env::var(ROLE).ok().as_deref() {
        Some("echo") => echo(),
        Some("leave") => leave(),
        Some("cancel") => cancel(),
        _ => {
            lines_come_as_they_are_written();
            a_process_ends_though_a_line_is_awaited();
            a_line_for_a_cancelled_reader_goes_to_the_next();
        }
    }
}

/// Ends this process when it has lasted too long, in whichever role: who waits for its lines then sees their end.
fn end_if_it_hangs() {
    std::thread::spawn(|| {
        std::thread::sleep(Duration::from_secs(60));
        eprintln!("hangs, and is aborted");
        std::process::abort();
    });
}

fn start(role: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .env(ROLE, role)
        .args(["--nocapture", "--exact", "standard_input"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The next line that begins with a mark; the test harness prints other ones.
fn marked(lines: &mut impl Iterator<Item = std::io::Result<String>>) -> Option<String> {
    lines
        .map(Result::unwrap)
        .find_map(|line| line.split_once("> ").map(|(_, rest)| rest.to_owned()))
}

fn lines_come_as_they_are_written() {
    let mut child = start("echo");
    let mut input = child.stdin.take().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
    for line in ["one", "", "three"] {
        writeln!(input, "{line}").unwrap();
        assert_eq!(marked(&mut output).as_deref(), Some(line));
    }
    write!(input, "crlf\r\nno end").unwrap();
    drop(input);
    assert_eq!(marked(&mut output).as_deref(), Some("crlf"));
    assert_eq!(marked(&mut output).as_deref(), Some("no end"));
    assert_eq!(marked(&mut output).as_deref(), Some("over"));
    assert!(child.wait().unwrap().success());
}

fn echo() {
    tasca_core::run(async {
        let mut stdin = stdin();
        while let Some(line) = stdin.next_line().await.unwrap() {
            println!("> {line}");
        }
        // The end stays the end.
        assert!(stdin.next_line().await.unwrap().is_none());
        println!("> over");
    })
    .unwrap();
}

fn a_process_ends_though_a_line_is_awaited() {
    let mut child = start("leave");
    // Open until the child has gone: its read does not end.
    let input = child.stdin.take();
    assert!(child.wait().unwrap().success());
    drop(input);
}

fn leave() {
    tasca_core::run(async {
        let _reader = spawn(async { stdin().next_line().await });
        // Give the reader's thread the time to be in its read; whether it is does not matter to the outcome.
        for _ in 0..100 {
            yield_now().await;
        }
    })
    .unwrap();
}

fn a_line_for_a_cancelled_reader_goes_to_the_next() {
    let mut child = start("cancel");
    let mut input = child.stdin.take().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(marked(&mut output).as_deref(), Some("cancelled"));
    writeln!(input, "kept").unwrap();
    assert_eq!(marked(&mut output).as_deref(), Some("kept"));
    assert!(child.wait().unwrap().success());
}

fn cancel() {
    tasca_core::run(async {
        let reader = spawn(async { stdin().next_line().await });
        yield_now().await;
        reader.cancel();
        assert!(reader.outcome().await.unwrap_err().is_cancelled());
        println!("> cancelled");
        println!("> {}", stdin().next_line().await.unwrap().unwrap());
    })
    .unwrap();
}
