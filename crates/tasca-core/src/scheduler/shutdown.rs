//! Starting and ending the threads of a runtime. How the tasks that are left end is in [`ending`].
#![doc = include_str!("SHUTDOWN.md")]

use std::io;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::current;
use super::deterministic::{self, Ended};
use super::ending::{self, end_tasks_here, kill_all};
use super::shared::{Flavor, Shared};
use super::worker::{Seed, Worker};
use crate::primitive::{Arc, Condvar, Mutex};
use crate::task::cancel;
use crate::task::error::drop_quietly;
use crate::task::handle::TaskRef;
use crate::task::waker;

/// Between two walks over the tasks that are left, at most.
const WALK_PAUSE_MAX: Duration = Duration::from_millis(5);

/// The least time that threads are given to leave.
const JOIN_GRACE: Duration = Duration::from_millis(500);

/// The threads of a runtime.
#[derive(Debug)]
pub(crate) struct Threads {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// For workers that have not been started, or, on the flavours that run on the caller's thread, are not
    /// being driven.
    seeds: Vec<Seed>,
    handles: Vec<JoinHandle<()>>,
    n_running: usize,
}

impl Threads {
    pub(crate) fn new() -> Self {
        Self {
            state: Mutex::new(State::default()),
            changed: Condvar::new(),
        }
    }

    pub(crate) fn take_seed(&self, index: usize) -> Option<Seed> {
        let mut state = self.state.lock();
        let position = state.seeds.iter().position(|seed| seed.index == index)?;
        Some(state.seeds.swap_remove(position))
    }

    fn has_seed(&self, index: usize) -> bool {
        self.state
            .lock()
            .seeds
            .iter()
            .any(|seed| seed.index == index)
    }

    pub(crate) fn return_seed(&self, seed: Seed) {
        self.state.lock().seeds.push(seed);
        self.changed.notify_all();
    }

    fn wait_until(&self, deadline: Option<Instant>, is_over: impl Fn(&State) -> bool) -> bool {
        let mut state = self.state.lock();
        while !is_over(&state) {
            match deadline {
                Some(deadline) => {
                    if self.changed.wait_until(&mut state, deadline).timed_out() {
                        return is_over(&state);
                    }
                }
                None => self.changed.wait(&mut state),
            }
        }
        true
    }
}

/// Starts a thread that belongs to the runtime.
pub(crate) fn start_thread(
    shared: &Arc<Shared>,
    role: &str,
    body: impl FnOnce() + Send + 'static,
) -> io::Result<()> {
    struct Running(Arc<Shared>);
    impl Drop for Running {
        fn drop(&mut self) {
            self.0.threads.state.lock().n_running -= 1;
            self.0.threads.changed.notify_all();
        }
    }
    let mut builder =
        thread::Builder::new().name(format!("{}-{role}", shared.settings.thread_name));
    if let Some(bytes) = shared.settings.stack_bytes {
        builder = builder.stack_size(bytes);
    }
    shared.threads.state.lock().n_running += 1;
    let running = Running(Arc::clone(shared));
    let handle = builder.spawn(move || {
        let _running = running;
        body();
    })?;
    shared.threads.state.lock().handles.push(handle);
    Ok(())
}

/// Starts a worker; gives the seed back if the system has no thread for it.
pub(crate) fn start_worker(shared: &Arc<Shared>, seed: Seed) -> Result<(), (Seed, io::Error)> {
    let role = format!("worker-{}", seed.index);
    if let Err(error) = shared.driver.add_poller(seed.index) {
        return Err((seed, error));
    }
    // The seed has to come back if the thread cannot be started, and a closure that was not run is gone.
    let place = Arc::new(Mutex::new(Some(seed)));
    let (kept, taken) = (Arc::clone(shared), Arc::clone(&place));
    shared.gate.worker_begins();
    let started = start_thread(shared, &role, move || {
        let seed = taken.lock().take().expect("a thread starts once");
        crate::primitive::sharpen_timers();
        kept.watchdog.ensure_awake(&kept);
        ending::work(&kept, seed);
    });
    started.map_err(|error| {
        shared.gate.worker_cannot_begin();
        (
            place.lock().take().expect("the thread did not start"),
            error,
        )
    })
}

/// The loop of the one worker that this thread has become.
#[derive(Debug)]
pub(crate) struct Seat<'a>(&'a Worker);

impl Seat<'_> {
    /// Runs tasks until `is_over`, which is asked between steps.
    pub(crate) fn run_until(&self, is_over: &dyn Fn() -> bool) -> Ended {
        match self.0.shared().flavor {
            Flavor::Deterministic { .. } => deterministic::run_until(self.0, is_over),
            Flavor::CurrentThread | Flavor::MultiThread => {
                self.0.run_until(is_over);
                if is_over() {
                    Ended::Over
                } else {
                    Ended::Stopped
                }
            }
        }
    }

    /// Runs so many cycles of the deterministic loop, in which the clock stands still.
    pub(crate) fn run_cycles(&self, n_cycles: usize) -> Ended {
        deterministic::run_cycles(self.0, n_cycles)
    }

    /// Runs cycles until nothing is ready, so many at most; the clock stands still.
    pub(crate) fn run_until_idle(&self, n_cycles_max: usize) -> Ended {
        deterministic::run_until_idle(self.0, n_cycles_max)
    }

    /// Ends a future that this thread blocks on, and that will never be ready: drops it where it is.
    pub(crate) fn end_root(&self, root: &TaskRef, why: String) {
        cancel::leave_reason(root.ptr(), why.into());
        cancel::kill_root(root.ptr());
        while !root.is_finished() {
            if self.0.run_queued() == 0 {
                // Another thread's waker holds it, and is about to queue it.
                thread::yield_now();
            }
        }
    }
}

