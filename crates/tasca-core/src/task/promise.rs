//! Tasks that are completed by hand.

use std::any::Any;
use std::fmt;
use std::marker::PhantomData;
use std::panic::Location;
use std::sync::{Arc, Weak};

use super::cancel;
use super::cell::{self, Birth, Filling};
use super::current;
use super::error::{CancelMessage, Problem, Reporter, TaskError};
use super::ext::{Ext, Standing};
use super::handle::{Task, TaskRef};
use super::header::TaskPtr;
use super::schedule::{Anchor, Callback, Schedule};
use super::state::{CancelRequest, Kind};
use crate::primitive::{Ordering, StaticU64};
use crate::slab::Block;

/// What fills a cell that is completed by hand: nothing, until then.
struct ByHand<T>(PhantomData<fn() -> T>);

impl<T> Filling for ByHand<T> {
    type Annex = ();
    type Content = ();
    type Output = T;

    unsafe fn drop_content(_: TaskPtr) {}
}

/// An id for a promise that is made outside any runtime.
pub(super) fn next_id_outside() -> u64 {
    static NEXT: StaticU64 = StaticU64::new(1);
    // Ordering: Relaxed: uniqueness is all there is to it.
    super::PROMISE_ID | NEXT.fetch_add(1, Ordering::Relaxed)
}

/// The scheduler of one promise that was made outside any runtime: callbacks run where the promise is kept.
struct Inline {
    anchor: Anchor,
    me: Weak<Self>,
}

impl Inline {
    fn new() -> Arc<Self> {
        Arc::new_cyclic(|me: &Weak<Self>| Self {
            anchor: Anchor::new(me.as_ptr()),
            me: Weak::clone(me),
        })
    }
}

/// The scheduler for what is made here, on this thread, kept for the cell.
pub(super) fn scheduler_here() -> Arc<dyn Schedule> {
    current::keep_scheduler().unwrap_or_else(|| Inline::new())
}

impl Schedule for Inline {
    fn anchor(&self) -> &Anchor {
        &self.anchor
    }

    fn schedule(&self, _: cell::Runnable) {
        unreachable!("a passive cell is never queued")
    }

    fn call_soon(&self, callback: Callback) {
        callback();
    }

    fn separates_callbacks(&self) -> bool {
        false
    }

    fn report(&self, problem: Problem) {
        super::error::report_to_stderr(&problem);
    }

    fn keep(&self) -> Arc<dyn Schedule> {
        self.me.upgrade().expect("in use")
    }

    fn reporter(&self) -> Reporter {
        Arc::new(|problem| super::error::report_to_stderr(&problem))
    }
}

/// The other end of a [`Task`] that is completed by hand.
///
/// Dropping a promise that was not kept cancels the task.
pub struct Promise<T> {
    task: TaskPtr,
    marker: PhantomData<fn(T)>,
}

// SAFETY: a promise only puts a value of `T` into the cell, from whichever thread.
unsafe impl<T: Send> Send for Promise<T> {}
// SAFETY: a shared promise gives no access to any `T`.
unsafe impl<T: Send> Sync for Promise<T> {}

/// Makes a task that is completed by hand, and the promise that completes it.
///
/// # asyncio counterpart
///
/// `loop.create_future()`: the future is the task, its `set_result` is [`Promise::set`]. Cancelling
/// the task completes it at once.
///
/// # Examples
///
/// ```
/// # let rt = tasca_core::Runtime::builder().current_thread().build().unwrap();
/// # rt.block_on(async {
/// let (promise, task) = tasca_core::promise();
/// std::thread::spawn(move || promise.set(5));
/// assert_eq!(task.await, 5);
/// # });
/// ```
#[doc(alias = "create_future")]
#[track_caller]
pub fn promise<T: Send + 'static>() -> (Promise<T>, Task<T>) {
    new_promise(Location::caller(), None)
}

/// As [`promise`], with a side block.
pub(crate) fn new_promise<T: Send + 'static>(
    location: &'static Location<'static>,
    ext: Option<Block<Ext>>,
) -> (Promise<T>, Task<T>) {
    let scheduler = scheduler_here();
    let birth = Birth {
        kind: Kind::Passive,
        home: None,
        id: scheduler.next_promise_id(),
        location,
        scheduler: Anchor::entrust(scheduler),
        ext,
    };
    // SAFETY: (1) entrusted just now. (2) The output is sendable, and there is no content.
    let task = unsafe { cell::new_passive::<ByHand<T>, Promise<T>>((), birth) };
    // The runtime's reference of an ordinary task is the promise's here.
    let promise = Promise {
        task,
        marker: PhantomData,
    };
    // SAFETY: the cell was made for a `T`, and nobody else has its handle.
    (promise, unsafe { Task::from_ptr(task) })
}

