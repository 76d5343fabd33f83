//! Futures that wait for a task: by value, by reference, for the outcome, for the end alone.

use std::panic::resume_unwind;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use super::cancel;
use super::current;
use super::error::TaskError;
use super::ext::WaiterKind;
use super::handle::{Task, TaskRef};
use super::header::TaskPtr;
use super::leaf;

#[inline(always)]
fn is_current(task: TaskPtr) -> bool {
    current::with(|current| current.is_task(task.as_raw()))
}

/// Called when a task waits for itself: at first has it polled once more, so that a cancellation can come first, then fails (rule
/// C24).
#[cold]
#[track_caller]
fn refuse_to_await_itself(cx: &Context<'_>, waited: bool) {
    assert!(
        !waited,
        "a task cannot await itself: it would wait for ever"
    );
    cx.waker().wake_by_ref();
}

/// What the owner of a handle does to wait in the header's slot.
pub(super) struct Join;

impl Join {
    /// Waits until the task is done. At most one such wait exists: that of the handle's owner.
    #[track_caller]
    #[inline(always)]
    fn poll(task: TaskPtr, cx: &mut Context<'_>) -> Poll<()> {
        let state = task.state().load();
        let guard = ready!(leaf::enter(cx, state.has_waiter()));
        if state.is_complete() {
            guard.made_progress();
            return Poll::Ready(());
        }
        if state.has_waiter() && !Self::same_waker_or_unset(task, cx) {
            return Poll::Pending;
        }
        if is_current(task) {
            refuse_to_await_itself(cx, state.has_waiter());
        }
        if !task.state().load().has_waiter() && !Self::set(task, cx) {
            guard.made_progress();
            return Poll::Ready(());
        }
        cancel::note_waits_for_task(task);
        Poll::Pending
    }

    /// Registers the waker; `false` if the task was done first.
    #[inline(always)]
    fn set(task: TaskPtr, cx: &Context<'_>) -> bool {
        let waker = cx.waker().clone();
        if task.state().load().is_listed() {
            // Behind those who are on the list already (rules D9, H7).
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

    /// Looks at the registered waker. If it would wake the wrong task, takes it out; `false` if the completer
    /// was faster: it wakes the old one, which is as good (the poll comes anyway) but must be passed on.
    fn same_waker_or_unset(task: TaskPtr, cx: &Context<'_>) -> bool {
        // SAFETY: WAITER was set by the caller, who owns the handle.
        if unsafe { task.header().waiter_is(cx.waker()) } {
            return true;
        }
        if !task.state().unset_waiter() {
            // Done meanwhile: have the right task polled again.
            cx.waker().wake_by_ref();
            return false;
        }
        // SAFETY: the exchange took the slot back from the completer.
        drop(unsafe { task.header().take_waiter() });
        true
    }

    /// A cancellation that the awaited task ended with counts before the waiter's own request (rule C10):
    /// it may be raised even where a leaf has to stand back.
    #[inline(always)]
    fn ended_cancelled_while_requested(task: TaskPtr) -> bool {
        current::with(current::Current::delivering) && {
            let state = task.state().load();
            state.is_complete() && state.has_waiter() && state.is_cancelled()
        }
    }

    /// Called when the handle is dropped: the waiting is over.
    #[inline(always)]
    pub(super) fn forget(task: TaskPtr) {
        let state = task.state().load();
        if state.has_waiter() {
            cancel::forget_waits_for_task(task);
        }
        if state.is_cancelled() {
            cancel::take_back(Self::leaf(task));
        }
    }

    fn leaf(task: TaskPtr) -> cancel::LeafId {
        (task.as_raw() as usize, 0)
    }
}

/// Raises the cancellation that `error` is in the running task.
#[track_caller]
fn raise(leaf: cancel::LeafId, error: &TaskError) {
    assert!(
        cancel::raise(leaf, error.message().cloned()),
        "{error}, and it was awaited outside any task of a tasca runtime, where no cancellation can be raised: \
         await `task.outcome()` there"
    );
}

impl<T> Future for Task<T> {
    type Output = T;

    #[track_caller]
    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let task = self.ptr();
        if !Join::ended_cancelled_while_requested(task) {
            ready!(Join::poll(task, cx));
        }
        if task.state().load().is_cancelled() {
            // SAFETY: the task is done.
            if let Err(error) = unsafe { self.output() } {
                raise(Join::leaf(task), error.hand_out());
            }
            return Poll::Pending;
        }
        // SAFETY: the task is done.
        match unsafe { self.take_output() } {
            Ok(value) => Poll::Ready(value),
            Err(error) => match error.into_panic() {
                Ok(payload) => resume_unwind(payload),
                Err(_) => unreachable!("a task that was not cancelled panicked"),
            },
        }
    }
}

/// The future of [`Task::outcome`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Outcome<T> {
    task: Task<T>,
}

