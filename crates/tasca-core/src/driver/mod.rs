//! I/O registrations: from events of the operating system to wakers of tasks.
//!
//! A [`Driver`] belongs to one runtime. It has a [`Poller`](crate::poller::Poller) for each worker,
//! and a slot for each registered source. A source is registered once, for both directions, with the
//! poller of the worker that first had to wait for it; events come as edges and are kept in the
//! slot's readiness word until an operation proves them stale.
//!
//! Slots are never freed, only used again, and the key of an event is slot plus generation: an
//! event that comes late, in the buffer of whichever thread, finds another generation and is
//! ignored. So no lock is needed to dispatch, and nothing has to be waited for to deregister.
#![doc = include_str!("PROTOCOL.md")]

mod hub;
mod key;
mod readiness;
mod registration;
mod waiters;

pub(crate) use hub::Driver;
use hub::shut_down_error;
pub(crate) use readiness::{Direction, Snapshot};
pub(crate) use registration::Registration;
pub(crate) use waiters::{Wait, WaiterId};
