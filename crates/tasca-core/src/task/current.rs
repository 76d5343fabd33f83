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
    /// The task woke itself: it is to be queued again after this poll.
    self_woken: Cell<bool>,
    budget: Cell<u8>,
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
        self_woken: Cell::new(false),
        budget: Cell::new(BUDGET_PER_POLL),
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
    self_woken: bool,
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
            self_woken: self.self_woken.replace(false),
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
        self.self_woken.set(true);
    }

    #[inline(always)]
    pub(crate) fn is_self_woken(&self) -> bool {
        self.self_woken.get()
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
