//! The typed cell: where the future lives, then the output; how it is polled and how it ends.

use std::any::type_name;
use std::marker::PhantomData;
use std::mem::{ManuallyDrop, needs_drop, offset_of};
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::pin::Pin;
use std::ptr::{self, NonNull};
use std::task::{Context, Poll};

use super::cancel;
use super::context::ContextCell;
use super::current;
use super::error::{Problem, Reporter, TaskError, Trouble};
use super::ext::{Ext, Waiter, WaiterKind, Waiters};
use super::handle::TaskRef;
use super::header::{Header, Parts, TaskPtr, VTable, WithAnnex};
use super::observe;
use super::schedule::{Anchor, Schedule};
use super::state::{End, Kind, Snapshot, State};
use super::waker;
use crate::slab::{self, Block, CELL_ALIGN, Class};

/// A task's memory. The header must come first: a pointer to the one is a pointer to the other.
#[repr(C)]
struct Cell<F: Filling> {
    head: WithAnnex<F::Annex>,
    body: Body<F>,
}

/// The content until the task completes, the output from then on. For the layout only: both begin where it begins.
#[repr(C)]
union Body<F: Filling> {
    content: ManuallyDrop<F::Content>,
    output: ManuallyDrop<Result<F::Output, TaskError>>,
}

/// What fills a cell: a future, a closure, or whoever keeps a promise.
pub(super) trait Filling {
    /// What cells of the kind have beside the header.
    type Annex: Default;
    /// What the cell holds until the task is done.
    type Content;
    type Output;

    /// Polls the content.
    ///
    /// # Safety
    ///
    /// The caller is the holder, and the content is there.
    unsafe fn poll(_: TaskPtr, _: &mut Context<'_>) -> Poll<Self::Output> {
        unreachable!("a passive cell is never queued")
    }

    /// Drops the content in place, if it has not been taken out.
    ///
    /// # Safety
    ///
    /// The caller is the holder, the task is not done, and the content is not used again.
    unsafe fn drop_content(task: TaskPtr);

    /// See [`VTable::run`].
    ///
    /// # Safety
    ///
    /// As there.
    unsafe fn run(_: TaskPtr) {
        unreachable!("only jobs are run")
    }
}

/// A future that a scheduler polls.
struct Polled<F>(PhantomData<F>);

impl<F: Future> Filling for Polled<F> {
    type Annex = cancel::Note;
    type Content = F;
    type Output = F::Output;

    #[inline(always)]
    unsafe fn poll(task: TaskPtr, cx: &mut Context<'_>) -> Poll<F::Output> {
        // SAFETY: the caller is the holder and the cell has its future.
        let future = unsafe { task.body::<F>().as_mut() };
        // SAFETY: the future stays in the cell until it is dropped there.
        unsafe { Pin::new_unchecked(future) }.poll(cx)
    }

    #[inline(always)]
    unsafe fn drop_content(task: TaskPtr) {
        // SAFETY: the caller's promise.
        unsafe { task.body::<F>().drop_in_place() };
    }
}

/// What a new task is made of, besides its future.
#[derive(Debug)]
pub(crate) struct Birth {
    pub(crate) kind: Kind,
    pub(crate) home: Option<usize>,
    pub(crate) id: u64,
    pub(crate) location: &'static Location<'static>,
    pub(crate) scheduler: NonNull<Anchor>,
    pub(crate) ext: Option<Block<Ext>>,
}

/// Makes a cell. It belongs to the caller as its holder, and has two references: the runtime's and the handle's.
///
/// # Safety
///
/// 1. `birth.scheduler` stays valid until the task is COMPLETE.
/// 2. The future is polled and dropped only where its type allows: if it is not `Send`, `birth.home`
///    keeps it on this thread. If it is not `'static`, the caller sees to it that the task
///    completes, and the output is taken, before anything borrowed ends.
#[inline(always)]
pub(crate) unsafe fn new<F: Future>(future: F, birth: Birth) -> TaskPtr {
    if size_of::<F>() <= FUTURE_BYTES_MAX && align_of::<F>() <= CELL_ALIGN {
        // SAFETY: passed on.
        unsafe { Typed::<Polled<F>, F>::make(future, birth) }
    } else {
        // SAFETY: passed on; a box is as sendable as what is in it.
        unsafe { Typed::<Polled<Pin<Box<F>>>, F>::make(Box::pin(future), birth) }
    }
}

