//! What combinators need of a task: to be told of its end without a waker, to pass cancel requests on, and to know
//! that it failed. The record that several children share is in [`group`](super::group).

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::ptr;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use pin_project_lite::pin_project;

use super::cancel;
use super::current;
use super::error::{CancelMessage, Problem, ResultError, TaskError, Trouble};
use super::ext::{Attachment, Ext, WaiterKind};
use super::group::Forward;
use super::handle::{Task, TaskRef};
use super::header::TaskPtr;
use super::promise::{Promise, cancel_passive};

/// Somebody who is told of the ends of tasks.
pub trait Observer: Send + Sync + 'static {
    /// The child that was observed under `index` is done. Called once for each observation that was not taken back, by
    /// the thread that completed the child, or as a step of the event loop on the deterministic runtime.
    fn child_done(&self, index: usize, child: &TaskRef);
}

impl fmt::Debug for dyn Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Observer")
    }
}

impl<O: Observer> Observer for Arc<O> {
    fn child_done(&self, index: usize, child: &TaskRef) {
        O::child_done(self, index, child);
    }
}

/// Tells an observer of the end of `task`; a panic is reported, not passed on.
pub(super) fn tell_quietly(task: TaskPtr, observer: Arc<dyn Observer>, index: u32) {
    // SAFETY: `TaskRef` is a transparent `TaskPtr`. Behind a reference it is never dropped, so the completer's
    // reference to the cell serves it as well.
    let child = unsafe { &*ptr::from_ref(&task).cast::<TaskRef>() };
    let told = catch_unwind(AssertUnwindSafe(move || {
        observer.child_done(index as usize, child);
    }));
    if let Err(payload) = told {
        // SAFETY: the thread that completes a task keeps its scheduler alive.
        let scheduler = unsafe { task.scheduler() };
        scheduler.report(Problem::from_panic(Trouble::DropPanicked, payload));
    }
}

/// Empties the slot of a task whose handle the caller owns; `false` if the task is done.
pub(super) fn release_slot(task: TaskPtr) -> bool {
    let state = task.state().load();
    if state.is_complete() {
        return false;
    }
    if state.has_waiter() {
        if !task.state().unset_waiter() {
            return false;
        }
        // SAFETY: the exchange took the slot back from the completer.
        drop(unsafe { task.header().take_waiter() });
    }
    true
}

/// Puts a waker into the empty slot of a task whose handle the caller owns; `false` if the task was done first.
pub(super) fn put_in_slot(task: TaskPtr, waker: Waker) -> bool {
    if task.state().load().is_listed() {
        // Behind those who are on the list already (rule H7).
        let mut shared = task.ext_or_new().shared.lock();
        shared.put_slot_last();
    }
    // SAFETY: WAITER is clear and the caller owns the handle.
    unsafe { task.header().put_waiter(waker) };
    if task.state().set_waiter() {
        return true;
    }
    // SAFETY: the task was done before WAITER could be set, so the waker is still the caller's.
    drop(unsafe { task.header().take_waiter() });
    false
}

/// A registration with a task that others own; taken back when dropped.
#[derive(Debug)]
#[must_use = "the registration ends when this is dropped"]
pub struct Observation {
    task: TaskRef,
    id: u64,
}

impl Observation {
    pub(super) fn new(task: TaskRef, id: u64) -> Self {
        Self { task, id }
    }
}

impl Drop for Observation {
    fn drop(&mut self) {
        if !self.task.is_finished() {
            self.task.unlist(self.id);
        }
    }
}

/// Where the cancel requests for a promised task go.
pub trait CancelForward: Send + Sync + 'static {
    /// Passes a request on; `false` if nothing took it.
    fn cancel(&self, message: Option<&CancelMessage>) -> bool;

    /// Whether everything that it stands for [is done, or about to be](TaskRef::is_about_to_end), so that nothing can take a
    /// request any more.
    fn is_all_done(&self) -> bool;
}

impl<T> Promise<T> {
    /// Completes the task as cancelled, also one that stands for a group; no effect if it is done.
    pub fn set_cancelled(self, message: Option<&str>) {
        let message = message.map(CancelMessage::from);
        cancel_passive(self.task_ref().ptr(), message.as_ref());
    }
}

impl TaskError {
    /// Makes the failure of a task that is to end cancelled.
    #[must_use]
    pub fn cancelled_for(task: &TaskRef, message: Option<&str>) -> Self {
        Self::cancelled(task.ptr().task_name(), message.map(CancelMessage::from))
    }

    /// Makes another of the same: who failed, how and why. A panic's payload stays with the original; the copy has
    /// its text.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        match self.panic_text() {
            Some(text) => Self::panicked(self.task().clone(), Box::new(text.to_owned()), None),
            None if self.is_panic() => Self::panicked(
                self.task().clone(),
                Box::new("a panic without a text"),
                None,
            ),
            None => Self::cancelled(self.task().clone(), self.message().cloned()),
        }
    }
}

pin_project! {
    /// The body of a task that may fail: an error wins over a cancel request that has not been delivered (rule C8).
    pub(crate) struct TryBody<F> {
        #[pin]
        body: F,
    }
}

