//! Access to the descriptor of a socket.

/// Lets a socket with a field `io: Async<_>` lend its descriptor.
#[cfg(not(windows))]
macro_rules! impl_descriptor {
    ($socket:ty) => {
        impl std::os::fd::AsFd for $socket {
            fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
                self.io.as_fd()
            }
        }

        impl std::os::fd::AsRawFd for $socket {
            fn as_raw_fd(&self) -> std::os::fd::RawFd {
                self.io.as_raw_fd()
            }
        }
    };
}

/// Lets a socket with a field `io: Async<_>` lend its descriptor.
#[cfg(windows)]
macro_rules! impl_descriptor {
    ($socket:ty) => {
        impl std::os::windows::io::AsSocket for $socket {
            fn as_socket(&self) -> std::os::windows::io::BorrowedSocket<'_> {
                self.io.as_socket()
            }
        }

        impl std::os::windows::io::AsRawSocket for $socket {
            fn as_raw_socket(&self) -> std::os::windows::io::RawSocket {
                self.io.as_raw_socket()
            }
        }
    };
}

pub(crate) use impl_descriptor;
