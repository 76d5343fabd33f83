//! Wakers in other hands: after the end of their task and of their runtime, a million times, from other threads, and wakers
//! of others that panic.

use std::future::{pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::mpsc;
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};
use std::time::Duration;

use tasca::sync::{Barrier, Event, Lock, Queue, Semaphore};
use tasca::time::sleep;
use tasca::{Runtime, catch_cancelled, promise, spawn, spawn_blocking, yield_now};
use tasca_tests::{Counter, Gate, Kind, everywhere, guarded, runtime, with_each};

use crate::until;

const N_TIMES: usize = 1_000_000;

/// A task that is woken from outside: it gives its waker away, counts its polls, and ends when it is told.
fn woken_from_outside(
    polls: Counter,
    end: Gate,
) -> (impl Future<Output = ()>, mpsc::Receiver<Waker>) {
    let (sender, receiver) = mpsc::channel();
    let task = poll_fn(move |cx| {
        if polls.get() == 0 {
            sender
                .send(cx.waker().clone())
                .expect("the test waits for it");
        }
        polls.add();
        if end.is_open() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    });
    (task, receiver)
}

#[test]
fn a_waker_that_outlives_its_runtime_is_harmless() {
    with_each(|_, runtime| {
        let polls = Counter::new();
        let (task, wakers) = woken_from_outside(polls.clone(), Gate::new());
        let task = runtime.handle().spawn(task);
        runtime.block_on(async {
            while polls.get() == 0 {
                yield_now().await;
            }
        });
        let waker = wakers.recv().expect("the task was polled");
        let copies = vec![waker.clone(); 10];
        drop(runtime);
        assert!(task.is_cancelled());
        let n_polls = polls.get();
        for copy in copies {
            let again = copy.clone();
            assert!(again.will_wake(&waker));
            // On a thread that has never seen a runtime, too.
            std::thread::spawn(move || {
                copy.wake_by_ref();
                copy.wake();
            })
            .join()
            .expect("no panic");
            again.wake();
        }
        waker.wake();
        drop(task);
        assert_eq!(polls.get(), n_polls);
    });
}

#[test]
fn a_waker_is_cloned_a_million_times() {
    with_each(|kind, runtime| {
        if !matches!(kind, Kind::MultiThread(2) | Kind::CurrentThread) {
            return;
        }
        let (polls, end) = (Counter::new(), Gate::new());
        let (task, wakers) = woken_from_outside(polls.clone(), end.clone());
        let task = runtime.handle().spawn(task);
        runtime.block_on(async {
            while polls.get() == 0 {
                yield_now().await;
            }
        });
        let waker = wakers.recv().expect("the task was polled");
        let mut copies: Vec<Waker> = (0..N_TIMES).map(|_| waker.clone()).collect();
        let others = copies.split_off(N_TIMES / 2);
        let elsewhere = std::thread::spawn(move || drop(others));
        drop(copies);
        elsewhere.join().expect("no panic");
        assert_eq!(polls.get(), 1, "a copy is no wake-up");
        end.open();
        waker.wake();
        runtime.block_on(task);
    });
}

#[test]
fn a_million_wake_ups_from_outside_are_all_seen_in_time() {
    for kind in [
        Kind::MultiThread(1),
        Kind::MultiThread(2),
        Kind::CurrentThread,
    ] {
        guarded(&format!("{kind:?}"), move || {
            let (runtime, problems) = runtime(kind);
            let (polls, end) = (Counter::new(), Gate::new());
            let (task, wakers) = woken_from_outside(polls.clone(), end.clone());
            let task = runtime.handle().spawn(task);
            let storm = std::thread::spawn(move || {
                let waker = wakers.recv().expect("the task is polled");
                for _ in 0..N_TIMES {
                    waker.wake_by_ref();
                }
                end.open();
                // The last one is the one that counts.
                waker.wake();
            });
            runtime.block_on(async {
                // Others get their turn, and timers fire.
                let timers = (0..100).map(|n| spawn(sleep(Duration::from_micros(50 * n))));
                for timer in timers.collect::<Vec<_>>() {
                    timer.await;
                }
                task.await;
            });
            storm.join().expect("no panic");
            let n_polls = polls.get();
            assert!((2..=N_TIMES + 2).contains(&n_polls), "{n_polls} polls");
            drop(runtime);
            problems.expect_none();
        });
    }
}

#[test]
fn a_million_wake_ups_by_the_task_itself_hold_up_nobody() {
    for kind in [Kind::MultiThread(1), Kind::CurrentThread] {
        guarded(&format!("{kind:?}"), move || {
            let (runtime, _problems) = runtime(kind);
            let stop = Gate::new();
            let seen = stop.clone();
            let spinning = runtime.handle().spawn(async move {
                let mut n_polls = 0;
                poll_fn(|cx| {
                    n_polls += 1;
                    cx.waker().wake_by_ref();
                    if n_polls >= N_TIMES && seen.is_open() {
                        Poll::Ready(())
                    } else {
                        Poll::Pending
                    }
                })
                .await;
            });
            runtime.block_on(async {
                let timers = (0..100).map(|n| spawn(sleep(Duration::from_micros(50 * n))));
                for timer in timers.collect::<Vec<_>>() {
                    timer.await;
                }
                // All of them fired while the other one was spinning: it waits for this.
                stop.open();
                spinning.await;
            });
        });
    }
}

