//! A queue of jobs and the simulated threads that serve it, for one pool on one deterministic runtime.

use std::io;
use std::panic::Location;

use tasca_core::{Job, JobQueue, Simulation};

use super::turn::Turn;
use crate::crew::{Counts, Refusal, SWEEP_MIN};
use crate::ends::{LeftBehind, Queued};
use crate::equipment::Equipment;
use crate::primitive::{Arc, Condvar, Duration, Instant, Mutex, wait_until};

/// How long a closer waits for threads that were let go before it looks for events again.
const CLOSER_LOOK: Duration = Duration::from_millis(1);

/// The simulated counterpart of [`crew::Crew`](crate::crew::Crew).
pub(crate) struct Crew {
    model: Simulation,
    equipment: Arc<Equipment>,
    n_max: usize,
    n_queued_max: usize,
    state: Mutex<State>,
    /// Told when a thread has left.
    left: Condvar,
}

struct State {
    queue: JobQueue,
    /// The queue's length at which husks are swept out.
    sweep_at: usize,
    seats: Vec<Arc<Seat>>,
    /// Those without a job, the latest last.
    idle: Vec<Arc<Seat>>,
    n_started: usize,
    n_done: u64,
    closing: bool,
}

/// The place of one thread.
struct Seat {
    turn: Arc<Turn>,
    now: Mutex<Now>,
}

#[derive(Default)]
struct Now {
    /// The job that the thread is to run next.
    next: Option<Job>,
    /// Where the one that it runs came from.
    running: Option<&'static Location<'static>>,
}

impl Crew {
    pub(crate) fn new(
        model: Simulation,
        equipment: Arc<Equipment>,
        n_max: usize,
        n_queued_max: usize,
    ) -> Arc<Self> {
        Arc::new(Self {
            model,
            equipment,
            n_max,
            n_queued_max,
            state: Mutex::new(State {
                queue: JobQueue::new(),
                sweep_at: SWEEP_MIN,
                seats: Vec::new(),
                idle: Vec::new(),
                n_started: 0,
                n_done: 0,
                closing: false,
            }),
            left: Condvar::new(),
        })
    }

    pub(crate) fn model(&self) -> &Simulation {
        &self.model
    }

    /// Takes a job, and may have it begin before it returns.
    pub(crate) fn submit(self: &Arc<Self>, job: Job) -> Result<(), (Refusal, Job)> {
        let mut husks = JobQueue::new();
        {
            let mut state = self.state.lock();
            if state.closing {
                return Err((Refusal::Closed, job));
            }
            if state.queue.len() >= state.sweep_at.min(self.n_queued_max) {
                husks = state.sweep();
            }
            if state.queue.len() >= self.n_queued_max {
                return Err((Refusal::Full, job));
            }
            self.model.adopt(&job);
            state.queue.push_back(job);
        }
        drop(husks);
        if self.model.is_loop_here() {
            self.start_jobs();
        } else {
            let crew = Arc::clone(self);
            self.model
                .call_at(self.model.time(), move || crew.start_jobs());
        }
        Ok(())
    }

    /// Has jobs begin while there are threads for them.
    fn start_jobs(self: &Arc<Self>) {
        while let Some(seat) = self.assign() {
            seat.turn.hand_over();
        }
    }

    /// Gives the first job to a thread; `None` if there is no job or no thread for it.
    fn assign(self: &Arc<Self>) -> Option<Arc<Seat>> {
        let mut husks = JobQueue::new();
        let (job, seat) = {
            let mut state = self.state.lock();
            if state.idle.is_empty() && state.seats.len() == self.n_max {
                return None;
            }
            let job = state.pop(&mut husks)?;
            (job, state.idle.pop())
        };
        drop(husks);
        let seat = match seat {
            Some(seat) => seat,
            None => match self.start_thread() {
                Ok(seat) => seat,
                Err(error) => {
                    self.start_failed(job, &error);
                    return None;
                }
            },
        };
        seat.now.lock().next = Some(job);
        Some(seat)
    }

    fn start_thread(self: &Arc<Self>) -> io::Result<Arc<Seat>> {
        let seat = Arc::new(Seat {
            turn: Turn::new(self.model.clone()),
            now: Mutex::default(),
        });
        let number = {
            let mut state = self.state.lock();
            state.seats.push(Arc::clone(&seat));
            state.n_started += 1;
            state.n_started - 1
        };
        let (crew, own) = (Arc::clone(self), Arc::clone(&seat));
        let started = self.equipment.start(number, move || crew.serve(&own));
        if let Err(error) = started {
            self.leave(&seat);
            return Err(error);
        }
        Ok(seat)
    }

    /// Without a thread the job fails; with others it stays in front.
    fn start_failed(&self, job: Job, error: &io::Error) {
        let mut state = self.state.lock();
        if state.seats.is_empty() {
            drop(state);
            self.equipment.fail_without_thread(job, error);
        } else {
            state.queue.push_front(job);
        }
    }

