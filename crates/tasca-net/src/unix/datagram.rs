//! [`UnixDatagram`].

use std::fmt;
use std::io;
use std::net::Shutdown;
use std::os::unix::net::{self, SocketAddr};
use std::path::Path;

use tasca_core::io::Async;
use tasca_core::time::sleep;

use super::{PAUSE_MAX, PAUSE_MIN};

/// A Unix socket for datagrams.
///
/// Every receiving function needs room for a whole datagram: what does not fit is lost. Sending waits while the
/// receiver's queue is full.
///
/// # asyncio counterpart
///
/// `loop.create_datagram_endpoint(family=AF_UNIX)`.
///
/// # Cancel safety
///
/// In all functions: if the future is dropped or its task cancelled, no datagram was sent or received.
///
/// # Examples
///
/// ```
/// use tasca_net::UnixDatagram;
///
/// # let rt = tasca_core::Runtime::builder().current_thread().build().unwrap();
/// # rt.block_on(async {
/// let (here, there) = UnixDatagram::pair()?;
/// here.send(b"ping").await?;
/// let mut buffer = [0; 16];
/// assert_eq!(there.recv(&mut buffer).await?, 4);
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub struct UnixDatagram {
    io: Async<net::UnixDatagram>,
}

impl UnixDatagram {
    /// Binds to a path, where nothing may be yet.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn bind(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::from_std(net::UnixDatagram::bind(path)?)
    }

    /// A socket without an address; it can send.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn unbound() -> io::Result<Self> {
        Self::from_std(net::UnixDatagram::unbound()?)
    }

    /// Two sockets that are connected to each other.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn pair() -> io::Result<(Self, Self)> {
        let (one, other) = net::UnixDatagram::pair()?;
        Ok((Self::from_std(one)?, Self::from_std(other)?))
    }

    /// Fixes the peer: [`send`](Self::send) goes there, and datagrams of others are not received.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn connect(&self, path: impl AsRef<Path>) -> io::Result<()> {
        self.io.get_ref().connect(path)
    }

    /// Sends one datagram to the peer.
    ///
    /// # Errors
    ///
    /// Those of the system.
    ///
    /// # Cancel safety
    ///
    /// Nothing was sent if the future is dropped.
    pub async fn send(&self, datagram: &[u8]) -> io::Result<usize> {
        self.io.write_with(|socket| socket.send(datagram)).await
    }

    /// Receives one datagram.
    ///
    /// # Errors
    ///
    /// Those of the system.
    ///
    /// # Cancel safety
    ///
    /// Nothing was received if the future is dropped.
    pub async fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.io.read_with(|socket| socket.recv(buffer)).await
    }

    /// Sends one datagram to the socket on a path. While the receiver's queue is full, it is tried again
    /// every 50 ms at least: only for a fixed peer does the system tell when there is room.
    ///
    /// # Errors
    ///
    /// Those of the system.
    ///
    /// # Cancel safety
    ///
    /// Nothing was sent if the future is dropped.
    pub async fn send_to(&self, datagram: &[u8], path: impl AsRef<Path>) -> io::Result<usize> {
        let mut pause = PAUSE_MIN;
        loop {
            let send = |socket: &net::UnixDatagram| match socket.send_to(datagram, path.as_ref()) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
                sent => sent.map(Some),
            };
            if let Some(n_bytes) = self.io.write_with(send).await? {
                return Ok(n_bytes);
            }
            sleep(pause).await;
            pause = PAUSE_MAX.min(pause * 2);
        }
    }

    /// Receives one datagram, and says who sent it.
    ///
    /// # Errors
    ///
    /// Those of the system.
    ///
    /// # Cancel safety
    ///
    /// Nothing was received if the future is dropped.
    pub async fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.io.read_with(|socket| socket.recv_from(buffer)).await
    }

    /// Ends receiving, sending, or both.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.io.get_ref().shutdown(how)
    }

    /// The address it is bound to.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.get_ref().local_addr()
    }

    /// The address of the peer.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.io.get_ref().peer_addr()
    }

    /// Wraps a socket of the standard library, and puts it into non-blocking mode.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn from_std(socket: net::UnixDatagram) -> io::Result<Self> {
        Async::new(socket).map(|io| Self { io })
    }

    /// Gives the socket of the standard library back. It stays in non-blocking mode.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn into_std(self) -> io::Result<net::UnixDatagram> {
        self.io.into_inner()
    }
}

crate::descriptor::impl_descriptor!(UnixDatagram);

impl fmt::Debug for UnixDatagram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.io.get_ref().fmt(f)
    }
}
