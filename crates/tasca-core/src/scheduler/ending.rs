//! Ending the tasks that are left: by whoever closes the runtime, by its workers, and by a thread that comes when these have gone.
//!
//! The steps and the races between them are in the protocol of [`shutdown`](super::shutdown).

use super::shared::Shared;
use super::worker::{Seed, Worker};
use crate::primitive::{Arc, yield_now};
use crate::task::After;
use crate::task::cancel;
use crate::task::state::Live;

/// Works until the runtime stops; the last worker runs what lies in the injector.
pub(crate) fn work(shared: &Arc<Shared>, seed: Seed) {
    let ((), _seed) = Worker::enter(shared, seed, |worker| {
        worker.run_until(|| false);
        worker.drain_timers();
    });
    if shared.gate.worker_ended() {
        drain(shared);
    }
}

/// Runs what lies in the injector when no worker is left to do so: a waker that was in the middle of
/// queueing a task when the runtime ended. Those tasks are marked to be dropped.
pub(crate) fn drain_if_over(shared: &Shared) {
    if shared.gate.is_over() {
        drain(shared);
    }
}

/// Runs what is left in the injector, on whichever thread: all of it is marked to be dropped.
fn drain(shared: &Shared) {
    let queue = crate::queue::Shared::new();
    while let Some(runnable) = queue.pop().or_else(|| queue.take_from(&shared.injector)) {
        let mut next = Some(runnable);
        while let Some(runnable) = next.take() {
            // Not marked, if it was queued before the walk came by: mark it now.
            let _noted = runnable.task().state().request_kill();
            if let After::Again(again) = runnable.run() {
                next = Some(again);
            }
        }
    }
}

/// Marks every task that is not done; gives their number.
pub(crate) fn kill_all(shared: &Shared) -> usize {
    let mut n_left = 0;
    shared.for_each_task(Live::TasksAndCallbacks, |task| {
        if !task.ptr().state().load().is_root() {
            n_left += 1;
            cancel::kill(task.ptr());
        }
    });
    n_left
}

/// Ends all tasks of a runtime whose one worker is this thread.
pub(crate) fn end_tasks_here(worker: &Worker) {
    let shared = worker.shared();
    // Each round ends what the one before has marked; a task that is dropped may queue callbacks.
    while kill_all(shared) > 0 {
        if worker.run_queued() == 0 {
            // What is left is held by another thread's waker, which is about to queue it.
            yield_now();
        }
    }
}
