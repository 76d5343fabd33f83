//! [`wait`]: until some tasks are done, without taking part in how they end.

use std::collections::HashSet;
use std::fmt;
use std::iter;
use std::marker::PhantomData;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tasca_core::{
    CallHandle, Child, Group, Handle, Members, Observation, Observed, Observer, Operand, Promise,
    Task, TaskRef, TryChild, TryOperand, promise,
};

use crate::primitive::{AtomicUsize, Mutex, Ordering};
use crate::sync::{lock, tell};

/// Waits until all of `operands` are done, and gives those that are done and those that are not.
///
/// The result tells which are which and does not depend on how they end; nothing is raised. Narrow it with
/// [`first_completed`](Wait::first_completed), [`first_exception`](Wait::first_exception) and
/// [`timeout`](Wait::timeout), which cancels nothing. The same task given several times counts once. Futures are spawned.
///
/// # asyncio counterpart
///
/// `asyncio.wait()`. The sets are vectors here, in the order of the arguments.
///
/// # Panics
///
/// If there are no operands, or there is a future among them outside a runtime.
///
/// # Cancel safety
///
/// Cancelled or dropped, it leaves the tasks alone: they go on, and handles that it owns are detached. Pass
/// references to keep them.
///
/// # Examples
///
/// The first of several, the others cancelled: what `select!` is used for elsewhere.
///
/// ```
/// use std::pin::pin;
///
/// use futures::FutureExt;
/// use tasca_combinators::wait;
/// use tasca_core::{catch_cancelled, promise, spawn};
///
/// # let rt = tasca_core::Runtime::builder().current_thread().build().unwrap();
/// # rt.block_on(async {
/// let (clean, cleaned) = promise();
/// let quick = spawn(async { "quick" });
/// let slow = spawn(async move {
///     drop(catch_cancelled(std::future::pending::<()>()).await);
///     clean.set("the loser has cleaned up").unwrap();
///     "slow"
/// });
/// let (done, pending) = wait([quick, slow]).first_completed().await;
/// for task in &pending {
///     task.cancel();
/// }
/// assert_eq!(done.into_iter().next().unwrap().await, "quick");
/// assert_eq!(cleaned.await, "the loser has cleaned up");
///
/// // The same with select!, where the loser is dropped in the middle and cannot wait for anything.
/// let mut quick = pin!(async { "quick" }.fuse());
/// let mut slow = pin!(std::future::pending::<&str>().fuse());
/// let first = futures::select! {
///     value = quick => value,
///     value = slow => value,
/// };
/// assert_eq!(first, "quick");
/// # });
/// ```
///
/// | | `wait(…).first_completed()` | `futures::select!` |
/// |---|---|---|
/// | the branches are | tasks, on all workers | futures, polled one after the other by this task |
/// | they may borrow | no | yes |
/// | the losers | go on, until you cancel them; they clean up, and can be awaited again | are dropped where they are, or kept by you |
/// | cost | a record, and a task for each branch that is none | none |
#[track_caller]
pub fn wait<I, O>(operands: I) -> Wait<O, O::Child, O::Claim, O::Handle>
where
    I: IntoIterator<Item = O>,
    O: Operand,
{
    let operands = operands.into_iter();
    let n_least = operands.size_hint().0;
    let mut children = Members::for_record_of::<Record<O::Child>>(n_least);
    let mut claims = Vec::with_capacity(n_least);
    let mut seen = HashSet::new();
    for operand in operands {
        let (child, claim) = operand.start();
        if O::Child::IS_OWNED || seen.insert(child.task().clone()) {
            children.push(child);
            claims.push(claim);
        }
    }
    assert!(!children.is_empty(), "wait needs at least one task");
    Wait {
        children: Some(children),
        claims,
        until: Until::All,
        timeout: None,
        waiting: None,
        poll: Wait::poll_over,
        operand: PhantomData,
    }
}

/// What ends the waiting before all are done.
enum Until<C, K> {
    All,
    First,
    Exception {
        /// Whether a child that is done failed; `None` if only the waiter can tell.
        is_failure: fn(&C) -> Option<bool>,
        claimed: fn(&K) -> bool,
    },
}

/// Those that are done, and those that are not.
type DoneAndPending<H> = (Vec<H>, Vec<H>);

