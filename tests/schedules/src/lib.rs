//! Eight workers that search, park and wake each other, in schedules drawn at random.
//!
//! The models in `loom-tests` try every schedule of two or three threads. What takes more workers than that (searchers that
//! rely on each other, chains of wake-ups) is tried here on the same sources, with shuttle's types below them: it runs one thread
//! at a time, chooses the next at every access of an atomic or a lock, and knows when all are asleep. Orderings are not its
//! business: to it, everything is sequentially consistent.
//!
//! ```sh
//! cargo test -p tasca-schedules
//! TASCA_SCHEDULES=100000 cargo test --release -p tasca-schedules
//! ```
//!
//! A schedule that fails is printed, as a text: with that in `TASCA_SCHEDULE` the test does the same again.
#![cfg(test)]

// What the lifted sources call this is in here.
extern crate self as crossbeam_deque;

mod deque;
mod primitive;
mod workers;

#[path = "../../../crates/tasca-core/src/idle/mod.rs"]
#[expect(dead_code, reason = "some questions are asked by the scheduler only")]
mod idle;
#[path = "../../../crates/tasca-core/src/queue/mod.rs"]
#[expect(dead_code, reason = "some questions are asked by the scheduler only")]
mod queue;

use deque::{Injector, Steal, Stealer, Worker};
