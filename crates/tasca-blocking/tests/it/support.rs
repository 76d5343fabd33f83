//! Latches and runtimes for the tests. Nothing here sleeps to wait: waits end with an event, or fail loudly.

use std::sync::Arc;

use parking_lot::{Condvar, Mutex};
use tasca_core::Runtime;

pub(crate) use crate::guard::{HANG, guarded};

/// Counts up; waits for a count.
#[derive(Clone, Default)]
pub(crate) struct Latch(Arc<(Mutex<usize>, Condvar)>);

impl Latch {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn hit(&self) -> usize {
        let mut count = self.0.0.lock();
        *count += 1;
        self.0.1.notify_all();
        *count
    }

    pub(crate) fn count(&self) -> usize {
        *self.0.0.lock()
    }

    /// Blocks this thread until the latch was hit `n` times.
    #[track_caller]
    pub(crate) fn wait(&self, n: usize) {
        let mut count = self.0.0.lock();
        let timeout = self
            .0
            .1
            .wait_while_for(&mut count, |count| *count < n, HANG);
        assert!(
            !timeout.timed_out(),
            "waited for {n} hits, and there were {}",
            *count
        );
    }
}

/// Counts how many are inside at once, and the most that ever were.
#[derive(Clone, Default)]
pub(crate) struct Inside(Arc<Mutex<(usize, usize)>>);

impl Inside {
    pub(crate) fn enter(&self) -> Leave {
        let mut counts = self.0.lock();
        counts.0 += 1;
        counts.1 = counts.1.max(counts.0);
        Leave(self.clone())
    }

    pub(crate) fn most(&self) -> usize {
        self.0.lock().1
    }
}

pub(crate) struct Leave(Inside);

impl Drop for Leave {
    fn drop(&mut self) {
        self.0.0.lock().0 -= 1;
    }
}

pub(crate) fn current_thread() -> Runtime {
    Runtime::builder().current_thread().build().unwrap()
}

pub(crate) fn multi_thread() -> Runtime {
    Runtime::builder().worker_threads(2).build().unwrap()
}

/// Runs `test` on each kind of runtime.
pub(crate) fn on_each<F: Future<Output = ()>>(test: impl Fn() -> F + Clone + Send + 'static) {
    let builder = Runtime::builder;
    for builder in [
        builder().current_thread(),
        builder().worker_threads(2),
        builder().deterministic(0),
    ] {
        let test = test.clone();
        guarded(&format!("{builder:?}"), move || {
            builder.build().unwrap().block_on(test());
        });
    }
}
