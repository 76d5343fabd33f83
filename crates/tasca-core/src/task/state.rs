//! One word that says everything others may need to know of a task.
//!
//! ```text
//!  63      48 47           19 18                                0
//! +----------+---------------+-----------------------------------+
//! |   home   |  references   |               flags               |
//! +----------+---------------+-----------------------------------+
//! ```
//!
//! `home` never changes: 0 for a task that may run anywhere, else one more than the index of the
//! place it is bound to.
//!
//! | phase | flags | who holds what |
//! |---|---|---|
//! | free | the whole word is 0 | the memory is the slab's |
//! | queued, running | OWNED | one holder: a queue, the thread that polls, or a canceller that looks at it |
//! | suspended | none of OWNED, COMPLETE | whoever wins the exchange to OWNED becomes the holder |
//! | done | COMPLETE | the output is the handle's while HANDLE is set, else nobody's |
//!
//! Life: `new` → OWNED → (`start_poll` → `end_poll` → suspended → `wake` → OWNED)* → `complete` → COMPLETE →
//! the last reference frees the cell.
//!
//! Rules:
//!
//! 1. Only the holder touches the future, `waits_for`, and the right to complete.
//! 2. A task that is not COMPLETE is kept alive by the runtime's reference, so a queue entry carries none.
//! 3. A wake performs its exchange even when NOTIFIED is set already: the exchange is what carries
//!    the waker's writes to the next poll.

use crate::primitive::{AtomicU64, Ordering};

/// Queued or running: exactly one holder.
const OWNED: u64 = 1 << 0;
/// Woken, or asked to stop, while OWNED.
const NOTIFIED: u64 = 1 << 1;
/// The output is in place; nothing but references changes any more.
const COMPLETE: u64 = 1 << 2;
/// The header's waiter slot holds the waker of the handle's owner.
const WAITER: u64 = 1 << 3;
/// The side block has waiters or callbacks, or had some. Once the task is done: they have yet to be told.
const LISTED: u64 = 1 << 4;
/// A cancel request waits for delivery; its message is in the side block, unless it is BARE.
const CANCEL: u64 = 1 << 5;
/// The next poll drops the future instead: the runtime is going away.
const KILL: u64 = 1 << 6;
/// Polled at least once and suspended.
const STARTED: u64 = 1 << 7;
/// A handle owns the output.
const HANDLE: u64 = 1 << 8;
/// Somebody saw the outcome, so that a failure need not be reported.
const OBSERVED: u64 = 1 << 9;
/// Not polled by a scheduler: completed by a promise or by a pool thread.
const PASSIVE: u64 = 1 << 10;
/// A step of the event loop, not a task: never listed, never current.
const CALLBACK: u64 = 1 << 11;

/// Done without a value: cancelled.
const CANCELLED: u64 = 1 << 12;
/// Done without a value: panicked.
const PANICKED: u64 = 1 << 13;
/// A thread blocks on this task; the end of the runtime does not end it.
const ROOT: u64 = 1 << 14;
/// Passive, and completed by a closure that an executor runs; listed like a task. STARTED says that the closure has left the cell.
const JOB: u64 = 1 << 15;
/// The output is an error, and the task was spawned to tell one from a value: a request does not overtake it.
const FAILED: u64 = 1 << 16;

/// One cancel request was made beside those that the side block counts.
const COUNTED: u64 = 1 << 17;
/// The request that waits for delivery has been accepted, has no message, and is not in the side block. With CANCEL and COUNTED.
const BARE: u64 = 1 << 18;

const REFERENCE: u64 = 1 << 19;
const REFERENCES: u64 = ((1 << 29) - 1) << 19;
/// Past this many references the process is aborted: leaked wakers would overflow into `home`.
const REFERENCES_MAX: u64 = (1 << 28) << 19;
const HOME_SHIFT: u32 = 48;

/// What kind of cell a state begins for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A future that a scheduler polls.
    Task,
    /// The same, with somebody in its list of waiters from the start.
    ObservedTask,
    /// A step of the event loop, run once.
    Callback,
    /// A step of the event loop that a timer queues.
    TimedCallback,
    /// Completed from outside: a promise.
    Passive,
    /// Completed by a closure that runs on an executor.
    Job,
    /// A future that a thread blocks on: it outlasts the end of its runtime.
    Root,
    /// The same, known to nobody: never listed, never current.
    HiddenRoot,
}

