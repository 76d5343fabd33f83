//! How a task ends when it does not end with a value.

use std::any::Any;
use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::Arc;

use super::handle::TaskId;
use crate::primitive::{AtomicBool, Ordering};
use crate::slab::Block;

/// The reason that was given for a cancellation. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct CancelMessage(Arc<str>);

impl CancelMessage {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for CancelMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl From<&str> for CancelMessage {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl From<String> for CancelMessage {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<Cow<'_, str>> for CancelMessage {
    fn from(text: Cow<'_, str>) -> Self {
        Self(text.into())
    }
}

/// A panic's payload, and what it says if it is a string.
pub(crate) struct PanicPayload {
    payload: Option<Box<dyn Any + Send>>,
    text: Option<Arc<str>>,
}

impl PanicPayload {
    pub(crate) fn new(payload: Box<dyn Any + Send>) -> Self {
        let text = payload
            .downcast_ref::<&'static str>()
            .map(|text| Arc::from(*text))
            .or_else(|| {
                payload
                    .downcast_ref::<String>()
                    .map(|text| Arc::from(text.as_str()))
            });
        Self {
            payload: Some(payload),
            text,
        }
    }

    pub(crate) fn text(&self) -> Option<&str> {
        self.text.as_deref()
    }

    pub(crate) fn into_inner(mut self) -> Box<dyn Any + Send> {
        self.payload.take().expect("taken once")
    }
}

// SAFETY: the payload itself is only reached through `&mut self` or by value; a shared reference
// gives the text alone.
unsafe impl Sync for PanicPayload {}

// Panic: dropping a payload is user code and may itself panic; that must not reach a worker.
impl Drop for PanicPayload {
    fn drop(&mut self) {
        if let Some(payload) = self.payload.take() {
            drop_quietly(payload);
        }
    }
}

/// Drops a value of a user's type; a panic of its drop ends here.
pub(crate) fn drop_quietly<T>(value: T) {
    let Err(second) = catch_unwind(AssertUnwindSafe(move || drop(value))) else {
        return;
    };
    if let Err(third) = catch_unwind(AssertUnwindSafe(move || drop(second))) {
        #[expect(clippy::mem_forget, reason = "its drop could panic without end")]
        std::mem::forget(third);
    }
}

enum Kind {
    Cancelled(Option<CancelMessage>, Option<Box<Once>>),
    Panicked(PanicPayload, Option<Reporter>),
}

struct Inner {
    kind: Kind,
    task: TaskName,
}

/// Of a message that is given once, as in asyncio: to whoever first awaits the task, or asks for its result (rule C16).
struct Once {
    is_handed_out: AtomicBool,
    /// What everybody else gets.
    bare: TaskError,
}

/// A name, made into text only when somebody reads it.
#[derive(Clone, Debug)]
pub(crate) enum Name {
    Given(Arc<str>),
    /// `Task-<n>`, or as the bit for another kind says.
    Default(u64),
}

impl Name {
    pub(crate) fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Given(name) => Cow::Borrowed(name),
            Self::Default(_) => Cow::Owned(self.to_string()),
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Given(name) => f.write_str(name),
            Self::Default(number) if number & super::JOB_ID != 0 => {
                write!(f, "Job-{}", number & !super::JOB_ID)
            }
            Self::Default(number) if number & super::PROMISE_ID != 0 => {
                write!(f, "Promise-{}", number & !super::PROMISE_ID)
            }
            Self::Default(number) => write!(f, "Task-{number}"),
        }
    }
}

/// Who and where: what a report says of a task.
#[derive(Clone, Debug)]
pub(crate) struct TaskName {
    pub(crate) id: u64,
    pub(crate) name: Name,
    pub(crate) location: &'static Location<'static>,
}

/// Why a task has no value: it was cancelled, or it panicked.
///
/// # asyncio counterpart
///
/// The `CancelledError`, or the other exception, with which a task ended. Errors that a task *returns* are
/// ordinary values here and never become a `TaskError`.
///
/// # Examples
///
/// ```
/// # let rt = tasca_core::Runtime::builder().current_thread().build().unwrap();
/// # rt.block_on(async {
/// let task = tasca_core::spawn(std::future::pending::<()>());
/// task.cancel_with("enough");
/// let error = task.outcome().await.unwrap_err();
/// assert!(error.is_cancelled());
/// assert_eq!(error.cancel_message(), Some("enough"));
/// # });
/// ```
pub struct TaskError(Block<Inner>);

impl TaskError {
    pub(crate) fn cancelled(task: TaskName, message: Option<CancelMessage>) -> Self {
        Self(Block::new(|| Inner {
            kind: Kind::Cancelled(message, None),
            task,
        }))
    }

