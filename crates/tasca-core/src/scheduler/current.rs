//! What the calling thread is part of: a runtime, and perhaps one of its workers.

use std::cell::Cell;
use std::ptr::{self, NonNull};

use super::shared::Shared;
use super::worker::Worker;
use crate::primitive::{Arc, thread_local_const};
use crate::task::Schedule;
use crate::task::current::{SchedulerGuard, enter_scheduler};

struct Here {
    // Invariant: null, or kept by the `Entered` that set it.
    shared: Cell<*const Shared>,
    // Invariant: null, or the worker whose loop this thread is in.
    worker: Cell<*const Worker>,
}

thread_local_const! {
    static HERE: Here = Here { shared: Cell::new(ptr::null()), worker: Cell::new(ptr::null()) }
}

/// This thread is inside a runtime until this is dropped.
#[derive(Debug)]
pub(crate) struct Entered {
    outer_shared: *const Shared,
    outer_worker: *const Worker,
    _scheduler: SchedulerGuard,
    _shared: Arc<Shared>,
}

/// Makes `shared` this thread's runtime.
pub(crate) fn enter(shared: &Arc<Shared>) -> Entered {
    let scheduler: &dyn Schedule = &**shared;
    // SAFETY: the guard is kept beside the `Arc`, and dropped before it (fields drop in order).
    let guard = unsafe { enter_scheduler(NonNull::from(scheduler)) };
    HERE.with(|here| Entered {
        outer_shared: here.shared.replace(Arc::as_ptr(shared)),
        outer_worker: here.worker.replace(ptr::null()),
        _scheduler: guard,
        _shared: Arc::clone(shared),
    })
}

impl Entered {
    /// Makes `worker` this thread's worker.
    ///
    /// # Safety
    ///
    /// `worker` outlives `self` and belongs to the runtime that was entered.
    pub(crate) unsafe fn set_worker(&self, worker: &Worker) {
        HERE.with(|here| here.worker.set(worker));
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        HERE.with(|here| {
            here.shared.set(self.outer_shared);
            here.worker.set(self.outer_worker);
        });
    }
}

/// The runtime that this thread is in.
#[inline(always)]
pub(crate) fn with_shared<R>(f: impl FnOnce(Option<&Shared>) -> R) -> R {
    let shared = HERE.with(|here| here.shared.get());
    // SAFETY: see the invariant at `Here::shared`; what `f` can do within this call does not end
    // the guard that keeps it.
    f(unsafe { shared.as_ref() })
}

/// Calls `f` with the runtime that this thread is in.
///
/// # Panics
///
/// Outside a runtime, in the caller's name.
#[track_caller]
#[inline]
pub(crate) fn with_runtime<R>(f: impl FnOnce(&Shared) -> R) -> R {
    // Not inside the closure: that would be the place the panic points at.
    match with_shared(|shared| shared.map(f)) {
        Some(result) => result,
        None => no_runtime(),
    }
}

/// Panics where a runtime is needed and there is none.
#[cold]
#[track_caller]
pub(crate) fn no_runtime() -> ! {
    panic!(
        "there is no tasca runtime on this thread: use this in a task or in Runtime::block_on, or keep a Handle \
         and use that, or Handle::enter"
    )
}

/// Whether this thread is in that very runtime.
pub(crate) fn is_inside(shared: &Shared) -> bool {
    with_shared(|here| here.is_some_and(|here| ptr::eq(here, shared)))
}

/// The worker whose loop this thread is in.
#[inline(always)]
pub(crate) fn with_worker<R>(f: impl FnOnce(Option<&Worker>) -> R) -> R {
    let worker = HERE.with(|here| here.worker.get());
    // SAFETY: see the invariant at `Here::worker`; the loop goes on after this call.
    f(unsafe { worker.as_ref() })
}

/// The worker of `shared` whose loop this thread is in.
#[inline(always)]
pub(crate) fn with_worker_of<R>(shared: &Shared, f: impl FnOnce(Option<&Worker>) -> R) -> R {
    with_worker(|worker| f(worker.filter(|worker| ptr::eq(worker.shared(), shared))))
}

/// The I/O driver of this thread's runtime, and the poller that sources should be registered with.
pub(crate) fn io_driver() -> Option<(Arc<crate::driver::Driver>, usize)> {
    with_shared(|shared| {
        let shared = shared?;
        let home = with_worker_of(shared, |worker| worker.map(Worker::index));
        Some((
            Arc::clone(&shared.driver),
            home.unwrap_or_else(|| shared.next_home()),
        ))
    })
}
