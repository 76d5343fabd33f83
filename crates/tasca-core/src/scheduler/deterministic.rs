//! One thread, virtual time, a seeded order: every run with a seed is the same run.
//!
//! The loop goes in cycles, as asyncio's does: 1. if nothing is ready, the clock jumps to the next timer; 2. what
//! came from other threads is queued; 3. outside events that are due (the ends of simulated jobs) are delivered, then timers
//! are queued, by deadline and then by the order in which they were armed; 4. as many entries as are queued now are run, and what they queue waits for the next cycle.
//! With seed 0 a cycle's entries run in the order in which they were queued; any other seed interleaves those of different
//! [origins](Origins).
//!
//! Other threads are outside the model: what they do comes when it comes. While nothing is ready and no timer is armed, the
//! loop waits for them, up to a bound in real time: then the run has *stalled*. It never lets real time pass for a timer. A job on an executor of one's own is the exception: the clock
//! does not jump while one is under way. The threads of this library's own pools are inside the model, by way of
//! [`outside`](super::outside) events.

use std::collections::VecDeque;
use std::mem;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use super::interrupts::Interrupts;
use super::outside::Outside;
use super::shared::Shared;
use super::timers::Fired;
use super::worker::Worker;
use crate::primitive::{AtomicBool, AtomicU64, AtomicUsize, Condvar, Mutex, Ordering};
use crate::task::{After, Runnable, current};

/// The part of the runtime that only this flavour uses.
#[derive(Debug)]
pub(crate) struct Deterministic {
    seed: u64,
    random: AtomicU64,
    /// Set by other threads when they have left something.
    notified: Mutex<bool>,
    changed: Condvar,
    /// Jobs of other threads that are not done. While there are any, time stands still.
    n_jobs: AtomicUsize,
    pub(crate) outside: Outside,
    pub(crate) interrupts: Interrupts,
    /// The loop has waited long enough for those jobs: time goes on until one of them gives a sign of life.
    in_vain: AtomicBool,
}

impl Deterministic {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            seed,
            random: AtomicU64::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1),
            notified: Mutex::new(false),
            changed: Condvar::new(),
            n_jobs: AtomicUsize::new(0),
            outside: Outside::new(),
            interrupts: Interrupts::default(),
            in_vain: AtomicBool::new(false),
        }
    }

    pub(crate) fn job_began(&self) {
        // Ordering: Relaxed; the loop itself, or whoever it waits for, made the job.
        self.n_jobs.fetch_add(1, Ordering::Relaxed);
    }

    /// Called after the job's end has been queued with the loop.
    pub(crate) fn job_ended(&self) {
        // Ordering: Release pairs with the load in `run_until`: who sees time free to go on sees what the job queued.
        self.n_jobs.fetch_sub(1, Ordering::Release);
        self.notify();
    }

    fn has_jobs(&self) -> bool {
        // Ordering: see `job_ended`.
        self.n_jobs.load(Ordering::Acquire) > 0
    }

    fn note_in_vain(&self) {
        // Ordering: Relaxed (here and for the two below): a flag that only says how patient to be.
        self.in_vain.store(true, Ordering::Relaxed);
    }

    fn is_in_vain(&self) -> bool {
        self.in_vain.load(Ordering::Relaxed)
    }

    /// Ends a wait of the loop.
    pub(crate) fn notify(&self) {
        self.in_vain.store(false, Ordering::Relaxed);
        *self.notified.lock() = true;
        self.changed.notify_all();
    }

    /// Waits to be notified; `false` if nobody did within `patience`.
    fn wait(&self, patience: Option<Duration>) -> bool {
        let deadline = patience.and_then(|patience| Instant::now().checked_add(patience));
        let mut notified = self.notified.lock();
        while !*notified {
            match deadline {
                Some(deadline) => {
                    if self.changed.wait_until(&mut notified, deadline).timed_out() {
                        break;
                    }
                }
                None => self.changed.wait(&mut notified),
            }
        }
        mem::replace(&mut *notified, false)
    }

    /// A number below `bound`.
    fn below(&self, bound: usize) -> usize {
        // splitmix64 (Steele, Lea, Flood, 2014). Ordering: Relaxed; one thread draws.
        let mut z = self
            .random
            .fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % bound as u64) as usize
    }

    fn shuffle<T>(&self, entries: &mut [T]) {
        if self.seed == 0 {
            return;
        }
        // Fisher and Yates.
        for last in (1..entries.len()).rev() {
            entries.swap(last, self.below(last + 1));
        }
    }
}

/// Why the loop has ended.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It was asked to.
    Over,
    /// The runtime has been stopped.
    Stopped,
    /// An interrupt has stopped the loop where it was (rule R11).
    Interrupted,
    /// Nothing is ready, nothing will be, and nobody from outside has come (rule H14).
    Stalled,
}

