//! What `all_tasks` lists before, while and after four tasks run, one of which is cancelled.
//!
//! `cargo run -p tasca --example list_tasks`
#![expect(clippy::print_stdout, reason = "a program prints")]

use std::time::Duration;

use tasca::time::sleep;
use tasca::{Task, TaskRef, all_tasks, current_task};

#[tasca::main(flavor = "current_thread")] // with more threads a task may end a little later than in the text
async fn main() {
    program(|line| println!("{line}")).await;
}

/// The program; `print` gets its lines.
pub(crate) async fn program(print: impl Fn(String) + Clone + Send + Sync + 'static) {
    let show = |when| {
        let mut names: Vec<String> = all_tasks().iter().map(TaskRef::name).collect();
        names.sort_unstable();
        print(format!("{when}: {}", names.join(", ")));
    };
    let main = current_task().expect("main runs in a task");
    main.set_name("main");
    show("before");
    let [_one, _three, five, seven] =
        [("one", 1), ("three", 3), ("five", 5), ("seven", 7)].map(|(name, seconds)| {
            Task::builder()
                .name(name)
                .spawn(sleep(Duration::from_secs(seconds)))
        });
    show("spawned");
    sleep(Duration::from_secs(4)).await;
    show("after 4 s");
    seven.cancel();
    show("seven is cancelled");
    tasca::yield_now().await;
    show("seven has ended");
    five.await;
    show("after");
    print(format!("current: {}", main.name()));
}
