//! [`shield`]: waiting for work without taking it along when the waiting ends.

use std::fmt;
use std::marker::PhantomData;
use std::mem;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tasca_core::{
    Cancelled, Child, Group, Observation, Observed, Observer, Operand, Promise, Reraise, Task,
    TaskError, TaskRef, promise,
};

use crate::primitive::Mutex;
use crate::sync::{lock, tell};

/// Waits for `operand`; a cancellation of the waiting is not passed on to it.
///
/// The operand is a task of its own (a future is spawned at the call), so it goes on whatever becomes of the waiter.
///
/// # asyncio counterpart
///
/// `asyncio.shield()`.
///
/// # Panics
///
/// If the operand is a future, outside a runtime. The future resumes a panic of the operand.
///
/// # Cancel safety
///
/// If the waiting task is cancelled, the cancellation is raised there at once. In that case, and if the
/// future is dropped, the operand goes on; should it panic then, the exception handler gets to know.
///
/// # Examples
///
/// ```
/// use tasca_combinators::shield;
/// use tasca_core::{catch_cancelled, spawn, yield_now};
///
/// # let rt = tasca_core::Runtime::builder().current_thread().build().unwrap();
/// # rt.block_on(async {
/// let save = spawn(async { yield_now().await; yield_now().await; "saved" }).into_shared();
/// let shielded = save.clone();
/// let waiter = spawn(async move { shield(shielded).await });
/// yield_now().await;
/// waiter.cancel();
/// assert!(waiter.outcome().await.is_err());
/// assert_eq!(*(&*save).await, "saved");
/// # });
/// ```
#[track_caller]
pub fn shield<O: Operand>(operand: O) -> Shield<O, O::Child, O::Claim, O::Output> {
    let (child, claim) = operand.start();
    Shield {
        state: State::Made(child, claim),
        poll_end: Shield::poll_end,
        operand: PhantomData,
    }
}

/// The future of [`shield`]. `C` and `K` are the parts that the operand is kept in, `R` is the output.
#[must_use = "futures do nothing unless awaited"]
pub struct Shield<O, C, K, R> {
    state: State<C, K, R>,
    /// What waiting for the end means; a pointer, so that the future is one whatever is known of the operand.
    poll_end: fn(&mut Self, &mut Context<'_>) -> Poll<Result<R, TaskError>>,
    operand: PhantomData<fn() -> O>,
}

enum State<C, K, R> {
    Made(C, K),
    Waiting {
        told: Task<()>,
        child: C,
        claim: K,
        _observation: Option<Observation>,
        _record: Group<Told>,
    },
    Raising(Reraise<R>),
    Ended,
}

/// The record of a shield that is awaited.
struct Told(Mutex<Option<Promise<()>>>);

impl Observer for Told {
    fn child_done(&self, _: usize, _: &TaskRef) {
        let promise = lock(&self.0).take();
        if let Some(promise) = promise {
            tell(promise);
        }
    }
}

fn without_message(task: &TaskRef, error: TaskError) -> TaskError {
    if error.is_cancelled() {
        TaskError::cancelled_for(task, None)
    } else {
        error
    }
}

/// Waits for the end of a task, without passing a cancellation on.
pub(crate) async fn ended(task: TaskRef) {
    let (promise, told) = promise();
    let record = Group::new(1, Told(Mutex::new(Some(promise))));
    let observation = record.observe_ref(0, &task);
    if observation.is_none() {
        record.tell(0, &task);
    }
    told.await;
}

impl<O, C, K, R> Shield<O, C, K, R>
where
    O: Operand<Child = C, Claim = K, Output = R>,
    C: Child,
{
    fn begin(mut child: C, claim: K) -> State<C, K, R> {
        let (promise, told) = promise();
        let record = Group::new(1, Told(Mutex::new(Some(promise))));
        let observation = match child.observe(0, &record) {
            // Done within the last moment.
            Observed::Done => {
                record.observer().child_done(0, child.task());
                None
            }
            Observed::Kept => None,
            Observed::Listed(observation) => Some(observation),
        };
        State::Waiting {
            told,
            child,
            claim,
            _observation: observation,
            _record: record,
        }
    }

    /// Waits for the end of the operand.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Result<R, TaskError>> {
        loop {
            match mem::replace(&mut self.state, State::Ended) {
                // Nothing is there to be shielded from (rule S3).
                State::Made(child, claim) if child.task().is_finished() => {
                    return Poll::Ready(O::redeem(child, claim));
                }
                State::Made(child, claim) => self.state = Self::begin(child, claim),
                State::Waiting {
                    mut told,
                    child,
                    claim,
                    _observation,
                    _record,
                } => {
                    if Pin::new(&mut told).poll(cx).is_pending() {
                        self.state = State::Waiting {
                            told,
                            child,
                            claim,
                            _observation,
                            _record,
                        };
                        return Poll::Pending;
                    }
                    // Without the message: it was meant for the operand (rule S8).
                    let task = child.task().clone();
                    let ended = O::redeem_as_value(child, claim);
                    return Poll::Ready(ended.map_err(|error| without_message(&task, error)));
                }
                State::Raising(_) => unreachable!("handled by the caller"),
                State::Ended => panic!("polled after it was ready"),
            }
        }
    }
}

