//! Cancel requests: how they are recorded, passed on, taken back and delivered.
#![doc = include_str!("CANCEL.md")]

use std::cell::RefCell;

use super::current;
use super::error::{CancelMessage, TaskError};
use super::expiry::ExpiryId;
use super::ext::{self, Ext, Standing};
use super::group::Forward;
use super::handle::TaskRef;
use super::header::TaskPtr;
use super::state::{CancelRequest, EndPoll, Wake};
use super::weak::WeakTask;
use crate::primitive::{MutexGuard, UnsafeCell, thread_local_const};

/// What a task waits for, as far as cancel requests are concerned. Noted by the leaf that goes pending, for one
/// poll: the next one begins with nothing.
///
/// The leaf may have been moved elsewhere and dropped there, so the task may be gone by now. Several operands at once are
/// noted as nobody: the request is not passed on, but delivered here (rule M5).
#[derive(Clone, Copy, Default)]
pub(crate) struct WaitsFor(Option<WeakTask>);

impl WaitsFor {
    pub(crate) const NOTHING: Self = Self(None);

    /// The task, if there is one, and it is still there and not done.
    fn task(&self) -> Option<TaskRef> {
        self.0.as_ref().and_then(WeakTask::get)
    }

    fn is_several(&self) -> bool {
        self.0.as_ref().is_some_and(WeakTask::is_nobody)
    }
}

impl std::fmt::Debug for WaitsFor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.0 {
            None => "nothing",
            Some(task) if task.is_nobody() => "several operands",
            Some(_) => "a task",
        })
    }
}

/// What a task waits for, in the annex of every cell that is polled. The holder's.
#[derive(Debug)]
pub(crate) struct Note(UnsafeCell<WaitsFor>);

impl Default for Note {
    #[inline(always)]
    fn default() -> Self {
        Self(UnsafeCell::new(WaitsFor::NOTHING))
    }
}

/// Tells leaves apart: an address that belongs to the leaf, and a number.
pub(crate) type LeafId = (usize, u64);

/// A cancellation raised from inside the running poll, and the leaf that raised it.
#[derive(Debug)]
pub(crate) struct Raised {
    leaf: LeafId,
    message: Option<CancelMessage>,
}

/// Reaches the running task's note.
#[inline(always)]
fn with_note<R>(f: impl FnOnce(&mut WaitsFor) -> R) -> Option<R> {
    let task = current::with(current::Current::task)?;
    // SAFETY: this thread polls the task, so it is one that is polled.
    let note = unsafe { task.annex::<Note>() };
    // SAFETY: this thread is the task's holder; `f` calls nothing that comes back here.
    Some(note.0.with_mut(|note| f(unsafe { &mut *note })))
}

/// Notes that the running task waits for `task`, until its next poll.
#[inline(always)]
pub(crate) fn note_waits_for_task(task: TaskPtr) {
    with_note(|note| {
        note.0 = Some(match note.0 {
            None => WeakTask::of(task),
            Some(present) if present.is(task) => return,
            Some(present) => present.into_nobody(),
        });
    });
}

/// Takes a note back. Called by a leaf that is dropped or done.
#[inline(always)]
pub(crate) fn forget_waits_for_task(task: TaskPtr) {
    with_note(|note| {
        if note.0.is_some_and(|present| present.is(task)) {
            *note = WaitsFor::NOTHING;
        }
    });
}

/// Begins a poll: nothing is waited for yet.
///
/// # Safety
///
/// The caller is the holder of `task`, which is no passive one.
#[inline(always)]
pub(crate) unsafe fn reset_waits_for(task: TaskPtr) {
    // SAFETY: the caller's promise.
    let note = unsafe { task.annex::<Note>() };
    note.0.with_mut(|note| {
        // SAFETY: only the holder touches the note.
        unsafe { *note = WaitsFor::NOTHING };
    });
}

/// What the task waits for.
///
/// # Safety
///
/// The caller is the holder of `task`, which is no passive one.
unsafe fn waits_for(task: TaskPtr) -> WaitsFor {
    // SAFETY: the caller's promise.
    let note = unsafe { task.annex::<Note>() };
    // SAFETY: only the holder touches the note.
    note.0.with(|note| unsafe { *note })
}

