//! Sources on Unix: file descriptors.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;

use super::Async;
use crate::driver::Direction;

/// What can be waited for: anything with a file descriptor (with a socket, on Windows).
///
/// The descriptor must stay the same as long as the source is inside an [`Async`].
pub trait Source: AsFd {}

impl<T: AsFd + ?Sized> Source for T {}

pub(super) fn borrow(source: &impl Source) -> BorrowedFd<'_> {
    source.as_fd()
}

/// Makes operations report that they would block, instead of blocking.
pub(super) fn set_nonblocking(source: &impl Source) -> io::Result<()> {
    let flags = fcntl_getfl(source)?;
    if !flags.contains(OFlags::NONBLOCK) {
        fcntl_setfl(source, flags | OFlags::NONBLOCK)?;
    }
    Ok(())
}

/// An operation that does nothing, but would block for as long as one in `direction` would.
///
/// Remembered readiness may be stale: whoever works on the source directly does not tell us.
pub(super) fn probe<S: Source>(direction: Direction) -> impl FnMut(&mut S) -> io::Result<()> {
    let flags = match direction {
        Direction::Read => PollFlags::IN,
        Direction::Write => PollFlags::OUT,
    };
    move |source| {
        let mut sources = [PollFd::from_borrowed_fd(source.as_fd(), flags)];
        // Errors and hang-ups are reported without being asked for.
        match poll(&mut sources, Some(&Timespec::default())) {
            Ok(0) => Err(io::ErrorKind::WouldBlock.into()),
            Ok(_) => Ok(()),
            Err(Errno::INTR) => Err(io::ErrorKind::Interrupted.into()),
            Err(error) => Err(error.into()),
        }
    }
}

impl<T: Source> AsFd for Async<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.get_ref().as_fd()
    }
}

impl<T: Source> AsRawFd for Async<T> {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}
