//! [`as_completed`]: tasks in the order in which they end.

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::Stream;
use tasca_core::{
    CallHandle, Child, Group, Handle, Observation, Observed, Observer, Operand, Promise, Task,
    TaskRef, promise,
};

use crate::primitive::Mutex;
use crate::sync::{lock, tell};
use crate::timeout::Elapsed;

/// Gives the tasks in the order in which they end: a stream of tasks that are done.
///
/// Awaiting an item gives its output at once, or raises what it failed with; the stream itself never fails. The same task
/// given several times counts once. Futures are spawned.
///
/// [`next`](AsCompleted::next) takes a shared reference: several tasks may wait for items of one stream, and are served
/// in the order in which they began to wait.
///
/// # asyncio counterpart
///
/// `asyncio.as_completed()` as an asynchronous iterator. For the plain iterator's style, await each item.
///
/// # Panics
///
/// If there is a future among the operands, outside a runtime.
///
/// # Cancel safety
///
/// Nothing is cancelled when the stream is dropped or its consumer cancelled. A `next` that is dropped while it waits has
/// used up its turn: one item less is given in all, as in asyncio. The `Stream` keeps its turn.
///
/// # Examples
///
/// ```
/// use futures::StreamExt;
/// use tasca_combinators::as_completed;
/// use tasca_core::{spawn, yield_now};
///
/// # let rt = tasca_core::Runtime::builder().deterministic(0).build().unwrap();
/// # rt.block_on(async {
/// let slow = spawn(async { yield_now().await; "slow" });
/// let quick = spawn(async { "quick" });
/// let mut ended = as_completed([slow, quick]);
/// assert_eq!(ended.next().await.unwrap().await, "quick");
/// assert_eq!(ended.next().await.unwrap().await, "slow");
/// assert!(ended.next().await.is_none());
/// # });
/// ```
#[track_caller]
pub fn as_completed<I, O>(operands: I) -> AsCompleted<O::Child, O::Claim, O::Handle>
where
    I: IntoIterator<Item = O>,
    O: Operand,
{
    let given = operands.into_iter();
    let mut operands = Vec::with_capacity(given.size_hint().0);
    let mut seen = HashSet::new();
    for operand in given {
        let (child, claim) = operand.start();
        if O::Child::IS_OWNED || seen.insert(child.task().clone()) {
            operands.push(Some((child, claim)));
        }
    }
    let record = Group::new(
        operands.len(),
        Record(Mutex::new(State {
            n_running: operands.len(),
            n_turns: operands.len(),
            ended: VecDeque::with_capacity(operands.len()),
            waiting: VecDeque::new(),
            next_waiter: 0,
            timer: None,
            is_timed_out: false,
        })),
    );
    let mut observations = Vec::new();
    for (index, (child, _)) in operands.iter_mut().flatten().enumerate() {
        match child.observe(index, &record) {
            Observed::Done => record.tell(index, child.task()),
            Observed::Kept => {}
            Observed::Listed(observation) => observations.push(observation),
        }
    }
    AsCompleted {
        operands: Mutex::new(operands),
        record,
        turn: Turn::default(),
        give_back: O::give_back,
        _observations: observations,
    }
}

/// The stream of [`as_completed`]. `C` and `K` are the parts that the operands are kept in, `H` is how they are given.
#[must_use = "streams do nothing unless polled"]
pub struct AsCompleted<C, K, H> {
    operands: Mutex<Vec<Option<(C, K)>>>,
    record: Group<Record>,
    /// Of the stream.
    turn: Turn,
    give_back: fn(C, K) -> H,
    _observations: Vec<Observation>,
}

struct Record(Mutex<State>);

struct State {
    /// Operands that have not ended, as far as the stream knows.
    n_running: usize,
    /// How many more `next` may begin.
    n_turns: usize,
    /// What has ended and was not given; `None` for an operand that had not when the time was up.
    ended: VecDeque<Option<usize>>,
    waiting: VecDeque<(u64, Promise<()>)>,
    next_waiter: u64,
    timer: Option<CallHandle>,
    is_timed_out: bool,
}

impl State {
    /// Puts something on the line; gives whom to wake.
    fn put(&mut self, ended: Option<usize>) -> Option<Promise<()>> {
        self.ended.push_back(ended);
        self.next_to_wake()
    }

