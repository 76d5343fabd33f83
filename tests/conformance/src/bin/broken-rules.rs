//! Breaks rules on purpose, one at a time, and looks whether the suite turns red.
//!
//! ```text
//! cargo run -p tasca-conformance --bin broken-rules [WORDS OF A RULE]
//! ```
//!
//! Works in a copy of the tree, see `tasca_broken`. Ends with an error if a rule can be broken and nobody notices, or if the
//! place to break it at has changed.

use std::fs;
use std::process::ExitCode;

use tasca_broken::{Copied, Trouble};

/// A rule, and how it is broken.
struct Break {
    rule: &'static str,
    what: &'static str,
    file: &'static str,
    /// Occurs once in the file.
    from: &'static str,
    to: &'static str,
}

const BREAKS: [Break; 17] = [
    Break {
        rule: "P6",
        what: "a semaphore's waiter that is cancelled keeps the permit it was handed",
        file: "crates/tasca-sync/src/permits.rs",
        from: "            self.0.word.fetch_add(PERMIT, Ordering::Relaxed);",
        to: "",
    },
    Break {
        rule: "L3",
        what: "a newcomer takes a lock that is free although somebody was woken for it",
        file: "crates/tasca-sync/src/raw_lock.rs",
        from: "while word & LOCKED == 0 && line.is_vacant() {",
        to: "while word & LOCKED == 0 {",
    },
    Break {
        rule: "L6",
        what: "a waiter that is cancelled keeps the lock from those behind it",
        file: "crates/tasca-sync/src/raw_lock.rs",
        from: "        if !self.0.is_locked() {\n            line.wake_first(later);\n        }\n",
        to: "        let _ = later;\n",
    },
    Break {
        rule: "K9",
        what: "a wait on a condition that is cancelled passes no notification on",
        file: "crates/tasca-sync/src/condition.rs",
        from: "        pass_on.armed = true;",
        to: "        pass_on.armed = false;",
    },
    Break {
        rule: "Z5",
        what: "a barrier that was reset stays as it is when its last party has left",
        file: "crates/tasca-sync/src/barrier.rs",
        from: "Phase::Resetting | Phase::Draining) {",
        to: "Phase::Draining) {",
    },
    Break {
        rule: "Q8",
        what: "a getter that is cancelled does not pass its wake-up on",
        file: "crates/tasca-sync/src/queue/gates.rs",
        from: "            state.getters.pull_next(later);",
        to: "            let _ = later;",
    },
    Break {
        rule: "G1",
        what: "the results of a gather come in the wrong order",
        file: "crates/tasca-combinators/src/set.rs",
        from: "\n                        Ok(value) => values.push(value),",
        to: "\n                        Ok(value) => values.insert(0, value),",
    },
    Break {
        rule: "G9",
        what: "cancelling a gather reaches its first child only",
        file: "crates/tasca-combinators/src/gather/record.rs",
        from: "        for task in tasks {",
        to: "        for task in tasks.into_iter().take(1) {",
    },
    Break {
        rule: "W6",
        what: "a cancelled operand is a failure for a wait for the first exception",
        file: "crates/tasca-combinators/src/wait.rs",
        from: "        if child.is_cancelled() || child.is_panicked() {",
        to: "        if child.is_cancelled() { return true; }\n        if child.is_panicked() {",
    },
    Break {
        rule: "F8",
        what: "wait_for without time does not wait for the clean-up",
        file: "crates/tasca-combinators/src/timeout.rs",
        from: "    ended(task).await;\n",
        to: "    if true { return Err(Elapsed::new()); }\n",
    },
    Break {
        rule: "F3",
        what: "wait_for does not wait for the clean-up of what it cancels",
        file: "crates/tasca-combinators/src/timeout.rs",
        from: "            Some(limit) => timeout(limit, future).await,",
        to: "            Some(limit) => {\n                let (body, limit) = (std::pin::pin!(future.into_future()), std::pin::pin!(tasca_core::time::sleep(limit)));\n                match futures::future::select(body, limit).await {\n                    futures::future::Either::Left((output, _)) => Ok(output),\n                    futures::future::Either::Right(_) => Err(Elapsed::new()),\n                }\n            }",
    },
    Break {
        rule: "T7",
        what: "a time-out scope takes a cancellation from outside for its own",
        file: "crates/tasca-combinators/src/timeout.rs",
        from: "Err(_) if left == (Left::Late { is_own: true }) => {",
        to: "Err(_) if matches!(left, Left::Late { .. }) => {",
    },
    Break {
        rule: "S1",
        what: "a shield does not take over the end of its operand",
        file: "crates/tasca-combinators/src/shield.rs",
        from: "        if promise.is_cancelled() {\n",
        to: "        if true {\n",
    },
    Break {
        rule: "S2",
        what: "a shield passes a cancellation on",
        file: "crates/tasca-combinators/src/shield.rs",
        from: "            record.observer().child_done(0, &shadow);\n        }\n        task\n",
        to: "            record.observer().child_done(0, &shadow);\n        }\n        task.add_done_callback(move |end| {\n            if end.is_cancelled() {\n                shadow.cancel();\n            }\n        });\n        task\n",
    },
    Break {
        rule: "TG2",
        what: "a group's child that fails does not stop its siblings",
        file: "crates/tasca-combinators/src/group/mod.rs",
        from: "            Some(children) => self.carry_out(children, true),",
        to: "            Some(_) => self.carry_out(Vec::new(), true),",
    },
    Break {
        rule: "TG7",
        what: "a group does not take its request back",
        file: "crates/tasca-combinators/src/group/mod.rs",
        from: "if parent_cancelled && self.parent.retract_cancel() == 0 {",
        to: "if parent_cancelled && self.parent.cancelling() == 0 {",
    },
    Break {
        rule: "C17",
        what: "uncancel leaves a request that was not delivered",
        file: "crates/tasca-core/src/task/cancel.rs",
        from: "        shared.put_request(Standing::Nothing, None);\n        task.state().clear_cancel();\n    }\n}\n",
        to: "    }\n}\n",
    },
];

