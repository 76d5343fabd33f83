//! Five calls that block for a second each, gathered: they take one second together.
//!
//! `cargo run -p tasca --example to_thread_gather`
#![expect(clippy::print_stdout, reason = "a program prints")]

use std::thread;
use std::time::{Duration, Instant};

use tasca::{gather, to_thread};

fn fetch(number: u32) -> String {
    thread::sleep(Duration::from_secs(1));
    format!("page {number}")
}

#[tasca::main]
async fn main() {
    let began = Instant::now();
    let pages = gather((1..=5).map(|number| to_thread(move || fetch(number)))).await;
    for page in &pages {
        println!("{page}");
    }
    println!(
        "{} pages after {:.0} s",
        pages.len(),
        began.elapsed().as_secs_f64()
    );
}
