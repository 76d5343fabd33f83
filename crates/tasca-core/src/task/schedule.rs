//! What a task needs from whoever runs it.

use std::ptr::NonNull;
use std::sync::Arc;

use super::cell::Runnable;
use super::error::Problem;

/// A closure that runs once, as a step of the event loop.
pub(crate) type Callback = Box<dyn FnOnce() + Send>;

/// The way from a task to its scheduler: a part of the scheduler that says where, and what, the whole is. A pointer to
/// it is one word in each task; a pointer to the trait object would be two.
#[derive(Debug)]
pub(crate) struct Anchor {
    // Invariant: points to the scheduler that this is part of, as the `Arc` that it is in does.
    scheduler: *const dyn Schedule,
}

// SAFETY: the pointer gives shared references to a scheduler, which is `Sync`.
unsafe impl Send for Anchor {}
// SAFETY: as above.
unsafe impl Sync for Anchor {}

impl Anchor {
    /// For the scheduler at `scheduler`, where an `Arc` has it, or will have it once it is made.
    pub(crate) const fn new(scheduler: *const dyn Schedule) -> Self {
        Self { scheduler }
    }

    /// The scheduler that `this` is part of.
    ///
    /// # Safety
    ///
    /// The scheduler has been made, and is not dropped while the reference is used.
    #[inline(always)]
    pub(crate) unsafe fn scheduler<'a>(this: NonNull<Self>) -> &'a dyn Schedule {
        // SAFETY: the caller's promise: a part is there as long as the whole.
        let this = unsafe { this.as_ref() };
        // SAFETY: the invariant, and the caller's promise.
        unsafe { &*this.scheduler }
    }

    /// Leaves a reference with whoever gets the pointer.
    pub(crate) fn entrust(scheduler: Arc<dyn Schedule>) -> NonNull<Self> {
        let this = NonNull::from(scheduler.anchor());
        let _entrusted = Arc::into_raw(scheduler);
        this
    }

    /// Takes back what was [entrusted](Self::entrust).
    ///
    /// # Safety
    ///
    /// The pointer came from there, and this is done once.
    pub(crate) unsafe fn redeem(this: NonNull<Self>) -> Arc<dyn Schedule> {
        // SAFETY: the reference that was entrusted keeps the scheduler, and this as a part of it.
        let scheduler = unsafe { this.as_ref() }.scheduler;
        // SAFETY: the invariant: it is where the `Arc` has it. The reference is taken back once.
        unsafe { Arc::from_raw(scheduler) }
    }
}

/// The scheduler, as tasks see it.
pub(crate) trait Schedule: Send + Sync {
    /// The way back to this, for tasks.
    fn anchor(&self) -> &Anchor;

    /// Queues a task that has become runnable, behind what this thread has queued already.
    ///
    /// The task keeps the scheduler alive only until it is queued: an implementation that goes on
    /// to use `self` afterwards takes a reference of its own first.
    fn schedule(&self, runnable: Runnable);

    /// Queues a callback as one step of the event loop.
    fn call_soon(&self, callback: Callback);

    /// Whether the callbacks of one future are separate steps of the loop, as in asyncio, or may
    /// be run in order as one step.
    fn separates_callbacks(&self) -> bool;

    /// Whether steps that were queued in an order may run in another. The callbacks of one future keep theirs (rule
    /// M1): they are one step then.
    fn permutes_steps(&self) -> bool {
        false
    }

    /// Whether the message of a cancelled task is given to one reader only, as in asyncio, or to all (rule C16).
    fn gives_messages_once(&self) -> bool {
        false
    }

    /// Hands a failure that nobody will see to the exception handler.
    fn report(&self, problem: Problem);

    /// A reference that keeps the scheduler alive.
    fn keep(&self) -> Arc<dyn Schedule>;

    /// An id for a new job.
    fn next_job_id(&self) -> u64 {
        super::JOB_ID
    }

    /// An id for a new promise.
    fn next_promise_id(&self) -> u64 {
        super::promise::next_id_outside()
    }

    /// Told when a job is made, and, after everybody was told of its end, when it is done; the latter only where there are steps
    /// for callbacks, unless somebody else has taken the job's hold on the clock.
    fn job_began(&self) {}
    fn job_ended(&self) {}

    /// A way to report after the task is done, when the scheduler may be gone.
    fn reporter(&self) -> super::error::Reporter;
}