/// A value of the word at one instant.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Snapshot(u64);

impl Snapshot {
    pub(crate) fn is_complete(self) -> bool {
        self.0 & COMPLETE != 0
    }
    pub(crate) fn is_owned(self) -> bool {
        self.0 & OWNED != 0
    }
    /// Woken, or asked to stop, since the last poll began.
    pub(crate) fn is_notified(self) -> bool {
        self.0 & NOTIFIED != 0
    }
    pub(crate) fn has_waiter(self) -> bool {
        self.0 & WAITER != 0
    }
    pub(crate) fn is_listed(self) -> bool {
        self.0 & LISTED != 0
    }
    pub(crate) fn has_cancel(self) -> bool {
        self.0 & CANCEL != 0
    }
    /// A request that is not in the side block waits for delivery.
    pub(crate) fn has_bare_request(self) -> bool {
        self.0 & BARE != 0
    }
    /// A request was made that the side block does not count.
    pub(crate) fn has_counted(self) -> bool {
        self.0 & COUNTED != 0
    }
    pub(crate) fn has_kill(self) -> bool {
        self.0 & KILL != 0
    }
    pub(crate) fn is_started(self) -> bool {
        self.0 & STARTED != 0
    }
    pub(crate) fn has_handle(self) -> bool {
        self.0 & HANDLE != 0
    }
    pub(crate) fn is_observed(self) -> bool {
        self.0 & OBSERVED != 0
    }
    pub(crate) fn is_passive(self) -> bool {
        self.0 & PASSIVE != 0
    }
    pub(crate) fn is_job(self) -> bool {
        self.0 & JOB != 0
    }
    pub(crate) fn is_callback(self) -> bool {
        self.0 & CALLBACK != 0
    }
    pub(crate) fn is_root(self) -> bool {
        self.0 & ROOT != 0
    }
    pub(crate) fn is_cancelled(self) -> bool {
        self.0 & CANCELLED != 0
    }
    pub(crate) fn is_failed(self) -> bool {
        self.0 & FAILED != 0
    }
    pub(crate) fn is_panicked(self) -> bool {
        self.0 & PANICKED != 0
    }
    /// The place the task is bound to, if any.
    pub(crate) fn home(self) -> Option<usize> {
        match self.0 >> HOME_SHIFT {
            0 => None,
            home => Some(home as usize - 1),
        }
    }
    fn references(self) -> u64 {
        (self.0 & REFERENCES) / REFERENCE
    }
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names = [
            "owned",
            "notified",
            "complete",
            "waiter",
            "listed",
            "cancel",
            "kill",
            "started",
            "handle",
            "observed",
            "passive",
            "callback",
            "cancelled",
            "panicked",
            "root",
            "job",
            "failed",
            "counted",
            "bare",
        ];
        let set = names
            .iter()
            .enumerate()
            .filter(|(bit, _)| self.0 & (1 << bit) != 0);
        f.debug_set().entries(set.map(|(_, name)| name)).finish()?;
        write!(f, " references {}", self.references())
    }
}

/// What a waker has to do after [`State::wake`].
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wake {
    /// The caller has become the holder and must queue the task.
    Queue,
    /// Nothing: the holder was told, or the task is done.
    Nothing,
}

/// What the holder has to do after [`State::end_poll`].
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EndPoll {
    /// The task is suspended; the caller holds it no longer.
    Suspended,
    /// It was woken meanwhile: still held, to be queued again.
    Requeue,
    /// A cancel request came in meanwhile: still held; settle the request first.
    Settle,
}

/// What a canceller has to do after [`State::request_cancel`].
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CancelRequest {
    /// The task is done.
    Refused,
    /// It is queued or running: flagged, its holder will see.
    Flagged,
    /// It is suspended; the caller has become the holder.
    Held,
}

/// Which cells [`State::acquire_if_live`] is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Live {
    /// What users call tasks.
    Tasks,
    /// Those, and steps of the event loop.
    TasksAndCallbacks,
    /// Every cell that is in use and not done.
    Any,
    /// What is done, and whose waiters and callbacks have yet to be told.
    BeingTold,
}

