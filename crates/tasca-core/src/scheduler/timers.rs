//! Armed timers, and where they are kept: with the worker that armed them.

use std::task::Waker;

use super::current;
use super::remote::Remote;
use super::shared::Shared;
use super::worker::Worker;
use crate::primitive::Arc;
use crate::task::cancel;
use crate::task::expiry::ExpiryId;
use crate::task::waker;
use crate::task::weak::WeakTask;
use crate::timer_queue::{TimerKey, Turn};

/// What happens when a timer fires.
#[derive(Debug)]
pub(crate) enum Alarm {
    /// Somebody is woken.
    Wake(Waker),
    /// A task is asked to stop: a deadline of its has passed. No reference is needed, so arming and disarming touch
    /// neither the task's state nor anybody's waker.
    Expire(WeakTask),
}

/// A timer of one worker that has fired.
pub(crate) type Fired = (TimerKey, Alarm);

impl Alarm {
    /// Does what there is to do for a timer of `home`. May call foreign code: a waker's.
    pub(crate) fn go_off(self, shared: &Shared, home: &Remote, key: TimerKey) {
        match self {
            Self::Wake(waker) => waker::wake_reported(shared, waker),
            Self::Expire(task) => cancel::expire(task, expiry_of(home, key)),
        }
    }

    /// Queues the step of the event loop in which that is done (asyncio's timers complete a future, whose waiter runs one
    /// cycle later). A callback is such a step itself.
    pub(crate) fn queue_step(self, worker: &Worker, key: TimerKey) {
        match self {
            Self::Wake(waker) if waker::is_callback(&waker) => waker.wake(),
            alarm => {
                let home = Arc::clone(worker.remote());
                let step = move || {
                    current::with_shared(|shared| {
                        let shared = shared.expect("a step of the loop runs in the runtime");
                        alarm.go_off(shared, &home, key);
                    });
                };
                drop(worker.shared().new_callback(Box::new(step), false));
            }
        }
    }
}

/// The name of an expiry, by its timer.
fn expiry_of(home: &Remote, key: TimerKey) -> ExpiryId {
    let (slot, number) = key.parts();
    ExpiryId {
        queue: Arc::as_ptr(&home.timers).addr(),
        slot,
        number,
    }
}

/// An armed timer. Disarmed when dropped.
#[derive(Debug)]
pub(crate) struct Timer {
    home: Arc<Remote>,
    key: TimerKey,
}

impl Timer {
    /// Takes a turn among the timers of this thread's worker that have the same deadline; without a worker there is none.
    #[inline]
    pub(crate) fn take_turn(shared: &Shared) -> Option<Turn> {
        current::with_worker_of(shared, |worker| {
            worker.map(|worker| worker.with_core(|core| core.timers.take_turn()))
        })
    }

    /// Arms a timer for `deadline_ns` of the clock of `shared`.
    pub(crate) fn arm(shared: &Shared, deadline_ns: u64, alarm: Alarm) -> Self {
        Self::arm_in_turn(shared, deadline_ns, None, alarm)
    }

    /// As [`arm`](Self::arm), in a turn that was taken by this thread.
    #[inline]
    pub(crate) fn arm_in_turn(
        shared: &Shared,
        deadline_ns: u64,
        turn: Option<Turn>,
        alarm: Alarm,
    ) -> Self {
        current::with_worker_of(shared, |worker| match worker {
            Some(worker) => {
                let key = worker.with_core(|core| {
                    let turn = turn.unwrap_or_else(|| core.timers.take_turn());
                    core.timers.insert_in_turn(deadline_ns, turn, alarm)
                });
                Self {
                    home: Arc::clone(worker.remote()),
                    key,
                }
            }
            None => Self::arm_elsewhere(shared, deadline_ns, alarm),
        })
    }

    #[cold]
    fn arm_elsewhere(shared: &Shared, deadline_ns: u64, alarm: Alarm) -> Self {
        let home = &shared.workers[shared.next_home()];
        let mut alarm = Some(alarm);
        let key = home.visit(|core| {
            let alarm = alarm.take().expect("a visit happens once");
            core.timers.insert(deadline_ns, alarm)
        });
        // Liveness: the worker may sleep beyond the new deadline.
        shared.nudge(home.index);
        Self {
            home: Arc::clone(home),
            key,
        }
    }

    /// Has the timer wake `waker` instead of the one it was armed with.
    #[inline]
    pub(crate) fn set_waker(&mut self, shared: &Shared, deadline_ns: u64, waker: &Waker) {
        let here = current::with_worker(|worker| {
            let worker = worker.filter(|worker| Arc::ptr_eq(worker.remote(), &self.home))?;
            let is_for =
                |alarm: &Alarm| matches!(alarm, Alarm::Wake(present) if present.will_wake(waker));
            if worker.with_core(|core| core.timers.holds(self.key, is_for)) {
                return Some(());
            }
            let new = Alarm::Wake(waker.clone());
            // Outside the core: a foreign waker's drop is user code.
            drop(worker.with_core(|core| core.timers.replace(self.key, new)));
            Some(())
        });
        if here.is_none() {
            // The task has moved: its timer comes along.
            *self = Self::arm(shared, deadline_ns, Alarm::Wake(waker.clone()));
        }
    }

    /// Leaves the timer armed for good.
    pub(crate) fn let_go(mut self) {
        self.key = TimerKey::NONE;
    }

    /// Whether the timer has yet to fire.
    #[inline(always)]
    pub(crate) fn is_armed(&self) -> bool {
        self.home.timers.is_armed(self.key)
    }

    /// The name of the expiry that the timer is for.
    pub(crate) fn expiry(&self) -> ExpiryId {
        expiry_of(&self.home, self.key)
    }

    /// Disarms the timer; `false` if it has fired.
    #[inline]
    pub(crate) fn disarm(&self) -> bool {
        if !self.is_armed() {
            return false;
        }
        let alarm = current::with_worker(|worker| match worker {
            Some(worker) if Arc::ptr_eq(worker.remote(), &self.home) => {
                worker.with_core(|core| core.timers.cancel(self.key))
            }
            _ => self.home.timers.cancel_remote(self.key),
        });
        // The alarm is dropped outside the core: a foreign waker's drop is user code.
        alarm.is_some()
    }
}

impl Drop for Timer {
    #[inline]
    fn drop(&mut self) {
        self.disarm();
    }
}
