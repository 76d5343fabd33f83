//! A queue of jobs and the threads that serve it: who is woken, who is started, who may leave.
#![doc = include_str!("PROTOCOL.md")]

use std::time::{Duration, Instant};

// By way of `super`, so that the models can put a `primitive` of theirs beside this room.
use super::primitive::{
    AtomicUsize, Condvar, Mutex, MutexGuard, Ordering, spin_until, wait_for, wait_until,
};

/// Something to be run once.
pub(crate) trait Work: Send + Sized {
    /// What is said of a job that holds up the end.
    type Label: Copy + Send;
    /// Those that wait.
    type Line: Line<Self>;

    /// Runs it; never panics.
    fn run(self);
    fn label(&self) -> Self::Label;
}

/// Work that waits, first in, first out.
pub(crate) trait Line<J>: Default + Send {
    fn len(&self) -> usize;
    fn push_back(&mut self, job: J);
    fn pop_front(&mut self) -> Option<J>;
    /// Takes out what there is nothing left to run of.
    fn take_husks(&mut self) -> Self;

    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The numbers that a crew lives by.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    /// So many threads come without being asked twice.
    pub(crate) n_base: usize,
    /// So many threads stay however little there is to do.
    pub(crate) n_min: usize,
    pub(crate) n_max: usize,
    /// So many jobs wait at most.
    pub(crate) n_queued_max: usize,
    /// How long a thread stays idle.
    pub(crate) keep_alive: Duration,
    /// How long the watcher looks on before it judges.
    pub(crate) window: Duration,
    /// For how long growth rests after the system had no thread.
    pub(crate) start_pause: Duration,
    /// The threads can have `retry` called later, as those who submit can.
    pub(crate) has_timers: bool,
}

/// Why a job was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// As many jobs wait as may.
    Full,
    /// The crew is closing.
    Closed,
}

/// What the one who left a job has to do, outside the lock.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Nobody,
    /// Wake the thread at this place.
    Wake(usize),
    /// Start a thread for this place.
    Start(usize),
    /// Call [`Crew::retry`] after this time: the system had no thread a moment ago.
    Later(Duration),
}

/// What a start that failed means for the queue.
#[must_use]
#[derive(Debug)]
pub(crate) enum Failed<L> {
    /// Nobody is left to run these: they have to be failed.
    Orphans(L),
    /// Others are there, but nothing says that they will ever be free: call [`Crew::retry`] after this time.
    Retry(Duration),
    /// There is nothing to be done.
    Noted,
}

/// Jobs and threads at one instant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) n_threads: usize,
    pub(crate) n_idle: usize,
    pub(crate) n_queued: usize,
    pub(crate) n_done: u64,
}

impl std::ops::Add for Counts {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            n_threads: self.n_threads + other.n_threads,
            n_idle: self.n_idle + other.n_idle,
            n_queued: self.n_queued + other.n_queued,
            n_done: self.n_done + other.n_done,
        }
    }
}

struct Seat<L> {
    taken: bool,
    /// The thread here is no longer idle: somebody called it.
    called: bool,
    /// What it runs.
    running: Option<L>,
}

/// Whether it pays to spin when the queue runs dry: the oftener it was in vain of late, the more seldom.
#[derive(Default)]
struct Spins {
    n_lulls: u32,
    n_in_vain: u32,
}

impl Spins {
    /// One lull in 64 is tried even where it never pays.
    const IN_VAIN_MAX: u32 = 6;

    fn is_worth_while(&mut self) -> bool {
        self.n_lulls = self.n_lulls.wrapping_add(1);
        self.n_lulls.is_multiple_of(1 << self.n_in_vain)
    }

    fn was_in_vain(&mut self) {
        self.n_in_vain = (self.n_in_vain + 1).min(Self::IN_VAIN_MAX);
    }

    fn paid_off(&mut self) {
        self.n_in_vain = 0;
    }
}

struct State<J: Work> {
    queue: J::Line,
    /// The queue's length at which husks are swept out.
    sweep_at: usize,
    n_threads: usize,
    n_working: usize,
    n_arriving: usize,
    spinning: bool,
    spins: Spins,
    watching: bool,
    limit: usize,
    /// How much the watcher raises the limit next.
    step: usize,
    n_done: u64,
    idle: Vec<usize>,
    seats: Vec<Seat<J::Label>>,
    closing: bool,
    /// No thread is started before this, since the system had none.
    no_start_before: Option<Instant>,
    /// Somebody will call `retry`.
    retrying: bool,
}

