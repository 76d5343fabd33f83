//! Sockets with a path for an address.

use std::time::Duration;

mod datagram;
mod listener;
mod stream;

pub use datagram::UnixDatagram;
pub use listener::UnixListener;
pub use stream::UnixStream;

/// How long to wait before trying again where the system does not tell when a peer's queue has room, at
/// first and at most.
const PAUSE_MIN: Duration = Duration::from_millis(1);
const PAUSE_MAX: Duration = Duration::from_millis(50);
