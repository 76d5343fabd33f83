//! One source, known to one poller.

use std::io;
use std::task::{Context, Poll};

use super::key::Key;
use super::readiness::{Direction, Readiness, Snapshot};
use super::waiters::Wait;
use super::{Driver, shut_down_error};
use crate::poller::{BorrowedSource, Interest, Poller, SHORT_TRANSFER_DRAINS};
use crate::primitive::Arc;

/// The right to hear about a source.
///
/// Dropping it makes the driver deaf to the source's events, but does not tell the poller: who has
/// the source at hand calls [`deregister`](Self::deregister) or
/// [`deregister_before_close`](Self::deregister_before_close) first.
#[derive(Debug)]
pub(crate) struct Registration {
    driver: Arc<Driver>,
    /// The slot, whose generation stays as it is as long as this exists.
    index: u32,
    /// The index of the poller that reports on the source.
    home: u32,
}

impl Registration {
    /// The right to hear about what was added to the poller of `home` under a key with this `index`.
    pub(super) fn new(driver: Arc<Driver>, index: u32, home: usize) -> Self {
        Self {
            driver,
            index,
            home: u32::try_from(home).expect("there are fewer workers"),
        }
    }

    #[inline]
    fn readiness(&self) -> &Readiness {
        self.driver.readiness(self.index)
    }

    #[inline]
    fn poller(&self) -> &Poller {
        self.driver.poller(self.home as usize)
    }

    fn key(&self, seen: Snapshot) -> Key {
        Key {
            index: self.index,
            generation: seen.generation(),
        }
    }

    /// Gives evidence that an operation is worth trying, or remembers the waker until there is some.
    ///
    /// An error if the driver has shut down. After `Pending` the caller calls [`arm`](Self::arm).
    #[inline]
    pub(crate) fn poll_ready(
        &self,
        cx: &Context<'_>,
        direction: Direction,
        wait: Wait<'_>,
    ) -> Poll<io::Result<Snapshot>> {
        self.readiness().poll(cx, direction, wait).map(|seen| {
            if seen.is_shut_down() {
                Err(shut_down_error())
            } else {
                Ok(seen)
            }
        })
    }

    /// Takes readiness back after an operation begun under `evidence` would have blocked.
    pub(crate) fn clear_ready(&self, evidence: Snapshot, direction: Direction) {
        self.readiness().clear(evidence, direction);
    }

    /// Takes readiness back after a transfer on a *stream socket* that moved less than it was asked
    /// to, where that proves that the next one would block.
    #[inline]
    pub(crate) fn clear_ready_after_short_transfer(
        &self,
        evidence: Snapshot,
        direction: Direction,
    ) {
        if SHORT_TRANSFER_DRAINS && evidence.short_transfer_drains(direction) {
            self.readiness().clear(evidence, direction);
        }
    }

    /// Forgets a waiter that goes away before it was woken.
    pub(crate) fn remove_waiter(&self, direction: Direction, wait: &Wait<'_>) {
        self.readiness().remove(direction, wait);
    }

    /// Asks for the next report, on platforms where that is needed.
    ///
    /// # Errors
    ///
    /// Those of the platform; the waker stays remembered.
    #[inline]
    pub(crate) fn arm(&self, source: BorrowedSource<'_>) -> io::Result<()> {
        if !self.poller().needs_arming() {
            return Ok(());
        }
        self.arm_now(source)
    }

    #[cold]
    fn arm_now(&self, source: BorrowedSource<'_>) -> io::Result<()> {
        // Liveness: what is not known to be ready is asked for, whoever waits for it.
        self.readiness().ask(|seen| {
            let interest = Interest {
                readable: !seen.is_ready(Direction::Read),
                writable: !seen.is_ready(Direction::Write),
            };
            self.poller().arm(source, self.key(seen).raw(), interest)
        })
    }

    /// Ends reports on `source`, which stays open or may have duplicates.
    ///
    /// # Errors
    ///
    /// Those of the platform. The registration is gone in any case.
    pub(crate) fn deregister(self, source: BorrowedSource<'_>) -> io::Result<()> {
        self.poller().delete(source)
    }

    /// Ends reports on `source`, which is closed next and has no duplicates.
    ///
    /// # Errors
    ///
    /// As [`deregister`](Self::deregister).
    pub(crate) fn deregister_before_close(self, source: BorrowedSource<'_>) -> io::Result<()> {
        self.poller().delete_before_close(source)
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let readiness = self.readiness();
        readiness.retire(self.key(readiness.snapshot()).next_generation());
        self.driver.release(self.index);
    }
}