/// Makes a passive cell, known to people by the type `N`, with the content in it whatever its size.
///
/// # Safety
///
/// 1. `birth.scheduler` was entrusted to the cell, and `birth.kind` is a passive one.
/// 2. Content and output are `Send` and `'static`.
pub(super) unsafe fn new_passive<F: Filling, N>(content: F::Content, birth: Birth) -> TaskPtr {
    // SAFETY: passed on: the cell has a reference to its scheduler until it is about to be COMPLETE.
    unsafe { Typed::<F, N>::make(content, birth) }
}

/// A future above this is put behind a pointer of its own.
const FUTURE_BYTES_MAX: usize = 2048;

/// The functions of a cell that is filled by `F`, which people know as `N`.
struct Typed<F, N>(PhantomData<(F, N)>);

impl<F: Filling, N> Typed<F, N> {
    const CLASS: Class = Class::for_layout(size_of::<Cell<F>>(), align_of::<Cell<F>>());

    const VTABLE: &'static VTable = &VTable {
        poll: Self::poll,
        fail: Self::fail,
        failure: Self::failure,
        run: F::run,
        drop_output: Self::drop_output,
        free: Self::free,
        output_offset: offset_of!(Cell<F>, body),
        type_name: type_name::<N>,
    };

    /// # Safety
    ///
    /// As for [`new`].
    #[inline(always)]
    unsafe fn make(content: F::Content, birth: Birth) -> TaskPtr {
        let Birth {
            kind,
            home,
            id,
            location,
            scheduler,
            ext,
        } = birth;
        let cell: NonNull<Cell<F>> = slab::allocate(Self::CLASS).cast();
        let parts = Parts::new(Self::VTABLE, ext, id, location, scheduler);
        // SAFETY: the class is large and aligned enough for the cell, and its memory belongs to this function but for
        // the state word, which walkers may look at all the time and which is published last.
        unsafe { Header::write_parts(cell.cast(), parts) };
        // SAFETY: as above; the header is followed by that annex.
        unsafe { WithAnnex::write_annex(cell.cast(), F::Annex::default()) };
        // SAFETY: a cell begins with its header, whose parts are written; the state is an atomic that
        // is valid from the start (zero).
        let task = unsafe { TaskPtr::new(cell.cast()) };
        // SAFETY: the body is this function's to write, as above.
        unsafe { task.body::<F::Content>().write(content) };
        task.state().publish(State::initial(kind, home));
        task
    }

    unsafe fn poll(task: TaskPtr, cx: &mut Context<'_>) -> Poll<()> {
        let polled = catch_unwind(AssertUnwindSafe(|| {
            // SAFETY: the caller is the holder and the cell has its content.
            unsafe { F::poll(task, cx) }
        }));
        let output = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            // SAFETY: the content is there, and is not used again.
            Ok(Poll::Ready(value)) => match unsafe { Self::drop_content(task) } {
                Ok(()) => Ok(value),
                Err(error) => {
                    current::drop_reported(value);
                    Err(error)
                }
            },
            // Panic: the future is in whatever state its own unwinding left; it is only dropped.
            Err(payload) => {
                // SAFETY: as above. A second panic is less telling than the first.
                drop(unsafe { Self::drop_content(task) });
                Err(panicked(task, payload))
            }
        };
        // SAFETY: the future is gone and the memory is the holder's.
        unsafe { Self::output(task).write(output) };
        Poll::Ready(())
    }

    fn output(task: TaskPtr) -> NonNull<Result<F::Output, TaskError>> {
        task.body()
    }

    /// Drops the content in place, if it has not been taken out.
    ///
    /// # Safety
    ///
    /// As for [`Filling::drop_content`].
    #[inline(always)]
    unsafe fn drop_content(task: TaskPtr) -> Result<(), TaskError> {
        if !needs_drop::<F::Content>() {
            return Ok(());
        }
        catch_unwind(AssertUnwindSafe(|| {
            // SAFETY: the caller's promise.
            unsafe { F::drop_content(task) }
        }))
        .map_err(|payload| panicked(task, payload))
    }

    unsafe fn fail(task: TaskPtr, error: TaskError, has_output: bool) {
        let dropped = if has_output {
            // SAFETY: the caller's promise: the output is there.
            unsafe { Self::drop_output(task) };
            Ok(())
        } else {
            // SAFETY: the caller's promise: the content is there, if it has not been taken out.
            unsafe { Self::drop_content(task) }
        };
        // A panic of the clean-up replaces the cancellation, as any error does (rule C13).
        let output = Err(dropped.err().unwrap_or(error));
        // SAFETY: what was there is gone and the memory is the holder's.
        unsafe { Self::output(task).write(output) };
    }

    unsafe fn failure(task: TaskPtr) -> Option<NonNull<TaskError>> {
        // SAFETY: the caller's promise: the output is there and stays.
        let output = unsafe { Self::output(task).as_ref() };
        output.as_ref().err().map(NonNull::from)
    }

    unsafe fn drop_output(task: TaskPtr) {
        // SAFETY: the caller's promise: the output is there and the caller's.
        current::drop_reported(unsafe { Self::output(task).read() });
    }

    unsafe fn free(task: TaskPtr) {
        let memory = NonNull::new(task.as_raw().cast_mut())
            .expect("not null")
            .cast();
        // SAFETY: the memory came from `make` with this class; the caller gives it up.
        unsafe { slab::free(memory, Self::CLASS) };
    }
}

