//! A stand-in for what workers sleep in, and for the kernel behind it.
//!
//! As the real one it reports edges, and what is possible already when a source is added; it remembers one notification. A
//! sleep with a time-out ends by itself as soon as there is nothing else to end it: time passes then.

#[path = "../../crates/tasca-core/src/poller/event.rs"]
mod event;

pub(crate) use event::{Event, Interest};

use std::io;
use std::time::Duration;

use crate::primitive::{Arc, Condvar, Mutex};
use crate::scheduler::clock;

pub(crate) const KEY_BITS: u32 = u64::BITS;
pub(crate) const SHORT_TRANSFER_DRAINS: bool = true;

/// How long a sleep takes that somebody ends: longer than a worker would look on for.
const SLEEP_NS: u64 = 50_000;

/// See the module.
#[derive(Debug)]
pub(crate) struct Poller(Arc<Kernel>);

#[derive(Debug)]
struct Kernel {
    pending: Mutex<Pending>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Pending {
    notified: bool,
    reports: Vec<Event>,
}

/// What the last wait brought.
#[derive(Debug, Default)]
pub(crate) struct Events {
    reports: Vec<Event>,
    notified: bool,
}

impl Events {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Event> + '_ {
        self.reports.iter().copied()
    }

    pub(crate) fn notified(&self) -> bool {
        self.notified
    }
}

impl Poller {
    #[expect(clippy::unnecessary_wraps, reason = "the real one may fail")]
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self(Arc::new(Kernel {
            pending: Mutex::default(),
            changed: Condvar::new(),
        })))
    }

    #[expect(clippy::unused_self, reason = "the face of the real one")]
    pub(crate) fn needs_arming(&self) -> bool {
        false
    }

    #[expect(clippy::unnecessary_wraps, reason = "as for `new`")]
    pub(crate) fn notify(&self) -> io::Result<()> {
        self.0.pending.lock().notified = true;
        self.0.changed.notify_all();
        Ok(())
    }

    #[expect(clippy::unnecessary_wraps, reason = "as for `new`")]
    pub(crate) fn wait(&self, events: &mut Events, timeout: Option<Duration>) -> io::Result<usize> {
        let mut pending = self.0.pending.lock();
        let mut is_over = false;
        while !is_over && !pending.notified && pending.reports.is_empty() {
            match timeout {
                None => {
                    self.0.changed.wait(&mut pending);
                    clock::pass(SLEEP_NS);
                }
                Some(timeout) => {
                    clock::pass(u64::try_from(timeout.as_nanos()).expect("within a model's time"));
                    is_over = true;
                }
            }
        }
        *events = Events {
            reports: std::mem::take(&mut pending.reports),
            notified: std::mem::take(&mut pending.notified),
        };
        Ok(events.reports.len() + usize::from(events.notified))
    }

    #[expect(clippy::unnecessary_wraps, reason = "as for `new`")]
    pub(crate) fn add(&self, source: BorrowedSource<'_>, key: u64) -> io::Result<()> {
        let mut state = source.0.lock();
        state.watcher = Some((Arc::clone(&self.0), key));
        if state.n_bytes > 0 {
            state.report();
        }
        Ok(())
    }

    #[expect(
        clippy::unused_self,
        clippy::unnecessary_wraps,
        reason = "the face of the real one"
    )]
    pub(crate) fn arm(&self, _: BorrowedSource<'_>, _: u64, _: Interest) -> io::Result<()> {
        Ok(())
    }

    #[expect(
        clippy::unused_self,
        clippy::unnecessary_wraps,
        reason = "the face of the real one"
    )]
    pub(crate) fn delete(&self, source: BorrowedSource<'_>) -> io::Result<()> {
        source.0.lock().watcher = None;
        Ok(())
    }

    pub(crate) fn delete_before_close(&self, source: BorrowedSource<'_>) -> io::Result<()> {
        self.delete(source)
    }
}

/// Something that can be read, as the kernel knows it.
#[derive(Debug, Default)]
pub(crate) struct Source(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    n_bytes: usize,
    watcher: Option<(Arc<Kernel>, u64)>,
}

/// What goes for a descriptor.
pub(crate) type BorrowedSource<'a> = &'a Source;

impl Source {
    /// A byte arrives.
    pub(crate) fn fill(&self) {
        let mut state = self.0.lock();
        state.n_bytes += 1;
        state.report();
    }

    /// Reads a byte, if there is one.
    pub(crate) fn read(&self) -> bool {
        let mut state = self.0.lock();
        let has_read = state.n_bytes > 0;
        state.n_bytes -= usize::from(has_read);
        has_read
    }
}

impl State {
    fn report(&self) {
        let Some((kernel, key)) = &self.watcher else {
            return;
        };
        kernel.pending.lock().reports.push(Event {
            key: *key,
            readable: true,
            ..Event::default()
        });
        kernel.changed.notify_all();
    }
}