/// The queue and the bookkeeping. Starting threads is the business of whoever owns it.
pub(crate) struct Crew<J: Work> {
    limits: Limits,
    state: Mutex<State<J>>,
    /// The queue's length, for the thread that spins.
    n_queued: AtomicUsize,
    /// Where the thread of each seat sleeps.
    beds: Box<[Condvar]>,
    /// Told when the last thread has gone.
    gone: Condvar,
}

/// The most threads that are on their way at once: each costs its waker some processor time.
const N_ARRIVING_MAX: usize = 4;

/// A husk sweep is not worth while below this.
pub(crate) const SWEEP_MIN: usize = 1024;

impl<J: Work> Crew<J> {
    pub(crate) fn new(limits: Limits) -> Self {
        debug_assert!(
            1 <= limits.n_base && limits.n_base <= limits.n_max,
            "somebody can work"
        );
        Self {
            state: Mutex::new(State {
                queue: J::Line::default(),
                sweep_at: SWEEP_MIN,
                n_threads: 0,
                n_working: 0,
                n_arriving: 0,
                spinning: false,
                spins: Spins::default(),
                watching: false,
                limit: limits.n_base,
                step: 1,
                n_done: 0,
                idle: Vec::new(),
                seats: Vec::new(),
                closing: false,
                no_start_before: None,
                retrying: false,
            }),
            n_queued: AtomicUsize::new(0),
            beds: (0..limits.n_max).map(|_| Condvar::new()).collect(),
            gone: Condvar::new(),
            limits,
        }
    }

    /// Puts a job into the queue. The caller carries out the call that comes back.
    pub(crate) fn submit(&self, job: J) -> Result<Call, (Refusal, J)> {
        let mut state = self.state.lock();
        if state.closing {
            return Err((Refusal::Closed, job));
        }
        let n_queued = state.queue.len();
        let mut husks = J::Line::default();
        if n_queued >= state.sweep_at.min(self.limits.n_queued_max) {
            husks = state.sweep();
        }
        if state.queue.len() >= self.limits.n_queued_max {
            drop(state);
            drop(husks);
            return Err((Refusal::Full, job));
        }
        state.queue.push_back(job);
        self.publish(&state);
        let call = state.call(&self.limits, true);
        drop(state);
        // The last reference to a cancelled task may be here.
        drop(husks);
        Ok(call)
    }

    /// Wakes the thread at `seat`.
    pub(crate) fn wake(&self, seat: usize) {
        self.beds[seat].notify_one();
    }

    /// Notes that the thread for `seat` could not be started. `has_timers` says whether the caller can have `retry` called.
    pub(crate) fn start_failed(
        &self,
        seat: usize,
        now: Instant,
        has_timers: bool,
    ) -> Failed<J::Line> {
        let mut state = self.state.lock();
        state.n_arriving -= 1;
        state.no_start_before = Some(now + self.limits.start_pause);
        if self.leave(&mut state, seat) {
            let orphans = std::mem::take(&mut state.queue);
            self.publish(&state);
            return Failed::Orphans(orphans);
        }
        if state.queue.is_empty() || state.retrying || !has_timers {
            return Failed::Noted;
        }
        // Liveness: the threads that there are may all be held up, perhaps by what is queued.
        state.retrying = true;
        Failed::Retry(self.limits.start_pause)
    }

    /// Tries again what the system has refused. The caller carries out the call that comes back.
    pub(crate) fn retry(&self) -> Call {
        let mut state = self.state.lock();
        state.retrying = false;
        state.no_start_before = None;
        state.call(&self.limits, false)
    }

    /// Nobody can call `retry`: the next submission or the next job that ends is the next try.
    pub(crate) fn forget_retry(&self) {
        self.state.lock().retrying = false;
    }

    /// The life of a thread: runs jobs until it is no longer needed. `carry_out` does what others have to be told.
    pub(crate) fn serve(&self, seat: usize, carry_out: &dyn Fn(Call)) {
        let mut state = self.state.lock();
        state.n_arriving -= 1;
        loop {
            let may_work;
            (state, may_work) = self.watch(state, seat);
            if may_work {
                state = self.work(state, seat, carry_out);
            }
            match self.rest(state, seat) {
                Some(called) => state = called,
                None => return,
            }
        }
    }