/// Makes this thread the one worker of a runtime that runs on its caller's thread, while `body` lasts.
///
/// # Panics
///
/// If another thread drives the runtime already, or must.
#[track_caller]
pub(crate) fn drive<R>(shared: &Arc<Shared>, body: impl FnOnce(&Seat<'_>) -> R) -> R {
    assert!(
        !shared.is_bound_to_another_thread(),
        "this current-thread runtime has tasks from spawn_local that belong to another thread: drive it there"
    );
    let seed = shared.threads.take_seed(0).expect(
        "this current-thread runtime is being driven by another block_on: spawn the future with \
         `Handle::spawn` and wait for the task's `outcome()` instead",
    );
    drive_with(shared, seed, body)
}

fn drive_with<R>(shared: &Arc<Shared>, seed: Seed, body: impl FnOnce(&Seat<'_>) -> R) -> R {
    let (result, seed) = Worker::enter(shared, seed, |worker| {
        let result = body(&Seat(worker));
        if shared.is_closed() {
            // The runtime ended inside: what is left is marked to be dropped.
            end_tasks_here(worker);
            worker.drain_timers();
        }
        result
    });
    shared.threads.return_seed(seed);
    result
}

/// What the end of a runtime has left behind.
#[derive(Debug, Default)]
pub(crate) struct Left {
    pub(crate) n_tasks: usize,
    pub(crate) n_threads: usize,
}

/// Ends a runtime: no more tasks, all tasks dropped where they are, threads joined.
///
/// Waits for polls that are under way until `timeout` has passed; not at all if the caller is part of the
/// runtime that ends.
pub(crate) fn shut_down(shared: &Arc<Shared>, timeout: Duration) -> Left {
    if shared.is_forked() {
        // The threads are not there, and their locks may be held for ever: leave everything as it is.
        #[expect(clippy::mem_forget, reason = "see above")]
        std::mem::forget(Arc::clone(shared));
        return Left::default();
    }
    let deadline = Instant::now().checked_add(timeout);
    let inside = current::is_inside(shared);
    shared.gate.close();
    let mut left = Left {
        n_tasks: kill_all(shared),
        n_threads: 0,
    };
    if shared.flavor != Flavor::MultiThread {
        // If somebody drives it, possibly a caller of this function, that one will end the tasks.
        if shared.is_bound_to_another_thread() {
            // Tasks that are not `Send` can be dropped only there; here they can only be left.
        } else if let Some(seed) = shared.threads.take_seed(0) {
            drive_with(shared, seed, |_| ());
            left.n_tasks = 0;
        }
    } else if !inside {
        left.n_tasks = wait_for_tasks(shared, deadline);
    }
    // What crates above have added may still have work that was asked for, and may use the workers to end it.
    let wait_until = if inside {
        Some(Instant::now())
    } else {
        deadline
    };
    for problem in shared.extensions.shut_down(wait_until) {
        if !inside {
            crate::task::Schedule::report(&**shared, problem);
        }
    }
    shared.stop();
    shared.watchdog.stop();
    if !inside {
        // Workers that are not stuck leave at once; they need not pay for what took all the time before.
        let deadline = deadline.map(|deadline| deadline.max(Instant::now() + JOIN_GRACE));
        left.n_threads = join_threads(shared, deadline);
    }
    for waker in shared.driver.shutdown() {
        waker::wake_reported(&**shared, waker);
    }
    let driven = shared.flavor != Flavor::MultiThread && !shared.threads.has_seed(0);
    if left.n_tasks > 0 && (inside || driven) {
        // They end on their own threads, which keep the runtime.
        return Left::default();
    }
    if left.n_tasks > 0 {
        // Cells that are not done point to the runtime.
        #[expect(clippy::mem_forget, reason = "see above")]
        std::mem::forget(Arc::clone(shared));
    }
    left
}

fn wait_for_tasks(shared: &Shared, deadline: Option<Instant>) -> usize {
    let mut pause = Duration::from_micros(20);
    loop {
        let n_left = kill_all(shared);
        if n_left == 0 || deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return n_left;
        }
        thread::sleep(pause);
        pause = (pause * 2).min(WALK_PAUSE_MAX);
    }
}

fn join_threads(shared: &Shared, deadline: Option<Instant>) -> usize {
    shared
        .threads
        .wait_until(deadline, |state| state.n_running == 0);
    let (n_running, handles) = {
        let mut state = shared.threads.state.lock();
        (state.n_running, std::mem::take(&mut state.handles))
    };
    for handle in handles {
        if n_running == 0 || handle.is_finished() {
            // A thread of the runtime that panicked has said so.
            if let Err(payload) = handle.join() {
                drop_quietly(payload);
            }
        }
    }
    n_running
}
