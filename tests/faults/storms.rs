//! Much of everything: depth, width, tasks that do not stop, and ends in the middle of it. On one worker, on two, and on many
//! more than there are processors.

use std::future::pending;
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::BoxFuture;
use tasca::time::sleep;
use tasca::{
    Handle, Runtime, Task, all_tasks, catch_cancelled, finally, promise, spawn, spawn_blocking,
    yield_now,
};
use tasca_tests::{Counter, Gate, Kind, Problems, guarded, runtime};

use crate::scaled;

const KINDS: [Kind; 4] = [
    Kind::MultiThread(1),
    Kind::MultiThread(2),
    Kind::MultiThread(64),
    Kind::CurrentThread,
];

/// Runs `body` as a task on each of [`KINDS`]; nothing may be reported.
fn on_few_and_many_workers<F>(body: impl Fn(Problems) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    tasca_tests::on_each(&KINDS, body);
}

const DEPTH: usize = scaled(20_000, 100_000);

/// A task that waits for a task that waits for a task.
fn nest(depth: usize, bottom: impl Future<Output = usize> + Send + 'static) -> Task<usize> {
    let mut task = spawn(bottom);
    for _ in 0..depth {
        task = spawn(async move { task.await + 1 });
    }
    task
}

#[test]
fn tasks_spawn_tasks_to_any_depth() {
    fn descend(depth: usize) -> BoxFuture<'static, usize> {
        async move {
            if depth == 0 {
                return 0;
            }
            spawn(descend(depth - 1)).await + 1
        }
        .boxed()
    }
    on_few_and_many_workers(|_| async {
        assert_eq!(descend(DEPTH).await, DEPTH);
    });
}

#[test]
fn a_value_a_panic_and_a_cancel_climb_a_tower_of_waits() {
    on_few_and_many_workers(|_| async {
        assert_eq!(nest(DEPTH, async { 0 }).await, DEPTH);
        let error = nest(DEPTH, async { panic!("at the bottom") })
            .outcome()
            .await
            .unwrap_err();
        assert_eq!(error.panic_text(), Some("at the bottom"));
        let (told, begun) = promise();
        let tower = nest(DEPTH, async move {
            told.set(()).expect("it is waited for");
            let cancelled = catch_cancelled(pending::<()>()).await.unwrap_err();
            assert_eq!(cancelled.message(), Some("from the top"));
            cancelled.reraise::<usize>().await
        });
        begun.await;
        // The request goes down the whole tower, and its answer up again.
        tower.cancel_with("from the top");
        assert!(tower.outcome().await.unwrap_err().is_cancelled());
    });
}

#[test]
fn a_tower_of_waits_is_dropped_with_its_runtime() {
    for kind in KINDS {
        guarded(&format!("{kind:?}"), move || {
            let (runtime, problems) = runtime(kind);
            let drops = Counter::new();
            let held = drops.on_drop();
            runtime.block_on(runtime.handle().spawn(async move {
                drop(nest(DEPTH, async move {
                    let _held = held;
                    pending().await
                }));
                yield_now().await;
            }));
            drop(runtime);
            assert_eq!(drops.get(), 1);
            problems.expect_none();
        });
    }
}

/// A value that owns the handle of the task that owns the next one: dropped from the outside, or let go link by link.
#[test]
fn a_chain_of_outputs_that_own_tasks_is_dropped() {
    struct Link {
        _next: Option<Task<Self>>,
        _held: Option<tasca_tests::DropCount>,
    }
    // Drops are nested here as in a list of boxes, so the depth is a modest one.
    let depth = 500;
    tasca_tests::on_each(&KINDS, |_| async move {
        let drops = Counter::new();
        let mut chain = None;
        for _ in 0..depth {
            let (next, held) = (chain.take(), drops.on_drop());
            let task = spawn(async move {
                Link {
                    _next: next,
                    _held: Some(held),
                }
            });
            task.finished().await;
            chain = Some(task);
        }
        assert_eq!(drops.get(), 0);
        drop(chain);
        assert_eq!(drops.get(), depth);
    });
}

/// Every one of them is cancelled where it waits, cleans up with an await, and ends cancelled.
#[test]
fn a_million_cancelled_tasks_clean_up() {
    const N_AT_ONCE: usize = 10_000;
    const N_ROUNDS: usize = scaled(10, 100);
    tasca_tests::on_each(
        &[
            Kind::MultiThread(1),
            Kind::MultiThread(4),
            Kind::CurrentThread,
        ],
        |_| async {
            let (begun, cleaned) = (Counter::new(), Counter::new());
            for _ in 0..N_ROUNDS {
                let n_before = begun.get();
                let tasks: Vec<Task<()>> = (0..N_AT_ONCE)
                    .map(|_| {
                        let (begun, cleaned) = (begun.clone(), cleaned.clone());
                        spawn(finally(
                            async move {
                                begun.add();
                                pending::<()>().await;
                            },
                            async move {
                                yield_now().await;
                                cleaned.add();
                            },
                        ))
                    })
                    .collect();
                while begun.get() < n_before + N_AT_ONCE {
                    yield_now().await;
                }
                for task in &tasks {
                    assert!(task.cancel());
                }
                for task in tasks {
                    assert!(task.outcome().await.unwrap_err().is_cancelled());
                }
            }
            assert_eq!(cleaned.get(), N_AT_ONCE * N_ROUNDS);
            // The task of `block_on` comes when it comes.
            let left: Vec<_> = all_tasks()
                .into_iter()
                .filter(|task| task.spawned_at().file() == file!())
                .collect();
            assert!(left.is_empty(), "{left:?}");
        },
    );
}

