//! Tasks that are filled by a closure, which runs once on some executor's thread.
//!
//! The closure lies in the cell like a future does. The state word decides who gets it:
//!
//! | phase | flags beside PASSIVE and JOB | the closure | a cancel |
//! |---|---|---|---|
//! | waiting | none | in the cell | drops the closure and ends the task; the [`Job`] is a husk |
//! | starting | OWNED | on its way to the thread's stack | is noted; the thread drops the closure instead of running it, and is *ending* |
//! | running | STARTED | on the thread's stack | ends the task; the closure runs on, and can see it |
//! | ending | STARTED, OWNED | gone | comes too late |
//! | done | COMPLETE | gone | is refused |
//!
//! So a closure runs as a whole or not at all, and never twice: only who wins the claim from *waiting* touches it.

use std::any::Any;
use std::fmt;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::ptr::{self, NonNull};

use super::cancel;
use super::cell::{self, Birth, Filling};
use super::context::{Context, ContextCell};
use super::current;
use super::error::{CancelMessage, TaskError, drop_quietly};
use super::ext::{Attachment, Ext};
use super::handle::{Task, TaskRef};
use super::header::{Header, TaskPtr};
use super::job_queue::Link;
use super::promise::{self, Promise};
use super::schedule::{Anchor, Schedule};
use super::state::Kind;

/// What fills a job's cell: the closure, until STARTED says that it has been taken out.
struct Work<F, R>(PhantomData<fn(F) -> R>);

impl<F, R> Filling for Work<F, R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    type Annex = Link;
    type Content = F;
    type Output = R;

    unsafe fn drop_content(task: TaskPtr) {
        if !task.state().load().is_started() {
            // SAFETY: the closure is there, and the caller's.
            unsafe { task.body::<F>().drop_in_place() };
        }
    }

    unsafe fn run(task: TaskPtr) {
        // SAFETY: the cell was made with such a closure; the caller's reference is passed on.
        unsafe { run::<F, R>(task) };
    }
}

/// A closure to be run once, by an executor: the other end of a [`Task`].
///
/// Dropping a job that was not run cancels the task.
///
/// # asyncio counterpart
///
/// The work item that `loop.run_in_executor()` hands to its executor.
///
/// # Examples
///
/// ```
/// # let rt = tasca_core::Runtime::builder().current_thread().build().unwrap();
/// # rt.block_on(async {
/// let (job, task) = tasca_core::JobBuilder::new().build(|| 6 * 7);
/// std::thread::spawn(move || job.run());
/// assert_eq!(task.await, 42);
/// # });
/// ```
#[must_use = "dropping a job cancels its task"]
pub struct Job {
    // Invariant: a job's cell, and a reference to it.
    task: TaskPtr,
}

// SAFETY: the closure in the cell is `Send`, and is reached only by who owns the job.
unsafe impl Send for Job {}
// SAFETY: a shared job gives no access to the closure.
unsafe impl Sync for Job {}

/// Describes a [`Job`] to be made. For executors and those who submit to them.
#[derive(Debug)]
#[must_use = "a builder does nothing until `build`"]
pub struct JobBuilder {
    location: &'static Location<'static>,
    name: Option<String>,
    context: Option<Context>,
}

impl JobBuilder {
    /// A job that comes from the caller's line, with a default name (`Job-1`, `Job-2`, …) and an empty context.
    #[track_caller]
    pub fn new() -> Self {
        Self {
            location: Location::caller(),
            name: None,
            context: None,
        }
    }

    /// Sets where the job comes from.
    pub fn location(mut self, location: &'static Location<'static>) -> Self {
        self.location = location;
        self
    }

    /// Sets the task's name.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets the context that the closure runs in: that very one, shared, not a copy.
    pub fn context(mut self, context: Context) -> Self {
        self.context = Some(context);
        self
    }

    /// Has the closure run in a copy of the context that the caller is in now.
    pub fn inherit_context(mut self) -> Self {
        self.context = Context::inherit();
        self
    }

