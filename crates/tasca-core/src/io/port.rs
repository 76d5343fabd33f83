//! The part of an `Async` that does not depend on its source: registration and waiting.

use std::io;
use std::sync::OnceLock;
use std::task::{Context, Poll, ready};

use super::sys::{self, Source};
use crate::driver::{Direction, Driver, Registration, Snapshot, Wait};
use crate::primitive::{AtomicBool, Mutex, Ordering};
use crate::scheduler::current;
use crate::task::leaf;

/// Waits for one source.
#[derive(Debug)]
pub(super) struct Port {
    registration: OnceLock<Registration>,
    /// Whether `registration` is there, in an access that every checker can see.
    registered: AtomicBool,
    /// Held while registering.
    registering: Mutex<()>,
    /// Whether the last poll of the `poll_` functions was pending, in each direction.
    read_waited: AtomicBool,
    write_waited: AtomicBool,
}

/// One attempt to get an operation done.
#[derive(Debug)]
pub(super) struct Attempt<'a> {
    pub(super) direction: Direction,
    pub(super) wait: Wait<'a>,
    /// Whether the attempt before this one was pending.
    pub(super) waited: bool,
}

impl Port {
    pub(super) const fn new() -> Self {
        Self {
            registration: OnceLock::new(),
            registered: AtomicBool::new(false),
            registering: Mutex::new(()),
            read_waited: AtomicBool::new(false),
            write_waited: AtomicBool::new(false),
        }
    }

    #[inline]
    fn registration(&self) -> Option<&Registration> {
        // Ordering: Acquire pairs with the Release in `register`: the registration is complete.
        if self.registered.load(Ordering::Acquire) {
            self.registration.get()
        } else {
            None
        }
    }

    #[cold]
    fn register(&self, source: &impl Source) -> io::Result<()> {
        let _registering = self.registering.lock();
        if self.registration.get().is_some() {
            return Ok(());
        }
        let (driver, home) = current::io_driver().ok_or_else(no_runtime_error)?;
        let registration = Driver::register(&driver, sys::borrow(source), home)?;
        // Another one cannot be there: the lock is held.
        let set = self.registration.set(registration);
        debug_assert!(set.is_ok(), "a source was registered twice");
        // Ordering: Release pairs with the Acquire in `registration`.
        self.registered.store(true, Ordering::Release);
        Ok(())
    }

    /// Tries `operation` until it does something else than block, or has to wait.
    ///
    /// `is_short` says of a result whether it proves that the source, a stream socket, is drained.
    pub(super) fn poll_operation<S: Source, R>(
        &self,
        cx: &mut Context<'_>,
        mut attempt: Attempt<'_>,
        source: &mut S,
        mut operation: impl FnMut(&mut S) -> io::Result<R>,
        is_short: impl FnOnce(&R) -> bool,
    ) -> Poll<io::Result<R>> {
        let guard = ready!(leaf::enter(cx, attempt.waited));
        loop {
            // A source that never had to wait counts as ready.
            let evidence = match self.registration() {
                None => None,
                Some(registration) => Some((
                    registration,
                    ready!(poll_ready(registration, cx, &mut attempt, source))?,
                )),
            };
            // Panic: the operation is the user's code. Nothing is half done around it: the waker is
            // remembered or taken, and the readiness stays as it was.
            let error = match operation(source) {
                Ok(done) => {
                    if let Some((registration, evidence)) = evidence
                        && is_short(&done)
                    {
                        registration.clear_ready_after_short_transfer(evidence, attempt.direction);
                    }
                    guard.made_progress();
                    return Poll::Ready(Ok(done));
                }
                Err(error) => error,
            };
            match (error.kind(), evidence) {
                (io::ErrorKind::Interrupted, _) => {}
                (io::ErrorKind::WouldBlock, Some((registration, evidence))) => {
                    registration.clear_ready(evidence, attempt.direction);
                }
                // Liveness: what became ready since the operation is reported to the registration.
                (io::ErrorKind::WouldBlock, None) => self.register(source)?,
                _ => {
                    guard.made_progress();
                    return Poll::Ready(Err(error));
                }
            }
        }
    }

    /// [`poll_operation`](Self::poll_operation) for the one task that polls this direction.
    pub(super) fn poll_remembered<S: Source, R>(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        source: &mut S,
        operation: impl FnMut(&mut S) -> io::Result<R>,
        is_short: impl FnOnce(&R) -> bool,
    ) -> Poll<io::Result<R>> {
        let waited = match direction {
            Direction::Read => &self.read_waited,
            Direction::Write => &self.write_waited,
        };
        let attempt = Attempt {
            direction,
            wait: Wait::Polled,
            // Ordering: Relaxed, here and below; it is the polling task's own note. Between tasks that
            // poll by turns it may be stale, which only moves the delivery of a cancellation.
            waited: waited.load(Ordering::Relaxed),
        };
        let was_pending = attempt.waited;
        let polled = self.poll_operation(cx, attempt, source, operation, is_short);
        if polled.is_pending() != was_pending {
            waited.store(polled.is_pending(), Ordering::Relaxed);
        }
        polled
    }

    /// Forgets a future that goes away.
    pub(super) fn remove_waiter(&self, direction: Direction, wait: &Wait<'_>) {
        if let Some(registration) = self.registration() {
            registration.remove_waiter(direction, wait);
        }
    }

    /// Ends the registration, if there is one. `closing` says that the source is closed next and that
    /// no duplicate of it exists.
    pub(super) fn deregister(&mut self, source: &impl Source, closing: bool) -> io::Result<()> {
        self.registered = AtomicBool::new(false);
        match self.registration.take() {
            None => Ok(()),
            Some(registration) if closing => {
                registration.deregister_before_close(sys::borrow(source))
            }
            Some(registration) => registration.deregister(sys::borrow(source)),
        }
    }
}

/// Waits until an operation is worth trying.
fn poll_ready(
    registration: &Registration,
    cx: &Context<'_>,
    attempt: &mut Attempt<'_>,
    source: &impl Source,
) -> Poll<io::Result<Snapshot>> {
    let polled = registration.poll_ready(cx, attempt.direction, attempt.wait.by_ref());
    if polled.is_pending() {
        registration.arm(sys::borrow(source))?;
    }
    polled
}

/// For operations whose errors are those of I/O, before they ask a runtime for something.
///
/// # Errors
///
/// Outside a runtime, with what to do about it.
///
/// # Examples
///
/// ```
/// use tasca_core::io::require_runtime;
///
/// assert!(require_runtime().is_err());
/// let rt = tasca_core::Runtime::builder().current_thread().build().unwrap();
/// assert!(rt.block_on(async { require_runtime() }).is_ok());
/// ```
pub fn require_runtime() -> io::Result<()> {
    current::with_shared(|shared| shared.map(drop).ok_or_else(no_runtime_error))
}

#[cold]
fn no_runtime_error() -> io::Error {
    io::Error::other(
        "no tasca runtime on this thread: what has to wait for I/O must be polled in a task, \
         in `block_on`, or under the guard of `Handle::enter`",
    )
}
