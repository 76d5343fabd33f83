//! Whoever waits for a task, against its end.

use std::task::Poll;

use loom::thread;

use crate::explore::{two_busy_threads, two_threads};
use crate::runners::{Bell, Flag, Runners, Touched, poll_once, waker_of};
use crate::slab;
use crate::task::handle::TaskRef;
use crate::task::state::Live;

/// The owner of a handle that suspends is woken by the end, or sees it. Catches a waker that is announced before it is in
/// the slot, a completion that does not look at WAITER, and Relaxed in either exchange.
#[test]
fn the_owner_of_a_handle_is_woken() {
    two_threads(|| {
        let runners = Runners::new();
        let task = runners.spawn(async { Touched::new() });
        let runner = runners.run_elsewhere(|| ());
        let (bell, waker) = Bell::new();
        let mut outcome = task.outcome();
        let polled = poll_once(&mut outcome, &waker);
        let value = match polled {
            Poll::Ready(value) => value,
            Poll::Pending => {
                runner.join().expect("no panic");
                assert_eq!(bell.n_rings(), 1, "the waker in the slot");
                match poll_once(&mut outcome, &waker) {
                    Poll::Ready(value) => value,
                    Poll::Pending => panic!("woken for nothing"),
                }
            }
        };
        value.expect("it has a value").touch();
        drop(waker);
        drop(outcome);
        assert_eq!(bell.n_wakers(), 0);
    });
}

/// A task that awaits another migrates with its wake-up: no end is missed. Catches the same with real tasks.
#[test]
fn a_task_that_awaits_another_is_woken_wherever_it_is() {
    two_busy_threads(|| {
        let runners = Runners::new();
        let inner = runners.spawn(async { Touched::new() });
        let outer = runners.spawn(async move {
            inner.await.touch();
        });
        let runner = runners.run_elsewhere(|| ());
        runners.run();
        runner.join().expect("no panic");
        assert!(outer.result().is_ok());
    });
}

/// A handle that is polled again with another waker, against the end: the last waker is woken or the end is seen, and no
/// waker is lost or used twice. Catches a slot that is written while the completer may read it.
#[test]
fn a_handle_that_changes_hands_is_woken_through_the_last_waker() {
    two_busy_threads(|| {
        let runners = Runners::new();
        let task = runners.spawn(async {});
        let runner = runners.run_elsewhere(|| ());
        let ((first, first_waker), (second, second_waker)) = (Bell::new(), Bell::new());
        let mut outcome = task.outcome();
        let mut polled = poll_once(&mut outcome, &first_waker).is_ready();
        if !polled {
            polled = poll_once(&mut outcome, &second_waker).is_ready();
        }
        runner.join().expect("no panic");
        if !polled {
            assert_eq!(second.n_rings(), 1, "the last waker");
            assert!(poll_once(&mut outcome, &second_waker).is_ready());
        }
        drop((first_waker, second_waker, outcome));
        assert_eq!((first.n_wakers(), second.n_wakers()), (0, 0));
    });
}

/// A handle that is dropped while its waker is in the slot, against the end: output and waker are dropped once, by one
/// side. Catches a release that does not take WAITER back in the same step, and a completer that drops what is not its own.
#[test]
fn a_handle_with_a_waker_is_dropped() {
    two_threads(|| {
        let runners = Runners::new();
        let task = runners.spawn(async { Touched::new() });
        let (bell, waker) = Bell::new();
        let mut outcome = task.outcome();
        assert!(poll_once(&mut outcome, &waker).is_pending());
        let runner = runners.run_elsewhere(|| ());
        drop(outcome);
        runner.join().expect("no panic");
        drop(waker);
        assert_eq!(bell.n_wakers(), 0);
    });
}

