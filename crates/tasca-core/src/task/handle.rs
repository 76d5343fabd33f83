//! The two handles: [`Task`], which owns the output, and [`TaskRef`], its untyped shadow.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::panic::Location;
use std::ptr::NonNull;

use super::cancel;
use super::cell;
use super::context::Context;
use super::current;
use super::error::{CancelMessage, ResultError, TaskError};
use super::ext::WaiterKind;
use super::header::{Header, TaskPtr};
use super::join::{Finished, Join, JoinRef, Outcome};
use super::state::{Live, ReleaseHandle};

/// Tells tasks apart, in one process, for ever.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TaskId(u64);

impl TaskId {
    pub(super) fn new(id: u64) -> Self {
        Self(id)
    }

    /// The number in the task's default name: `Task-<number>`, `Job-<number>` or, for what a promise is the other end of,
    /// `Promise-<number>`. Each kind begins at 1 in each runtime.
    #[must_use]
    pub fn number(self) -> u64 {
        self.0 & super::NUMBER_MASK & !super::JOB_ID & !super::PROMISE_ID
    }
}

impl fmt::Debug for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TaskId({}.{})", self.0 >> 48, self.number())
    }
}

/// Tells done-callbacks of one task apart; see [`TaskRef::add_done_callback`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CallbackId(u64);

/// A task, and the right to its output.
///
/// Awaiting a task is like awaiting the function that it runs: `task.await` gives its value. If the task panicked, the
/// panic goes on in the awaiting task; if it was cancelled, that cancellation is raised in the
/// awaiting task, at this await. Who wants the end of a task as a value asks for its [`outcome`](Task::outcome).
///
/// `(&task).await` waits without consuming and gives `&T`; any number of tasks may do so.
/// Everything that does not concern the output is in [`TaskRef`], to which a task dereferences.
///
/// Dropping a task detaches it: it goes on, and if it panics the exception handler is told.
///
/// # asyncio counterpart
///
/// `asyncio.Task`, and `asyncio.Future` for those made with [`promise`](crate::promise).
///
/// # Panics
///
/// Awaiting a task that was cancelled from outside any task (a foreign executor) panics: there is nobody to raise
/// the cancellation in. Use [`outcome`](Task::outcome) there.
///
/// # Cancel safety
///
/// Cancelling the task that awaits passes the request on to the awaited one, and waits for what
/// becomes of it (a task that swallows its cancellation leaves the waiter running). Dropping the future detaches
/// the task; await `&task` to keep it.
///
/// # Examples
///
/// ```
/// # let rt = tasca_core::Runtime::builder().current_thread().build().unwrap();
/// # rt.block_on(async {
/// let task = tasca_core::spawn(async { 6 * 7 });
/// assert_eq!(*(&task).await, 42);
/// assert_eq!(task.await, 42);
/// # });
/// ```
pub struct Task<T> {
    /// `None` once the output has been taken.
    task: Option<TaskPtr>,
    // The handle drops outputs.
    marker: PhantomData<T>,
}

// SAFETY: the handle gives the output by value, to one thread at a time.
unsafe impl<T: Send> Send for Task<T> {}
// SAFETY: a shared handle gives references to the output.
unsafe impl<T: Send + Sync> Sync for Task<T> {}
impl<T> Unpin for Task<T> {}

impl<T> Task<T> {
    /// # Safety
    ///
    /// `task` is the cell of a task with output `T`; the caller gives the handle's reference and
    /// HANDLE to the new handle.
    #[inline(always)]
    pub(crate) unsafe fn from_ptr(task: TaskPtr) -> Self {
        Self {
            task: Some(task),
            marker: PhantomData,
        }
    }

    #[track_caller]
    #[inline(always)]
    pub(super) fn ptr(&self) -> TaskPtr {
        self.task
            .expect("a task that gave its output is not used again")
    }

    /// Whether the output has been taken.
    pub(super) fn is_spent(&self) -> bool {
        self.task.is_none()
    }

    /// Waits for the task and gives its end as a value; nothing is raised.
    ///
    /// # Errors
    ///
    /// The output of the future is a [`TaskError`] if the task was cancelled or panicked.
    ///
    /// # Cancel safety
    ///
    /// As for awaiting the task itself.
    ///
    /// # Examples
    ///
    /// ```
    /// # let rt = tasca_core::Runtime::builder().current_thread().build().unwrap();
    /// # rt.block_on(async {
    /// let task = tasca_core::spawn(async { if true { panic!("oh") } });
    /// assert!(task.outcome().await.unwrap_err().is_panic());
    /// # });
    /// ```
    pub fn outcome(self) -> Outcome<T> {
        Outcome::new(self)
    }

