//! Waiting for sockets, pipes and whatever else has a descriptor.
//!
//! [`Async`] puts a source into non-blocking mode and turns "would block" into waiting. Everything
//! that waits for the operating system in this library is built on it.
//!
//! # Guarantees
//!
//! - An operation is tried first, and waits only if it would block. Creating an [`Async`] needs no
//!   runtime; the first wait needs one.
//! - Any number of tasks may wait in the `async` functions of one source, for both directions. The
//!   `poll_` functions, and with them `AsyncRead` and `AsyncWrite`, remember one task a direction: the
//!   last one that polled.
//! - An operation is never tried in a poll that delivers a cancellation, so what it would have
//!   consumed stays in the source.
//! - A source works with the runtime in which it first waited, whichever runtime polls it later. Once
//!   that one has shut down, waits end with an error.
//!
//! # How it works today
//!
//! The first wait registers the source with the poller of the worker that runs the task, once, for both
//! directions. On Linux that is epoll with edges: readiness is remembered and forgotten again when an
//! operation would have blocked, so that a busy source costs no more system calls than it has
//! operations.

mod operation;
mod port;
mod source;
mod stream;

#[cfg(not(windows))]
#[path = "unix.rs"]
mod sys;
#[cfg(windows)]
#[path = "windows.rs"]
mod sys;

pub use port::require_runtime;
pub use source::Async;
pub use sys::Source;
