//! Records of gather, wait, `as_completed`, shield and task groups: children that end on one thread while another registers
//! with them, waits for them or gives them up.
//!
//! The combinators are polled by real tasks on two runners, so whoever waits migrates as well.

use std::sync::Arc as StdArc;
use std::task::{Context, Waker};
use std::time::Duration;

use crate::as_completed::as_completed;
use crate::explore::{one_preemption, two_busy_threads};
use crate::gather::{gather, try_gather};
use crate::group::TaskGroup;
use crate::runners::{Common, Flag, Runners, Touched, waker_of};
use crate::shield::shield;
use crate::task::handle::{Task, TaskRef};
use crate::task::leaf::yield_now;
use crate::wait::wait;

/// Runs everything on this thread and another, each of which does something else first.
fn run_on_two(runners: &StdArc<Runners>, there: impl FnOnce() + 'static, here: impl FnOnce()) {
    let runner = runners.run_elsewhere(there);
    here();
    runners.run();
    runner.join().expect("no panic");
}

/// A task that waits for the end that it is given.
fn waiting(runners: &Runners) -> (Task<()>, impl FnOnce() + use<>) {
    let flag = Flag::new();
    let task = runners.spawn(flag.wait());
    let waker = waker_of(&task);
    let end = move || {
        flag.set();
        waker.wake();
    };
    (task, end)
}

/// A gather whose children end while it registers with them: it is decided once, after the last, and sees all outputs.
/// Catches a count that is no exchange, and a decision during the registration.
#[test]
fn a_gather_is_decided_by_its_last_child() {
    two_busy_threads(|| {
        let runners = Runners::new();
        let outer = runners.spawn(async {
            let children = [(); 2].map(|()| async { Touched::new() });
            gather(children).await.iter().for_each(Touched::touch);
        });
        run_on_two(&runners, || (), || ());
        assert!(outer.result().is_ok());
    });
}

/// The same where ends that fail would decide: no end is looked at before all children are in the record. Catches an early end
/// that is not kept.
#[test]
fn an_end_during_the_registration_is_kept() {
    one_preemption(|| {
        let runners = Runners::new();
        let outer = runners.spawn(async {
            let children = [(); 2].map(|()| async { Ok::<_, ()>(Touched::new()) });
            let outputs = try_gather(children).await.expect("both are well");
            outputs.iter().for_each(Touched::touch);
        });
        run_on_two(&runners, || (), || ());
        assert!(outer.result().is_ok());
    });
}

/// A request to a task that waits in a gather, against the end of its child: who accepted it ends cancelled, and the child is not
/// left behind. Catches a request that is accepted and not passed on, and one that is passed on and refused.
#[test]
fn a_gather_that_is_cancelled_takes_its_child_along() {
    one_preemption(|| {
        let runners = Runners::new();
        let (child, end) = waiting(&runners);
        let outer = runners.spawn(async move {
            gather((child,)).await;
        });
        runners.run_queued();
        let mut accepted = false;
        run_on_two(&runners, end, || accepted = outer.cancel());
        assert_eq!(outer.is_cancelled(), accepted);
    });
}

/// A gather is dropped while its child ends: what was in its record goes once. Catches a decision that leaves the record
/// behind, and a record that is emptied by both sides.
#[test]
fn a_gather_that_is_dropped_lets_go_of_its_record() {
    two_busy_threads(|| {
        let runners = Runners::new();
        let (child, end) = waiting(&runners);
        let shadow: TaskRef = child.task_ref();
        let mut gathered = gather((child,));
        let waker = Waker::noop();
        let polled = std::pin::Pin::new(&mut gathered).poll(&mut Context::from_waker(waker));
        assert!(polled.is_pending());
        run_on_two(&runners, end, || drop(gathered));
        assert!(shadow.is_finished());
    });
}

/// A wait for the first of two, against both ends: it is over once, and every task is in one of the sets. Catches an end
/// during the registration that is not told.
#[test]
fn a_wait_gives_back_every_task_once() {
    one_preemption(|| {
        let runners = Runners::new();
        let outer = runners.spawn(async {
            let (done, pending) = wait([(); 2].map(|()| async {})).first_completed().await;
            assert!(!done.is_empty(), "over for nothing");
            assert_eq!(done.len() + pending.len(), 2);
        });
        run_on_two(&runners, || (), || ());
        assert!(outer.result().is_ok());
    });
}

/// A wait for all, whose time-out comes at any moment: the waiter goes on once, whichever was first, and has its task back. Catches
/// a record that is not let go of.
#[test]
fn a_wait_ends_with_the_last_task_or_the_timeout() {
    two_busy_threads(|| {
        let runners = Runners::new();
        let (child, end) = waiting(&runners);
        let outer = runners.spawn(async move {
            let (done, pending) = wait([child]).timeout(Duration::from_secs(1)).await;
            assert_eq!(done.len() + pending.len(), 1);
            for task in pending {
                task.await;
            }
        });
        runners.run_queued();
        run_on_two(&runners, end, || runners.fire_timers());
        assert!(outer.result().is_ok());
    });
}

