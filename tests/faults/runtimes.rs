//! Runtimes inside, beside and across one another, and ends in awkward places.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tasca::time::sleep;
use tasca::{
    Handle, Runtime, Task, Trouble, block_in_place, promise, run, spawn, spawn_blocking, to_thread,
};
use tasca_tests::{Counter, Gate, Kind, Problems, guarded, runtime};

use crate::until;

const KINDS: [Kind; 4] = [
    Kind::MultiThread(1),
    Kind::MultiThread(2),
    Kind::CurrentThread,
    Kind::Deterministic(3),
];

/// Runs `body` for each pair of kinds: of the runtime outside, and of the one inside.
fn for_each_pair(what: &str, body: impl Fn(Kind, Kind) + Clone + Send + 'static) {
    for outer in KINDS {
        for inner in KINDS {
            let body = body.clone();
            guarded(&format!("{what}: {inner:?} in {outer:?}"), move || {
                body(outer, inner);
            });
        }
    }
}

#[test]
fn a_runtime_is_made_used_and_dropped_on_a_thread_of_anothers_pool() {
    for_each_pair("in spawn_blocking", |outer, inner| {
        let (outer, problems) = runtime(outer);
        let drops = Counter::new();
        let held = drops.on_drop();
        let value = outer.block_on(async move {
            spawn_blocking(move || {
                let (inner, problems) = runtime(inner);
                drop(inner.handle().spawn(async move {
                    let _held = held;
                    std::future::pending::<()>().await;
                }));
                let value = inner.block_on(async {
                    sleep(Duration::from_micros(100)).await;
                    spawn_blocking(|| 3).await + spawn(async { 4 }).await
                });
                drop(inner);
                problems.expect_none();
                value
            })
            .await
        });
        assert_eq!(value, 7);
        assert_eq!(drops.get(), 1);
        drop(outer);
        problems.expect_none();
    });
}

#[test]
fn a_runtime_is_dropped_on_a_thread_of_its_own_pool() {
    for kind in KINDS {
        guarded(&format!("{kind:?}"), move || {
            let (runtime, problems) = runtime(kind);
            let (drops, done) = (Counter::new(), Gate::new());
            let held = drops.on_drop();
            drop(runtime.handle().spawn(async move {
                let _held = held;
                std::future::pending::<()>().await;
            }));
            let place = Arc::new(Mutex::new(None::<Runtime>));
            let (taken, given, told) = (Arc::clone(&place), Gate::new(), done.clone());
            let may_drop = given.clone();
            runtime.block_on(async {
                drop(spawn_blocking(move || {
                    may_drop.wait();
                    drop(taken.lock().take());
                    told.open();
                }));
            });
            *place.lock() = Some(runtime);
            given.open();
            done.wait();
            // Tasks of a runtime on one thread go with it; those of workers end on theirs.
            until(|| drops.get() == 1);
            problems.expect_none();
        });
    }
}

#[test]
fn run_is_called_on_a_thread_of_a_pool_and_in_place() {
    guarded("run is called on a thread of a pool and in place", || {
        let value = run(async {
            let on_a_thread = to_thread(|| run(async { spawn(async { 1 }).await }).unwrap()).await;
            let in_place = block_in_place(|| {
                std::thread::spawn(|| run(async { spawn(async { 2 }).await }).unwrap())
                    .join()
                    .unwrap()
            });
            on_a_thread + in_place
        });
        assert_eq!(value.unwrap(), 3);
    });
}

/// Each runtime is owned by a task of the other one, and each end waits for the poll in which the other one happens: until
/// its patience is over.
#[test]
fn two_runtimes_that_own_each_other_end_when_their_patience_is_over() {
    for _ in 0..3 {
        guarded("crossing", || {
            let (drops, end, problems) = (Counter::new(), Gate::new(), Problems::default());
            let impatient = |n_workers| {
                Runtime::builder()
                    .worker_threads(n_workers)
                    .shutdown_timeout(Duration::from_millis(10))
                    .exception_handler(problems.handler())
                    .build()
                    .unwrap()
            };
            let (first, second) = (impatient(2), impatient(1));
            let (of_first, of_second) = (first.handle(), second.handle());
            let owner = |handle: &Handle, owned: Runtime| {
                let (held, end) = (drops.on_drop(), end.clone());
                handle.spawn(async move {
                    let _held = held;
                    let _owned = owned;
                    while !end.is_open() {
                        sleep(Duration::from_micros(200)).await;
                    }
                })
            };
            // Neither is owned by anybody else from now on.
            let owners = [owner(&of_first, second), owner(&of_second, first)];
            end.open();
            until(|| drops.get() == 2 && owners.iter().all(|owner| owner.is_finished()));
            assert!(of_first.spawn(async {}).is_cancelled());
            assert!(of_second.spawn(async {}).is_cancelled());
            // What did not end in time is said, and nothing else.
            let reports = problems.take();
            assert!(
                reports.iter().all(|it| it.trouble == Trouble::Shutdown),
                "{reports:?}"
            );
        });
    }
}

/// A ring of waits that goes through two runtimes, and is broken by a cancel.
#[test]
fn tasks_of_two_runtimes_wait_for_one_another_across() {
    for_each_pair("a ring across", |first, second| {
        let is_driven = |kind: Kind| matches!(kind, Kind::MultiThread(_));
        if !is_driven(first) || !is_driven(second) {
            // Somebody has to drive the others, which is another test.
            return;
        }
        let (first, first_problems) = runtime(first);
        let (second, second_problems) = runtime(second);
        let (sender, receiver) = promise::<Task<()>>();
        let here = first.handle().spawn(async move { receiver.await.await });
        let shadow = here.task_ref();
        let there = second.handle().spawn(here);
        let second_shadow = there.task_ref();
        assert!(sender.set(there).is_ok());
        until(|| shadow.cancel());
        until(|| shadow.is_finished() && second_shadow.is_finished());
        drop((first, second));
        first_problems.expect_none();
        second_problems.expect_none();
    });
}

#[test]
fn runtimes_are_made_and_dropped_inside_tasks_of_others() {
    for_each_pair("made inside", |outer, inner| {
        let (outer, problems) = runtime(outer);
        let drops = Counter::new();
        let held = drops.on_drop();
        let task = outer.handle().spawn(async move {
            let (inner, problems) = runtime(inner);
            let lost = inner.handle().spawn(async move {
                let _held = held;
                std::future::pending::<()>().await;
            });
            // It is used, though not waited for: that would block this worker.
            inner.handle().call_soon(|| ());
            sleep(Duration::from_micros(10)).await;
            drop(inner);
            assert!(lost.is_cancelled());
            problems.expect_none();
        });
        outer.block_on(task);
        assert_eq!(drops.get(), 1);
        drop(outer);
        problems.expect_none();
    });
}

#[test]
fn three_levels_of_runtimes_end_from_the_inside_out() {
    guarded("three levels", || {
        let ended = Counter::new();
        let innermost = ended.on_drop();
        let value = run(async move {
            to_thread(move || {
                run(async move {
                    to_thread(move || {
                        let _held = innermost;
                        run(async { spawn(async { 5 }).await }).unwrap()
                    })
                    .await
                })
                .unwrap()
            })
            .await
        });
        assert_eq!(value.unwrap(), 5);
        assert_eq!(ended.get(), 1);
    });
}
