//! TCP, UDP and Unix sockets for tasca.
//!
//! Every socket is an [`Async`](tasca_core::io::Async) around the one of the standard library, with the same names
//! and the `futures` traits ([`AsyncRead`](futures::io::AsyncRead),
//! [`AsyncWrite`](futures::io::AsyncWrite), [`Stream`](futures::stream::Stream)) on top.
//!
//! # Guarantees
//!
//! - A worker is never blocked: names are looked up on the threads of `tasca_blocking`, connecting does
//!   not wait in the kernel.
//! - An operation whose future is dropped, or whose task is cancelled while it waits, has done
//!   nothing: no byte was read, no connection accepted.
//! - Any number of tasks may use one socket through `&self` in the `async` functions. Through
//!   [`AsyncRead`](futures::io::AsyncRead) and [`AsyncWrite`](futures::io::AsyncWrite) one task can wait in each direction.
//! - A listener that runs out of descriptors does not stop and does not spin: see
//!   [`TcpListener::incoming`].
//!
//! # asyncio counterpart
//!
//! `asyncio.open_connection`, `asyncio.start_server`, `loop.create_datagram_endpoint` and
//! `loop.getaddrinfo`, at the level of sockets rather than of transports and protocols: who writes
//! waits for room by itself, there is no `drain`.
#![forbid(unsafe_code)]

mod address;
mod descriptor;
mod errno;
mod incoming;
#[cfg(target_os = "linux")]
#[path = "socket_linux.rs"]
mod socket;
#[cfg(not(target_os = "linux"))]
#[path = "socket_portable.rs"]
mod socket;
mod split;
mod stream_io;
mod tcp;
mod udp;
#[cfg(unix)]
mod unix;

pub use address::{Addresses, ToSocketAddrs, lookup_host};
pub use incoming::{Incoming, Listener};
pub use split::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, ReuniteError, SplitStream, WriteHalf};
pub use tcp::{TcpListener, TcpStream};
pub use udp::UdpSocket;
#[cfg(unix)]
pub use unix::{UnixDatagram, UnixListener, UnixStream};