    /// The first in line who has not been cancelled.
    fn next_to_wake(&mut self) -> Option<Promise<()>> {
        while let Some((_, promise)) = self.waiting.pop_front() {
            if !promise.is_cancelled() {
                return Some(promise);
            }
        }
        None
    }
}

fn wake(promise: Option<Promise<()>>) {
    if let Some(promise) = promise {
        // One that is cancelled at this moment sees to the next one when it is dropped.
        tell(promise);
    }
}

impl Observer for Record {
    fn child_done(&self, index: usize, _: &TaskRef) {
        let (promise, timer) = {
            let mut state = lock(&self.0);
            if state.is_timed_out {
                return;
            }
            state.n_running -= 1;
            let timer = if state.n_running == 0 {
                state.timer.take()
            } else {
                None
            };
            (state.put(Some(index)), timer)
        };
        if let Some(timer) = timer {
            timer.cancel();
        }
        wake(promise);
    }
}

impl Record {
    fn time_is_up(&self) {
        let promises: Vec<_> = {
            let mut state = lock(&self.0);
            state.is_timed_out = true;
            state.timer = None;
            let n_running = std::mem::take(&mut state.n_running);
            (0..n_running).map(|_| state.put(None)).collect()
        };
        promises.into_iter().for_each(wake);
    }
}

/// One call of `next`.
#[derive(Default)]
struct Turn {
    begun: bool,
    waiter: Option<(u64, Task<()>)>,
}

impl Turn {
    /// What ended next; `None` at the end.
    fn poll(&mut self, record: &Record, cx: &mut Context<'_>) -> Poll<Option<Option<usize>>> {
        if !self.begun {
            let mut state = lock(&record.0);
            if state.n_turns == 0 {
                return Poll::Ready(None);
            }
            state.n_turns -= 1;
            self.begun = true;
        }
        loop {
            if let Some((_, told)) = &mut self.waiter {
                ready!(Pin::new(told).poll(cx));
                self.waiter = None;
            }
            let mut state = lock(&record.0);
            if let Some(ended) = state.ended.pop_front() {
                self.begun = false;
                return Poll::Ready(Some(ended));
            }
            let (promise, told) = promise();
            let id = state.next_waiter;
            state.next_waiter += 1;
            state.waiting.push_back((id, promise));
            self.waiter = Some((id, told));
        }
    }

    /// Leaves the line; somebody else is woken if this one had been.
    fn leave(&mut self, record: &Record) {
        let Some((id, told)) = self.waiter.take() else {
            return;
        };
        let was_cancelled = told.is_cancelled();
        drop(told);
        let (left, next) = {
            let mut state = lock(&record.0);
            let place = state.waiting.iter().position(|(waiter, _)| *waiter == id);
            let left = place.and_then(|place| state.waiting.remove(place));
            let pass_on = left.is_none() && !was_cancelled && !state.ended.is_empty();
            (left, if pass_on { state.next_to_wake() } else { None })
        };
        drop(left);
        wake(next);
    }
}

impl<C, K, H> AsCompleted<C, K, H> {
    /// Waits for the next task to end; `None` when as many calls have begun as there are tasks.
    ///
    /// # Cancel safety
    ///
    /// A call that is dropped while it waits has used up its turn.
    pub fn next(&self) -> Next<'_, C, K, H> {
        Next {
            stream: self,
            turn: Turn::default(),
        }
    }

    /// Gives up after `timeout`: from then on each item that is left is an [`Elapsed`], once for each task that was not
    /// done. What had ended before comes first. Nothing is cancelled.
    ///
    /// # asyncio counterpart
    ///
    /// `timeout=`.
    ///
    /// # Panics
    ///
    /// Outside a runtime.
    #[track_caller]
    pub fn timeout(self, timeout: Duration) -> AsCompletedWithin<C, K, H> {
        if lock(&self.record.observer().0).n_running > 0 {
            let record = self.record.clone();
            let timer =
                Handle::current().call_later(timeout, move || record.observer().time_is_up());
            let late = {
                let mut state = lock(&self.record.observer().0);
                if state.n_running > 0 {
                    state.timer.replace(timer)
                } else {
                    Some(timer)
                }
            };
            if let Some(late) = late {
                late.cancel();
            }
        }
        AsCompletedWithin(self)
    }

    fn take(&self, index: usize) -> H {
        let parts = lock(&self.operands)[index].take();
        let (child, claim) = parts.expect("every task ends once");
        (self.give_back)(child, claim)
    }
}

