//! What the integration tests share: runtimes of every kind, guards against hanging, and things that count.
//!
//! The locks in here are `parking_lot`'s: sanitizers see what they synchronise, in contrast to those of the standard library,
//! which comes compiled.
//!
//! No test sleeps to wait: it waits for an event, through a [`Gate`] or a channel, with a bound so generous that only a
//! hang reaches it.

use std::any::Any;
use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use tasca::{Builder, Problem, Runtime, Trouble};

mod count;
mod guard;
#[cfg(unix)]
mod process;
mod random;

pub use count::{Bomb, Counter, DropCount, Log};
pub use guard::{HANG, guarded};
#[cfg(unix)]
pub use process::{end_if_it_hangs, let_interrupts_end_it};
pub use random::Random;

/// The kinds of runtime that every test of a guarantee runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// With so many workers.
    MultiThread(usize),
    /// The one that runs in `block_on`.
    CurrentThread,
    /// With this seed.
    Deterministic(u64),
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Deterministic(0),
        Self::Deterministic(1),
        Self::Deterministic(7),
        Self::CurrentThread,
        Self::MultiThread(1),
        Self::MultiThread(2),
        Self::MultiThread(4),
        Self::MultiThread(8),
    ];

    /// Those on which a task that was spawned does not start before its spawner suspends (see [`in_order`]).
    pub const ONE_THREAD: [Self; 4] = [
        Self::Deterministic(0),
        Self::Deterministic(1),
        Self::CurrentThread,
        Self::MultiThread(1),
    ];

    /// Describes a runtime of this kind.
    pub fn builder(self) -> Builder {
        match self {
            Self::MultiThread(n_workers) => {
                Runtime::builder().multi_thread().worker_threads(n_workers)
            }
            Self::CurrentThread => Runtime::builder().current_thread(),
            Self::Deterministic(seed) => Runtime::builder().deterministic(seed),
        }
    }
}

/// A runtime of `kind`, and what is reported on it.
///
/// # Panics
///
/// If the runtime cannot be made.
#[must_use]
pub fn runtime(kind: Kind) -> (Runtime, Problems) {
    let problems = Problems::default();
    let runtime = kind.builder().exception_handler(problems.handler()).build();
    (runtime.expect("a runtime can be made"), problems)
}

/// Runs `body` as a task on each of `kinds`; fails if one of them fails, hangs, or reports what the body has not taken.
///
/// # Panics
///
/// As said above.
pub fn on_each<F>(kinds: &[Kind], body: impl Fn(Problems) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    for &kind in kinds {
        let (runtime, problems) = runtime(kind);
        let future = body(problems.clone());
        let what = format!("{kind:?}");
        let shown = Shown(kind);
        guarded(&what, move || {
            // A spawned task: on the multi-threaded runtime the future of `block_on` is not on a worker.
            runtime.block_on(runtime.handle().spawn(future));
            drop(runtime);
        });
        problems.expect_none();
        drop(shown);
    }
}

/// [`on_each`], for a body that looks at the order of things on one worker.
///
/// A worker that gets no processor for ten milliseconds is relieved by a spare one, and a deadline that was ahead is past: the order of
/// two is another. So a run in real time that fails, and took long enough for that, is done again.
///
/// # Panics
///
/// If the body fails though nothing can have disturbed it, or a hundred times.
pub fn in_order<F>(kinds: &[Kind], body: impl Fn(Problems) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    const UNDISTURBED: Duration = Duration::from_millis(10);
    for &kind in kinds {
        for n_left in (0..100).rev() {
            let began = Instant::now();
            let ended = catch_unwind(AssertUnwindSafe(|| on_each(&[kind], &body)));
            let is_real = !matches!(kind, Kind::Deterministic(_));
            let disturbed = is_real && began.elapsed() > UNDISTURBED;
            match ended {
                Ok(()) => break,
                Err(_) if disturbed && n_left > 0 => {}
                Err(payload) => resume_unwind(payload),
            }
        }
    }
}

/// [`on_each`] of [`Kind::ALL`].
pub fn everywhere<F>(body: impl Fn(Problems) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    on_each(&Kind::ALL, body);
}

/// Runs `body` with a runtime of each kind, guarded against hanging; nothing may be reported.
///
/// # Panics
///
/// If `body` does, hangs, or lets something be reported.
pub fn with_each(body: impl Fn(Kind, Runtime) + Clone + Send + 'static) {
    for kind in Kind::ALL {
        let body = body.clone();
        guarded(&format!("{kind:?}"), move || {
            let (runtime, problems) = runtime(kind);
            body(kind, runtime);
            problems.expect_none();
        });
    }
}