/// Waiters by reference, for the end alone, and a done-callback, against the end: each is told once. Catches LISTED
/// announced after the look, a completer that reads the list before it is complete, and a second entry that does not look.
#[test]
fn everybody_on_the_list_is_told() {
    two_busy_threads(|| {
        let runners = Runners::new();
        let task = runners.spawn(async {});
        let runner = runners.run_elsewhere(|| ());
        let ((one, one_waker), (other, other_waker)) = (Bell::new(), Bell::new());
        let called = Flag::new();
        let mut finished = task.finished();
        let finished_ready = poll_once(&mut finished, &one_waker).is_ready();
        let id = task.add_done_callback({
            let called = called.clone();
            move |task| {
                assert!(task.is_finished());
                assert!(!called.is_set());
                called.set();
            }
        });
        let mut by_reference = (&task).into_future();
        let reference_ready = poll_once(&mut by_reference, &other_waker).is_ready();
        runners.run();
        runner.join().expect("no panic");
        runners.run_queued();
        assert!(finished_ready || one.n_rings() == 1);
        assert!(reference_ready || other.n_rings() == 1);
        assert!(called.is_set());
        assert!(!task.remove_done_callback(id));
        assert!(poll_once(&mut finished, &one_waker).is_ready());
        drop((by_reference, finished));
        drop((one_waker, other_waker));
        assert_eq!((one.n_wakers(), other.n_wakers()), (0, 0));
    });
}

/// A waiter that leaves the list, a callback that is taken back and one that stays, against the end. Catches a removal that
/// takes somebody else's place, and an entry that is both removed and told.
#[test]
fn who_leaves_the_list_is_told_or_gone() {
    two_busy_threads(|| {
        let runners = Runners::new();
        let task = runners.spawn(async {});
        let (bell, waker) = Bell::new();
        let (removed, kept) = (Flag::new(), Flag::new());
        let mut finished = task.finished();
        assert!(poll_once(&mut finished, &waker).is_pending());
        let ids = [&removed, &kept].map(|flag| {
            let flag = flag.clone();
            task.add_done_callback(move |_| flag.set())
        });
        let runner = runners.run_elsewhere(|| ());
        // From the middle first: there the place matters.
        let gone = task.remove_done_callback(ids[0]);
        drop(finished);
        runners.run();
        runner.join().expect("no panic");
        runners.run_queued();
        assert_eq!(removed.is_set(), !gone);
        assert!(kept.is_set());
        drop(waker);
        assert_eq!(bell.n_wakers(), 0);
    });
}

/// The slot and the list together: the owner waits in the slot, others on the list. Catches a completer that serves one and
/// forgets the other.
#[test]
fn the_slot_and_the_list_are_both_served() {
    two_busy_threads(|| {
        let runners = Runners::new();
        let flag = Flag::new();
        let task = runners.spawn(flag.wait());
        let waker = waker_of(&task);
        runners.run_queued();
        let shadow = task.task_ref();
        let ((one, one_waker), (other, other_waker)) = (Bell::new(), Bell::new());
        let runner = runners.run_elsewhere(move || {
            flag.set();
            waker.wake();
        });
        let mut finished = shadow.finished();
        let finished_ready = poll_once(&mut finished, &one_waker).is_ready();
        let mut outcome = task.outcome();
        let outcome_ready = poll_once(&mut outcome, &other_waker).is_ready();
        runners.run();
        runner.join().expect("no panic");
        assert!(finished_ready || one.n_rings() == 1);
        assert!(outcome_ready || other.n_rings() == 1);
        assert!(outcome_ready || poll_once(&mut outcome, &other_waker).is_ready());
    });
}

/// The end of a program, which lets run what is queued, against the end of a task with a callback: once a walk meets nobody who
/// lives or is being told, the callback has been queued. Catches a walk that overlooks who is being told, and an end that is
/// told of before there is anything to see.
#[test]
fn callbacks_that_are_about_to_be_queued_are_not_overlooked() {
    two_busy_threads(|| {
        let runners = Runners::new();
        let task = runners.spawn(async {});
        task.add_done_callback(|_| ());
        let runner = thread::spawn({
            let runners = runners.clone();
            move || runners.run_queued()
        });
        let mut met = Vec::new();
        for which in [Live::Tasks, Live::BeingTold] {
            slab::for_each_cell(|state| {
                // SAFETY: the slab gives the starts of cells.
                met.extend(unsafe { TaskRef::try_from_cell(state.cast(), which) });
            });
        }
        let is_over = met.iter().all(|task| {
            let state = task.ptr().state().load();
            state.is_complete() && !state.is_listed()
        });
        assert!(!is_over || runners.n_called_soon() == 1);
        runner.join().expect("no panic");
        assert_eq!(runners.n_called_soon(), 1);
    });
}