/// The future of [`wait`]. `C` and `K` are the parts that the operands are kept in, `H` is how they are given back.
#[must_use = "futures do nothing unless awaited"]
pub struct Wait<O, C, K, H> {
    /// Here until they are observed, then in the record.
    children: Option<Members<C>>,
    claims: Vec<K>,
    until: Until<C, K>,
    timeout: Option<Duration>,
    waiting: Option<Waiting<C>>,
    /// What polling it means; a pointer, so that the future is one whatever is known of the operands.
    poll: fn(&mut Self, &mut Context<'_>) -> Poll<DoneAndPending<H>>,
    operand: PhantomData<fn() -> O>,
}

struct Waiting<C> {
    told: Task<()>,
    record: Group<Record<C>>,
    _observations: Vec<Observation>,
}

/// The record that the tasks of one wait share.
struct Record<C> {
    n_left: AtomicUsize,
    /// Every end wakes the waiter.
    first: bool,
    /// The end of a child that is a failure, or may be one, does.
    is_failure: Option<fn(&C) -> Option<bool>>,
    state: Mutex<State<C>>,
}

struct State<C> {
    /// There once they are registered.
    children: Option<Members<C>>,
    promise: Option<Promise<()>>,
    timer: Option<CallHandle>,
    is_timed_out: bool,
}

impl<C: Child> Record<C> {
    /// Whether the end of a child is a failure (rule W6), or only the waiter can tell.
    fn may_be_failure(&self, index: usize, child: &TaskRef) -> bool {
        let Some(is_failure) = self.is_failure else {
            return false;
        };
        if child.is_cancelled() || child.is_panicked() {
            return child.is_panicked();
        }
        lock(&self.state)
            .children
            .as_ref()
            .and_then(|children| is_failure(children.get(index)))
            .unwrap_or(true)
    }