/// Says what a suspended task waits for, as far as that is known; `None` for one that is queued or running.
pub(crate) fn describe_wait(task: TaskPtr) -> Option<String> {
    // One that is not suspended is polled once more than it need be.
    if task.state().wake() != Wake::Queue {
        return None;
    }
    // SAFETY: the exchange made this thread the holder.
    let target = unsafe { waits_for(task) };
    let text = match target.task() {
        Some(target) => target.ptr().describe(),
        None if target.is_several() => "several tasks at once".to_owned(),
        None => "something that is not a task".to_owned(),
    };
    // SAFETY: as above, and it is given up here.
    unsafe { let_go(task) };
    Some(text)
}

thread_local_const! {
    /// The tasks that this thread holds while it passes a request on to a group of tasks. Such a group may lead back to one
    /// of them.
    static PASSING: RefCell<Vec<TaskPtr>> = RefCell::new(Vec::new())
}

/// Passes a request on to the tasks that `forward` stands for, with some tasks held.
fn pass_on_to_group(
    forward: &Forward,
    held: impl Iterator<Item = TaskPtr>,
    message: Option<&CancelMessage>,
) -> bool {
    struct Restore(usize);
    impl Drop for Restore {
        fn drop(&mut self) {
            PASSING.with(|passing| passing.borrow_mut().truncate(self.0));
        }
    }
    let _restore = PASSING.with(|passing| {
        let mut passing = passing.borrow_mut();
        let restore = Restore(passing.len());
        passing.extend(held);
        restore
    });
    forward.cancel(message)
}

fn is_passing(task: TaskPtr) -> bool {
    PASSING.with(|passing| passing.borrow().contains(&task))
}

/// Locks the side block of `task`, made if need be, with all that is known of requests in it.
pub(super) fn lock_requests(task: &TaskPtr) -> MutexGuard<'_, ext::Shared> {
    let mut shared = task.ext_or_new().shared.lock();
    collect_request(*task, &mut shared);
    shared
}

/// Moves a request that only the state word tells of to the side block.
fn collect_request(task: TaskPtr, shared: &mut ext::Shared) {
    let word = task.state().take_counted();
    if word.has_counted() {
        shared.count_request();
    }
    if word.has_bare_request() {
        shared.put_request(Standing::Accepted, None);
    }
}

/// Whether anybody may have asked the task to stop.
#[inline]
fn may_have_requests(task: TaskPtr) -> bool {
    // In this order: who moves a request from the word to the side block makes that first.
    task.state().load().has_counted() || task.ext().is_some()
}

/// As [`lock_requests`], if anybody may have asked the task to stop.
fn lock_requests_made(task: &TaskPtr) -> Option<MutexGuard<'_, ext::Shared>> {
    may_have_requests(*task).then(|| lock_requests(task))
}

/// Counts a request, and notes it where the task is queued or running. Refuses that of a deadline whose scope was left.
fn request(
    task: TaskPtr,
    message: Option<&CancelMessage>,
    expiry: Option<ExpiryId>,
) -> CancelRequest {
    if message.is_none() && expiry.is_none() && task.state().hold_unasked() {
        // SAFETY: held by this function.
        return unsafe { request_bare(task) };
    }
    let mut shared = lock_requests(&task);
    if expiry.is_some_and(|expiry| shared.rest_mut().expiries.meet(expiry)) {
        return CancelRequest::Refused;
    }
    let outcome = note_request(task, &mut shared, message);
    if outcome != CancelRequest::Refused {
        shared.count_request();
    }
    outcome
}

/// Has a held, suspended task resume with a request that the state word alone tells of, if it waits for no other task, and
/// nobody else has asked meanwhile.
///
/// # Safety
///
/// The caller is the holder, and no longer after the call, unless it is told so.
unsafe fn request_bare(task: TaskPtr) -> CancelRequest {
    // SAFETY: the caller is the holder.
    let target = unsafe { waits_for(task) };
    if target.task().is_none() && task.state().set_bare_cancel() {
        // SAFETY: as above.
        unsafe { super::cell::queue(task) };
        return CancelRequest::Flagged;
    }
    lock_requests(&task).count_request();
    CancelRequest::Held
}

fn note_request(
    task: TaskPtr,
    shared: &mut ext::Shared,
    message: Option<&CancelMessage>,
) -> CancelRequest {
    let outcome = task.state().request_cancel();
    if outcome == CancelRequest::Flagged {
        // A bare one may have come first, since the lock was taken. From now on there is none.
        collect_request(task, shared);
        note(shared, message);
    }
    outcome
}

