//! [`gather`] and [`try_gather`]: several operands, one result.
//!
//! One record is shared by all children of a call. A child that ends subtracts one from a counter; the last one, or
//! the first to fail, decides, and only then the waiting task is woken. The record keeps the children's handles, so that a
//! cancel request for the waiter finds them; when it is decided they go to the waiter, who takes the outputs out of
//! the children's cells.

mod mode;
mod record;

use std::fmt;
use std::marker::PhantomData;
use std::mem;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tasca_core::{Cancelled, Group, Observation, Promise, Reraise, Task, TaskError, TaskRef};

use crate::primitive::Mutex;
use crate::set::{Children, OperandSet, TryOperandSet};
use crate::sync::lock;
use mode::{FailFast, Mode, Propagate, ReturnExceptions};
pub(crate) use record::Record;
use record::{Decision, End, Finish};

/// Waits for all operands, and gives their outputs in their order.
///
/// Futures among them are spawned at the call, in order, and run in parallel; tasks are taken as they are, also by
/// reference, also the same one twice. Errors that operands *return* are plain values here: [`try_gather`] stops at the first.
/// A child that is cancelled by somebody, or panics, fails the gather at once, the others go on: the
/// cancellation is raised in the waiting task, the panic resumed. [`return_exceptions`](Gather::return_exceptions)
/// turns both into values.
///
/// # asyncio counterpart
///
/// `asyncio.gather()`; with `return_exceptions=True` as far as ordinary errors go.
///
/// # Panics
///
/// If there is a future among the operands, outside a runtime. The future resumes the panic of a child.
///
/// # Cancel safety
///
/// A cancellation of the waiting task goes to all children that are not done, and the first of them to end cancelled decides;
/// if they all swallow it, the gather is cancelled once they are done. Dropping the future cancels the children.
///
/// # Examples
///
/// ```
/// use tasca_combinators::gather;
/// use tasca_core::spawn;
///
/// # let rt = tasca_core::Runtime::builder().current_thread().build().unwrap();
/// # rt.block_on(async {
/// let task = spawn(async { "two" });
/// let other = spawn(async { 3.0 });
/// assert_eq!(gather((async { 1 }, task, &other)).await, (1, "two", &3.0));
/// assert_eq!(gather((0..3).map(|n| async move { n * n })).await, [0, 1, 4]);
/// # });
/// ```
#[track_caller]
pub fn gather<S: OperandSet>(operands: S) -> Gather<S, S::Children, S::Claims, S::Outputs> {
    Gather::new::<Propagate>(operands)
}

/// Waits for all operands, which give `Result`s; stops waiting at the first error, while the others go on.
///
/// # asyncio counterpart
///
/// `asyncio.gather()`.
///
/// # Errors
///
/// The output is the first error that an operand gave. The other children go on, detached.
///
/// # Panics
///
/// As for [`gather`].
///
/// # Cancel safety
///
/// As for [`gather`].
///
/// # Examples
///
/// ```
/// use tasca_combinators::try_gather;
///
/// # let rt = tasca_core::Runtime::builder().current_thread().build().unwrap();
/// # rt.block_on(async {
/// let both = try_gather((async { "1".parse::<u8>() }, async { "2".parse::<u16>() })).await;
/// assert_eq!(both, Ok((1, 2)));
/// let one = try_gather([async { "x".parse::<u8>() }]).await;
/// assert!(one.is_err());
/// # });
/// ```
#[track_caller]
#[expect(
    clippy::type_complexity,
    reason = "the parts of the operands, spelled out for the compiler"
)]
pub fn try_gather<S: TryOperandSet>(
    operands: S,
) -> Gather<S, S::Children, S::Claims, Result<S::Values, S::Error>> {
    Gather::new::<FailFast>(operands)
}

type Begin<C> = fn(&Group<Record<C>>, C, End<C>) -> Vec<Observation>;
type Join<C> = fn(C, Record<C>) -> (Group<Record<C>>, C);
type StandFor<C> = fn(&Group<Record<C>>) -> (Promise<Decided<C>>, Task<Decided<C>>);
type Decided<C> = (Decision, C);