#[cold]
fn panicked(task: TaskPtr, payload: Box<dyn std::any::Any + Send>) -> TaskError {
    // SAFETY: a panic is recorded before the task is COMPLETE, so the scheduler is there.
    let reporter = unsafe { task.scheduler() }.reporter();
    TaskError::panicked(task.task_name(), payload, Some(reporter))
}

/// The right, and the duty, to poll a task once: there is one at most for any task.
#[derive(Debug)]
#[must_use = "a task whose runnable is lost never runs again"]
pub(crate) struct Runnable(TaskPtr);

/// What a runnable has become.
#[must_use]
#[derive(Debug)]
pub(crate) enum After {
    /// Suspended or done.
    Gone,
    /// To be queued again, behind the others.
    Again(Runnable),
}

impl Runnable {
    /// # Safety
    ///
    /// The caller is the holder of `task`, and no longer after the call.
    #[inline(always)]
    pub(crate) unsafe fn new(task: TaskPtr) -> Self {
        Self(task)
    }

    #[inline(always)]
    pub(crate) fn task(&self) -> TaskPtr {
        self.0
    }

    /// The place the task is bound to.
    #[inline(always)]
    pub(crate) fn home(&self) -> Option<usize> {
        self.0.state().load().home()
    }

    /// Polls the task once.
    #[inline(always)]
    pub(crate) fn run(self) -> After {
        let task = self.0;
        let state = task.state().start_poll();
        if state.has_kill() || (state.has_cancel() && !state.is_started()) {
            return end_unpolled(task);
        }
        // SAFETY: a runnable is the holder.
        unsafe { cancel::reset_waits_for(task) };
        let current_task = if state.is_callback() {
            ptr::null()
        } else {
            task.as_raw()
        };
        let waker = waker::borrowed(task);
        let mut cx = Context::from_waker(&waker);
        let (polled, self_woken) = current::with(|current| {
            let outer = current.enter(current_task, state.has_cancel(), context_of(task));
            // SAFETY: a runnable is the holder, and a task that is not done has its future.
            let mut polled = unsafe { (task.header().vtable.poll)(task, &mut cx) };
            if polled.is_pending() && current.delivering() {
                polled = deliver_at_root(task);
            }
            let self_woken = current.is_self_woken();
            // Liveness: left before the task is given up. From then on a wake on this thread, by what a request is passed
            // on to, must reach the state word and not the note that this poll is over with.
            current.leave(&outer);
            (polled, self_woken)
        });
        if polled.is_ready() {
            complete(task);
            return After::Gone;
        }
        if self_woken {
            if !state.is_started() {
                task.state().set_started();
            }
            return After::Again(Self(task));
        }
        // SAFETY: still the holder.
        if unsafe { cancel::suspend(task) } {
            After::Again(Self(task))
        } else {
            After::Gone
        }
    }
}