    /// Makes the job and its task. It belongs to the runtime that this thread is in, if any: that one lists
    /// the task, and runs its done-callbacks.
    pub fn build<F, R>(self, work: F) -> (Job, Task<R>)
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        self.build_as::<F, F, R>(work)
    }

    /// As [`build`](Self::build), with a closure that people know by the type of another.
    pub fn build_as<N, F, R>(self, work: F) -> (Job, Task<R>)
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        let scheduler = promise::scheduler_here();
        let Self {
            location,
            name,
            context,
        } = self;
        let ext =
            (name.is_some() || context.is_some()).then(|| Ext::new(context, name.map(Into::into)));
        scheduler.job_began();
        let birth = Birth {
            kind: Kind::Job,
            home: None,
            id: scheduler.next_job_id(),
            location,
            scheduler: Anchor::entrust(scheduler),
            ext,
        };
        // SAFETY: (1) entrusted just now. (2) Closure and output are `Send` and `'static`.
        let task = unsafe { cell::new_passive::<Work<F, R>, N>(work, birth) };
        // The runtime's reference of an ordinary task is the job's here.
        // SAFETY: the cell was made for an `R`, and nobody else has its handle.
        (Job { task }, unsafe { Task::from_ptr(task) })
    }
}

impl Default for JobBuilder {
    #[track_caller]
    fn default() -> Self {
        Self::new()
    }
}

impl Job {
    /// Runs the closure on this thread, unless its task was cancelled before.
    ///
    /// Never panics: a panic of the closure is the task's outcome.
    pub fn run(self) {
        let task = self.into_ptr();
        // SAFETY: a job's cell; its reference goes with it.
        unsafe { (task.header().vtable.run)(task) };
    }

    /// Leaves the job to the caller, who gives it back to [`from_ptr`](Self::from_ptr).
    pub(super) fn into_ptr(self) -> TaskPtr {
        ManuallyDrop::new(self).task
    }

    /// # Safety
    ///
    /// The pointer came from [`into_ptr`](Self::into_ptr), and is not used again.
    pub(super) unsafe fn from_ptr(task: TaskPtr) -> Self {
        Self { task }
    }

    /// Ends the job without running it: the task ends as if the closure had panicked with `why`.
    ///
    /// For an executor that cannot run it. If it was cancelled before, nothing happens.
    pub fn fail(self, why: impl Into<String>) {
        let task = self.task;
        if !task.state().claim() {
            return;
        }
        // SAFETY: claimed just now.
        let scheduler = unsafe { promise::take_scheduler(task) };
        let payload: Box<dyn Any + Send> = Box::new(why.into());
        let error = TaskError::panicked(task.task_name(), payload, Some(scheduler.reporter()));
        // SAFETY: claimed, and the closure is there.
        unsafe { (task.header().vtable.fail)(task, error, false) };
        // The completer's reference; the job's own goes with its drop.
        task.state().acquire();
        promise::complete(task, &*scheduler);
    }

    /// Cancels the task because the executor cannot run it any more, and says why.
    pub fn cancel(self, why: impl Into<CancelMessage>) {
        promise::cancel_passive(self.task, Some(&why.into()));
    }

    /// Keeps `value` until the job starts or is cancelled, whichever comes first, and drops it then.
    ///
    /// For an executor that counts the jobs in its queue: the drop says that this one is no longer among them.
    pub fn attach(&self, value: impl Any + Send) {
        let mut shared = self.task.ext_or_new().shared.lock();
        let late = if self.is_cancelled() {
            Some(Attachment(Box::new(value)))
        } else {
            shared
                .rest_mut()
                .attachment
                .replace(Attachment(Box::new(value)))
        };
        drop(shared);
        drop_quietly(late);
    }

    /// Takes over the hold that the job has on the clock of a deterministic runtime, if it is that of `scheduler` and the job
    /// still has it: `true`, if so.
    pub(crate) fn take_clock(&self, scheduler: &dyn Schedule) -> bool {
        self.task.header().scheduler == NonNull::from(scheduler.anchor()) && take_clock(self.task)
    }

    /// Whether the task was cancelled, so that there is nothing left to run.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.task.state().load().is_complete()
    }

    /// Gives the place that the job comes from.
    #[must_use]
    pub fn spawned_at(&self) -> &'static Location<'static> {
        self.task.header().location
    }

    /// Gives an untyped handle to the task.
    #[must_use]
    pub fn task_ref(&self) -> TaskRef {
        TaskRef::from_ptr(self.task)
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        if !self.task.state().load().is_complete() {
            promise::cancel_passive(self.task, Some(&"the executor dropped the job".into()));
        }
        // SAFETY: the job's reference, not used again.
        unsafe { self.task.release() };
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Job").field(&self.task_ref()).finish()
    }
}