/// Notes the message of a request that nothing has taken yet.
fn note(shared: &mut ext::Shared, message: Option<&CancelMessage>) {
    // Once what the task waited for has taken a request, that one arrives (rule C10).
    if shared.standing() != Standing::Accepted {
        shared.put_request(Standing::Noted, message.cloned());
    }
}

/// Asks `task` to stop; `false` if it is done.
///
/// The chain of tasks that wait for one another is walked down with every link held, so that none
/// of them runs, or lets go of the next, before the request has found its place.
pub(crate) fn cancel(task: TaskPtr, message: Option<&CancelMessage>) -> bool {
    cancel_for(None, task, message, None)
}

/// Asks `task` to stop because a deadline has passed, unless the scope was left first (see [`expiry`](super::expiry)).
pub(crate) fn expire(task: WeakTask, expiry: ExpiryId) {
    if let Some(task) = task.get() {
        cancel_for(None, task.ptr(), None, Some(expiry));
    }
}

/// As [`cancel`] or [`expire`], on behalf of `holder`, which the caller holds and which waits for `task`.
fn cancel_for(
    holder: Option<TaskPtr>,
    task: TaskPtr,
    message: Option<&CancelMessage>,
    expiry: Option<ExpiryId>,
) -> bool {
    let state = task.state().load();
    if state.is_complete() || holder == Some(task) || is_passing(task) {
        // Of the latter, each waits for itself: nothing can take the request but the task.
        return false;
    }
    if state.is_passive() {
        if let Some(forward) = task.ext().and_then(Ext::forward) {
            return pass_on_to_group(forward, holder.into_iter(), message);
        }
        return super::promise::cancel_passive(task, message);
    }
    match request(task, message, expiry) {
        CancelRequest::Refused => return false,
        CancelRequest::Flagged => return true,
        CancelRequest::Held => {}
    }
    // What is held below the first one, with a reference each: a cell that is held is not done, but the handle that
    // its waiter has may be elsewhere.
    let mut chain: Vec<TaskRef> = Vec::new();
    // Unless it had to be let go before what it waits for could be asked.
    let mut is_last_held = true;
    let mut accepted = loop {
        let last = chain.last().map_or(task, TaskRef::ptr);
        // SAFETY: `last` is held by this function.
        let Some(next) = unsafe { waits_for(last) }.task() else {
            break false;
        };
        if next.ptr().state().load().is_passive() {
            if let Some(forward) = next.ptr().ext().and_then(Ext::forward) {
                let held = chain.iter().map(TaskRef::ptr).chain([task]).chain(holder);
                if next.is_finished() {
                    break false;
                }
                if pass_on_to_group(forward, held, message) {
                    break true;
                }
                if !next.is_about_to_end() {
                    break false;
                }
                // SAFETY: `last` is held by this function, which gives it up.
                unsafe { flag(last, message) };
                is_last_held = false;
                break true;
            }
            let n_cleared = lock_requests(&last).n_cleared;
            // Let go first: it is woken with all who wait for the same future, in its turn (rule D9).
            // SAFETY: `last` is held by this function, which gives it up.
            unsafe { let_go(last) };
            if super::promise::cancel_passive(next.ptr(), message) {
                is_last_held = false;
                break true;
            }
            // The future was done first: `last` is queued, or has gone on, or is about to be woken.
            let mut shared = lock_requests(&last);
            if shared.cancelling() == 0 || shared.n_cleared != n_cleared {
                // It has gone on, and taken the request back meanwhile (rule C17).
                is_last_held = false;
                break true;
            }
            match note_request(last, &mut shared, message) {
                CancelRequest::Refused => {
                    is_last_held = false;
                    break false;
                }
                CancelRequest::Flagged => {
                    is_last_held = false;
                    break true;
                }
                CancelRequest::Held => {
                    drop(shared);
                    // SAFETY: `last` is held again.
                    let now = unsafe { waits_for(last) }.task();
                    if now.is_some_and(|now| now == next) {
                        // It is about to be woken: the request wins (rule C5). Nobody waits for the one who wakes it.
                        break false;
                    }
                    continue;
                }
            }
        }
        // Liveness: in a ring of tasks that wait for one another the request would go round for ever; the last one
        // before the ring closes resumes with it.
        if next.ptr().state().load().is_owned()
            && (next.ptr() == task || Some(next.ptr()) == holder || chain.contains(&next))
        {
            break false;
        }
        match request(next.ptr(), message, None) {
            CancelRequest::Refused => break false,
            CancelRequest::Flagged => break true,
            CancelRequest::Held => chain.push(next),
        }
    };
    if !is_last_held && chain.pop().is_none() {
        return accepted;
    }
    loop {
        let next = chain.pop();
        let last = next.as_ref().map_or(task, TaskRef::ptr);
        if accepted {
            // SAFETY: held by this function, which gives it up.
            unsafe { let_go(last) };
        } else {
            // SAFETY: as above.
            unsafe { accept(last, message) };
            accepted = true;
        }
        if next.is_none() {
            return true;
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
        let mut shared = lock_requests(&task);
        if shared.standing() != Standing::Accepted {
            shared.put_request(Standing::Accepted, message.cloned());
        }
        task.state().set_cancel();
    }
    // SAFETY: a task that is held is not done, so its scheduler is there.
    let scheduler = unsafe { task.scheduler() };
    // SAFETY: the caller is the holder.
    scheduler.schedule(unsafe { super::cell::Runnable::new(task) });
}

/// Gives a held, suspended task back with the request noted: what it waits for has refused it, and is about to end
/// (rules C5, G12).
///
/// # Safety
///
/// The caller is the holder, and gives the task up.
unsafe fn flag(task: TaskPtr, message: Option<&CancelMessage>) {
    let end = {
        let mut shared = lock_requests(&task);
        note(&mut shared, message);
        task.state().let_go_flagged()
    };
    if end == EndPoll::Requeue {
        // SAFETY: the caller is still the holder.
        unsafe { super::cell::queue(task) };
    }
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
                match unsafe { settle(task) } {
                    Settled::Resumes => return true,
                    Settled::IsPassedOn => {}
                    Settled::IsSuspended => return false,
                }
            }
        }
    }
}