    /// The life of a thread.
    fn serve(&self, seat: &Arc<Seat>) {
        seat.turn.begin();
        self.equipment.with_hooks(|| {
            while let Some(job) = self.next_job(seat) {
                seat.now.lock().running = Some(job.spawned_at());
                seat.turn.set_job(Some(job.task_ref()));
                job.run();
                seat.turn.set_job(None);
                seat.now.lock().running = None;
                self.state.lock().n_done += 1;
                seat.turn.rejoin();
            }
        });
        self.leave(seat);
        seat.turn.end();
    }

    /// The job that the thread was given, or else the first of the queue, or else what it is given next.
    fn next_job(&self, seat: &Arc<Seat>) -> Option<Job> {
        loop {
            if let Some(job) = seat.now.lock().next.take() {
                return Some(job);
            }
            let mut husks = JobQueue::new();
            let (job, dismissed) = {
                let mut state = self.state.lock();
                let job = state.pop(&mut husks);
                let mut dismissed = None;
                if job.is_none() {
                    dismissed = state.dismiss();
                    state.idle.push(Arc::clone(seat));
                }
                (job, dismissed)
            };
            drop(husks);
            match (job, dismissed) {
                (Some(job), _) => return Some(job),
                (None, Some(others)) => {
                    release(others);
                    return None;
                }
                (None, None) => seat.turn.wait(),
            }
        }
    }

    fn leave(&self, seat: &Arc<Seat>) {
        let mut state = self.state.lock();
        state.seats.retain(|other| !Arc::ptr_eq(other, seat));
        self.left.notify_all();
    }

    /// Takes no more jobs; threads leave when there are none.
    pub(crate) fn close(&self) {
        let dismissed = {
            let mut state = self.state.lock();
            state.closing = true;
            state.dismiss()
        };
        dismissed.into_iter().for_each(release);
    }

    /// As [`Inner::shut_down`](crate::thread_pool::Inner::shut_down).
    pub(crate) fn shut_down(
        self: &Arc<Self>,
        queued: Queued,
        deadline: Option<Instant>,
    ) -> Result<(), LeftBehind> {
        self.close();
        if queued == Queued::Cancel {
            self.cancel_queue();
        }
        if self.wait_until_gone(deadline) {
            return Ok(());
        }
        let n_cancelled = self.cancel_queue();
        let seats = self.state.lock().seats.clone();
        let running: Vec<_> = seats
            .iter()
            .filter_map(|seat| seat.now.lock().running)
            .collect();
        for seat in seats {
            seat.turn.release();
        }
        self.equipment.left_behind(running, n_cancelled)
    }

    /// Waits for the threads to leave, and has time go on if nobody else does.
    fn wait_until_gone(&self, deadline: Option<Instant>) -> bool {
        loop {
            self.model.run_events(|| self.state.lock().seats.is_empty());
            let state = self.state.lock();
            if state.seats.is_empty() {
                return true;
            }
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return false;
            }
            // Threads that were let go, or a loop elsewhere, have it in hand.
            let look = Some(Instant::now() + CLOSER_LOOK);
            let _looked = wait_until(&self.state, &self.left, state, look);
        }
    }

    fn cancel_queue(&self) -> usize {
        let (queue, dismissed) = {
            let mut state = self.state.lock();
            (std::mem::take(&mut state.queue), state.dismiss())
        };
        dismissed.into_iter().for_each(release);
        self.equipment.cancel_all(queue)
    }

    pub(crate) fn counts(&self) -> Counts {
        let state = self.state.lock();
        Counts {
            n_threads: state.seats.len(),
            n_idle: state.idle.len(),
            n_queued: state.queue.len(),
            n_done: state.n_done,
        }
    }
}

/// Has threads leave that have nothing to do.
fn release(idle: Vec<Arc<Seat>>) {
    for seat in idle {
        seat.turn.release();
    }
}

impl State {
    /// The first job that is not a husk; the husks before it are for the caller to drop outside the lock.
    fn pop(&mut self, husks: &mut JobQueue) -> Option<Job> {
        loop {
            let job = self.queue.pop_front()?;
            if !job.is_cancelled() {
                return Some(job);
            }
            husks.push_back(job);
        }
    }

    /// The threads that are idle, if there will be no more jobs for them.
    fn dismiss(&mut self) -> Option<Vec<Arc<Seat>>> {
        (self.closing && self.queue.is_empty()).then(|| std::mem::take(&mut self.idle))
    }

    /// Takes cancelled jobs out of the queue, to be dropped outside the lock.
    fn sweep(&mut self) -> JobQueue {
        let husks = self.queue.take_cancelled();
        self.sweep_at = (self.queue.len() * 2).max(SWEEP_MIN);
        husks
    }
}