/// A task that never lets go of its worker beside timers, sockets and other tasks: those go on while it runs.
#[test]
fn a_future_that_never_yields_holds_up_nobody_else() {
    for kind in [
        Kind::MultiThread(1),
        Kind::MultiThread(2),
        Kind::MultiThread(64),
    ] {
        guarded(&format!("{kind:?}"), move || {
            let (runtime, _problems) = runtime(kind);
            let (begun, stop) = (Gate::new(), Gate::new());
            let (told, seen) = (begun.clone(), stop.clone());
            let endless = runtime.handle().spawn(async move {
                told.open();
                while !seen.is_open() {
                    std::hint::spin_loop();
                }
            });
            begun.wait();
            runtime.block_on(runtime.handle().spawn(async {
                for _ in 0..20 {
                    sleep(Duration::from_micros(100)).await;
                    assert_eq!(spawn(async { 1 }).await, 1);
                    assert_eq!(spawn_blocking(|| 2).await, 2);
                }
            }));
            assert!(!endless.is_finished());
            stop.open();
            runtime.block_on(endless);
        });
    }
}

/// Library waits that are always ready: a task that awaits nothing else still lets others run.
#[test]
fn a_task_that_always_finds_something_ready_takes_its_turns() {
    for kind in [Kind::MultiThread(1), Kind::CurrentThread] {
        guarded(&format!("{kind:?}"), move || {
            let (runtime, _problems) = runtime(kind);
            let stop = Gate::new();
            let seen = stop.clone();
            let greedy = runtime.handle().spawn(async move {
                let queue = tasca::sync::Queue::<u32>::unbounded();
                let lock = tasca::sync::Lock::new(0_u64);
                while !seen.is_open() {
                    queue.put(1).await.expect("it is open");
                    assert_eq!(queue.get().await, Ok(1));
                    *lock.lock().await += 1;
                }
            });
            runtime.block_on(runtime.handle().spawn(async move {
                for _ in 0..20 {
                    yield_now().await;
                }
                stop.open();
            }));
            runtime.block_on(greedy);
        });
    }
}

/// What waits behind a task that wakes itself has its turns, also where polls are so long that it is put out for other workers to
/// take, and none comes: there is none, or all are as busy.
#[test]
fn a_task_of_long_polls_that_never_rests_lets_others_have_their_turns() {
    const POLL: Duration = Duration::from_micros(300);
    for (kind, n_greedy) in [
        (Kind::CurrentThread, 1),
        (Kind::MultiThread(1), 1),
        (Kind::MultiThread(2), 4),
    ] {
        guarded(&format!("{kind:?}"), move || {
            let (runtime, _problems) = runtime(kind);
            let stop = Gate::new();
            let greedy: Vec<_> = (0..n_greedy)
                .map(|_| {
                    let seen = stop.clone();
                    runtime.handle().spawn(async move {
                        while !seen.is_open() {
                            let began = Instant::now();
                            while began.elapsed() < POLL {
                                std::hint::spin_loop();
                            }
                            yield_now().await;
                        }
                    })
                })
                .collect();
            runtime.block_on(runtime.handle().spawn(async move {
                for _ in 0..20 {
                    yield_now().await;
                }
                stop.open();
            }));
            for task in greedy {
                runtime.block_on(task);
            }
        });
    }
}

/// Ends in the middle of: spawns without end, a thousand timers, a full pool, nested clean-up, blocked workers; from several
/// threads at once.
#[test]
fn a_runtime_ends_in_the_middle_of_everything() {
    for kind in [
        Kind::MultiThread(1),
        Kind::MultiThread(2),
        Kind::MultiThread(64),
    ] {
        guarded(&format!("{kind:?}"), move || {
            let (runtime, _problems) = runtime(kind);
            let (drops, begun) = (Counter::new(), Gate::new());
            let n_held = 1200;
            for n in 0..1000 {
                let held = drops.on_drop();
                drop(runtime.handle().spawn(async move {
                    let _held = held;
                    loop {
                        sleep(Duration::from_micros(100 + n)).await;
                    }
                }));
            }
            for _ in 0..100 {
                let held = drops.on_drop();
                drop(runtime.handle().spawn(async move {
                    let _held = held;
                    finally(pending::<()>(), pending::<()>()).await;
                }));
                let held = drops.on_drop();
                let (told, handle) = (begun.clone(), Handle::clone(&runtime.handle()));
                drop(runtime.handle().spawn(async move {
                    let _held = held;
                    loop {
                        told.open();
                        drop(spawn(pending::<()>()));
                        drop(handle.spawn(yield_now()));
                        drop(spawn_blocking(std::thread::yield_now));
                        yield_now().await;
                    }
                }));
            }
            begun.wait();
            // From outside, too, while it ends.
            let handle = runtime.handle();
            let others: Vec<_> = (0..2)
                .map(|_| {
                    let handle = handle.clone();
                    std::thread::spawn(move || {
                        let mut n_taken = 0;
                        while !handle.spawn(yield_now()).is_cancelled() {
                            n_taken += 1;
                        }
                        n_taken
                    })
                })
                .collect();
            drop(runtime);
            assert_eq!(drops.get(), n_held);
            for other in others {
                other.join().expect("it stops once it is refused");
            }
        });
    }
}

#[test]
fn runtimes_come_and_go_by_the_thousand() {
    for n in 0..scaled(200, 1000) {
        guarded("one of a thousand runtimes", move || {
            let runtime = match n % 3 {
                0 => Runtime::builder().current_thread(),
                n => Runtime::builder().worker_threads(n),
            };
            let runtime = runtime.build().expect("a runtime can be made");
            assert_eq!(runtime.block_on(async { spawn(async { 1 }).await }), 1);
        });
    }
}
