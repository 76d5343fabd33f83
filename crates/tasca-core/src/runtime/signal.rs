//! The interrupt: heard as bytes in a socket, so that it reaches a runtime that sleeps.

#[cfg(unix)]
pub(super) use unix::Interrupts;

#[cfg(not(unix))]
pub(super) use other::Interrupts;

#[cfg(unix)]
mod unix {
    use std::io::{self, Read};
    use std::os::unix::net::UnixStream;

    use signal_hook::SigId;
    use signal_hook::consts::SIGINT;
    use signal_hook::{flag, low_level};

    use crate::io::Async;
    use crate::primitive::{Arc, AtomicBool};
    use crate::scheduler::shared::{Flavor, Shared};
    use crate::task::Schedule;
    use crate::task::error::{Problem, Trouble};

    /// Listens for SIGINT until it is dropped.
    #[derive(Debug)]
    pub(crate) struct Interrupts {
        bytes: Async<UnixStream>,
        ids: Vec<SigId>,
    }

    impl Drop for Interrupts {
        fn drop(&mut self) {
            for id in self.ids.drain(..) {
                low_level::unregister(id);
            }
        }
    }

    impl Interrupts {
        /// `None` where interrupts are not part of the model, or cannot be heard.
        pub(crate) fn listen(shared: &Shared) -> Option<Self> {
            if matches!(shared.flavor, Flavor::Deterministic { .. }) {
                return None;
            }
            Self::try_listen()
                .inspect_err(|error| {
                    shared.report(Problem::new(
                        Trouble::Driver,
                        format!("SIGINT cannot be handled: {error}"),
                    ));
                })
                .ok()
        }

        fn try_listen() -> io::Result<Self> {
            let (receiver, sender) = UnixStream::pair()?;
            let mut this = Self {
                bytes: Async::new(receiver)?,
                ids: Vec::new(),
            };
            // The second interrupt must end even a process whose threads are all stuck, so it is dealt with in
            // the handler itself; registered first, it sees the flag as the first interrupt left it.
            let again = Arc::new(AtomicBool::new(false));
            this.ids.push(flag::register_conditional_default(
                SIGINT,
                Arc::clone(&again),
            )?);
            this.ids.push(flag::register(SIGINT, again)?);
            this.ids.push(low_level::pipe::register(SIGINT, sender)?);
            Ok(this)
        }

        /// Waits for an interrupt.
        pub(crate) async fn next(&self) -> io::Result<()> {
            let mut byte = [0; 1];
            self.bytes
                .read_with(|mut bytes| bytes.read_exact(&mut byte))
                .await
        }
    }
}

#[cfg(not(unix))]
mod other {
    use crate::scheduler::shared::Shared;

    /// Interrupts keep their default on this platform: they end the process.
    #[derive(Debug)]
    pub(crate) struct Interrupts;

    impl Interrupts {
        pub(crate) fn listen(_: &Shared) -> Option<Self> {
            None
        }

        pub(crate) async fn next(&self) -> std::io::Result<()> {
            std::future::pending().await
        }
    }
}