    /// Gives the result without waiting, as often as one asks.
    ///
    /// # asyncio counterpart
    ///
    /// `Future.result()`.
    ///
    /// # Errors
    ///
    /// [`ResultError::InvalidState`] while the task is not done; [`ResultError::Failed`] if it was
    /// cancelled or panicked.
    #[track_caller]
    pub fn result(&self) -> Result<&T, ResultError<'_>> {
        if !self.ptr().state().load().is_complete() {
            return Err(ResultError::InvalidState);
        }
        self.ptr().state().set_observed();
        // SAFETY: the task is done.
        unsafe { self.output() }.map_err(|error| ResultError::Failed(error.hand_out()))
    }

    /// As [`result`](Self::result), for somebody who only passes the end on as a value: the message of a cancellation that is
    /// given once stays (rules C16, G8).
    pub(crate) fn result_as_value(&self) -> Result<&T, ResultError<'_>> {
        if !self.is_finished() {
            return Err(ResultError::InvalidState);
        }
        self.ptr().state().set_observed();
        // SAFETY: the task is done.
        unsafe { self.output() }.map_err(|error| ResultError::Failed(error.as_value()))
    }

    /// # Safety
    ///
    /// The task is done.
    pub(super) unsafe fn output(&self) -> Result<&T, &TaskError> {
        let output = self.ptr().body::<Result<T, TaskError>>();
        // SAFETY: the output stays until the handle, borrowed here, gives it away.
        unsafe { output.as_ref() }.as_ref()
    }

    /// Takes the output out; the handle is spent.
    ///
    /// # Safety
    ///
    /// The task is done.
    #[inline(always)]
    pub(crate) unsafe fn take_output(&mut self) -> Result<T, TaskError> {
        let task = self.ptr();
        self.task = None;
        // SAFETY: the task is done, and the handle that owns the output is spent from here on.
        let output = unsafe { task.body::<Result<T, TaskError>>().read() };
        // SAFETY: the handle's reference, not used again.
        unsafe { task.release() };
        output.map_err(TaskError::handed_out)
    }

    /// Gives an untyped handle to the task.
    ///
    /// # Examples
    ///
    /// ```
    /// # let rt = tasca_core::Runtime::builder().current_thread().build().unwrap();
    /// # rt.block_on(async {
    /// let task = tasca_core::spawn(async {});
    /// let shadow = task.task_ref();
    /// task.await;
    /// assert!(shadow.is_finished());
    /// # });
    /// ```
    #[track_caller]
    #[must_use]
    pub fn task_ref(&self) -> TaskRef {
        TaskRef::from_ptr(self.ptr())
    }
}

impl<T> Deref for Task<T> {
    type Target = TaskRef;

    #[track_caller]
    fn deref(&self) -> &TaskRef {
        let task = self
            .task
            .as_ref()
            .expect("a task that gave its output is not used again");
        // SAFETY: `TaskRef` is a transparent `TaskPtr`. Behind a reference it is never dropped, so the handle's
        // reference to the cell serves it as well.
        unsafe { &*std::ptr::from_ref(task).cast::<TaskRef>() }
    }
}

impl<T> Drop for Task<T> {
    #[inline(always)]
    fn drop(&mut self) {
        // A handle that gave its output has nothing left to do: that is seen where it is dropped.
        if let Some(task) = self.task.take() {
            // SAFETY: the handle is not used again.
            unsafe { detach(task) };
        }
    }
}

/// Gives a handle up, and with it the output.
///
/// # Safety
///
/// The caller owns the handle of `task`, has not taken the output, and uses neither afterwards.
unsafe fn detach(task: TaskPtr) {
    Join::forget(task);
    match task.state().release_handle() {
        ReleaseHandle::Detached { waiter: false } => {}
        ReleaseHandle::Detached { waiter: true } => {
            // SAFETY: the exchange took the slot back from the completer; the waker in it is ours.
            let waker = unsafe { task.header().take_waiter() };
            // SAFETY: the handle's reference, which the exchange left because of the slot.
            unsafe { task.release() };
            drop(waker);
        }
        ReleaseHandle::Done => {
            let observed = task.state().load().is_observed();
            // SAFETY: the task is done, and the handle owns the output.
            unsafe { cell::drop_detached_output(task, observed) };
            // SAFETY: the handle's reference, not used again.
            unsafe { task.release() };
        }
    }
}

impl<T> fmt::Debug for Task<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.task {
            Some(_) => fmt::Debug::fmt(&**self, f),
            None => f.write_str("<Task finished, output taken>"),
        }
    }
}