impl<T> Outcome<T> {
    pub(super) fn new(task: Task<T>) -> Self {
        Self { task }
    }
}

impl<T> Future for Outcome<T> {
    type Output = Result<T, TaskError>;

    #[track_caller]
    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        ready!(Join::poll(self.task.ptr(), cx));
        // SAFETY: the task is done.
        Poll::Ready(unsafe { self.task.take_output() })
    }
}

/// A place on the list of those who are told of a task's end.
#[derive(Debug)]
struct Listed {
    task: TaskRef,
    /// Zero while not on the list.
    id: u64,
    /// What is on the list, known from the second poll on: a task that is polled again and again for other reasons
    /// (a connection that also waits for the server's end) does not go to the list each time.
    waker: Option<Waker>,
}

impl Listed {
    fn new(task: TaskRef) -> Self {
        Self {
            task,
            id: 0,
            waker: None,
        }
    }

    #[track_caller]
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let guard = ready!(leaf::enter(cx, self.id != 0));
        if self.task.is_finished() {
            guard.made_progress();
            return Poll::Ready(());
        }
        if is_current(self.task.ptr()) {
            refuse_to_await_itself(cx, self.id != 0);
        }
        let is_listed = |waker: &Waker| waker.will_wake(cx.waker());
        if self.waker.as_ref().is_some_and(is_listed) {
            return Poll::Pending;
        }
        if self.id != 0 && self.task.relist(self.id, cx.waker()) {
            self.waker = Some(cx.waker().clone());
            return Poll::Pending;
        }
        match self.task.list(WaiterKind::Wake(cx.waker().clone())) {
            Ok(id) => {
                self.id = id;
                Poll::Pending
            }
            Err(_) => {
                guard.made_progress();
                Poll::Ready(())
            }
        }
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        if self.id != 0 && !self.task.is_finished() {
            self.task.unlist(self.id);
        }
    }
}

/// The future of [`TaskRef::finished`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Finished(Listed);

impl Finished {
    pub(super) fn new(task: TaskRef) -> Self {
        Self(Listed::new(task))
    }
}

impl Future for Finished {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.poll(cx)
    }
}

/// The future of `(&task).await`.
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct JoinRef<'a, T> {
    task: &'a Task<T>,
    listed: Listed,
}

impl<'a, T> JoinRef<'a, T> {
    #[track_caller]
    pub(super) fn new(task: &'a Task<T>) -> Self {
        assert!(
            !task.is_spent(),
            "a task that gave its output is not awaited again"
        );
        Self {
            task,
            listed: Listed::new(task.task_ref()),
        }
    }

    fn leaf(&self) -> cancel::LeafId {
        (self.task.ptr().as_raw() as usize, self.listed.id + 1)
    }
}

impl<'a, T> Future for JoinRef<'a, T> {
    type Output = &'a T;

    #[track_caller]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<&'a T> {
        let task = self.task.ptr();
        let overrides = self.listed.id != 0
            && current::with(current::Current::delivering)
            && task.state().load().is_cancelled();
        if !overrides && self.listed.poll(cx).is_pending() {
            cancel::note_waits_for_task(task);
            return Poll::Pending;
        }
        task.state().set_observed();
        // SAFETY: the task is done.
        match unsafe { self.task.output() } {
            Ok(value) => Poll::Ready(value),
            Err(error) if error.is_cancelled() => {
                raise(self.leaf(), error.hand_out());
                Poll::Pending
            }
            // The payload belongs to the handle's owner; the waiters by reference get its text.
            Err(error) => resume_unwind(Box::new(error.to_string())),
        }
    }
}

impl<T> Drop for JoinRef<'_, T> {
    fn drop(&mut self) {
        let task = self.task.ptr();
        cancel::forget_waits_for_task(task);
        if task.state().load().is_cancelled() {
            cancel::take_back(self.leaf());
        }
    }
}
