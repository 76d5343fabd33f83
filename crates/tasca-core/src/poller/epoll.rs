//! Linux: the epoll instance of the `polling` crate, spoken to directly.
//!
//! `polling` makes the instance and keeps it. Its own `wait` costs five system calls and its
//! interests know no `RDHUP`, so registration and waiting go straight to the descriptor. Its notifier
//! has to be read and armed again after each use; ours is an eventfd that is never read: it is
//! registered for edges, and each write is an edge.

use std::fmt;
use std::io;
use std::ptr;
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::{EventfdFlags, Timespec, epoll, eventfd};
use rustix::fd::{AsRawFd, OwnedFd};
use rustix::io::Errno;

use super::{BorrowedSource, EVENTS_CAPACITY, Event, Interest, TIMEOUT_MAX};
use crate::primitive::{AtomicBool, Ordering};

/// Keys arrive as they were given.
pub(crate) const KEY_BITS: u32 = u64::BITS;

/// The hang-up of a peer is in the same report as the last data, so nothing hides behind a short
/// read of a stream socket.
pub(crate) const SHORT_TRANSFER_DRAINS: bool = true;

/// The key of the eventfd; no source has it.
const NOTIFY_KEY: u64 = u64::MAX;

/// Set once the kernel, or a sandbox, has refused `epoll_pwait2`.
static COARSE_TIMEOUTS: AtomicBool = AtomicBool::new(false);

/// What one worker sleeps in.
#[derive(Debug)]
pub(crate) struct Poller {
    instance: polling::Poller,
    notifier: OwnedFd,
}

impl Poller {
    pub(crate) fn new() -> io::Result<Self> {
        let instance = polling::Poller::new()?;
        let notifier = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        epoll::add(
            &instance,
            &notifier,
            epoll::EventData::new_u64(NOTIFY_KEY),
            epoll::EventFlags::IN | epoll::EventFlags::ET,
        )?;
        Ok(Self { instance, notifier })
    }

    /// Edges keep coming by themselves.
    #[inline(always)]
    #[expect(clippy::unused_self, reason = "the other platforms ask the instance")]
    pub(crate) fn needs_arming(&self) -> bool {
        false
    }

    pub(crate) fn add(&self, source: BorrowedSource<'_>, key: u64) -> io::Result<()> {
        debug_assert_ne!(key, NOTIFY_KEY, "the key of the notifier");
        let interest = epoll::EventFlags::IN
            | epoll::EventFlags::OUT
            | epoll::EventFlags::RDHUP
            | epoll::EventFlags::PRI
            | epoll::EventFlags::ET;
        epoll::add(
            &self.instance,
            source,
            epoll::EventData::new_u64(key),
            interest,
        )?;
        Ok(())
    }

