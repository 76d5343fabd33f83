//! [`UnixStream`].

use std::io;
use std::os::unix::net::{self, SocketAddr};
use std::path::Path;

use rustix::io::Errno;
use socket2::{Domain, SockAddr};
use tasca_core::io::Async;
use tasca_core::time::sleep;

use super::{PAUSE_MAX, PAUSE_MIN};
use crate::socket::nonblocking_stream;
use crate::stream_io::impl_stream;

/// A connection between Unix sockets.
///
/// It is read, written and closed as a [`TcpStream`](crate::TcpStream) is.
///
/// # asyncio counterpart
///
/// What `asyncio.open_unix_connection` returns, reader and writer in one.
///
/// # Examples
///
/// ```
/// use futures::{AsyncReadExt, AsyncWriteExt};
/// use tasca_net::UnixStream;
///
/// # let rt = tasca_core::Runtime::builder().current_thread().build().unwrap();
/// # rt.block_on(async {
/// let (mut here, mut there) = UnixStream::pair()?;
/// here.write_all(b"hello").await?;
/// let mut buffer = [0; 5];
/// there.read_exact(&mut buffer).await?;
/// assert_eq!(&buffer, b"hello");
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub struct UnixStream {
    io: Async<net::UnixStream>,
}

impl UnixStream {
    /// Connects to the listener on a path. Waits while the listener's queue is full.
    ///
    /// # asyncio counterpart
    ///
    /// `asyncio.open_unix_connection`.
    ///
    /// # Errors
    ///
    /// Those of the system; [`ConnectionRefused`](io::ErrorKind::ConnectionRefused) if nobody listens on the file.
    ///
    /// # Cancel safety
    ///
    /// There is no connection if the future is dropped.
    pub async fn connect(path: impl AsRef<Path>) -> io::Result<Self> {
        let address = SockAddr::unix(path)?;
        let socket = nonblocking_stream(Domain::UNIX, None)?;
        let mut pause = PAUSE_MIN;
        loop {
            match socket.connect(&address) {
                Ok(()) => break,
                Err(error) => match Errno::from_io_error(&error) {
                    Some(Errno::INTR) => {}
                    // The queue is full. Nothing tells when it is not any more.
                    Some(Errno::AGAIN) => {
                        sleep(pause).await;
                        pause = PAUSE_MAX.min(pause * 2);
                    }
                    Some(Errno::ISCONN) => break,
                    // Not on Linux.
                    Some(Errno::INPROGRESS) => {
                        let stream = Self::unshared(Async::from_nonblocking(socket.into()));
                        return stream.connected().await;
                    }
                    _ => return Err(error),
                },
            }
        }
        Ok(Self::unshared(Async::from_nonblocking(socket.into())))
    }

    /// Two streams that are connected to each other.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn pair() -> io::Result<(Self, Self)> {
        let (one, other) = net::UnixStream::pair()?;
        Ok((
            Self::unshared(Async::new(one)?),
            Self::unshared(Async::new(other)?),
        ))
    }

    /// Reads without taking anything out: the next read gives the same bytes.
    ///
    /// # Errors
    ///
    /// Those of the system.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost if the future is dropped.
    pub async fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        use rustix::net::{RecvFlags, recv};

        self.io
            .read_with(|stream| {
                let (n_bytes, _) = recv(stream, &mut *buffer, RecvFlags::PEEK)?;
                Ok(n_bytes)
            })
            .await
    }

    /// The address of the peer; mostly it has none.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.io.get_ref().peer_addr()
    }

    /// The address of this end; that of the listener, if it was accepted.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.get_ref().local_addr()
    }
}

impl_stream!(UnixStream, net::UnixStream);