impl<F> TryBody<F> {
    pub(crate) fn new(body: F) -> Self {
        Self { body }
    }
}

impl<F, T, E> Future for TryBody<F>
where
    F: Future<Output = Result<T, E>>,
{
    type Output = Result<T, E>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let polled = self.project().body.poll(cx);
        if let Poll::Ready(Err(_)) = &polled
            && let Some(task) = current::with(current::Current::task)
        {
            task.state().set_failed();
        }
        polled
    }
}

impl TaskRef {
    /// Has the observer told of the end of the task, under `index`, for good: who may lose interest takes a
    /// [`Group`](super::group::Group). `false` if the task is done already, and nothing will be told.
    ///
    /// # Panics
    ///
    /// If `index` does not fit 32 bits.
    pub fn observe(&self, index: usize, observer: Arc<dyn Observer>) -> bool {
        let index = u32::try_from(index).expect("fewer children than that");
        self.list(WaiterKind::Tell(observer, index)).is_ok()
    }

    /// Whether the task is done, or stands for a group that is and has yet to be told: where the ends of children are steps of
    /// the event loop, which are queued then.
    #[must_use]
    pub fn is_about_to_end(&self) -> bool {
        let task = self.ptr();
        let forward = task.ext().and_then(Ext::forward);
        self.is_finished() || forward.is_some_and(Forward::is_all_done)
    }

    /// Leaves word of how this task is about to fail, for an observer that is told of its end.
    pub fn leave_word(&self, word: Box<dyn Any + Send>) {
        let task = self.ptr();
        let mut shared = task.ext_or_new().shared.lock();
        let before = shared.rest_mut().attachment.replace(Attachment(word));
        drop(shared);
        drop(before);
    }

    /// Takes what was left with [`leave_word`](Self::leave_word).
    #[must_use]
    pub fn take_word(&self) -> Option<Box<dyn Any + Send>> {
        let task = self.ptr();
        let mut shared = task.ext()?.shared.lock();
        let word = shared.rest_made()?.attachment.take();
        word.map(|Attachment(word)| word)
    }

    /// Notes that somebody takes care of a panic of this task, so that it is not reported when nobody asks for the outcome.
    pub fn set_observed(&self) {
        self.ptr().state().set_observed();
    }

    /// As [`uncancel`](Self::uncancel), for whoever made the request on behalf of a scope that is over: if no other request stands,
    /// one that what the task waited for has accepted, and that was not delivered, is dropped as well (rule M10).
    pub fn retract_cancel(&self) -> usize {
        cancel::retract(self.ptr())
    }

    /// Whether the task is done with an error that it was spawned to tell from a value; see
    /// [`try_spawn`](crate::try_spawn).
    #[must_use]
    pub fn is_failed(&self) -> bool {
        let state = self.ptr().state().load();
        state.is_complete() && state.is_failed()
    }
}

/// A handle to a task that several may have: a task with a count.
///
/// It dereferences to the [`Task`]; `(&*shared).await` gives a reference to the output. Combinators take it like a task, and
/// give a clone of the output.
///
/// # Examples
///
/// ```
/// # let rt = tasca_core::Runtime::builder().current_thread().build().unwrap();
/// # rt.block_on(async {
/// let shared = tasca_core::spawn(async { 3 }).into_shared();
/// let other = shared.clone();
/// let sum = tasca_core::spawn(async move { *(&*other).await + 1 });
/// assert_eq!((*(&*shared).await, sum.await), (3, 4));
/// # });
/// ```
pub struct SharedTask<T>(Arc<Task<T>>);

impl<T> Task<T> {
    /// Makes a handle that can be cloned.
    #[must_use]
    pub fn into_shared(self) -> SharedTask<T> {
        SharedTask(Arc::new(self))
    }
}

impl<T> Task<T> {
    /// Takes the end of the task without waiting.
    ///
    /// # Errors
    ///
    /// Gives the task back if it is not done.
    pub fn try_take(mut self) -> Result<Result<T, TaskError>, Self> {
        if !self.is_finished() {
            return Err(self);
        }
        // SAFETY: the task is done.
        Ok(unsafe { self.take_output() })
    }

    /// As [`try_take`](Self::try_take), without asking for the message of a cancellation.
    pub(crate) fn try_take_as_value(self) -> Result<Result<T, TaskError>, Self> {
        if let Err(ResultError::Failed(error)) = self.result_as_value()
            && error.is_cancelled()
        {
            return Ok(Err(error.duplicate()));
        }
        self.try_take()
    }
}

impl<T> SharedTask<T> {
    /// Gives the task back if nobody else has it.
    ///
    /// # Errors
    ///
    /// Gives the shared handle back if there are others.
    pub fn into_task(self) -> Result<Task<T>, Self> {
        Arc::try_unwrap(self.0).map_err(Self)
    }
}

impl<T> Clone for SharedTask<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> std::ops::Deref for SharedTask<T> {
    type Target = Task<T>;

    fn deref(&self) -> &Task<T> {
        &self.0
    }
}

impl<T> fmt::Debug for SharedTask<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}