    /// What a thread that arrives does first: `true` if it is to take jobs.
    fn watch<'a>(&'a self, mut state: Guard<'a, J>, seat: usize) -> (Guard<'a, J>, bool) {
        if !state.has_backlog() {
            let may_work = !state.queue.is_empty();
            return (state, may_work);
        }
        if state.watching {
            // Liveness: the watcher sees to what is in the queue.
            return (state, false);
        }
        state.watching = true;
        while state.has_backlog() {
            let n_done = state.n_done;
            let is_over;
            (state, is_over) = wait_for(&self.state, &self.beds[seat], state, self.limits.window);
            if is_over && state.has_backlog() {
                state.judge(n_done, &self.limits);
            }
        }
        state.watching = false;
        let may_work = !state.queue.is_empty();
        (state, may_work)
    }

    /// Runs jobs until there are none.
    fn work<'a>(
        &'a self,
        mut state: Guard<'a, J>,
        seat: usize,
        carry_out: &dyn Fn(Call),
    ) -> Guard<'a, J> {
        state.n_working += 1;
        loop {
            while let Some(job) = state.queue.pop_front() {
                self.publish(&state);
                if state.queue.is_empty() {
                    state.limit = self.limits.n_base;
                    state.step = 1;
                }
                state.seats[seat].running = Some(job.label());
                // Where jobs are held up, each thread that comes brings two.
                let calls = [(); 2].map(|()| state.call(&self.limits, false));
                drop(state);
                calls.into_iter().for_each(carry_out);
                job.run();
                state = self.state.lock();
                state.seats[seat].running = None;
                state.n_done += 1;
            }
            if state.closing || state.spinning || !state.spins.is_worth_while() {
                break;
            }
            state.spinning = true;
            drop(state);
            // Ordering: Relaxed; what counts is looked at under the lock.
            spin_until(|| self.n_queued.load(Ordering::Relaxed) > 0);
            state = self.state.lock();
            state.spinning = false;
            if state.queue.is_empty() {
                state.spins.was_in_vain();
                break;
            }
            state.spins.paid_off();
        }
        state.n_working -= 1;
        state
    }

    /// Sleeps until the thread is called; `None` if it is to end.
    fn rest<'a>(&'a self, mut state: Guard<'a, J>, seat: usize) -> Option<Guard<'a, J>> {
        state.seats[seat].called = false;
        state.idle.push(seat);
        loop {
            if state.seats[seat].called {
                state.n_arriving -= 1;
                return Some(state);
            }
            if state.closing {
                state.idle.retain(|idle| *idle != seat);
                if state.queue.is_empty() {
                    self.leave(&mut state, seat);
                    return None;
                }
                return Some(state);
            }
            let is_late;
            (state, is_late) =
                wait_for(&self.state, &self.beds[seat], state, self.limits.keep_alive);
            let is_idle = !state.seats[seat].called && !state.closing;
            if is_late && is_idle && state.n_threads > self.limits.n_min {
                state.idle.retain(|idle| *idle != seat);
                self.leave(&mut state, seat);
                return None;
            }
        }
    }

    /// Gives a seat up; `true` if nobody is left.
    fn leave(&self, state: &mut State<J>, seat: usize) -> bool {
        state.seats[seat].taken = false;
        state.n_threads -= 1;
        if state.n_threads == 0 {
            self.gone.notify_all();
        }
        state.n_threads == 0
    }

    /// Takes no more jobs; threads leave when the queue is empty.
    pub(crate) fn close(&self) {
        self.state.lock().closing = true;
        for bed in &self.beds {
            bed.notify_one();
        }
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.state.lock().closing
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Waits for the last thread to leave; `false` if it has not by `deadline`.
    pub(crate) fn wait_until_gone(&self, deadline: Option<Instant>) -> bool {
        let mut state = self.state.lock();
        while state.n_threads > 0 {
            let is_late;
            (state, is_late) = wait_until(&self.state, &self.gone, state, deadline);
            if is_late {
                return state.n_threads == 0;
            }
        }
        true
    }

    /// Takes all waiting jobs out.
    pub(crate) fn take_queue(&self) -> J::Line {
        let mut state = self.state.lock();
        let queue = std::mem::take(&mut state.queue);
        self.publish(&state);
        queue
    }

    /// What the threads run at this moment.
    pub(crate) fn running(&self) -> Vec<J::Label> {
        self.state
            .lock()
            .seats
            .iter()
            .filter_map(|seat| seat.running)
            .collect()
    }

    pub(crate) fn counts(&self) -> Counts {
        let state = self.state.lock();
        Counts {
            n_threads: state.n_threads,
            n_idle: state.n_threads - state.n_working,
            n_queued: state.queue.len(),
            n_done: state.n_done,
        }
    }

    fn publish(&self, state: &State<J>) {
        // Ordering: Relaxed; see `work`.
        self.n_queued.store(state.queue.len(), Ordering::Relaxed);
    }
}

