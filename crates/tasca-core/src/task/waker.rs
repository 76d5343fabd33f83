//! Wakers of tasks: a pointer to the cell, recognised by the address of their table of functions.

use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use std::task::{RawWaker, RawWakerVTable, Waker};

use super::cell::queue;
use super::current;
use super::error::{Problem, Trouble};
use super::header::{Header, TaskPtr};
use super::schedule::Schedule;
use super::state::Wake;

static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake_by_ref, release);

/// A waker that borrows the caller's right to the cell instead of owning a reference.
#[inline(always)]
pub(crate) fn borrowed(task: TaskPtr) -> ManuallyDrop<Waker> {
    // SAFETY: the functions of `VTABLE` keep the contract of `RawWaker`; since the waker is never
    // dropped, it needs no reference.
    ManuallyDrop::new(unsafe { Waker::from_raw(RawWaker::new(task.as_raw().cast(), &VTABLE)) })
}

/// A waker with a reference of its own.
pub(crate) fn owned(task: TaskPtr) -> Waker {
    task.state().acquire();
    ManuallyDrop::into_inner(borrowed(task))
}

/// # Safety
///
/// `data` is the data of a waker of this table that is still in use.
#[inline(always)]
unsafe fn task_of(data: *const ()) -> TaskPtr {
    let header = NonNull::new(data.cast::<Header>().cast_mut()).expect("wakers are not null");
    // SAFETY: the waker has a reference, or borrows one.
    unsafe { TaskPtr::new(header) }
}

unsafe fn clone(data: *const ()) -> RawWaker {
    // SAFETY: called by the waker.
    unsafe { task_of(data) }.state().acquire();
    RawWaker::new(data, &VTABLE)
}

unsafe fn wake_by_ref(data: *const ()) {
    // SAFETY: called by the waker.
    let task = unsafe { task_of(data) };
    if is_polled_here(task) {
        return;
    }
    if task.state().wake() == Wake::Queue {
        // SAFETY: the exchange made this thread the holder.
        unsafe { queue(task) };
    }
}

unsafe fn wake(data: *const ()) {
    // SAFETY: called by the waker, whose reference this function now owns.
    let task = unsafe { task_of(data) };
    if is_polled_here(task) {
        // SAFETY: the waker's reference, which is not used again.
        unsafe { task.release() };
        return;
    }
    match task.state().wake_by_value() {
        // SAFETY: the exchange made this thread the holder.
        Some(Wake::Queue) => unsafe { queue(task) },
        Some(Wake::Nothing) => {}
        // SAFETY: the waker's reference, which is not used again.
        None => unsafe { task.release() },
    }
}

unsafe fn release(data: *const ()) {
    // SAFETY: called by the waker.
    let task = unsafe { task_of(data) };
    // SAFETY: the waker's reference, which this function now owns.
    unsafe { task.release() };
}

/// Whether the task is being polled by this thread: then a note in the thread's own memory is enough.
#[inline(always)]
fn is_polled_here(task: TaskPtr) -> bool {
    current::with(|current| {
        let here = current.is_task(task.as_raw());
        if here {
            current.set_self_woken();
        }
        here
    })
}

/// The task that the waker wakes, if it is the waker of one. It borrows the waker's reference to the cell.
#[inline(always)]
pub(super) fn task(waker: &Waker) -> Option<TaskPtr> {
    std::ptr::eq(waker.vtable(), &raw const VTABLE).then(|| {
        // SAFETY: the waker is one of this table.
        unsafe { task_of(waker.data()) }
    })
}

/// Whether this is the waker of a step of the event loop.
pub(crate) fn is_callback(waker: &Waker) -> bool {
    task(waker).is_some_and(|task| task.state().load().is_callback())
}

/// Wakes; a foreign waker may panic, and that is reported, not passed on.
#[inline(always)]
pub(crate) fn wake_reported(scheduler: &dyn Schedule, waker: Waker) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| waker.wake())) {
        scheduler.report(Problem::from_panic(Trouble::DropPanicked, payload));
    }
}

/// As [`wake_reported`], for somebody who waits for `task`.
#[inline(always)]
pub(super) fn wake_quietly(task: TaskPtr, waker: Waker) {
    // SAFETY: the thread that completes a task keeps its scheduler alive.
    wake_reported(unsafe { task.scheduler() }, waker);
}