impl<O, C, K, R> Unpin for Shield<O, C, K, R> {}

impl<O, C, K, R> Future for Shield<O, C, K, R> {
    type Output = R;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<R> {
        if !matches!(self.state, State::Raising(_)) {
            match ready!((self.poll_end)(&mut self, cx)) {
                Ok(output) => return Poll::Ready(output),
                Err(error) if error.is_cancelled() => {
                    let cancelled = match error.cancel_message() {
                        Some(message) => Cancelled::with_message(message),
                        None => Cancelled::new(),
                    };
                    self.state = State::Raising(cancelled.reraise());
                }
                Err(error) => resume_unwind(
                    error
                        .into_panic()
                        .unwrap_or_else(|_| unreachable!("it was not cancelled")),
                ),
            }
        }
        match &mut self.state {
            State::Raising(raise) => Pin::new(raise).poll(cx),
            _ => unreachable!("set above"),
        }
    }
}

/// The record of a shield that is a task.
struct TakeOver<O: Operand>(Mutex<Inner<O>>);

struct Inner<O: Operand> {
    child: Option<O::Child>,
    promise: Option<Promise<O::Output>>,
    observation: Option<Observation>,
    is_early: bool,
}

impl<O> Observer for TakeOver<O>
where
    O: Operand<Claim = (), Output: Send + 'static> + 'static,
{
    fn child_done(&self, _: usize, _: &TaskRef) {
        let (child, promise, observation) = {
            let mut inner = lock(&self.0);
            if inner.child.is_none() {
                inner.is_early = true;
                return;
            }
            (
                inner.child.take(),
                inner.promise.take(),
                inner.observation.take(),
            )
        };
        drop(observation);
        let (Some(child), Some(promise)) = (child, promise) else {
            return;
        };
        if promise.is_cancelled() {
            // Nobody waits any more: the child is dropped unseen, and a panic of it reported.
            return;
        }
        match O::redeem_as_value(child, ()) {
            // Whoever cancelled the shield meanwhile has had an answer.
            Ok(output) => drop(promise.set(output)),
            Err(error) if error.is_cancelled() => promise.set_cancelled(None),
            Err(error) => drop(error.into_panic().map(|payload| promise.set_panic(payload))),
        }
    }
}

impl<O, C, R> Shield<O, C, (), R>
where
    O: Operand<Child = C, Claim = (), Output = R> + 'static,
    C: Child,
    R: Send + 'static,
{
    /// Makes a task of the shield, which takes over the end of the operand. Cancelling it ends it at once, and leaves the
    /// operand alone.
    ///
    /// # asyncio counterpart
    ///
    /// The future that `asyncio.shield()` returns.
    ///
    /// # Panics
    ///
    /// If the shield has been polled.
    #[track_caller]
    pub fn into_task(mut self) -> Task<R> {
        let State::Made(mut child, ()) = mem::replace(&mut self.state, State::Ended) else {
            panic!("the shield has been polled already")
        };
        let (promise, task) = promise();
        let inner = Inner {
            child: None,
            promise: Some(promise),
            observation: None,
            is_early: false,
        };
        let record = Group::new(1, TakeOver::<O>(Mutex::new(inner)));
        let observed = child.observe(0, &record);
        let is_done = matches!(observed, Observed::Done);
        let shadow = child.task().clone();
        let is_early = {
            let mut inner = lock(&record.observer().0);
            inner.child = Some(child);
            if let Observed::Listed(observation) = observed {
                inner.observation = Some(observation);
            }
            inner.is_early
        };
        if is_done || is_early {
            record.observer().child_done(0, &shadow);
        }
        task
    }
}

impl<O, C, K, R> fmt::Debug for Shield<O, C, K, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shield").finish_non_exhaustive()
    }
}
