//! [`staggered_race`]: several ways to the same end, tried one after the other without waiting long for any of them.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use tasca_core::{Cancelled, SharedTask, Task, catch_cancelled, promise, spawn};

use crate::needs::{Need, Needs};
use crate::primitive::Mutex;
use crate::sync::{lock, tell};
use crate::timeout::wait_for;
use crate::wait::wait;

/// Tries candidates until one succeeds: the first at once, the next when the one before has failed or `delay` has passed, whatever
/// comes first. Without a delay one is tried at a time.
///
/// Each candidate runs as a task of its own. The first to give `Ok` wins; the others are cancelled, and their end is awaited.
/// It is how a name with several addresses is connected to (RFC 8305, "happy eyeballs").
///
/// # asyncio counterpart
///
/// `asyncio.staggered.staggered_race()`. It takes functions that make coroutines; here futures do, as they begin when they are polled. Those
/// that are not tried are dropped.
///
/// # Panics
///
/// If it is awaited outside a runtime; and if a candidate panics: the others are cancelled and awaited, and the panic goes on here.
///
/// # Cancel safety
///
/// If the waiting task is cancelled, or the future dropped, all candidates are cancelled, and not waited for.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use futures::future::BoxFuture;
/// use futures::FutureExt;
/// use tasca_combinators::staggered_race;
/// use tasca_core::time::sleep;
///
/// # let rt = tasca_core::Runtime::builder().deterministic(0).build().unwrap();
/// # rt.block_on(async {
/// let slow = async { sleep(Duration::from_secs(75)).await; Err("no answer") };
/// let refused = async { Err("refused") };
/// let quick = async { sleep(Duration::from_millis(20)).await; Ok("connected") };
/// let candidates: [BoxFuture<'static, Result<_, _>>; 3] = [slow.boxed(), refused.boxed(), quick.boxed()];
/// let race = staggered_race(candidates, Duration::from_millis(250)).await;
/// assert_eq!(race.winner, Some((2, "connected")));
/// assert!(race.failures[0].as_ref().unwrap().is_cancelled());
/// assert_eq!(race.failures[1].as_ref().unwrap().error(), Some(&"refused"));
/// # });
/// ```
pub fn staggered_race<I, F, T, E>(
    candidates: I,
    delay: impl Into<Option<Duration>>,
) -> impl Future<Output = Race<T, E>>
where
    I: IntoIterator<Item = F>,
    I::IntoIter: Send + 'static,
    F: Future<Output = Result<T, E>> + Send + 'static,
    T: Send + 'static,
    E: Send + 'static,
{
    let field = Arc::new(Mutex::new(Field {
        candidates: candidates.into_iter(),
        delay: delay.into(),
        runners: Vec::new(),
        race: Race {
            winner: None,
            failures: Vec::new(),
        },
        panic: None,
        is_over: false,
    }));
    Needs::new(Need::Runtime, run(field))
}

async fn run<C, F, T, E>(field: Shared<C, T, E>) -> Race<T, E>
where
    C: Iterator<Item = F> + Send + 'static,
    F: Future<Output = Result<T, E>> + Send + 'static,
    T: Send + 'static,
    E: Send + 'static,
{
    let _at_the_end = CancelRunners(Arc::clone(&field));
    add_runner(&field, None);
    // Runners are added while this waits.
    let mut n_done = 0;
    loop {
        let runners = lock(&field).runners.clone();
        if runners.len() == n_done {
            break;
        }
        let (done, _) = wait(runners).await;
        n_done = done.len();
    }
    let mut field = lock(&field);
    if let Some(payload) = field.panic.take() {
        drop(field);
        resume_unwind(payload);
    }
    field.race.take()
}

/// How a [`staggered_race`] ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Race<T, E> {
    /// Which candidate won, by its position, and what it gave.
    pub winner: Option<(usize, T)>,
    /// For each candidate that was tried, how it failed; `None` for the winner.
    pub failures: Vec<Option<CandidateFailure<E>>>,
}

impl<T, E> Race<T, E> {
    fn take(&mut self) -> Self {
        Self {
            winner: self.winner.take(),
            failures: std::mem::take(&mut self.failures),
        }
    }
}

/// How a candidate of a [`staggered_race`] failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CandidateFailure<E>(Why<E>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Why<E> {
    Error(E),
    Cancelled(Option<String>),
}

impl<E> CandidateFailure<E> {
    /// The error that it gave.
    #[must_use]
    pub fn error(&self) -> Option<&E> {
        match &self.0 {
            Why::Error(error) => Some(error),
            Why::Cancelled(_) => None,
        }
    }

