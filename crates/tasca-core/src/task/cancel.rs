//! Cancel requests: how they are recorded, passed on, taken back and delivered.
#![doc = include_str!("CANCEL.md")]

use std::ptr::NonNull;

use super::current;
use super::error::{CancelMessage, TaskError};
use super::ext::Request;
use super::header::{Header, TaskPtr};
use super::state::{CancelRequest, EndPoll};

/// Something a cancel request can be passed on to.
pub(crate) trait CancelTarget: Send + Sync {
    /// Passes a request on; `false` if there is nothing left to cancel.
    fn cancel(&self, message: Option<&CancelMessage>) -> bool;

    /// The task, if that is what this is: chains of tasks are walked without recursion.
    fn as_task(&self) -> Option<TaskPtr> {
        None
    }
}

impl CancelTarget for Header {
    fn cancel(&self, message: Option<&CancelMessage>) -> bool {
        self.as_task().is_some_and(|task| cancel(task, message))
    }

    fn as_task(&self) -> Option<TaskPtr> {
        // SAFETY: a reference to the header is what the pointer stands for; users keep it as long
        // as they keep the reference.
        Some(unsafe { TaskPtr::new(NonNull::from(self)) })
    }
}

/// Stands for several operands at once: the request is not passed on, but delivered here.
struct Several;

impl CancelTarget for Several {
    fn cancel(&self, _: Option<&CancelMessage>) -> bool {
        false
    }
}

static SEVERAL: Several = Several;

/// Tells leaves apart: an address that belongs to the leaf, and a number.
pub(crate) type LeafId = (usize, u64);

/// A cancellation raised from inside the running poll, and the leaf that raised it.
#[derive(Debug)]
pub(crate) struct Raised {
    leaf: LeafId,
    message: Option<CancelMessage>,
}

/// Notes what the running task waits for, until its next poll. Called by a leaf that goes pending.
#[inline(always)]
pub(crate) fn note_waits_for(target: NonNull<dyn CancelTarget>) {
    let Some(task) = current::with(current::Current::task) else { return };
    task.header().waits_for.with_mut(|slot| {
        // SAFETY: this thread polls the task, so it is its holder.
        let slot = unsafe { &mut *slot };
        *slot = match slot {
            None => Some(target),
            Some(present) if std::ptr::addr_eq(present.as_ptr(), target.as_ptr()) => Some(target),
            Some(_) => Some(NonNull::from(&SEVERAL)),
        };
    });
}

/// Takes the note back. Called by a leaf that is dropped or done; `target` is what it noted.
#[inline(always)]
pub(crate) fn forget_waits_for<T: ?Sized>(target: NonNull<T>) {
    let Some(task) = current::with(current::Current::task) else { return };
    task.header().waits_for.with_mut(|slot| {
        // SAFETY: as in `note_waits_for`.
        let slot = unsafe { &mut *slot };
        if slot.is_some_and(|present| std::ptr::addr_eq(present.as_ptr(), target.as_ptr())) {
            *slot = None;
        }
    });
}

/// What the task waits for.
///
/// # Safety
///
/// The caller is the holder of `task`.
unsafe fn waits_for(task: TaskPtr) -> Option<NonNull<dyn CancelTarget>> {
    // SAFETY: only the holder touches the slot.
    task.header().waits_for.with(|slot| unsafe { *slot })
}

/// Counts a request, and notes it where the task is queued or running.
fn request(task: TaskPtr, message: Option<&CancelMessage>) -> CancelRequest {
    let ext = task.ext_or_new();
    let mut shared = ext.shared.lock();
    let outcome = task.state().request_cancel();
    match outcome {
        CancelRequest::Refused => {}
        CancelRequest::Held => shared.cancelling += 1,
        CancelRequest::Flagged => {
            shared.cancelling += 1;
            // Once what the task waited for has taken a request, that one arrives (rule C10).
            if !shared.request.as_ref().is_some_and(|request| request.accepted) {
                shared.request = Some(Request { message: message.cloned(), accepted: false });
            }
        }
    }
    outcome
}

/// Asks `task` to stop; `false` if it is done.
///
/// The chain of tasks that wait for one another is walked down with every link held, so that none
/// of them runs, or lets go of the next, before the request has found its place.
pub(crate) fn cancel(task: TaskPtr, message: Option<&CancelMessage>) -> bool {
    if task.state().load().is_passive() {
        return super::promise::cancel_passive(task, message);
    }
    match request(task, message) {
        CancelRequest::Refused => return false,
        CancelRequest::Flagged => return true,
        CancelRequest::Held => {}
    }
    let mut chain = Vec::new();
    let mut last = task;
    let mut accepted = loop {
        // SAFETY: `last` is held by this function.
        let Some(target) = (unsafe { waits_for(last) }) else { break false };
        // SAFETY: a leaf takes its note back before what it noted is gone, and the leaf cannot be
        // polled or dropped while `last` is held.
        let target = unsafe { target.as_ref() };
        match target.as_task() {
            Some(next) if !next.state().load().is_passive() => match request(next, message) {
                CancelRequest::Refused => break false,
                CancelRequest::Flagged => break true,
                CancelRequest::Held => {
                    chain.push(last);
                    last = next;
                }
            },
            _ => break target.cancel(message),
        }
    };
    loop {
        if accepted {
            // SAFETY: still held by this function.
            unsafe { let_go(last) };
        } else {
            // SAFETY: still held by this function, which gives it up to the queue.
            unsafe { accept(last, message) };
            accepted = true;
        }
        match chain.pop() {
            Some(previous) => last = previous,
            None => return true,
        }
    }
}

