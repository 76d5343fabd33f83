//! The run loop of one worker.
//!
//! A turn of the loop: take the next task, poll it, look around. Looking around (the *boundary*) is where everything
//! happens that is not the task's own: sharing with the hungry, timers, sockets, the injector. It
//! is a handful of loads most of the time; the clock is read only every so many polls.

use std::cell::{Cell, RefCell};
use std::ops::RangeInclusive;
use std::task::Waker;
use std::time::Duration;

use super::current::{self, Entered};
use super::lap::Lap;
use super::pace::{LOOK_NS, Pace};
use super::patience::{LOOK_ON_NS, Patience};
use super::remote::{Core, Remote};
use super::shared::Shared;
use super::sharing::{self, Backlog, Tail, Turn};
use super::timers::{self, Fired};
use crate::idle::Unparked;
use crate::poller::Events;
use crate::primitive::{Arc, spin_loop};
use crate::queue;
use crate::slab;
use crate::task::error::drop_quietly;
use crate::task::{After, Runnable, waker};

/// A deadline that is nearer than this is not worth a sleep: setting the system's timer and being woken by it costs as much
/// processor time, and brings the worker back later.
const SLEEP_NS_MIN: u64 = 5_000;
/// Timers that are fired at once; the rest wait for the next look.
const FIRED_AT_ONCE_MAX: usize = 256;
/// Tasks from outside that a busy worker takes at one look at most; the rest wait for the next. Where polls are short, they are as
/// many as it can run until then: a worker that took fewer would hold up who brings them.
const TAKEN_AT_ONCE: RangeInclusive<u64> = 64..=256;
/// A poll that spawns looks whether to share at every so many queued tasks. A single one is most often awaited at once.
const SPAWNS_PER_LOOK: usize = 4;
/// Pauses between two looks of a worker that looks on, some 40 ns each.
const PAUSES_PER_LOOK: u32 = 4;
/// A worker that looks on reads the clock and asks for sockets at every so many looks.
const LOOKS_PER_TURN: u32 = 16;

/// What it takes to become a worker: made with the runtime, moved to the worker's thread.
#[derive(Debug)]
pub(crate) struct Seed {
    pub(crate) index: usize,
    pub(crate) queue: queue::Shared<Runnable>,
}

/// A worker, on its own thread. Nothing in here is seen by others; that is in [`Remote`].
#[derive(Debug)]
pub(crate) struct Worker {
    shared: Arc<Shared>,
    remote: Arc<Remote>,
    /// The stealable tier.
    queue: queue::Shared<Runnable>,
    /// When what was put there and is still there is next.
    turn: Turn,
    /// How long polls go on after a wake.
    tail: Tail,
    /// Counted as searching.
    searching: Cell<bool>,
    /// Polls, twice.
    poll_count: Cell<u64>,
    /// How long polls take, and when the next look is.
    pace: Pace,
    /// When sockets are asked for.
    lap: Lap,
    /// When the worker last ran dry.
    dry_since_ns: Cell<u64>,
    /// When it was last found to be dry, or woke up; zero if what it has came from another worker or from sockets.
    dry_until_ns: Cell<u64>,
    patience: Patience,
    backlog: Backlog,
    random: Cell<u32>,
    numbers: RefCell<Numbers>,
    promise_numbers: RefCell<Numbers>,
    events: RefCell<Events>,
    wakers: RefCell<Vec<Waker>>,
    fired: RefCell<Vec<Fired>>,
    batch: RefCell<Vec<Runnable>>,
}

/// The worker's stock of numbers for one kind of task.
#[derive(Debug)]
struct Numbers {
    stock: std::ops::Range<u64>,
    next_block: u64,
    take: fn(&Shared, u64) -> std::ops::Range<u64>,
}

