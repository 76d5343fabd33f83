//! Armed timers, and where they are kept: with the worker that armed them.

use std::task::Waker;

use super::current;
use super::remote::Remote;
use super::shared::Shared;
use crate::primitive::Arc;
use crate::timer_queue::TimerKey;

/// An armed timer. Disarmed when dropped.
#[derive(Debug)]
pub(crate) struct Timer {
    home: Arc<Remote>,
    key: TimerKey,
    /// It stays armed when this is dropped.
    let_go: bool,
}

impl Timer {
    /// Arms a timer that wakes `waker` at `deadline_ns` of the clock of `shared`.
    pub(crate) fn arm(shared: &Shared, deadline_ns: u64, waker: Waker) -> Self {
        current::with_worker_of(shared, |worker| match worker {
            Some(worker) => {
                let home = worker.remote();
                let key = worker.with_core(|core| core.timers.insert(deadline_ns, waker));
                Self {
                    home: Arc::clone(home),
                    key,
                    let_go: false,
                }
            }
            None => Self::arm_elsewhere(shared, deadline_ns, waker),
        })
    }

    #[cold]
    fn arm_elsewhere(shared: &Shared, deadline_ns: u64, waker: Waker) -> Self {
        let home = &shared.workers[shared.next_home()];
        let mut waker = Some(waker);
        let key = home.visit(|core| {
            let waker = waker.take().expect("a visit happens once");
            core.timers.insert(deadline_ns, waker)
        });
        // Liveness: the worker may sleep beyond the new deadline.
        shared.nudge(home.index);
        Self {
            home: Arc::clone(home),
            key,
            let_go: false,
        }
    }

    /// Has the timer wake `waker` instead of the one it was armed with.
    #[inline]
    pub(crate) fn set_waker(&mut self, shared: &Shared, deadline_ns: u64, waker: &Waker) {
        let here = current::with_worker(|worker| {
            let worker = worker.filter(|worker| Arc::ptr_eq(worker.remote(), &self.home))?;
            if worker.with_core(|core| core.timers.holds_waker(self.key, waker)) {
                return Some(());
            }
            let new = waker.clone();
            // Outside the core: a foreign waker's drop is user code.
            drop(worker.with_core(|core| core.timers.replace_waker(self.key, new)));
            Some(())
        });
        if here.is_none() {
            // The task has moved: its timer comes along.
            *self = Self::arm(shared, deadline_ns, waker.clone());
        }
    }

    /// Leaves the timer armed for good.
    pub(crate) fn let_go(mut self) {
        self.let_go = true;
    }

    /// Whether the timer has yet to fire.
    #[inline(always)]
    pub(crate) fn is_armed(&self) -> bool {
        self.home.timers.is_armed(self.key)
    }
}

impl Drop for Timer {
    #[inline]
    fn drop(&mut self) {
        if self.let_go || !self.is_armed() {
            return;
        }
        let waker = current::with_worker(|worker| match worker {
            Some(worker) if Arc::ptr_eq(worker.remote(), &self.home) => {
                worker.with_core(|core| core.timers.cancel(self.key))
            }
            _ => self.home.timers.cancel_remote(self.key),
        });
        // Outside the core: a foreign waker's drop is user code.
        drop(waker);
    }
}