impl<C, K, H> AsCompleted<C, K, H> {
    /// Gives how many more items can be asked for.
    #[must_use]
    pub fn remaining(&self) -> usize {
        lock(&self.record.observer().0).n_turns
    }
}

impl<C, K, H> Unpin for AsCompleted<C, K, H> {}

impl<C, K, H> AsCompleted<C, K, H> {
    fn poll_ended(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<H, Elapsed>>> {
        let ended = ready!(self.turn.poll(self.record.observer(), cx));
        Poll::Ready(ended.map(|ended| ended.map(|index| self.take(index)).ok_or_else(Elapsed::new)))
    }
}

impl<C, K, H> Stream for AsCompleted<C, K, H> {
    type Item = H;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<H>> {
        let ended = ready!(self.poll_ended(cx));
        Poll::Ready(
            ended.map(|ended| ended.unwrap_or_else(|_| unreachable!("there is no timeout"))),
        )
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.remaining() + usize::from(self.turn.begun)))
    }
}

impl<C, K, H> Drop for AsCompleted<C, K, H> {
    fn drop(&mut self) {
        self.turn.leave(self.record.observer());
        let timer = lock(&self.record.observer().0).timer.take();
        if let Some(timer) = timer {
            timer.cancel();
        }
    }
}

impl<C, K, H> fmt::Debug for AsCompleted<C, K, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsCompleted")
            .field("remaining", &self.remaining())
            .finish_non_exhaustive()
    }
}

/// The stream of [`as_completed`] with a timeout.
#[must_use = "streams do nothing unless polled"]
pub struct AsCompletedWithin<C, K, H>(AsCompleted<C, K, H>);

impl<C, K, H> AsCompletedWithin<C, K, H> {
    /// Waits for the next task to end, or for the time to be up; as [`AsCompleted::next`].
    pub fn next(&self) -> NextWithin<'_, C, K, H> {
        NextWithin(self.0.next())
    }

    /// Gives how many more items can be asked for.
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.0.remaining()
    }
}

impl<C, K, H> Stream for AsCompletedWithin<C, K, H> {
    type Item = Result<H, Elapsed>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_ended(cx)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

/// The future of [`AsCompleted::next`].
#[must_use = "futures do nothing unless awaited"]
pub struct Next<'a, C, K, H> {
    stream: &'a AsCompleted<C, K, H>,
    turn: Turn,
}

impl<C, K, H> Next<'_, C, K, H> {
    fn poll_ended(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<H, Elapsed>>> {
        let ended = ready!(self.turn.poll(self.stream.record.observer(), cx));
        Poll::Ready(ended.map(|ended| {
            ended
                .map(|index| self.stream.take(index))
                .ok_or_else(Elapsed::new)
        }))
    }
}

impl<C, K, H> Future for Next<'_, C, K, H> {
    type Output = Option<H>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<H>> {
        let ended = ready!(self.poll_ended(cx));
        Poll::Ready(
            ended.map(|ended| ended.unwrap_or_else(|_| unreachable!("there is no timeout"))),
        )
    }
}

impl<C, K, H> Drop for Next<'_, C, K, H> {
    fn drop(&mut self) {
        self.turn.leave(self.stream.record.observer());
    }
}

impl<C, K, H> fmt::Debug for Next<'_, C, K, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Next")
            .field("stream", self.stream)
            .finish_non_exhaustive()
    }
}

/// The future of [`AsCompletedWithin::next`].
#[must_use = "futures do nothing unless awaited"]
pub struct NextWithin<'a, C, K, H>(Next<'a, C, K, H>);

impl<C, K, H> Future for NextWithin<'_, C, K, H> {
    type Output = Option<Result<H, Elapsed>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.poll_ended(cx)
    }
}

impl<C, K, H> fmt::Debug for AsCompletedWithin<C, K, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<C, K, H> fmt::Debug for NextWithin<'_, C, K, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
