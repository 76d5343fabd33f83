//! [`UdpSocket`].

use std::fmt;
use std::io;
use std::net::{self, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::task::{Context, Poll};

use tasca_core::io::Async;

use crate::address::{ToSocketAddrs, resolve};

/// A UDP socket.
///
/// Every receiving function needs room for a whole datagram: what does not fit is lost.
///
/// # asyncio counterpart
///
/// `loop.create_datagram_endpoint`, and `loop.sock_recvfrom` and its like.
///
/// # Cancel safety
///
/// In all functions: if the future is dropped or its task cancelled, no datagram was sent or received.
///
/// # Examples
///
/// ```
/// use tasca_net::UdpSocket;
///
/// # let rt = tasca_core::Runtime::builder().current_thread().build().unwrap();
/// # rt.block_on(async {
/// let here = UdpSocket::bind("127.0.0.1:0").await?;
/// let there = UdpSocket::bind("127.0.0.1:0").await?;
/// here.send_to(b"ping", there.local_addr()?).await?;
/// let mut buffer = [0; 16];
/// let (n_bytes, sender) = there.recv_from(&mut buffer).await?;
/// assert_eq!((&buffer[..n_bytes], sender), (&b"ping"[..], here.local_addr()?));
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub struct UdpSocket {
    io: Async<net::UdpSocket>,
}

impl UdpSocket {
    /// Binds to the first of the given addresses that is free. Port 0 lets the system choose one.
    ///
    /// # Errors
    ///
    /// Those of [`lookup_host`](crate::lookup_host); else that of the last address tried.
    ///
    /// # Cancel safety
    ///
    /// Nothing is bound if the future is dropped.
    pub async fn bind(address: impl ToSocketAddrs) -> io::Result<Self> {
        let addresses = resolve(address).await?;
        Self::from_std(net::UdpSocket::bind(&addresses[..])?)
    }

    /// Fixes the peer: [`send`](Self::send) goes there, and datagrams of others are not received.
    ///
    /// # Errors
    ///
    /// Those of [`lookup_host`](crate::lookup_host); else that of the last address tried.
    ///
    /// # Cancel safety
    ///
    /// Nothing has changed if the future is dropped.
    pub async fn connect(&self, address: impl ToSocketAddrs) -> io::Result<()> {
        let addresses = resolve(address).await?;
        self.io.get_ref().connect(&addresses[..])
    }

    /// Sends one datagram to the peer given to [`connect`](Self::connect).
    ///
    /// # Errors
    ///
    /// Those of the system, among them what became of datagrams sent before
    /// ([`ConnectionRefused`](io::ErrorKind::ConnectionRefused)).
    ///
    /// # Cancel safety
    ///
    /// Nothing was sent if the future is dropped.
    pub async fn send(&self, datagram: &[u8]) -> io::Result<usize> {
        self.io.write_with(|socket| socket.send(datagram)).await
    }

    /// Receives one datagram from the peer given to [`connect`](Self::connect).
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    ///
    /// # Cancel safety
    ///
    /// Nothing was received if the future is dropped.
    pub async fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.io.read_with(|socket| socket.recv(buffer)).await
    }

    /// Sends one datagram to the first of the given addresses.
    ///
    /// # Errors
    ///
    /// Those of [`lookup_host`](crate::lookup_host) and of the system.
    ///
    /// # Cancel safety
    ///
    /// Nothing was sent if the future is dropped.
    pub async fn send_to(&self, datagram: &[u8], address: impl ToSocketAddrs) -> io::Result<usize> {
        let peer = resolve(address).await?[0];
        self.io
            .write_with(|socket| socket.send_to(datagram, peer))
            .await
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

    /// As [`recv_from`](Self::recv_from), but the datagram stays to be received again.
    ///
    /// # Errors
    ///
    /// Those of the system.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost if the future is dropped.
    pub async fn peek_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.io.read_with(|socket| socket.peek_from(buffer)).await
    }

    /// As [`recv`](Self::recv), but the datagram stays to be received again.
    ///
    /// # Errors
    ///
    /// Those of the system.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost if the future is dropped.
    pub async fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.io.read_with(|socket| socket.peek(buffer)).await
    }

    /// Polls a [`send_to`](Self::send_to). Only the waker of the last call is remembered.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn poll_send_to(
        &self,
        cx: &mut Context<'_>,
        datagram: &[u8],
        peer: SocketAddr,
    ) -> Poll<io::Result<usize>> {
        self.io
            .poll_write_with(cx, |socket| socket.send_to(datagram, peer))
    }

    /// Polls a [`recv_from`](Self::recv_from). Only the waker of the last call is remembered.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn poll_recv_from(
        &self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<(usize, SocketAddr)>> {
        self.io
            .poll_read_with(cx, |socket| socket.recv_from(buffer))
    }

    /// The address it is bound to.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.get_ref().local_addr()
    }

    /// The peer given to [`connect`](Self::connect).
    ///
    /// # Errors
    ///
    /// [`NotConnected`](io::ErrorKind::NotConnected) if there is none.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.io.get_ref().peer_addr()
    }

    /// Whether it may send to broadcast addresses.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn broadcast(&self) -> io::Result<bool> {
        self.io.get_ref().broadcast()
    }

    /// Sets whether it may send to broadcast addresses.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn set_broadcast(&self, broadcast: bool) -> io::Result<()> {
        self.io.get_ref().set_broadcast(broadcast)
    }

    /// How many hops datagrams may go.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn ttl(&self) -> io::Result<u32> {
        self.io.get_ref().ttl()
    }

    /// Sets how many hops datagrams may go.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn set_ttl(&self, n_hops: u32) -> io::Result<()> {
        self.io.get_ref().set_ttl(n_hops)
    }

    /// Receives what is sent to the IPv4 multicast group, on the interface with the given address; on any with
    /// [`Ipv4Addr::UNSPECIFIED`].
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn join_multicast_v4(&self, group: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        self.io.get_ref().join_multicast_v4(&group, &interface)
    }

    /// Undoes [`join_multicast_v4`](Self::join_multicast_v4).
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn leave_multicast_v4(&self, group: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        self.io.get_ref().leave_multicast_v4(&group, &interface)
    }

    /// Receives what is sent to the IPv6 multicast group, on the interface with the given index; on any
    /// with 0.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn join_multicast_v6(&self, group: &Ipv6Addr, interface: u32) -> io::Result<()> {
        self.io.get_ref().join_multicast_v6(group, interface)
    }

    /// Undoes [`join_multicast_v6`](Self::join_multicast_v6).
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn leave_multicast_v6(&self, group: &Ipv6Addr, interface: u32) -> io::Result<()> {
        self.io.get_ref().leave_multicast_v6(group, interface)
    }

    /// Sets whether datagrams to an IPv4 group come back to members on this host.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn set_multicast_loop_v4(&self, comes_back: bool) -> io::Result<()> {
        self.io.get_ref().set_multicast_loop_v4(comes_back)
    }

    /// Sets how many hops datagrams to an IPv4 group may go; 1 at first.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn set_multicast_ttl_v4(&self, n_hops: u32) -> io::Result<()> {
        self.io.get_ref().set_multicast_ttl_v4(n_hops)
    }

    /// Takes the error that the system keeps for the socket (`SO_ERROR`).
    ///
    /// # Errors
    ///
    /// Those of asking for it.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.io.get_ref().take_error()
    }

    /// Wraps a socket of the standard library, and puts it into non-blocking mode.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn from_std(socket: net::UdpSocket) -> io::Result<Self> {
        Async::new(socket).map(|io| Self { io })
    }

    /// Gives the socket of the standard library back. It stays in non-blocking mode.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn into_std(self) -> io::Result<net::UdpSocket> {
        self.io.into_inner()
    }
}

crate::descriptor::impl_descriptor!(UdpSocket);

impl fmt::Debug for UdpSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.io.get_ref().fmt(f)
    }
}
