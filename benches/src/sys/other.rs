//! Platforms on which no figures are taken: the workloads run, and that is all.

use std::{
    sync::LazyLock,
    time::{Duration, Instant},
};

use super::EchoServer;

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

pub(crate) fn process_time() -> Duration {
    START.elapsed()
}

pub(crate) fn thread_time() -> Duration {
    Duration::ZERO
}

pub(crate) fn resident_bytes() -> u64 {
    0
}

pub(crate) fn allow_descriptors(_count: u64) {}

/// None here.
pub(crate) const ECHO_SERVER: Option<EchoServer> = None;
