//! One thread, virtual time, a seeded order: every run with a seed is the same run.
//!
//! The loop goes in cycles, as asyncio's does: 1. if nothing is ready, the clock jumps to the next timer; 2. what
//! came from other threads is queued; 3. timers that are due are queued, by deadline and then by the order in
//! which they were armed; 4. as many entries as are queued now are run, and what they queue waits for the next cycle.
//! With seed 0 a cycle's entries run in the order in which they were queued; any other seed shuffles them.
//!
//! Other threads are outside the model: what they do comes when it comes. While nothing is ready and no timer is armed, the
//! loop waits for them; it never lets real time pass for a timer. A job on a thread pool is the exception: the clock does not
//! jump while one is under way.

use super::remote::Core;
use super::timers::Fired;
use super::worker::Worker;
use crate::primitive::{AtomicU64, AtomicUsize, Condvar, Mutex, Ordering};
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
}

impl Deterministic {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            seed,
            random: AtomicU64::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1),
            notified: Mutex::new(false),
            changed: Condvar::new(),
            n_jobs: AtomicUsize::new(0),
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

    /// Ends a wait of the loop.
    pub(crate) fn notify(&self) {
        *self.notified.lock() = true;
        self.changed.notify_all();
    }

    fn wait(&self) {
        let mut notified = self.notified.lock();
        while !*notified {
            self.changed.wait(&mut notified);
        }
        *notified = false;
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

    fn shuffle(&self, entries: &mut [Runnable]) {
        if self.seed == 0 {
            return;
        }
        // Fisher and Yates.
        for last in (1..entries.len()).rev() {
            entries.swap(last, self.below(last + 1));
        }
    }
}

/// Runs cycles until `is_over`, which is asked after every entry, as the main task's end is noticed.
pub(crate) fn run_until(worker: &Worker, is_over: impl Fn() -> bool) {
    let shared = worker.shared();
    let _unlimited = current::lift_budget();
    let mut entries: Vec<Runnable> = Vec::new();
    let mut fired: Vec<Fired> = Vec::new();
    while !is_over() {
        take_inbox(worker);
        if worker.with_core(|core| core.queue.len()) == 0 {
            match next_deadline(worker) {
                // Outside work counts as ready: what it takes in real time, it takes in no virtual time.
                Some(deadline)
                    if deadline > shared.clock.now_ns() && shared.deterministic.has_jobs() =>
                {
                    wait_for_others(worker);
                    continue;
                }
                Some(_) if !worker.remote().inbox.is_empty() => continue,
                Some(deadline) => shared.clock.jump_to(deadline),
                None if shared.is_stopped() => return,
                None => {
                    wait_for_others(worker);
                    continue;
                }
            }
        }
        queue_due_timers(worker, &mut fired);
        worker.with_core(|core| core.queue.take_all(|_| false, &mut entries));
        shared.deterministic.shuffle(&mut entries);
        let mut cycle = entries.drain(..);
        for runnable in cycle.by_ref() {
            if let After::Again(runnable) = runnable.run() {
                worker.with_core(|core| core.queue.push_back(runnable));
            }
            if is_over() {
                break;
            }
        }
        // What is left of the cycle waits for the next run of the loop, in front.
        let rest: Vec<Runnable> = cycle.collect();
        if !rest.is_empty() {
            worker.with_core(|core| put_in_front(core, rest));
        }
    }
}

fn put_in_front(core: &mut Core, rest: Vec<Runnable>) {
    let mut behind = Vec::new();
    core.queue.take_all(|_| false, &mut behind);
    for runnable in rest.into_iter().chain(behind) {
        core.queue.push_back(runnable);
    }
}

fn take_inbox(worker: &Worker) {
    for runnable in worker.remote().inbox.take() {
        worker.with_core(|core| core.queue.push_back(runnable));
    }
}

/// The earliest live timer.
fn next_deadline(worker: &Worker) -> Option<u64> {
    worker.with_core(|core| core.timers.next_deadline())
}

fn wait_for_others(worker: &Worker) {
    let shared = worker.shared();
    shared.idle.announce_park(worker.index(), false);
    if worker.remote().inbox.is_empty() && !shared.is_stopped() {
        shared.deterministic.wait();
    }
    if shared.idle.retract_park(worker.index()) == crate::idle::Unparked::ByOther {
        shared.idle.stop_searching();
    }
}

/// Queues what is due: a callback itself, or the step that wakes a sleeping task (asyncio's
/// timers complete a future, whose waiter runs one cycle later), or that cancels one whose deadline has passed.
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