/// What a cycle works with; kept from one to the next.
#[derive(Default)]
struct Buffers {
    entries: Vec<Runnable>,
    fired: Vec<Fired>,
    origins: Origins,
}

/// Who has queued which entries of the next cycle.
///
/// What has one origin keeps its order with any seed, as it does in the queue of a worker: of two tasks that a step spawns the first begins
/// first, those whom one call wakes go on in the order in which they waited, and timers that are due together go off in the order in which
/// they were armed. The seed interleaves what has different origins: these are what several workers run at the same time.
///
/// Each step of a task is an origin. The timers of an instant are one, and so is what comes from outside between two cycles. A callback adds
/// to the origin that it has itself.
#[derive(Default)]
struct Origins {
    /// For each run of entries that were queued one after the other: the origin, and how many were queued at its end.
    runs: Vec<(usize, usize)>,
    n_origins: usize,
    /// In which order origins have their turns, and the entries of each.
    turns: Vec<usize>,
    queues: Vec<VecDeque<Runnable>>,
}

impl Origins {
    fn new_origin(&mut self) -> usize {
        self.n_origins += 1;
        self.n_origins - 1
    }

    /// What was queued since the last call has this origin.
    fn note(&mut self, worker: &Worker, origin: usize) {
        let n_queued = worker.with_core(|core| core.queue.len());
        if self.runs.last().map_or(0, |(_, end)| *end) < n_queued {
            self.runs.push((origin, n_queued));
        }
    }

    /// Runs the entries of a cycle, all that were queued, in the order of the seed.
    fn run(&mut self, worker: &Worker, entries: &mut Vec<Runnable>) {
        let (mut queues, mut turns) = (mem::take(&mut self.queues), mem::take(&mut self.turns));
        queues.resize_with(self.n_origins, VecDeque::new);
        let mut entries = entries.drain(..);
        let mut begin = 0;
        for (origin, end) in self.runs.drain(..) {
            turns.extend((begin..end).map(|_| origin));
            queues[origin].extend(entries.by_ref().take(end - begin));
            begin = end;
        }
        assert!(entries.next().is_none(), "every entry has an origin");
        worker.shared().deterministic.shuffle(&mut turns);
        self.n_origins = 0;
        // The origins of what callbacks add, by those of the callbacks.
        let mut successors: Vec<Option<usize>> = vec![None; queues.len()];
        for origin in turns.drain(..) {
            let runnable = queues[origin].pop_front().expect("an entry for each turn");
            let is_callback = runnable.task().state().load().is_callback();
            run_entry(worker, runnable);
            let next = match successors[origin] {
                Some(next) if is_callback => next,
                _ => self.new_origin(),
            };
            if is_callback {
                successors[origin] = Some(next);
            }
            self.note(worker, next);
        }
        (self.queues, self.turns) = (queues, turns);
    }
}

/// Runs cycles until `is_over`, which is asked between them: the cycle in which that comes to pass is completed (rule R6).
pub(crate) fn run_until(worker: &Worker, is_over: impl Fn() -> bool) -> Ended {
    let _unlimited = current::lift_budget();
    let mut buffers = Buffers::default();
    while !is_over() {
        if let Err(ended) = wait_for_work(worker) {
            return ended;
        }
        if run_cycle(worker, &mut buffers).is_break() {
            return Ended::Interrupted;
        }
    }
    Ended::Over
}

/// Runs so many cycles, in which the clock stands still.
pub(crate) fn run_cycles(worker: &Worker, n_cycles: usize) -> Ended {
    let _unlimited = current::lift_budget();
    let mut buffers = Buffers::default();
    for _ in 0..n_cycles {
        take_inbox(worker);
        if run_cycle(worker, &mut buffers).is_break() {
            return Ended::Interrupted;
        }
    }
    Ended::Over
}

/// Runs cycles until nothing is ready, so many at most, in which the clock stands still.
pub(crate) fn run_until_idle(worker: &Worker, n_cycles_max: usize) -> Ended {
    let _unlimited = current::lift_budget();
    let mut buffers = Buffers::default();
    for _ in 0..n_cycles_max {
        take_inbox(worker);
        if !is_ready(worker) {
            break;
        }
        if run_cycle(worker, &mut buffers).is_break() {
            return Ended::Interrupted;
        }
    }
    Ended::Over
}

/// Whether there is something to run at this instant.
fn is_ready(worker: &Worker) -> bool {
    worker.with_core(|core| core.queue.len()) > 0
        || next_instant(worker).is_some_and(|instant| instant <= worker.shared().clock.now_ns())
}