/// The end of a gather; `Err` if it is cancelled itself, with a message.
type Ended<R> = Result<Result<R, TaskError>, Option<String>>;

/// What a gather of these operands, in its mode, is made of.
struct Ways<C, K, R> {
    begin: Begin<C>,
    count: fn(&C) -> usize,
    /// Puts the children together with their record.
    join: Join<C>,
    stand_for: StandFor<C>,
    tasks: fn(&C) -> Vec<TaskRef>,
    is_harmless: fn(&TaskRef) -> bool,
    is_failure: fn(&C, usize, &TaskRef) -> Option<bool>,
    /// Where only the waiter can tell of some children.
    claimed_failure: Option<fn(&K, usize) -> bool>,
    end: fn(Decision, C, K) -> Ended<R>,
}

impl<C, K, R> Clone for Ways<C, K, R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<C, K, R> Copy for Ways<C, K, R> {}

impl<C, K, R> Ways<C, K, R> {
    /// Makes the record of a call.
    fn record(&self, children: C) -> (Group<Record<C>>, C) {
        let (harmless, failure) = (self.is_harmless, self.is_failure);
        let record = Record::new((self.count)(&children), self.tasks, harmless, failure);
        (self.join)(children, record)
    }
}

impl<C: Children, K, R> Ways<C, K, R> {
    fn of<S, M>() -> Self
    where
        S: OperandSet<Children = C, Claims = K>,
        M: Mode<S, Output = R>,
    {
        Self {
            begin: record::begin,
            count: C::count,
            join: C::into_record,
            stand_for: Group::promise,
            tasks: record::tasks_of,
            is_harmless: M::is_harmless,
            is_failure: M::is_failure,
            claimed_failure: M::CLAIMED_FAILURE,
            end: end::<S, M>,
        }
    }
}

/// The future of [`gather`] and [`try_gather`]. What its parameters are follows from the operands: `S` is their set, `C` and `K`
/// are the parts they are kept in, `R` is the output.
///
/// The children are observed from the first poll on, or from [`into_task`](Self::into_task).
#[must_use = "futures do nothing unless awaited"]
pub struct Gather<S, C, K, R> {
    state: State<C, K, R>,
    ways: Ways<C, K, R>,
    set: PhantomData<fn() -> S>,
}

enum State<C, K, R> {
    Made(C, K),
    Waiting {
        group: Group<Record<C>>,
        decided: Task<(Decision, C)>,
        claims: K,
        observations: Vec<Observation>,
    },
    Raising(Reraise<R>),
    Ended,
}

impl<S, C, K, R> Unpin for Gather<S, C, K, R> {}

impl<S: OperandSet> Gather<S, S::Children, S::Claims, S::Outputs> {
    #[track_caller]
    fn new<M: Mode<S>>(operands: S) -> Gather<S, S::Children, S::Claims, M::Output> {
        let (children, claims) = operands.start();
        Gather {
            state: State::Made(children, claims),
            ways: Ways::of::<S, M>(),
            set: PhantomData,
        }
    }
}

impl<S, C, K, R> Gather<S, C, K, R> {
    #[track_caller]
    fn take_operands(&mut self) -> (C, K) {
        match mem::replace(&mut self.state, State::Ended) {
            State::Made(children, claims) => (children, claims),
            _ => panic!("the gather has been polled already"),
        }
    }

    /// Has failures of children, panics and cancellations alike, become values: nothing is raised, and all children are waited
    /// for.
    ///
    /// # asyncio counterpart
    ///
    /// `asyncio.gather(…, return_exceptions=True)`.
    ///
    /// # Panics
    ///
    /// If the gather has been polled.
    ///
    /// # Examples
    ///
    /// ```
    /// # let rt = tasca_core::Runtime::builder().current_thread().build().unwrap();
    /// # rt.block_on(async {
    /// let bad = tasca_core::spawn(std::future::pending::<()>());
    /// bad.cancel();
    /// let ends = tasca_combinators::gather((async { 1 }, bad)).return_exceptions().await;
    /// assert_eq!(ends.0.unwrap(), 1);
    /// assert!(ends.1.unwrap_err().is_cancelled());
    /// # });
    /// ```
    #[track_caller]
    pub fn return_exceptions(mut self) -> Gather<S, C, K, S::Outcomes>
    where
        S: OperandSet<Children = C, Claims = K>,
        C: Children,
    {
        let (children, claims) = self.take_operands();
        let ways = Ways::of::<S, ReturnExceptions>();
        Gather {
            state: State::Made(children, claims),
            ways,
            set: PhantomData,
        }
    }

