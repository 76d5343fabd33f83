//! What tasca's rules for sharing, stealing and waking come to with more workers than this machine has
//! cores: a simulation.
//!
//! ```text
//! cargo run --release -p tasca-benches --bin scaling
//! ```
//!
//! Workers run tasks of known length, share, steal, search, sleep and are woken by the rules of
//! `tasca-core/src/scheduler`, with the same thresholds. A step costs what it was measured to cost here; a
//! cache line that another worker wrote last costs [`TRANSFER_NS`]. Nothing else of a processor is simulated:
//! neither memory nor heat nor other programs. What comes out is a bound for what the rules allow.
//!
//! Two kinds of work: a *tree* of forks, where every task spawns its part of the leaves and then does one;
//! and a *batch* from one spawner. `docs/scaling.md` has the figures, and what follows from them.

#![expect(clippy::print_stdout, reason = "a program that prints a table")]

use std::collections::VecDeque;

use tasca_benches::work::Random;

/// A line comes from another core's cache: measured, one way, by two threads that take turns.
const TRANSFER_NS: u64 = 160;
/// To spawn a task, and to poll one besides what it does.
const SPAWN_NS: u64 = 25;
const POLL_NS: u64 = 35;
/// To wake a sleeping thread: what the waker pays, and when the other one runs.
const WAKER_NS: u64 = 5_000;
const WAKE_NS: u64 = 25_000;
/// A search goes on for so long, with a look every so often.
const LOOK_ON_NS: u64 = 20_000;
const LOOK_NS: u64 = 200;
/// The thresholds of `scheduler/sharing.rs`, `scheduler/pace.rs` and `scheduler/worker.rs`.
const MOVING_NS: u64 = 1_000;
const WORTH_MOVING_NS: u64 = 5_000;
const WORTH_WAKING_NS: u64 = 10_000;
const LONG_POLL_NS: u64 = 20_000;
const POLL_NS_AT_FIRST: u64 = 5_000;
const MAINTENANCE_NS: u64 = 50_000;
const POLLS_PER_LOOK_MAX: u64 = 1024;
const SHARED_AT_ONCE_MAX: usize = 32;
const SPAWNS_PER_LOOK: usize = 4;
const STANDING_NS: u64 = 1_000_000;
const STANDING_MIN: usize = 16;
const STANDING_SHARED_MAX: usize = 4096;
const TAKEN_AT_ONCE_MAX: usize = 64;

#[derive(Clone, Copy)]
enum Task {
    /// Spawns a task of each lower depth, then works for a while.
    Fork { depth: u32 },
    /// Spawns so many that only work.
    Spawner { left: usize },
}

#[derive(Clone, Copy, PartialEq)]
enum Mode {
    /// Runs tasks.
    Active,
    /// Looks for one, until this time.
    Searching(u64),
    /// Sleeps until it is woken.
    Parked,
}

struct Worker {
    /// The worker is done with its last step at this time.
    now: u64,
    mode: Mode,
    private: VecDeque<Task>,
    shared: VecDeque<Task>,
    /// The state of the idle words that it has in its cache.
    idle_version: u64,
    busy_ns: u64,
    estimate: Estimate,
    window: Window,
}

/// How long the queue has been at least, at the looks since some time.
struct Window {
    began: u64,
    least: usize,
}

/// What a worker takes its polls to last, by its looks at the clock.
struct Estimate {
    poll_ns: u64,
    polls_per_look: u64,
    polls_until_look: u64,
    last_look: u64,
}

struct Machine {
    workers: Vec<Worker>,
    leaf_ns: u64,
    n_searching: usize,
    /// How often the idle words have been written.
    idle_version: u64,
    left: u64,
    n_wakes: u64,
    n_steals: u64,
    random: Random,
}

/// What a run came to.
struct Outcome {
    nanos: u64,
    /// Part of the workers' time that went into the tasks themselves.
    useful: f64,
    n_wakes: u64,
    n_steals: u64,
}