/// Two tasks end, one of whom may be waited for already: each is given out once. Catches an end that wakes nobody, and a
/// waiter that goes to sleep beside one.
#[test]
fn every_end_is_given_out_once() {
    one_preemption(|| {
        let runners = Runners::new();
        let outer = runners.spawn(async {
            let ends = as_completed([1, 2].map(|n| async move { n }));
            let mut sum = 0;
            while let Some(end) = ends.next().await {
                sum += end.await;
            }
            assert_eq!(sum, 3);
        });
        run_on_two(&runners, || (), || ());
        assert!(outer.result().is_ok());
    });
}

/// Two wait for the ends of two tasks, and one of them gives up at any moment: the other is not kept waiting. Catches a waiter
/// that is woken, leaves, and takes the end along.
#[test]
fn who_stops_waiting_for_an_end_passes_it_on() {
    two_busy_threads(|| {
        let runners = Runners::new();
        let (child, end) = waiting(&runners);
        let (other, other_end) = waiting(&runners);
        let ends = StdArc::new(as_completed([child, other]));
        let mut leaving = Box::pin({
            let ends = StdArc::clone(&ends);
            async move { drop(ends.next().await) }
        });
        let mut cx = Context::from_waker(Waker::noop());
        assert!(leaving.as_mut().poll(&mut cx).is_pending());
        let outer = runners.spawn(async move {
            ends.next().await.expect("one of two").await;
            // The other one would wake whoever was forgotten.
            other_end();
        });
        runners.run_queued();
        run_on_two(&runners, end, || drop(leaving));
        assert!(outer.result().is_ok());
    });
}

/// A shield that is a task, against the end of its operand during the registration: it has the output. Catches an early
/// end that is forgotten.
#[test]
fn a_shield_has_the_output_of_its_operand() {
    two_busy_threads(|| {
        let runners = Runners::new();
        let outer = runners.spawn(async {
            let shielded = shield(async { Touched::new() }).into_task();
            shielded.await.touch();
        });
        run_on_two(&runners, || (), || ());
        assert!(outer.result().is_ok());
    });
}

/// A task of a group fails while the body spawns another: the scope ends after both, with the failure, and no task is left.
/// Catches a task that an abort has not seen, and an end that is not told.
#[test]
fn a_group_that_fails_ends_all_its_tasks() {
    one_preemption(|| {
        let runners = Runners::new();
        let outer = runners.spawn(async {
            let failed = TaskGroup::<()>::scope(|group| async move {
                drop(group.try_spawn(async { Err::<(), _>(()) }));
                drop(group.spawn(std::future::pending::<()>()));
            })
            .await
            .expect_err("a task failed");
            assert_eq!(failed.len(), 1);
        });
        run_on_two(&runners, || (), || ());
        assert!(outer.result().is_ok());
        assert_eq!(
            outer.cancelling(),
            0,
            "the group takes its own request back"
        );
    });
}

/// Two tasks of a group end well, while the block comes to its end: it goes on after both, and sees what they did. Catches a last
/// end that finds nobody waiting, and a block that goes to sleep beside it.
#[test]
fn a_group_ends_with_its_last_task() {
    one_preemption(|| {
        let runners = Runners::new();
        let outer = runners.spawn(async {
            let memory = [Common::new(), Common::new()];
            TaskGroup::<()>::scope(|group| {
                let memory = memory.clone();
                async move {
                    for memory in memory {
                        drop(group.spawn(async move { memory.touch() }));
                    }
                }
            })
            .await
            .expect("both are well");
            memory.iter().for_each(Common::touch);
        });
        run_on_two(&runners, || (), || ());
        assert!(outer.result().is_ok());
    });
}

/// A group is cancelled by somebody else while its block comes to its end: it goes on when the cancel has been carried out, and no
/// request is left. Catches a cancel that is not counted meanwhile, and so outlives the block.
#[test]
fn a_group_that_is_cancelled_ends_after_its_canceller() {
    two_busy_threads(|| {
        let runners = Runners::new();
        let outer = runners.spawn(async {
            let ended = TaskGroup::<()>::scope(|group| async move {
                drop(Runners::current().spawn(async move { group.cancel() }));
            })
            .await;
            if let Err(failed) = ended {
                assert!(failed.is_empty(), "nobody has failed");
            }
            // What comes too late would end it here.
            yield_now().await;
        });
        run_on_two(&runners, || (), || ());
        assert!(outer.result().is_ok(), "a request outlived the block");
        assert_eq!(outer.cancelling(), 0, "a request is left");
    });
}

/// The last two tasks of a block that waits: one fails while the other ends well. The failure is told, and the group's request
/// is taken back if it was made. Catches an abort that outlives the block.
#[test]
fn a_group_fails_beside_a_task_that_ends_well() {
    one_preemption(|| {
        let runners = Runners::new();
        let outer = runners.spawn(async {
            let failed = TaskGroup::<()>::scope(|group| async move {
                drop(group.try_spawn(async { Err::<(), _>(()) }));
                drop(group.spawn(async {}));
            })
            .await
            .expect_err("a task failed");
            assert_eq!(failed.len(), 1);
        });
        run_on_two(&runners, || (), || ());
        assert!(outer.result().is_ok());
        assert_eq!(outer.cancelling(), 0, "a request is left");
    });
}
