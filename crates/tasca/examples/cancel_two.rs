//! Two of four tasks are cancelled with a message; their bodies catch the cancellation, log it and raise it again.
//!
//! `cargo run -p tasca --example cancel_two`
#![expect(clippy::print_stdout, reason = "a program prints")]

use std::time::Duration;

use tasca::time::sleep;
use tasca::{Task, TaskRef, catch_cancelled};

#[tasca::main]
async fn main() {
    program(|line| println!("{line}")).await;
}

/// The program; `print` gets its lines.
pub(crate) async fn program(print: impl Fn(String) + Clone + Send + Sync + 'static) {
    let tasks = [("one", 1), ("three", 3), ("five", 5), ("seven", 7)].map(|(name, seconds)| {
        Task::builder()
            .name(name)
            .spawn(nap(name, seconds, print.clone()))
    });
    sleep(Duration::from_secs(2)).await;
    print(format!("cancel five: {}", tasks[2].cancel_with("too long")));
    print(format!(
        "cancel seven: {}",
        tasks[3].cancel_with("much too long")
    ));
    // Untyped handles: they are of use when the outputs have been taken.
    let shadows = tasks.each_ref().map(Task::task_ref);
    for task in tasks {
        // A plain await would raise the cancellation here.
        match task.outcome().await {
            Ok(slept) => print(slept),
            Err(error) => {
                let message = error.cancel_message().unwrap_or("no message");
                print(format!("{} was cancelled: {message}", error.task_name()));
            }
        }
    }
    print(format!(
        "cancelled: {:?}",
        shadows.each_ref().map(TaskRef::is_cancelled)
    ));
    print(format!(
        "cancel one: {}",
        shadows[0].cancel_with("too late")
    ));
}

async fn nap(name: &str, seconds: u64, print: impl Fn(String)) -> String {
    print(format!("{name}: sleeps {seconds} s"));
    if let Err(cancelled) = catch_cancelled(sleep(Duration::from_secs(seconds))).await {
        print(format!(
            "{name}: cancelled: {}",
            cancelled.message().unwrap_or("no message")
        ));
        cancelled.reraise::<()>().await;
    }
    print(format!("{name}: woke up"));
    format!("{name} slept {seconds} s")
}