    /// Nothing to do; see [`needs_arming`](Self::needs_arming).
    #[expect(
        clippy::unused_self,
        clippy::unnecessary_wraps,
        reason = "the contract of the platforms"
    )]
    pub(crate) fn arm(&self, _: BorrowedSource<'_>, _: u64, _: Interest) -> io::Result<()> {
        debug_assert!(false, "edges need no arming");
        Ok(())
    }

    pub(crate) fn delete(&self, source: BorrowedSource<'_>) -> io::Result<()> {
        epoll::delete(&self.instance, source)?;
        Ok(())
    }

    /// Free: closing the last descriptor of a file takes it out of every epoll instance.
    #[expect(
        clippy::unused_self,
        clippy::unnecessary_wraps,
        reason = "the contract of the platforms"
    )]
    pub(crate) fn delete_before_close(&self, _: BorrowedSource<'_>) -> io::Result<()> {
        Ok(())
    }

    pub(crate) fn wait(&self, events: &mut Events, timeout: Option<Duration>) -> io::Result<usize> {
        events.list.clear();
        let timeout = timeout.map(|timeout| timeout.min(TIMEOUT_MAX));
        // Ordering: Relaxed; a thread that does not know yet finds out by itself.
        let waited = if COARSE_TIMEOUTS.load(Ordering::Relaxed) {
            self.wait_coarse(events, timeout)
        } else {
            self.wait_fine(events, timeout)
        };
        match waited {
            Ok(()) => Ok(events.list.len()),
            Err(Errno::INTR) => Ok(0),
            Err(error) => Err(error.into()),
        }
    }

    /// Waits with a timeout in nanoseconds (Linux 5.11).
    fn wait_fine(&self, events: &mut Events, timeout: Option<Duration>) -> Result<(), Errno> {
        let timeout = timeout.map(KernelTimespec::from);
        // SAFETY: `epoll_pwait2` takes: (1) the descriptor, which `instance` keeps open; (2) (3) a
        // place for at most the given number of events, which is the vector's whole capacity (its
        // length is 0); (4) null or a pointer to a `__kernel_timespec`, which lives on this
        // frame; (5) (6) no signal mask.
        let n_events = unsafe {
            libc::syscall(
                libc::SYS_epoll_pwait2,
                self.instance.as_raw_fd(),
                events.list.as_mut_ptr(),
                EVENTS_CAPACITY,
                timeout.as_ref().map_or(ptr::null(), ptr::from_ref),
                ptr::null::<libc::sigset_t>(),
                0usize,
            )
        };
        let Ok(n_events) = usize::try_from(n_events) else {
            return match Errno::from_io_error(&io::Error::last_os_error()) {
                // Old kernels know no such call; some sandboxes answer "not permitted" to calls
                // that they do not know, which this call never does by itself.
                Some(Errno::NOSYS | Errno::PERM) => {
                    // Ordering: see `wait`.
                    COARSE_TIMEOUTS.store(true, Ordering::Relaxed);
                    self.wait_coarse(events, timeout.map(Duration::from))
                }
                error => Err(error.unwrap_or(Errno::IO)),
            };
        };
        debug_assert!(n_events <= EVENTS_CAPACITY, "more events than asked for");
        // SAFETY: the kernel has written that many events, at most as many as there is room for.
        unsafe { events.list.set_len(n_events) };
        Ok(())
    }

    /// Waits with a timeout in milliseconds, rounded up: too late by at most one of them, and never
    /// so early that the caller would have to turn in circles.
    fn wait_coarse(&self, events: &mut Events, timeout: Option<Duration>) -> Result<(), Errno> {
        let timeout = timeout.map(|timeout| Timespec {
            tv_sec: whole_seconds(timeout),
            tv_nsec: timeout.subsec_nanos().into(),
        });
        epoll::wait(
            &self.instance,
            spare_capacity(&mut events.list),
            timeout.as_ref(),
        )?;
        Ok(())
    }

    pub(crate) fn notify(&self) -> io::Result<()> {
        loop {
            match rustix::io::write(&self.notifier, &1_u64.to_ne_bytes()) {
                Ok(_) => return Ok(()),
                Err(Errno::INTR) => {}
                // The counter is full, after 2^64 notifications. Reading empties it.
                Err(Errno::AGAIN) => match rustix::io::read(&self.notifier, &mut [0_u8; 8]) {
                    Ok(_) | Err(Errno::INTR | Errno::AGAIN) => {}
                    Err(error) => return Err(error.into()),
                },
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// The kernel's `__kernel_timespec`: 64 bits a field on every architecture.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct KernelTimespec {
    seconds: i64,
    nanoseconds: i64,
}

impl From<Duration> for KernelTimespec {
    fn from(timeout: Duration) -> Self {
        Self {
            seconds: whole_seconds(timeout),
            nanoseconds: timeout.subsec_nanos().into(),
        }
    }
}

impl From<KernelTimespec> for Duration {
    fn from(timeout: KernelTimespec) -> Self {
        Self::new(
            timeout.seconds.unsigned_abs(),
            u32::try_from(timeout.nanoseconds).unwrap_or(0),
        )
    }
}

fn whole_seconds(timeout: Duration) -> i64 {
    // `TIMEOUT_MAX` bounds every timeout that gets here.
    i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX)
}

/// A buffer of reports.
pub(crate) struct Events {
    // Invariant: its capacity is at least `EVENTS_CAPACITY`; it never grows.
    list: Vec<epoll::Event>,
}

// The system call writes events as the C library knows them, the list reads them as rustix does.
const _: () = assert!(size_of::<epoll::Event>() == size_of::<libc::epoll_event>());

impl Events {
    pub(crate) fn new() -> Self {
        Self {
            list: Vec::with_capacity(EVENTS_CAPACITY),
        }
    }

    /// Whether a notification was among the reports of the last wait.
    pub(crate) fn notified(&self) -> bool {
        self.list.iter().any(|event| event.data.u64() == NOTIFY_KEY)
    }

    /// The reports of the last wait, without notifications.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Event> + '_ {
        self.list.iter().filter_map(|event| {
            // Copied out: the kernel's struct is packed on some architectures.
            let (flags, key) = (event.flags, event.data.u64());
            (key != NOTIFY_KEY).then(|| Event {
                key,
                readable: flags.contains(epoll::EventFlags::IN),
                writable: flags.contains(epoll::EventFlags::OUT),
                read_closed: flags
                    .intersects(epoll::EventFlags::RDHUP.union(epoll::EventFlags::HUP)),
                write_closed: flags.contains(epoll::EventFlags::HUP),
                error: flags.contains(epoll::EventFlags::ERR),
                priority: flags.contains(epoll::EventFlags::PRI),
            })
        })
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
