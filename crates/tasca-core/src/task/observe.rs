//! What combinators need of a task: to be told of its end without a waker, to pass cancel requests on, and to know
//! that it failed.
//!
//! A [`Group`] is the shared record of one call of a combinator: one allocation, with a link for each
//! child. A child's entry for its waiter (the slot in the header, for the owner of the handle; the
//! side block, for everybody else) is a waker whose data is the link and whose functions are those of the group. So
//! the end of a child calls the group's [`Observer`] directly: no waker is cloned, nothing is
//! allocated and the waiting task is not polled for a child that decides nothing. On the
//! deterministic runtime the call is a step of the event loop of its own, as a callback of asyncio is.
//!
//! The side that waits is a promise ([`Group::promise`]): joins, callbacks and cancel requests work for it as for any
//! task, and a request is passed on to the group instead of ending it.

use std::fmt;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::pin::Pin;
use std::ptr;
use std::sync::Arc;
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};

use pin_project_lite::pin_project;

use super::cancel;
use super::current;
use super::error::{CancelMessage, Problem, ResultError, TaskError, Trouble};
use super::ext::{Ext, WaiterKind};
use super::handle::{Task, TaskRef};
use super::header::{Header, TaskPtr};
use super::promise::{Promise, cancel_passive, new_promise};
use super::schedule::Schedule;
use crate::primitive::{AtomicPtr, Ordering};

/// Somebody who is told of the ends of tasks.
pub trait Observer: Send + Sync + 'static {
    /// The child that was observed under `index` is done. Called once for each observation that was not taken back, by
    /// the thread that completed the child, or as a step of the event loop on the deterministic runtime.
    fn child_done(&self, index: usize, child: &TaskRef);
}

impl<O: Observer> Observer for Arc<O> {
    fn child_done(&self, index: usize, child: &TaskRef) {
        O::child_done(self, index, child);
    }
}

/// Tells an observer of the end of `task`; a panic is reported, not passed on.
pub(super) fn tell_quietly(task: TaskPtr, observer: Arc<dyn Observer>, index: usize) {
    // SAFETY: `TaskRef` is a transparent `TaskPtr`. Behind a reference it is never dropped, so the completer's
    // reference to the cell serves it as well.
    let child = unsafe { &*ptr::from_ref(&task).cast::<TaskRef>() };
    let told = catch_unwind(AssertUnwindSafe(move || observer.child_done(index, child)));
    if let Err(payload) = told {
        // SAFETY: the thread that completes a task keeps its scheduler alive.
        let scheduler = unsafe { task.scheduler() };
        scheduler.report(Problem::from_panic(Trouble::DropPanicked, payload));
    }
}

/// The shared record of a combinator: an observer, and a link for each of its children. Cheap to clone.
pub struct Group<O>(Arc<Inner<O>>);

struct Inner<O> {
    observer: O,
    /// Set where the end of a child is told as a step of its own.
    steps: Option<Arc<dyn Schedule>>,
    links: Links<O>,
}

/// The most frequent number of links needs no block of its own.
enum Links<O> {
    One(Link<O>),
    Many(Box<[Link<O>]>),
}

struct Link<O> {
    // Invariant: the record that this link is part of; a waker made from it has a count of that.
    group: *const Inner<O>,
    index: usize,
    /// The child, from its registration until its end was told or the registration is gone.
    // Invariant: the waker in the child's cell is what the pointer stands for: while it is there, so is the cell.
    child: AtomicPtr<Header>,
}

// SAFETY: the pointer to the record is only followed by those who have a count of it, and the record is `Sync`.
unsafe impl<O: Send + Sync> Send for Link<O> {}
// SAFETY: as above; the rest is atomic or immutable.
unsafe impl<O: Send + Sync> Sync for Link<O> {}

impl<O> Links<O> {
    fn get(&self, index: usize) -> &Link<O> {
        match self {
            Self::One(link) => {
                assert!(index == 0, "a group of one has link 0");
                link
            }
            Self::Many(links) => &links[index],
        }
    }
}

