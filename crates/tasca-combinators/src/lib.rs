//! gather, wait, timeouts, shield and task groups for tasca.
#![forbid(unsafe_code)]

mod as_completed;
mod gather;
mod group;
mod set;
mod shield;
mod sync;
mod timeout;
mod wait;

pub use as_completed::{AsCompleted, AsCompletedWithin, Next, NextWithin, as_completed};
pub use gather::{Gather, gather, try_gather};
pub use group::{ExceptionGroup, Failure, GroupClosed, GroupTask, TaskGroup};
pub use set::{Children, OperandSet, TryOperandSet};
pub use shield::{Shield, shield};
pub use timeout::{Elapsed, RescheduleError, TimeoutScope, timeout, timeout_at, wait_for};
pub use wait::{Wait, wait};
