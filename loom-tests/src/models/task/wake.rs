//! Wakes against polls and the end.

use loom::thread;

use crate::explore::{three_threads, two_busy_threads, two_threads};
use crate::runners::{Flag, Runners, waker_of};
use crate::slab;
use crate::task::cell::Runnable;
use crate::task::handle::TaskRef;
use crate::task::promise::promise;
use crate::task::state::{Live, Wake};

/// A wake before, during or after a poll is followed by a poll that sees what the waker did. Catches a wake of a running
/// task that is not noted, an end of a poll that does not look, and Relaxed in the exchange or in `start_poll`.
#[test]
fn a_wake_during_a_poll_is_not_lost() {
    two_threads(|| {
        let runners = Runners::new();
        let flag = Flag::new();
        let task = runners.spawn(flag.wait());
        let waker = waker_of(&task);
        let runner = runners.run_elsewhere(|| ());
        flag.set();
        waker.wake();
        runners.run();
        runner.join().expect("no panic");
        assert!(task.is_finished());
    });
}

/// Two wakes of a task that is queued or running, one after the other: a poll that begins with the first must not clear the
/// second without having seen what it stands for. Catches a poll that begins Relaxed.
#[test]
fn wakes_that_a_poll_begins_with_are_all_seen() {
    two_busy_threads(|| {
        let runners = Runners::new();
        let flags = [Flag::new(), Flag::new()];
        let both = flags.clone().map(|flag| flag.wait());
        let task = runners.spawn(async move {
            for flag in both {
                flag.await;
            }
        });
        let waker = waker_of(&task);
        let runner = runners.run_elsewhere(|| ());
        for flag in flags {
            flag.set();
            waker.wake_by_ref();
        }
        runner.join().expect("no panic");
        assert!(task.is_finished());
    });
}

/// Two wakers and two runners: the task is never queued twice, polled twice at once, or left asleep. Catches a wake that
/// does not make its caller the only holder.
#[test]
fn two_wakes_make_one_holder() {
    three_threads(|| {
        let runners = Runners::new();
        let flags = [Flag::new(), Flag::new()];
        let both = flags.clone().map(|flag| flag.wait());
        let task = runners.spawn(async move {
            for flag in both {
                flag.await;
            }
        });
        runners.run_queued();
        let wakers = flags.map(|flag| {
            let (runners, waker) = (runners.clone(), waker_of(&task));
            thread::spawn(move || {
                flag.set();
                waker.wake_by_ref();
                drop(waker);
                runners.run_queued();
            })
        });
        runners.run();
        for waker in wakers {
            waker.join().expect("no panic");
        }
        assert!(task.is_finished());
    });
}

/// A wake that comes when the task is done touches nothing but the count. Catches a wake that does not look at COMPLETE,
/// and one that gives its reference up twice or not at all.
#[test]
fn a_wake_after_the_end_does_nothing() {
    two_busy_threads(|| {
        let runners = Runners::new();
        let task = runners.spawn(async {});
        let (waker, another) = (waker_of(&task), waker_of(&task));
        drop(task);
        let runner = thread::spawn({
            let runners = runners.clone();
            move || {
                runners.run();
                another.wake();
            }
        });
        waker.wake_by_ref();
        waker.wake();
        runners.run();
        runner.join().expect("no panic");
    });
}

/// A task that wakes itself during its poll is polled again, beside a wake from outside. Catches a self-wake that is noted
/// on the thread and lost when the outside wake suspends the task first.
#[test]
fn a_wake_of_oneself_and_one_from_outside() {
    two_busy_threads(|| {
        let runners = Runners::new();
        let flag = Flag::new();
        let outside = flag.wait();
        let task = runners.spawn(async move {
            crate::task::leaf::yield_now().await;
            outside.await;
        });
        let waker = waker_of(&task);
        let runner = runners.run_elsewhere(|| ());
        flag.set();
        waker.wake();
        runners.run();
        runner.join().expect("no panic");
        assert!(task.is_finished());
    });
}

/// A walk over all cells against a task that ends and whose memory is used again: the walker gets a reference to a live
/// task or none, and what it marks is dropped. Catches a walk that joins a cell that is done.
#[test]
fn a_walker_meets_live_tasks_only() {
    two_busy_threads(|| {
        let runners = Runners::new();
        drop(runners.spawn(async {}));
        let runner = thread::spawn({
            let runners = runners.clone();
            move || {
                runners.run_queued();
                let task = runners.spawn(std::future::pending::<()>());
                runners.run_queued();
                task
            }
        });
        let mut met: Vec<TaskRef> = Vec::new();
        slab::for_each_cell(|state| {
            // SAFETY: the slab gives the starts of cells.
            met.extend(unsafe { TaskRef::try_from_cell(state.cast(), Live::Tasks) });
        });
        assert!(met.len() <= 2);
        for task in &met {
            if task.ptr().state().request_kill() == Wake::Queue {
                // SAFETY: the exchange made this thread the holder.
                unsafe { crate::task::cell::queue(task.ptr()) };
            }
        }
        drop(met);
        let second = runner.join().expect("no panic");
        if !second.is_finished() && second.task_ref().ptr().state().request_kill() == Wake::Queue {
            // SAFETY: the exchange made this thread the holder.
            unsafe { crate::task::cell::queue(second.task_ref().ptr()) };
        }
        runners.run();
        assert!(second.is_cancelled());
    });
}

/// A walker that meets a cell just when its memory is given out again sees it whole. Catches Relaxed in `publish`.
#[test]
fn a_walker_sees_a_new_cell_whole() {
    two_threads(|| {
        drop(promise::<()>());
        let maker = thread::spawn(promise::<()>);
        for _ in 0..2 {
            slab::for_each_cell(|state| {
                // SAFETY: the slab gives the starts of cells.
                let met = unsafe { TaskRef::try_from_cell(state.cast(), Live::Any) };
                if let Some(task) = met {
                    // Nobody else looks at it in this model; loom does.
                    task.ptr().header().waiter.with(|_| ());
                }
            });
        }
        drop(maker.join().expect("no panic"));
    });
}

/// The end of a runtime against a wake: a marked task is dropped, whoever holds it. Catches a kill that is not noted on a
/// task that runs, and a wake that clears it.
#[test]
fn a_kill_reaches_a_task_that_is_being_woken() {
    two_busy_threads(|| {
        let runners = Runners::new();
        let task = runners.spawn(std::future::pending::<()>());
        let waker = waker_of(&task);
        let runner = thread::spawn({
            let runners = runners.clone();
            move || {
                waker.wake_by_ref();
                runners.run();
                drop(waker);
            }
        });
        if task.task_ref().ptr().state().request_kill() == Wake::Queue {
            let held = task.task_ref().ptr();
            // SAFETY: the exchange made this thread the holder.
            crate::task::Schedule::schedule(&*runners, unsafe { Runnable::new(held) });
        }
        runners.run();
        runner.join().expect("no panic");
        assert!(task.is_cancelled());
    });
}
