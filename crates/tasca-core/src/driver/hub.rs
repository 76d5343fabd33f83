//! The driver proper: pollers, slots, and what happens to an event.

use std::io;
use std::sync::OnceLock;
use std::task::Waker;
use std::time::Duration;

use super::key::{Key, SLOTS_MAX};
use super::readiness::{Readiness, Ready};
use super::registration::Registration;
use crate::poller::{BorrowedSource, Event, Events, Poller};
use crate::primitive::{Arc, Mutex};
use crate::slots::Slots;

/// The I/O half of a runtime: one poller for each worker, one slot for each source.
#[derive(Debug)]
pub(crate) struct Driver {
    // Invariant: set for every worker that has been started; see `add_poller`.
    pollers: Box<[OnceLock<Poller>]>,
    slots: Slots<Readiness>,
    free: Mutex<FreeSlots>,
}

/// Which slots are unused.
#[derive(Debug, Default)]
struct FreeSlots {
    /// Used before, now free; the last one freed is used first, its memory is still warm.
    returned: Vec<u32>,
    /// All slots from here on have never been used.
    fresh: u32,
    /// Set by `shutdown`: no more registrations.
    closed: bool,
}

impl Driver {
    /// Bytes that a registered source takes here.
    pub(crate) const BYTES_PER_SOURCE: usize = size_of::<Readiness>();

    /// Makes a driver with a poller for each of `n_workers` workers, and room for `n_spares` more.
    ///
    /// # Errors
    ///
    /// Those of the platform, lack of descriptors above all. Nothing stays open then.
    pub(crate) fn new(n_workers: usize, n_spares: usize) -> io::Result<Self> {
        let this = Self {
            pollers: (0..n_workers + n_spares).map(|_| OnceLock::new()).collect(),
            slots: Slots::new(),
            free: Mutex::new(FreeSlots::default()),
        };
        (0..n_workers).try_for_each(|worker| this.add_poller(worker))?;
        Ok(this)
    }

    /// Makes the poller of a spare worker that is about to be started, unless it has one.
    ///
    /// # Errors
    ///
    /// As for [`new`](Self::new).
    pub(crate) fn add_poller(&self, worker: usize) -> io::Result<()> {
        if self.pollers[worker].get().is_none() {
            // Two callers at once: the second poller is closed again.
            drop(self.pollers[worker].set(Poller::new()?));
        }
        Ok(())
    }

    /// The poller of worker `worker`, which has been started.
    #[inline]
    pub(crate) fn poller(&self, worker: usize) -> &Poller {
        self.pollers[worker]
            .get()
            .expect("a worker that was started has a poller")
    }

    /// Waits on the poller of `worker`, and moves the wakers of those who can go on to `wakers`.
    ///
    /// For the worker itself; others [`visit`](Self::visit). Waking is left to the caller, who holds
    /// no lock of the driver. Gives the number of reports, notifications included; 0 after a
    /// timeout or a signal.
    ///
    /// # Errors
    ///
    /// Those of the platform.
    pub(crate) fn turn(
        &self,
        worker: usize,
        timeout: Option<Duration>,
        events: &mut Events,
        wakers: &mut Vec<Waker>,
    ) -> io::Result<usize> {
        let poller = self.poller(worker);
        let n_reports = poller.wait(events, timeout)?;
        let disarmed = poller.needs_arming();
        for event in events.iter() {
            self.dispatch(event, disarmed, wakers);
        }
        Ok(n_reports)
    }

    /// Looks into the poller of a worker that is stuck elsewhere, without waiting.
    ///
    /// A notification that was meant for the worker is passed on to it.
    ///
    /// # Errors
    ///
    /// Those of the platform.
    pub(crate) fn visit(
        &self,
        worker: usize,
        events: &mut Events,
        wakers: &mut Vec<Waker>,
    ) -> io::Result<usize> {
        let n_reports = self.turn(worker, Some(Duration::ZERO), events, wakers)?;
        if events.notified() {
            // Liveness: the worker may be on its way to sleep, counting on this notification.
            self.poller(worker).notify()?;
        }
        Ok(n_reports)
    }

    fn dispatch(&self, event: Event, disarmed: bool, wakers: &mut Vec<Waker>) {
        let key = Key::from_raw(event.key);
        let Some(readiness) = self.slots.get(key.index) else {
            debug_assert!(false, "an event for a slot that never was");
            return;
        };
        let ready = Ready::READABLE
            .when(event.readable)
            .or(Ready::READ_CLOSED.when(event.read_closed))
            .or(Ready::READ_ERROR.when(event.error))
            .or(Ready::PRIORITY.when(event.priority))
            .or(Ready::WRITABLE.when(event.writable))
            .or(Ready::WRITE_CLOSED.when(event.write_closed))
            .or(Ready::WRITE_ERROR.when(event.error));
        // A stale event is no event; that it was one concerns nobody.
        readiness.deliver(key.generation, ready, disarmed, wakers);
    }

    /// Has the poller of worker `home` report on `source` from now on.
    ///
    /// `source` must not block, and must not be registered with the same poller already.
    ///
    /// # Errors
    ///
    /// Those of the platform (no memory, too many watched descriptors, a file that cannot be
    /// polled), and one if the driver has shut down. They concern this caller alone.
    pub(crate) fn register(
        this: &Arc<Self>,
        source: BorrowedSource<'_>,
        home: usize,
    ) -> io::Result<Registration> {
        let key = this.allocate()?;
        this.poller(home)
            .add(source, key.raw())
            .inspect_err(|_| this.release(key.index))?;
        Ok(Registration::new(Arc::clone(this), key.index, home))
    }

    fn allocate(&self) -> io::Result<Key> {
        let mut free = self.free.lock();
        if free.closed {
            return Err(shut_down_error());
        }
        let index = match free.returned.pop() {
            Some(index) => index,
            None if free.fresh < SLOTS_MAX => {
                free.fresh += 1;
                free.fresh - 1
            }
            None => {
                return Err(io::Error::new(
                    io::ErrorKind::OutOfMemory,
                    "too many sources are registered with the I/O driver",
                ));
            }
        };
        // Under the lock: `shutdown` must find every slot that was ever given out.
        let generation = self.slots.get_or_grow(index).snapshot().generation();
        Ok(Key { index, generation })
    }

    /// Makes a slot free. Its readiness has been retired, or was never told to a poller.
    pub(super) fn release(&self, index: u32) {
        self.free.lock().returned.push(index);
    }

    #[inline]
    pub(super) fn readiness(&self, index: u32) -> &Readiness {
        // Panic: a registration's slot was grown before its key was made, and stays.
        self.slots.get(index).expect("a registration has a slot")
    }

    /// Ends every wait, now and later, with an error. Gives the wakers, for the caller to wake.
    #[must_use = "the wakers have to be woken"]
    pub(crate) fn shutdown(&self) -> Vec<Waker> {
        let n_slots = {
            let mut free = self.free.lock();
            free.closed = true;
            free.fresh
        };
        let mut wakers = Vec::new();
        for readiness in (0..n_slots).filter_map(|index| self.slots.get(index)) {
            readiness.shut_down(&mut wakers);
        }
        wakers
    }
}

/// What a wait ends with once the driver reports no more.
pub(super) fn shut_down_error() -> io::Error {
    io::Error::other("the runtime that this source is registered with has shut down")
}
