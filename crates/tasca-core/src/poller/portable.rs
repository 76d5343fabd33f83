//! Every platform but Linux: the portable interface of the `polling` crate.
//!
//! Where the system has edges (kqueue) they are used. Elsewhere (Windows, event ports, `poll`) each
//! report switches its source off, and a waiter has to ask for the next one by
//! [`arm`](Poller::arm).

use std::io;
use std::time::Duration;

#[cfg(not(windows))]
use std::os::fd::AsRawFd as _;
#[cfg(windows)]
use std::os::windows::io::AsRawSocket as _;

use polling::PollMode;

use super::{BorrowedSource, EVENTS_CAPACITY, Event, Interest, TIMEOUT_MAX};
use crate::primitive::{AtomicBool, Ordering};

/// A key of `polling` is as wide as a pointer.
pub(crate) const KEY_BITS: u32 = usize::BITS;

/// Not every system behind this interface reports a hang-up together with the last data.
pub(crate) const SHORT_TRANSFER_DRAINS: bool = false;

/// What one worker sleeps in.
#[derive(Debug)]
pub(crate) struct Poller {
    instance: polling::Poller,
    /// Set by `notify`, taken by the `wait` that may have consumed the notification.
    notified: AtomicBool,
}

impl Poller {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            instance: polling::Poller::new()?,
            notified: AtomicBool::new(false),
        })
    }

    /// Whether each report switches its source off.
    pub(crate) fn needs_arming(&self) -> bool {
        !self.instance.supports_edge()
    }

    fn mode(&self) -> PollMode {
        if self.needs_arming() {
            PollMode::Oneshot
        } else {
            PollMode::Edge
        }
    }

    pub(crate) fn add(&self, source: BorrowedSource<'_>, key: u64) -> io::Result<()> {
        let interest = polling::Event::all(narrow(key));
        #[cfg(not(windows))]
        let source = source.as_raw_fd();
        #[cfg(windows)]
        let source = source.as_raw_socket();
        // SAFETY: the source must be deleted before it is closed. `driver::Registration` is the
        // only caller; its owner deletes the source, which it owns or borrows, before letting go
        // of it.
        unsafe { self.instance.add_with_mode(source, interest, self.mode()) }
    }

    pub(crate) fn arm(
        &self,
        source: BorrowedSource<'_>,
        key: u64,
        interest: Interest,
    ) -> io::Result<()> {
        let interest = polling::Event::new(narrow(key), interest.readable, interest.writable);
        self.instance
            .modify_with_mode(source, interest, self.mode())
    }

    pub(crate) fn delete(&self, source: BorrowedSource<'_>) -> io::Result<()> {
        self.instance.delete(source)
    }

    /// Not free here: `polling` remembers its sources.
    pub(crate) fn delete_before_close(&self, source: BorrowedSource<'_>) -> io::Result<()> {
        self.instance.delete(source)
    }

    pub(crate) fn wait(&self, events: &mut Events, timeout: Option<Duration>) -> io::Result<usize> {
        events.list.clear();
        events.notified = false;
        let timeout = timeout.map(|timeout| timeout.min(TIMEOUT_MAX));
        let waited = self.instance.wait(&mut events.list, timeout);
        // Ordering: AcqRel pairs with the store in `notify`. A notification that is set after this
        // is made to the instance after this, too, and ends the next wait.
        events.notified = self.notified.swap(false, Ordering::AcqRel);
        match waited {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(0),
            waited => Ok(waited? + usize::from(events.notified)),
        }
    }

    pub(crate) fn notify(&self) -> io::Result<()> {
        // Ordering: Release pairs with the swap in `wait`: set before the instance hears of it, so
        // that a wait which consumed the notification always finds it.
        self.notified.store(true, Ordering::Release);
        self.instance.notify()
    }
}

/// A key as `polling` takes it; `KEY_BITS` says that nothing is lost.
fn narrow(key: u64) -> usize {
    debug_assert!(usize::try_from(key).is_ok(), "a key wider than a pointer");
    key as usize
}

/// A buffer of reports.
#[derive(Debug)]
pub(crate) struct Events {
    list: polling::Events,
    notified: bool,
}

impl Events {
    pub(crate) fn new() -> Self {
        let capacity = const { std::num::NonZeroUsize::new(EVENTS_CAPACITY).unwrap() };
        Self {
            list: polling::Events::with_capacity(capacity),
            notified: false,
        }
    }

    /// Whether the last wait may have consumed a notification.
    pub(crate) fn notified(&self) -> bool {
        self.notified
    }

    /// The reports of the last wait.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Event> + '_ {
        self.list.iter().map(|event| Event {
            key: event.key as u64,
            readable: event.readable,
            writable: event.writable,
            read_closed: event.readable && event.is_interrupt(),
            write_closed: event.writable && event.is_interrupt(),
            error: event.is_err().unwrap_or(false),
            priority: event.is_priority(),
        })
    }
}