impl<'a, T> IntoFuture for &'a Task<T> {
    type Output = &'a T;
    type IntoFuture = JoinRef<'a, T>;

    #[track_caller]
    fn into_future(self) -> JoinRef<'a, T> {
        JoinRef::new(self)
    }
}

/// A task without its output: to look at, to cancel, to be told of its end. Cheap to clone.
///
/// # asyncio counterpart
///
/// What `asyncio.current_task()` and `asyncio.all_tasks()` give.
#[repr(transparent)]
pub struct TaskRef(TaskPtr);

impl TaskRef {
    /// Takes a reference of its own.
    pub(crate) fn from_ptr(task: TaskPtr) -> Self {
        task.state().acquire();
        Self(task)
    }

    /// Takes a reference to what lives in a cell, if something does.
    ///
    /// # Safety
    ///
    /// `header` is the start of memory that the slab has given out for a cell at some time.
    pub(crate) unsafe fn try_from_cell(header: NonNull<Header>, which: Live) -> Option<Self> {
        // SAFETY: the caller's promise.
        if !unsafe { Header::state_of(header) }.acquire_if_live(which) {
            return None;
        }
        // SAFETY: a cell that is in use is initialised, and the reference that was just taken keeps it.
        Some(Self(unsafe { TaskPtr::new(header) }))
    }

    pub(crate) fn ptr(&self) -> TaskPtr {
        self.0
    }

    /// Gives the task's id.
    #[must_use]
    pub fn id(&self) -> TaskId {
        TaskId(self.0.header().id)
    }

    /// Gives the task's name; `Task-<number>` unless it was given another.
    ///
    /// # asyncio counterpart
    ///
    /// `Task.get_name()`.
    #[doc(alias = "get_name")]
    #[must_use]
    pub fn name(&self) -> String {
        self.0.name().text().into_owned()
    }

    /// Gives the task another name, at any time.
    ///
    /// # asyncio counterpart
    ///
    /// `Task.set_name()`.
    pub fn set_name(&self, name: impl Into<String>) {
        let name: String = name.into();
        let before = self.0.ext_or_new().shared.lock().name.replace(name.into());
        drop(before);
    }

    /// Gives the place where the task was spawned.
    #[must_use]
    pub fn spawned_at(&self) -> &'static Location<'static> {
        self.0.header().location
    }

