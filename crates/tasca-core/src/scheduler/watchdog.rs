//! The thread that looks after workers that do not come back from a poll.
//!
//! While any worker is awake it ticks: every two milliseconds as long as polls are short, and once a millisecond when one is
//! not. (A tick interrupts somebody, often enough a worker: it should hit fewer than one in a hundred exchanges with a
//! client, so that their 99th percentile is not its own.) A worker whose poll has lasted from one tick to the next is *stuck*. If
//! another is not, the stuck one's queue and its due timers are taken out of its core, its poller is looked into, and what comes
//! of it goes to the injector. When every worker is stuck for some more ticks and work waits, the same is done, and a spare
//! worker started.
//! Workers that do come back are only asked to look around at their next boundary, so that even a
//! sequence of long polls delays timers and sockets by no more than one of them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use super::shared::{Flavor, Shared};
use super::shutdown;
use super::timers::Fired;
use crate::poller::Events;
use crate::primitive::{
    Arc, AtomicBool, AtomicUsize, Condvar, Mutex, Ordering, heavy_fence, light_fence,
};
use crate::task::error::{Problem, Trouble};
use crate::task::{Runnable, waker};

const TICK: Duration = Duration::from_millis(1);
/// The same while there is no sign of trouble. A worker that blocks out of the blue is relieved after this and a tick.
const CALM_TICK: Duration = Duration::from_millis(2);
/// An awake worker that has made so many polls since the last tick gives none.
const CALM_POLLS: u64 = 16;
/// Timers of a stuck worker that are fired at once.
const FIRED_AT_ONCE_MAX: usize = 1024;
/// With every worker stuck for so many ticks and work waiting, a spare one is called.
const TICKS_UNTIL_SPARE: u32 = 10;
/// With every worker parked for so many ticks, the watchdog sleeps too.
const TICKS_UNTIL_SLEEP: u32 = 25;

/// What the runtime knows of its watchdog.
#[derive(Debug)]
pub(crate) struct Watchdog {
    /// Set while the watchdog sleeps, or has not been started.
    asleep: AtomicBool,
    state: Mutex<State>,
    changed: Condvar,
    /// How many spare workers have been called.
    n_spares: AtomicUsize,
}

#[derive(Debug, Default)]
struct State {
    started: bool,
    stop: bool,
}

impl Watchdog {
    pub(crate) fn new() -> Self {
        Self {
            asleep: AtomicBool::new(true),
            state: Mutex::new(State::default()),
            changed: Condvar::new(),
            n_spares: AtomicUsize::new(0),
        }
    }

    pub(crate) fn has_spares(&self) -> bool {
        // Ordering: Relaxed; a hint.
        self.n_spares.load(Ordering::Relaxed) > 0
    }

    /// Called by a worker that becomes active, when it no longer counts as parked.
    #[inline]
    pub(crate) fn ensure_awake(&self, shared: &Arc<Shared>) {
        // Ordering: pairs with the heavy fence in `Watch::may_sleep`: either this thread sees the flag, or the watchdog's last look sees
        // an active worker. One that both missed could block with nobody to relieve it.
        light_fence();
        if self.asleep.load(Ordering::Relaxed) {
            self.wake(shared);
        }
    }

    #[cold]
    fn wake(&self, shared: &Arc<Shared>) {
        if !matches!(shared.flavor, Flavor::MultiThread) {
            return;
        }
        let mut state = self.state.lock();
        if state.stop || !self.asleep.swap(false, Ordering::Relaxed) {
            return;
        }
        if state.started {
            self.changed.notify_all();
            return;
        }
        let kept = Arc::clone(shared);
        let started = shutdown::start_thread(shared, "watchdog", move || {
            Watch::new(kept).run();
        });
        match started {
            Ok(()) => state.started = true,
            Err(error) => {
                drop(state);
                // Everything works but rescue; the next worker that wakes up tries again.
                self.asleep.store(true, Ordering::Relaxed);
                shared.report_once(Problem::new(
                    Trouble::Driver,
                    format!("the watchdog thread cannot be started, blocked workers will hold up what waits behind them: {error}"),
                ));
            }
        }
    }

