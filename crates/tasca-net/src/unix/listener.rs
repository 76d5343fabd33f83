//! [`UnixListener`].

use std::fmt;
use std::io;
use std::os::unix::net::{self, SocketAddr};
use std::path::Path;
use std::task::{Context, Poll};

use tasca_core::io::Async;

use super::UnixStream;
use crate::errno;
use crate::incoming::{Incoming, sealed};

/// A Unix socket that accepts connections.
///
/// Dropping it does not remove the file.
///
/// # asyncio counterpart
///
/// The listening socket behind `asyncio.start_unix_server`.
///
/// # Examples
///
/// ```
/// use tasca_net::{UnixListener, UnixStream};
///
/// # let rt = tasca_core::Runtime::builder().current_thread().build().unwrap();
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("socket");
/// # rt.block_on(async {
/// let listener = UnixListener::bind(&path)?;
/// let client = UnixStream::connect(&path).await?;
/// let (server, _) = listener.accept().await?;
/// assert_eq!(server.local_addr()?.as_pathname(), Some(path.as_path()));
/// # drop(client);
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub struct UnixListener {
    io: Async<net::UnixListener>,
}

impl UnixListener {
    /// Listens on a path, where nothing may be yet.
    ///
    /// # Errors
    ///
    /// Those of the system; [`AddrInUse`](io::ErrorKind::AddrInUse) if there is a file already, also one that a listener
    /// of the past has left.
    pub fn bind(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::from_std(net::UnixListener::bind(path)?)
    }

    /// Waits for a connection and accepts it. Any number of tasks may accept from one listener.
    ///
    /// # asyncio counterpart
    ///
    /// `loop.sock_accept`.
    ///
    /// # Errors
    ///
    /// Those of the system; the listener stays usable. Want of descriptors is one: who only wants to go
    /// on uses [`incoming`](Self::incoming).
    ///
    /// # Cancel safety
    ///
    /// No connection is lost if the future is dropped or its task is cancelled.
    pub async fn accept(&self) -> io::Result<(UnixStream, SocketAddr)> {
        self.io.read_with(accept_one).await
    }

    /// Polls for a connection. Only the waker of the last call is remembered.
    ///
    /// # Errors
    ///
    /// As [`accept`](Self::accept).
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(UnixStream, SocketAddr)>> {
        self.io.poll_read_with(cx, accept_one)
    }

    /// All connections, one after the other. Goes on after a lack of descriptors or memory: see
    /// [`Incoming`].
    pub fn incoming(&self) -> Incoming<'_, Self> {
        Incoming::new(self)
    }

    /// The path it listens on.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.get_ref().local_addr()
    }

    /// Wraps a listener of the standard library, and puts it into non-blocking mode.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn from_std(listener: net::UnixListener) -> io::Result<Self> {
        Async::new(listener).map(|io| Self { io })
    }

    /// Gives the listener of the standard library back. It stays in non-blocking mode.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn into_std(self) -> io::Result<net::UnixListener> {
        self.io.into_inner()
    }
}

fn accept_one(listener: &net::UnixListener) -> io::Result<(UnixStream, SocketAddr)> {
    let (stream, peer) = listener.accept().map_err(errno::retried)?;
    Ok((UnixStream::unshared(Async::new(stream)?), peer))
}

impl sealed::Listener for UnixListener {
    type Stream = UnixStream;

    fn poll_next_connection(&self, cx: &mut Context<'_>) -> Poll<io::Result<UnixStream>> {
        self.poll_accept(cx)
            .map(|accepted| accepted.map(|(stream, _)| stream))
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.local_addr() {
            Ok(address) => write!(f, "the listener on {address:?}"),
            Err(_) => f.write_str("a Unix listener"),
        }
    }
}

crate::descriptor::impl_descriptor!(UnixListener);

impl fmt::Debug for UnixListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.io.get_ref().fmt(f)
    }
}
