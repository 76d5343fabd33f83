//! Models: every interleaving, and every reordering, of two or three threads in the rooms of `tasca-core`.
//!
//! The rooms are the shipped sources themselves, taken in by path. What differs is below them: their
//! `crate::primitive` is made of loom's types here. Stand-ins are made for what loom cannot see or models do not need: `slab`
//! (memory from the allocator), `deque` (crossbeam's), `runtime` (spawning and timers, for the combinators).
//!
//! ```sh
//! cargo loom                                                    # all models
//! cargo loom idle -- --nocapture                                # those of one room
//! LOOM_MAX_PREEMPTIONS=3 cargo loom                             # deeper
//! cargo run -p tasca-loom-tests --bin mutations                 # proves that each model can fail
//! ```
//!
//! `explore` runs a model and prints what was explored; `runners` is the smallest scheduler that tasks can have.
#![cfg(test)]

// What the lifted sources call these is in here.
extern crate self as crossbeam_deque;
extern crate self as tasca_core;

mod deque;
mod explore;
mod models;
mod poller;
mod primitive;
mod runners;
mod scheduler;
mod slab;
#[expect(dead_code, reason = "asked where mutations are woven in")]
mod switch;

#[path = "../../crates/tasca-core/src/biased/mod.rs"]
mod biased;
#[path = "../../crates/tasca-core/src/driver/mod.rs"]
#[expect(dead_code, unused_imports, reason = "some parts serve sockets only")]
mod driver;
#[path = "../../crates/tasca-core/src/idle/mod.rs"]
mod idle;
#[path = "../../crates/tasca-core/src/queue/mod.rs"]
mod queue;
mod runtime;
#[path = "../../crates/tasca-core/src/scope/mod.rs"]
#[expect(dead_code, unreachable_pub, reason = "the public face of scopes")]
mod scope;
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
#[expect(dead_code, reason = "some questions are asked by rooms above only")]
mod timer_queue;

// The combinators, whose crate is this one too.
#[path = "../../crates/tasca-combinators/src/as_completed.rs"]
#[expect(dead_code, unreachable_pub, reason = "the public face of combinators")]
mod as_completed;
#[path = "../../crates/tasca-combinators/src/gather/mod.rs"]
#[expect(dead_code, unreachable_pub, reason = "the public face of combinators")]
mod gather;
#[path = "../../crates/tasca-combinators/src/group/mod.rs"]
#[expect(
    clippy::redundant_closure_for_method_calls,
    reason = "the stand-in for the builder has no parameters to infer"
)]
#[expect(
    dead_code,
    unreachable_pub,
    unused_imports,
    unnameable_types,
    reason = "the public face of combinators"
)]
mod group;
#[path = "../../crates/tasca-combinators/src/needs.rs"]
#[expect(dead_code, reason = "what needs a runtime only is not here")]
mod needs;
#[path = "../../crates/tasca-combinators/src/set.rs"]
#[expect(unreachable_pub, reason = "the public face of combinators")]
mod set;
#[path = "../../crates/tasca-combinators/src/shield.rs"]
#[expect(dead_code, unreachable_pub, reason = "the public face of combinators")]
mod shield;
#[path = "../../crates/tasca-combinators/src/sync.rs"]
mod sync;
#[path = "../../crates/tasca-combinators/src/wait.rs"]
#[expect(dead_code, unreachable_pub, reason = "the public face of combinators")]
mod wait;

/// What `as_completed` needs of timeouts, whose own room is above clocks.
#[expect(unreachable_pub, reason = "public where it is at home")]
mod timeout {
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Elapsed(());

    impl Elapsed {
        pub(crate) fn new() -> Self {
            Self(())
        }
    }
}

use deque::{Injector, Steal, Stealer, Worker};
use runtime::operand::{Child, Observed, Operand, TryChild, TryOperand};
use runtime::{CallHandle, Handle, TaskBuilder, current_task};
use scope::{Cancelled, Reraise, catch_cancelled};
use task::context::Context;
use task::error::{CancelMessage, TaskError};
use task::group::Group;
use task::handle::{Task, TaskRef};
use task::members::Members;
use task::observe::{CancelForward, Observation, Observer};
use task::promise::{Promise, promise};
use task::toolkit as leaf;