/// Says on which kind of runtime a test failed.
struct Shown(Kind);

impl Drop for Shown {
    #[expect(
        clippy::print_stderr,
        reason = "belongs to the message of a failing test"
    )]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("failed on {:?}", self.0);
        }
    }
}

/// What an exception handler was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// What happened.
    pub trouble: Trouble,
    /// To which task.
    pub task: Option<String>,
    /// Where that was spawned: file and line.
    pub place: Option<(String, u32)>,
    /// What was said.
    pub text: Option<String>,
}

/// Collects what an exception handler is told.
#[derive(Clone, Debug, Default)]
pub struct Problems(Arc<(Mutex<Vec<Report>>, Condvar)>);

impl Problems {
    /// A handler that puts reports here.
    pub fn handler(&self) -> impl Fn(&Problem) + Send + Sync + 'static + use<> {
        let this = self.clone();
        move |problem| {
            let report = Report {
                trouble: problem.trouble(),
                task: problem.task_name().map(std::borrow::Cow::into_owned),
                place: problem
                    .spawned_at()
                    .map(|place| (place.file().to_owned(), place.line())),
                text: problem.text().map(str::to_owned),
            };
            this.0.0.lock().push(report);
            this.0.1.notify_all();
        }
    }

    /// Takes what was reported so far.
    #[must_use]
    pub fn take(&self) -> Vec<Report> {
        std::mem::take(&mut *self.0.0.lock())
    }

    /// Whether nothing was reported that has not been taken.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.0.lock().is_empty()
    }

    /// Waits until `count` reports are there, and takes them.
    ///
    /// # Panics
    ///
    /// If there are more, or fewer for too long.
    #[must_use]
    pub fn wait(&self, count: usize) -> Vec<Report> {
        let mut reports = self.0.0.lock();
        let timeout = self
            .0
            .1
            .wait_while_for(&mut reports, |reports| reports.len() < count, HANG);
        assert!(
            !timeout.timed_out(),
            "{count} reports were expected: {reports:?}"
        );
        assert_eq!(reports.len(), count, "{reports:?}");
        std::mem::take(&mut *reports)
    }

    /// Waits for one report, of this kind and with this text.
    ///
    /// # Panics
    ///
    /// If it is another one, there are more, or none comes.
    pub fn expect_one(&self, trouble: Trouble, text: &str) {
        let reports = self.wait(1);
        assert_eq!(reports[0].trouble, trouble, "{reports:?}");
        assert_eq!(reports[0].text.as_deref(), Some(text), "{reports:?}");
    }

    /// Fails if anything was reported and not taken.
    ///
    /// # Panics
    ///
    /// See above.
    pub fn expect_none(&self) {
        let reports = self.take();
        assert!(reports.is_empty(), "reported: {reports:?}");
    }
}

/// A place where threads wait until it is opened. Never for a task: it blocks.
#[derive(Clone, Debug, Default)]
pub struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    /// A closed one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets everybody pass, from now on.
    pub fn open(&self) {
        *self.0.0.lock() = true;
        self.0.1.notify_all();
    }

    /// Whether it was opened.
    #[must_use]
    pub fn is_open(&self) -> bool {
        *self.0.0.lock()
    }

    /// Blocks until the gate is open.
    ///
    /// # Panics
    ///
    /// If that takes for ever.
    #[track_caller]
    pub fn wait(&self) {
        let mut open = self.0.0.lock();
        let timeout = self.0.1.wait_while_for(&mut open, |open| !*open, HANG);
        assert!(!timeout.timed_out(), "nobody opens the gate");
    }
}

/// What a panic said.
///
/// # Panics
///
/// If it was no text.
#[must_use]
pub fn panic_text(payload: &(dyn Any + Send)) -> String {
    payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .expect("the panic has a text")
}

/// Runs `body`, which panics, and gives what the panic says.
///
/// # Panics
///
/// If it does not.
#[track_caller]
pub fn panic_of<R: Debug>(body: impl FnOnce() -> R) -> String {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(value) => panic!("no panic, but {value:?}"),
        Err(payload) => panic_text(&*payload),
    }
}

/// Spawns a task and waits until it has begun: a cancel from now on finds it running or suspended.
///
/// # Panics
///
/// Outside a runtime.
pub async fn start<F>(future: F) -> tasca::Task<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let (promise, started) = tasca::promise();
    let task = tasca::spawn(async move {
        promise.set(()).expect("nobody cancels it");
        future.await
    });
    started.await;
    task
}
