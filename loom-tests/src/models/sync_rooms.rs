//! The sources of `tasca-sync`, on loom's primitives; the models are in the other `sync_` files.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "the public face of the primitives serves users, not models"
)]

#[path = "../../../crates/tasca-sync/src/barrier.rs"]
pub(crate) mod barrier;
#[path = "../../../crates/tasca-sync/src/condition.rs"]
pub(crate) mod condition;
#[path = "../../../crates/tasca-sync/src/event.rs"]
pub(crate) mod event;
#[path = "../../../crates/tasca-sync/src/line.rs"]
mod line;
#[path = "../../../crates/tasca-sync/src/lock.rs"]
pub(crate) mod lock;
#[path = "../../../crates/tasca-sync/src/permits.rs"]
pub(crate) mod permits;
#[path = "../../../crates/tasca-sync/src/protected.rs"]
mod protected;
#[path = "../../../crates/tasca-sync/src/queue/mod.rs"]
pub(crate) mod queue;
#[path = "../../../crates/tasca-sync/src/raw_lock.rs"]
pub(crate) mod raw_lock;
#[path = "../../../crates/tasca-sync/src/rw_lock.rs"]
pub(crate) mod rw_lock;
#[path = "../../../crates/tasca-sync/src/shared.rs"]
mod shared;
#[path = "../../../crates/tasca-sync/src/wait.rs"]
mod wait;

/// What `tasca_sync::primitive` is there. The cells of values do not synchronise by themselves: loom says so if a lock does not.
mod primitive {
    /// Guards share by it, and nothing else: `self: Arc<Self>` is possible with this one alone.
    pub(crate) use std::sync::Arc;

    pub(crate) use crate::primitive::{AtomicUsize, Mutex, Ordering, UnsafeCell};
    pub(crate) use crate::task::toolkit as leaf;

    /// Models cancel by dropping: nothing is ever delivered.
    pub(crate) async fn catch_cancelled<F: Future>(body: F) -> Result<F::Output, Never> {
        Ok(body.await)
    }

    /// The cancellation that does not come.
    pub(crate) enum Never {}

    impl Never {
        #[expect(clippy::unused_async, reason = "the face of the shipped function")]
        pub(crate) async fn reraise<T>(self) -> T {
            match self {}
        }
    }
}

/// Polls a future once, with a waker that does nothing.
pub(crate) fn poll_once<F: Future + ?Sized>(
    future: std::pin::Pin<&mut F>,
) -> std::task::Poll<F::Output> {
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    future.poll(&mut cx)
}