impl<O> Group<O> {
    /// The observer.
    pub fn observer(&self) -> &O {
        &self.0.observer
    }
}

impl<O: Observer> Group<O> {
    /// Makes a record with `n_links` links.
    pub fn new(n_links: usize, observer: O) -> Self {
        let steps = current::keep_scheduler()
            .filter(|scheduler| scheduler.separates_callbacks() && !scheduler.permutes_steps());
        Self(Arc::new_cyclic(|weak| {
            let link = |index| Link {
                group: weak.as_ptr(),
                index,
                child: AtomicPtr::new(ptr::null_mut()),
            };
            let links = match n_links {
                1 => Links::One(link(0)),
                _ => Links::Many((0..n_links).map(link).collect()),
            };
            Inner {
                observer,
                steps,
                links,
            }
        }))
    }

    /// Has the observer told of the end of `task`, whose owner the caller is; `false` if it is done already, and
    /// nothing will be told. Replaces whoever waits on behalf of the owner.
    ///
    /// # Panics
    ///
    /// If `index` is out of range or in use.
    pub fn observe<T>(&self, index: usize, task: &mut Task<T>) -> bool {
        let task = task.ptr();
        let waker = self.link_waker(index, task);
        if release_slot(task) && put_in_slot(task, waker) {
            return true;
        }
        self.0.links.get(index).release();
        false
    }

    /// Has the observer told of the end of `task`, until the returned registration is dropped; `None` if
    /// it is done already.
    ///
    /// # Panics
    ///
    /// If `index` is out of range or in use.
    pub fn observe_ref(&self, index: usize, task: &TaskRef) -> Option<Observation> {
        let waker = self.link_waker(index, task.ptr());
        match task.list(WaiterKind::Wake(waker)) {
            Ok(id) => Some(Observation {
                task: task.clone(),
                id,
            }),
            Err(refused) => {
                drop(refused);
                self.0.links.get(index).release();
                None
            }
        }
    }

    /// Tells the observer of the end of a task that was done before it could be observed, as a step of the event loop;
    /// outside any runtime at once.
    pub fn tell(&self, index: usize, child: &TaskRef) {
        let (group, child) = (Arc::clone(&self.0), child.clone());
        current::call_soon(Box::new(move || group.observer.child_done(index, &child)));
    }

    /// Takes the registration of `task` back, whose owner the caller is, if it is still there.
    pub fn forget<T>(&self, task: &mut Task<T>) {
        release_slot(task.ptr());
    }

    fn link_waker(&self, index: usize, task: TaskPtr) -> Waker {
        let link = self.0.links.get(index);
        // Ordering: Relaxed; the exchange that announces the waker publishes the pointer. A link has one user at a time.
        let before = link.child.load(Ordering::Relaxed);
        assert!(before.is_null(), "link {index} of the group is in use");
        link.child
            .store(task.as_raw().cast_mut(), Ordering::Relaxed);
        // The waker has a count of its own.
        let _counted = Arc::into_raw(Arc::clone(&self.0));
        // SAFETY: the functions keep the contract of `RawWaker`; the data is a link with a count.
        unsafe {
            Waker::from_raw(RawWaker::new(
                ptr::from_ref(link).cast(),
                &Link::<O>::VTABLE,
            ))
        }
    }
}

impl<O> Clone for Group<O> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<O> fmt::Debug for Group<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Group").finish_non_exhaustive()
    }
}

impl<O: Observer> Inner<O> {
    /// Tells the observer, here or as a step of its own.
    fn told(self: &Arc<Self>, index: usize, child: TaskRef) {
        match &self.steps {
            None => self.observer.child_done(index, &child),
            Some(steps) => {
                let group = Arc::clone(self);
                steps.call_soon(Box::new(move || group.observer.child_done(index, &child)));
            }
        }
    }
}

impl<O: Observer> Link<O> {
    const VTABLE: RawWakerVTable = RawWakerVTable::new(
        Self::clone_waker,
        Self::wake,
        Self::wake_by_ref,
        Self::drop_waker,
    );

