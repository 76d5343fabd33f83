//! Processor time: what a workload costs, whoever of the threads pays.
//!
//! Workloads that wait for the clock or for the network most of the time are compared by this, because
//! their wall-clock time says little.

use std::time::Duration;

use crate::sys;

/// Processor time used by all threads of this process.
#[must_use]
pub fn process() -> Duration {
    sys::process_time()
}

/// Processor time used by the calling thread.
#[must_use]
pub fn thread() -> Duration {
    sys::thread_time()
}
