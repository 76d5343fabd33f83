//! Workers do what the scheduler's do around [`Idle`] and the queues: run, share, search, announce, look once more, sleep.
//!
//! A wake-up that is lost leaves all workers asleep beside work, which shuttle reports as a deadlock. Where jobs wait for each
//! other, on as many workers as there are, one worker too few that was woken does.

use std::sync::atomic::AtomicUsize as Plain;

use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::sync::{Barrier, Condvar};
use shuttle::{Config, Runner, thread};

use crate::idle::{Idle, Unparked};
use crate::primitive::{Arc, AtomicBool, Mutex, Ordering, fence};
use crate::queue::{Inbox, Injector, Private, Shared, Thief};

/// What a job does: it may wait until all jobs of its kind have begun, then makes others.
struct Job {
    meets: bool,
    /// Bound to this worker.
    home: Option<usize>,
    children: Vec<usize>,
}

/// The jobs, by number.
type Plan = Vec<Job>;

/// Where a worker sleeps: a poller that remembers one wake-up.
struct Bed {
    notified: Mutex<bool>,
    changed: Condvar,
}

impl Bed {
    fn new() -> Self {
        Self {
            notified: Mutex::new(false),
            changed: Condvar::new(),
        }
    }

    fn notify(&self) {
        *self.notified.lock() = true;
        self.changed.notify_one();
    }

    fn sleep(&self) {
        let mut notified = self.notified.lock();
        while !*notified {
            notified = self.changed.wait(notified).expect("a panic ends the run");
        }
        *notified = false;
    }
}

/// What all workers see.
struct Place {
    plan: Plan,
    meeting: Barrier,
    n_run: Vec<Plain>,
    n_left: Plain,
    idle: Idle,
    injector: Injector<usize>,
    thieves: Vec<Thief<usize>>,
    inboxes: Vec<Inbox<usize>>,
    beds: Vec<Bed>,
    stopped: AtomicBool,
}

impl Place {
    fn wake_one(&self) {
        if let Some(worker) = self.idle.choose_to_wake() {
            self.beds[worker].notify();
        }
    }

    fn inject(&self, job: usize) {
        match self.plan[job].home {
            Some(home) => {
                self.inboxes[home].push(job);
                if let Some(chosen) = self.idle.choose(home) {
                    self.beds[chosen].notify();
                }
            }
            None => {
                self.injector.push(job);
                self.wake_one();
            }
        }
    }

    fn has_stealable_work(&self) -> bool {
        !self.injector.is_empty() || self.thieves.iter().any(|thief| !thief.is_empty())
    }

    fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        self.beds.iter().for_each(Bed::notify);
    }
}

struct Worker {
    index: usize,
    place: Arc<Place>,
    private: Private<usize>,
    shared: Shared<usize>,
    is_searching: bool,
}

impl Worker {
    fn run(mut self) {
        loop {
            match self.next() {
                Some(job) => self.execute(job),
                None if self.place.stopped.load(Ordering::Relaxed) => match self.next() {
                    Some(job) => self.execute(job),
                    None => break,
                },
                None => self.park(),
            }
        }
        self.stop_searching();
    }

    fn execute(&mut self, number: usize) {
        let (place, relaxed) = (Arc::clone(&self.place), Ordering::Relaxed);
        let job = &place.plan[number];
        assert!(
            job.home.is_none_or(|home| home == self.index),
            "not at home"
        );
        if job.meets {
            place.meeting.wait();
        }
        for &child in &job.children {
            match place.plan[child].home {
                Some(home) if home != self.index => place.inject(child),
                _ => self.private.push(child),
            }
        }
        let n_before = place.n_run[number].fetch_add(1, relaxed);
        assert_eq!(n_before, 0, "a job was run twice");
        if place.n_left.fetch_sub(1, relaxed) == 1 {
            place.stop();
        }
    }

    fn next(&mut self) -> Option<usize> {
        if let Some(job) = self.private.pop() {
            if self.is_searching {
                self.end_search();
            }
            self.consider_sharing();
            return Some(job);
        }
        let found = self.find_shared().or_else(|| self.search());
        if found.is_some() {
            self.end_search();
        }
        found
    }

    fn consider_sharing(&mut self) {
        let n_queued = self.private.len();
        if n_queued == 0 || !self.place.idle.is_hungry() || !self.shared.is_empty() {
            return;
        }
        let (mut batch, plan) = (Vec::new(), &self.place.plan);
        let is_bound = |job: &usize| plan[*job].home.is_some();
        self.private
            .share(n_queued.div_ceil(2), is_bound, &mut batch);
        if !batch.is_empty() {
            self.shared.extend(batch.into_iter());
            self.place.wake_one();
        }
    }

    fn find_shared(&mut self) -> Option<usize> {
        if let Some(job) = self.shared.pop().or_else(|| self.take_injected()) {
            return Some(job);
        }
        for job in self.place.inboxes[self.index].take() {
            self.private.push(job);
        }
        self.private.pop()
    }

    fn take_injected(&self) -> Option<usize> {
        if self.place.injector.is_empty() {
            return None;
        }
        let job = self.shared.take_from(&self.place.injector);
        if !self.is_searching && !self.shared.is_empty() {
            self.place.wake_one();
        }
        job
    }