    /// Has the next tick come at once: a worker has said that it will block.
    pub(crate) fn hurry(&self, shared: &Arc<Shared>) {
        self.ensure_awake(shared);
        self.changed.notify_all();
    }

    /// Ends the thread.
    pub(crate) fn stop(&self) {
        self.state.lock().stop = true;
        self.changed.notify_all();
    }

    /// Waits for so long, or, with `None`, until a worker becomes active; `false` when it is time to end.
    pub(crate) fn wait(&self, pause: Option<Duration>) -> bool {
        let mut state = self.state.lock();
        match pause {
            None => {
                while !state.stop && self.asleep.load(Ordering::Relaxed) {
                    self.changed.wait(&mut state);
                }
            }
            Some(pause) if !state.stop => {
                self.changed.wait_for(&mut state, pause);
            }
            Some(_) => {}
        }
        !state.stop
    }
}

/// The watchdog's own memory.
pub(crate) struct Watch {
    shared: Arc<Shared>,
    /// By worker: the poll it was in at the last tick, and since how many ticks.
    seen: Vec<(u64, u32)>,
    events: Events,
    taken: Vec<Runnable>,
    wakers: Vec<std::task::Waker>,
    fired: Vec<Fired>,
    quiet_ticks: u32,
    /// Nobody awake was in a long poll at the last tick.
    is_calm: bool,
    last_tick: Instant,
}

