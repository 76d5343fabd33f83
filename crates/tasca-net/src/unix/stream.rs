//! [`UnixStream`].

use std::fmt;
use std::io;
use std::net::Shutdown;
use std::os::unix::net::{self, SocketAddr};
use std::path::Path;

use rustix::io::Errno;
use socket2::{Domain, SockAddr, SockRef, Socket, Type};
use tasca_core::io::Async;
use tasca_core::time::sleep;

use super::{PAUSE_MAX, PAUSE_MIN};
use crate::split::{self, OwnedReadHalf, OwnedWriteHalf, ReadHalf, WriteHalf, sealed};
use crate::stream_io::impl_stream_io;

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
    /// A stream that nobody else has seen.
    pub(super) fn unshared(io: Async<net::UnixStream>) -> Self {
        Self {
            io: io.assume_sole_owner(),
        }
    }

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
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
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
                    Some(Errno::INPROGRESS) => return Self::connected(socket).await,
                    _ => return Err(error),
                },
            }
        }
        Ok(Self::unshared(Async::from_nonblocking(socket.into())))
    }

    /// Waits for a connection that the system has begun to make (not on Linux).
    async fn connected(socket: Socket) -> io::Result<Self> {
        let stream = Self::unshared(Async::from_nonblocking(socket.into()));
        stream.writable().await?;
        match stream.take_error()? {
            None => Ok(stream),
            Some(error) => Err(error),
        }
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

    /// Waits until there is something to read, the end of the stream or an error.
    ///
    /// # Errors
    ///
    /// Those of [`Async::readable`].
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost if the future is dropped.
    pub async fn readable(&self) -> io::Result<()> {
        self.io.readable().await
    }

    /// Waits until there is room to write, or an error.
    ///
    /// # Errors
    ///
    /// Those of [`Async::writable`].
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost if the future is dropped.
    pub async fn writable(&self) -> io::Result<()> {
        self.io.writable().await
    }

    /// Divides the stream for two parts of one task. (`split` of `futures` divides any stream, behind a lock.)
    pub fn split_mut(&mut self) -> (ReadHalf<'_, Self>, WriteHalf<'_, Self>) {
        split::borrowed(self)
    }

    /// Divides the stream for two tasks. Dropping the writing half ends the writing half of the connection.
    #[must_use]
    pub fn into_split(self) -> (OwnedReadHalf<Self>, OwnedWriteHalf<Self>) {
        split::owned(self)
    }

    /// Ends the reading half, the writing half, or both, for all who use the stream.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.io.get_ref().shutdown(how)
    }

    fn shut_down_writing(&self) -> io::Result<()> {
        match self.shutdown(Shutdown::Write) {
            // There is nobody left to tell.
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
            done => done,
        }
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

    /// Takes the error that the system keeps for the socket (`SO_ERROR`).
    ///
    /// # Errors
    ///
    /// Those of asking for it.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        SockRef::from(&self.io).take_error()
    }

    /// Wraps a stream of the standard library, and puts it into non-blocking mode.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn from_std(stream: net::UnixStream) -> io::Result<Self> {
        Async::new(stream).map(|io| Self { io })
    }

    /// Gives the stream of the standard library back. It stays in non-blocking mode.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn into_std(self) -> io::Result<net::UnixStream> {
        self.io.into_inner()
    }
}

impl sealed::Stream for UnixStream {
    fn end_writing(&self) -> io::Result<()> {
        self.shut_down_writing()
    }
}

impl_stream_io!(UnixStream,);
impl_stream_io!(UnixStream, &);
crate::descriptor::impl_descriptor!(UnixStream);

impl fmt::Debug for UnixStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.io.get_ref().fmt(f)
    }
}
