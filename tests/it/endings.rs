//! The end of a runtime: dropped anywhere, at any time, and used afterwards.

use std::cell::RefCell;
use std::future::pending;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use tasca::{Runtime, Trouble, spawn, yield_now};
use tasca_tests::{Counter, Gate, HANG, Kind, Problems, guarded, panic_of, runtime, with_each};

#[test]
fn a_drop_drops_every_task_where_it_is() {
    with_each(|_, runtime| {
        let (drops, ran) = (Counter::new(), Counter::new());
        for index in 0..100_u32 {
            let (held, counted) = (drops.on_drop(), ran.clone());
            drop(runtime.handle().spawn(async move {
                let _held = held;
                match index % 4 {
                    0 => pending().await,
                    1 => tasca::time::sleep(Duration::from_secs(3600)).await,
                    2 => loop {
                        yield_now().await;
                    },
                    _ => {
                        // Clean-up is for `run`: a drop unwinds, and awaits nothing.
                        tasca::finally(pending::<()>(), async move { counted.add() }).await;
                    }
                }
            }));
        }
        runtime.block_on(yield_now());
        drop(runtime);
        assert_eq!((drops.get(), ran.get()), (100, 0));
    });
}

#[test]
fn an_end_cancels_for_those_who_wait_elsewhere() {
    with_each(|_, runtime| {
        let task = runtime.handle().spawn(pending::<()>());
        let queued = runtime.handle().spawn(async {});
        let waiter = thread::spawn(move || futures::executor::block_on(task.outcome()));
        drop(runtime);
        assert!(waiter.join().unwrap().unwrap_err().is_cancelled());
        assert!(queued.is_finished());
    });
}

#[test]
fn tasks_that_are_spawned_by_a_drop_at_the_end_are_refused() {
    struct Spawns(Counter);
    impl Drop for Spawns {
        fn drop(&mut self) {
            let held = self.0.on_drop();
            drop(spawn(async move {
                let _held = held;
                unreachable!("the runtime is ending");
            }));
        }
    }
    with_each(|_, runtime| {
        let drops = Counter::new();
        let spawns = Spawns(drops.clone());
        drop(runtime.handle().spawn(async move {
            let _spawns = spawns;
            pending::<()>().await;
        }));
        drop(runtime);
        assert_eq!(drops.get(), 1);
    });
}

#[test]
fn a_task_spawned_after_the_end_is_cancelled_and_says_why() {
    with_each(|_, runtime| {
        let handle = runtime.handle();
        drop(runtime);
        let polls = Counter::new();
        let counted = polls.clone();
        let task = handle.spawn(async move { counted.add() });
        assert!(task.is_finished() && task.is_cancelled());
        let error = futures::executor::block_on(task.outcome()).unwrap_err();
        assert_eq!(
            error.cancel_message(),
            Some("spawned on a runtime that has shut down")
        );
        assert_eq!(polls.get(), 0);
        let call = handle.call_soon(|| unreachable!("there is no loop"));
        assert!(call.is_cancelled());
        let later = handle.call_later(Duration::ZERO, || unreachable!("there is no loop"));
        drop(later);
        assert!(handle.all_tasks().is_empty());
        assert!(handle.time() <= handle.time());
    });
}

#[test]
fn a_timer_that_is_left_at_the_end_is_dropped_with_what_it_holds() {
    with_each(|_, runtime| {
        let drops = Counter::new();
        let held = drops.on_drop();
        let call = runtime
            .handle()
            .call_later(Duration::from_secs(3600), move || drop(held));
        drop(runtime);
        assert_eq!(drops.get(), 1);
        assert!(call.is_cancelled());
        call.cancel();
    });
}

#[test]
fn a_runtime_is_dropped_inside_its_own_task() {
    for kind in [Kind::MultiThread(1), Kind::MultiThread(4)] {
        guarded(&format!("{kind:?}"), move || {
            let (runtime, problems) = runtime(kind);
            let (sender, ended) = mpsc::channel();
            let handle = runtime.handle();
            let others = Counter::new();
            let held = others.on_drop();
            let other = handle.spawn(async move {
                let _held = held;
                pending::<()>().await;
            });
            drop(handle.spawn(async move {
                yield_now().await;
                drop(runtime);
                sender.send(()).unwrap();
                yield_now().await;
                unreachable!("the task ends at its next await, as all others do");
            }));
            ended
                .recv_timeout(HANG)
                .expect("the drop does not wait for its own task");
            assert!(
                futures::executor::block_on(other.outcome())
                    .unwrap_err()
                    .is_cancelled()
            );
            assert_eq!(others.get(), 1);
            problems.expect_none();
        });
    }
}

#[test]
fn a_runtime_is_dropped_inside_its_own_block_on() {
    for kind in Kind::ALL {
        guarded(&format!("{kind:?}"), move || {
            let (runtime, problems) = runtime(kind);
            let handle = runtime.handle();
            let task = handle.spawn(pending::<()>());
            let value = handle.block_on(async move {
                drop(runtime);
                task.outcome().await.is_err()
            });
            assert!(value);
            problems.expect_none();
        });
    }
}

#[test]
fn a_runtime_is_dropped_inside_a_callback_of_its_own() {
    for kind in [Kind::MultiThread(1), Kind::MultiThread(2)] {
        guarded(&format!("{kind:?}"), move || {
            let (runtime, problems) = runtime(kind);
            let handle = runtime.handle();
            let (sender, ended) = mpsc::channel();
            handle.call_soon(move || {
                drop(runtime);
                sender.send(()).unwrap();
            });
            ended
                .recv_timeout(HANG)
                .expect("the drop does not wait for itself");
            problems.expect_none();
        });
    }
}

