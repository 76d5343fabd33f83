//! A call that blocks for two seconds, on a thread; main starts it, does other things, and then awaits it.
//!
//! `cargo run -p tasca --example to_thread`
#![expect(clippy::print_stdout, reason = "a program prints")]

use std::thread;
use std::time::{Duration, Instant};

use tasca::time::sleep;

fn blocking_io(began: Instant) -> usize {
    say(began, "blocking_io: start");
    // A call that knows nothing of async, such as a database driver's.
    thread::sleep(Duration::from_secs(2));
    say(began, "blocking_io: done");
    42
}

#[tasca::main]
async fn main() {
    let began = Instant::now();
    say(began, "main: start");
    // `to_thread` is lazy, as in asyncio; as a task it begins at once.
    let job = tasca::spawn(tasca::to_thread(move || blocking_io(began)));
    for step in 1..=3 {
        sleep(Duration::from_millis(500)).await;
        say(began, &format!("main: other things, step {step}"));
    }
    let value = job.await;
    say(began, &format!("main: blocking_io gave {value}"));
}

fn say(began: Instant, text: &str) {
    println!("{:.1} s {text}", began.elapsed().as_secs_f64());
}
