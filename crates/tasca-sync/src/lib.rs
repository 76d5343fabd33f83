//! asyncio's synchronisation primitives and queues, on every kind of runtime.
//!
//! | | what one waits for | who is let go |
//! |---|---|---|
//! | [`Lock`] | to be alone with a value | the next in line, when it is polled |
//! | [`RwLock`] | to read a value, or be alone with it | the next in line, readers together |
//! | [`Semaphore`], [`BoundedSemaphore`] | a permit | the next in line |
//! | [`Event`] | a flag | everybody |
//! | [`Condition`] | a notification, with a lock given up | as many as are notified |
//! | [`Barrier`] | that enough have come | everybody |
//! | [`Queue`], [`LifoQueue`], [`PriorityQueue`] | an item, room, or that all is done | one for each item or place |
//!
//! # What is guaranteed
//!
//! - **Fair.** Who comes first is served first, and nobody takes what is on its way to somebody who waits.
//! - **Cancel-safe.** A waiter that is dropped, or whose task is cancelled, at any moment, leaves no trace: what it had been
//!   given already goes to the next in line. A cancellation wins over a wake-up that comes at the same time.
//! - What need not wait does not suspend (but for the budget that each task has for a poll, on runtimes of real time).
//! - On the deterministic runtime with seed 0 everybody resumes in the very cycle of the loop in which asyncio's tasks do.
//!   `async` is not required: a primitive works in futures of any executor, and without a runtime.
//!
//! For channels, see `docs/channels.md`: other people's do well.
//!
//! # How it works today
//!
//! Each primitive has a word of state that is changed by one exchange while nobody waits, and a line of waiters behind
//! a lock that is held for some instructions. All of them wait with one future, [`wait::Wait`], in one kind of line,
//! [`line::Line`]; what differs is a [`wait::Gate`] of a few lines each. The unsafe code is that a guard gives
//! access to the value of its lock: [`protected`].
#![deny(unsafe_code)]

mod barrier;
mod condition;
mod event;
mod line;
#[expect(unsafe_code, reason = "a guard gives access to the value")]
mod lock;
mod permits;
mod primitive;
#[expect(unsafe_code, reason = "the value behind a lock")]
mod protected;
pub mod queue;
mod raw_lock;
#[expect(unsafe_code, reason = "a guard gives access to the value")]
mod rw_lock;
mod semaphore;
mod shared;
mod wait;

pub use barrier::{Barrier, BrokenBarrier};
pub use condition::Condition;
pub use event::Event;
pub use lock::{Lock, LockGuard};
#[doc(inline)]
pub use queue::{
    GetNowaitError, LifoQueue, PriorityQueue, PutError, PutNowaitError, Queue, QueueShutDown,
    TaskDoneError,
};
pub use rw_lock::{ReadGuard, RwLock, WriteGuard};
pub use semaphore::{BoundedSemaphore, Permit, ReleaseError, Semaphore};
