//! gather, wait, timeouts, shield and task groups for tasca: asyncio's ways to wait for several things.
//!
//! | | go on when one fails | stop at the first failure |
//! |---|---|---|
//! | **wait for all** | [`gather`](gather())`(..).return_exceptions()`, [`wait`](wait()) | [`try_gather`], [`TaskGroup`], [`wait`](wait())`(..).first_exception()` |
//! | **the first, or one by one** | [`as_completed`](as_completed()), [`wait`](wait())`(..).first_completed()` | `first_completed`, then cancel the others; [`staggered_race`] |
//!
//! [`timeout()`], [`timeout_at`] and [`wait_for`] bound how long something takes, [`shield`](shield()) keeps a cancellation from it.
//!
//! What is guaranteed:
//!
//! - Futures given to a combinator become tasks at the call, and run in parallel; tasks are taken by value, by reference, or
//!   shared ([`Operand`](tasca_core::Operand)). Results come in the order of the arguments.
//! - A plain name works on any output; a `try_` name works on `Result`s and stops at the first `Err`. Panics and
//!   cancellations of children propagate, unless asked for as values.
//! - Cancelling a task that waits in a gather, a group or for a task passes the request on, and waits for the clean-up.
//!   Dropping a gather or a group cancels the children; a `wait`, a shield or an `as_completed` lets them go on.
//!
//! # How it works today
//!
//! A call makes one record, which its children share: each has an entry in its own cell that leads to the record. The end
//! of a child is a call of the record, by the thread on which the child ended; a waker is cloned, memory allocated
//! or the waiting task polled only for the end that decides. On the deterministic runtime that call is a step of
//! the event loop of its own, so that the cycles are asyncio's.
#![forbid(unsafe_code)]

mod as_completed;
mod gather;
mod group;
mod needs;
mod primitive;
mod set;
mod shield;
mod staggered;
mod sync;
mod timeout;
mod wait;

pub use as_completed::{AsCompleted, AsCompletedWithin, Next, NextWithin, as_completed};
pub use gather::{Gather, gather, try_gather};
pub use group::{ExceptionGroup, Failure, GroupClosed, GroupTask, TaskGroup};
pub use set::{Children, OperandSet, TryOperandSet};
pub use shield::{Shield, shield};
pub use staggered::{CandidateFailure, Race, staggered_race};
pub use timeout::{Elapsed, RescheduleError, Timeout, TimeoutScope, timeout, timeout_at, wait_for};
pub use wait::{Wait, wait};