type Guard<'a, J> = MutexGuard<'a, State<J>>;

impl<J: Work> State<J> {
    /// Whether there is more in the queue than those who may work can be expected to take at once.
    fn has_backlog(&self) -> bool {
        self.n_working >= self.limit && self.queue.len() > 1 && !self.closing
    }

    /// Decides whom the one who leaves a job in the queue calls. `submitted` says that it has just been put there.
    fn call(&mut self, limits: &Limits, submitted: bool) -> Call {
        if self.queue.len() <= self.n_arriving
            || self.n_arriving >= self.n_arriving_max(limits)
            || self.spinning
        {
            return Call::Nobody;
        }
        let n_to_work = self.n_working + self.n_arriving;
        let is_wanted = n_to_work < self.limit || (self.n_arriving == 0 && !self.watching);
        let is_alone = submitted && self.queue.len() == 1;
        if (is_wanted || is_alone)
            && let Some(seat) = self.idle.pop()
        {
            self.seats[seat].called = true;
            self.n_arriving += 1;
            return Call::Wake(seat);
        }
        if !is_wanted || self.n_threads == limits.n_max {
            return Call::Nobody;
        }
        if self.start_is_pointless() {
            if self.retrying || !(submitted || limits.has_timers) {
                return Call::Nobody;
            }
            // Liveness: as in `start_failed`.
            self.retrying = true;
            return Call::Later(limits.start_pause);
        }
        self.n_arriving += 1;
        self.n_threads += 1;
        Call::Start(self.take_seat())
    }

    /// How many threads may be on their way: one that will call the next is enough, unless jobs have been found to be held up.
    fn n_arriving_max(&self, limits: &Limits) -> usize {
        if self.limit > limits.n_base {
            N_ARRIVING_MAX
        } else {
            1
        }
    }

    /// Whether the system had no thread a moment ago, and there are others to run what is queued.
    fn start_is_pointless(&mut self) -> bool {
        let Some(before) = self.no_start_before else {
            return false;
        };
        if self.n_threads > 0 && Instant::now() < before {
            return true;
        }
        self.no_start_before = None;
        false
    }

    fn take_seat(&mut self) -> usize {
        let free = self.seats.iter().position(|seat| !seat.taken);
        let seat = Seat {
            taken: true,
            called: false,
            running: None,
        };
        match free {
            Some(index) => {
                self.seats[index] = seat;
                index
            }
            None => {
                self.seats.push(seat);
                self.seats.len() - 1
            }
        }
    }

    /// Raises the limit if the jobs of the last window, which began at `n_done`, took long.
    fn judge(&mut self, n_done: u64, limits: &Limits) {
        let n_ended = self.n_done - n_done;
        if n_ended >= self.n_working as u64 {
            self.step = 1;
            return;
        }
        if n_ended > 0 {
            self.step = 1;
        }
        self.limit = (self.n_working + self.step).min(limits.n_max);
        self.step = (self.step * 2).min(limits.n_max);
    }

    /// Takes the husks out of the queue, to be dropped outside the lock.
    fn sweep(&mut self) -> J::Line {
        let husks = self.queue.take_husks();
        self.sweep_at = (self.queue.len() * 2).max(SWEEP_MIN);
        husks
    }
}

impl<J: Work> std::fmt::Debug for Crew<J> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Crew")
            .field("limits", &self.limits)
            .field("counts", &self.counts())
            .finish()
    }
}
