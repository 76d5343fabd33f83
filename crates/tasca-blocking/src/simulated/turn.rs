//! A turn: the right to run, which the loop hands to one simulated thread at a time, and gets back.

use std::cell::RefCell;
use std::sync::OnceLock;

use tasca_core::{Simulation, TaskRef, TimeHold};

use super::asleep::{Looks, Watched};
use crate::primitive::{Arc, Condvar, Duration, Mutex, wait_for};

/// Between two looks at a thread that does not come back.
const LOOK: Duration = Duration::from_millis(1);

/// What one simulated thread and those who hand it their turn share.
pub(crate) struct Turn {
    model: Simulation,
    state: Mutex<State>,
    changed: Condvar,
    thread: OnceLock<Watched>,
}

struct State {
    phase: Phase,
    /// The job that the thread runs.
    job: Option<TaskRef>,
    /// Somebody has handed over a turn that the thread has not taken yet.
    called: bool,
    /// The model is over: nobody waits for the thread any more.
    released: bool,
}

enum Phase {
    /// The thread waits for a turn.
    Waits,
    /// It has the turn; who gave it waits.
    Goes,
    /// It did not come back, and runs beside the model. Time stands still, unless the job was cancelled meanwhile.
    LetGo(Option<TimeHold>),
}

thread_local! {
    /// The turn of the simulated thread that this is.
    static MINE: RefCell<Option<Arc<Turn>>> = const { RefCell::new(None) };
}

impl Turn {
    /// For a thread that is about to be started: it begins by waiting.
    pub(super) fn new(model: Simulation) -> Arc<Self> {
        Arc::new(Self {
            model,
            state: Mutex::new(State {
                phase: Phase::Waits,
                job: None,
                called: false,
                released: false,
            }),
            changed: Condvar::new(),
            thread: OnceLock::new(),
        })
    }

    /// Makes this thread the one whose turn this is, and waits for the first.
    pub(super) fn begin(self: &Arc<Self>) {
        let _once = self.thread.set(Watched::this());
        MINE.with(|mine| *mine.borrow_mut() = Some(Arc::clone(self)));
        self.wait();
    }

    /// Hands the caller's turn to the thread, and waits until it comes back, or the thread is found blocked.
    pub(super) fn hand_over(self: &Arc<Self>) {
        let mut state = self.state.lock();
        if state.released {
            return;
        }
        state.called = true;
        self.changed.notify_all();
        let mut looks = None;
        // Liveness: a thread that waits takes the call; one that goes comes back or is found blocked, or computes for ever, which
        // no runtime with a single thread survives.
        while !state.released && (state.called || matches!(state.phase, Phase::Goes)) {
            let is_late;
            (state, is_late) = wait_for(&self.state, &self.changed, state, LOOK);
            if !is_late || state.called || !matches!(state.phase, Phase::Goes) {
                continue;
            }
            let Some(thread) = self.thread.get() else {
                continue;
            };
            let looks = looks.get_or_insert_with(|| Looks::at(thread));
            if looks.find_blocked() {
                state.phase = Phase::LetGo(Some(self.model.hold_time()));
            }
        }
        let let_go = matches!(state.phase, Phase::LetGo(_));
        if let Some(job) = state.job.clone().filter(|_| let_go) {
            drop(state);
            let turn = Arc::clone(self);
            job.add_done_callback(move |job| turn.time_goes_on_without(&job));
        }
    }

    /// Nobody waits any more for a job whose thread was let go.
    fn time_goes_on_without(&self, job: &TaskRef) {
        let mut state = self.state.lock();
        let is_this = state.job.as_ref().is_some_and(|own| own.id() == job.id());
        let held = match &mut state.phase {
            Phase::LetGo(hold) if is_this => hold.take(),
            _ => None,
        };
        drop(state);
        drop(held);
    }

    /// Notes which job the thread runs.
    pub(super) fn set_job(&self, job: Option<TaskRef>) {
        let before = std::mem::replace(&mut self.state.lock().job, job);
        drop(before);
    }

    /// Gives the thread's turn back and waits for the next. Somebody must know to call it by now.
    pub(super) fn wait(&self) {
        let before = std::mem::replace(&mut self.state.lock().phase, Phase::Waits);
        self.changed.notify_all();
        // If the thread was let go, time goes on from here: what it did, and what it waits for, is known to the loop.
        drop(before);
        let mut state = self.state.lock();
        while !state.called && !state.released {
            self.changed.wait(&mut state);
        }
        state.called = false;
        state.phase = Phase::Goes;
    }

    /// Gives the turn back for good: the thread ends.
    pub(super) fn end(&self) {
        let before = std::mem::replace(&mut self.state.lock().phase, Phase::Waits);
        self.changed.notify_all();
        drop(before);
    }

    /// Has the thread go on alone, and nobody wait for it.
    pub(super) fn release(&self) {
        self.state.lock().released = true;
        self.changed.notify_all();
    }

    /// Whether the thread does not run in the model at this moment.
    pub(super) fn is_let_go(&self) -> bool {
        matches!(self.state.lock().phase, Phase::LetGo(_))
    }

    /// Waits for an outside event after `delay`.
    pub(super) fn sleep(self: &Arc<Self>, delay: Duration) {
        if self.state.lock().released {
            return;
        }
        let now = self.model.time();
        let Some(end) = now.checked_add(delay) else {
            // Beyond the end of time: only the end of the runtime ends it.
            return self.wait();
        };
        let sleeper = Arc::clone(self);
        self.model.call_at(end, move || sleeper.hand_over());
        self.wait();
    }

    /// Takes part again, if the thread was let go.
    pub(super) fn rejoin(self: &Arc<Self>) {
        if self.is_let_go() {
            self.sleep(Duration::ZERO);
        }
    }
}

/// Blocks the calling thread for `duration`: the way to sleep in a job.
///
/// On a pool of the deterministic runtime the job sleeps in virtual time, like a task in
/// [`time::sleep`](tasca_core::time::sleep); everywhere else this is [`std::thread::sleep`]. In a task, await
/// `time::sleep` instead.
///
/// # asyncio counterpart
///
/// `time.sleep()` in a function that is given to `asyncio.to_thread()`.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// let rt = tasca_core::Runtime::builder().deterministic(0).build()?;
/// rt.block_on(async {
///     let clock = || tasca_core::Handle::current().time();
///     let begin = clock();
///     tasca_blocking::to_thread(|| tasca_blocking::sleep(Duration::from_secs(3600))).await;
///     assert_eq!(clock() - begin, Duration::from_secs(3600));
/// });
/// # Ok::<_, std::io::Error>(())
/// ```
pub fn sleep(duration: Duration) {
    match MINE.with(|mine| mine.borrow().clone()) {
        Some(turn) => turn.sleep(duration),
        None => std::thread::sleep(duration),
    }
}