/// How a task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// With a value.
    Value,
    /// Cancelled.
    Cancelled,
    /// Panicked.
    Panicked,
}

/// What the owner of the handle has to do after [`State::release_handle`].
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReleaseHandle {
    /// Not done yet: the runtime will drop the output. `waiter` is true if the slot held a waker, now the caller's.
    Detached { waiter: bool },
    /// Done: the output is the caller's to drop, then the reference.
    Done,
}

/// The word itself.
#[derive(Debug)]
#[repr(transparent)]
pub(crate) struct State(AtomicU64);

impl State {
    /// The word of a new cell, to be published with [`State::publish`].
    ///
    /// A task begins held by its maker, with two references: the runtime's and the handle's.
    #[inline(always)]
    pub(crate) fn initial(kind: Kind, home: Option<usize>) -> u64 {
        let flags = match kind {
            Kind::Task => OWNED,
            Kind::ObservedTask => OWNED | LISTED,
            Kind::Callback => OWNED | CALLBACK,
            Kind::TimedCallback => CALLBACK,
            Kind::Passive => PASSIVE,
            Kind::Job => PASSIVE | JOB,
            Kind::Root => OWNED | ROOT,
            Kind::HiddenRoot => OWNED | ROOT | CALLBACK,
        };
        let home = home.map_or(0, |index| index as u64 + 1);
        debug_assert!(home < 1 << 16, "a home fits 16 bits");
        flags | HANDLE | (2 * REFERENCE) | (home << HOME_SHIFT)
    }

    /// Makes an initialised cell visible to walkers of the slab.
    #[inline(always)]
    pub(crate) fn publish(&self, word: u64) {
        // Ordering: Release pairs with the exchange in `acquire_if_live`: the header is complete.
        self.0.store(word, Ordering::Release);
    }

    #[inline(always)]
    pub(crate) fn load(&self) -> Snapshot {
        // Ordering: Acquire pairs with the Release half of `complete`: who sees COMPLETE sees the output.
        Snapshot(self.0.load(Ordering::Acquire))
    }

    /// The exchange loop that every transition is made of. `change` gives the next word and an
    /// answer, or only an answer.
    #[inline(always)]
    fn transition<A>(&self, change: impl Fn(Snapshot) -> (A, Option<u64>)) -> A {
        let mut current = self.0.load(Ordering::Acquire);
        loop {
            let (answer, next) = change(Snapshot(current));
            let Some(next) = next else { return answer };
            // Ordering: AcqRel. Acquire: the new holder sees what the last one did to the future. Release: what
            // this thread did (before waking, suspending, completing) is seen by whoever comes next.
            match self
                .0
                .compare_exchange(current, next, Ordering::AcqRel, Ordering::Acquire)
            {
                Ok(_) => return answer,
                Err(seen) => current = seen,
            }
        }
    }

    /// Wakes without giving a reference up.
    #[inline(always)]
    pub(crate) fn wake(&self) -> Wake {
        self.transition(|s| {
            if s.0 & (COMPLETE | PASSIVE) != 0 {
                (Wake::Nothing, None)
            } else if s.is_owned() {
                (Wake::Nothing, Some(s.0 | NOTIFIED))
            } else {
                (Wake::Queue, Some(s.0 | OWNED))
            }
        })
    }

    /// Wakes and gives the waker's reference up in the same step; `None` if the task is done and the
    /// reference is still the caller's to drop.
    #[inline(always)]
    pub(crate) fn wake_by_value(&self) -> Option<Wake> {
        self.transition(|s| {
            if s.0 & (COMPLETE | PASSIVE) != 0 {
                return (None, None);
            }
            // A task that is not done has the runtime's reference besides this one.
            let released = s.0 - REFERENCE;
            if s.is_owned() {
                (Some(Wake::Nothing), Some(released | NOTIFIED))
            } else {
                (Some(Wake::Queue), Some(released | OWNED))
            }
        })
    }

