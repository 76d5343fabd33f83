//! A deadline for what the running task does: [`Expiry`].
//!
//! Most scopes end in time, and many before they have suspended once. So nothing is done for those that never
//! suspend: no timer, no reading of the clock. One that does arms a timer that names the task, without a reference or a waker; ending
//! it on the same worker costs one locked instruction. The clock is not read then either: the limit counts from the worker's
//! next look at it, some 50 µs later at most unless a poll takes longer, and most scopes have ended by then.
//!
//! # Order
//!
//! The timer is armed late, but must fire as if it had been armed at the entry (rules H4, T12): before the timers of
//! equal deadline that the body has armed in its first poll. So the scope takes its turn when it is entered. And a scope that
//! counts from now must not have a later deadline than one that its body began with the same limit. Limits that wait for the worker's
//! look have the same one, and whoever reads the clock on that worker before, to begin something else, has them count from
//! that ([`timers::read_clock`]). Where each scope has to read the clock, of all
//! that begin within each other, in one poll, the first reading after the entry of the outer one counts for that
//! too. It is kept in [`READING`] until then.

use std::cell::Cell;
use std::mem;
use std::time::{Duration, Instant};

use super::Until;
use crate::primitive::thread_local_const;
use crate::scheduler::current::{with_runtime, with_shared};
use crate::scheduler::timers::{self, Alarm, Timer, TimerName};
use crate::task::cancel;
use crate::task::current::{self, Current};
use crate::task::expiry::{self, ExpiryId, Left};
use crate::task::header::TaskPtr;
use crate::task::weak::WeakTask;
use crate::timer_queue::Turn;

thread_local_const! {
    /// The first reading of the clock since the entry of the innermost scope that is in its first poll. What the outermost one leaves
    /// here is never used: whoever enters next puts it away.
    static READING: Cell<Option<Instant>> = Cell::new(None)
}

/// A deadline that cancels the task that has entered it, and the end of which takes that request back.
///
/// It is polled by hand: [`enter`](Self::enter) before the body's first poll, [`suspend`](Self::suspend) whenever the body
/// is pending, [`leave`](Self::leave) when it has ended. Dropping leaves.
///
/// # asyncio counterpart
///
/// What `asyncio.Timeout` does with `loop.call_at()`.
#[derive(Debug)]
pub struct Expiry {
    until: Until,
    // Invariant: whoever replaces an armed timer, or drops it, has disarmed it.
    stage: Stage,
}

/// How far a scope is.
#[derive(Clone, Copy, Debug)]
enum Stage {
    /// Not entered yet, or left.
    Outside,
    /// The body is in its first poll.
    Begun {
        scope: Scope,
        /// That of the entry.
        turn: Turn,
        /// What [`READING`] was before.
        outer_reading: Option<Instant>,
    },
    /// The body has suspended, or the deadline had to be dealt with before.
    Set { scope: Scope, timing: Timing },
}

/// Who has entered.
#[derive(Clone, Copy, Debug)]
struct Scope {
    task: WeakTask,
    /// Requests that stood at the entry.
    n_before: usize,
}

#[derive(Clone, Copy, Debug)]
enum Timing {
    /// There is no deadline.
    None,
    Armed(TimerName),
    /// The deadline had passed when it was set; what follows from that is queued.
    Queued(ExpiryId),
}

/// The deadline had passed when it was to be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expired(());

impl Expiry {
    /// A deadline that is `limit` from the first suspension of the body, by the worker's next look at the clock; nothing can be
    /// interrupted before that.
    #[must_use]
    #[inline]
    pub fn after(limit: Duration) -> Self {
        Self::new(Until::In(limit))
    }

    /// A deadline, or none.
    #[must_use]
    pub fn at(deadline: Option<Instant>) -> Self {
        Self::new(deadline.map_or(Until::Never, Until::At))
    }

    #[inline]
    fn new(until: Until) -> Self {
        Self {
            until,
            stage: Stage::Outside,
        }
    }

    /// Whether the scope has been entered, and not left.
    #[must_use]
    #[inline]
    pub fn is_entered(&self) -> bool {
        !matches!(self.stage, Stage::Outside)
    }

