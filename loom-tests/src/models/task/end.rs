//! Handles and references that go, failures that nobody sees, promises.

use std::sync::Arc as StdArc;

use loom::thread;

use crate::explore::{three_threads, two_busy_threads, two_threads};
use crate::runners::{Bell, Runners, Touched, panic_quietly, poll_once, waker_of};
use crate::slab;
use crate::task::error::Trouble;
use crate::task::promise::promise;

/// A handle that is dropped against completion, while a shadow stays: the output is dropped once, by one side. Catches
/// HANDLE read in another step than COMPLETE is set, and a completer that gives the runtime's reference up while it
/// still has duties.
#[test]
fn a_handle_is_dropped_while_the_task_completes() {
    two_threads(|| {
        let runners = Runners::new();
        let task = runners.spawn(async { Touched::new() });
        // With it, the references do not tell whether there is a handle.
        let _shadow = task.task_ref();
        let runner = runners.run_elsewhere(|| ());
        drop(task);
        runner.join().expect("no panic");
    });
}

/// A waker, a shadow and the handle go on three threads while the task completes: the memory is freed once, after the last
/// use. Catches Relaxed in `release`, and a last look that does not acquire.
#[test]
fn the_last_reference_frees_the_cell_in_whatever_order() {
    three_threads(|| {
        let runners = Runners::new();
        let task = runners.spawn(async { Touched::new() });
        let waker = waker_of(&task);
        let shadow = task.task_ref();
        let memory = slab::Used::of(&shadow);
        let runner = thread::spawn({
            let (runners, memory) = (runners.clone(), memory.clone());
            move || {
                runners.run();
                memory.look();
                drop(waker);
            }
        });
        let other = thread::spawn({
            let memory = memory.clone();
            move || {
                memory.look();
                drop(shadow);
            }
        });
        memory.look();
        drop(task);
        runner.join().expect("no panic");
        other.join().expect("no panic");
    });
}

/// The same where somebody on the list has to be told of the end, and the reference of who tells may be the last. Catches Relaxed
/// in `release_told`.
#[test]
fn the_last_reference_may_be_that_of_who_tells() {
    two_threads(|| {
        let runners = Runners::new();
        let task = runners.spawn(async {});
        let memory = slab::Used::of(&task);
        let (bell, waker) = Bell::new();
        let mut finished = task.finished();
        assert!(poll_once(&mut finished, &waker).is_pending());
        let runner = runners.run_elsewhere(|| ());
        drop(finished);
        memory.look();
        drop((task, waker));
        runner.join().expect("no panic");
        assert_eq!(bell.n_wakers(), 0);
    });
}

/// Wakers are cloned, woken and dropped on three threads: the count is exact. Catches a clone that takes no reference, and a
/// wake by value that keeps it.
#[test]
fn wakers_keep_exact_count() {
    three_threads(|| {
        let runners = Runners::new();
        let task = runners.spawn(async {});
        let waker = waker_of(&task);
        let wakers = [waker.clone(), waker].map(|waker| {
            thread::spawn(move || {
                let another = waker.clone();
                waker.wake();
                drop(another);
            })
        });
        drop(task);
        runners.run();
        for waker in wakers {
            waker.join().expect("no panic");
        }
    });
}

/// A failure is reported once if the handle goes unread, never if it was looked at, whichever side is last. Catches a
/// report on both sides, or on none.
#[test]
fn a_failure_that_nobody_saw_is_reported_once() {
    two_threads(|| {
        let runners = Runners::new();
        let task = runners.spawn(async {
            panic_quietly();
        });
        let runner = runners.run_elsewhere(|| ());
        let task: crate::task::handle::Task<()> = task;
        let seen = task
            .result()
            .is_err_and(|error| matches!(error, crate::task::error::ResultError::Failed(_)));
        drop(task);
        runner.join().expect("no panic");
        let reports = runners.reports();
        if seen {
            assert_eq!(reports, []);
        } else {
            assert_eq!(reports, [Trouble::TaskPanicked]);
        }
    });
}

/// A promise is kept, its task cancelled and its handle dropped at once: the value ends in one place. Catches a claim that
/// two can win, and a reference that the claimant does not take.
#[test]
fn a_promise_is_kept_or_cancelled() {
    three_threads(|| {
        let (promise, task) = promise::<Touched>();
        let shadow = task.task_ref();
        let keeper = thread::spawn(move || promise.set(Touched::new()).map_err(drop).is_ok());
        let canceller = thread::spawn(move || shadow.cancel());
        drop(task);
        let (kept, cancelled) = (
            keeper.join().expect("no panic"),
            canceller.join().expect("no panic"),
        );
        assert!(!(kept && cancelled), "a promise ends once");
    });
}

/// The same with a handle that stays: it has the value or the cancellation, and sees it whole. Catches Relaxed in `claim` or
/// `complete`.
#[test]
fn the_end_of_a_promise_is_seen_whole() {
    two_busy_threads(|| {
        let (promise, task) = promise::<Touched>();
        let keeper = thread::spawn(move || {
            let value = Touched::new();
            value.touch();
            promise.set(value).map_err(drop).is_ok()
        });
        let cancelled = task.cancel();
        let early = task.result().map(Touched::touch).is_ok();
        let kept = keeper.join().expect("no panic");
        assert!(kept != cancelled, "a promise ends once, and ends");
        assert!(kept || !early);
        match task.result() {
            Ok(value) => value.touch(),
            Err(_) => assert!(task.is_cancelled()),
        }
    });
}

/// A promise that is dropped against a request: the task is cancelled once. Catches a drop that frees what the canceller
/// still fills.
#[test]
fn a_promise_is_dropped_while_it_is_cancelled() {
    two_busy_threads(|| {
        let (promise, task) = promise::<Touched>();
        let shadow = task.task_ref();
        drop(task);
        let dropper = thread::spawn(move || drop(promise));
        shadow.cancel();
        dropper.join().expect("no panic");
        assert!(shadow.is_cancelled());
    });
}

/// The runtime goes while wakers of a task that is done are used elsewhere: they do not touch it. Catches a wake that
/// queues what is done, and a completer that uses its scheduler after it let the task go.
#[test]
fn a_waker_outlives_the_runtime() {
    two_busy_threads(|| {
        let runners = Runners::new();
        let task = runners.spawn(async {});
        let waker = waker_of(&task);
        let other = thread::spawn(move || {
            waker.wake_by_ref();
            waker.wake();
        });
        drop(task);
        runners.run();
        assert_eq!(StdArc::strong_count(&runners), 1);
        drop(runners);
        other.join().expect("no panic");
    });
}
