//! Accepting into non-blocking mode, in one system call.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};

use rustix::net::{SocketFlags, acceptfrom_with};
use tasca_core::io::Async;

use crate::errno;

/// An operation of `Async`.
pub(super) fn accept_one(
    listener: &TcpListener,
) -> io::Result<(super::stream::TcpStream, SocketAddr)> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let (socket, peer) =
        acceptfrom_with(listener, flags).map_err(|error| errno::retried(error.into()))?;
    let stream = TcpStream::from(socket);
    let peer = match peer.map(SocketAddr::try_from) {
        Some(Ok(peer)) => peer,
        _ => stream.peer_addr()?,
    };
    let stream = super::stream::TcpStream::unshared(Async::from_nonblocking(stream));
    Ok((stream, peer))
}
