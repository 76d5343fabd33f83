//! Four named tasks that sleep 1, 3, 5 and 7 seconds, side by side: the whole takes 7 s, not 16.
//!
//! `cargo run -p tasca --example four_tasks`
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
    let tasks = [("one", 1), ("three", 3), ("five", 5), ("seven", 7)].map(|(name, seconds)| {
        Task::builder()
            .name(name)
            .spawn(nap(name, seconds, print.clone()))
    });
    for task in &tasks {
        print(format!("spawned {}", task.name()));
    }
    for task in tasks {
        print(task.await);
    }
    print(format!(
        "all done after {} s",
        (clock.time() - began).as_secs()
    ));
}

async fn nap(name: &str, seconds: u64, print: impl Fn(String)) -> String {
    print(format!("{name}: sleeps {seconds} s"));
    sleep(Duration::from_secs(seconds)).await;
    print(format!("{name}: woke up"));
    format!("{name} slept {seconds} s")
}
