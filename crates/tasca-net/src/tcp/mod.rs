//! TCP: listeners, connections, and how they are made.

#[cfg(target_os = "linux")]
#[path = "accept_linux.rs"]
mod accept;
#[cfg(not(target_os = "linux"))]
#[path = "accept_portable.rs"]
mod accept;
mod connect;
mod listener;
mod stream;

pub use listener::TcpListener;
pub use stream::TcpStream;
