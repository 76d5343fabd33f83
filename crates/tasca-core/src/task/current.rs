//! What this thread is doing right now: the task it polls, and what the task's leaves need to know.
//!
//! Everything here belongs to one thread and one poll; an outer poll's values are put back when
//! an inner one ends (a runtime inside a task of another).

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::{self, NonNull};
use std::sync::Arc;

use super::context::ContextCell;
use super::error::{Problem, Trouble, report_to_stderr};
use super::header::{Header, TaskPtr};
use super::schedule::{Callback, Schedule};
use crate::primitive::thread_local_const;

/// Leaf operations that may succeed within one poll before the task has to yield.
pub(crate) const BUDGET_PER_POLL: u8 = 128;

/// The task woke itself in this poll.
const WOKEN: u32 = 1 << 31;

/// The state of the poll that this thread is in.
#[derive(Debug)]
pub(crate) struct Current {
    task: Cell<*const Header>,
    /// The job whose closure this thread runs. Polls inside it do not change it.
    job: Cell<*const Header>,
    /// The poll began with a cancel request, or a leaf raised one, and no scope has taken it yet.
    deliver: Cell<bool>,
    /// The poll began with a cancel request that is not settled yet.
    requested: Cell<bool>,
    /// Not zero if the task is to be queued again after this poll: it woke itself ([`WOKEN`]), or so many of its leaves stood
    /// back from a cancellation.
    self_woken: Cell<u32>,
    budget: Cell<u8>,
    /// This thread runs a callback of the event loop.
    in_callback: Cell<bool>,
    /// How many polls have begun inside others of this thread; see [`nest`].
    nesting: Cell<u32>,
    /// Whether polls of this thread may go on for as long as they like; see [`lift_budget`].
    unlimited: Cell<bool>,
    /// The context that context variables are read from; null for an empty one.
    context: Cell<*const ContextCell>,
    /// The runtime that this thread is in, as tasks see it.
    // Invariant: valid while it is set; see `enter_scheduler`.
    scheduler: Cell<Option<NonNull<dyn Schedule>>>,
}

thread_local_const! {
    static CURRENT: Current = Current {
        task: Cell::new(ptr::null()),
        job: Cell::new(ptr::null()),
        deliver: Cell::new(false),
        requested: Cell::new(false),
        self_woken: Cell::new(0),
        budget: Cell::new(BUDGET_PER_POLL),
        in_callback: Cell::new(false),
        nesting: Cell::new(0),
        unlimited: Cell::new(false),
        context: Cell::new(ptr::null()),
        scheduler: Cell::new(None),
    }
}

#[inline(always)]
pub(crate) fn with<R>(f: impl FnOnce(&Current) -> R) -> R {
    CURRENT.with(f)
}

/// What a poll found when it began, to be put back by [`Current::leave`].
#[derive(Debug)]
pub(crate) struct Outer {
    task: *const Header,
    deliver: bool,
    requested: bool,
    self_woken: u32,
    budget: u8,
    context: *const ContextCell,
}

impl Current {
    /// Begins a poll of `task`.
    #[inline(always)]
    pub(crate) fn enter(
        &self,
        task: *const Header,
        deliver: bool,
        context: *const ContextCell,
    ) -> Outer {
        Outer {
            task: self.task.replace(task),
            deliver: self.deliver.replace(deliver),
            requested: self.requested.replace(deliver),
            self_woken: self.self_woken.replace(0),
            budget: self.budget.replace(BUDGET_PER_POLL),
            context: self.context.replace(context),
        }
    }

    /// Ends a poll.
    #[inline(always)]
    pub(crate) fn leave(&self, outer: &Outer) {
        self.task.set(outer.task);
        self.deliver.set(outer.deliver);
        self.requested.set(outer.requested);
        self.self_woken.set(outer.self_woken);
        self.budget.set(outer.budget);
        self.context.set(outer.context);
    }

    /// The task that this thread polls. The pointer is good for as long as the poll lasts.
    #[inline(always)]
    pub(crate) fn task(&self) -> Option<TaskPtr> {
        let header = NonNull::new(self.task.get().cast_mut())?;
        // SAFETY: a task stays while it is polled, and `leave` puts null or the outer task back.
        Some(unsafe { TaskPtr::new(header) })
    }

    /// The job whose closure this thread runs. The pointer is good for as long as the closure runs.
    pub(crate) fn job(&self) -> Option<TaskPtr> {
        let header = NonNull::new(self.job.get().cast_mut())?;
        // SAFETY: who runs a job has a reference to its cell meanwhile; see `replace_job`.
        Some(unsafe { TaskPtr::new(header) })
    }

    /// Notes whose closure this thread runs; gives what was there, to be put back. The caller keeps the cell.
    pub(crate) fn replace_job(&self, job: *const Header) -> *const Header {
        self.job.replace(job)
    }

    /// Whose context this thread's code runs in, and makes if there is none.
    pub(crate) fn context_owner(&self) -> Option<TaskPtr> {
        self.task().or_else(|| self.job())
    }

    #[inline(always)]
    pub(crate) fn is_task(&self, header: *const Header) -> bool {
        ptr::eq(self.task.get(), header)
    }

    #[inline(always)]
    pub(crate) fn delivering(&self) -> bool {
        self.deliver.get()
    }

