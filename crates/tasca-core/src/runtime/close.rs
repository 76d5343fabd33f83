//! The end of a program: what is left is cancelled, and waited for.
//!
//! On the deterministic runtime the phases take as many cycles as in asyncio (rule R6). Elsewhere there are no cycles; what
//! stands for them is that everything that is queued gets a turn before the next phase, so that a task is not cancelled
//! before its first step, and no callback is lost that was queued in time.

use std::cell::Cell;
use std::pin::pin;
use std::time::Duration;

use futures::future::{join_all, select};

use super::block_on;
use crate::primitive::Arc;
use crate::scheduler::deterministic::Ended;
use crate::scheduler::interrupts::Phase;
use crate::scheduler::shared::{Flavor, Shared};
use crate::scheduler::shutdown::{self, Seat};
use crate::task::Schedule;
use crate::task::error::{Problem, Trouble};
use crate::task::handle::TaskRef;
use crate::task::leaf::yield_now;
use crate::task::state::{Kind, Live};
use crate::task::waker;
use crate::time::{sleep, sleep_until};

/// asyncio notices the end of the last task as that of a gather: by its callback, and that of the gather.
const CYCLES_TO_NOTICE: usize = 2;

/// Then it runs two services, its asynchronous generators' and its executor's ends, as tasks of so many cycles each. The second
/// takes longer if there is a pool to join.
const CYCLES_PER_SERVICE: usize = 2;

/// A pool's threads are joined after so many cycles at the latest, even if tasks that began in the closing never rest.
const CYCLES_UNTIL_JOINED_MAX: usize = 10_000;

/// So many times what is queued gets a turn where there are no cycles.
const TURNS: usize = CYCLES_TO_NOTICE + 2 * CYCLES_PER_SERVICE;

/// The pauses between two looks at what is queued grow from this...
const PAUSE_MIN: Duration = Duration::from_micros(20);
/// ...to this.
const PAUSE_MAX: Duration = Duration::from_millis(1);

/// Cancels what is left and waits for it, at most `timeout`; gives what has not ended (rules R2, R3, B6, M14).
#[track_caller]
pub(super) fn cancel_tasks(shared: &Arc<Shared>, timeout: Duration) -> Vec<TaskRef> {
    match shared.flavor {
        Flavor::Deterministic { .. } => in_cycles(shared, timeout),
        Flavor::CurrentThread | Flavor::MultiThread => {
            let ended = block_on::outcome(shared, in_turns(shared, timeout), Kind::HiddenRoot);
            ended.expect("the closing neither panics nor is it cancelled")
        }
    }
}

/// Cancels every task that is not done, in the order in which they were spawned. Jobs are waited for, not cancelled.
fn cancel_all(shared: &Shared) -> Vec<TaskRef> {
    let mut left = shared.all_tasks();
    left.retain(|task| {
        let state = task.ptr().state().load();
        !state.is_root() && !state.is_job()
    });
    left.sort_by_key(|task| task.ptr().rank());
    // All are asked before the first of them reacts, as where there is one thread: what a task does when it is asked to stop, such
    // as to give a lock to the next, must not reach one that is about to be asked.
    shared.hold_back(|| {
        for task in &left {
            task.cancel();
        }
    });
    left
}

/// Reports those that failed of being cancelled, in the order in which they were spawned (rule R3).
fn report_failed(shared: &Shared, left: &[TaskRef]) {
    for task in left.iter().filter(|task| task.is_failed()) {
        shared.report(Problem::of_task(
            Trouble::TaskFailed,
            task.ptr().task_name(),
        ));
    }
}

fn unfinished(mut left: Vec<TaskRef>) -> Vec<TaskRef> {
    left.retain(|task| !task.is_finished());
    left
}

#[track_caller]
fn in_cycles(shared: &Arc<Shared>, timeout: Duration) -> Vec<TaskRef> {
    shutdown::drive(shared, |seat| {
        let deadline = shared.clock.now().checked_add(timeout);
        let is_late = || deadline.is_some_and(|deadline| shared.clock.now() > deadline);
        let _phase = shared.deterministic.interrupts.begin(Phase::Closing);
        let left = cancel_all(shared);
        // What has not ended tells the rest: the closing was too late, stalled, or interrupted.
        let _stopped = end_in_cycles(shared, seat, &left, &is_late);
        unfinished(left)
    })
}

