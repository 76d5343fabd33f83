//! The deterministic runtime: a seed is a schedule (rules H1-H6).

use std::collections::HashSet;
use std::time::{Duration, Instant};

use tasca::time::sleep;
use tasca::{Handle, Task, catch_cancelled, promise, spawn, yield_now};
use tasca_tests::{Kind, Log, guarded, runtime};

/// A program with many orders: tasks that yield, sleep, join, are cancelled, and call back.
fn trace(seed: u64) -> Vec<String> {
    let (runtime, problems) = runtime(Kind::Deterministic(seed));
    let log = Log::new();
    let said = log.clone();
    runtime
        .run(async move {
            let began = Handle::current().time();
            let mut tasks: Vec<Task<()>> = Vec::new();
            for index in 0..6_u32 {
                let log = said.clone();
                let task = spawn(async move {
                    for step in 0..3 {
                        log.say(format!("{index}.{step}"));
                        yield_now().await;
                    }
                    let nap = sleep(Duration::from_millis(u64::from(index % 3) * 10));
                    if let Err(cancelled) = catch_cancelled(nap).await {
                        log.say(format!("{index} caught {cancelled}"));
                        yield_now().await;
                    }
                    log.say(format!("{index} at {:?}", Handle::current().time() - began));
                });
                let log = said.clone();
                task.add_done_callback(move |task| log.say(format!("done {}", task.name())));
                tasks.push(task);
            }
            sleep(Duration::from_millis(5)).await;
            tasks[5].cancel_with("five");
            for task in tasks {
                task.await;
            }
        })
        .unwrap();
    problems.expect_none();
    log.take()
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    for seed in 0..20 {
        assert_eq!(trace(seed), trace(seed), "seed {seed}");
    }
    assert_eq!(trace(u64::MAX), trace(u64::MAX));
}

#[test]
fn other_seeds_give_other_orders_of_the_same_events() {
    let traces: HashSet<Vec<String>> = (0..20).map(trace).collect();
    assert!(traces.len() > 10, "{} orders", traces.len());
    // What is not a matter of order is the same in all of them.
    let mut expected = trace(0);
    expected.sort();
    for seed in 1..20 {
        let mut events = trace(seed);
        events.sort();
        assert_eq!(events, expected, "seed {seed}");
    }
}

#[test]
fn no_seed_reorders_what_one_step_has_queued_nor_timers() {
    for seed in 0..20 {
        let (runtime, _problems) = runtime(Kind::Deterministic(seed));
        let log = Log::new();
        runtime.block_on(async {
            let (promise, told) = promise::<()>();
            let told = told.into_shared();
            let tasks: Vec<_> = (0..5)
                .map(|index| {
                    let (log, told) = (log.clone(), told.clone());
                    spawn(async move {
                        log.say(format!("{index} begins"));
                        (&*told).await;
                        log.say(format!("{index} is told"));
                        sleep(Duration::from_millis(3)).await;
                        log.say(format!("{index} wakes"));
                    })
                })
                .collect();
            sleep(Duration::from_millis(1)).await;
            promise.set(()).unwrap();
            for task in tasks {
                task.await;
            }
        });
        let steps = ["begins", "is told", "wakes"];
        let in_order = |step| (0..5).map(move |index| format!("{index} {step}"));
        let expected: Vec<String> = steps.into_iter().flat_map(in_order).collect();
        assert_eq!(log.take(), expected, "seed {seed}");
    }
}

#[test]
fn a_trace_does_not_depend_on_the_load_of_the_machine() {
    let expected = trace(11);
    std::thread::scope(|scope| {
        let stop = tasca_tests::Gate::new();
        for _ in 0..4 {
            let stop = stop.clone();
            scope.spawn(move || {
                while !stop.is_open() {
                    std::hint::spin_loop();
                }
            });
        }
        let traces: Vec<_> = (0..20).map(|_| trace(11)).collect();
        stop.open();
        assert!(traces.iter().all(|trace| *trace == expected));
    });
}

#[test]
fn seed_zero_is_first_come_first_served() {
    let (runtime, _problems) = runtime(Kind::Deterministic(0));
    let log = Log::new();
    runtime.block_on(async {
        let tasks: Vec<_> = (0..3)
            .map(|index| {
                let log = log.clone();
                spawn(async move {
                    for step in 0..3 {
                        log.say(format!("{index}.{step}"));
                        yield_now().await;
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await;
        }
    });
    let expected = [
        "0.0", "1.0", "2.0", "0.1", "1.1", "2.1", "0.2", "1.2", "2.2",
    ];
    assert_eq!(log.take(), expected);
}

#[test]
fn a_million_virtual_seconds_take_no_time() {
    guarded("virtual time", || {
        let (runtime, _problems) = runtime(Kind::Deterministic(0));
        let real = Instant::now();
        runtime.block_on(async {
            for _ in 0..1000 {
                sleep(Duration::from_secs(1000)).await;
            }
        });
        assert!(real.elapsed() < Duration::from_secs(1000));
    });
}

#[test]
fn what_other_threads_do_is_waited_for() {
    guarded("outside", || {
        let (runtime, _problems) = runtime(Kind::Deterministic(1));
        let value = runtime.block_on(async {
            let (promise, told) = promise();
            let thread = std::thread::spawn(move || promise.set(5).unwrap());
            let value = told.await;
            thread.join().unwrap();
            value
        });
        assert_eq!(value, 5);
    });
}