impl Watch {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        let n = shared.workers.len();
        Self {
            seen: vec![(0, 0); n],
            events: Events::new(),
            taken: Vec::new(),
            wakers: Vec::new(),
            fired: Vec::new(),
            quiet_ticks: 0,
            is_calm: false,
            last_tick: Instant::now(),
            shared,
        }
    }

    fn run(mut self) {
        let mut sleep = false;
        loop {
            let tick = if self.is_calm { CALM_TICK } else { TICK };
            if !self.shared.watchdog.wait((!sleep).then_some(tick)) {
                break;
            }
            // A tick that comes late by much says that this process did not run, not that polls are long.
            let late = self.last_tick.elapsed() > TICK * 20;
            self.last_tick = Instant::now();
            if sleep || late {
                self.forget();
            }
            // Panic: foreign wakers are the only user code in a tick, and are guarded; this keeps a defect from ending it.
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| self.tick())) {
                self.shared
                    .report_once(Problem::from_panic(Trouble::DropPanicked, payload));
            }
            sleep = self.quiet_ticks > TICKS_UNTIL_SLEEP && self.may_sleep();
        }
    }

    /// Announces a sleep, which whoever becomes active ends, and looks once more; `false` if somebody has become active.
    pub(crate) fn may_sleep(&mut self) -> bool {
        self.shared.watchdog.asleep.store(true, Ordering::Relaxed);
        // Ordering: see `Watchdog::ensure_awake`.
        heavy_fence();
        self.tick();
        let may_sleep = self.quiet_ticks > TICKS_UNTIL_SLEEP;
        if !may_sleep {
            self.shared.watchdog.asleep.store(false, Ordering::Relaxed);
        }
        may_sleep
    }

    fn forget(&mut self) {
        self.seen.iter_mut().for_each(|seen| *seen = (0, 0));
        self.quiet_ticks = 0;
    }

    /// Looks at all workers, and takes over what waits behind those that are stuck.
    pub(crate) fn tick(&mut self) {
        let n_known = self.shared.n_workers + self.shared.watchdog.n_spares.load(Ordering::Relaxed);
        let mut n_stuck = 0;
        let mut ticks_stuck_min = u32::MAX;
        let mut any_active = false;
        self.is_calm = true;
        for worker in 0..n_known {
            if self.shared.idle.is_parked(worker) {
                self.seen[worker] = (0, 0);
                ticks_stuck_min = 0;
                continue;
            }
            any_active = true;
            let count = self.shared.workers[worker].poll_count();
            let (seen, ticks) = &mut self.seen[worker];
            // Each poll counts twice. A spare worker that begins anew may count one less than it did.
            self.is_calm &= count.saturating_sub(*seen) >= 2 * CALM_POLLS;
            if count % 2 == 1 && *seen == count {
                *ticks += 1;
            } else {
                (*seen, *ticks) = (count, 0);
            }
            if count % 2 == 1 && self.shared.workers[worker].is_blocking() {
                *ticks = (*ticks).max(TICKS_UNTIL_SPARE);
                self.is_calm = false;
            }
            let ticks = *ticks;
            ticks_stuck_min = ticks_stuck_min.min(ticks);
            self.shared.workers[worker].set_attention(true);
            if ticks > 0 {
                n_stuck += 1;
            }
        }
        self.quiet_ticks = if any_active { 0 } else { self.quiet_ticks + 1 };
        self.shared
            .idle
            .set_eligible(self.shared.n_workers + n_stuck.min(n_known - self.shared.n_workers));
        // With nobody to take over there is no hurry. A worker that was only preempted then finds its queue as it was, in order.
        if n_stuck < n_known || ticks_stuck_min >= TICKS_UNTIL_SPARE {
            for worker in 0..n_known {
                if self.seen[worker].1 > 0 {
                    self.rescue(worker);
                }
            }
        }
        // Liveness: what was rescued may have found nobody eligible to wake but those who are stuck.
        if n_stuck > 0 && self.shared.has_stealable_work() {
            self.shared.wake_one();
        }
        if n_stuck == n_known
            && ticks_stuck_min >= TICKS_UNTIL_SPARE
            && self.shared.has_stealable_work()
        {
            self.call_spare(n_known);
        }
    }

    /// Takes over what waits behind a poll that does not end.
    fn rescue(&mut self, worker: usize) {
        let shared = &self.shared;
        let remote = &shared.workers[worker];
        let now_ns = shared.clock.now_ns();
        let (taken, wakers, fired) = (&mut self.taken, &mut self.wakers, &mut self.fired);
        let visited = remote.core.try_visit(|core| {
            core.queue
                .take_all(|task: &Runnable| task.home().is_some(), taken);
            core.timers.pop_expired(now_ns, fired, FIRED_AT_ONCE_MAX);
        });
        // A worker that was caught inside its core is not stuck; or it is, and the next tick comes.
        let _ = visited;
        let n_taken = taken.len();
        for runnable in taken.drain(..) {
            shared.injector.push(runnable);
        }
        for _ in 0..n_taken {
            shared.wake_one();
        }
        if let Err(error) = shared.driver.visit(worker, &mut self.events, wakers) {
            shared.report_driver_error(&error);
        }
        // Woken from a thread that is no worker, the tasks go to the injector.
        for (key, alarm) in fired.drain(..) {
            alarm.go_off(shared, remote.timers, key);
        }
        for waker in wakers.drain(..) {
            waker::wake_reported(&**shared, waker);
        }
    }

    fn call_spare(&mut self, n_known: usize) {
        if n_known >= self.shared.workers.len() {
            return;
        }
        let Some(seed) = self.shared.threads.take_seed(n_known) else {
            return;
        };
        match shutdown::start_worker(&self.shared, seed) {
            Ok(()) => {
                self.shared
                    .watchdog
                    .n_spares
                    .fetch_add(1, Ordering::Relaxed);
            }
            Err((seed, error)) => {
                self.shared.threads.return_seed(seed);
                self.shared.report_once(Problem::new(
                    Trouble::Driver,
                    format!("all workers are blocked and no spare one can be started: {error}"),
                ));
            }
        }
    }
}
