//! Models: every interleaving, and every reordering, of two or three threads in the rooms of `tasca-core`.
//!
//! The rooms are the shipped sources themselves, taken in by path. What differs is below them: their
//! `crate::primitive` is made of loom's types here. Two rooms have a stand-in, since they rest on something that loom
//! cannot see: `slab` (memory from the allocator) and `queue`'s stealable tiers (crossbeam's deques).
//!
//! ```sh
//! cargo loom                                                    # all models
//! cargo loom idle -- --nocapture                                # those of one room
//! LOOM_MAX_PREEMPTIONS=4 cargo loom                             # three threads, deeper
//! cargo run -p tasca-loom-tests --bin mutations                 # proves that each model can fail
//! ```
//!
//! `explore` runs a model and prints what was explored; `runners` is the smallest scheduler that tasks can have.
#![cfg(test)]

mod explore;
mod models;
mod primitive;
mod runners;
mod slab;

#[path = "../../crates/tasca-core/src/biased/mod.rs"]
mod biased;
#[path = "../../crates/tasca-core/src/scheduler/gate.rs"]
#[expect(dead_code, reason = "some questions are asked by the scheduler only")]
mod gate;
#[path = "../../crates/tasca-core/src/idle/mod.rs"]
#[expect(dead_code, reason = "some questions are asked by the scheduler only")]
mod idle;
#[path = "../../crates/tasca-core/src/scheduler/parker.rs"]
#[expect(
    dead_code,
    reason = "the register of blocked threads is a vector behind a lock"
)]
mod parker;
mod queue;
#[path = "../../crates/tasca-core/src/slots/mod.rs"]
mod slots;
#[path = "../../crates/tasca-core/src/task/mod.rs"]
#[expect(
    dead_code,
    unreachable_pub,
    unnameable_types,
    reason = "the public face of tasks serves users, not models"
)]
mod task;
#[path = "../../crates/tasca-core/src/timer_queue/mod.rs"]
#[expect(dead_code, reason = "some questions are asked by the scheduler only")]
mod timer_queue;