    /// Makes a task of the gather, which ends as the gather would: with the outputs, cancelled, or
    /// panicked. It can be awaited by many, watched, cancelled (that goes to the children) and gathered again.
    ///
    /// No future is spawned for it: the child that decides completes it.
    ///
    /// # asyncio counterpart
    ///
    /// The future that `asyncio.gather()` returns.
    ///
    /// # Panics
    ///
    /// If the gather has been polled.
    ///
    /// # Examples
    ///
    /// ```
    /// # let rt = tasca_core::Runtime::builder().current_thread().build().unwrap();
    /// # rt.block_on(async {
    /// let both = tasca_combinators::gather([1, 2].map(|n| async move { n })).into_task();
    /// both.add_done_callback(|task| assert!(task.is_finished()));
    /// assert_eq!(both.await, [1, 2]);
    /// # });
    /// ```
    #[track_caller]
    pub fn into_task(self) -> Task<R>
    where
        C: Children,
        K: Send + 'static,
        R: Send + 'static,
    {
        self.complete_task(|promise, ended| match ended {
            // Whoever cancelled the task has had an answer.
            Ok(output) => drop(promise.set(output)),
            Err(error) if error.is_cancelled() => promise.set_cancelled(error.cancel_message()),
            Err(error) => drop(error.into_panic().map(|payload| promise.set_panic(payload))),
        })
    }

    /// Makes a task of the gather's end, which `f` turns into the task's output: nothing is raised.
    ///
    /// # Panics
    ///
    /// If the gather has been polled.
    #[track_caller]
    pub fn into_task_with<U>(
        self,
        f: impl FnOnce(Result<R, TaskError>) -> U + Send + 'static,
    ) -> Task<U>
    where
        C: Children,
        K: Send + 'static,
        R: 'static,
        U: Send + 'static,
    {
        self.complete_task(|promise, ended| drop(promise.set(f(ended))))
    }

    #[track_caller]
    fn complete_task<U>(
        mut self,
        complete: impl FnOnce(Promise<U>, Result<R, TaskError>) + Send + 'static,
    ) -> Task<U>
    where
        C: Children,
        K: Send + 'static,
        R: 'static,
        U: Send + 'static,
    {
        let (children, claims) = self.take_operands();
        let ways = self.ways;
        let (group, children) = ways.record(children);
        let (promise, task) = group.promise();
        // The registrations last until it is decided. The last child may decide during the registration.
        let keep: Arc<Mutex<Vec<Observation>>> = Arc::default();
        let kept = Arc::clone(&keep);
        let finish: Finish<C> = Box::new(move |decision, children| {
            let observations = mem::take(&mut *lock(&kept));
            drop(observations);
            let me = promise.task_ref();
            let ended = (ways.end)(decision, children, claims)
                .unwrap_or_else(|message| Err(TaskError::cancelled_for(&me, message.as_deref())));
            complete(promise, ended);
        });
        let observations = (ways.begin)(&group, children, End::Task(finish));
        if !task.is_finished() {
            *lock(&keep) = observations;
        }
        task
    }

    /// Looks at children that only the waiter can tell of.
    fn look(
        claimed_failure: fn(&K, usize) -> bool,
        group: &Group<Record<C>>,
        claims: &K,
        cx: &Context<'_>,
    ) {
        let record = group.observer();
        let n_children = record.set_looker(cx.waker().clone());
        if let Some(failed) = (0..n_children).find(|index| claimed_failure(claims, *index)) {
            record.decide(Decision::Failed(failed));
        }
    }