/// Where the test that is to fail is. Those in real time would only take longer.
const SUITE: [&str; 4] = ["--package", "tasca-conformance", "--test", "suite"];
const TEST: &str = "whole_traces_on_the_deterministic_runtime";

/// What the suite says; none, if it is green.
fn run_suite(copy: &Copied) -> Result<Option<String>, Trouble> {
    let program = copy.build(&SUITE)??;
    let output = copy.command(&program).arg(TEST).output()?;
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    Ok((!output.status.success()).then_some(said))
}

/// Breaks a rule, runs the suite, and mends the rule.
fn try_break(copy: &Copied, broken: &Break) -> Result<Option<String>, Trouble> {
    let (sound, text) = copy.texts(broken.file, broken.from, broken.to)?;
    let path = copy.root().join(broken.file);
    fs::write(&path, text)?;
    let said = run_suite(copy);
    fs::write(&path, sound)?;
    said
}

/// How many traces differ, and the scenarios that witness the rule, or the first ones.
fn summary(said: &str, rule: &str) -> String {
    let count = said.lines().find_map(|line| {
        line.split_once(" of ")?
            .0
            .rsplit(' ')
            .next()?
            .parse::<u32>()
            .ok()
    });
    let quoted = format!("\"{rule}\"");
    let differing = said
        .lines()
        .filter(|line| line.contains('/') && line.contains('['));
    let (witnesses, others): (Vec<&str>, Vec<&str>) =
        differing.partition(|line| line.contains(&quoted));
    let names: Vec<&str> = witnesses
        .iter()
        .chain(&others)
        .take(3)
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    format!("{} traces: {}", count.unwrap_or(0), names.join(", "))
}

#[expect(clippy::print_stdout, reason = "the result is a table")]
fn run() -> Result<bool, Trouble> {
    let chosen: Vec<String> = std::env::args().skip(1).collect();
    let copy = Copied::new("tasca-broken-rules")?;
    if let Some(said) = run_suite(&copy)? {
        return Err(format!("the suite is red before anything is broken:\n{said}").into());
    }
    println!("| rule | broken so that | caught by |\n| --- | --- | --- |");
    let mut all_caught = true;
    for broken in &BREAKS {
        if !chosen.is_empty() && !chosen.iter().any(|word| word == broken.rule) {
            continue;
        }
        // A break that no longer fits does not keep the others from being tried.
        let caught = match try_break(&copy, broken) {
            Ok(caught) => caught,
            Err(error) => {
                println!("| {} | {} | not tried: {error} |", broken.rule, broken.what);
                all_caught = false;
                continue;
            }
        };
        all_caught &= caught.is_some();
        let caught = caught.map_or("nothing".to_owned(), |said| summary(&said, broken.rule));
        println!("| {} | {} | {caught} |", broken.rule, broken.what);
    }
    Ok(all_caught)
}

#[expect(clippy::print_stderr, reason = "a program says what is wrong")]
fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("broken-rules: {error}");
            ExitCode::from(2)
        }
    }
}