    /// Wakes the waiter.
    fn tell(&self, is_timed_out: bool) {
        let (promise, timer) = {
            let mut state = lock(&self.state);
            state.is_timed_out |= is_timed_out;
            (state.promise.take(), state.timer.take())
        };
        if let Some(timer) = timer
            && !is_timed_out
        {
            timer.cancel();
        }
        if let Some(promise) = promise {
            tell(promise);
        }
    }
}

impl<C: Child> Observer for Record<C> {
    fn child_done(&self, index: usize, child: &TaskRef) {
        // Ordering: AcqRel: the last one sees what the others did before.
        let is_last = self.n_left.fetch_sub(1, Ordering::AcqRel) == 1;
        if is_last || self.first || self.may_be_failure(index, child) {
            self.tell(false);
        }
    }
}

impl<O, C, K, H> Wait<O, C, K, H>
where
    O: Operand<Child = C, Claim = K, Handle = H>,
    C: Child,
{
    /// Waits until one of them is done, in whatever way.
    ///
    /// # asyncio counterpart
    ///
    /// `return_when=FIRST_COMPLETED`.
    pub fn first_completed(mut self) -> Self {
        self.until = Until::First;
        self
    }

    /// Waits until one of them has failed: given an `Err`, or panicked. One that was cancelled has not failed. If
    /// none fails, this waits for all.
    ///
    /// # asyncio counterpart
    ///
    /// `return_when=FIRST_EXCEPTION`.
    pub fn first_exception(mut self) -> Self
    where
        O: TryOperand<Child = C, Claim = K>,
        C: TryChild,
    {
        self.until = Until::Exception {
            is_failure: TryChild::is_err,
            claimed: O::is_err,
        };
        self
    }

    /// Waits no longer than `timeout`, then gives what is done by then. A timeout of zero still gives what is ready a turn.
    ///
    /// # asyncio counterpart
    ///
    /// `timeout=`.
    ///
    /// # Panics
    ///
    /// The future panics if it is polled outside a runtime.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Observes the tasks.
    #[track_caller]
    fn begin(&mut self) -> Waiting<C> {
        let (promise, told) = promise();
        let children = self.children.take().expect("polled after it was ready");
        let n_children = children.len();
        let is_failure = match self.until {
            Until::Exception { is_failure, .. } => Some(is_failure),
            Until::All | Until::First => None,
        };
        let (group, mut children) = children.into_record(Record {
            n_left: AtomicUsize::new(n_children),
            first: matches!(self.until, Until::First),
            is_failure,
            state: Mutex::new(State {
                children: None,
                promise: Some(promise),
                timer: None,
                is_timed_out: false,
            }),
        });
        if let Some(timeout) = self.timeout {
            let record = group.clone();
            let timer = Handle::current().call_later(timeout, move || record.observer().tell(true));
            lock(&group.observer().state).timer = Some(timer);
        }
        let mut observations = Vec::new();
        let mut done = Vec::new();
        for index in 0..n_children {
            match children.get_mut(index).observe(index, &group) {
                // Those that are done are told of as well: a wait always suspends (rule W8).
                Observed::Done => done.push((index, children.get(index).task().clone())),
                Observed::Kept => {}
                Observed::Listed(observation) => {
                    observations.reserve_exact(n_children - index);
                    observations.push(observation);
                }
            }
        }
        lock(&group.observer().state).children = Some(children);
        for (index, child) in done {
            group.tell(index, &child);
        }
        Waiting {
            told,
            record: group,
            _observations: observations,
        }
    }

    fn poll_over(&mut self, cx: &mut Context<'_>) -> Poll<(Vec<H>, Vec<H>)> {
        loop {
            if self.waiting.is_none() {
                self.waiting = Some(self.begin());
            }
            let waiting = self.waiting.as_mut().expect("begun above");
            ready!(Pin::new(&mut waiting.told).poll(cx));
            let record = waiting.record.clone();
            let is_timed_out = lock(&record.observer().state).is_timed_out;
            if is_timed_out || self.is_over(record.observer()) {
                // The sets are made now, not when the waiter was woken (rule W7).
                return Poll::Ready(self.give_back());
            }
            self.wait_on();
        }
    }

    /// Whether the waiting is over, now that the waiter was woken.
    fn is_over(&self, record: &Record<C>) -> bool {
        let Until::Exception {
            is_failure,
            claimed,
        } = &self.until
        else {
            // Nobody else wakes the waiter.
            return true;
        };
        let state = lock(&record.state);
        let children = state.children.as_ref().expect("registered");
        let mut all_done = true;
        let failed = iter::zip(children.iter(), &self.claims).any(|(child, claim)| {
            let task = child.task();
            all_done &= task.is_finished();
            task.is_finished()
                && !task.is_cancelled()
                && (task.is_panicked() || is_failure(child).unwrap_or_else(|| claimed(claim)))
        });
        failed || all_done
    }

    fn give_back(&mut self) -> (Vec<H>, Vec<H>) {
        let Waiting { record, .. } = self.waiting.take().expect("it has waited");
        let children = lock(&record.observer().state).children.take();
        let children = children.expect("registered");
        // More may end meanwhile: then one of the two grows.
        let n_done = children.iter().filter(|child| child.task().is_finished());
        let mut done = Vec::with_capacity(n_done.count());
        let mut pending = Vec::with_capacity(children.len() - done.capacity());
        for (mut child, claim) in iter::zip(children, mem::take(&mut self.claims)) {
            if child.task().is_finished() {
                done.push(O::give_back(child, claim));
            } else {
                child.forget(&record);
                pending.push(O::give_back(child, claim));
            }
        }
        (done, pending)
    }

    /// The end that woke the waiter was none that ends the waiting: goes on.
    fn wait_on(&mut self) {
        let (promise, told) = promise();
        let waiting = self.waiting.as_mut().expect("it was woken");
        waiting.told = told;
        let record = waiting.record.clone();
        lock(&record.observer().state).promise = Some(promise);
        // Liveness: what ended before the new promise was in place is seen here, what ends later keeps it.
        if self.is_over(record.observer()) {
            record.observer().tell(false);
        }
    }
}

impl<O, C, K, H> Unpin for Wait<O, C, K, H> {}

impl<O, C, K, H> Future for Wait<O, C, K, H> {
    /// Those that are done, and those that are not.
    type Output = (Vec<H>, Vec<H>);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        (self.poll)(&mut self, cx)
    }
}

impl<O, C, K, H> Drop for Wait<O, C, K, H> {
    fn drop(&mut self) {
        let Some(Waiting { told, record, .. }) = self.waiting.take() else {
            return;
        };
        drop(told);
        let (promise, timer, children) = {
            let mut state = lock(&record.observer().state);
            (
                state.promise.take(),
                state.timer.take(),
                state.children.take(),
            )
        };
        if let Some(timer) = timer {
            timer.cancel();
        }
        drop((promise, children));
    }
}

impl<O, C, K, H> fmt::Debug for Wait<O, C, K, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wait")
            .field("n_tasks", &self.claims.len())
            .finish_non_exhaustive()
    }
}
