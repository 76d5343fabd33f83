//! Runtimes: several at once, dropped anywhere, used after their end.

use std::cell::RefCell;
use std::future::pending;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use tasca::{Handle, Runtime, Trouble, promise, spawn, yield_now};
use tasca_tests::{Counter, Gate, HANG, Kind, Problems, guarded, runtime};

/// Runs `body` with a runtime of each kind, guarded against hanging; nothing may be reported.
fn with_each(body: impl Fn(Kind, Runtime) + Clone + Send + 'static) {
    for kind in Kind::ALL {
        let body = body.clone();
        guarded(&format!("{kind:?}"), move || {
            let (runtime, problems) = runtime(kind);
            body(kind, runtime);
            problems.expect_none();
        });
    }
}

#[test]
fn several_runtimes_work_side_by_side_and_together() {
    guarded("several", || {
        let (one, _) = runtime(Kind::MultiThread(2));
        let (two, _) = runtime(Kind::MultiThread(1));
        let (three, _) = runtime(Kind::CurrentThread);
        let there = two.handle();
        let sum = one.block_on(spawn_on(&one, async move {
            let theirs = there.spawn(async { thread::current().name().map(str::to_owned) });
            let ours = spawn(async { 1 });
            (ours.await, theirs.await.is_some())
        }));
        assert_eq!(sum, (1, true));
        // A wait for one runtime's task inside another, which is cancelled from there.
        let task = one.handle().spawn(pending::<()>());
        let shadow = task.task_ref();
        let error = three.block_on(async {
            let waiter = spawn(task.outcome());
            yield_now().await;
            shadow.cancel_with("across");
            waiter.await.unwrap_err()
        });
        assert_eq!(error.cancel_message(), Some("across"));
    });
}

fn spawn_on<F>(runtime: &Runtime, future: F) -> tasca::Task<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    runtime.handle().spawn(future)
}

#[test]
fn a_runtime_is_found_on_the_threads_that_are_in_it() {
    assert!(Handle::try_current().is_none());
    with_each(|_, runtime| {
        let handle = runtime.handle();
        {
            let _entered = handle.enter();
            let task = spawn(async { Handle::try_current().is_some() });
            assert!(Handle::current().block_on(task));
        }
        assert!(Handle::try_current().is_none());
        assert!(runtime.block_on(async { Handle::try_current().is_some() }));
    });
}

#[test]
fn entered_runtimes_nest() {
    let (one, two) = (Runtime::new().unwrap(), Runtime::new().unwrap());
    let (first, second) = (one.handle(), two.handle());
    let _outer = first.enter();
    let before = format!("{:?}", Handle::current());
    {
        let _inner = second.enter();
        assert!(format!("{:?}", Handle::current()) == format!("{second:?}"));
    }
    assert_eq!(format!("{:?}", Handle::current()), before);
}

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
        assert_eq!(error.cancel_message(), Some("spawned on a runtime that has shut down"));
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
        let call = runtime.handle().call_later(Duration::from_secs(3600), move || drop(held));
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
            ended.recv_timeout(HANG).expect("the drop does not wait for its own task");
            assert!(futures::executor::block_on(other.outcome()).unwrap_err().is_cancelled());
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
            ended.recv_timeout(HANG).expect("the drop does not wait for itself");
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
        let task = tasca::Task::builder().on(runtime.handle()).name("stuck").spawn(async move {
            begun.open();
            behind.wait();
        });
        started.wait();
        let began = Instant::now();
        runtime.shutdown_timeout(Duration::from_millis(30));
        assert!(began.elapsed() >= Duration::from_millis(30), "it was waited for");
        let reports = problems.wait(1);
        assert_eq!(reports[0].trouble, Trouble::Shutdown);
        let text = reports[0].text.as_deref().unwrap_or_default();
        assert!(text.contains("1 tasks did not end in time") && text.contains("name='stuck'"), "{text}");
        gate.open();
        // Its poll comes to an end, and with it the task.
        drop(futures::executor::block_on(task.outcome()));
        problems.expect_none();
    });
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
        for kind in [Kind::MultiThread(1), Kind::MultiThread(4), Kind::CurrentThread] {
            let (runtime, problems) = runtime(kind);
            let task = runtime.handle().spawn(pending::<()>());
            runtime.shutdown_timeout(Duration::ZERO);
            // Ended, or reported: never silently left.
            let left = problems.take();
            assert!(task.is_cancelled() || !left.is_empty(), "{left:?}");
        }
    });
}

