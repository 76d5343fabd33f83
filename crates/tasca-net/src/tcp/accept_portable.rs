//! Accepting as the standard library does it.

use std::io;
use std::net::{SocketAddr, TcpListener};

use tasca_core::io::Async;

use crate::errno;

/// An operation of `Async`.
pub(super) fn accept_one(
    listener: &TcpListener,
) -> io::Result<(super::stream::TcpStream, SocketAddr)> {
    let (stream, peer) = listener.accept().map_err(errno::retried)?;
    let stream = super::stream::TcpStream::unshared(Async::new(stream)?);
    Ok((stream, peer))
}
