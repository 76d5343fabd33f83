//! Deadlines of tasks: the request that is made when one passes, and how the scope that set it learns of that.
//!
//! A deadline that passes is a cancel request that the scope takes back at its end. Two threads may be at it at the same time:
//! one runs the timer, the other leaves the scope and finds the timer gone. What counts is who comes first to the lock of
//! the task's side block. The first leaves the name of the expiry there, the second takes it away, and knows what the
//! first has done:
//!
//! | first | second | the deadline |
//! |---|---|---|
//! | [`expire`](super::cancel::expire): notes the name, counts the request | [`leave`]: takes the request back | has passed |
//! | [`leave`]: notes the name | `expire`: does nothing | has not: the scope was left in time |
//!
//! So nobody waits for anybody, and taking back and comparing is one step (rule M9). Each side comes once for each name.
//! A scope that is left while its timer is armed has nothing to do here.

use super::cancel;
use super::header::TaskPtr;
use crate::primitive::{Ordering, StaticU64};

/// The name of one deadline: a timer, by its queue and its key, or a number. No two of a task's are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ExpiryId {
    pub(crate) queue: usize,
    pub(crate) slot: u32,
    pub(crate) number: u64,
}

impl ExpiryId {
    /// For a deadline that had passed when it was set, and needs no timer.
    pub(crate) fn without_timer() -> Self {
        static NEXT: StaticU64 = StaticU64::new(0);
        Self {
            queue: 0,
            slot: 0,
            // Ordering: Relaxed; uniqueness is all there is to it.
            number: NEXT.fetch_add(1, Ordering::Relaxed),
        }
    }
}

/// The names that the first of two has left for the second.
#[derive(Debug, Default)]
pub(crate) struct Expiries(Vec<ExpiryId>);

impl Expiries {
    /// Whether the other one has been here; if not, notes that this one has.
    pub(super) fn meet(&mut self, expiry: ExpiryId) -> bool {
        let present = self.0.iter().position(|present| *present == expiry);
        match present {
            Some(index) => {
                self.0.swap_remove(index);
                true
            }
            None => {
                self.0.push(expiry);
                false
            }
        }
    }

    fn contains(&self, expiry: ExpiryId) -> bool {
        self.0.contains(&expiry)
    }
}

/// How a scope was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Left {
    /// Before its deadline passed.
    InTime,
    /// After; its request has been taken back.
    Late {
        /// Whether no more requests stand than at the entry: a cancellation of the body is the scope's own (rule T5).
        is_own: bool,
    },
}

/// Ends a scope of `task` whose timer is gone. `n_before` requests stood at its entry.
#[cold]
pub(crate) fn leave(task: TaskPtr, expiry: ExpiryId, n_before: usize) -> Left {
    let mut shared = cancel::lock_requests(&task);
    if !shared.rest_mut().expiries.meet(expiry) {
        return Left::InTime;
    }
    cancel::retract_request(task, &mut shared);
    Left::Late {
        is_own: shared.cancelling() <= n_before,
    }
}

/// Keeps an expiry, whose timer is gone, from being counted; `false` if it has been already.
pub(crate) fn forestall(task: TaskPtr, expiry: ExpiryId) -> bool {
    let mut shared = task.ext_or_new().shared.lock();
    let expiries = &mut shared.rest_mut().expiries;
    let has_passed = expiries.contains(expiry);
    if !has_passed {
        let _met = expiries.meet(expiry);
    }
    !has_passed
}

/// Whether the request of a scope that has not been left is counted.
pub(crate) fn has_passed(task: TaskPtr, expiry: ExpiryId) -> bool {
    task.ext().is_some_and(|ext| {
        let shared = ext.shared.lock();
        shared
            .rest()
            .is_some_and(|rest| rest.expiries.contains(expiry))
    })
}