impl Worker {
    fn new(shared: Arc<Shared>, seed: Seed) -> Self {
        let remote = Arc::clone(&shared.workers[seed.index]);
        Self {
            queue: seed.queue,
            turn: Turn::default(),
            tail: Tail::default(),
            searching: Cell::new(false),
            poll_count: Cell::new(remote.poll_count() & !1),
            pace: Pace::new(shared.clock.now_ns()),
            lap: Lap::new(),
            dry_since_ns: Cell::new(0),
            dry_until_ns: Cell::new(shared.clock.now_ns()),
            patience: Patience::new(),
            backlog: Backlog::new(shared.clock.now_ns()),
            random: Cell::new(0x9e37_79b9 ^ (remote.index as u32 + 1)),
            numbers: RefCell::new(Numbers::new(Shared::take_numbers)),
            promise_numbers: RefCell::new(Numbers::new(Shared::take_promise_numbers)),
            events: RefCell::new(Events::new()),
            wakers: RefCell::new(Vec::new()),
            fired: RefCell::new(Vec::new()),
            batch: RefCell::new(Vec::with_capacity(sharing::BURST_MAX)),
            shared,
            remote,
        }
    }

    /// Makes this thread a worker for as long as `body` lasts; gives the seed back.
    pub(crate) fn enter<R>(
        shared: &Arc<Shared>,
        seed: Seed,
        body: impl FnOnce(&Self) -> R,
    ) -> (R, Seed) {
        struct Attached;
        impl Drop for Attached {
            fn drop(&mut self) {
                slab::detach();
            }
        }
        slab::attach();
        let _attached = Attached;
        let worker = Self::new(Arc::clone(shared), seed);
        let entered: Entered = current::enter(shared);
        // SAFETY: `entered` is dropped first, and the worker is one of `shared`.
        unsafe { entered.set_worker(&worker) };
        worker.with_core(|core| timers::continue_turns(&core.timers));
        let result = body(&worker);
        drop(entered);
        let Self { remote, queue, .. } = worker;
        (
            result,
            Seed {
                index: remote.index,
                queue,
            },
        )
    }

    #[inline(always)]
    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    #[inline(always)]
    pub(crate) fn index(&self) -> usize {
        self.remote.index
    }

    #[inline(always)]
    pub(crate) fn remote(&self) -> &Arc<Remote> {
        &self.remote
    }

    /// Reaches into the worker's own core. No user code, no drop of a waker, no nested call inside.
    #[inline(always)]
    pub(crate) fn with_core<R>(&self, f: impl FnOnce(&mut Core) -> R) -> R {
        // SAFETY: (1) a `Worker` is not `Sync`, and there is one for a core at a time: its seed is
        // moved. (2) The callers are the few in `scheduler/`, none of which nests.
        unsafe { self.remote.core.with_owner(f) }
    }

    /// A number for a new task.
    #[inline(always)]
    pub(crate) fn next_number(&self) -> u64 {
        self.numbers.borrow_mut().next(&self.shared)
    }

    /// The number that the next task will get.
    pub(crate) fn number_to_come(&self) -> u64 {
        self.numbers.borrow_mut().peek(&self.shared)
    }

    /// A number for a new promise.
    #[inline]
    pub(crate) fn next_promise_number(&self) -> u64 {
        self.promise_numbers.borrow_mut().next(&self.shared)
    }

    /// Queues what the present poll has made. Others may help before that poll ends.
    #[inline(always)]
    pub(crate) fn push_spawned(&self, runnable: Runnable) {
        let n_queued = self.with_core(|core| {
            core.queue.push(runnable);
            core.queue.len()
        });
        // A poll that spawns many need not end before others help.
        if n_queued.is_multiple_of(SPAWNS_PER_LOOK) && self.shared.idle.is_hungry() {
            self.consider_sharing(n_queued);
        }
    }

    /// Queues what the present poll, a timer or a socket has woken.
    #[inline(always)]
    pub(crate) fn push_woken(&self, runnable: Runnable) {
        let n_queued = self.with_core(|core| {
            core.queue.push(runnable);
            core.queue.len()
        });
        if sharing::may_have_tail(self.pace.poll_ns()) && self.shared.idle.is_hungry() {
            self.consider_company(n_queued);
        }
    }