/// A waker that panics when it is cloned.
fn unclonable() -> Waker {
    const VTABLE: RawWakerVTable = RawWakerVTable::new(
        |_| panic_any("a waker that cannot be cloned"),
        |_| (),
        |_| (),
        |_| (),
    );
    // SAFETY: the functions do nothing with the pointer.
    unsafe { Waker::from_raw(RawWaker::new(std::ptr::null(), &VTABLE)) }
}

/// Polls `future`, which has to wait, with a waker that cannot be cloned.
#[track_caller]
fn poll_in_vain(future: Pin<&mut dyn Future<Output = ()>>) {
    let waker = unclonable();
    let polled = catch_unwind(AssertUnwindSafe(|| {
        future.poll(&mut Context::from_waker(&waker))
    }));
    let payload = polled.expect_err("who waits clones the waker");
    assert_eq!(
        payload.downcast_ref::<&str>(),
        Some(&"a waker that cannot be cloned")
    );
}

/// The panic belongs to the poll; whatever was waited for is as usable as before.
#[test]
fn a_panic_in_the_clone_of_a_waker_leaves_what_was_waited_for_intact() {
    everywhere(|_| async {
        let (keep, task) = promise::<()>();
        let job_may_end = Gate::new();
        let wait_in_job = job_may_end.clone();
        let job = spawn_blocking(move || wait_in_job.wait());
        let (lock, event, permits) = (Lock::new(0), Event::new(), Semaphore::new(0));
        let (queue, barrier) = (Queue::<u32>::unbounded(), Barrier::new(2));
        let held = lock.lock().await;
        {
            let mut waits: Vec<Pin<Box<dyn Future<Output = ()> + Send + '_>>> = vec![
                Box::pin(async { *(&task).await }),
                Box::pin(async { *(&job).await }),
                Box::pin(async { task.finished().await }),
                Box::pin(async { drop(lock.lock().await) }),
                Box::pin(event.wait()),
                Box::pin(async { drop(permits.acquire().await) }),
                Box::pin(async { assert!(queue.get().await.is_err()) }),
                Box::pin(async { drop(barrier.wait().await) }),
                Box::pin(sleep(Duration::from_secs(3600))),
            ];
            for wait in &mut waits {
                poll_in_vain(wait.as_mut());
            }
        }
        // Everything is let go; everything is got again.
        drop(held);
        *lock.lock().await += 1;
        event.set();
        event.wait().await;
        permits.release();
        drop(permits.acquire().await);
        queue.put(1).await.expect("it is open");
        assert_eq!(queue.get().await, Ok(1));
        let (first, second) = futures::future::join(barrier.wait(), barrier.wait()).await;
        assert_eq!(first.unwrap() + second.unwrap(), 1);
        keep.set(()).expect("nobody has cancelled it");
        task.await;
        job_may_end.open();
        job.await;
    });
}

/// A wait whose waker is another one at each poll wakes the last.
#[test]
fn wakers_that_change_at_every_poll_leave_nothing_behind() {
    everywhere(|_| async {
        let drops = Counter::new();
        let held = drops.on_drop();
        let task = spawn(async move {
            let _held = held;
            drop(catch_cancelled(pending::<()>()).await);
        });
        for _ in 0..1000 {
            let mut join = pin!(task.finished());
            // A set of futures has wakers of its own, one for each of its members and turns.
            let polled = poll_fn(|cx| {
                let set = futures::future::select(join.as_mut(), futures::future::ready(()));
                let mut set = pin!(set);
                Poll::Ready(set.as_mut().poll(cx).is_ready())
            });
            assert!(polled.await);
        }
        task.cancel();
        // It may not have begun.
        drop(task.outcome().await);
        assert_eq!(drops.get(), 1);
    });
}

#[test]
fn a_waker_of_one_runtime_is_kept_by_a_task_of_another() {
    guarded("two runtimes", || {
        let (first, second) = (Runtime::new().unwrap(), Runtime::new().unwrap());
        let polls = Counter::new();
        let (task, wakers) = woken_from_outside(polls.clone(), Gate::new());
        let task = first.handle().spawn(task);
        let waker = wakers.recv().expect("the task is polled");
        let kept = Arc::new(waker);
        let keeper = Arc::clone(&kept);
        let on_the_other = second.handle().spawn(async move {
            loop {
                keeper.wake_by_ref();
                yield_now().await;
            }
        });
        until(|| polls.get() >= 10);
        drop(first);
        assert!(task.is_cancelled());
        let n_polls = polls.get();
        second.block_on(async {
            for _ in 0..100 {
                yield_now().await;
            }
        });
        assert_eq!(polls.get(), n_polls);
        drop(second);
        assert!(on_the_other.is_cancelled());
        assert_eq!(Arc::strong_count(&kept), 1);
    });
}