    /// Gives the deadline; `None` if there is none, or if it counts from a suspension that has not come, and once a limit has passed.
    /// A limit that waits for a look at the clock counts from this one.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        match (self.until, self.timing()) {
            (Until::At(deadline), _) => Some(deadline),
            (Until::In(_), Timing::Armed(timer)) => with_shared(|shared| timer.deadline(shared?)),
            (Until::In(_) | Until::Never, _) => None,
        }
    }

    /// Begins the scope, in the running task. A deadline that is past is due before whatever the body leaves to be done
    /// next (rule T9).
    ///
    /// # Panics
    ///
    /// Outside a task.
    #[track_caller]
    #[inline]
    pub fn enter(&mut self) {
        let Some(task) = current::with(Current::task) else {
            no_task()
        };
        // Almost every scope; this is all that it costs if the body does not suspend.
        if let Until::In(limit) = self.until
            && let Stage::Outside = self.stage
            && !limit.is_zero()
            && READING.with(Cell::get).is_none()
        {
            self.stage = Stage::Begun {
                scope: Scope::of(task),
                turn: timers::take_turn(),
                outer_reading: None,
            };
        } else {
            self.begin(task);
        }
    }

    /// Begins a scope of any kind.
    #[cold]
    #[track_caller]
    fn begin(&mut self, task: TaskPtr) {
        let _left = self.leave();
        let scope = Scope::of(task);
        self.stage = if self.is_past() {
            let timing = scope.queue();
            Stage::Set { scope, timing }
        } else {
            Stage::Begun {
                scope,
                turn: timers::take_turn(),
                outer_reading: READING.with(Cell::take),
            }
        };
    }

    #[track_caller]
    fn is_past(&self) -> bool {
        match self.until {
            Until::In(limit) => limit.is_zero(),
            Until::At(deadline) => deadline <= with_runtime(timers::read_clock),
            Until::Never => false,
        }
    }

    /// To be called whenever the body is pending: arms the timer, if that has not been done for this task.
    #[inline]
    pub fn suspend(&mut self) {
        match self.stage {
            Stage::Begun {
                scope,
                turn,
                outer_reading,
            } => self.set_late(scope, turn, outer_reading),
            Stage::Set { scope, .. } => {
                if let Some(task) = current::with(Current::task)
                    && !scope.task.is(task)
                {
                    self.follow(task);
                }
            }
            Stage::Outside => {}
        }
    }

    /// Arms the timer at the end of the first poll, and hands on the reading of the clock that goes for the scope around this one.
    fn set_late(&mut self, scope: Scope, turn: Turn, outer_reading: Option<Instant>) {
        let mut reading = READING.with(Cell::get);
        let timing = with_runtime(|shared| {
            let alarm = || Alarm::Expire(scope.task);
            if let (Until::In(limit), None) = (self.until, reading)
                && let Some(timer) = Timer::arm_from_next_look(shared, limit, turn, alarm())
            {
                return Timing::Armed(timer.let_go());
            }
            let now = || *reading.get_or_insert_with(|| timers::read_clock(shared));
            let Some(deadline) = self.until.resolve(now) else {
                self.until = Until::Never;
                return Timing::None;
            };
            self.until = Until::At(deadline);
            let deadline_ns = shared.clock.ns_of(deadline);
            Timing::Armed(Timer::arm_in_turn(shared, deadline_ns, turn, alarm()).let_go())
        });
        self.stage = Stage::Set { scope, timing };
        if let Some(reading) = outer_reading.or(reading) {
            READING.with(|place| place.set(Some(reading)));
        }
    }

    /// The body has been moved into another task, which polls it now.
    #[cold]
    fn follow(&mut self, task: TaskPtr) {
        // What is left of a limit counts, if that can be told: of one that has passed there is nothing.
        let has_fired = matches!(self.timing(), Timing::Armed(timer) if !timer.is_armed());
        let now = || has_fired.then(|| with_runtime(|shared| shared.clock.now()));
        if let Some(deadline) = self.deadline().or_else(now) {
            self.until = Until::At(deadline);
        }
        let _left = self.leave();
        let scope = Scope::of(task);
        let timing = scope.set(self.until);
        self.stage = Stage::Set { scope, timing };
    }

    /// Ends the scope: disarms the timer, or takes its request back.
    #[inline]
    pub fn leave(&mut self) -> Left {
        if let Stage::Begun {
            outer_reading: None,
            ..
        } = self.stage
        {
            self.stage = Stage::Outside;
            return Left::InTime;
        }
        self.undo()
    }

    /// Ends a scope that may leave something behind.
    fn undo(&mut self) -> Left {
        let stage = mem::replace(&mut self.stage, Stage::Outside);
        match stage {
            Stage::Outside => Left::InTime,
            Stage::Begun { outer_reading, .. } => {
                if outer_reading.is_some() {
                    READING.with(|place| place.set(outer_reading));
                }
                Left::InTime
            }
            Stage::Set { scope, timing } => match timing {
                Timing::Armed(timer) if !timer.disarm() => scope.leave(timer.expiry()),
                Timing::Queued(expiry) => scope.leave(expiry),
                Timing::Armed(_) | Timing::None => Left::InTime,
            },
        }
    }

    fn timing(&self) -> Timing {
        match self.stage {
            Stage::Set { timing, .. } => timing,
            Stage::Outside | Stage::Begun { .. } => Timing::None,
        }
    }

    /// Whether the deadline has passed, and the task been asked to stop for it, while the scope goes on.
    #[must_use]
    pub fn has_passed(&self) -> bool {
        let Stage::Set { scope, timing } = self.stage else {
            return false;
        };
        timing.gone().is_some_and(|expiry| {
            let task = scope.task.get();
            task.is_some_and(|task| expiry::has_passed(task.ptr(), expiry))
        })
    }

    /// Gives the scope, which has been entered, another deadline or none. May be called from any task.
    ///
    /// # Errors
    ///
    /// [`Expired`] if the old one has passed.
    ///
    /// # Panics
    ///
    /// Outside a runtime.
    #[track_caller]
    pub fn reschedule(&mut self, deadline: Option<Instant>) -> Result<(), Expired> {
        let until = deadline.map_or(Until::Never, Until::At);
        if let Stage::Begun { scope, .. } | Stage::Set { scope, .. } = self.stage {
            let gone = match self.timing() {
                Timing::Armed(timer) if timer.disarm() => None,
                timing => timing.gone(),
            };
            if let Some(expiry) = gone
                && let Some(task) = scope.task.get()
                && !expiry::forestall(task.ptr(), expiry)
            {
                return Err(Expired(()));
            }
            let timing = scope.set(until);
            self.stage = Stage::Set { scope, timing };
        }
        self.until = until;
        Ok(())
    }
}