    /// Gives the error.
    #[must_use]
    pub fn into_error(self) -> Option<E> {
        match self.0 {
            Why::Error(error) => Some(error),
            Why::Cancelled(_) => None,
        }
    }

    /// Whether it was cancelled, as all are that are under way when another wins.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        matches!(self.0, Why::Cancelled(_))
    }

    /// The message of the cancellation, if it had one.
    #[must_use]
    pub fn cancel_message(&self) -> Option<&str> {
        match &self.0 {
            Why::Cancelled(message) => message.as_deref(),
            Why::Error(_) => None,
        }
    }

    fn cancelled(cancelled: &Cancelled) -> Self {
        Self(Why::Cancelled(cancelled.message().map(str::to_owned)))
    }
}

impl<E: fmt::Display> fmt::Display for CandidateFailure<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Why::Error(error) => error.fmt(f),
            Why::Cancelled(None) => f.write_str("cancelled"),
            Why::Cancelled(Some(message)) => write!(f, "cancelled: {message}"),
        }
    }
}

impl<E: std::error::Error + 'static> std::error::Error for CandidateFailure<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.error().map(|error| error as _)
    }
}

/// What the runners of a race share.
struct Field<C, T, E> {
    candidates: C,
    delay: Option<Duration>,
    /// The runner of each candidate that is tried, and the one that waits for its turn.
    runners: Vec<SharedTask<()>>,
    race: Race<T, E>,
    panic: Option<Box<dyn Any + Send>>,
    /// No more candidates are tried.
    is_over: bool,
}

type Shared<C, T, E> = Arc<Mutex<Field<C, T, E>>>;

/// Starts the next runner. It waits until the candidate before has failed, if there is one.
fn add_runner<C, F, T, E>(field: &Shared<C, T, E>, before: Option<Task<()>>)
where
    C: Iterator<Item = F> + Send + 'static,
    F: Future<Output = Result<T, E>> + Send + 'static,
    T: Send + 'static,
    E: Send + 'static,
{
    let runner = spawn(run_next(Arc::clone(field), before)).into_shared();
    lock(field).runners.push(runner);
}

/// A runner: has the one after it wait, and tries a candidate.
fn run_next<C, F, T, E>(field: Shared<C, T, E>, before: Option<Task<()>>) -> BoxFuture<'static, ()>
where
    C: Iterator<Item = F> + Send + 'static,
    F: Future<Output = Result<T, E>> + Send + 'static,
    T: Send + 'static,
    E: Send + 'static,
{
    async move {
        if let Some(before) = before {
            let delay = lock(&field).delay;
            // It failed, or has been given long enough.
            let _told = wait_for(before, delay).await;
        }
        let (candidate, index) = {
            let mut field = lock(&field);
            if field.is_over {
                return;
            }
            let Some(candidate) = field.candidates.next() else {
                return;
            };
            field.race.failures.push(None);
            (candidate, field.race.failures.len() - 1)
        };
        let (failed, told) = promise();
        add_runner(&field, Some(told));
        let ended = AssertUnwindSafe(catch_cancelled(candidate)).catch_unwind();
        let failure = match ended.await {
            Ok(Ok(Ok(value))) => {
                let late = {
                    let mut field = lock(&field);
                    match field.race.winner {
                        None => {
                            field.race.winner = Some((index, value));
                            None
                        }
                        Some(_) => Some(value),
                    }
                };
                if late.is_none() {
                    cancel_but(&field, Some(index));
                    return;
                }
                // Another was faster, on another thread, or this one did not heed its cancellation.
                CandidateFailure(Why::Cancelled(None))
            }
            Ok(Ok(Err(error))) => CandidateFailure(Why::Error(error)),
            Ok(Err(cancelled)) => CandidateFailure::cancelled(&cancelled),
            Err(payload) => {
                lock(&field).panic.get_or_insert(payload);
                cancel_but(&field, Some(index));
                return;
            }
        };
        lock(&field).race.failures[index] = Some(failure);
        tell(failed);
    }
    .boxed()
}

/// Ends the race: cancels all runners, except that of one candidate.
fn cancel_but<C, T, E>(field: &Shared<C, T, E>, spared: Option<usize>) {
    let runners = {
        let mut field = lock(field);
        field.is_over = true;
        field.runners.clone()
    };
    for (index, runner) in runners.iter().enumerate() {
        if Some(index) != spared {
            runner.cancel();
        }
    }
}

/// Cancels what is under way when the race is left.
struct CancelRunners<C, T, E>(Shared<C, T, E>);

impl<C, T, E> Drop for CancelRunners<C, T, E> {
    fn drop(&mut self) {
        cancel_but(&self.0, None);
    }
}
