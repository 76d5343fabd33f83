//! [`TcpListener`].

use std::fmt;
use std::io;
use std::net::{self, SocketAddr};
use std::task::{Context, Poll};

use socket2::{Domain, Protocol, Socket, Type};
use tasca_core::io::Async;

use super::TcpStream;
use super::accept::accept_one;
use crate::address::{ToSocketAddrs, resolve};
use crate::incoming::{Incoming, sealed};

/// How many connections may wait to be accepted; the system may allow fewer.
const BACKLOG: i32 = 1024;

/// A TCP socket that accepts connections.
///
/// # asyncio counterpart
///
/// The listening socket behind `asyncio.start_server`.
///
/// # Examples
///
/// ```
/// use futures::{AsyncReadExt, AsyncWriteExt};
/// use tasca_net::{TcpListener, TcpStream};
///
/// # let rt = tasca_core::Runtime::builder().current_thread().build().unwrap();
/// # rt.block_on(async {
/// let listener = TcpListener::bind("127.0.0.1:0").await?;
/// let mut client = TcpStream::connect(listener.local_addr()?).await?;
/// let (mut server, peer) = listener.accept().await?;
/// assert_eq!(peer, client.local_addr()?);
///
/// client.write_all(b"hello").await?;
/// client.close().await?;
/// let mut text = String::new();
/// server.read_to_string(&mut text).await?;
/// assert_eq!(text, "hello");
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub struct TcpListener {
    io: Async<net::TcpListener>,
}

impl TcpListener {
    /// Listens on the first of the given addresses that can be bound. Port 0 lets the system choose one.
    ///
    /// Up to 1024 connections wait to be accepted. On Unix a port whose last owner left connections behind
    /// can be bound again at once (`SO_REUSEADDR`).
    ///
    /// # Errors
    ///
    /// Those of [`lookup_host`](crate::lookup_host); else that of the last address tried.
    ///
    /// # Cancel safety
    ///
    /// Nothing is bound if the future is dropped.
    pub async fn bind(address: impl ToSocketAddrs) -> io::Result<Self> {
        let mut last_error = None;
        for address in resolve(address).await? {
            match bind_one(address) {
                Ok(listener) => return Ok(listener),
                Err(error) => last_error = Some(error),
            }
        }
        Err(last_error.unwrap_or_else(|| io::ErrorKind::InvalidInput.into()))
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
    /// on uses [`incoming`](Self::incoming). Connections that are gone before they are accepted are
    /// passed over.
    ///
    /// # Cancel safety
    ///
    /// No connection is lost if the future is dropped or its task is cancelled.
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        self.io.read_with(accept_one).await
    }

    /// Polls for a connection. Only the waker of the last call is remembered.
    ///
    /// # Errors
    ///
    /// As [`accept`](Self::accept).
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        self.io.poll_read_with(cx, accept_one)
    }

    /// All connections, one after the other. Goes on after a lack of descriptors or memory: see
    /// [`Incoming`].
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn serve(listener: tasca_net::TcpListener) -> std::io::Result<()> {
    /// use futures::{AsyncWriteExt, TryStreamExt};
    ///
    /// let mut incoming = listener.incoming();
    /// while let Some(mut stream) = incoming.try_next().await? {
    ///     let greeting = tasca_core::spawn(async move { stream.write_all(b"hello\n").await });
    ///     drop(greeting);
    /// }
    /// # Ok(()) }
    /// ```
    pub fn incoming(&self) -> Incoming<'_, Self> {
        Incoming::new(self)
    }

    /// The address it listens on, with the port that the system chose.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.get_ref().local_addr()
    }

    /// How many hops packets of accepted connections may go.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn ttl(&self) -> io::Result<u32> {
        self.io.get_ref().ttl()
    }

    /// Sets how many hops packets of accepted connections may go.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn set_ttl(&self, n_hops: u32) -> io::Result<()> {
        self.io.get_ref().set_ttl(n_hops)
    }

    /// Wraps a listener of the standard library, and puts it into non-blocking mode.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn from_std(listener: net::TcpListener) -> io::Result<Self> {
        Async::new(listener).map(|io| Self { io })
    }

    /// Gives the listener of the standard library back. It stays in non-blocking mode.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn into_std(self) -> io::Result<net::TcpListener> {
        self.io.into_inner()
    }
}

fn bind_one(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    // On Windows this option would let two processes have the same port.
    if cfg!(unix) {
        socket.set_reuse_address(true)?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Async::new(socket.into()).map(|io| TcpListener {
        io: io.assume_sole_owner(),
    })
}

impl sealed::Listener for TcpListener {
    type Stream = TcpStream;

    fn poll_next_connection(&self, cx: &mut Context<'_>) -> Poll<io::Result<TcpStream>> {
        self.poll_accept(cx)
            .map(|accepted| accepted.map(|(stream, _)| stream))
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.local_addr() {
            Ok(address) => write!(f, "the listener on {address}"),
            Err(_) => f.write_str("a TCP listener"),
        }
    }
}

crate::descriptor::impl_descriptor!(TcpListener);

impl fmt::Debug for TcpListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.io.get_ref().fmt(f)
    }
}