/// Runs a job's closure, and ends its task.
///
/// # Safety
///
/// `task` was made with a closure of that type, and the caller gives the job's reference.
unsafe fn run<F, R>(task: TaskPtr)
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    struct Release(TaskPtr);
    impl Drop for Release {
        fn drop(&mut self) {
            // SAFETY: the job's reference, not used again.
            unsafe { self.0.release() };
        }
    }
    if !task.state().claim() {
        drop(Release(task));
        return;
    }
    // SAFETY: the claim from *waiting*, which is won once, made the closure this thread's. STARTED tells of it below, before
    // anybody else can win another.
    let work = unsafe { task.body::<F>().read() };
    // SAFETY: claimed, so it is not COMPLETE.
    let scheduler = unsafe { task.scheduler() };
    // On a loop whose callbacks are steps of their own, so is a job's end (rule B8).
    let loops = scheduler.separates_callbacks().then(|| scheduler.keep());
    let has_begun = task.state().start_job();
    detach(task);
    if !has_begun {
        // Panic: the closure's captures are user code.
        drop_quietly(work);
        // SAFETY: still claimed.
        unsafe { promise::end_cancelled(task, cancel::take_request(task)) };
        drop(Release(task));
        return;
    }
    // SAFETY: the job's reference; the closure is out of the cell.
    let promise = unsafe { Promise::<R>::from_ptr(task) };
    let result = enter(task, work);
    match loops {
        None => keep(promise, result),
        Some(scheduler) => scheduler.call_soon(Box::new(move || keep(promise, result))),
    }
}

/// Takes the hold that a job has on a virtual clock from its making to its end; `true` for the first to ask.
pub(super) fn take_clock(task: TaskPtr) -> bool {
    let mut shared = task.ext_or_new().shared.lock();
    !std::mem::replace(&mut shared.rest_mut().clock_taken, true)
}

/// Drops what the job keeps while it waits.
pub(super) fn detach(task: TaskPtr) {
    if let Some(ext) = task.ext() {
        let attachment = ext
            .shared
            .lock()
            .rest_made()
            .and_then(|rest| rest.attachment.take());
        drop_quietly(attachment);
    }
}

/// Runs the closure as the job of this thread.
fn enter<R>(task: TaskPtr, work: impl FnOnce() -> R) -> Result<R, Box<dyn Any + Send>> {
    struct Restore {
        job: *const Header,
        context: *const ContextCell,
    }
    impl Drop for Restore {
        fn drop(&mut self) {
            current::with(|current| {
                current.replace_job(self.job);
                current.set_context(self.context);
            });
        }
    }
    // A job without a context makes one when it sets a variable, and that one is forgotten with it.
    let context = task
        .ext()
        .and_then(Ext::context)
        .map_or(ptr::null(), Context::as_ptr);
    let _restore = current::with(|current| {
        let outer = Restore {
            job: current.replace_job(task.as_raw()),
            context: current.context(),
        };
        current.set_context(context);
        outer
    });
    catch_unwind(AssertUnwindSafe(work))
}

/// Completes a started job.
fn keep<R>(promise: Promise<R>, result: Result<R, Box<dyn Any + Send>>) {
    match result {
        // Nobody wants what a cancelled job has come to.
        Ok(value) => {
            if let Err(value) = promise.set(value) {
                drop_quietly(value);
            }
        }
        Err(payload) => {
            if let Err(payload) = promise.set_panic(payload) {
                drop_quietly(payload);
            }
        }
    }
}

/// Gives the job whose closure this code runs in, if any.
#[must_use]
pub fn current_job() -> Option<TaskRef> {
    current::with(current::Current::job).map(TaskRef::from_ptr)
}

/// Says whether the job whose closure this code runs in was cancelled: `None` outside a job and if it was not, else the
/// message of the request, if it had one.
#[must_use]
pub fn current_job_cancelled() -> Option<Option<CancelMessage>> {
    let task = current::with(current::Current::job)?;
    if !task.state().load().is_complete() {
        return None;
    }
    let shared = task.ext()?.shared.lock();
    Some(shared.message().cloned())
}