    /// Frees the link for another child.
    fn release(&self) -> *mut Header {
        // Ordering: Relaxed; the pointer is used by the thread that takes it, which came here through the child's state.
        // No exchange: who has the link's waker, of which there is one, is alone here.
        let child = self.child.load(Ordering::Relaxed);
        self.child.store(ptr::null_mut(), Ordering::Relaxed);
        child
    }

    /// # Safety
    ///
    /// `data` is that of a waker of this table, whose count the caller takes over.
    unsafe fn take_over(data: *const ()) -> (Arc<Inner<O>>, usize, *mut Header) {
        // SAFETY: the count keeps the record, and the link with it.
        let link = unsafe { &*data.cast::<Self>() };
        let (index, child) = (link.index, link.release());
        // SAFETY: the waker's count.
        (unsafe { Arc::from_raw(link.group) }, index, child)
    }

    unsafe fn clone_waker(data: *const ()) -> RawWaker {
        // SAFETY: the waker has a count, so the link is there.
        let link = unsafe { &*data.cast::<Self>() };
        // SAFETY: as above.
        unsafe { Arc::increment_strong_count(link.group) };
        RawWaker::new(data, &Self::VTABLE)
    }

    unsafe fn wake(data: *const ()) {
        // SAFETY: called by the waker, which is gone afterwards.
        let (group, index, child) = unsafe { Self::take_over(data) };
        let Some(header) = ptr::NonNull::new(child) else {
            return;
        };
        // SAFETY: the completer of the child calls this, and has a reference.
        let child = unsafe { TaskPtr::new(header) };
        // SAFETY: `TaskRef` is a transparent `TaskPtr`. Behind a reference it is never dropped, so the completer's
        // reference to the cell serves it as well.
        let child = unsafe { &*ptr::from_ref(&child).cast::<TaskRef>() };
        match &group.steps {
            None => group.observer.child_done(index, child),
            Some(_) => group.told(index, child.clone()),
        }
    }

    /// Nobody wakes these by reference.
    unsafe fn wake_by_ref(_: *const ()) {}

    unsafe fn drop_waker(data: *const ()) {
        // SAFETY: called by the waker, which is gone afterwards.
        drop(unsafe { Self::take_over(data) });
    }
}

/// Empties the slot of a task whose handle the caller owns; `false` if the task is done.
fn release_slot(task: TaskPtr) -> bool {
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
fn put_in_slot(task: TaskPtr, waker: Waker) -> bool {
    if task.state().load().is_listed() {
        // Behind those who are on the list already (rule H7).
        let mut shared = task.ext_or_new().shared.lock();
        shared.before_slot = shared.waiters.len();
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

/// The entry in the side block.
pub(crate) struct Forward(Arc<dyn CancelForward>);

impl Forward {
    pub(crate) fn cancel(&self, message: Option<&CancelMessage>) -> bool {
        self.0.cancel(message)
    }

    fn is_all_done(&self) -> bool {
        self.0.is_all_done()
    }
}

impl fmt::Debug for Forward {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Forward")
    }
}

impl<O: Observer + CancelForward> Group<O> {
    /// As [`promise`](crate::promise), for a task that stands for the group: a cancel request does not end it, but
    /// goes to the observer, and the task ends when the promise is kept.
    #[track_caller]
    pub fn promise<T: Send + 'static>(&self) -> (Promise<T>, Task<T>) {
        let target: Arc<dyn CancelForward> = Arc::<Inner<O>>::clone(&self.0);
        let ext = Ext::forwarding(Forward(target));
        new_promise(Location::caller(), Some(ext))
    }
}

impl<O: Observer + CancelForward> CancelForward for Inner<O> {
    fn cancel(&self, message: Option<&CancelMessage>) -> bool {
        self.observer.cancel(message)
    }

    fn is_all_done(&self) -> bool {
        self.steps.is_some() && self.observer.is_all_done()
    }
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
    /// [`Group`]. `false` if the task is done already, and nothing will be told.
    pub fn observe(&self, index: usize, observer: Arc<dyn Observer>) -> bool {
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
