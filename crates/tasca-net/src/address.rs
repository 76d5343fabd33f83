//! From what users write to socket addresses.

use std::io;
use std::net::ToSocketAddrs as Resolve;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::vec;

use tasca_blocking::to_thread;
use tasca_core::io::require_runtime;

/// What can be turned into socket addresses: addresses, and names with a port, such as
/// `"localhost:80"` or `("localhost", 80)`.
///
/// Names are looked up by the system's resolver, on a thread of `tasca_blocking`. Addresses written as text
/// are no names and need no such thread.
///
/// This trait is implemented here only.
pub trait ToSocketAddrs: ToAddresses {}

impl<T: ToAddresses + ?Sized> ToSocketAddrs for T {}

/// Looks up the addresses of `host`, in the order of preference.
///
/// # asyncio counterpart
///
/// `loop.getaddrinfo`, for streams.
///
/// # Errors
///
/// [`InvalidInput`](io::ErrorKind::InvalidInput) if `host` is neither an address nor a name with a port; else that of
/// the resolver. Outside a runtime there is nobody to ask about a name, which is an error too.
///
/// # Cancel safety
///
/// If the future is dropped, or its task cancelled, the look-up itself goes on, on its thread, and its result is
/// thrown away.
///
/// # Examples
///
/// ```
/// # let rt = tasca_core::Runtime::builder().current_thread().build().unwrap();
/// # rt.block_on(async {
/// let mut addresses = tasca_net::lookup_host("127.0.0.1:80").await?;
/// assert_eq!(addresses.next(), Some(([127, 0, 0, 1], 80).into()));
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub async fn lookup_host(host: impl ToSocketAddrs) -> io::Result<Addresses> {
    resolve(host)
        .await
        .map(|addresses| Addresses(addresses.into_iter()))
}

/// The addresses found by [`lookup_host`].
#[derive(Clone, Debug)]
pub struct Addresses(vec::IntoIter<SocketAddr>);

impl Iterator for Addresses {
    type Item = SocketAddr;

    fn next(&mut self) -> Option<SocketAddr> {
        self.0.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl ExactSizeIterator for Addresses {}

/// At least one address, or an error.
pub(crate) async fn resolve(host: impl ToSocketAddrs) -> io::Result<Vec<SocketAddr>> {
    let addresses = match host.to_addresses()? {
        Question::Known(addresses) => addresses,
        Question::Name(name, port) => {
            require_runtime()?;
            to_thread(move || {
                (name.as_str(), port)
                    .to_socket_addrs()
                    .map(Iterator::collect::<Vec<_>>)
            })
            .name("look-up of a host name")
            .await?
        }
    };
    if addresses.is_empty() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "no socket address is left to try",
        ));
    }
    Ok(addresses)
}

/// What is to be looked up.
#[derive(Debug)]
#[expect(unnameable_types, reason = "sealed")]
pub enum Question {
    /// Nothing.
    Known(Vec<SocketAddr>),
    /// A name, and the port that goes with its addresses.
    Name(String, u16),
}

mod sealed {
    use std::io;

    use super::Question;

    /// The part of [`ToSocketAddrs`](super::ToSocketAddrs) that is nobody else's business.
    #[expect(unnameable_types, reason = "sealed")]
    pub trait ToAddresses {
        /// Says what has to be looked up.
        fn to_addresses(&self) -> io::Result<Question>;
    }
}

use sealed::ToAddresses;

/// Implements the trait for what is, or converts into, one address.
macro_rules! is_an_address {
    ($($type:ty),*) => {$(
        impl ToAddresses for $type {
            fn to_addresses(&self) -> io::Result<Question> {
                Ok(Question::Known(vec![SocketAddr::from(*self)]))
            }
        }
    )*};
}

is_an_address!(
    SocketAddr,
    SocketAddrV4,
    SocketAddrV6,
    (IpAddr, u16),
    (Ipv4Addr, u16),
    (Ipv6Addr, u16),
    ([u8; 4], u16)
);

impl ToAddresses for [SocketAddr] {
    fn to_addresses(&self) -> io::Result<Question> {
        Ok(Question::Known(self.to_vec()))
    }
}

impl<const N: usize> ToAddresses for [SocketAddr; N] {
    fn to_addresses(&self) -> io::Result<Question> {
        self.as_slice().to_addresses()
    }
}

impl ToAddresses for Vec<SocketAddr> {
    fn to_addresses(&self) -> io::Result<Question> {
        self.as_slice().to_addresses()
    }
}

impl ToAddresses for (&str, u16) {
    fn to_addresses(&self) -> io::Result<Question> {
        let (host, port) = *self;
        Ok(match host.parse::<IpAddr>() {
            Ok(address) => Question::Known(vec![SocketAddr::new(address, port)]),
            Err(_) => Question::Name(host.to_owned(), port),
        })
    }
}

impl ToAddresses for (String, u16) {
    fn to_addresses(&self) -> io::Result<Question> {
        (self.0.as_str(), self.1).to_addresses()
    }
}

impl ToAddresses for str {
    fn to_addresses(&self) -> io::Result<Question> {
        if let Ok(address) = self.parse::<SocketAddr>() {
            return Ok(Question::Known(vec![address]));
        }
        let invalid = |what: &str| {
            let text = format!("{self:?} is not a socket address: {what}");
            io::Error::new(io::ErrorKind::InvalidInput, text)
        };
        let Some((host, port)) = self.rsplit_once(':') else {
            return Err(invalid("there is no port"));
        };
        let port = port
            .parse()
            .map_err(|_| invalid("the port is no number below 65536"))?;
        Ok(Question::Name(host.to_owned(), port))
    }
}

impl ToAddresses for String {
    fn to_addresses(&self) -> io::Result<Question> {
        self.as_str().to_addresses()
    }
}

impl<T: ToAddresses + ?Sized> ToAddresses for &T {
    fn to_addresses(&self) -> io::Result<Question> {
        (**self).to_addresses()
    }
}
