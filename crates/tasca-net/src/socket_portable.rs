//! Sockets that are made as every system makes them, and told not to block then.

use std::io;

use socket2::{Domain, Protocol, Socket, Type};

/// A stream socket that does not block, and that children do not inherit.
pub(crate) fn nonblocking_stream(domain: Domain, protocol: Option<Protocol>) -> io::Result<Socket> {
    let socket = Socket::new(domain, Type::STREAM, protocol)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}
