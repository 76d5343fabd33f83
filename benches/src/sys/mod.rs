//! What the workloads need of the operating system beside sockets, one file a platform.
//!
//! A platform supplies `process_time` and `thread_time`, the processor time used by all threads and by
//! the calling one; `resident_bytes`, the memory of the process without its program; `allow_descriptors`, which raises the
//! limit of open files as far as may be; and perhaps an `ECHO_SERVER`, which shows what the system itself
//! costs. Linux is where figures are taken; elsewhere the workloads run, but what is "by processor time" is
//! by the clock, and memory is not counted.

use std::net::TcpListener;

#[cfg_attr(target_os = "linux", path = "linux.rs")]
#[cfg_attr(not(target_os = "linux"), path = "other.rs")]
mod platform;

pub(crate) use platform::{
    ECHO_SERVER, allow_descriptors, process_time, resident_bytes, thread_time,
};

/// A server that uses the system directly: takes so many connections, echoes on them with so many
/// threads, and returns when all clients have hung up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EchoServer {
    /// The name in tables.
    pub(crate) name: &'static str,
    /// Runs it.
    pub(crate) run: fn(TcpListener, usize, usize),
}
