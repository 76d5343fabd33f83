//! The four sleeps of `four_tasks`, one task after the other: the whole takes 16 s.
//!
//! `cargo run -p tasca --example in_sequence`
#![expect(clippy::print_stdout, reason = "a program prints")]

use std::time::Duration;

use tasca::time::sleep;
use tasca::{Handle, Task};

#[tasca::main]
async fn main() {
    program(|line| println!("{line}")).await;
}

/// The program; `print` gets its lines.
pub(crate) async fn program(print: impl Fn(String) + Clone + Send + Sync + 'static) {
    let clock = Handle::current();
    let began = clock.time();
    for (name, seconds) in [("one", 1), ("three", 3), ("five", 5), ("seven", 7)] {
        let task = Task::builder()
            .name(name)
            .spawn(nap(name, seconds, print.clone()));
        print(task.await);
        print(format!("after {} s", (clock.time() - began).as_secs()));
    }
}

async fn nap(name: &str, seconds: u64, print: impl Fn(String)) -> String {
    print(format!("{name}: sleeps {seconds} s"));
    sleep(Duration::from_secs(seconds)).await;
    print(format!("{name}: woke up"));
    format!("{name} slept {seconds} s")
}
