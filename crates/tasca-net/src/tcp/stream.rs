//! [`TcpStream`].

use std::io;
use std::net::{self, SocketAddr};
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::{Either, select};
use socket2::SockRef;
use tasca_core::io::Async;
use tasca_core::time::sleep;

use super::connect::connect_any;
use crate::address::{ToSocketAddrs, resolve};
use crate::stream_io::impl_stream;

/// A TCP connection.
///
/// It is read and written through [`AsyncRead`](futures::io::AsyncRead) and
/// [`AsyncWrite`](futures::io::AsyncWrite), which references to it implement as well: `(&stream).read(..)`.
/// Closing it through `AsyncWrite` ends the writing half; the reading half goes on until the stream is dropped.
///
/// # asyncio counterpart
///
/// What `asyncio.open_connection` returns, reader and writer in one. Nothing is buffered here: wrap it in
/// `futures::io::BufReader` for `readline` and `readuntil`.
///
/// # Cancel safety
///
/// A read or write whose future is dropped has moved nothing. What loops over several of them
/// (`read_exact`, `write_all` of `futures`) loses track of what it moved before.
///
/// # Examples
///
/// See [`TcpListener`](crate::TcpListener).
pub struct TcpStream {
    io: Async<net::TcpStream>,
}

impl TcpStream {
    /// Connects to the first of the given addresses that answers.
    ///
    /// Names are looked up without blocking a worker. Where there are several addresses, they are tried as RFC 8305
    /// ("happy eyeballs") asks for: families take turns, and the next attempt begins 250 ms after the last one or when that
    /// has failed.
    ///
    /// # asyncio counterpart
    ///
    /// `asyncio.open_connection(host, port, happy_eyeballs_delay=0.25)`.
    ///
    /// # Errors
    ///
    /// Those of [`lookup_host`](crate::lookup_host); else that of the last attempt.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, all attempts are.
    pub async fn connect(address: impl ToSocketAddrs) -> io::Result<Self> {
        connect_any(resolve(address).await?).await
    }

    /// As [`connect`](Self::connect), but gives up after `timeout`, look-up of the name included.
    ///
    /// # asyncio counterpart
    ///
    /// `asyncio.open_connection` under `asyncio.timeout`.
    ///
    /// # Errors
    ///
    /// [`TimedOut`](io::ErrorKind::TimedOut) after the timeout; else as [`connect`](Self::connect).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, all attempts are.
    pub async fn connect_timeout(
        address: impl ToSocketAddrs,
        timeout: Duration,
    ) -> io::Result<Self> {
        match select(pin!(Self::connect(address)), pin!(sleep(timeout))).await {
            Either::Left((connected, _)) => connected,
            Either::Right(((), _)) => Err(io::Error::new(
                io::ErrorKind::TimedOut,
                format!("no connection within {timeout:?}"),
            )),
        }
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
        self.io.read_with(|stream| stream.peek(buffer)).await
    }

    /// Polls a [`peek`](Self::peek).
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn poll_peek(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        self.io.poll_read_with(cx, |stream| stream.peek(buffer))
    }

    /// The address of the peer.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.io.get_ref().peer_addr()
    }

    /// The address of this end.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.get_ref().local_addr()
    }

    /// Whether small writes are sent at once (`TCP_NODELAY`).
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn nodelay(&self) -> io::Result<bool> {
        self.io.get_ref().nodelay()
    }

    /// Sets whether small writes are sent at once (`TCP_NODELAY`), or may be held back to be sent together. Off at
    /// first.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.io.get_ref().set_nodelay(nodelay)
    }

    /// What becomes of unsent data when the stream is dropped; see [`set_linger`](Self::set_linger).
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn linger(&self) -> io::Result<Option<Duration>> {
        SockRef::from(&self.io).linger()
    }

    /// Sets what becomes of unsent data when the stream is dropped (`SO_LINGER`): with `None`, as at first, the
    /// system sends it in the background. With zero it is thrown away, and the peer sees a reset.
    ///
    /// Any other time makes the drop wait, and so blocks the worker.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn set_linger(&self, linger: Option<Duration>) -> io::Result<()> {
        SockRef::from(&self.io).set_linger(linger)
    }

    /// How many hops packets may go.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn ttl(&self) -> io::Result<u32> {
        self.io.get_ref().ttl()
    }

    /// Sets how many hops packets may go.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn set_ttl(&self, n_hops: u32) -> io::Result<()> {
        self.io.get_ref().set_ttl(n_hops)
    }
}

impl_stream!(TcpStream, net::TcpStream);