    /// Begins a poll: gives the flags the poll is decided by, and clears NOTIFIED.
    #[inline(always)]
    pub(crate) fn start_poll(&self) -> Snapshot {
        // Ordering: Acquire, for what wakers and cancellers wrote before their exchange.
        let current = self.0.load(Ordering::Acquire);
        if current & NOTIFIED == 0 {
            return Snapshot(current);
        }
        // Ordering: AcqRel, as in `transition`.
        Snapshot(self.0.fetch_and(!NOTIFIED, Ordering::AcqRel) & !NOTIFIED)
    }

    /// Ends a poll that left the future suspended. A request that the poll began with has been
    /// taken by then, so one that stands is newer and has to be settled.
    #[inline(always)]
    pub(crate) fn end_poll(&self) -> EndPoll {
        self.transition(|s| {
            if s.0 & KILL != 0 {
                (EndPoll::Requeue, Some((s.0 & !NOTIFIED) | STARTED))
            } else if s.has_cancel() {
                (EndPoll::Settle, Some((s.0 & !NOTIFIED) | STARTED))
            } else if s.0 & NOTIFIED != 0 {
                (EndPoll::Requeue, Some((s.0 & !NOTIFIED) | STARTED))
            } else {
                (EndPoll::Suspended, Some((s.0 & !OWNED) | STARTED))
            }
        })
    }

    /// The holder of a suspended task gives it back with a request noted, which the next poll finds.
    pub(crate) fn let_go_flagged(&self) -> EndPoll {
        self.transition(|s| {
            if s.0 & (KILL | NOTIFIED) != 0 {
                (EndPoll::Requeue, Some((s.0 & !NOTIFIED) | CANCEL))
            } else {
                (EndPoll::Suspended, Some((s.0 & !OWNED) | CANCEL))
            }
        })
    }

    /// Marks a task that yields, and so stays held, as started.
    #[inline(always)]
    pub(crate) fn set_started(&self) {
        // Ordering: Relaxed; only the holder reads STARTED, and the next exchange publishes it.
        self.0.fetch_or(STARTED, Ordering::Relaxed);
    }

    /// Ends the task: the output is in place. Gives the word before the step.
    ///
    /// Answers `Err` if the task ends with a value although a cancel request stands: the caller replaces
    /// the output and tries again. A promise is fulfilled by others, and not overtaken.
    #[inline(always)]
    pub(crate) fn complete(&self, end: End) -> Result<Snapshot, ()> {
        self.transition(|s| {
            debug_assert!(!s.is_complete(), "a task completes once");
            if end == End::Value && s.has_cancel() && !s.is_passive() && !s.is_failed() {
                return (Err(()), None);
            }
            let end = match end {
                End::Value => 0,
                End::Cancelled => CANCELLED,
                End::Panicked => PANICKED,
            };
            let mut next = (s.0 & !(OWNED | NOTIFIED | CANCEL | BARE | KILL)) | COMPLETE | end;
            if Self::completes_without_duties(s) {
                next -= REFERENCE;
            }
            (Ok(s), Some(next))
        })
    }

    /// Whether a task that completed in state `before` leaves its completer nothing to do: the runtime's
    /// reference went in the same step.
    pub(crate) fn completes_without_duties(before: Snapshot) -> bool {
        before.0 & (WAITER | LISTED | HANDLE) == HANDLE && before.references() > 1
    }

    /// For the passive kind: wins the right to complete. `false` if somebody else has it.
    pub(crate) fn claim(&self) -> bool {
        self.transition(|s| {
            if s.0 & (COMPLETE | OWNED) != 0 {
                (false, None)
            } else {
                (true, Some(s.0 | OWNED))
            }
        })
    }

    /// For a job whose closure the caller has claimed and taken out, which STARTED says from now on: lets go of the claim, so
    /// that the task can be cancelled while the closure runs. `false` if it was cancelled within the claim: the caller is
    /// still its holder, ends it, and does not run the closure.
    pub(crate) fn start_job(&self) -> bool {
        self.transition(|s| {
            debug_assert!(s.is_owned() && s.is_job(), "the caller has claimed a job");
            if s.has_cancel() {
                (false, Some(s.0 | STARTED))
            } else {
                (true, Some((s.0 & !OWNED) | STARTED))
            }
        })
    }