/// The context of context variables that the task runs in.
#[inline(always)]
fn context_of(task: TaskPtr) -> *const ContextCell {
    task.ext()
        .and_then(Ext::context)
        .map_or(ptr::null(), super::Context::as_ptr)
}

/// A cancellation went through all scopes: the future is dropped, and the task is to end with it. Pending if the
/// request was taken back during the poll: the leaves that stood back have arranged for another.
#[cold]
fn deliver_at_root(task: TaskPtr) -> Poll<()> {
    let Some(message) = cancel::take_delivery(task) else {
        return Poll::Pending;
    };
    let error = cancel::unwound(task, message);
    // SAFETY: the caller is the holder, and the future is there.
    unsafe { (task.header().vtable.fail)(task, error, false) };
    Poll::Ready(())
}

/// Ends a task without polling it: cancelled before it began, or its runtime is going away.
#[cold]
fn end_unpolled(task: TaskPtr) -> After {
    current::with(|current| {
        let outer = current.enter(task.as_raw(), false, context_of(task));
        let message = cancel::take_request(task);
        let error = cancel::unwound(task, message);
        // SAFETY: the caller has the runnable, so it is the holder, and the future is there.
        unsafe { (task.header().vtable.fail)(task, error, false) };
        current.leave(&outer);
    });
    complete(task);
    After::Gone
}

/// Ends a task whose output is in place.
pub(super) fn complete(task: TaskPtr) {
    // SAFETY: the output is in place and the caller is the holder.
    let end = match unsafe { failure(task) } {
        None => End::Value,
        Some(error) if error.is_cancelled() => End::Cancelled,
        Some(_) => End::Panicked,
    };
    let before = task
        .state()
        .complete(end)
        .unwrap_or_else(|()| overtaken(task));
    if !State::completes_without_duties(before) {
        finish(task, before);
    }
}

/// The failure in a task's output.
///
/// # Safety
///
/// The output is in place and stays for as long as the reference is used.
#[inline(always)]
unsafe fn failure<'a>(task: TaskPtr) -> Option<&'a TaskError> {
    // SAFETY: the caller's promise.
    let error = unsafe { (task.header().vtable.failure)(task) }?;
    // SAFETY: as above.
    Some(unsafe { error.as_ref() })
}

/// The task was asked to stop before it was done, and never suspended again: cancelled after all (rule C7).
#[cold]
fn overtaken(task: TaskPtr) -> Snapshot {
    let error = cancel::cancelled(task, cancel::take_request(task));
    // SAFETY: the output is in place and the caller is the holder.
    unsafe { (task.header().vtable.fail)(task, error, true) };
    task.state()
        .complete(End::Cancelled)
        .expect("a failure overtakes requests")
}

/// Tells everybody that the task is done, and gives the runtime's reference up.
fn finish(task: TaskPtr, before: Snapshot) {
    if before.is_listed() {
        notify_listed(task, before);
    } else if before.has_waiter() {
        wake_slot(task);
    }
    if !before.has_handle() {
        // SAFETY: without a handle the output is the completer's.
        unsafe { drop_detached_output(task, before.is_observed()) };
    }
    if before.is_listed() {
        // SAFETY: the runtime's reference, which is not used again.
        unsafe { task.release_told() };
    } else {
        // SAFETY: as above.
        unsafe { task.release() };
    }
}

/// Drops an output that nobody will see; reports it if it is a panic.
///
/// # Safety
///
/// The task is done and the output is the caller's.
pub(super) unsafe fn drop_detached_output(task: TaskPtr, observed: bool) {
    // SAFETY: the output is there and the caller's.
    let failure = unsafe { failure(task) };
    if let Some(error) = failure
        && error.is_panic()
        && !observed
    {
        error.report_unobserved();
    }
    // SAFETY: as above.
    unsafe { (task.header().vtable.drop_output)(task) };
}

/// Wakes whoever waits in the header's slot.
#[inline(always)]
fn wake_slot(task: TaskPtr) {
    // SAFETY: the task is COMPLETE with WAITER set, so the waker is there, and the completer's.
    let waker = unsafe { task.header().take_waiter() };
    waker::wake_quietly(task, waker);
}

