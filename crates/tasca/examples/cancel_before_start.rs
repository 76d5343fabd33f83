//! A task that is cancelled before its first poll never runs any of its code.
//!
//! `cargo run -p tasca --example cancel_before_start`
#![expect(clippy::print_stdout, reason = "a program prints")]

use std::time::Duration;

use tasca::time::sleep;
use tasca::{Task, catch_cancelled, finally};

#[tasca::main(flavor = "current_thread")] // with more threads the task may have started in time
async fn main() {
    program(|line| println!("{line}")).await;
}

/// The program; `print` gets its lines.
pub(crate) async fn program(print: impl Fn(String) + Clone + Send + Sync + 'static) {
    let task = Task::builder().name("early").spawn(body(print.clone()));
    let shadow = task.task_ref();
    print(format!("cancel: {}", task.cancel_with("not today")));
    print(format!(
        "done: {}, cancelling: {}",
        task.is_finished(),
        task.cancelling()
    ));
    if let Err(error) = task.outcome().await {
        let message = error.cancel_message().unwrap_or("no message");
        print(format!("{} was cancelled: {message}", error.task_name()));
    }
    print(format!(
        "done: {}, cancelled: {}",
        shadow.is_finished(),
        shadow.is_cancelled()
    ));
    print(format!("cancel again: {}", shadow.cancel()));
}

async fn body(print: impl Fn(String)) {
    print("body: started".into());
    let work = async {
        if let Err(cancelled) = catch_cancelled(sleep(Duration::from_secs(1))).await {
            print("body: cancelled".into());
            cancelled.reraise::<()>().await;
        }
    };
    finally(work, async { print("body: cleaned up".into()) }).await;
}