    /// Asks a passive task for cancellation; called with the side block locked.
    pub(crate) fn request_cancel_passive(&self) -> CancelRequest {
        self.transition(|s| {
            if s.is_complete() || (s.is_owned() && (!s.is_job() || s.is_started())) {
                // Whoever claimed it completes it.
                (CancelRequest::Refused, None)
            } else if s.is_owned() {
                (CancelRequest::Flagged, Some(s.0 | CANCEL))
            } else {
                (CancelRequest::Held, Some(s.0 | OWNED))
            }
        })
    }

    /// Asks for cancellation.
    pub(crate) fn request_cancel(&self) -> CancelRequest {
        self.transition(|s| {
            if s.is_complete() {
                (CancelRequest::Refused, None)
            } else if s.is_owned() {
                // Without NOTIFIED: the holder sees CANCEL, and if it is taken back meanwhile, there is nothing to run for.
                (CancelRequest::Flagged, Some(s.0 | CANCEL))
            } else {
                (CancelRequest::Held, Some(s.0 | OWNED))
            }
        })
    }

    /// Becomes the holder of a suspended task that nobody has asked for cancellation, or whose requests are in the side block
    /// and delivered.
    pub(crate) fn hold_unasked(&self) -> bool {
        self.transition(|s| {
            if s.0 & (COMPLETE | OWNED | CANCEL | COUNTED) != 0 {
                (false, None)
            } else {
                (true, Some(s.0 | OWNED))
            }
        })
    }

    /// Notes an accepted request without a message on a task that the caller holds, and counts it; `false` if another one
    /// has come in meanwhile.
    pub(crate) fn set_bare_cancel(&self) -> bool {
        self.transition(|s| {
            if s.0 & (CANCEL | COUNTED) != 0 {
                (false, None)
            } else {
                (true, Some(s.0 | CANCEL | COUNTED | BARE))
            }
        })
    }

    /// Takes a bare request for delivery, if there is one. It stays counted.
    pub(crate) fn take_bare(&self) -> bool {
        self.transition(|s| {
            if s.has_bare_request() {
                (true, Some(s.0 & !(CANCEL | BARE)))
            } else {
                (false, None)
            }
        })
    }

    /// Takes what the word counts and notes of requests, for the side block, which the caller has locked. Gives the word
    /// before.
    pub(crate) fn take_counted(&self) -> Snapshot {
        let current = self.load();
        if !current.has_counted() {
            return current;
        }
        // Ordering: AcqRel, as in `transition`: who finds the flag gone sees the side block.
        Snapshot(self.0.fetch_and(!(COUNTED | BARE), Ordering::AcqRel))
    }

    /// Notes a cancel request on a task that the caller holds.
    pub(crate) fn set_cancel(&self) {
        // Ordering: Relaxed; the caller holds the task, and queueing it publishes the flag.
        self.0.fetch_or(CANCEL, Ordering::Relaxed);
    }

    /// Takes a cancel request back, or notes its delivery.
    pub(crate) fn clear_cancel(&self) {
        // Ordering: Relaxed; requests are counted and read under the side block's lock.
        self.0.fetch_and(!CANCEL, Ordering::Relaxed);
    }

    /// Notes that the running task is about to end with an error.
    pub(crate) fn set_failed(&self) {
        // Ordering: Relaxed; the exchange that completes the task comes after it on the same word.
        self.0.fetch_or(FAILED, Ordering::Relaxed);
    }

    /// Asks for the future to be dropped at the next poll.
    pub(crate) fn request_kill(&self) -> Wake {
        self.request_kill_but(COMPLETE | PASSIVE | ROOT)
    }

    /// The same for a future that a thread blocks on; for that thread, which has found that it will never be ready.
    pub(crate) fn request_kill_of_root(&self) -> Wake {
        self.request_kill_but(COMPLETE | PASSIVE)
    }

    fn request_kill_but(&self, spared: u64) -> Wake {
        self.transition(|s| {
            if s.0 & spared != 0 {
                (Wake::Nothing, None)
            } else if s.is_owned() {
                (Wake::Nothing, Some(s.0 | KILL | NOTIFIED))
            } else {
                (Wake::Queue, Some(s.0 | KILL | OWNED))
            }
        })
    }