/// Goes through the cycles of closing, as long as nothing stops them.
fn end_in_cycles(
    shared: &Shared,
    seat: &Seat<'_>,
    left: &[TaskRef],
    is_late: &dyn Fn() -> bool,
) -> Result<(), Ended> {
    if !left.is_empty() {
        let n_ended = Cell::new(0);
        over(seat.run_until(&|| {
            while left.get(n_ended.get()).is_some_and(TaskRef::is_finished) {
                n_ended.set(n_ended.get() + 1);
            }
            n_ended.get() == left.len() || is_late()
        }))?;
        over(seat.run_cycles(CYCLES_TO_NOTICE))?;
        report_failed(shared, left);
    }
    over(seat.run_cycles(CYCLES_PER_SERVICE))?;
    // The task of a job may have been cancelled while the job went on, so that only the event of its end is left.
    let has_job = || {
        let mut tasks = shared.all_tasks().into_iter();
        shared.deterministic.outside.has_work()
            || tasks.any(|task| task.ptr().state().load().is_job())
    };
    if shared.has_had_jobs() {
        match seat.run_until(&|| !has_job() || is_late()) {
            Ended::Stalled => {}
            ended => over(ended)?,
        }
        // The threads are joined when there is nothing else to do.
        over(seat.run_until_idle(CYCLES_UNTIL_JOINED_MAX))?;
    }
    over(seat.run_cycles(CYCLES_PER_SERVICE))
}

fn over(ended: Ended) -> Result<(), Ended> {
    match ended {
        Ended::Over => Ok(()),
        other => Err(other),
    }
}

async fn in_turns(shared: &Shared, timeout: Duration) -> Vec<TaskRef> {
    let deadline = shared.clock.now().checked_add(timeout);
    until(deadline, let_queued_run(shared)).await;
    let left = cancel_all(shared);
    // All are registered at once: each is waited for behind its own callbacks.
    let all_ended = join_all(left.iter().map(TaskRef::finished));
    until(deadline, async { drop(all_ended.await) }).await;
    report_failed(shared, &left);
    until(deadline, async {
        // The tasks may have started more of them (rule B6).
        for task in shared.all_tasks() {
            if task.ptr().state().load().is_job() {
                task.finished().await;
            }
        }
        until_jobs_are_over(shared).await;
        for _ in 0..TURNS {
            let_queued_run(shared).await;
        }
    })
    .await;
    unfinished(left)
}

/// Waits for jobs that go on though their tasks were cancelled (rule B4). Whatever is armed or queued meanwhile has its turn, as
/// where a loop joins the threads (rule B6).
async fn until_jobs_are_over(shared: &Shared) {
    let mut pause = PAUSE_MIN;
    while shared.extensions.are_busy() {
        sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// Waits for `phase`, until `deadline`.
async fn until(deadline: Option<std::time::Instant>, phase: impl Future<Output = ()>) {
    match deadline {
        Some(deadline) => drop(select(pin!(phase), sleep_until(deadline)).await),
        None => phase.await,
    }
}

/// Gives a turn to every task and callback that is queued now.
async fn let_queued_run(shared: &Shared) {
    if shared.flavor == Flavor::CurrentThread {
        yield_now().await;
        return;
    }
    let mut waited_for = Vec::new();
    shared.for_each_task(Live::TasksAndCallbacks, |task| {
        let state = task.ptr().state().load();
        if state.is_owned() && !state.is_root() {
            // Woken once more, what is queued or running is marked until a poll of it begins.
            waker::borrowed(task.ptr()).wake_by_ref();
            waited_for.push(task);
        }
    });
    // What is done, on another thread, and has yet to queue its callbacks.
    shared.for_each_task(Live::BeingTold, |task| waited_for.push(task));
    let mut pause = PAUSE_MIN;
    loop {
        waited_for.retain(|task| {
            let state = task.ptr().state().load();
            if state.is_complete() {
                state.is_listed()
            } else {
                state.is_notified()
            }
        });
        if waited_for.is_empty() {
            return;
        }
        sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}
