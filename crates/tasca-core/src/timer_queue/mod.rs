//! The deadlines of one worker, in order, each with a payload: what is to happen then.
//!
//! A data structure and nothing else: it reads no clock (`now_ns` is an argument, nanoseconds since
//! an origin of the caller's choice) and calls no user code. Payloads, wakers for the most part, go in and
//! come out; waking, cloning and dropping them is the caller's business, once it has left whatever lock it holds.
//!
//! It has two halves, made together by [`TimerQueue::new`]:
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
//! Most timers are timeouts, cancelled long before they expire. A new one is put into a small
//! unsorted array with a known minimum, and one that is cancelled soon never leaves it. Only
//! when the array is full does it go to the heap, and what is due goes there to be sorted. The heap
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
//! Timers fire in order of their deadlines, to the nanosecond; equal deadlines in the order in
//! which they were armed, wherever they waited. The deterministic runtime replays on that promise.
//! The arming number is 32 bits and compared modulo 2^32: the promise holds among timers of *equal*
//! deadline that were armed within 2^31 of each other. Who arms late what counts from earlier takes a
//! [`Turn`] in time.
//!
//! # Cost
//!
//! Arming is plain stores; firing, cancelling and replacing a payload take one locked instruction,
//! which decides who gets the payload; cancelling from elsewhere one more, to count. Firing and
//! sweeping are of the order of the entries they touch; a sweep is paid for by the cancellations
//! before it.
#![doc = include_str!("PROTOCOL.md")]

mod fresh;
mod heap;
mod places;
mod queue;
mod shard;
mod slot;

pub(crate) use queue::{TimerQueue, Turn};
pub(crate) use shard::TimerShard;
pub(crate) use slot::TimerKey;
