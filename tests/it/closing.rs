//! The end of a program: what is left is cancelled, waited for, reported (rules R2, R3, R5, R6, R7, B6, M14).

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use tasca::{
    Context, ContextVar, Handle, Runtime, Task, Trouble, catch_cancelled, finally, spawn,
    try_spawn, yield_now,
};
use tasca_tests::{Counter, Gate, Kind, Log, guarded, runtime, start, with_each};

#[test]
fn r2_what_is_left_is_cancelled_once_and_waited_for() {
    with_each(|_, runtime| {
        let log = Log::new();
        let said = log.clone();
        let value = runtime.run(async move {
            for index in 0..3 {
                let said = said.clone();
                drop(spawn(finally(pending::<()>(), async move {
                    for _ in 0..index {
                        yield_now().await;
                    }
                    said.say(format!("cleaned {index}"));
                })));
            }
            "value"
        });
        assert_eq!(value.unwrap(), "value");
        let mut said = log.take();
        said.sort();
        assert_eq!(said, ["cleaned 0", "cleaned 1", "cleaned 2"]);
    });
}

#[test]
fn r2_a_task_that_was_queued_when_main_ended_takes_its_step_first() {
    for _ in 0..12 {
        with_each(|_, runtime| {
            let (began, got) = (Counter::new(), Counter::new());
            let (begins, gets) = (began.clone(), got.clone());
            let ended = runtime.run(async move {
                let (promise, told) = tasca::promise();
                let waiter = start(async move {
                    told.await;
                    gets.add();
                    pending::<()>().await;
                });
                drop(waiter.await);
                drop(spawn(async move {
                    begins.add();
                    pending::<()>().await;
                }));
                promise.set(()).unwrap();
            });
            ended.unwrap();
            assert_eq!((began.get(), got.get()), (1, 1));
        });
    }
}

/// All are asked to stop before the first of them reacts.
#[test]
fn r2_what_one_task_gives_up_is_not_taken_by_another_that_ends_too() {
    for _ in 0..12 {
        with_each(|_, runtime| {
            let got = Counter::new();
            let gets = got.clone();
            let ended = runtime.run(async move {
                let lock = Arc::new(tasca::sync::Lock::new(()));
                let held = Arc::clone(&lock);
                let holder = start(async move {
                    let _guard = held.lock().await;
                    pending::<()>().await;
                });
                drop(holder.await);
                for _ in 0..4 {
                    let (lock, gets) = (Arc::clone(&lock), gets.clone());
                    drop(spawn(async move {
                        let _guard = lock.lock().await;
                        gets.add();
                    }));
                }
                yield_now().await;
            });
            ended.unwrap();
            assert_eq!(got.get(), 0);
        });
    }
}

#[test]
fn r3_those_that_fail_of_it_are_reported_when_all_have_ended() {
    for kind in Kind::ALL {
        guarded(&format!("{kind:?}"), move || {
            let (runtime, problems) = runtime(kind);
            let main = async {
                for index in 0..3 {
                    let body = async move {
                        drop(catch_cancelled(pending::<()>()).await);
                        if index == 1 { Ok(()) } else { Err("leak") }
                    };
                    let builder = Task::builder().name(format!("left {index}"));
                    drop(builder.try_spawn(body));
                }
                // One that had failed before is its owner's business.
                drop(try_spawn(async { Err::<(), _>("early") }).outcome().await);
            };
            runtime.run(main).unwrap();
            let reports = problems.take();
            let names: Vec<_> = reports
                .iter()
                .map(|report| (report.trouble, report.task.as_deref().unwrap()))
                .collect();
            let expected = [
                (Trouble::TaskFailed, "left 0"),
                (Trouble::TaskFailed, "left 2"),
            ];
            assert_eq!(names, expected);
        });
    }
}

#[test]
fn r5_a_task_spawned_during_the_end_is_not_waited_for_and_stays_as_it_is() {
    with_each(|_, runtime| {
        let (sender, receiver) = std::sync::mpsc::channel();
        let main = runtime.handle().spawn(async move {
            drop(spawn(finally(pending::<()>(), async move {
                sender.send(spawn(pending::<()>())).unwrap();
            })));
        });
        runtime.run_until_complete(&main).unwrap();
        assert!(runtime.cancel_tasks().is_empty());
        let late = receiver.recv().unwrap();
        assert!(!late.is_finished());
        assert_eq!(late.cancelling(), 0);
        drop(runtime);
        // Where a future is dropped, whoever waits has to be told.
        assert!(late.is_cancelled());
    });
}

