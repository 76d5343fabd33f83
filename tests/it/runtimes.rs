//! Runtimes: several at once, entered, in `block_on` and in `run`.

use std::future::pending;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tasca::{Handle, Runtime, promise, spawn, yield_now};
use tasca_tests::{Counter, Kind, Log, Problems, guarded, in_order, runtime, start, with_each};

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
fn on_one_worker_a_woken_task_overtakes_nobody() {
    let kinds = [
        Kind::MultiThread(1),
        Kind::CurrentThread,
        Kind::Deterministic(0),
    ];
    in_order(&kinds, |_| async {
        let log = Log::new();
        let say = |line| {
            let log = log.clone();
            async move { log.say(line) }
        };
        let (first, second) = (promise::<()>(), promise::<()>());
        let waiter = |told: tasca::Task<()>, said| async move {
            told.await;
            said.await;
        };
        let sleepers = [
            start(waiter(first.1, say("woken"))).await,
            start(waiter(second.1, say("woken last"))).await,
        ];
        let before = spawn(say("spawned before"));
        first.0.set(()).unwrap();
        let after = spawn(say("spawned after"));
        second.0.set(()).unwrap();
        yield_now().await;
        log.say("yielded");
        for task in sleepers.into_iter().chain([before, after]) {
            task.await;
        }
        let order = [
            "spawned before",
            "woken",
            "spawned after",
            "woken last",
            "yielded",
        ];
        assert_eq!(log.take(), order);
    });
}

/// Where polls are long a worker puts what is queued out for others; if nobody comes, it has its turn all the same.
#[test]
fn on_one_worker_what_is_offered_to_others_is_not_overtaken() {
    const N: usize = 6;
    let spin = || {
        let began = Instant::now();
        while began.elapsed() < Duration::from_micros(60) {
            std::hint::spin_loop();
        }
    };
    in_order(
        &[Kind::MultiThread(1), Kind::CurrentThread],
        |_| async move {
            // The worker measures its polls.
            for _ in 0..20 {
                spin();
                yield_now().await;
            }
            let order = Arc::new(Mutex::new(Vec::new()));
            let parents: Vec<_> = (0..N)
                .map(|n| {
                    let order = Arc::clone(&order);
                    spawn(async move {
                        spin();
                        order.lock().push(n);
                        spawn(async move {
                            spin();
                            order.lock().push(N + n);
                        })
                        .await;
                    })
                })
                .collect();
            for parent in parents {
                parent.await;
            }
            assert_eq!(*order.lock(), (0..2 * N).collect::<Vec<_>>());
        },
    );
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
#[expect(
    clippy::async_yields_async,
    reason = "the task outlives the block that spawns it"
)]
fn tasks_of_a_runtime_on_one_thread_rest_between_two_block_ons() {
    for kind in [
        Kind::CurrentThread,
        Kind::Deterministic(0),
        Kind::Deterministic(4),
    ] {
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
    for round in 0..100 {
        guarded("one of a hundred", move || {
            let (runtime, problems) = runtime(Kind::MultiThread(1 + round % 3));
            let task = runtime.handle().spawn(async { 1 });
            if round % 2 == 0 {
                assert_eq!(runtime.block_on(task), 1);
            }
            drop(runtime);
            problems.expect_none();
        });
    }
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
                    drop(
                        start(tasca::finally(pending::<()>(), async move {
                            tasca::time::sleep(Duration::from_millis(1)).await;
                            counted.add();
                        }))
                        .await,
                    );
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
    for kind in [
        Kind::MultiThread(2),
        Kind::CurrentThread,
        Kind::Deterministic(0),
    ] {
        guarded(&format!("{kind:?}"), move || {
            let problems = Problems::default();
            let builder = kind.builder().exception_handler(problems.handler());
            let runtime = builder
                .shutdown_timeout(Duration::from_millis(20))
                .stall_after(Duration::from_millis(20))
                .build()
                .unwrap();
            let drops = Counter::new();
            let held = drops.on_drop();
            let value = runtime.run(async move {
                drop(
                    start(async move {
                        let _held = held;
                        loop {
                            // Swallows whatever comes.
                            drop(tasca::catch_cancelled(pending::<()>()).await);
                        }
                    })
                    .await,
                );
                1
            });
            assert_eq!(value.unwrap(), 1);
            // Dropped where it was, by a worker that may have had no processor for as long as that.
            while drops.get() == 0 {
                thread::yield_now();
            }
            assert_eq!(drops.get(), 1);
        });
    }
}

#[test]
fn run_says_that_main_was_cancelled_and_passes_its_panic_on() {
    guarded(
        "run says that main was cancelled and passes its panic on",
        || {
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
        },
    );
}
