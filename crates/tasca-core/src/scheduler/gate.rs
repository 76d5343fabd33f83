//! The flags and the count that the end of a runtime turns on.
//!
//! Three questions are asked while a runtime ends, each by somebody who has just left something behind that must
//! not be forgotten; steps 1, 3 and 4 of the protocol of [`shutdown`](super::shutdown).

use crate::primitive::{AtomicBool, AtomicUsize, Ordering, fence, heavy_fence, light_fence};

/// How far the end of a runtime has come.
#[derive(Debug)]
pub(crate) struct Gate {
    /// No more tasks are taken.
    closed: AtomicBool,
    /// Workers end.
    stopped: AtomicBool,
    /// Workers whose loop has not ended. Only when there are none may somebody else run what lies in the injector.
    n_workers: AtomicUsize,
}

impl Gate {
    pub(crate) fn new() -> Self {
        Self {
            closed: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
            n_workers: AtomicUsize::new(0),
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        // Ordering: Relaxed; a look that must not come too early is `is_closed_to_newborn`.
        self.closed.load(Ordering::Relaxed)
    }

    /// Whether a task whose cell has just been published came too late, and has to be refused.
    #[inline(always)]
    pub(crate) fn is_closed_to_newborn(&self) -> bool {
        // Ordering: pairs with the heavy fence in `close`: either this thread sees that the runtime is
        // closed, or the walk that follows the closing sees the task.
        light_fence();
        self.closed.load(Ordering::Relaxed)
    }

    /// Closes. The walk over all tasks comes after this call.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        // Ordering: see `is_closed_to_newborn`.
        heavy_fence();
    }

    #[inline(always)]
    pub(crate) fn is_stopped(&self) -> bool {
        // Ordering: Acquire pairs with the Release in `stop`: what was done before the stop is seen.
        self.stopped.load(Ordering::Acquire)
    }

    /// Has workers end. Those that sleep are woken after this call.
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
    }

    /// Counts a worker in, before its thread starts.
    pub(crate) fn worker_begins(&self) {
        self.n_workers.fetch_add(1, Ordering::AcqRel);
    }

    /// Takes back [`Gate::worker_begins`]: there is no thread for it.
    pub(crate) fn worker_cannot_begin(&self) {
        self.n_workers.fetch_sub(1, Ordering::AcqRel);
    }

    /// Counts a worker out; `true` if it was the last, and has to run what lies in the injector.
    pub(crate) fn worker_ended(&self) -> bool {
        let last = self.n_workers.fetch_sub(1, Ordering::AcqRel) == 1;
        // Ordering: pairs with the fence in `is_over`: either the last worker sees the push, or the pusher that
        // it has ended.
        fence(Ordering::SeqCst);
        last
    }

    /// Whether a thread that has just pushed to the injector, and looked for somebody to wake, has to run it itself.
    #[inline]
    pub(crate) fn is_over(&self) -> bool {
        // Liveness: who reads false here has executed the full fence of the look for a worker before, and so its push is
        // seen by the worker that reads true, counts itself out, fences and looks.
        if !self.is_stopped() {
            return false;
        }
        // Ordering: see `worker_ended`.
        fence(Ordering::SeqCst);
        self.n_workers.load(Ordering::Relaxed) == 0
    }
}