    /// Announces a waker in the header's slot; `false` if the task was done first.
    #[inline(always)]
    pub(crate) fn set_waiter(&self) -> bool {
        self.transition(|s| {
            debug_assert!(!s.has_waiter(), "the slot was free");
            if s.is_complete() {
                (false, None)
            } else {
                (true, Some(s.0 | WAITER))
            }
        })
    }

    /// Takes the slot back from the completer; `false` if the task was done first, and the completer has it.
    pub(crate) fn unset_waiter(&self) -> bool {
        self.transition(|s| {
            if s.is_complete() {
                (false, None)
            } else {
                (true, Some(s.0 & !WAITER))
            }
        })
    }

    /// Announces waiters in the side block; `false` if the task was done first.
    pub(crate) fn set_listed(&self) -> bool {
        self.transition(|s| {
            if s.is_complete() {
                (false, None)
            } else if s.is_listed() {
                (true, None)
            } else {
                (true, Some(s.0 | LISTED))
            }
        })
    }

    /// Notes that the outcome was seen.
    pub(crate) fn set_observed(&self) {
        // Ordering: Relaxed; read by the handle's owner, who comes after every borrower.
        if !self.load().is_observed() {
            self.0.fetch_or(OBSERVED, Ordering::Relaxed);
        }
    }

    /// Detaches the handle. Its reference goes with it unless the task is done.
    #[inline(always)]
    pub(crate) fn release_handle(&self) -> ReleaseHandle {
        self.transition(|s| {
            if s.is_complete() {
                return (ReleaseHandle::Done, None);
            }
            let waiter = s.has_waiter();
            // The reference stays when a waker has to be taken out of the slot first.
            let reference = if waiter { 0 } else { REFERENCE };
            let next = (s.0 & !(HANDLE | WAITER)) - reference;
            (ReleaseHandle::Detached { waiter }, Some(next))
        })
    }

    /// Takes one more reference.
    #[inline(always)]
    pub(crate) fn acquire(&self) {
        // Ordering: Relaxed, as for any reference made from another.
        let before = self.0.fetch_add(REFERENCE, Ordering::Relaxed);
        if before & REFERENCES > REFERENCES_MAX {
            // The next field would be corrupted: nothing sensible can be done.
            std::process::abort();
        }
    }

    /// Takes a reference to whatever lives in this cell, if it is of the kind that is looked for.
    pub(crate) fn acquire_if_live(&self, which: Live) -> bool {
        let (mask, wanted) = match which {
            Live::Tasks => (COMPLETE | CALLBACK, 0),
            Live::TasksAndCallbacks => (COMPLETE | PASSIVE, 0),
            Live::Any => (COMPLETE, 0),
            // Its completer has the runtime's reference until it has told everybody; see `release_told`.
            Live::BeingTold => (COMPLETE | LISTED, COMPLETE | LISTED),
        };
        let with_promises = matches!(which, Live::Any | Live::BeingTold);
        self.transition(|s| {
            let is_promise = s.0 & (PASSIVE | JOB) == PASSIVE;
            if s.0 == 0 || s.0 & mask != wanted || (is_promise && !with_promises) {
                (false, None)
            } else {
                (true, Some(s.0 + REFERENCE))
            }
        })
    }

    /// Gives the completer's reference up, and notes that everybody on the list has been told; `true` if it was the last, and
    /// the caller frees the cell.
    pub(crate) fn release_told(&self) -> bool {
        // Ordering: AcqRel, as in `release`; and who sees LISTED gone sees what the callbacks were queued with.
        Snapshot(self.0.fetch_sub(REFERENCE + LISTED, Ordering::AcqRel)).references() == 1
    }

    /// Gives a reference up; `true` if it was the last, and the caller frees the cell.
    #[inline(always)]
    pub(crate) fn release(&self) -> bool {
        // The only reference to a task that is done cannot be joined by others: walkers turn away from COMPLETE, unless LISTED
        // says that there is the completer's as well.
        let current = self.load();
        if current.is_complete() && current.references() == 1 {
            return true;
        }
        // Ordering: AcqRel: every other holder's use happened before the memory is freed.
        Snapshot(self.0.fetch_sub(REFERENCE, Ordering::AcqRel)).references() == 1
    }
}
