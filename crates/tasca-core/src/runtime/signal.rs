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
    use crate::primitive::{Arc, AtomicBool, Mutex, Ordering};
    use crate::scheduler::shared::{Flavor, Shared};
    use crate::task::Schedule;
    use crate::task::error::{Problem, Trouble};

    /// What an interrupt does while nobody listens. The handler, once installed, stays, and would swallow it.
    struct Unheard {
        n_listeners: usize,
        /// Set while the handler is to do what the system would; `None` before the first listener, and for ever if
        /// the program had a handler of its own.
        by_default: Option<Arc<AtomicBool>>,
        began: bool,
    }

    static UNHEARD: Mutex<Unheard> = Mutex::new(Unheard {
        n_listeners: 0,
        by_default: None,
        began: false,
    });

    impl Unheard {
        fn listener_comes(&mut self) -> io::Result<()> {
            if !self.began && is_default()? {
                let flag = Arc::new(AtomicBool::new(false));
                flag::register_conditional_default(SIGINT, Arc::clone(&flag))?;
                self.by_default = Some(flag);
            }
            self.began = true;
            self.n_listeners += 1;
            self.set_by_default(false);
            Ok(())
        }

        fn listener_goes(&mut self) {
            self.n_listeners -= 1;
            self.set_by_default(self.n_listeners == 0);
        }

        fn set_by_default(&self, by_default: bool) {
            if let Some(flag) = &self.by_default {
                // Ordering: Relaxed: a signal comes when it comes.
                flag.store(by_default, Ordering::Relaxed);
            }
        }
    }

    /// Whether an interrupt ends the process, as it does where nobody has said otherwise.
    fn is_default() -> io::Result<bool> {
        let mut action = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
        // SAFETY: a null action changes nothing, and `action` has room for the present one.
        let status = unsafe { libc::sigaction(SIGINT, std::ptr::null(), action.as_mut_ptr()) };
        if status != 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the call has filled it in.
        Ok(unsafe { action.assume_init() }.sa_sigaction == libc::SIG_DFL)
    }

    /// Listens for SIGINT until it is dropped; from then on an interrupt does what it did before the first listener.
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
            UNHEARD.lock().listener_goes();
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
            let bytes = Async::new(receiver)?;
            UNHEARD.lock().listener_comes()?;
            let mut this = Self {
                bytes,
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