    /// Gives the type of the future that the task runs, as the compiler names it.
    #[doc(alias = "get_coro")]
    #[must_use]
    pub fn future_type(&self) -> &'static str {
        (self.0.header().vtable.type_name)()
    }

    /// Asks the task to stop; `false` if it is done already.
    ///
    /// The request counts ([`cancelling`](Self::cancelling)), every time. It is delivered when the task is suspended: to
    /// the task or group of tasks that it waits for, if there is one, else to its innermost
    /// [`catch_cancelled`](crate::catch_cancelled). A task that was not started never runs its body. A running task
    /// gets the request at its next suspension; one that returns before it suspends again ends cancelled all the same.
    ///
    /// # asyncio counterpart
    ///
    /// `Task.cancel()`.
    pub fn cancel(&self) -> bool {
        cancel::cancel(self.0, None)
    }

    /// Asks the task to stop, and says why.
    ///
    /// # asyncio counterpart
    ///
    /// `Task.cancel(msg=…)`.
    #[doc(alias = "cancel")]
    pub fn cancel_with(&self, message: impl Into<CancelMessage>) -> bool {
        cancel::cancel(self.0, Some(&message.into()))
    }

    /// Gives the number of cancel requests that were not taken back.
    ///
    /// # asyncio counterpart
    ///
    /// `Task.cancelling()`.
    #[must_use]
    pub fn cancelling(&self) -> usize {
        cancel::cancelling(self.0)
    }

    /// Takes one cancel request back, if there is one; gives the number left.
    ///
    /// When none is left, a request that was noted but has not been accepted is forgotten.
    ///
    /// # asyncio counterpart
    ///
    /// `Task.uncancel()`.
    pub fn uncancel(&self) -> usize {
        cancel::uncancel(self.0)
    }

    /// Whether the task is done, in whatever way.
    ///
    /// # asyncio counterpart
    ///
    /// `Future.done()`.
    #[doc(alias = "done")]
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.0.state().load().is_complete()
    }

    /// Whether the task is done and was cancelled.
    ///
    /// # asyncio counterpart
    ///
    /// `Future.cancelled()`.
    #[doc(alias = "cancelled")]
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.state().load().is_cancelled()
    }

    /// Whether the task is done and panicked.
    #[must_use]
    pub fn is_panicked(&self) -> bool {
        self.0.state().load().is_panicked()
    }

    /// Waits until the task is done, without touching its output.
    ///
    /// # Cancel safety
    ///
    /// The task goes on, whether the future is dropped or the waiting task cancelled.
    pub fn finished(&self) -> Finished {
        Finished::new(self.clone())
    }

    /// Has `callback` called once when the task is done, as a step of the event loop; at once if it is.
    ///
    /// The callbacks of a task run in the order of registration, one after the other, never inside the
    /// call that completes it, each in a copy of the context in which it was registered.
    /// Outside any runtime a callback for a task that is done already is called directly.
    ///
    /// # asyncio counterpart
    ///
    /// `Future.add_done_callback()`.
    ///
    /// # Examples
    ///
    /// ```
    /// # let rt = tasca_core::Runtime::builder().current_thread().build().unwrap();
    /// # rt.block_on(async {
    /// let (promise, told) = tasca_core::promise();
    /// let task = tasca_core::spawn(async { 1 });
    /// task.add_done_callback(move |task| promise.set(task.name()).unwrap());
    /// assert_eq!(told.await, task.name());
    /// # });
    /// ```
    pub fn add_done_callback(&self, callback: impl FnOnce(TaskRef) + Send + 'static) -> CallbackId {
        let context = Context::inherit().unwrap_or_default();
        let callback = DoneCallback(Box::new(move |task| context.run(move || callback(task))));
        match self.list(WaiterKind::Call(callback)) {
            Ok(id) => CallbackId(id),
            Err(WaiterKind::Call(callback)) => {
                let task = self.clone();
                current::call_soon(Box::new(move || callback.run(task)));
                CallbackId(0)
            }
            Err(WaiterKind::Wake(_) | WaiterKind::Tell(..)) => {
                unreachable!("a callback was listed")
            }
        }
    }

    /// Takes a callback back; `false` if it has been queued or was removed before.
    ///
    /// # asyncio counterpart
    ///
    /// `Future.remove_done_callback()`, which takes the function and removes all its registrations.
    pub fn remove_done_callback(&self, callback: CallbackId) -> bool {
        self.unlist(callback.0)
    }

    /// Puts somebody on the list of those who are told; gives them back if the task is done.
    pub(super) fn list(&self, what: WaiterKind) -> Result<u64, WaiterKind> {
        let mut shared = self.0.ext_or_new().shared.lock();
        // Liveness: the completer sets COMPLETE, then reads LISTED, then takes the lock. Either it sees LISTED and
        // finds the waiter behind this lock, or this exchange sees COMPLETE. A second entry does not
        // exchange, but looks at COMPLETE under the lock that the completer has yet to take, or has left.
        if !self.0.state().set_listed() {
            return Err(what);
        }
        Ok(shared.push_waiter(what))
    }

    /// Replaces the waker of an entry; `false` if it is gone.
    pub(super) fn relist(&self, id: u64, waker: &std::task::Waker) -> bool {
        let Some(ext) = self.0.ext() else {
            return false;
        };
        let new = waker.clone();
        let old = ext.shared.lock().replace_waker(id, new);
        old.is_ok()
    }

    /// Takes somebody off the list.
    pub(super) fn unlist(&self, id: u64) -> bool {
        let Some(ext) = self.0.ext() else {
            return false;
        };
        let removed = ext.shared.lock().remove_waiter(id);
        removed.is_some()
    }
}

impl Clone for TaskRef {
    fn clone(&self) -> Self {
        Self::from_ptr(self.0)
    }
}

impl Drop for TaskRef {
    fn drop(&mut self) {
        // SAFETY: this handle's own reference, not used again.
        unsafe { self.0.release() };
    }
}

impl PartialEq for TaskRef {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for TaskRef {}

impl std::hash::Hash for TaskRef {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl fmt::Debug for TaskRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.0.state().load();
        let word = if state.is_cancelled() {
            "cancelled"
        } else if state.is_panicked() {
            "panicked"
        } else if state.is_complete() {
            "finished"
        } else if self.cancelling() > 0 {
            "cancelling"
        } else {
            "pending"
        };
        let name = self.0.name();
        if f.alternate() {
            write!(f, "{state:?} ")?;
        }
        write!(
            f,
            "<Task {word} name='{name}' coro={} at {}>",
            self.future_type(),
            self.spawned_at()
        )
    }
}

/// A callback for the end of a task, with the context it runs in.
pub(crate) struct DoneCallback(Box<dyn FnOnce(TaskRef) + Send>);

impl DoneCallback {
    pub(crate) fn run(self, task: TaskRef) {
        (self.0)(task);
    }
}