#[test]
fn block_on_borrows_and_takes_futures_that_are_not_send() {
    with_each(|_, runtime| {
        let words = ["a".to_owned(), "b".to_owned()];
        let shared = std::rc::Rc::new(1);
        let total = runtime.block_on(async {
            let child = spawn(async { 2 });
            words.len() + *shared + child.await
        });
        assert_eq!(total, 5);
        drop(words);
    });
}

#[test]
fn block_on_from_many_threads_at_once() {
    guarded("many block_on", || {
        let (runtime, problems) = runtime(Kind::MultiThread(2));
        let runtime = Arc::new(runtime);
        let threads: Vec<_> = (0..8_u64)
            .map(|index| {
                let runtime = Arc::clone(&runtime);
                thread::spawn(move || {
                    for round in 0..100 {
                        let sum = runtime.block_on(async {
                            let task = spawn(async move {
                                yield_now().await;
                                index
                            });
                            task.await + round
                        });
                        assert_eq!(sum, index + round);
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        problems.expect_none();
    });
}

#[test]
fn tasks_of_a_runtime_on_one_thread_rest_between_two_block_ons() {
    for kind in [Kind::CurrentThread, Kind::Deterministic(0), Kind::Deterministic(4)] {
        let (runtime, _problems) = runtime(kind);
        let (promise, opened) = promise::<()>();
        let task = runtime.block_on(async {
            let task = spawn(async move {
                opened.await;
                7
            });
            yield_now().await;
            task
        });
        promise.set(()).unwrap();
        assert!(!task.is_finished(), "nobody drives it");
        assert_eq!(runtime.block_on(task), 7);
    }
}

#[test]
fn a_hundred_runtimes_come_and_go() {
    guarded("hundred", || {
        for round in 0..100 {
            let (runtime, problems) = runtime(Kind::MultiThread(1 + round % 3));
            let task = runtime.handle().spawn(async { 1 });
            if round % 2 == 0 {
                assert_eq!(runtime.block_on(task), 1);
            }
            drop(runtime);
            problems.expect_none();
        }
    });
}

#[test]
fn run_gives_mains_value_and_cleans_up_what_is_left() {
    for kind in Kind::ALL {
        guarded(&format!("{kind:?}"), move || {
            let (runtime, problems) = runtime(kind);
            let cleaned = Counter::new();
            let counted = cleaned.clone();
            let value = runtime.run(async move {
                for _ in 0..10 {
                    let counted = counted.clone();
                    drop(tasca_tests::start(tasca::finally(pending::<()>(), async move {
                        tasca::time::sleep(Duration::from_millis(1)).await;
                        counted.add();
                    })).await);
                }
                42
            });
            assert_eq!(value.unwrap(), 42);
            assert_eq!(cleaned.get(), 10, "clean-up that waits is waited for");
            problems.expect_none();
        });
    }
}

#[test]
fn run_does_not_wait_for_ever() {
    for kind in [Kind::MultiThread(2), Kind::CurrentThread, Kind::Deterministic(0)] {
        guarded(&format!("{kind:?}"), move || {
            let problems = Problems::default();
            let builder = kind.builder().exception_handler(problems.handler());
            let runtime = builder.shutdown_timeout(Duration::from_millis(20)).build().unwrap();
            let drops = Counter::new();
            let held = drops.on_drop();
            let value = runtime.run(async move {
                drop(tasca_tests::start(async move {
                    let _held = held;
                    loop {
                        // Swallows whatever comes.
                        drop(tasca::catch_cancelled(pending::<()>()).await);
                    }
                }).await);
                1
            });
            assert_eq!(value.unwrap(), 1);
            assert_eq!(drops.get(), 1, "dropped where it was");
        });
    }
}

#[test]
fn run_says_that_main_was_cancelled_and_passes_its_panic_on() {
    for kind in Kind::ALL {
        let (cancelled, _problems) = runtime(kind);
        let error = cancelled.run(async {
            tasca::current_task().unwrap().cancel_with("by itself");
            pending::<()>().await;
        });
        let error = error.unwrap_err();
        assert!(error.is_cancelled() && !error.is_interrupted());
        assert_eq!(error.cancel_message(), Some("by itself"));
        assert_eq!(error.to_string(), "main was cancelled: by itself");

        let (panicking, _problems) = runtime(kind);
        let text = tasca_tests::panic_of(|| panicking.run(async { panic!("main failed") }));
        assert_eq!(text, "main failed");
    }
    assert_eq!(tasca::run(async { spawn(async { 3 }).await }).unwrap(), 3);
}