#[test]
fn a_runtime_is_dropped_inside_a_task_of_another() {
    for kind in Kind::ALL {
        guarded(&format!("{kind:?}"), move || {
            let (outer, outer_problems) = runtime(Kind::MultiThread(2));
            let (inner, problems) = runtime(kind);
            let task = inner.handle().spawn(pending::<()>());
            outer.block_on(outer.handle().spawn(async move { drop(inner) }));
            assert!(task.is_cancelled());
            problems.expect_none();
            drop(outer);
            outer_problems.expect_none();
        });
    }
}

#[test]
fn a_runtime_is_dropped_by_the_destructor_of_a_thread_local() {
    thread_local!(static KEPT: RefCell<Option<Runtime>> = const { RefCell::new(None) });
    for kind in Kind::ALL {
        guarded(&format!("{kind:?}"), move || {
            let (runtime, problems) = runtime(kind);
            let drops = Counter::new();
            let held = drops.on_drop();
            drop(runtime.handle().spawn(async move {
                let _held = held;
                pending::<()>().await;
            }));
            let thread = thread::spawn(move || {
                runtime.block_on(yield_now());
                KEPT.set(Some(runtime));
            });
            thread.join().expect("the destructor does not panic");
            assert_eq!(drops.get(), 1);
            problems.expect_none();
        });
    }
}

#[test]
fn a_runtime_is_dropped_on_another_thread_while_it_is_busy() {
    guarded("busy", || {
        for round in 0..20 {
            let (runtime, problems) = runtime(Kind::MultiThread(1 + round % 4));
            let handle = runtime.handle();
            let stop = Gate::new();
            let spawners: Vec<_> = (0..2)
                .map(|_| {
                    let (handle, stop) = (handle.clone(), stop.clone());
                    thread::spawn(move || {
                        while !stop.is_open() {
                            let child = handle.spawn(async {
                                yield_now().await;
                                tasca::time::sleep(Duration::from_micros(10)).await;
                            });
                            drop(handle.spawn(child));
                        }
                    })
                })
                .collect();
            runtime.block_on(yield_now());
            thread::spawn(move || drop(runtime)).join().unwrap();
            stop.open();
            for spawner in spawners {
                spawner.join().unwrap();
            }
            problems.expect_none();
        }
    });
}

#[test]
fn an_end_waits_for_polls_a_bounded_time_and_reports_what_is_left() {
    guarded("bounded", || {
        let problems = Problems::default();
        let runtime = Runtime::builder()
            .worker_threads(2)
            .exception_handler(problems.handler())
            .build()
            .unwrap();
        let (gate, started) = (Gate::new(), Gate::new());
        let (behind, begun) = (gate.clone(), started.clone());
        let task = tasca::Task::builder()
            .on(runtime.handle())
            .name("stuck")
            .spawn(async move {
                begun.open();
                behind.wait();
            });
        started.wait();
        let began = Instant::now();
        runtime.shutdown_timeout(Duration::from_millis(30));
        assert!(
            began.elapsed() >= Duration::from_millis(30),
            "it was waited for"
        );
        let reports = problems.wait(1);
        assert_eq!(reports[0].trouble, Trouble::Shutdown);
        let text = reports[0].text.as_deref().unwrap_or_default();
        assert!(
            text.contains("1 tasks did not end in time")
                && text.contains("task 'stuck' spawned at"),
            "{text}"
        );
        gate.open();
        // Its poll comes to an end, and with it the task.
        drop(futures::executor::block_on(task.outcome()));
        problems.expect_none();
    });
}

#[test]
fn a_block_on_elsewhere_ends_with_a_runtime_that_it_drives() {
    for kind in [Kind::CurrentThread, Kind::Deterministic(0)] {
        guarded(&format!("{kind:?}"), move || {
            let (runtime, problems) = runtime(kind);
            let (handle, begun, drops) = (runtime.handle(), Gate::new(), Counter::new());
            let (begins, held) = (begun.clone(), drops.on_drop());
            let other = thread::spawn(move || {
                panic_of(|| {
                    handle.block_on(async move {
                        let _held = held;
                        begins.open();
                        pending::<()>().await;
                    });
                })
            });
            begun.wait();
            drop(runtime);
            let text = other.join().unwrap();
            assert!(text.contains("the runtime has ended"), "{text}");
            assert_eq!(drops.get(), 1);
            problems.expect_none();
        });
    }
}

#[test]
fn an_end_waits_for_a_poll_that_ends_in_time() {
    guarded("in time", || {
        let (runtime, problems) = runtime(Kind::MultiThread(2));
        let (started, finished) = (Gate::new(), Counter::new());
        let (begun, counted) = (started.clone(), finished.clone());
        let release = Gate::new();
        let behind = release.clone();
        drop(runtime.handle().spawn(async move {
            begun.open();
            behind.wait();
            counted.add();
            Counter::new()
        }));
        started.wait();
        let opener = thread::spawn(move || release.open());
        drop(runtime);
        opener.join().unwrap();
        assert_eq!(finished.get(), 1);
        problems.expect_none();
    });
}

#[test]
fn an_end_without_patience_waits_for_nothing_that_blocks() {
    guarded("no patience", || {
        for kind in [
            Kind::MultiThread(1),
            Kind::MultiThread(4),
            Kind::CurrentThread,
        ] {
            let (runtime, problems) = runtime(kind);
            let task = runtime.handle().spawn(pending::<()>());
            runtime.shutdown_timeout(Duration::ZERO);
            // Ended, or reported: never silently left.
            let left = problems.take();
            assert!(task.is_cancelled() || !left.is_empty(), "{left:?}");
        }
    });
}
