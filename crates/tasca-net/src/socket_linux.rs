//! Sockets that are made in non-blocking mode, in one system call.

use std::io;

use socket2::{Domain, Protocol, Socket, Type};

/// A stream socket that does not block, and that children do not inherit.
pub(crate) fn nonblocking_stream(domain: Domain, protocol: Option<Protocol>) -> io::Result<Socket> {
    Socket::new(domain, Type::STREAM.nonblocking(), protocol)
}
