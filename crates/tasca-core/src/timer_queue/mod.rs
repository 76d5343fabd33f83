//! The deadlines of one worker, in order, each with a payload: what is to happen then.
//!
//! A data structure and nothing else: it reads no clock (`now_ns` is an argument, nanoseconds since
//! an origin of the caller's choice) and calls no user code. Payloads, wakers for the most part, go in and
//! come out; waking, cloning and dropping them is the caller's business, once it has left whatever lock it holds.
//!
//! It has two halves:
//!
//! - [`TimerQueue`] belongs to one thread at a time (plain `&mut self`): the order of the deadlines
//!   and the list of free slots.
//! - [`TimerShard`] is shared: a slot per timer with a word of state and the payload. Any thread may
//!   ask whether a timer is still armed, and take its payload back.
//!
//! A timer is named by a [`TimerKey`], its slot and the slot's generation. A key outlives its timer
//! harmlessly: to a slot that has moved on it is a stranger.
//!
//! # Where a timer waits
//!
//! Most timers are timeouts, cancelled long before they expire. So nothing is sorted before it must be:
//!
//! | array | holds | costs |
//! |---|---|---|
//! | uncounted | what is due some time after the clock is read, which has not been done | a scan when it is |
//! | fresh | what is due soon, and has been armed just now; a few | a scan when it is full, or one of them is due |
//! | far | what is not due soon, by levels of eight times the distance | a scan of a level when its earliest is due |
//! | heap | the rest, and what is due at the moment | a few levels for each |
//!
//! The heap
//! has four children a node: half the depth of a binary one, and the children of a node are 64
//! bytes. An entry is 16 bytes, with all that a comparison needs, so ordering touches neither slots
//! nor tasks.
//!
//! The queue knows where every timer's entry is, so its owner removes a timer at once. Other
//! threads mark the slot only; the owner comes across the mark when the deadline passes, or sweeps
//! once more than a quarter of all entries are marked.
//!
//! # Order
//!
//! Timers fire in order of their deadlines, to the nanosecond; equal deadlines in the order of their turns: as a rule that in
//! which they were armed, wherever they waited. The deterministic runtime replays on that promise.
//! A [`Turn`] is 32 bits and compared modulo 2^32: the promise holds among timers of *equal*
//! deadline whose turns were taken within 2^31 of each other.
//!
//! # Cost
//!
//! Arming is plain stores; firing, cancelling and replacing a payload take one locked instruction,
//! which decides who gets the payload; cancelling from elsewhere one more, to count. Firing and
//! sweeping are of the order of the entries they touch; a sweep is paid for by the cancellations
//! before it.
#![doc = include_str!("PROTOCOL.md")]

mod far;
mod heap;
mod places;
mod queue;
mod shard;
mod slot;
mod unsorted;

pub(crate) use places::Turn;
pub(crate) use queue::TimerQueue;
pub(crate) use shard::TimerShard;
pub(crate) use slot::TimerKey;