/// What became of a request that was noted while the task ran.
enum Settled {
    /// There is none any more, or what the task waits for has it.
    IsPassedOn,
    /// The task resumes with it at once.
    Resumes,
    /// The task is given up, and resumes with it when what it waits for ends, which is about to be (rules C5, G12).
    IsSuspended,
}

/// A request was noted while the task ran, and it is suspended now: what it waits for gets the request
/// (rules C6, M4), or the task resumes with it.
///
/// # Safety
///
/// The caller is the holder.
#[cold]
unsafe fn settle(task: TaskPtr) -> Settled {
    let message = {
        let mut shared = lock_requests(&task);
        if shared.standing() == Standing::Accepted {
            return Settled::Resumes;
        }
        task.state().clear_cancel();
        match shared.take_request() {
            None => return Settled::IsPassedOn,
            Some(message) => message,
        }
    };
    // SAFETY: the caller is the holder.
    let target = unsafe { waits_for(task) }.task();
    let mut is_about_to_end = false;
    if let Some(target) = &target {
        if cancel_for(Some(task), target.ptr(), message.as_ref(), None) {
            return Settled::IsPassedOn;
        }
        is_about_to_end = !target.is_finished() && target.is_about_to_end();
    }
    let mut shared = lock_requests(&task);
    let standing = if is_about_to_end {
        Standing::Noted
    } else {
        Standing::Accepted
    };
    shared.put_request(standing, message);
    if is_about_to_end && task.state().let_go_flagged() == EndPoll::Suspended {
        return Settled::IsSuspended;
    }
    task.state().set_cancel();
    Settled::Resumes
}

/// Leaves word of why a task is about to be [killed](kill), for who asks how it ended.
pub(crate) fn leave_reason(task: TaskPtr, why: CancelMessage) {
    lock_requests(&task).put_request(Standing::Accepted, Some(why));
}

/// Has the task's future dropped at its next poll, which comes now if the task is suspended.
pub(crate) fn kill(task: TaskPtr) {
    if task.state().request_kill() == Wake::Queue {
        // SAFETY: the exchange made this thread the holder.
        unsafe { super::cell::queue(task) };
    }
}

/// As [`kill`], for a future that a thread blocks on; called by that thread.
pub(crate) fn kill_root(task: TaskPtr) {
    if task.state().request_kill_of_root() == Wake::Queue {
        // SAFETY: the exchange made this thread the holder.
        unsafe { super::cell::queue(task) };
    }
}