impl Scope {
    #[inline]
    fn of(task: TaskPtr) -> Self {
        Self {
            task: WeakTask::of(task),
            n_before: cancel::cancelling(task),
        }
    }

    /// Arms a timer for a deadline, at once.
    #[track_caller]
    fn set(&self, until: Until) -> Timing {
        with_runtime(|shared| {
            let now = timers::read_clock(shared);
            match until.resolve(|| now) {
                None => Timing::None,
                Some(deadline) if deadline <= now => self.queue(),
                Some(deadline) => {
                    let deadline_ns = shared.clock.ns_of(deadline);
                    let alarm = Alarm::Expire(self.task);
                    Timing::Armed(Timer::arm(shared, deadline_ns, alarm).let_go())
                }
            }
        })
    }

    /// Has the expiry of a deadline that is past happen as the next step.
    #[cold]
    #[track_caller]
    fn queue(&self) -> Timing {
        let (task, expiry) = (self.task, ExpiryId::without_timer());
        let step = Box::new(move || cancel::expire(task, expiry));
        with_runtime(|shared| drop(shared.new_callback(step, false)));
        Timing::Queued(expiry)
    }

    /// Ends the scope, the expiry of which is on its way or has happened.
    #[cold]
    fn leave(&self, expiry: ExpiryId) -> Left {
        match self.task.get() {
            Some(task) => expiry::leave(task.ptr(), expiry, self.n_before),
            // Nobody will be asked to stop any more.
            None => Left::InTime,
        }
    }
}

impl Timing {
    /// The expiry that may have happened.
    fn gone(self) -> Option<ExpiryId> {
        match self {
            Self::None => None,
            Self::Armed(timer) => (!timer.is_armed()).then(|| timer.expiry()),
            Self::Queued(expiry) => Some(expiry),
        }
    }
}

impl Drop for Expiry {
    #[inline]
    fn drop(&mut self) {
        if self.is_entered() {
            self.abandon();
        }
    }
}

impl Expiry {
    #[cold]
    fn abandon(&mut self) {
        if let Stage::Begun {
            outer_reading: Some(_),
            ..
        } = self.stage
        {
            // The body has panicked, and this may be another thread. Without a reading the scope outside makes one.
            READING.with(|place| place.set(None));
            self.stage = Stage::Outside;
        }
        let _left = self.undo();
    }
}

#[cold]
#[track_caller]
fn no_task() -> ! {
    panic!("a timeout needs a task to be cancelled: await it inside one")
}
