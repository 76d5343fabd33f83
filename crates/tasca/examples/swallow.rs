//! A task that swallows its cancellation goes on, and ends with a value.
//!
//! `cargo run -p tasca --example swallow`
#![expect(clippy::print_stdout, reason = "a program prints")]

use std::time::Duration;

use tasca::time::sleep;
use tasca::{Handle, Task, catch_cancelled, current_task};

#[tasca::main]
async fn main() {
    program(|line| println!("{line}")).await;
}

/// The program; `print` gets its lines.
pub(crate) async fn program(print: impl Fn(String) + Clone + Send + Sync + 'static) {
    let clock = Handle::current();
    let began = clock.time();
    let task = Task::builder()
        .name("stubborn")
        .spawn(stubborn(print.clone()));
    let shadow = task.task_ref();
    sleep(Duration::from_secs(1)).await;
    print(format!("first: {}", task.cancel_with("please")));
    sleep(Duration::from_secs(1)).await;
    print(format!("done: {}", task.is_finished()));
    print(format!("second: {}", task.cancel_with("now")));
    print(task.await.into());
    print(format!(
        "cancelled: {}, cancelling: {}",
        shadow.is_cancelled(),
        shadow.cancelling()
    ));
    print(format!("after {} s", (clock.time() - began).as_secs()));
}

async fn stubborn(print: impl Fn(String)) -> &'static str {
    let me = current_task().expect("this runs in a task");
    for attempt in [1, 2] {
        if let Err(cancelled) = catch_cancelled(sleep(Duration::from_secs(10))).await {
            let message = cancelled.message().unwrap_or("no message");
            print(format!(
                "stubborn: ignores '{message}', cancelling: {}",
                me.cancelling()
            ));
            if attempt == 2 {
                print(format!("stubborn: uncancel: {}", me.uncancel()));
            }
        }
    }
    sleep(Duration::from_secs(1)).await;
    "finished all the same"
}