#[test]
fn r6_callbacks_that_were_queued_in_time_are_called() {
    for _ in 0..12 {
        with_each(|_, runtime| {
            let called = Counter::new();
            let counted = called.clone();
            let ended = runtime.run(async move {
                let handle = Handle::current();
                let job = spawn(async {});
                let (soon, past, zero, done, next) = (
                    counted.clone(),
                    counted.clone(),
                    counted.clone(),
                    counted.clone(),
                    counted,
                );
                let again = handle.clone();
                handle.call_soon(move || {
                    soon.add();
                    again.call_soon(move || next.add());
                });
                let now = handle.time();
                handle.call_at(now - Duration::from_micros(1), move || past.add());
                handle.call_later(Duration::ZERO, move || zero.add());
                job.add_done_callback(move |_| done.add());
            });
            ended.unwrap();
            assert_eq!(called.get(), 5);
        });
    }
}

#[test]
fn r6_the_done_callback_of_a_job_that_ends_with_the_program_is_called() {
    for round in 0..64 {
        let (runtime, problems) = runtime(Kind::MultiThread(2));
        let (gate, called) = (Gate::new(), Counter::new());
        let (behind, counted) = (gate.clone(), called.clone());
        let ended = guarded("job", move || {
            runtime.run(async move {
                let job = tasca::spawn_blocking(move || behind.wait());
                job.add_done_callback(move |_| counted.add());
                gate.open();
                for _ in 0..round % 8 {
                    yield_now().await;
                }
            })
        });
        ended.unwrap();
        assert_eq!(called.get(), 1, "round {round}");
        problems.expect_none();
    }
}

#[test]
fn r7_mains_run_one_after_the_other_and_leave_tasks_to_the_next() {
    static NAME: ContextVar<&str> = ContextVar::new("name");
    with_each(|_, runtime| {
        let (handle, context) = (runtime.handle(), Context::new());
        let main = |body| {
            let builder = Task::builder().on(handle.clone());
            builder.context(context.clone()).spawn(body)
        };
        let log = Log::new();
        let (first, second) = (log.clone(), log.clone());
        let one = main(futures::FutureExt::boxed(async move {
            let _token = NAME.set("kept");
            drop(spawn(async move {
                if catch_cancelled(pending::<()>()).await.is_err() {
                    first.say("cancelled at the end");
                }
            }));
            Err::<(), _>("an error of one run")
        }));
        assert!(runtime.run_until_complete(&one).unwrap().is_err());
        let two = main(futures::FutureExt::boxed(async move {
            second.say(NAME.get().unwrap_or("lost"));
            Ok(())
        }));
        assert!(runtime.run_until_complete(&two).unwrap().is_ok());
        assert_eq!(log.take(), ["kept"]);
        assert!(runtime.cancel_tasks().is_empty());
        assert_eq!(log.take(), ["cancelled at the end"]);
    });
}

#[test]
fn r4_a_cancelled_main_gives_an_error_with_the_message() {
    with_each(|_, runtime| {
        let main = runtime.handle().spawn(pending::<()>());
        main.cancel_with("enough");
        let error = runtime.run_until_complete(&main).unwrap_err();
        assert!(error.is_cancelled() && !error.is_interrupted() && !error.is_stalled());
        assert_eq!(error.cancel_message(), Some("enough"));
    });
}

#[test]
fn a_task_that_takes_too_long_to_clean_up_is_dropped_and_reported() {
    guarded("too long", || {
        for kind in [
            Kind::MultiThread(2),
            Kind::CurrentThread,
            Kind::Deterministic(3),
        ] {
            let problems = tasca_tests::Problems::default();
            let runtime = kind
                .builder()
                .shutdown_timeout(Duration::from_millis(20))
                .exception_handler(problems.handler())
                .build()
                .unwrap();
            let drops = Counter::new();
            let held = drops.on_drop();
            let ended = runtime.run(async move {
                let body = async move {
                    let _held = held;
                    drop(catch_cancelled(pending::<()>()).await);
                    loop {
                        tasca::time::sleep(Duration::from_millis(1)).await;
                    }
                };
                drop(Task::builder().name("slow").spawn(body));
            });
            ended.unwrap();
            // By a worker that may have had no processor for as long as that, and then is reported too.
            while drops.get() == 0 {
                std::thread::yield_now();
            }
            assert_eq!(drops.get(), 1);
            let text = problems.take().swap_remove(0).text.unwrap();
            assert!(text.contains("task 'slow'"), "{text}");
        }
    });
}

#[test]
fn cancel_tasks_inside_a_task_says_what_is_wrong() {
    guarded("cancel tasks inside a task says what is wrong", || {
        let runtime = Runtime::builder().current_thread().build().unwrap();
        let inner = Runtime::builder().current_thread().build().unwrap();
        let text = runtime.block_on(async move {
            let text = tasca_tests::panic_of(|| inner.cancel_tasks());
            std::thread::spawn(move || drop(inner)).join().unwrap();
            text
        });
        assert!(text.contains("inside a task"), "{text}");
    });
}
