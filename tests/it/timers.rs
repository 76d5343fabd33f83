//! Sleeps and intervals (rules H3-H5, H9, H10, H15).

use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use tasca::time::{interval, sleep, sleep_until};
use tasca::{Handle, catch_cancelled, spawn, yield_now};
use tasca_tests::{Kind, Log, everywhere, guarded, in_order, on_each, panic_of, runtime, start};

const MS: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);
const DETERMINISTIC: [Kind; 3] = [
    Kind::Deterministic(0),
    Kind::Deterministic(1),
    Kind::Deterministic(7),
];

#[test]
fn a_sleep_is_never_too_short() {
    everywhere(|_| async {
        let handle = Handle::current();
        for delay in [
            Duration::from_nanos(1),
            Duration::from_micros(50),
            MS,
            3 * MS,
        ] {
            let began = handle.time();
            sleep(delay).await;
            assert!(handle.time() >= began + delay, "{delay:?}");
        }
    });
}

#[test]
fn virtual_time_jumps_to_the_deadline_and_no_further() {
    on_each(&DETERMINISTIC, |_| async {
        let handle = Handle::current();
        let (began, real) = (handle.time(), Instant::now());
        sleep(1000 * HOUR).await;
        assert_eq!(handle.time() - began, 1000 * HOUR);
        sleep(Duration::from_nanos(1)).await;
        assert_eq!(handle.time() - began, 1000 * HOUR + Duration::from_nanos(1));
        assert!(real.elapsed() < HOUR);
    });
}

#[test]
fn a_cancelled_sleep_does_not_move_the_clock() {
    on_each(&DETERMINISTIC, |_| async {
        let handle = Handle::current();
        let began = handle.time();
        let sleeper = start(sleep(HOUR)).await;
        yield_now().await;
        sleeper.cancel();
        assert!(sleeper.outcome().await.is_err());
        sleep(MS).await;
        assert_eq!(handle.time() - began, MS);
    });
}

#[test]
fn sleepers_wake_in_the_order_of_their_deadlines() {
    in_order(
        &[
            Kind::Deterministic(0),
            Kind::Deterministic(3),
            Kind::CurrentThread,
        ],
        |_| async {
            // Counted from one moment: the machine may do something else between two tasks.
            let (log, began) = (Log::new(), Handle::current().time());
            let tasks: Vec<_> = [40, 10, 30, 20, 50]
                .into_iter()
                .map(|delay| {
                    let log = log.clone();
                    spawn(async move {
                        sleep_until(began + delay * MS).await;
                        log.say(delay.to_string());
                    })
                })
                .collect();
            for task in tasks {
                task.await;
            }
            assert_eq!(log.take(), ["10", "20", "30", "40", "50"]);
        },
    );
}

#[test]
fn a_sleep_of_no_length_yields() {
    in_order(
        &[
            Kind::Deterministic(0),
            Kind::CurrentThread,
            Kind::MultiThread(1),
        ],
        |_| async {
            let log = Log::new();
            let other = spawn({
                let log = log.clone();
                async move { log.say("other") }
            });
            sleep(Duration::ZERO).await;
            log.say("after");
            other.await;
            sleep_until(Handle::current().time() - MS).await;
            assert_eq!(log.take(), ["other", "after"]);
        },
    );
}

#[test]
fn a_cancellation_is_delivered_at_a_sleep_of_no_length() {
    everywhere(|_| async {
        let task = spawn(async {
            tasca::current_task().unwrap().cancel_with("zero");
            catch_cancelled(sleep(Duration::ZERO))
                .await
                .unwrap_err()
                .to_string()
        });
        assert_eq!(task.await, "cancelled: zero");
    });
}

#[test]
fn a_sleep_without_end_can_be_cancelled() {
    everywhere(|_| async {
        let task = start(sleep(Duration::MAX)).await;
        yield_now().await;
        task.cancel();
        assert!(task.outcome().await.unwrap_err().is_cancelled());
        assert_eq!(sleep(Duration::MAX).deadline(), None);
        let deadline = Handle::current().time() + MS;
        assert_eq!(sleep_until(deadline).deadline(), Some(deadline));
    });
}

#[test]
fn a_sleep_moves_between_tasks_and_wakes_the_last() {
    everywhere(|_| async {
        let mut sleep = Box::pin(sleep(2 * MS));
        assert_eq!(
            sleep.as_mut().poll(&mut Context::from_waker(Waker::noop())),
            Poll::Pending
        );
        spawn(sleep).await;
    });
}

#[test]
fn many_timers_are_armed_and_dropped() {
    everywhere(|_| async {
        let handle = Handle::current();
        let began = handle.time();
        let sleepers: Vec<_> = (0..2000_u32)
            .map(|index| spawn(sleep(MS + index % 7 * MS)))
            .collect();
        for index in 0..2000 {
            let dropped = sleep(HOUR + index * MS);
            futures::pin_mut!(dropped);
            assert!(
                dropped
                    .as_mut()
                    .poll(&mut Context::from_waker(Waker::noop()))
                    .is_pending()
            );
        }
        for sleeper in sleepers {
            sleeper.await;
        }
        assert!(handle.time() >= began + 7 * MS);
    });
}

#[test]
fn an_interval_ticks_now_and_at_each_period() {
    on_each(&DETERMINISTIC, |_| async {
        let handle = Handle::current();
        let began = handle.time();
        let mut ticks = interval(10 * MS);
        assert_eq!(ticks.period(), 10 * MS);
        for index in 0..5 {
            assert_eq!(ticks.tick().await, began + index * 10 * MS);
            assert_eq!(handle.time(), began + index * 10 * MS);
        }
        // Ticks that were missed come at once, or are left out.
        sleep(35 * MS).await;
        assert_eq!(ticks.tick().await, began + 50 * MS);
        assert_eq!(handle.time(), began + 75 * MS);
        assert_eq!(ticks.skip_missed(), 1);
        assert_eq!(ticks.tick().await, began + 70 * MS);
        assert_eq!(ticks.tick().await, began + 80 * MS);
        assert_eq!(handle.time(), began + 80 * MS);
    });
}

#[test]
fn a_dropped_tick_is_not_lost() {
    on_each(&DETERMINISTIC, |_| async {
        let began = Handle::current().time();
        let mut ticks = interval(10 * MS);
        ticks.tick().await;
        {
            let tick = ticks.tick();
            futures::pin_mut!(tick);
            let _lost = futures::future::select(tick, std::future::ready(())).await;
        }
        assert_eq!(ticks.tick().await, began + 10 * MS);
    });
}

#[test]
fn timers_outside_a_runtime_say_so() {
    guarded("timers outside a runtime say so", || {
        let text = panic_of(|| futures::executor::block_on(sleep(MS)));
        assert!(text.contains("no tasca runtime"), "{text}");
        let text = panic_of(|| interval(MS));
        assert!(text.contains("no tasca runtime"), "{text}");
        let (runtime, _) = runtime(Kind::CurrentThread);
        let text = runtime.block_on(async { panic_of(|| interval(Duration::ZERO)) });
        assert!(text.contains("above zero"), "{text}");
        // Entered, a foreign executor may use the runtime's timers.
        let (runtime, _) = tasca_tests::runtime(Kind::MultiThread(1));
        let handle = runtime.handle();
        let _entered = handle.enter();
        futures::executor::block_on(sleep(MS));
    });
}