/// Wakes and calls everybody in the order in which they registered.
#[cold]
fn notify_listed(task: TaskPtr, before: Snapshot) {
    let ext = task.ext().expect("listed waiters have a side block");
    // SAFETY: the thread that completes a task keeps its scheduler alive.
    let scheduler = unsafe { task.scheduler() };
    let separate = scheduler.separates_callbacks() && !scheduler.permutes_steps();
    if !before.has_waiter() {
        let only = ext.shared.lock().take_only_waiter();
        if let Some(only) = only {
            return tell(task, scheduler, separate, only);
        }
    }
    let (mut waiters, before_slot) = ext.shared.lock().take_waiters();
    if before.has_waiter() {
        // SAFETY: the task is COMPLETE with WAITER set, so the waker is there, and the completer's.
        let what = WaiterKind::Wake(unsafe { task.header().take_waiter() });
        waiters.insert(before_slot.min(waiters.len()), Waiter { id: 0, what });
    }
    let has_calls = waiters
        .iter()
        .any(|waiter| matches!(waiter.what, WaiterKind::Call(_)));
    if has_calls && !separate {
        let reporter = scheduler.reporter();
        let told = Told {
            task: TaskRef::from_ptr(task),
            waiters,
            reporter,
        };
        scheduler.call_soon(Box::new(move || told.run()));
        return;
    }
    for Waiter { what, .. } in waiters {
        tell(task, scheduler, separate, what);
    }
}

/// Tells one of those who are told one by one.
#[inline]
fn tell(task: TaskPtr, scheduler: &dyn Schedule, separate: bool, what: WaiterKind) {
    match what {
        WaiterKind::Wake(waker) => waker::wake_quietly(task, waker),
        WaiterKind::Tell(observer, index) if separate => {
            let task = TaskRef::from_ptr(task);
            scheduler.call_soon(Box::new(move || observer.child_done(index as usize, &task)));
        }
        WaiterKind::Tell(observer, index) => observe::tell_quietly(task, observer, index),
        WaiterKind::Call(callback) => {
            let task = TaskRef::from_ptr(task);
            scheduler.call_soon(Box::new(move || callback.run(task)));
        }
    }
}

/// Those who are told of a task's end in one step: callbacks of one future run one after the other (rule M1), and who
/// is woken is woken in the order of registration, with the callbacks (rules D9, H7).
struct Told {
    task: TaskRef,
    waiters: Waiters,
    reporter: Reporter,
}

impl Told {
    fn run(mut self) {
        while let Some(Waiter { what, .. }) = self.waiters.pop_front() {
            let ran = catch_unwind(AssertUnwindSafe(|| match what {
                WaiterKind::Wake(waker) => waker.wake(),
                WaiterKind::Tell(observer, index) => {
                    observer.child_done(index as usize, &self.task);
                }
                WaiterKind::Call(callback) => callback.run(self.task.clone()),
            }));
            if let Err(payload) = ran {
                (self.reporter)(Problem::from_panic(Trouble::CallbackPanicked, payload));
            }
        }
    }
}

// Liveness: a runtime that has ended drops steps unrun; those who only wait are woken all the same.
impl Drop for Told {
    fn drop(&mut self) {
        for Waiter { what, .. } in std::mem::take(&mut self.waiters) {
            let told = catch_unwind(AssertUnwindSafe(|| match what {
                WaiterKind::Wake(waker) => waker.wake(),
                WaiterKind::Tell(observer, index) => {
                    observer.child_done(index as usize, &self.task);
                }
                WaiterKind::Call(_) => {}
            }));
            if let Err(payload) = told {
                (self.reporter)(Problem::from_panic(Trouble::DropPanicked, payload));
            }
        }
    }
}

/// Queues a task with its scheduler.
///
/// # Safety
///
/// The caller is the holder, and no longer after the call.
#[inline(always)]
pub(crate) unsafe fn queue(task: TaskPtr) {
    // SAFETY: a task that is held is not done, so its scheduler is there.
    let scheduler = unsafe { task.scheduler() };
    // SAFETY: the caller is the holder.
    scheduler.schedule(unsafe { Runnable::new(task) });
}
