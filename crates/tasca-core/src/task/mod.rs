//! Tasks: one cell each, whoever fills it.
//!
//! A cell is one allocation: a header of 64 bytes, what its kind needs beside, then the future, later the output in its place. What only some
//! tasks need (a name, callbacks, a second waiter, a context) is in a side block that is made when the need arises.
//!
//! | file | what |
//! |---|---|
//! | [`state`] | the state word and its transitions |
//! | [`header`], [`cell`], [`ext`] | the parts of a cell; polling and completing |
//! | [`cancel`], [`expiry`] | requests: recorded, passed on, delivered; those of deadlines |
//! | [`waker`], [`leaf`], [`current`] | a task seen from inside a poll |
//! | [`toolkit`] | the same for leaves of other crates |
//! | [`handle`], [`join`], [`weak`] | a task seen from outside |
//! | [`awaitable`] | a task among other things that can be awaited |
//! | [`promise`], [`job`] | tasks that are not polled: completed by hand, or by a closure on some executor |
//! | [`job_queue`] | closures that wait for an executor's thread |
//! | [`observe`], [`group`], [`members`] | what combinators need: the ends of tasks, failure; a record that several tasks share |
//! | [`context`] | context variables |
//! | [`error`], [`schedule`] | how tasks fail; what they need from a scheduler |

pub(crate) mod awaitable;
pub(crate) mod cancel;
pub(crate) mod cell;
pub(crate) mod context;
pub(crate) mod current;
pub(crate) mod error;
pub(crate) mod expiry;
pub(crate) mod ext;
pub(crate) mod group;
pub(crate) mod handle;
pub(crate) mod header;
pub(crate) mod job;
pub(crate) mod job_queue;
pub(crate) mod join;
pub(crate) mod leaf;
pub(crate) mod members;
pub(crate) mod observe;
pub(crate) mod promise;
pub(crate) mod schedule;
pub(crate) mod state;
pub mod toolkit;
pub(crate) mod waker;
pub(crate) mod weak;

pub(crate) use cell::{After, Runnable};
pub(crate) use context::Context;
pub(crate) use handle::DoneCallback;
pub(crate) use schedule::{Anchor, Callback, Schedule};

/// The part of a task's id that numbers it within its runtime; above it is the runtime's own number.
pub(crate) const NUMBER_MASK: u64 = (1 << 48) - 1;

/// Within the number: jobs are numbered by themselves, so that they leave no gaps between the names of tasks.
pub(crate) const JOB_ID: u64 = 1 << 47;

/// Likewise what promises are the other end of.
pub(crate) const PROMISE_ID: u64 = 1 << 46;
