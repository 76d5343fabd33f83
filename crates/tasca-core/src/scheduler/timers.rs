//! Armed timers, and where they are kept: with the worker that armed them.

use std::cell::Cell;
use std::ops::{Deref, DerefMut};
use std::ptr;
use std::task::Waker;
use std::time::{Duration, Instant};

use super::clock::as_ns;
use super::current;
use super::shared::Shared;
use super::worker::Worker;
use crate::primitive::{StaticMutex, thread_local_const, yield_now};
use crate::task::cancel;
use crate::task::expiry::ExpiryId;
use crate::task::waker;
use crate::task::weak::WeakTask;
use crate::timer_queue::{TimerKey, TimerQueue, TimerShard, Turn};

/// A crowd of deadlines that one sleep is made for lasts no longer.
const CROWD_NS: u64 = 50_000;

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
    pub(crate) fn go_off(self, shared: &Shared, home: &Shard, key: TimerKey) {
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
                let home = worker.remote().timers;
                let step = move || {
                    current::with_shared(|shared| {
                        let shared = shared.expect("a step of the loop runs in the runtime");
                        alarm.go_off(shared, home, key);
                    });
                };
                drop(worker.shared().new_callback(Box::new(step), false));
            }
        }
    }
}

/// The name of an expiry, by its timer.
fn expiry_of(home: &Shard, key: TimerKey) -> ExpiryId {
    let (slot, number) = key.parts();
    ExpiryId {
        queue: ptr::from_ref(home).addr(),
        slot,
        number,
    }
}

/// What all threads see of a worker's timers. It stays when the worker is gone, for those who ask then.
pub(crate) type Shard = TimerShard<Alarm>;

/// The shards that no worker has at the moment. They go from one runtime to the next, so that a timer is two plain words,
/// and arming it counts nothing.
static SPARE: StaticMutex<Vec<&'static Shard>> = StaticMutex::new(Vec::new());