    fn search(&mut self) -> Option<usize> {
        let thieves = &self.place.thieves;
        if !self.is_searching {
            if !self.place.idle.start_searching((thieves.len() / 2).max(1)) {
                return None;
            }
            self.is_searching = true;
        }
        let (before, from) = thieves.split_at(self.index);
        let mut victims = from[1..].iter().chain(before);
        victims
            .find_map(|victim| self.shared.steal(victim))
            .or_else(|| self.take_injected())
    }

    fn stop_searching(&mut self) -> bool {
        std::mem::take(&mut self.is_searching) && self.place.idle.stop_searching()
    }

    fn end_search(&mut self) {
        if self.stop_searching() && self.place.has_stealable_work() {
            self.place.wake_one();
        }
    }

    fn park(&mut self) {
        let idle = &self.place.idle;
        let was_searching = std::mem::take(&mut self.is_searching);
        idle.announce_park(self.index, was_searching);
        let sees_work = !self.place.inboxes[self.index].is_empty()
            || self.place.stopped.load(Ordering::Relaxed)
            || self.place.has_stealable_work();
        if sees_work {
            self.is_searching = idle.turn_back(self.index, was_searching);
            // Some schedulers are unfair to those who have what this worker sees.
            thread::yield_now();
            return;
        }
        self.place.beds[self.index].sleep();
        self.is_searching = idle.retract_park(self.index) == Unparked::ByOther;
    }
}

/// Runs all jobs that come from outside, which are the first `n_outside`, and those that they make.
fn run(n_workers: usize, n_outside: usize, plan: Plan) {
    let n_meeting = plan.iter().filter(|job| job.meets).count();
    let shared: Vec<Shared<usize>> = (0..n_workers).map(|_| Shared::new()).collect();
    let place = Arc::new(Place {
        meeting: Barrier::new(n_meeting),
        n_run: plan.iter().map(|_| Plain::new(0)).collect(),
        n_left: Plain::new(plan.len()),
        plan,
        idle: Idle::new(n_workers, n_workers),
        injector: Injector::new(),
        thieves: shared.iter().map(Shared::thief).collect(),
        inboxes: (0..n_workers).map(|_| Inbox::new()).collect(),
        beds: (0..n_workers).map(|_| Bed::new()).collect(),
        stopped: AtomicBool::new(false),
    });
    let workers: Vec<_> = shared
        .into_iter()
        .enumerate()
        .map(|(index, shared)| {
            let place = Arc::clone(&place);
            thread::spawn(move || {
                let worker = Worker {
                    index,
                    place,
                    private: Private::new(),
                    shared,
                    is_searching: false,
                };
                worker.run();
            })
        })
        .collect();
    (0..n_outside).for_each(|job| place.inject(job));
    for worker in workers {
        worker.join().expect("a panic ends the run");
    }
    let n_run = place.n_run.iter().map(|n| n.load(Ordering::Relaxed));
    assert!(
        n_run.eq(place.plan.iter().map(|_| 1)),
        "every job is run once"
    );
}

/// Tries so many schedules of each kind, unless `TASCA_SCHEDULES` says otherwise; or the one that is in `TASCA_SCHEDULE`.
fn explore(n_schedules: usize, model: impl Fn() + Clone + Send + Sync + 'static) {
    if let Ok(schedule) = std::env::var("TASCA_SCHEDULE") {
        shuttle::replay(model, &schedule);
        return;
    }
    let wanted = std::env::var("TASCA_SCHEDULES").ok();
    let n_schedules = wanted.map_or(n_schedules, |n| n.parse().expect("a number"));
    let with = |scheduler: Box<dyn Scheduler + Send>| {
        Runner::new(scheduler, Config::default()).run(model.clone());
    };
    with(Box::new(RandomScheduler::new(n_schedules)));
    for depth in 2..=4 {
        with(Box::new(PctScheduler::new(depth, n_schedules / 3)));
    }
}

/// Each job makes `n_children` others, `depth` times; every fifth is bound to a worker.
fn tree(n_workers: usize, n_roots: usize, n_children: usize, depth: u32) -> Plan {
    let mut plan: Plan = Vec::new();
    let mut level = 0..n_roots;
    for remaining in (0..=depth).rev() {
        let n_below = if remaining > 0 { n_children } else { 0 };
        let next = level.end..level.end + level.len() * n_below;
        for job in level.clone() {
            let first = next.start + (job - level.start) * n_below;
            plan.push(Job {
                meets: false,
                home: (job % 5 == 4).then_some(job % n_workers),
                children: (first..first + n_below).collect(),
            });
        }
        level = next;
    }
    plan
}

/// Eight jobs that all have to be under way before one of them ends: each wake-up has to bring the next.
#[test]
fn as_many_workers_come_as_there_are_jobs() {
    explore(150, || {
        let job = |_| Job {
            meets: true,
            home: None,
            children: Vec::new(),
        };
        run(8, 8, (0..8).map(job).collect());
    });
}

/// Jobs from outside, jobs that make jobs, bound ones and free ones: each is run once, and nobody sleeps for ever.
#[test]
fn every_job_of_a_tree_is_run_once() {
    explore(100, || run(8, 3, tree(8, 3, 3, 2)));
}

/// The same with as few workers as models have, which then share less and park more.
#[test]
fn few_workers_run_every_job_once() {
    explore(300, || run(2, 2, tree(2, 2, 2, 2)));
    explore(300, || run(3, 2, tree(3, 2, 2, 2)));
}
