//! Readiness from the operating system.
//!
//! A [`Poller`] is what a worker sleeps in. Each worker has one; any thread may wake it, and any
//! thread may look into it while its worker is stuck in a long poll.
//!
//! # What a platform supplies
//!
//! `sys` is the platform, chosen once, here. It exports:
//!
//! | item | contract |
//! |---|---|
//! | `Poller::new()` | a fresh instance; on failure nothing stays open; every descriptor is close-on-exec |
//! | `add(source, key)` | reports on `source` from now on under `key`: in, out, hang-up of either half, errors; what is ready already is reported too |
//! | `arm(source, key, interest)` | asks for the next report, where [`needs_arming`](Poller::needs_arming); elsewhere never called |
//! | `delete(source)` | no more reports (those already collected may still be in somebody's buffer) |
//! | `delete_before_close(source)` | the same for a descriptor of which no duplicate exists and that is closed next; may be free |
//! | `wait(events, timeout)` | sleeps until a report, a notification or the timeout; a signal may end it early, without an error; gives the number of reports and notifications |
//! | `notify()` | ends the current or, if there is none, the next `wait`, from any thread |
//! | `Events` | a buffer of reports; [`Events::notified`] says whether a notification was among them |
//! | `KEY_BITS` | how many low bits of a key survive |
//! | `SHORT_TRANSFER_DRAINS` | whether a short read or write on a stream socket proves that it is drained |
//!
//! Reports are edges: a source that is not drained is not reported again. Two threads may be in
//! `wait` at once; each report goes to one of them, and so does a notification. A visitor who
//! finds that it took the notification (see [`Events::notified`]) has to pass it on.

mod event;

#[cfg(target_os = "linux")]
#[path = "epoll.rs"]
mod sys;
#[cfg(not(target_os = "linux"))]
#[path = "portable.rs"]
mod sys;

#[cfg(not(windows))]
pub(crate) use std::os::fd::BorrowedFd as BorrowedSource;
#[cfg(windows)]
pub(crate) use std::os::windows::io::BorrowedSocket as BorrowedSource;

pub(crate) use event::{Event, Interest};
pub(crate) use sys::{Events, KEY_BITS, Poller, SHORT_TRANSFER_DRAINS};

use std::time::Duration;

/// The longest sleep in the kernel; who asks for more is woken early and sleeps again. Keeps every
/// platform's arithmetic away from its limits.
const TIMEOUT_MAX: Duration = Duration::from_secs(3600);

/// How many reports one `wait` can bring.
pub(crate) const EVENTS_CAPACITY: usize = 512;