/// The timers of one worker.
#[derive(Debug)]
pub(crate) struct Timers(TimerQueue<Alarm, &'static Shard>);

impl Timers {
    pub(crate) fn new() -> Self {
        let spare = SPARE.lock().pop();
        let shard = spare.unwrap_or_else(|| Box::leak(Box::new(Shard::new())));
        // SAFETY: (1) whoever takes a shard out of `SPARE` is the only one that has it. (2) What comes there has been emptied,
        // in `drop`; another one is new. (3) It is a reference.
        Self(unsafe { TimerQueue::with_shard(shard) })
    }

    /// When a worker that has nothing to do should be back.
    ///
    /// A deadline before `near_ns` is waited for awake, but not by all at once: who sleeps although there is one does so for a crowd
    /// together. A sleep for each of them would keep it awake all the time, and still bring it back too late.
    pub(crate) fn end_of_sleep(&mut self, near_ns: u64) -> Option<u64> {
        let first_ns = self.next_look()?;
        let is_near = first_ns < near_ns;
        Some(if is_near {
            self.end_of_crowd(first_ns, CROWD_NS)
        } else {
            first_ns
        })
    }
}

impl Deref for Timers {
    type Target = TimerQueue<Alarm, &'static Shard>;

    #[inline(always)]
    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for Timers {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

impl Drop for Timers {
    fn drop(&mut self) {
        let mut alarms = Vec::new();
        // Liveness: who is cancelling a timer just now has two instructions to go.
        while !self.0.try_empty(&mut alarms) {
            yield_now();
        }
        SPARE.lock().push(*self.0.shard());
        // Panic: a foreign waker's drop is user code; the shard is back by now.
        drop(alarms);
    }
}

thread_local_const! {
    /// The last turn that this thread has taken.
    static TURN: Cell<Turn> = Cell::new(Turn::FIRST)
}

/// Takes a turn among the timers of this thread that have the same deadline.
#[inline]
pub(crate) fn take_turn() -> Turn {
    TURN.with(|turn| {
        turn.set(turn.get().next());
        turn.get()
    })
}

/// Sees to it that the turns of this thread come after those that others have taken for its worker's timers before.
pub(crate) fn continue_turns(timers: &Timers) {
    TURN.with(|turn| {
        if turn.get().is_before(timers.newest_turn()) {
            turn.set(timers.newest_turn());
        }
    });
}

/// Reads the clock, for a deadline to be counted from. What this worker's timers have waited for a reading counts from this one,
/// so that it is not overtaken by what begins later.
#[inline]
pub(crate) fn read_clock(shared: &Shared) -> Instant {
    let now = shared.clock.now();
    current::with_worker_of(shared, |worker| {
        if let Some(worker) = worker {
            worker.with_core(|core| core.timers.note_reading(|| shared.clock.ns_of(now)));
        }
    });
    now
}

/// An armed timer, by name. Nothing happens when this is dropped.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TimerName {
    home: &'static Shard,
    key: TimerKey,
}

/// An armed timer. Disarmed when dropped.
#[derive(Debug)]
pub(crate) struct Timer(TimerName);

impl Deref for Timer {
    type Target = TimerName;

    #[inline(always)]
    fn deref(&self) -> &TimerName {
        &self.0
    }
}

impl Timer {
    /// Arms a timer for `deadline_ns` of the clock of `shared`.
    #[inline]
    pub(crate) fn arm(shared: &Shared, deadline_ns: u64, alarm: Alarm) -> Self {
        Self::arm_in_turn(shared, deadline_ns, take_turn(), alarm)
    }

    /// As [`arm`](Self::arm), in a turn that was taken by this thread.
    #[inline]
    pub(crate) fn arm_in_turn(shared: &Shared, deadline_ns: u64, turn: Turn, alarm: Alarm) -> Self {
        current::with_worker_of(shared, |worker| match worker {
            Some(worker) => {
                let key =
                    worker.with_core(|core| core.timers.insert_in_turn(deadline_ns, turn, alarm));
                Self(TimerName {
                    home: worker.remote().timers,
                    key,
                })
            }
            None => Self::arm_elsewhere(shared, deadline_ns, alarm),
        })
    }

    /// Arms a timer that is due so long after this thread's worker looks at the clock next, in a turn that was taken by this thread: a
    /// busy worker does so every so often, and one that runs dry at once.
    ///
    /// `None` where there is no such look to come: outside workers, and in virtual time, where reading the clock costs nothing.
    #[inline]
    pub(crate) fn arm_from_next_look(
        shared: &Shared,
        delay: Duration,
        turn: Turn,
        alarm: Alarm,
    ) -> Option<Self> {
        if shared.clock.is_virtual() {
            return None;
        }
        current::with_worker_of(shared, |worker| {
            let worker = worker?;
            let delay_ns = as_ns(delay);
            let key = worker.with_core(|core| core.timers.insert_uncounted(delay_ns, turn, alarm));
            Some(Self(TimerName {
                home: worker.remote().timers,
                key,
            }))
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
        Self(TimerName {
            home: home.timers,
            key,
        })
    }

    /// Has the timer wake `waker` instead of the one it was armed with.
    #[inline]
    pub(crate) fn set_waker(&mut self, shared: &Shared, deadline_ns: u64, waker: &Waker) {
        let here = current::with_worker(|worker| {
            let worker = worker.filter(|worker| ptr::eq(worker.remote().timers, self.home))?;
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

    /// Leaves the timer armed; gives its name.
    #[inline]
    pub(crate) fn let_go(mut self) -> TimerName {
        let name = self.0;
        self.0.key = TimerKey::NONE;
        name
    }
}

impl TimerName {
    /// Whether the timer has yet to fire.
    #[inline(always)]
    pub(crate) fn is_armed(&self) -> bool {
        self.home.is_armed(self.key)
    }

    /// When the timer is due; `None` if it has fired, or belongs to another runtime. If it waits for a look at the clock, this is one.
    #[cold]
    pub(crate) fn deadline(&self, shared: &Shared) -> Option<Instant> {
        let now_ns = shared.clock.now_ns();
        let deadline_ns = current::with_worker(|worker| match worker {
            Some(worker) if ptr::eq(worker.remote().timers, self.home) => {
                worker.with_core(|core| core.timers.deadline_of(self.key, now_ns))
            }
            _ => {
                let mut workers = shared.workers.iter();
                let home = workers.find(|worker| ptr::eq(worker.timers, self.home))?;
                home.visit(|core| core.timers.deadline_of(self.key, now_ns))
            }
        });
        deadline_ns.map(|deadline_ns| shared.clock.instant_of(deadline_ns))
    }

    /// The name of the expiry that the timer is for.
    pub(crate) fn expiry(&self) -> ExpiryId {
        expiry_of(self.home, self.key)
    }

    /// Disarms the timer; `false` if it has fired.
    #[inline]
    pub(crate) fn disarm(&self) -> bool {
        if !self.is_armed() {
            return false;
        }
        let alarm = current::with_worker(|worker| match worker {
            Some(worker) if ptr::eq(worker.remote().timers, self.home) => {
                worker.with_core(|core| core.timers.cancel(self.key))
            }
            _ => self.home.cancel_remote(self.key),
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
