//! What errors of `accept` and `connect` mean.

use std::io;

/// Whether an error belongs to a connection that is gone already rather than to the listener.
///
/// Linux passes errors of the new connection on to whoever accepts it. The next connection may be all
/// right, so these are no reason even to look up from accepting.
pub(crate) fn concerns_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(
        error.kind(),
        Kind::ConnectionAborted
            | Kind::ConnectionReset
            | Kind::NetworkDown
            | Kind::HostUnreachable
            | Kind::NetworkUnreachable
    ) || sys::concerns_one_connection(error)
}

/// Whether trying again later may help: the process or the system has run out of something.
///
/// What else there is (a descriptor that is closed, or that does not listen) stays as it is.
pub(crate) fn may_pass(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(error.kind(), Kind::OutOfMemory | Kind::PermissionDenied) || sys::may_pass(error)
}

/// The error of accepting as an operation of `Async` gives it: what concerns one connection is tried over at once.
pub(crate) fn retried(error: io::Error) -> io::Error {
    if concerns_one_connection(&error) {
        io::ErrorKind::Interrupted.into()
    } else {
        error
    }
}

/// Whether connecting has begun, and goes on by itself.
pub(crate) fn in_progress(error: &io::Error) -> bool {
    sys::in_progress(error)
}

#[cfg(unix)]
mod sys {
    use std::io;

    use rustix::io::Errno;

    pub(super) fn concerns_one_connection(error: &io::Error) -> bool {
        matches!(
            Errno::from_io_error(error),
            Some(Errno::PROTO | Errno::NOPROTOOPT | Errno::HOSTDOWN)
        )
    }

    pub(super) fn may_pass(error: &io::Error) -> bool {
        matches!(
            Errno::from_io_error(error),
            Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM)
        )
    }

    /// An interrupted attempt goes on as well.
    pub(super) fn in_progress(error: &io::Error) -> bool {
        matches!(
            Errno::from_io_error(error),
            Some(Errno::INPROGRESS | Errno::INTR)
        )
    }
}

#[cfg(not(unix))]
mod sys {
    use std::io;

    pub(super) fn concerns_one_connection(_: &io::Error) -> bool {
        false
    }

    /// `WSAEMFILE` and `WSAENOBUFS`.
    pub(super) fn may_pass(error: &io::Error) -> bool {
        matches!(error.raw_os_error(), Some(10024 | 10055))
    }

    pub(super) fn in_progress(error: &io::Error) -> bool {
        error.kind() == io::ErrorKind::WouldBlock
    }
}