    fn poll_decided(&mut self, cx: &mut Context<'_>) -> Poll<Result<R, Cancelled>> {
        loop {
            match &mut self.state {
                State::Made(..) => {
                    let (children, claims) = self.take_operands();
                    let (group, children) = self.ways.record(children);
                    let (promise, decided) = (self.ways.stand_for)(&group);
                    let observations = (self.ways.begin)(&group, children, End::Waiter(promise));
                    self.state = State::Waiting {
                        group,
                        decided,
                        claims,
                        observations,
                    };
                }
                State::Waiting {
                    group,
                    decided,
                    claims,
                    ..
                } => {
                    if let Some(claimed_failure) = self.ways.claimed_failure {
                        Self::look(claimed_failure, group, claims, cx);
                    }
                    let (decision, children) = ready!(Pin::new(decided).poll(cx));
                    let State::Waiting { claims, .. } = mem::replace(&mut self.state, State::Ended)
                    else {
                        unreachable!("matched above");
                    };
                    return Poll::Ready(match (self.ways.end)(decision, children, claims) {
                        Ok(Ok(output)) => Ok(output),
                        Ok(Err(error)) if error.is_cancelled() => {
                            Err(cancelled(error.cancel_message()))
                        }
                        Ok(Err(error)) => match error.into_panic() {
                            Ok(payload) => resume_unwind(payload),
                            Err(_) => unreachable!("it was not cancelled"),
                        },
                        Err(message) => Err(cancelled(message.as_deref())),
                    });
                }
                State::Raising(_) => unreachable!("handled by the caller"),
                State::Ended => panic!("polled after it was ready"),
            }
        }
    }
}

/// The end of a gather; `Err` if it is cancelled itself, with the message that the last child ended with (rule G9).
fn end<S: OperandSet, M: Mode<S>>(
    decision: Decision,
    children: S::Children,
    claims: S::Claims,
) -> Ended<M::Output> {
    match decision {
        Decision::AllDone => Ok(M::collect(children, claims)),
        Decision::Failed(index) => Ok(M::fail(children, claims, index)),
        Decision::Cancelled => {
            let last = children.count().checked_sub(1);
            let last = last.filter(|last| children.task(*last).is_cancelled());
            Err(last.and_then(|last| {
                S::failure(children, claims, last)
                    .cancel_message()
                    .map(str::to_owned)
            }))
        }
    }
}

/// A cancellation to be raised.
fn cancelled(message: Option<&str>) -> Cancelled {
    message.map_or_else(Cancelled::new, Cancelled::with_message)
}

impl<S, C, K, R> Future for Gather<S, C, K, R> {
    type Output = R;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<R> {
        if !matches!(self.state, State::Raising(_)) {
            match ready!(self.poll_decided(cx)) {
                Ok(output) => return Poll::Ready(output),
                Err(cancelled) => self.state = State::Raising(cancelled.reraise()),
            }
        }
        match &mut self.state {
            State::Raising(raise) => Pin::new(raise).poll(cx),
            _ => unreachable!("set above"),
        }
    }
}

impl<S, C, K, R> Drop for Gather<S, C, K, R> {
    fn drop(&mut self) {
        match mem::replace(&mut self.state, State::Ended) {
            State::Made(children, _) => {
                (self.ways.tasks)(&children).iter().for_each(record::cancel);
            }
            State::Waiting {
                group,
                decided,
                observations,
                ..
            } => {
                // First of all nobody waits any more: what follows wakes nobody.
                drop(decided);
                drop(observations);
                group.observer().abandon();
            }
            State::Raising(_) | State::Ended => {}
        }
    }
}

impl<S, C, K, R> fmt::Debug for Gather<S, C, K, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match &self.state {
            State::Made(..) => "made",
            State::Waiting { .. } => "waiting",
            State::Raising(_) => "raising",
            State::Ended => "ended",
        };
        f.debug_struct("Gather")
            .field("state", &word)
            .finish_non_exhaustive()
    }
}
