//! A thread that waits for one future.
//!
//! The future is borrowed, so its task must be done before the frame that owns it goes: a guard sees to that.

use std::marker::PhantomPinned;
use std::panic::{Location, resume_unwind};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use super::leftovers;
use crate::primitive::Arc;
use crate::scheduler::current;
use crate::scheduler::deterministic::Ended;
use crate::scheduler::parker::Parker;
use crate::scheduler::shared::{Flavor, Shared, SpawnOptions};
use crate::scheduler::shutdown;
use crate::task::current as polling;
use crate::task::error::TaskError;
use crate::task::state::Kind;
use crate::task::{After, Runnable};

/// Runs `future` as a task of its own; see [`Runtime::block_on`](crate::Runtime::block_on).
#[track_caller]
pub(super) fn block_on<F: Future>(shared: &Arc<Shared>, future: F) -> F::Output {
    match outcome(shared, future, Kind::Root) {
        Ok(value) => value,
        Err(error) => match error.into_panic() {
            Ok(payload) => resume_unwind(payload),
            Err(error) => panic!("the future given to block_on was cancelled: {error}"),
        },
    }
}

/// As [`block_on`], with the end of the task as a value.
#[track_caller]
pub(super) fn outcome<F: Future>(
    shared: &Arc<Shared>,
    future: F,
    kind: Kind,
) -> Result<F::Output, TaskError> {
    let location = Location::caller();
    check(shared);
    match shared.flavor {
        Flavor::MultiThread => on_parker(shared, future, kind, location),
        Flavor::CurrentThread | Flavor::Deterministic { .. } => {
            on_seat(shared, future, kind, location)
        }
    }
}

/// Fails where a thread must not block on a runtime.
#[track_caller]
pub(super) fn check(shared: &Shared) {
    shared.check_not_forked();
    assert!(
        polling::with(|polling| polling.task().is_none())
            && current::with_worker(|worker| worker.is_none()),
        "block_on was called inside a task or callback, where it would hold up a worker: await the future \
         instead, or spawn it"
    );
}

/// A future that lives in the frame of `block_on`.
struct Borrowed<F> {
    future: *mut F,
    _pinned: PhantomPinned,
}

impl<F: Future> Future for Borrowed<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        // SAFETY: `block_on` polls on its own thread only, and does not leave the frame with the future before the
        // task that holds this pointer is done.
        let future = unsafe { &mut *self.future };
        // SAFETY: `block_on` pinned the future.
        unsafe { Pin::new_unchecked(future) }.poll(cx)
    }
}

fn options(kind: Kind, home: usize, location: &'static Location<'static>) -> SpawnOptions {
    SpawnOptions {
        home: Some(home),
        kind,
        ..SpawnOptions::at(location)
    }
}

/// Polls here, while the workers run the rest.
fn on_parker<F: Future>(
    shared: &Arc<Shared>,
    future: F,
    kind: Kind,
    location: &'static Location<'static>,
) -> Result<F::Output, TaskError> {
    let parker = Parker::new();
    let home = shared
        .parkers
        .insert(Arc::clone(&parker))
        .expect("32767 threads are in block_on already");
    let _entered = current::enter(shared);
    let mut future = pin!(future);
    // SAFETY: the pointer is used for polling only, as a pinned reference.
    let future = unsafe { future.as_mut().get_unchecked_mut() };
    let body = Borrowed {
        future,
        _pinned: PhantomPinned,
    };
    // SAFETY: the task is bound to this thread; it is polled below until it is done, and a root is not
    // ended from outside.
    let task = unsafe { shared.spawn(body, options(kind, home, location)) };
    let shadow = task.task_ref();
    // Panic: `run` catches what the future throws, so the loop ends with the task.
    while !shadow.is_finished() {
        parker.wait();
        // SAFETY: whoever unparks this thread gives it the right to poll its task.
        let mut next = Some(unsafe { Runnable::new(shadow.ptr()) });
        while let Some(runnable) = next.take() {
            if let After::Again(runnable) = runnable.run() {
                next = Some(runnable);
            }
        }
    }
    shared.parkers.remove(home);
    let mut task = task;
    // SAFETY: the task is done.
    unsafe { task.take_output() }
}

/// Polls here, together with everything else.
#[track_caller]
fn on_seat<F: Future>(
    shared: &Arc<Shared>,
    future: F,
    kind: Kind,
    location: &'static Location<'static>,
) -> Result<F::Output, TaskError> {
    let mut future = pin!(future);
    // SAFETY: as in `on_parker`.
    let future = unsafe { future.as_mut().get_unchecked_mut() };
    let body = Borrowed {
        future,
        _pinned: PhantomPinned,
    };
    shutdown::drive(shared, |seat| {
        // SAFETY: as in `on_parker`; the home is the worker that this thread has become.
        let mut task = unsafe { shared.spawn(body, options(kind, 0, location)) };
        let shadow = task.task_ref();
        match seat.run_until(&|| shadow.is_finished()) {
            Ended::Over => {}
            Ended::Interrupted => unreachable!("no main task runs, and no program ends"),
            Ended::Stopped => seat.end_root(&shadow, "the runtime has ended".to_owned()),
            Ended::Stalled => seat.end_root(&shadow, leftovers::stalled(shared)),
        }
        // SAFETY: the task is done, in one of these ways.
        unsafe { task.take_output() }
    })
}