/// Makes a held, suspended task resume with the request.
///
/// # Safety
///
/// The caller is the holder, and gives the task up.
unsafe fn accept(task: TaskPtr, message: Option<&CancelMessage>) {
    {
        let mut shared = task.ext_or_new().shared.lock();
        if !shared.request.as_ref().is_some_and(|request| request.accepted) {
            shared.request = Some(Request { message: message.cloned(), accepted: true });
        }
        task.state().set_cancel();
    }
    // SAFETY: the caller is the holder.
    unsafe { super::cell::queue(task) };
}

/// Gives a held task back, with whatever came in meanwhile.
///
/// # Safety
///
/// The caller is the holder, and gives the task up.
unsafe fn let_go(task: TaskPtr) {
    // SAFETY: the caller is the holder.
    if unsafe { suspend(task) } {
        // SAFETY: as above.
        unsafe { super::cell::queue(task) };
    }
}

/// Ends a poll, or a hold, of a task whose future is suspended; `true` if the caller is still its
/// holder and must queue it.
///
/// # Safety
///
/// The caller is the holder.
#[inline(always)]
pub(crate) unsafe fn suspend(task: TaskPtr) -> bool {
    loop {
        match task.state().end_poll() {
            EndPoll::Suspended => return false,
            EndPoll::Requeue => return true,
            EndPoll::Settle => {
                // SAFETY: the caller is the holder.
                if unsafe { settle(task) } {
                    return true;
                }
            }
        }
    }
}

/// A request was noted while the task ran, and it is suspended now: what it waits for gets the request
/// (rules C6, M4), or the task resumes with it. `true` if the task must be queued.
///
/// # Safety
///
/// The caller is the holder.
#[cold]
unsafe fn settle(task: TaskPtr) -> bool {
    let shared = &task.ext_or_new().shared;
    let message = {
        let mut shared = shared.lock();
        match &shared.request {
            None => {
                task.state().clear_cancel();
                return false;
            }
            Some(request) if request.accepted => return true,
            Some(request) => {
                let message = request.message.clone();
                shared.request = None;
                task.state().clear_cancel();
                message
            }
        }
    };
    // SAFETY: the caller is the holder.
    let target = unsafe { waits_for(task) };
    // SAFETY: as in `cancel`.
    let passed_on = target.is_some_and(|target| unsafe { target.as_ref() }.cancel(message.as_ref()));
    if passed_on {
        return false;
    }
    let mut shared = shared.lock();
    shared.request = Some(Request { message, accepted: true });
    task.state().set_cancel();
    true
}

/// Takes one request back; gives the number left.
pub(crate) fn uncancel(task: TaskPtr) -> usize {
    let Some(ext) = task.ext() else { return 0 };
    let mut shared = ext.shared.lock();
    shared.cancelling = shared.cancelling.saturating_sub(1);
    if shared.cancelling == 0 && shared.request.as_ref().is_some_and(|request| !request.accepted) {
        shared.request = None;
        task.state().clear_cancel();
    }
    shared.cancelling
}

pub(crate) fn cancelling(task: TaskPtr) -> usize {
    task.ext().map_or(0, |ext| ext.shared.lock().cancelling)
}

/// Raises a cancellation in the running task, in the name of `leaf`; `false` outside a task.
pub(crate) fn raise(leaf: LeafId, message: Option<CancelMessage>) -> bool {
    current::with(|current| {
        let Some(task) = current.task() else { return false };
        task.ext_or_new().shared.lock().raised = Some(Raised { leaf, message });
        current.set_delivering(true);
        true
    })
}

/// Takes back what `leaf` raised, if no scope has taken it.
pub(crate) fn take_back(leaf: LeafId) {
    current::with(|current| {
        let Some(task) = current.task() else { return };
        if !current.delivering() {
            return;
        }
        let Some(ext) = task.ext() else { return };
        let mut shared = ext.shared.lock();
        if shared.raised.as_ref().is_some_and(|raised| raised.leaf == leaf) {
            shared.raised = None;
            current.set_delivering(current.has_requested());
        }
    });
}

/// Takes the cancellation that is to be delivered in this poll of `task`, if there still is one.
/// Called by the innermost scope that sees its future pending.
pub(crate) fn take_delivery(task: TaskPtr) -> Option<Option<CancelMessage>> {
    current::with(|current| {
        current.set_delivering(false);
        let requested = current.settle_requested();
        let ext = task.ext()?;
        let mut shared = ext.shared.lock();
        let raised = shared.raised.take().map(|raised| raised.message);
        let mut request = None;
        if requested {
            request = shared.request.take().map(|request| request.message);
            task.state().clear_cancel();
        }
        // What the operand ended with comes before the request's own message (rule C10).
        raised.or(request)
    })
}

/// The request that a task ends with, because its body never suspended again or never began.
pub(crate) fn take_request(task: TaskPtr) -> Option<CancelMessage> {
    let ext = task.ext()?;
    let mut shared = ext.shared.lock();
    shared.request.take().and_then(|request| request.message)
}

/// The failure of a task that ends cancelled.
pub(crate) fn cancelled(task: TaskPtr, message: Option<CancelMessage>) -> TaskError {
    TaskError::cancelled(task.task_name(), message)
}