/// Takes one request back; gives the number left.
pub(crate) fn uncancel(task: TaskPtr) -> usize {
    let Some(mut shared) = lock_requests_made(&task) else {
        return 0;
    };
    take_back_request(task, &mut shared);
    shared.cancelling()
}

/// As [`uncancel`], for whoever made the request and lets it end with a scope: where no other stands, none is delivered any more.
pub(super) fn retract(task: TaskPtr) -> usize {
    let Some(mut shared) = lock_requests_made(&task) else {
        return 0;
    };
    retract_request(task, &mut shared);
    shared.cancelling()
}

/// As [`retract`], with the side block of `task` locked.
pub(super) fn retract_request(task: TaskPtr, shared: &mut ext::Shared) {
    take_back_request(task, shared);
    if shared.cancelling() == 0 {
        drop_undelivered(task, shared);
    }
}

/// As [`uncancel`], with the side block of `task` locked.
fn take_back_request(task: TaskPtr, shared: &mut ext::Shared) {
    if shared.discount_request() && shared.standing() == Standing::Noted {
        shared.put_request(Standing::Nothing, None);
        task.state().clear_cancel();
    }
}

/// Drops a request that was accepted and has not been delivered, where nobody asks any more: the body of the scope that it was
/// made for ended by a future that does not stand back for a cancellation (rule M10).
fn drop_undelivered(task: TaskPtr, shared: &mut ext::Shared) {
    if shared.take_request().is_none() {
        return;
    }
    task.state().clear_cancel();
    current::with(|current| {
        if current.is_task(task.as_raw()) {
            current.settle_requested();
            let has_raised = shared.rest().is_some_and(|rest| rest.raised.is_some());
            current.set_delivering(has_raised);
        }
    });
}

/// Whether a request has been accepted on behalf of what the task waits for, and waits for delivery: asyncio
/// would have cancelled the task's private future by now.
pub(crate) fn has_accepted(task: TaskPtr) -> bool {
    let state = task.state().load();
    if state.has_bare_request() || !state.has_cancel() {
        return state.has_bare_request();
    }
    task.ext()
        .is_some_and(|ext| ext.shared.lock().standing() == Standing::Accepted)
}

#[inline]
pub(crate) fn cancelling(task: TaskPtr) -> usize {
    if may_have_requests(task) {
        count_requests(task)
    } else {
        0
    }
}

/// Apart from [`cancelling`], so that this stays small: every scope with a deadline asks.
#[inline(never)]
fn count_requests(task: TaskPtr) -> usize {
    lock_requests(&task).cancelling()
}

/// Raises a cancellation in the running task, in the name of `leaf`; `false` outside a task.
pub(crate) fn raise(leaf: LeafId, message: Option<CancelMessage>) -> bool {
    current::with(|current| {
        let Some(task) = current.task() else {
            return false;
        };
        let mut shared = task.ext_or_new().shared.lock();
        shared.rest_mut().raised = Some(Raised { leaf, message });
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
        let raised = shared.rest_made().map(|rest| &mut rest.raised);
        if raised
            .and_then(|raised| raised.take_if(|raised| raised.leaf == leaf))
            .is_some()
        {
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
        let is_bare = requested && task.state().take_bare();
        let mut request = is_bare.then_some(None);
        let Some(ext) = task.ext() else {
            return request;
        };
        let mut shared = ext.shared.lock();
        let raised = shared.rest_made().and_then(|rest| rest.raised.take());
        let raised = raised.map(|raised| raised.message);
        // Another thread may have asked again since: then CANCEL is back.
        debug_assert!(
            !is_bare || shared.standing() == Standing::Nothing || task.state().load().has_cancel(),
            "one request waits for delivery"
        );
        if requested && !is_bare {
            request = shared.take_request();
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
    shared.take_request().flatten()
}

/// The failure of a task that ends cancelled without its own doing: by the end of its body, or of a promise.
pub(crate) fn cancelled(task: TaskPtr, message: Option<CancelMessage>) -> TaskError {
    TaskError::cancelled(task.task_name(), message)
}

/// The failure of a task that a cancellation went through. The caller is the task's holder.
pub(crate) fn unwound(task: TaskPtr, message: Option<CancelMessage>) -> TaskError {
    // SAFETY: a task that is held is not done, so its scheduler is there.
    let scheduler = unsafe { task.scheduler() };
    if scheduler.gives_messages_once() {
        TaskError::cancelled_once(task.task_name(), message)
    } else {
        TaskError::cancelled(task.task_name(), message)
    }
}
