//! Who runs which task, where and when.
//!
//! | file | what |
//! |---|---|
//! | [`shared`] | what all workers of a runtime share; the [`Schedule`](crate::task::Schedule) that tasks see |
//! | [`remote`] | the part of a worker that others may reach |
//! | [`worker`] | the run loop: next task, poll, share, search, park |
//! | [`watchdog`] | takes work away from a worker that is stuck, and starts a spare one when all are |
//! | [`sharing`] | how much of its queue a worker gives to those who have nothing |
//! | [`pace`] | how long polls take, and after how many of them a worker looks around |
//! | [`lap`] | when a worker that is busy asks for its sockets |
//! | [`patience`] | whether a worker that has run dry looks on before it sleeps |
//! | [`parker`] | a thread that blocks on one future |
//! | [`deterministic`] | one thread, virtual time, a seeded order |
//! | [`outside`] | what comes to that loop from beside it |
//! | [`clock`], [`timers`] | time, and what waits for it |
//! | [`ending`] | ending the tasks that are left |
//! | [`gate`] | the flags and the count that the end of a runtime turns on |
//! | [`current`] | what of all this the calling thread is part of |
//! | [`extension`] | what crates above add to a runtime |
//!
//! # What is guaranteed
//!
//! - A task that is runnable will be polled, as long as polls end. A poll that does not end holds up one thread: what
//!   waits behind it (queue, timers, sockets) is taken over by others within some
//!   milliseconds, and when all threads are held up, spare ones are started, up to
//!   [`SPARES_PER_WORKER`](shared::SPARES_PER_WORKER) for each worker. Tasks that are bound to a thread wait for it.
//! - The callbacks of one task run in order. There is no order between different tasks, except on
//!   the deterministic runtime.

pub(crate) mod clock;
pub(crate) mod current;
pub(crate) mod deterministic;
pub(crate) mod ending;
pub(crate) mod extension;
pub(crate) mod gate;
pub(crate) mod interrupts;
pub(crate) mod lap;
pub(crate) mod outside;
pub(crate) mod pace;
pub(crate) mod parker;
pub(crate) mod patience;
pub(crate) mod remote;
pub(crate) mod shared;
pub(crate) mod sharing;
pub(crate) mod shutdown;
pub(crate) mod timers;
pub(crate) mod watchdog;
pub(crate) mod worker;

// A million timers are a matter of megabytes: an alarm more is a decision. Not in `timers`, where it would be asked of a model's
// atomics as well.
const _: () = assert!(timers::Shard::BYTES_PER_TIMER <= 52);