impl Estimate {
    /// Rule of `Worker::look_around`, which comes every so many polls: `true` if now.
    fn note_poll(&mut self, now: u64) -> bool {
        self.polls_until_look -= 1;
        if self.polls_until_look > 0 {
            return false;
        }
        let n_polls = self.polls_per_look;
        let measured = (now - self.last_look) / n_polls;
        self.poll_ns = match measured {
            longer if longer >= self.poll_ns && n_polls > 4 => longer.min(self.poll_ns * 2),
            longer if longer >= self.poll_ns => longer,
            shorter => self.poll_ns.midpoint(shorter),
        };
        self.polls_per_look = (MAINTENANCE_NS / self.poll_ns)
            .min(2 * self.polls_per_look)
            .clamp(1, POLLS_PER_LOOK_MAX);
        self.restart(now);
        true
    }

    /// The time before was spent otherwise.
    fn restart(&mut self, now: u64) {
        self.polls_until_look = self.polls_per_look;
        self.last_look = now;
    }
}

impl Window {
    fn beginning(began: u64) -> Self {
        Self {
            began,
            least: usize::MAX,
        }
    }
}

impl Machine {
    /// Worker 0 begins with `first`; the others sleep.
    fn run(n_workers: usize, leaf_ns: u64, first: Task, n_tasks: u64) -> Outcome {
        let worker = |index| Worker {
            now: 0,
            mode: if index == 0 {
                Mode::Active
            } else {
                Mode::Parked
            },
            private: VecDeque::new(),
            shared: VecDeque::new(),
            idle_version: 0,
            busy_ns: 0,
            estimate: Estimate {
                poll_ns: POLL_NS_AT_FIRST,
                polls_per_look: 16,
                polls_until_look: 16,
                last_look: 0,
            },
            window: Window::beginning(0),
        };
        let mut machine = Self {
            workers: (0..n_workers).map(worker).collect(),
            leaf_ns,
            n_searching: 0,
            idle_version: 0,
            left: n_tasks,
            n_wakes: 0,
            n_steals: 0,
            random: Random::new(7),
        };
        machine.workers[0].private.push_back(first);
        let mut end = 0;
        while machine.left > 0 {
            let next = machine.earliest();
            machine.step(next);
            end = end.max(machine.workers[next].now);
        }
        let useful: u64 = machine.workers.iter().map(|worker| worker.busy_ns).sum();
        Outcome {
            nanos: end,
            useful: useful as f64 / (end * n_workers as u64) as f64,
            n_wakes: machine.n_wakes,
            n_steals: machine.n_steals,
        }
    }

    /// The awake worker whose clock is behind all others'.
    fn earliest(&self) -> usize {
        let awake = |index: &usize| self.workers[*index].mode != Mode::Parked;
        (0..self.workers.len())
            .filter(awake)
            .min_by_key(|index| self.workers[*index].now)
            .expect("somebody is awake as long as tasks are left")
    }

    fn step(&mut self, index: usize) {
        match self.workers[index].mode {
            Mode::Active => self.turn(index),
            Mode::Searching(until) => self.search(index, until),
            Mode::Parked => unreachable!("only the awake take steps"),
        }
    }

    /// The boundary, and the next task.
    fn turn(&mut self, index: usize) {
        self.consider_sharing(index);
        let worker = &mut self.workers[index];
        let Some(task) = worker
            .private
            .pop_front()
            .or_else(|| worker.shared.pop_front())
        else {
            return self.begin_search(index);
        };
        self.execute(index, task);
    }

    fn execute(&mut self, index: usize, task: Task) {
        let poll_ns = POLL_NS + self.leaf_ns;
        match task {
            Task::Fork { depth } => {
                for depth in (0..depth).rev() {
                    self.spawn(index, Task::Fork { depth });
                }
                self.work(index, poll_ns);
                self.left -= 1;
                let worker = &mut self.workers[index];
                if worker.estimate.note_poll(worker.now) {
                    self.look(index);
                }
            }
            // In portions, so that no clock runs far ahead of the others.
            Task::Spawner { left } => {
                for _ in 0..left.min(SPAWNS_PER_LOOK) {
                    self.spawn(index, Task::Fork { depth: 0 });
                }
                if left > SPAWNS_PER_LOOK {
                    let rest = Task::Spawner {
                        left: left - SPAWNS_PER_LOOK,
                    };
                    self.workers[index].private.push_front(rest);
                }
            }
        }
    }