/// Makes that there is something to run: moves the clock, or waits for other threads.
fn wait_for_work(worker: &Worker) -> Result<(), Ended> {
    let shared = worker.shared();
    loop {
        take_inbox(worker);
        if is_ready(worker) {
            return Ok(());
        }
        // Outside work counts as ready: what it takes in real time, it takes in no virtual time.
        let has_jobs = shared.deterministic.has_jobs();
        match next_instant(worker) {
            Some(_) if has_jobs && !shared.deterministic.is_in_vain() => {
                let patience = shared.settings.stall_after;
                if !wait_for_others(worker, Some(patience)) {
                    // Perhaps they wait for what only a later instant brings.
                    shared.deterministic.note_in_vain();
                }
                true
            }
            Some(_) if !worker.remote().inbox.is_empty() => continue,
            Some(instant) => {
                shared.clock.jump_to(instant);
                return Ok(());
            }
            None if shared.is_stopped() => return Err(Ended::Stopped),
            None if has_jobs => wait_for_others(worker, None),
            None => {
                let patience = shared.settings.stall_after;
                if !wait_for_others(worker, Some(patience)) && worker.remote().inbox.is_empty() {
                    return Err(Ended::Stalled);
                }
                true
            }
        };
    }
}

/// Runs a cycle; not to its end, if an interrupt stops the loop.
fn run_cycle(worker: &Worker, buffers: &mut Buffers) -> ControlFlow<()> {
    let shared = worker.shared();
    let Buffers {
        entries,
        fired,
        origins,
    } = buffers;
    deliver_due_events(shared);
    if shared.deterministic.interrupts.stops_loop() {
        return ControlFlow::Break(());
    }
    take_inbox(worker);
    if shared.deterministic.seed == 0 {
        queue_due_timers(worker, fired);
        worker.with_core(|core| core.queue.take_all(|_| false, entries));
        entries
            .drain(..)
            .for_each(|runnable| run_entry(worker, runnable));
        return ControlFlow::Continue(());
    }
    let outside = origins.new_origin();
    origins.note(worker, outside);
    queue_due_timers(worker, fired);
    let timers = origins.new_origin();
    origins.note(worker, timers);
    worker.with_core(|core| core.queue.take_all(|_| false, entries));
    origins.run(worker, entries);
    ControlFlow::Continue(())
}

fn run_entry(worker: &Worker, runnable: Runnable) {
    if let After::Again(runnable) = runnable.run() {
        worker.with_core(|core| core.queue.push(runnable));
    }
}

fn take_inbox(worker: &Worker) {
    for runnable in worker.remote().inbox.take() {
        worker.with_core(|core| core.queue.push(runnable));
    }
}

/// When the earliest live timer or outside event is due.
fn next_instant(worker: &Worker) -> Option<u64> {
    let deadline = worker.with_core(|core| core.timers.next_deadline());
    let event = worker.shared().deterministic.outside.next_at();
    [deadline, event].into_iter().flatten().min()
}

/// Calls the outside events that are due; `false` if there were none.
fn deliver_due_events(shared: &Shared) -> bool {
    let deterministic = &shared.deterministic;
    let now_ns = shared.clock.now_ns();
    let mut due = deterministic.outside.take_due(now_ns);
    deterministic.shuffle(&mut due);
    let found = !due.is_empty();
    let mut due = due.into_iter();
    for (_, event) in due.by_ref() {
        event();
        if deterministic.interrupts.stops_loop() {
            break;
        }
    }
    // What an interrupt comes before waits for the next loop.
    for (kind, event) in due {
        deterministic.outside.arrange(now_ns, kind, event);
    }
    found
}

/// Delivers outside events, and moves the clock to them, until `is_over` or there are none. For the end, when no loop runs, and
/// for a step that waits for them.
pub(crate) fn run_events(shared: &Shared, is_over: impl Fn() -> bool) {
    while !is_over() {
        if deliver_due_events(shared) {
            continue;
        }
        match shared.deterministic.outside.next_at() {
            Some(at_ns) => shared.clock.jump_to(at_ns),
            None => return,
        }
    }
}

/// Waits for other threads; `false` if none has come within `patience`.
fn wait_for_others(worker: &Worker, patience: Option<Duration>) -> bool {
    let shared = worker.shared();
    shared.idle.announce_park(worker.index(), false);
    let mut came = true;
    if worker.remote().inbox.is_empty() && !shared.is_stopped() {
        came = shared.deterministic.wait(patience);
    }
    if shared.idle.retract_park(worker.index()) == crate::idle::Unparked::ByOther {
        shared.idle.stop_searching();
    }
    came
}

/// Queues what is due: a callback itself, or, for a sleeping task, the step that wakes it (asyncio's
/// timers complete a future, whose waiter runs one cycle later).
fn queue_due_timers(worker: &Worker, fired: &mut Vec<Fired>) {
    let shared = worker.shared();
    let now_ns = shared.clock.now_ns();
    loop {
        let more = worker.with_core(|core| core.timers.pop_expired(now_ns, fired, 256));
        for (key, alarm) in fired.drain(..) {
            alarm.queue_step(worker, key);
        }
        if !more {
            return;
        }
    }
}