impl<T> Promise<T> {
    /// Completes the task with a value.
    ///
    /// # asyncio counterpart
    ///
    /// `Future.set_result()`. Errors are values here: `set(Err(…))`.
    ///
    /// # Errors
    ///
    /// Gives the value back if the task was cancelled (asyncio's `InvalidStateError`).
    pub fn set(self, value: T) -> Result<(), T> {
        let task = self.task;
        if !task.state().claim() {
            return Err(value);
        }
        // SAFETY: the claim made this thread the only one to complete the task.
        let scheduler = unsafe { take_scheduler(task) };
        // SAFETY: the memory is the claimant's and fits the output. (There is no content: a job's has been taken out.)
        unsafe { task.body::<Result<T, TaskError>>().write(Ok(value)) };
        self.complete(&*scheduler);
        Ok(())
    }

    /// Completes the task as panicked with `payload`; whoever awaits it panics with that.
    ///
    /// # Errors
    ///
    /// Gives the payload back if the task was cancelled.
    pub fn set_panic(self, payload: Box<dyn Any + Send>) -> Result<(), Box<dyn Any + Send>> {
        let task = self.task;
        if !task.state().claim() {
            return Err(payload);
        }
        // SAFETY: the claim made this thread the only one to complete the task.
        let scheduler = unsafe { take_scheduler(task) };
        let error = TaskError::panicked(task.task_name(), payload, Some(scheduler.reporter()));
        // SAFETY: as above; there is no content.
        unsafe { (task.header().vtable.fail)(task, error, false) };
        self.complete(&*scheduler);
        Ok(())
    }

    /// Whether the task was cancelled, so that nobody waits for the value any more.
    ///
    /// # asyncio counterpart
    ///
    /// `Future.cancelled()`.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.task.state().load().is_cancelled()
    }

    /// Gives an untyped handle to the task.
    #[must_use]
    pub fn task_ref(&self) -> TaskRef {
        TaskRef::from_ptr(self.task)
    }

    /// Ends the claimed task, whose output is in place. The promise's reference goes with it.
    fn complete(self, scheduler: &dyn Schedule) {
        let task = std::mem::ManuallyDrop::new(self).task;
        complete(task, scheduler);
    }

    /// # Safety
    ///
    /// The caller gives the promise's reference of a passive cell for a `T` that has no content, or none any more.
    pub(super) unsafe fn from_ptr(task: TaskPtr) -> Self {
        Self {
            task,
            marker: PhantomData,
        }
    }
}

/// Ends a claimed passive task whose output is in place; one reference goes with it.
pub(super) fn complete(task: TaskPtr, scheduler: &dyn Schedule) {
    let state = task.state().load();
    if state.is_job() && !state.is_started() {
        super::job::detach(task);
    }
    let holds_clock =
        state.is_job() && scheduler.separates_callbacks() && super::job::take_clock(task);
    cell::complete(task);
    if holds_clock {
        scheduler.job_ended();
    }
}

/// Takes over the reference to its scheduler that a passive cell has.
///
/// # Safety
///
/// `task` is a passive cell, which the caller has claimed and completes before it drops the reference.
pub(super) unsafe fn take_scheduler(task: TaskPtr) -> Arc<dyn Schedule> {
    // SAFETY: entrusted when the cell was made; a claim to complete is won once.
    unsafe { Anchor::redeem(task.header().scheduler) }
}

/// Completes a passive task as cancelled, at once (rule C20). `false` if it is done, or about to be.
pub(super) fn cancel_passive(task: TaskPtr, message: Option<&CancelMessage>) -> bool {
    let requested = {
        let mut shared = task.ext_or_new().shared.lock();
        let requested = task.state().request_cancel_passive();
        if requested != CancelRequest::Refused {
            shared.count_request();
            // For a job: one that is about to run ends with this, one that runs can ask for it.
            shared.put_request(Standing::Accepted, message.cloned());
        }
        requested
    };
    match requested {
        CancelRequest::Refused => false,
        CancelRequest::Flagged => true,
        CancelRequest::Held => {
            // SAFETY: this thread claimed it.
            unsafe { end_cancelled(task, message.cloned()) };
            true
        }
    }
}

/// Ends a passive task as cancelled. The promise, or the job, keeps its reference.
///
/// # Safety
///
/// The caller has claimed the task.
pub(super) unsafe fn end_cancelled(task: TaskPtr, message: Option<CancelMessage>) {
    // SAFETY: the caller's promise.
    let scheduler = unsafe { take_scheduler(task) };
    task.state().acquire();
    let error = cancel::cancelled(task, message);
    // SAFETY: claimed, and not done.
    unsafe { (task.header().vtable.fail)(task, error, false) };
    complete(task, &*scheduler);
}

impl<T> Drop for Promise<T> {
    fn drop(&mut self) {
        if !self.task.state().load().is_complete() {
            cancel_passive(self.task, Some(&"the promise was dropped".into()));
        }
        // SAFETY: the promise's reference, not used again.
        unsafe { self.task.release() };
    }
}

impl<T> fmt::Debug for Promise<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Promise")
            .field("cancelled", &self.is_cancelled())
            .finish_non_exhaustive()
    }
}