    /// Rule of `Worker::push_spawned`: a poll that spawns many need not end before others help.
    fn spawn(&mut self, index: usize, task: Task) {
        self.workers[index].private.push_back(task);
        self.work(index, SPAWN_NS);
        if self.workers[index]
            .private
            .len()
            .is_multiple_of(SPAWNS_PER_LOOK)
        {
            self.consider_sharing(index);
        }
    }

    fn work(&mut self, index: usize, nanos: u64) {
        let worker = &mut self.workers[index];
        worker.now += nanos;
        worker.busy_ns += nanos;
    }

    /// What was shared is taken back where nobody looks for it; a queue that stands is shared whatever its tasks take.
    fn look(&mut self, index: usize) {
        let is_hungry = self.is_anybody_idle();
        let nobody_searches = self.n_searching == 0;
        let worker = &mut self.workers[index];
        if nobody_searches {
            let n_taken = worker.shared.len().min(TAKEN_AT_ONCE_MAX);
            worker.private.extend(worker.shared.drain(..n_taken));
        }
        worker.window.least = worker.window.least.min(worker.private.len());
        if worker.now - worker.window.began < STANDING_NS {
            return;
        }
        let least = worker.window.least;
        worker.window = Window::beginning(worker.now);
        if least >= STANDING_MIN && is_hungry && worker.shared.is_empty() {
            self.share(index, (least / 2).min(STANDING_SHARED_MAX));
        }
    }

    fn is_anybody_idle(&self) -> bool {
        let is_idle = |worker: &Worker| worker.mode != Mode::Active;
        self.workers.iter().any(is_idle)
    }

    /// Makes the newest tasks stealable, and has somebody come for them.
    fn share(&mut self, index: usize, count: usize) {
        let worker = &mut self.workers[index];
        let given = worker.private.split_off(worker.private.len() - count);
        worker.shared.extend(given);
        worker.now += TRANSFER_NS;
        self.wake_one(index);
    }

    /// Rule of `Worker::consider_sharing`: when somebody is hungry and it is worth it, and before anybody asks where polls
    /// are long.
    fn consider_sharing(&mut self, index: usize) {
        let n_queued = self.workers[index].private.len();
        if n_queued == 0 {
            return;
        }
        self.read_idle_words(index);
        let poll_ns = self.workers[index].estimate.poll_ns;
        let (is_wanted, worth, count) = if poll_ns >= LONG_POLL_NS {
            (true, 0, n_queued)
        } else {
            let worth = if self.n_searching > 0 {
                WORTH_MOVING_NS
            } else {
                WORTH_WAKING_NS
            };
            let is_wanted = poll_ns >= MOVING_NS && self.is_anybody_idle();
            (is_wanted, worth, n_queued.div_ceil(2))
        };
        let is_enough = !self.workers[index].shared.is_empty();
        if !is_wanted || is_enough || (n_queued + 1) as u64 * poll_ns < worth {
            return;
        }
        self.share(index, count.min(SHARED_AT_ONCE_MAX));
    }

    /// Wakes a sleeper, unless somebody searches already.
    fn wake_one(&mut self, index: usize) {
        if self.n_searching > 0 {
            return;
        }
        let parked = |worker: &Worker| worker.mode == Mode::Parked;
        let Some(woken) = self.workers.iter().position(parked) else {
            return;
        };
        self.n_wakes += 1;
        self.write_idle_words(index);
        self.workers[index].now += WAKER_NS;
        let at = self.workers[index].now - WAKER_NS + WAKE_NS;
        self.n_searching += 1;
        let woken = &mut self.workers[woken];
        woken.now = at.max(woken.now);
        woken.mode = Mode::Searching(woken.now + LOOK_ON_NS);
    }