    pub(crate) fn set_delivering(&self, deliver: bool) {
        self.deliver.set(deliver);
    }

    /// Notes that the request this poll began with has been settled; `true` if there was one.
    pub(crate) fn settle_requested(&self) -> bool {
        self.requested.replace(false)
    }

    pub(crate) fn has_requested(&self) -> bool {
        self.requested.get()
    }

    #[inline(always)]
    pub(crate) fn set_self_woken(&self) {
        self.self_woken.set(self.self_woken.get() | WOKEN);
    }

    /// Has the task polled again, because one of its leaves stood back from a cancellation: which scope takes that is not known
    /// yet, and the leaf may be beside it.
    pub(crate) fn stand_back(&self) {
        self.self_woken.set(self.self_woken.get() + 1);
    }

    /// How many leaves have stood back so far.
    #[inline(always)]
    pub(crate) fn n_stood_back(&self) -> u32 {
        self.self_woken.get() & !WOKEN
    }

    /// Forgets leaves that have stood back since there were `n_before`: a scope took the cancellation and dropped them.
    pub(crate) fn forget_stood_back(&self, n_before: u32) {
        self.self_woken
            .set((self.self_woken.get() & WOKEN) | n_before);
    }

    #[inline(always)]
    pub(crate) fn is_self_woken(&self) -> bool {
        self.self_woken.get() != 0
    }

    #[inline(always)]
    pub(crate) fn has_budget(&self) -> bool {
        self.budget.get() > 0
    }

    #[inline(always)]
    pub(crate) fn charge(&self) {
        if !self.unlimited.get() {
            self.budget.set(self.budget.get().saturating_sub(1));
        }
    }

    pub(crate) fn context(&self) -> *const ContextCell {
        self.context.get()
    }

    pub(crate) fn set_context(&self, context: *const ContextCell) {
        self.context.set(context);
    }
}

/// How deep polls may nest by spawns that take the first step of the new task at once.
const NESTING_MAX: u32 = 32;

/// Notes that this thread runs a callback of the event loop, until the guard is dropped.
pub(crate) fn enter_callback() -> CallbackGuard {
    CallbackGuard(with(|current| current.in_callback.replace(true)))
}

/// Puts back what was there before.
#[derive(Debug)]
pub(crate) struct CallbackGuard(bool);

impl Drop for CallbackGuard {
    fn drop(&mut self) {
        with(|current| current.in_callback.set(self.0));
    }
}

/// Begins a poll inside that of a task or callback, unless polls are nested too deep, or this is neither.
pub(crate) fn nest() -> Option<NestGuard> {
    with(|current| {
        let depth = current.nesting.get();
        let is_inside = current.task().is_some() || current.in_callback.get();
        if !is_inside || depth == NESTING_MAX {
            return None;
        }
        current.nesting.set(depth + 1);
        Some(NestGuard(()))
    })
}

/// The nested poll ends when this is dropped.
#[derive(Debug)]
pub(crate) struct NestGuard(());

impl Drop for NestGuard {
    fn drop(&mut self) {
        with(|current| current.nesting.set(current.nesting.get() - 1));
    }
}

/// Lets polls of this thread go on for as long as they like, until the guard is dropped. For a loop in which what need not
/// wait must not suspend (asyncio rule H8), and there are no neighbours to starve.
pub(crate) fn lift_budget() -> BudgetGuard {
    BudgetGuard(with(|current| current.unlimited.replace(true)))
}

/// Puts back the limit that was there before.
#[derive(Debug)]
pub(crate) struct BudgetGuard(bool);

impl Drop for BudgetGuard {
    fn drop(&mut self) {
        with(|current| current.unlimited.set(self.0));
    }
}

/// Makes `scheduler` this thread's, until the guard is dropped.
///
/// # Safety
///
/// `scheduler` outlives the guard, and guards are dropped in reverse order.
pub(crate) unsafe fn enter_scheduler(scheduler: NonNull<dyn Schedule>) -> SchedulerGuard {
    SchedulerGuard(with(|current| current.scheduler.replace(Some(scheduler))))
}

/// Puts back the scheduler that was there before.
#[derive(Debug)]
pub(crate) struct SchedulerGuard(Option<NonNull<dyn Schedule>>);

impl Drop for SchedulerGuard {
    fn drop(&mut self) {
        with(|current| current.scheduler.set(self.0));
    }
}

/// The scheduler of the runtime that this thread is in.
pub(crate) fn keep_scheduler() -> Option<Arc<dyn Schedule>> {
    let scheduler = with(|current| current.scheduler.get())?;
    // SAFETY: the pointer is valid while it is set.
    Some(unsafe { scheduler.as_ref() }.keep())
}

/// Queues a callback with this thread's runtime; outside any, calls it.
pub(crate) fn call_soon(callback: Callback) {
    match keep_scheduler() {
        Some(scheduler) => scheduler.call_soon(callback),
        None => callback(),
    }
}

/// Drops a value of a user's type; a panic of its drop goes to the exception handler of this thread's runtime.
#[inline]
pub(crate) fn drop_reported<T>(value: T) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(move || drop(value))) {
        let problem = Problem::from_panic(Trouble::DropPanicked, payload);
        match keep_scheduler() {
            Some(scheduler) => scheduler.report(problem),
            None => report_to_stderr(&problem),
        }
    }
}
