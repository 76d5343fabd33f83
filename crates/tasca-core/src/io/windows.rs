//! Sources on Windows: sockets.

use std::io;
use std::os::windows::io::{AsRawSocket, AsSocket, BorrowedSocket, RawSocket};

use super::Async;
use crate::driver::Direction;

/// What can be waited for: anything with a socket (with a file descriptor, on Unix).
///
/// The socket must stay the same as long as the source is inside an [`Async`].
pub trait Source: AsSocket {}

impl<T: AsSocket> Source for T {}

pub(super) fn borrow(source: &impl Source) -> BorrowedSocket<'_> {
    source.as_socket()
}

/// Makes operations report that they would block, instead of blocking.
pub(super) fn set_nonblocking(source: &impl Source) -> io::Result<()> {
    // The mode belongs to the socket, so a duplicate sets it for the original.
    let duplicate = source.as_socket().try_clone_to_owned()?;
    std::net::UdpSocket::from(duplicate).set_nonblocking(true)
}

/// An operation that does nothing, but would block for as long as one in `direction` would.
///
/// Here each request for a report is answered by the state of the source, so the first try claims
/// that it would block, and the second one comes after such an answer.
pub(super) fn probe<S: Source>(_: Direction) -> impl FnMut(&mut S) -> io::Result<()> {
    let mut asked = false;
    move |_| {
        if std::mem::replace(&mut asked, true) {
            Ok(())
        } else {
            Err(io::ErrorKind::WouldBlock.into())
        }
    }
}

impl<T: Source> AsSocket for Async<T> {
    fn as_socket(&self) -> BorrowedSocket<'_> {
        self.get_ref().as_socket()
    }
}

impl<T: Source> AsRawSocket for Async<T> {
    fn as_raw_socket(&self) -> RawSocket {
        self.as_socket().as_raw_socket()
    }
}
