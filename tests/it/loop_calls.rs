//! The calls of an event loop: `call_soon`, `call_later`, `call_at`, `time`, from inside and outside (rules H1-H15, D5).

use std::sync::mpsc;
use std::time::Duration;

use tasca::{Handle, promise, spawn, yield_now};
use tasca_tests::{Counter, HANG, Kind, Log, everywhere, guarded, in_order, on_each, runtime};

const MS: Duration = Duration::from_millis(1);
/// None of the tests lasts as long.
const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn call_soon_calls_soon_and_not_at_once() {
    in_order(&Kind::ONE_THREAD, |_| async {
        let log = Log::new();
        let (promise, told) = promise();
        let said = log.clone();
        Handle::current().call_soon(move || {
            said.say("called");
            promise.set(()).unwrap();
        });
        log.say("queued");
        told.await;
        assert_eq!(log.take(), ["queued", "called"]);
    });
}

#[test]
fn callbacks_on_one_thread_are_called_in_the_order_in_which_they_were_queued() {
    on_each(&[Kind::Deterministic(0), Kind::CurrentThread], |_| async {
        let log = Log::new();
        let handle = Handle::current();
        for index in 0..100 {
            let log = log.clone();
            handle.call_soon(move || log.say(index.to_string()));
        }
        let (promise, told) = promise();
        handle.call_soon(move || promise.set(()).unwrap());
        told.await;
        let expected: Vec<String> = (0..100).map(|index| index.to_string()).collect();
        assert_eq!(log.take(), expected);
    });
}

#[test]
fn a_cancelled_callback_is_not_called_and_is_dropped() {
    everywhere(|_| async {
        let (calls, drops) = (Counter::new(), Counter::new());
        let handle = Handle::current();
        for timed in [true, false] {
            let (counted, held) = (calls.clone(), drops.on_drop());
            let callback = move || {
                let _held = held;
                counted.add();
            };
            let call = if timed {
                handle.call_later(HOUR, callback)
            } else {
                handle.call_soon(callback)
            };
            if timed {
                assert!(!call.is_cancelled());
            }
            call.cancel();
            call.cancel();
            if timed {
                assert!(call.is_cancelled());
            }
        }
        while drops.get() < 2 {
            yield_now().await;
        }
        // A call_soon may have been quicker than its cancel where there is more than one thread.
        assert!(calls.get() <= usize::from(handle.n_workers() > 1));
    });
}

#[test]
fn callbacks_in_time_are_called_at_their_deadlines_and_in_their_order() {
    in_order(
        &[
            Kind::Deterministic(0),
            Kind::CurrentThread,
            Kind::MultiThread(1),
        ],
        |_| async {
            let handle = Handle::current();
            let began = handle.time();
            let (sender, calls) = mpsc::channel();
            for delay in [5, 1, 3, 2, 4] {
                let (clock, sender) = (handle.clone(), sender.clone());
                let call = handle.call_at(began + delay * MS, move || {
                    sender.send((delay, clock.time())).unwrap();
                });
                assert_eq!(call.when(), Some(began + delay * MS));
            }
            let (promise, told) = promise();
            handle.call_later(8 * MS, move || promise.set(()).unwrap());
            told.await;
            let mut last = 0;
            for (delay, at) in calls.try_iter() {
                assert!(at >= began + delay * MS, "never early");
                assert_eq!(delay, last + 1);
                last = delay;
            }
            assert_eq!(last, 5);
            assert!(handle.call_soon(|| ()).when().is_none());
        },
    );
}

#[test]
fn equal_deadlines_go_in_the_order_of_arming_and_past_ones_come_soon() {
    on_each(&[Kind::Deterministic(0)], |_| async {
        let handle = Handle::current();
        let deadline = handle.time() + 10 * MS;
        let log = Log::new();
        for index in 0..10 {
            let log = log.clone();
            handle.call_at(deadline, move || log.say(index.to_string()));
        }
        let past = log.clone();
        handle.call_at(handle.time() - 5 * MS, move || past.say("past"));
        let zero = log.clone();
        handle.call_later(Duration::ZERO, move || zero.say("zero"));
        tasca::time::sleep(20 * MS).await;
        let expected = [
            "past", "zero", "0", "1", "2", "3", "4", "5", "6", "7", "8", "9",
        ];
        assert_eq!(log.take(), expected);
    });
}

#[test]
fn a_dropped_handle_of_a_timed_callback_changes_nothing() {
    everywhere(|_| async {
        let (promise, told) = promise();
        drop(Handle::current().call_later(MS, move || promise.set(1).unwrap()));
        assert_eq!(told.await, 1);
        // A clone outlives the first one, and still cancels.
        let (calls, drops) = (Counter::new(), Counter::new());
        let (counted, held) = (calls.clone(), drops.on_drop());
        let call = Handle::current().call_later(HOUR, move || {
            let _held = held;
            counted.add();
        });
        let clone = call.clone();
        drop(call);
        clone.cancel();
        while drops.get() == 0 {
            yield_now().await;
        }
        assert_eq!(calls.get(), 0);
    });
}

#[test]
fn a_delay_without_end_never_comes() {
    everywhere(|_| async {
        let call = Handle::current().call_later(Duration::MAX, || unreachable!("never"));
        yield_now().await;
        assert!(!call.is_cancelled());
        call.cancel();
        assert!(call.is_cancelled());
    });
}

#[test]
fn other_threads_queue_callbacks_and_tasks() {
    guarded("other threads queue callbacks and tasks", || {
        for kind in [Kind::MultiThread(1), Kind::MultiThread(4)] {
            let (runtime, problems) = runtime(kind);
            let handle = runtime.handle();
            let (sender, called) = mpsc::channel();
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    let (handle, sender) = (handle.clone(), sender.clone());
                    scope.spawn(move || {
                        for _ in 0..100 {
                            let told = sender.clone();
                            handle.call_soon_threadsafe(move || told.send(()).unwrap());
                            let told = sender.clone();
                            drop(handle.spawn(async move { told.send(()).unwrap() }));
                        }
                    });
                }
            });
            for _ in 0..800 {
                called.recv_timeout(HANG).expect("everything is called");
            }
            problems.expect_none();
        }
    });
}

#[test]
fn a_runtime_on_one_thread_hears_of_what_other_threads_queue() {
    guarded(
        "a runtime on one thread hears of what other threads queue",
        || {
            for kind in [Kind::CurrentThread, Kind::Deterministic(0)] {
                let (runtime, _problems) = runtime(kind);
                let handle = runtime.handle();
                runtime.block_on(async {
                    for _ in 0..50 {
                        let (promise, told) = promise();
                        let handle = handle.clone();
                        let thread = std::thread::spawn(move || {
                            handle.call_soon_threadsafe(move || promise.set(()).unwrap());
                        });
                        told.await;
                        thread.join().unwrap();
                    }
                });
            }
        },
    );
}

#[test]
fn a_callback_may_spawn_and_queue() {
    everywhere(|_| async {
        let (promise, told) = promise();
        Handle::current().call_soon(move || {
            let handle = Handle::current();
            drop(spawn(async move {
                handle.call_later(MS, move || promise.set("deep").unwrap());
            }));
        });
        assert_eq!(told.await, "deep");
    });
}

#[test]
fn the_clock_goes_forward() {
    everywhere(|_| async {
        let handle = Handle::current();
        let before = handle.time();
        tasca::time::sleep(2 * MS).await;
        assert!(handle.time() >= before + 2 * MS);
    });
}
