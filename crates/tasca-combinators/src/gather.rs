//! [`gather`] and [`try_gather`]: several operands, one result.
//!
//! One record is shared by all children of a call. A child that ends subtracts one from a counter; the last one, or
//! the first to fail, decides, and only then the waiting task is woken. The record keeps the children's handles, so that a
//! cancel request for the waiter finds them; when it is decided they go to the waiter, who takes the outputs out of
//! the children's cells.

use std::collections::HashSet;
use std::fmt;
use std::marker::PhantomData;
use std::mem;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use tasca_core::{
    CancelForward, CancelMessage, Cancelled, Group, Observation, Observed, Observer, Promise, Reraise, Task,
    TaskError, TaskRef,
};

use crate::set::{Children, OperandSet, TryOperandSet};

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
pub fn gather<S: OperandSet>(operands: S) -> Gather<S> {
    Gather::new(operands)
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
pub fn try_gather<S: TryOperandSet>(operands: S) -> Gather<S, FailFast> {
    Gather::new(operands)
}

/// The mode of [`gather`]: failures propagate.
#[derive(Debug)]
pub enum Propagate {}

/// The mode of [`try_gather`]: errors stop the waiting.
#[derive(Debug)]
pub enum FailFast {}

/// The mode of [`Gather::return_exceptions`]: failures are values.
#[derive(Debug)]
pub enum ReturnExceptions {}

/// How a gather ends.
pub trait Mode<S: OperandSet> {
    /// What it gives.
    type Output;

    /// Whether a child that is done decides by its failure; `None` if only the waiter can tell.
    fn is_failure(children: &S::Children, index: usize, child: &TaskRef) -> Option<bool>;

    /// Whether only the waiter can tell of some children.
    const LOOKS: bool = false;

    /// Whether a child that only the waiter can tell of has failed.
    fn claimed_failure(_: &S::Claims, _: usize) -> bool {
        false
    }

    /// Takes the result of children that are all done.
    ///
    /// # Errors
    ///
    /// The failure of a child.
    fn collect(children: S::Children, claims: S::Claims) -> Result<Self::Output, TaskError>;

    /// Takes the result of a child that decided by its failure.
    ///
    /// # Errors
    ///
    /// The failure of the child.
    fn fail(
        children: S::Children,
        claims: S::Claims,
        index: usize,
    ) -> Result<Self::Output, TaskError>;
}

fn has_failed(child: &TaskRef) -> bool {
    child.is_cancelled() || child.is_panicked()
}

impl<S: OperandSet> Mode<S> for Propagate {
    type Output = S::Outputs;

    fn is_failure(_: &S::Children, _: usize, child: &TaskRef) -> Option<bool> {
        Some(has_failed(child))
    }

    fn collect(children: S::Children, claims: S::Claims) -> Result<S::Outputs, TaskError> {
        S::outputs(children, claims)
    }

    fn fail(
        children: S::Children,
        claims: S::Claims,
        index: usize,
    ) -> Result<S::Outputs, TaskError> {
        Err(S::failure(children, claims, index))
    }
}

impl<S: TryOperandSet> Mode<S> for FailFast {
    type Output = Result<S::Values, S::Error>;

    fn is_failure(children: &S::Children, index: usize, child: &TaskRef) -> Option<bool> {
        if has_failed(child) { Some(true) } else { S::is_err(children, index) }
    }

    const LOOKS: bool = true;

    fn claimed_failure(claims: &S::Claims, index: usize) -> bool {
        S::claim_is_err(claims, index)
    }

    fn collect(children: S::Children, claims: S::Claims) -> Result<Self::Output, TaskError> {
        S::values(children, claims)
    }

    fn fail(
        children: S::Children,
        claims: S::Claims,
        index: usize,
    ) -> Result<Self::Output, TaskError> {
        S::error(children, claims, index).map(Err)
    }
}

impl<S: OperandSet> Mode<S> for ReturnExceptions {
    type Output = S::Outcomes;

    fn is_failure(_: &S::Children, _: usize, _: &TaskRef) -> Option<bool> {
        Some(false)
    }

    fn collect(children: S::Children, claims: S::Claims) -> Result<S::Outcomes, TaskError> {
        Ok(S::outcomes(children, claims))
    }

    fn fail(_: S::Children, _: S::Claims, _: usize) -> Result<S::Outcomes, TaskError> {
        unreachable!("no failure decides")
    }
}

/// What was decided, with the children.
enum Decision {
    AllDone,
    Failed(usize),
    /// The children were cancelled on behalf of the waiter, and none of them failed of it.
    Cancelled,
}

/// What to do once it is decided.
type Finish<C> = Box<dyn FnOnce(Decision, C) + Send>;

enum End<C> {
    /// Give the children to the waiter.
    Waiter(Promise<(Decision, C)>),
    /// Complete a task.
    Task(Finish<C>),
}

/// The record that the children of one gather share.
struct Record<C> {
    is_failure: fn(&C, usize, &TaskRef) -> Option<bool>,
    /// Children that are not done, and one more while they are being registered.
    n_left: AtomicUsize,
    /// Set while a request that some child accepted stands.
    cancelled: AtomicBool,
    state: Mutex<State<C>>,
}

struct State<C> {
    /// There between registration and decision.
    children: Option<C>,
    end: Option<End<C>>,
    /// Children that ended during registration, on other threads.
    early: Vec<(usize, TaskRef)>,
    /// The waiter, if it has to look at children itself.
    looker: Option<Waker>,
}

impl<C: Children> Record<C> {
    fn lock(&self) -> std::sync::MutexGuard<'_, State<C>> {
        // Panic: nothing under this lock panics.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at a child that is done.
    fn examine(&self, index: usize, child: &TaskRef) {
        let failure = {
            let mut state = self.lock();
            match (&state.children, &state.end) {
                (Some(children), _) => (self.is_failure)(children, index, child),
                (None, Some(_)) => {
                    state.early.push((index, child.clone()));
                    return;
                }
                // Decided: what happens from now on is ignored (rule G5).
                (None, None) => return,
            }
        };
        match failure {
            Some(true) => self.decide(Decision::Failed(index)),
            Some(false) => {}
            None => {
                let looker = self.lock().looker.take();
                if let Some(looker) = looker {
                    looker.wake();
                }
            }
        }
        self.count_down();
    }

    fn count_down(&self) {
        // Ordering: AcqRel: the last one sees what the others did before.
        if self.n_left.fetch_sub(1, Ordering::AcqRel) == 1 {
            let decision = if self.cancelled.load(Ordering::Acquire) {
                Decision::Cancelled
            } else {
                Decision::AllDone
            };
            self.decide(decision);
        }
    }

    fn decide(&self, decision: Decision) {
        let (children, end) = {
            let mut state = self.lock();
            (state.children.take(), state.end.take())
        };
        let (Some(children), Some(end)) = (children, end) else { return };
        match end {
            // The waiter may be gone: then nobody wants them.
            End::Waiter(promise) => drop(promise.set((decision, children))),
            End::Task(finish) => finish(decision, children),
        }
    }

    /// Takes the children back from a gather that is given up.
    fn abandon(&self) {
        let (children, end) = {
            let mut state = self.lock();
            (state.children.take(), state.end.take())
        };
        if let Some(children) = children {
            cancel_all(&children);
        }
        drop(end);
    }
}

fn cancel_all<C: Children>(children: &C) {
    for index in 0..children.count() {
        children.task(index).cancel();
    }
}

impl<C: Children> Observer for Record<C> {
    fn child_done(&self, index: usize, child: &TaskRef) {
        self.examine(index, child);
    }
}

impl<C: Children> CancelForward for Record<C> {
    fn cancel(&self, message: Option<&CancelMessage>) -> bool {
        let tasks: Vec<TaskRef> = {
            let state = self.lock();
            let Some(children) = &state.children else { return false };
            (0..children.count()).map(|index| children.task(index).clone()).collect()
        };
        let before = self.cancelled.swap(true, Ordering::AcqRel);
        let mut accepted = false;
        for task in tasks {
            accepted |= match message {
                Some(message) => task.cancel_with(message.clone()),
                None => task.cancel(),
            };
        }
        if !accepted && !before {
            self.cancelled.store(false, Ordering::Release);
        }
        accepted
    }
}

/// The end of a gather; `Err` if it is cancelled itself, with the message that the last child ended with (rule G9).
fn end<S: OperandSet, M: Mode<S>>(
    decision: Decision,
    children: S::Children,
    claims: S::Claims,
) -> Result<Result<M::Output, TaskError>, Option<String>> {
    match decision {
        Decision::AllDone => Ok(M::collect(children, claims)),
        Decision::Failed(index) => Ok(M::fail(children, claims, index)),
        Decision::Cancelled => {
            let last = children.count().checked_sub(1);
            let last = last.filter(|last| children.task(*last).is_cancelled());
            Err(last.and_then(|last| {
                S::failure(children, claims, last).cancel_message().map(str::to_owned)
            }))
        }
    }
}

/// Registers with the children; gives what keeps the registrations.
fn begin<C: Children>(group: &Group<Record<C>>, mut children: C, end: End<C>) -> Vec<Observation> {
    let record = group.observer();
    record.lock().end = Some(end);
    let n_children = children.count();
    let mut observations = Vec::new();
    let mut done = Vec::new();
    let mut n_distinct = 0;
    let mut shared = HashSet::new();
    // Nothing is decided before all are registered: the counter holds one more for the registration itself.
    for index in 0..n_children {
        if !children.is_owned(index) && !shared.insert(children.task(index).clone()) {
            // The same task again (rule G3).
            continue;
        }
        n_distinct += 1;
        match children.observe(index, group) {
            Observed::Done => done.push((index, children.task(index).clone())),
            Observed::Kept => {}
            Observed::Listed(observation) => observations.push(observation),
        }
    }
    // Ordering: AcqRel, as in `count_down`. Only what is not distinct is subtracted, so this is never the last.
    record.n_left.fetch_sub(n_children - n_distinct, Ordering::AcqRel);
    let early = {
        let mut state = record.lock();
        state.children = Some(children);
        mem::take(&mut state.early)
    };
    // Those that were done already come in the order of the arguments (rule G15).
    for (index, child) in done.into_iter().chain(early) {
        record.examine(index, &child);
    }
    record.count_down();
    observations
}

/// The future of [`gather`] and [`try_gather`].
///
/// The children are observed from the first poll on, or from [`into_task`](Self::into_task).
#[must_use = "futures do nothing unless awaited"]
pub struct Gather<S: OperandSet, M: Mode<S> = Propagate> {
    state: GatherState<S, M::Output>,
    mode: PhantomData<fn() -> M>,
}

enum GatherState<S: OperandSet, R> {
    Made(S::Children, S::Claims),
    Waiting {
        group: Group<Record<S::Children>>,
        decided: Task<(Decision, S::Children)>,
        claims: S::Claims,
        observations: Vec<Observation>,
    },
    Raising(Reraise<R>),
    Ended,
}

impl<S: OperandSet, M: Mode<S>> Unpin for Gather<S, M> {}

impl<S: OperandSet, M: Mode<S>> Gather<S, M> {
    #[track_caller]
    fn new(operands: S) -> Self {
        let (children, claims) = operands.start();
        Self { state: GatherState::Made(children, claims), mode: PhantomData }
    }

    fn take_operands(&mut self) -> (S::Children, S::Claims) {
        match mem::replace(&mut self.state, GatherState::Ended) {
            GatherState::Made(children, claims) => (children, claims),
            _ => panic!("the gather has been polled already"),
        }
    }

    fn group(children: &S::Children) -> Group<Record<S::Children>> {
        Group::new(
            children.count(),
            Record {
                is_failure: M::is_failure,
                n_left: AtomicUsize::new(children.count() + 1),
                cancelled: AtomicBool::new(false),
                state: Mutex::new(State { children: None, end: None, early: Vec::new(), looker: None }),
            },
        )
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
    pub fn return_exceptions(mut self) -> Gather<S, ReturnExceptions> {
        let (children, claims) = self.take_operands();
        Gather { state: GatherState::Made(children, claims), mode: PhantomData }
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
    #[track_caller]
    pub fn into_task(self) -> Task<M::Output>
    where
        S: 'static,
        S::Claims: Send,
        M::Output: Send + 'static,
        M: 'static,
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
        f: impl FnOnce(Result<M::Output, TaskError>) -> U + Send + 'static,
    ) -> Task<U>
    where
        S: 'static,
        S::Claims: Send,
        U: Send + 'static,
        M: 'static,
    {
        self.complete_task(|promise, ended| drop(promise.set(f(ended))))
    }

    #[track_caller]
    fn complete_task<U>(
        mut self,
        complete: impl FnOnce(Promise<U>, Result<M::Output, TaskError>) + Send + 'static,
    ) -> Task<U>
    where
        S: 'static,
        S::Claims: Send,
        U: Send + 'static,
        M: 'static,
    {
        let (children, claims) = self.take_operands();
        let group = Self::group(&children);
        let (promise, task) = group.promise();
        // The registrations last until it is decided. The last child may decide during the registration.
        let keep: std::sync::Arc<Mutex<Vec<Observation>>> = std::sync::Arc::default();
        let kept = std::sync::Arc::clone(&keep);
        let finish: Finish<S::Children> = Box::new(move |decision, children| {
            drop(mem::take(&mut *kept.lock().unwrap_or_else(PoisonError::into_inner)));
            let me = promise.task_ref();
            let ended = end::<S, M>(decision, children, claims)
                .unwrap_or_else(|message| Err(TaskError::cancelled_for(&me, message.as_deref())));
            complete(promise, ended);
        });
        let observations = begin(&group, children, End::Task(finish));
        if !task.is_finished() {
            *keep.lock().unwrap_or_else(PoisonError::into_inner) = observations;
        }
        task
    }
}

impl<S: OperandSet, M: Mode<S>> Gather<S, M> {
    /// Looks at children that only the waiter can tell of.
    fn look(group: &Group<Record<S::Children>>, claims: &S::Claims, cx: &Context<'_>) {
        let record = group.observer();
        let n_children = {
            let mut state = record.lock();
            // Liveness: a child that ends after this wakes the waiter, one that ended before is seen below.
            state.looker = Some(cx.waker().clone());
            state.children.as_ref().map_or(0, Children::count)
        };
        if let Some(failed) = (0..n_children).find(|index| M::claimed_failure(claims, *index)) {
            record.decide(Decision::Failed(failed));
        }
    }

    fn poll_decided(&mut self, cx: &mut Context<'_>) -> Poll<Result<M::Output, Cancelled>> {
        loop {
            match &mut self.state {
                GatherState::Made(..) => {
                    let (children, claims) = self.take_operands();
                    let group = Self::group(&children);
                    let (promise, decided) = group.promise();
                    let observations = begin(&group, children, End::Waiter(promise));
                    self.state = GatherState::Waiting { group, decided, claims, observations };
                }
                GatherState::Waiting { group, decided, claims, .. } => {
                    if M::LOOKS {
                        Self::look(group, claims, cx);
                    }
                    let (decision, children) = ready!(Pin::new(decided).poll(cx));
                    let GatherState::Waiting { claims, .. } =
                        mem::replace(&mut self.state, GatherState::Ended)
                    else {
                        unreachable!("matched above");
                    };
                    return Poll::Ready(match end::<S, M>(decision, children, claims) {
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
                GatherState::Raising(_) => unreachable!("handled by the caller"),
                GatherState::Ended => panic!("polled after it was ready"),
            }
        }
    }
}

/// A cancellation to be raised.
pub(crate) fn cancelled(message: Option<&str>) -> Cancelled {
    message.map_or_else(Cancelled::new, Cancelled::with_message)
}

impl<S: OperandSet, M: Mode<S>> Future for Gather<S, M> {
    type Output = M::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<M::Output> {
        if !matches!(self.state, GatherState::Raising(_)) {
            match ready!(self.poll_decided(cx)) {
                Ok(output) => return Poll::Ready(output),
                Err(cancelled) => self.state = GatherState::Raising(cancelled.reraise()),
            }
        }
        match &mut self.state {
            GatherState::Raising(raise) => Pin::new(raise).poll(cx),
            _ => unreachable!("set above"),
        }
    }
}

impl<S: OperandSet, M: Mode<S>> Drop for Gather<S, M> {
    fn drop(&mut self) {
        match mem::replace(&mut self.state, GatherState::Ended) {
            GatherState::Made(children, _) => cancel_all(&children),
            GatherState::Waiting { group, decided, observations, .. } => {
                // First of all nobody waits any more: what follows wakes nobody.
                drop(decided);
                drop(observations);
                group.observer().abandon();
            }
            GatherState::Raising(_) | GatherState::Ended => {}
        }
    }
}

impl<S: OperandSet, M: Mode<S>> fmt::Debug for Gather<S, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match &self.state {
            GatherState::Made(..) => "made",
            GatherState::Waiting { .. } => "waiting",
            GatherState::Raising(_) => "raising",
            GatherState::Ended => "ended",
        };
        f.debug_struct("Gather").field("state", &word).finish_non_exhaustive()
    }
}
