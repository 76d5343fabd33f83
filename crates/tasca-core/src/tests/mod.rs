//! What the private rooms promise, one file for each.
//!
//! They stand here and not inside the rooms because the models in `loom-tests` take a room's files as they are, and
//! `cfg(test)` is on there too.

mod biased;
#[cfg(unix)]
mod driver;
#[expect(unreachable_pub, reason = "public where it belongs to")]
#[path = "../../../../tests/src/guard.rs"]
mod guard;
mod idle;
mod job_queue;
mod lap;
mod pace;
mod patience;
#[cfg(unix)]
mod poller;
mod queue;
mod sharing;
mod sizes;
mod slab;
mod slots;
mod state;
mod timer_queue;