    /// As [`cancelled`](Self::cancelled), with a message that is given once.
    pub(crate) fn cancelled_once(task: TaskName, message: Option<CancelMessage>) -> Self {
        if message.is_none() {
            return Self::cancelled(task, None);
        }
        let once = Once {
            is_handed_out: AtomicBool::new(false),
            bare: Self::cancelled(task.clone(), None),
        };
        Self(Block::new(|| Inner {
            kind: Kind::Cancelled(message, Some(Box::new(once))),
            task,
        }))
    }

    /// What somebody gets who awaits the task, or asks for its result.
    pub(crate) fn hand_out(&self) -> &Self {
        match &self.0.kind {
            // Ordering: Relaxed; who is the first is all that matters.
            Kind::Cancelled(_, Some(once)) if once.is_handed_out.swap(true, Ordering::Relaxed) => {
                &once.bare
            }
            _ => self,
        }
    }

    /// As [`hand_out`](Self::hand_out), for the one who gets it for good.
    pub(crate) fn handed_out(mut self) -> Self {
        if let Kind::Cancelled(_, once) = &mut self.0.kind
            && let Some(once) = once.take()
            && once.is_handed_out.into_inner()
        {
            return once.bare;
        }
        self
    }

    /// What somebody gets who makes a value of it without asking for the message.
    pub(crate) fn as_value(&self) -> &Self {
        match &self.0.kind {
            Kind::Cancelled(_, Some(once)) => &once.bare,
            _ => self,
        }
    }

    pub(crate) fn panicked(
        task: TaskName,
        payload: Box<dyn Any + Send>,
        reporter: Option<Reporter>,
    ) -> Self {
        let payload = PanicPayload::new(payload);
        Self(Block::new(|| Inner {
            kind: Kind::Panicked(payload, reporter),
            task,
        }))
    }

    /// Whether the task was cancelled.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        matches!(self.0.kind, Kind::Cancelled(..))
    }

    /// Whether the task panicked.
    #[must_use]
    pub fn is_panic(&self) -> bool {
        matches!(self.0.kind, Kind::Panicked(..))
    }

    /// The message of the cancellation, if it was one and had one.
    #[must_use]
    pub fn cancel_message(&self) -> Option<&str> {
        self.message().map(CancelMessage::as_str)
    }

    /// What the panic said, if it was one and said it in a string.
    #[must_use]
    pub fn panic_text(&self) -> Option<&str> {
        match &self.0.kind {
            Kind::Panicked(payload, _) => payload.text(),
            Kind::Cancelled(..) => None,
        }
    }

    /// The name of the task that failed.
    #[must_use]
    pub fn task_name(&self) -> Cow<'_, str> {
        self.0.task.name.text()
    }

    /// Where the task that failed was spawned.
    #[must_use]
    pub fn spawned_at(&self) -> &'static Location<'static> {
        self.0.task.location
    }

    /// The payload of the panic, to be given to [`std::panic::resume_unwind`].
    ///
    /// # Errors
    ///
    /// Gives the error back if the task was cancelled.
    pub fn into_panic(mut self) -> Result<Box<dyn Any + Send>, Self> {
        let none = Kind::Cancelled(None, None);
        match std::mem::replace(&mut self.0.kind, none) {
            Kind::Panicked(payload, _) => Ok(payload.into_inner()),
            kind @ Kind::Cancelled(..) => {
                self.0.kind = kind;
                Err(self)
            }
        }
    }

    pub(crate) fn task(&self) -> &TaskName {
        &self.0.task
    }

    pub(crate) fn message(&self) -> Option<&CancelMessage> {
        match &self.0.kind {
            Kind::Cancelled(message, _) => message.as_ref(),
            Kind::Panicked(..) => None,
        }
    }

    /// Reports a panic that nobody has seen. A cancellation is nothing to report.
    pub(crate) fn report_unobserved(&self) {
        if let Kind::Panicked(payload, Some(reporter)) = &self.0.kind {
            let text = payload.text.clone();
            let task = Some(self.0.task.clone());
            reporter(Problem {
                what: Trouble::TaskPanicked,
                task,
                text,
            });
        }
    }
}

impl fmt::Debug for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.kind {
            Kind::Cancelled(message, _) => f
                .debug_struct("Cancelled")
                .field("task", &self.0.task.name.text())
                .field("message", message)
                .finish(),
            Kind::Panicked(payload, _) => f
                .debug_struct("Panicked")
                .field("task", &self.0.task.name.text())
                .field("text", &payload.text())
                .finish_non_exhaustive(),
        }
    }
}

impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.0.task.name;
        match &self.0.kind {
            Kind::Cancelled(None, _) => write!(f, "task '{name}' was cancelled"),
            Kind::Cancelled(Some(message), _) => {
                write!(f, "task '{name}' was cancelled: {}", message.as_str())
            }
            Kind::Panicked(payload, _) => match payload.text() {
                Some(text) => write!(f, "task '{name}' panicked: {text}"),
                None => write!(f, "task '{name}' panicked"),
            },
        }
    }
}

impl Error for TaskError {}

/// Why [`Task::result`](crate::Task::result) has no value.
#[derive(Debug)]
#[non_exhaustive]
pub enum ResultError<'a> {
    /// The task is not done.
    ///
    /// # asyncio counterpart
    ///
    /// `InvalidStateError`.
    InvalidState,
    /// The task was cancelled or panicked.
    Failed(&'a TaskError),
}

impl fmt::Display for ResultError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidState => f.write_str("the task is not done"),
            Self::Failed(error) => fmt::Display::fmt(error, f),
        }
    }
}

impl Error for ResultError<'_> {}

/// A way to report that outlives the scheduler.
pub(crate) type Reporter = Arc<dyn Fn(Problem) + Send + Sync>;

/// Something that went wrong where nobody was there to see it; given to the exception handler.
///
/// # asyncio counterpart
///
/// The context dictionary of `loop.set_exception_handler`.
#[derive(Debug)]
pub struct Problem {
    pub(crate) what: Trouble,
    pub(crate) task: Option<TaskName>,
    pub(crate) text: Option<Arc<str>>,
}

/// The kinds of [`Problem`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trouble {
    /// A task panicked, and its outcome will be seen by nobody.
    TaskPanicked,
    /// A callback of the event loop, or a done-callback, panicked.
    CallbackPanicked,
    /// A value's drop, or a waker, panicked.
    DropPanicked,
    /// Connections cannot be accepted for want of descriptors or memory; the listener will try again.
    AcceptFailed,
    /// The system failed the runtime: a thread could not be started, a worker not be woken or put to sleep.
    Driver,
    /// The end of the runtime had to leave something behind.
    Shutdown,
    /// A task that [`run`](crate::run()) cancelled when main was done ended with an error; it was spawned to tell one from a
    /// value, as by [`try_spawn`](crate::try_spawn).
    TaskFailed,
}

impl Problem {
    /// A problem that belongs to no task.
    #[must_use]
    pub fn new(what: Trouble, text: impl Into<String>) -> Self {
        Self {
            what,
            task: None,
            text: Some(text.into().into()),
        }
    }

    pub(crate) fn of_task(what: Trouble, task: TaskName) -> Self {
        Self {
            what,
            task: Some(task),
            text: None,
        }
    }

    pub(crate) fn from_panic(what: Trouble, payload: Box<dyn Any + Send>) -> Self {
        let payload = PanicPayload::new(payload);
        Self {
            what,
            task: None,
            text: payload.text.clone(),
        }
    }

    /// What happened.
    #[must_use]
    pub fn trouble(&self) -> Trouble {
        self.what
    }

    /// The id of the task it happened to.
    #[must_use]
    pub fn task_id(&self) -> Option<TaskId> {
        self.task.as_ref().map(|task| TaskId::new(task.id))
    }

    /// The name of the task it happened to.
    #[must_use]
    pub fn task_name(&self) -> Option<Cow<'_, str>> {
        self.task.as_ref().map(|task| task.name.text())
    }

    /// Where that task was spawned.
    #[must_use]
    pub fn spawned_at(&self) -> Option<&'static Location<'static>> {
        self.task.as_ref().map(|task| task.location)
    }

    /// What the panic or the system said.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        self.text.as_deref()
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.what {
            Trouble::TaskPanicked => "a task panicked and nobody saw its outcome",
            Trouble::CallbackPanicked => "a callback panicked",
            Trouble::DropPanicked => "a drop or a waker panicked",
            Trouble::AcceptFailed => "accepting a connection failed",
            Trouble::Driver => "the system failed the runtime",
            Trouble::Shutdown => "the runtime ended with something left behind",
            Trouble::TaskFailed => "a task failed when it was cancelled at the end of main",
        })?;
        if let Some(task) = &self.task {
            write!(f, ": task '{}' spawned at {}", task.name, task.location)?;
        }
        match &self.text {
            Some(text) => write!(f, ": {text}"),
            None => Ok(()),
        }
    }
}

/// What happens to a problem where no exception handler was set.
#[expect(
    clippy::print_stderr,
    reason = "the default exception handler, as in asyncio"
)]
pub(crate) fn report_to_stderr(problem: &Problem) {
    eprintln!("tasca: {problem}");
}