    /// Whether what the present poll has woken should begin elsewhere, and not wait for its end.
    #[cold]
    fn consider_company(&self, n_queued: usize) {
        // What a timer or a socket wakes has no end of a poll to wait for.
        if !self.remote.is_polling() {
            return;
        }
        if self.tail.is_worth_waking_for() {
            self.consider_sharing(n_queued);
        }
        self.tail.begin(self.shared.clock.now_ns());
    }

    /// Runs tasks until `is_over`, which is asked at every boundary, or the runtime stops.
    pub(crate) fn run_until(&self, is_over: impl Fn() -> bool) {
        while !is_over() {
            match self.next_task() {
                Some(runnable) => self.run(runnable),
                // What was queued before the stop may have come after the look.
                None if self.shared.is_stopped() => match self.next_task() {
                    Some(runnable) => self.run(runnable),
                    None => break,
                },
                None => self.park(),
            }
        }
        self.stop_searching();
    }

    /// Runs what is queued now, and what that queues, until there is nothing; gives the number of polls.
    pub(crate) fn run_queued(&self) -> usize {
        let mut n_polls = 0;
        loop {
            self.take_inbox();
            let Some(runnable) = self
                .pop_own()
                .or_else(|| self.queue.pop())
                .or_else(|| self.take_injected())
            else {
                return n_polls;
            };
            self.run(runnable);
            n_polls += 1;
        }
    }