    fn begin_search(&mut self, index: usize) {
        let worker = &mut self.workers[index];
        worker.window = Window::beginning(worker.now);
        // Half of the workers may search at once.
        if self.n_searching >= (self.workers.len() / 2).max(1) {
            return self.park(index);
        }
        self.n_searching += 1;
        self.write_idle_words(index);
        let worker = &mut self.workers[index];
        worker.mode = Mode::Searching(worker.now + LOOK_ON_NS);
    }

    /// One look at every other worker's shared tier.
    fn search(&mut self, index: usize, until: u64) {
        let n_workers = self.workers.len();
        let start = self.random.below(n_workers as u64) as usize;
        let victim = (0..n_workers)
            .map(|offset| (start + offset) % n_workers)
            .find(|victim| *victim != index && !self.workers[*victim].shared.is_empty());
        let Some(victim) = victim else {
            self.workers[index].now += LOOK_NS;
            if self.workers[index].now > until {
                self.n_searching -= 1;
                self.park(index);
            }
            return;
        };
        // All of it: the owner has kept its half. Of what was a standing queue, half: others come as well.
        let from = &mut self.workers[victim].shared;
        let left = if from.len() > SHARED_AT_ONCE_MAX {
            from.len() / 2
        } else {
            0
        };
        let mut taken = from.split_off(left);
        let count = taken.len() as u64;
        let first = taken.pop_front();
        self.n_steals += 1;
        // The victim's queue, its hint, and the first task come over; the others when they are run.
        self.workers[index].now += 3 * TRANSFER_NS + (count - 1) * TRANSFER_NS / 2;
        let thief = &mut self.workers[index];
        thief.shared.extend(taken);
        thief.mode = Mode::Active;
        thief.estimate.restart(thief.now);
        self.n_searching -= 1;
        self.write_idle_words(index);
        // The last searcher to find something sees to it that there is another one.
        if self.n_searching == 0 && self.workers.iter().any(|worker| !worker.shared.is_empty()) {
            self.wake_one(index);
        }
        // What was found is run at once: nobody can take it away again.
        if let Some(task) = first {
            self.execute(index, task);
        }
    }

    fn park(&mut self, index: usize) {
        self.workers[index].mode = Mode::Parked;
        self.write_idle_words(index);
    }

    fn read_idle_words(&mut self, index: usize) {
        let worker = &mut self.workers[index];
        if worker.idle_version != self.idle_version {
            worker.idle_version = self.idle_version;
            worker.now += TRANSFER_NS;
        }
    }

    fn write_idle_words(&mut self, index: usize) {
        self.read_idle_words(index);
        self.idle_version += 1;
        self.workers[index].idle_version = self.idle_version;
    }
}

fn main() {
    let tree = |depth| Task::Fork { depth };
    let batch = |depth| Task::Spawner {
        left: 1_usize << depth,
    };
    type Work = fn(u32) -> Task;
    let shapes: [(&str, Work); 2] = [("tree", tree), ("batch", batch)];
    println!(
        "{:<6} {:>8} {:>8} {:>8} {:>9} {:>8} {:>8} {:>8}",
        "work", "tasks", "µs each", "workers", "speed-up", "useful", "wakes", "steals"
    );
    for (name, work) in shapes {
        // A burst, which is over before everybody is awake, and a long run.
        for (depth, leaf_ns) in [
            (12, 5_000),
            (17, 200),
            (17, 1_000),
            (17, 5_000),
            (17, 50_000),
        ] {
            let n_tasks = 1 << depth;
            let alone = Machine::run(1, leaf_ns, work(depth), n_tasks).nanos;
            for n_workers in [2, 8, 16, 64] {
                let outcome = Machine::run(n_workers, leaf_ns, work(depth), n_tasks);
                println!(
                    "{name:<6} {n_tasks:>8} {:>8.1} {n_workers:>8} {:>9.2} {:>7.0}% {:>8} {:>8}",
                    leaf_ns as f64 / 1e3,
                    alone as f64 / outcome.nanos as f64,
                    outcome.useful * 100.0,
                    outcome.n_wakes,
                    outcome.n_steals,
                );
            }
        }
    }
}
