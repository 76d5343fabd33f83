//! Connecting to the first address that answers.
//!
//! "Happy eyeballs" (RFC 8305): addresses are tried in the order of preference, IPv6 and IPv4 by turns,
//! each one as soon as the one before has failed, or has not answered for 250 ms. The first
//! connection that is made wins; the other attempts are dropped.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use futures::future::{Either, select};
use futures::stream::{FuturesUnordered, StreamExt};
use socket2::{Domain, Protocol};
use tasca_core::io::Async;
use tasca_core::time::sleep;

use super::TcpStream;
use crate::errno;
use crate::socket::nonblocking_stream;

/// How long an attempt is left alone before the next one joins it.
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// Connects to the first of `addresses` that answers. The error is that of the last attempt.
pub(super) async fn connect_any(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    let mut untried = interleaved(addresses);
    let mut attempts = FuturesUnordered::new();
    let mut last_error = None;
    loop {
        match untried.pop_front() {
            Some(address) => attempts.push(connect_one(address)),
            None if attempts.is_empty() => {
                return Err(last_error.unwrap_or_else(|| io::ErrorKind::InvalidInput.into()));
            }
            None => {}
        }
        let finished = if untried.is_empty() {
            attempts.next().await
        } else {
            let delay = pin!(sleep(ATTEMPT_DELAY));
            match select(attempts.next(), delay).await {
                Either::Left((finished, _)) => finished,
                Either::Right(((), _)) => continue,
            }
        };
        match finished {
            Some(Ok(stream)) => return Ok(stream),
            Some(Err(error)) => last_error = Some(error),
            None => {}
        }
    }
}

/// The families by turns, beginning with the one that the resolver prefers, each in its own order.
fn interleaved(addresses: Vec<SocketAddr>) -> VecDeque<SocketAddr> {
    let Some(first) = addresses.first() else {
        return VecDeque::new();
    };
    let prefers_v6 = first.is_ipv6();
    let (preferred, others): (Vec<_>, Vec<_>) = addresses
        .into_iter()
        .partition(|address| address.is_ipv6() == prefers_v6);
    let (mut preferred, mut others) = (preferred.into_iter(), others.into_iter());
    let mut order = VecDeque::new();
    loop {
        let pair = (preferred.next(), others.next());
        if pair == (None, None) {
            return order;
        }
        order.extend(pair.0);
        order.extend(pair.1);
    }
}

/// Connects without waiting in the kernel.
async fn connect_one(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = nonblocking_stream(Domain::for_address(address), Some(Protocol::TCP))?;
    match socket.connect(&address.into()) {
        Ok(()) => {}
        Err(error) if errno::in_progress(&error) => {}
        Err(error) => return Err(error),
    }
    TcpStream::unshared(Async::from_nonblocking(socket.into()))
        .connected()
        .await
}

#[cfg(test)]
mod tests {
    use super::interleaved;

    fn check(addresses: &[&str], expected: &[&str]) {
        let parse = |list: &[&str]| -> Vec<std::net::SocketAddr> {
            list.iter().map(|text| text.parse().unwrap()).collect()
        };
        assert_eq!(interleaved(parse(addresses)), parse(expected));
    }

    #[test]
    fn families_take_turns() {
        check(&[], &[]);
        check(&["1.1.1.1:1", "2.2.2.2:1"], &["1.1.1.1:1", "2.2.2.2:1"]);
        check(
            &["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1"],
            &["[::1]:1", "1.1.1.1:1", "[::2]:1", "[::3]:1"],
        );
        check(&["1.1.1.1:1", "[::1]:1"], &["1.1.1.1:1", "[::1]:1"]);
    }
}