    /// Gives away what waits behind the poll that this worker is in, which will block. The watchdog does the rest: timers,
    /// sockets, and what is queued here from now on.
    pub(crate) fn hand_over(&self) -> HandedOver<'_> {
        let mut taken = Vec::new();
        self.with_core(|core| {
            core.queue
                .take_all(|task: &Runnable| task.home().is_some(), &mut taken);
        });
        let n_taken = taken.len();
        for runnable in taken {
            self.shared.injector.push(runnable);
        }
        for _ in 0..n_taken {
            self.shared.wake_one();
        }
        let was_blocking = self.remote.is_blocking();
        self.remote.set_blocking(true);
        self.shared.watchdog.hurry(&self.shared);
        HandedOver {
            worker: self,
            was_blocking,
        }
    }

    #[inline(always)]
    fn run(&self, runnable: Runnable) {
        let count = self.poll_count.get() + 1;
        self.remote.note_poll(count);
        match runnable.run() {
            After::Gone => {}
            After::Again(runnable) => self.with_core(|core| core.queue.push(runnable)),
        }
        self.poll_count.set(count + 1);
        self.remote.note_poll(count + 1);
    }

    /// The boundary, then the next task of this worker's own, the shared ones, or another's.
    #[inline(always)]
    fn next_task(&self) -> Option<Runnable> {
        if self.tail.is_open() {
            self.tail.end(self.shared.clock.now_ns());
        }
        let mut has_taken = false;
        if self.pace.is_time_to_look() || self.remote.wants_attention() {
            has_taken = self.look_around();
        }
        let (runnable, n_left) = self.pop_next();
        if runnable.is_some() {
            if self.searching.get() {
                self.end_search();
            }
            // Liveness: what was just taken back is the newest, and would be the first to go again. Where nobody comes to steal
            // it, that would go on for ever.
            if n_left > 0 && !has_taken && (self.polls_are_long() || self.shared.idle.is_hungry()) {
                self.consider_sharing(n_left);
            }
            return runnable;
        }
        self.find_elsewhere()
    }

    /// The oldest task of this worker's own, shared or not, and how many are left that are not.
    #[inline(always)]
    fn pop_next(&self) -> (Option<Runnable>, usize) {
        if self.turn.comes()
            && let Some(runnable) = self.queue.pop()
        {
            self.turn.note_taken();
            return (Some(runnable), self.with_core(|core| core.queue.len()));
        }
        self.with_core(|core| (core.queue.pop(), core.queue.len()))
    }

    #[inline(always)]
    fn polls_are_long(&self) -> bool {
        sharing::is_long(self.pace.poll_ns())
    }

    /// Gives some of the queue to those who have nothing, if that pays.
    fn consider_sharing(&self, n_queued: usize) {
        let has_searchers = self.shared.idle.has_searchers();
        let poll_ns = self.pace.poll_ns();
        let count = sharing::of_burst(n_queued, poll_ns, has_searchers);
        // What was shared before and is still there is enough: somebody is on the way.
        if count == 0 || !self.queue.is_empty() {
            return;
        }
        let busy_ns = self.shared.clock.now_ns() - self.dry_until_ns.get();
        if !sharing::stays_together(n_queued, poll_ns, busy_ns) {
            self.share(count, true);
        }
    }

    /// Gives half of a queue that stands to those who have nothing.
    fn consider_moving(&self, now_ns: u64) {
        let n_queued = self.with_core(|core| core.queue.len());
        let excess = self.backlog.excess(now_ns, n_queued);
        if excess > 0 && self.shared.idle.is_hungry() && self.queue.is_empty() {
            self.share(excess, false);
        }
    }

    /// Puts the newest `count` tasks out for others. What nobody has come for runs here: `in_turn`, or when there is nothing else.
    #[cold]
    fn share(&self, count: usize, in_turn: bool) {
        let mut batch = self.batch.borrow_mut();
        let n_older = self.with_core(|core| {
            core.queue
                .share(count, |task: &Runnable| task.home().is_some(), &mut batch);
            core.queue.len()
        });
        if batch.is_empty() {
            return;
        }
        if in_turn {
            self.turn.begin(n_older, batch.len());
        } else {
            self.turn.forget();
        }
        self.queue.extend(batch.drain(..));
        // A wake-up that fails is reported, to user code that may spawn.
        drop(batch);
        self.shared.wake_one();
    }

    /// Reads the clock, and does what is due; `true` if something came from the shared queues.
    #[cold]
    fn look_around(&self) -> bool {
        let asked = self.remote.wants_attention();
        let now = self.shared.clock.now_ns();
        self.pace.look(now);
        if asked {
            self.remote.set_attention(false);
        }
        self.fire_timers(now);
        if asked || self.lap.is_time_to_ask(now, self.poll_count.get()) {
            self.ask_for_sockets(now);
        }
        self.pace
            .set_next_look(self.lap.n_left(self.poll_count.get()));
        self.take_inbox();
        // Whoever was woken for what is shared takes longer to come than there is between two looks. At a tick of the watchdog they
        // have had their time.
        let is_awaited = self.shared.idle.has_searchers() && !self.queue.is_empty();
        let has_taken = (asked || !is_awaited) && self.take_published();
        self.consider_moving(now);
        has_taken
    }

    /// Hears whether sockets are ready while there is work. At the end of a lap those whom they wake come first.
    fn ask_for_sockets(&self, now_ns: u64) {
        let n_before = self.with_core(|core| core.queue.len());
        self.lap.note_asked(now_ns);
        self.turn_driver(Some(Duration::ZERO));
        if self.lap.n_left(self.poll_count.get()) == 0 {
            let n_first = self.with_core(|core| core.queue.bring_forward(n_before));
            self.turn.delay(n_first);
            self.begin_lap();
        }
    }

    fn begin_lap(&self) {
        let n_queued = self.with_core(|core| core.queue.len()) + self.queue.len();
        self.lap.begin(self.poll_count.get(), n_queued);
    }

    /// What was shared and not stolen, or came from the injector, is next: a queue of this worker's own that never runs dry must
    /// not keep it waiting. `true` if there was anything.
    fn take_published(&self) -> bool {
        // Where polls are long there is a look before each, and others may help. What has a turn is left to it.
        let in_turn = self.turn.is_to_come();
        let taken_max = if self.polls_are_long() || in_turn {
            1
        } else {
            (LOOK_NS / self.pace.poll_ns()).clamp(*TAKEN_AT_ONCE.start(), *TAKEN_AT_ONCE.end())
        };
        let mut has_taken = false;
        for _ in 0..taken_max {
            let shared = if in_turn { None } else { self.queue.pop() };
            let Some(runnable) = shared.or_else(|| self.take_injected()) else {
                break;
            };
            self.with_core(|core| core.queue.push(runnable));
            has_taken = true;
        }
        has_taken
    }

    /// Does what is to be done at a time that has come; `true` if there was anything.
    fn fire_timers(&self, now_ns: u64) -> bool {
        let mut fired = self.fired.take();
        self.with_core(|core| {
            core.timers
                .pop_expired(now_ns, &mut fired, FIRED_AT_ONCE_MAX);
        });
        let any = !fired.is_empty();
        for (key, alarm) in fired.drain(..) {
            alarm.go_off(&self.shared, self.remote.timers, key);
        }
        // Panic: as in `wake_all`.
        self.fired.replace(fired);
        any
    }

    /// Hears what the system has to say about sockets, waiting for it at most `timeout`.
    fn turn_driver(&self, timeout: Option<Duration>) -> bool {
        let mut wakers = self.wakers.take();
        let turned = {
            let mut events = self.events.borrow_mut();
            self.shared
                .driver
                .turn(self.index(), timeout, &mut events, &mut wakers)
        };
        if let Err(error) = turned {
            // The descriptor is the runtime's own and the call is right: this is the end of the system's rope.
            self.shared.report_driver_error(&error);
        }
        self.wake_all(wakers)
    }

    /// Wakes those whose sockets are ready, in the order given, and keeps the buffer for the next time.
    fn wake_all(&self, mut wakers: Vec<Waker>) -> bool {
        let any = !wakers.is_empty();
        if any {
            // In which order sockets become ready is the system's choice: nothing is lost if it is not kept.
            self.dry_until_ns.set(0);
        }
        for waker in wakers.drain(..) {
            waker::wake_reported(&*self.shared, waker);
        }
        // Panic: wakers that panic are reported inside, so the buffer always comes back.
        self.wakers.replace(wakers);
        any
    }

    fn take_inbox(&self) -> bool {
        if self.remote.inbox.is_empty() {
            return false;
        }
        let items = self.remote.inbox.take();
        let any = !items.is_empty();
        for runnable in items {
            self.with_core(|core| core.queue.push(runnable));
        }
        any
    }

    fn take_injected(&self) -> Option<Runnable> {
        if self.shared.injector.is_empty() {
            return None;
        }
        let runnable = self.queue.take_from(&self.shared.injector);
        if !self.searching.get() && !self.queue.is_empty() {
            // Liveness: what came along was in no queue for a moment. A worker that looked then may have gone to sleep, and
            // nobody is counted as searching on whom publishers rely.
            self.shared.wake_one();
        }
        runnable
    }

    /// Out of work of its own: everything that may have some, in order of cost.
    #[cold]
    fn find_elsewhere(&self) -> Option<Runnable> {
        let found = self.find_shared().or_else(|| self.search());
        if found.is_some() {
            self.end_search();
        }
        found
    }

    /// Ends a search that found something.
    fn end_search(&self) {
        if self.stop_searching() && self.shared.has_stealable_work() {
            // Liveness: publishers may have relied on this searcher for more than it took.
            self.shared.wake_one();
        }
    }

    /// Looks where work can be for this worker without taking it from others.
    fn find_shared(&self) -> Option<Runnable> {
        if let Some(runnable) = self.queue.pop().or_else(|| self.take_injected()) {
            return Some(runnable);
        }
        self.take_inbox();
        if let Some(runnable) = self.pop_own() {
            return Some(runnable);
        }
        let now = self.shared.clock.now_ns();
        self.dry_since_ns.set(now);
        self.dry_until_ns.set(now);
        self.backlog.begin_anew(now);
        self.turn.forget();
        if self.fire_timers(now) {
            self.pop_own()
        } else {
            None
        }
    }

    /// Disarms every timer that is left; for a worker that ends with its runtime.
    pub(crate) fn drain_timers(&self) {
        let mut alarms = Vec::new();
        self.with_core(|core| core.timers.drain_all(&mut alarms));
        for alarm in alarms {
            drop_quietly(alarm);
        }
    }

    fn pop_own(&self) -> Option<Runnable> {
        self.with_core(|core| core.queue.pop())
    }

    /// Ends being counted as searching; `true` if this was the last searcher.
    fn stop_searching(&self) -> bool {
        self.searching.replace(false) && self.shared.idle.stop_searching()
    }

    /// Tries to steal, then looks on for a while if there is a deadline that near, or if that has been worth while.
    fn search(&self) -> Option<Runnable> {
        let n_workers = self.shared.n_workers;
        let is_alone = n_workers == 1 && self.index() == 0 && !self.shared.watchdog.has_spares();
        if !is_alone {
            if !self.searching.get() {
                if !self.shared.idle.start_searching((n_workers / 2).max(1)) {
                    return None;
                }
                self.searching.set(true);
            }
            if let Some(runnable) = self.find_published() {
                return Some(runnable);
            }
        }
        if let Some(deadline_ns) = self.near_deadline() {
            self.await_deadline(deadline_ns)
        } else if self.patience.is_left() {
            self.look_on()
        } else {
            None
        }
    }

    /// Keeps looking for some microseconds: less than it takes to be woken.
    fn look_on(&self) -> Option<Runnable> {
        let end = self
            .with_core(|core| core.timers.next_deadline())
            .unwrap_or(u64::MAX)
            .min(self.dry_since_ns.get() + LOOK_ON_NS);
        for n_looks in 1_u32.. {
            if let Some(runnable) = self.find_published() {
                self.patience.paid_off();
                self.pace.begin_anew(self.shared.clock.now_ns());
                return Some(runnable);
            }
            if self.take_inbox() {
                self.patience.paid_off();
                return self.pop_own();
            }
            if n_looks.is_multiple_of(LOOKS_PER_TURN) {
                if self.turn_driver(Some(Duration::ZERO)) {
                    self.patience.was_not_needed();
                    return self.pop_own();
                }
                if self.shared.is_stopped() {
                    return None;
                }
                if self.shared.clock.now_ns() >= end {
                    break;
                }
            }
            for _ in 0..PAUSES_PER_LOOK {
                spin_loop();
            }
        }
        self.patience.was_in_vain();
        None
    }

    /// When a timer may be due so soon that a sleep until then would be none.
    fn near_deadline(&self) -> Option<u64> {
        self.with_core(|core| core.timers.next_look())
            .filter(|deadline_ns| *deadline_ns < self.near_ns())
    }

    /// Deadlines before this are near.
    fn near_ns(&self) -> u64 {
        self.dry_since_ns.get() + SLEEP_NS_MIN
    }

    /// Looks on until a deadline that is near, and fires what is due then.
    fn await_deadline(&self, deadline_ns: u64) -> Option<Runnable> {
        loop {
            if let Some(runnable) = self.find_published() {
                return Some(runnable);
            }
            if self.take_inbox() {
                return self.pop_own();
            }
            let now = self.shared.clock.now_ns();
            if now < deadline_ns {
                spin_loop();
                continue;
            }
            self.pace.begin_anew(now);
            self.fire_timers(now);
            // Liveness: one near deadline after another must not keep the worker from its sockets, which end a sleep at once.
            if self.lap.has_paused(now, LOOK_NS) {
                self.lap.note_asked(now);
                self.turn_driver(Some(Duration::ZERO));
            }
            return self.pop_own();
        }
    }

    /// Looks into the queues that all can reach.
    fn find_published(&self) -> Option<Runnable> {
        self.steal().or_else(|| self.take_injected())
    }

    fn next_random(&self) -> u32 {
        // xorshift32 (Marsaglia, 2003)
        let mut x = self.random.get();
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        self.random.set(x);
        x
    }

    fn steal(&self) -> Option<Runnable> {
        let workers = &self.shared.workers;
        let start = self.next_random() as usize % workers.len();
        let (before, from) = workers.split_at(start);
        let stolen = from
            .iter()
            .chain(before)
            .filter(|victim| victim.index != self.index())
            .find_map(|victim| self.queue.steal(&victim.thief));
        if stolen.is_some() {
            // It is being spread already: none of it need stay together.
            self.dry_until_ns.set(0);
        }
        stolen
    }

    /// Sleeps until there is something to do.
    #[cold]
    pub(crate) fn park(&self) {
        let idle = &self.shared.idle;
        let was_searching = self.searching.replace(false);
        idle.announce_park(self.index(), was_searching);
        if self.sees_work() {
            self.searching
                .set(idle.turn_back(self.index(), was_searching));
            // Liveness: for the watchdog this may have been the sleep of the last one that was awake.
            self.shared.watchdog.ensure_awake(&self.shared);
            return;
        }
        let deadline = self.with_core(|core| core.timers.end_of_sleep(self.near_ns()));
        let timeout = deadline.map(|deadline| {
            Duration::from_nanos(deadline.saturating_sub(self.shared.clock.now_ns()))
        });
        let mut wakers = self.wakers.take();
        let turned = {
            let mut events = self.events.borrow_mut();
            self.shared
                .driver
                .turn(self.index(), timeout, &mut events, &mut wakers)
        };
        let now = self.shared.clock.now_ns();
        if idle.retract_park(self.index()) == Unparked::ByOther {
            self.searching.set(true);
            self.patience.woken_after(now - self.dry_since_ns.get());
        }
        if let Err(error) = turned {
            self.shared.report_driver_error(&error);
        }
        self.lap.note_asked(now);
        self.dry_until_ns.set(now);
        self.wake_all(wakers);
        self.pace.begin_anew(now);
        self.fire_timers(now);
        self.begin_lap();
        self.shared.watchdog.ensure_awake(&self.shared);
    }

    /// The look between the announcement and the sleep: everything whose publisher may have counted on this worker.
    fn sees_work(&self) -> bool {
        !self.remote.inbox.is_empty()
            || self.shared.is_stopped()
            || self.shared.has_stealable_work()
            || self.with_core(|core| core.queue.len()) > 0
    }
}

impl Numbers {
    fn new(take: fn(&Shared, u64) -> std::ops::Range<u64>) -> Self {
        Self {
            stock: 0..0,
            next_block: 1,
            take,
        }
    }

    #[inline(always)]
    fn next(&mut self, shared: &Shared) -> u64 {
        match self.stock.next() {
            Some(number) => number,
            None => self.refill(shared),
        }
    }

    fn peek(&mut self, shared: &Shared) -> u64 {
        if self.stock.is_empty() {
            let number = self.refill(shared);
            self.stock.start = number;
        }
        self.stock.start
    }

    #[cold]
    fn refill(&mut self, shared: &Shared) -> u64 {
        self.stock = (self.take)(shared, self.next_block);
        // Whoever hands them out has a limit; here it would overflow after 64 blocks.
        self.next_block = self.next_block.saturating_mul(2);
        self.stock.next().expect("a fresh block has numbers")
    }
}

/// The worker is in a poll that blocks, until this is dropped.
pub(crate) struct HandedOver<'a> {
    worker: &'a Worker,
    was_blocking: bool,
}

impl Drop for HandedOver<'_> {
    fn drop(&mut self) {
        self.worker.remote.set_blocking(self.was_blocking);
    }
}
