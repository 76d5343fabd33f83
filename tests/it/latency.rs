//! A worker that is stuck in a long poll holds nobody up: not its queue, its timers nor its sockets.
//!
//! Each test has a task that blocks its thread until *another* one has run that only the stuck worker knows of. What
//! is asserted is this order of events, not a time: without rescue the test would hang.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use tasca::sync::Queue;
use tasca::time::sleep;
use tasca::{Handle, promise, spawn, spawn_pinned, yield_now};
use tasca_tests::{Gate, Kind, Problems, guarded, runtime};

/// Runtimes with idle workers beside the stuck one.
const WITH_OTHERS: [Kind; 3] = [
    Kind::MultiThread(2),
    Kind::MultiThread(4),
    Kind::MultiThread(8),
];
/// And one without, where a spare worker has to take over.
const ALL: [Kind; 4] = [
    Kind::MultiThread(1),
    Kind::MultiThread(2),
    Kind::MultiThread(4),
    Kind::MultiThread(8),
];

fn on_each<F>(kinds: &[Kind], body: impl Fn() -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    for &kind in kinds {
        let body = body();
        guarded(&format!("{kind:?}"), move || {
            let (runtime, problems): (_, Problems) = runtime(kind);
            runtime.block_on(runtime.handle().spawn(body));
            drop(runtime);
            problems.expect_none();
        });
    }
}

/// Runs `make`'s future on worker 0, and nowhere else.
async fn on_worker_0<F>(make: impl FnOnce() -> F + Send + 'static)
where
    F: Future<Output = ()> + 'static,
{
    spawn_pinned(0, make)
        .ok()
        .expect("there is a worker 0")
        .await;
}

#[test]
fn a_task_woken_by_a_stuck_worker_runs() {
    on_each(&ALL, || async {
        for _ in 0..5 {
            let (wake, woken) = promise::<()>();
            let gate = Gate::new();
            let opened = gate.clone();
            let sleeper = tasca_tests::start(async move {
                woken.await;
                opened.open();
            })
            .await;
            on_worker_0(move || async move {
                wake.set(()).unwrap();
                gate.wait();
            })
            .await;
            sleeper.await;
        }
    });
}

/// Sooner than the watchdog comes, once it is known that such polls go on.
#[test]
fn a_task_woken_by_a_poll_that_goes_on_runs_beside_it() {
    const ROUNDS: usize = 100;
    on_each(&WITH_OTHERS, || async {
        let is_going_on = Arc::new(AtomicBool::new(false));
        let n_beside = Arc::new(AtomicUsize::new(0));
        let (calls, called) = (Arc::new(Queue::unbounded()), Arc::new(Queue::unbounded()));
        let sleeper = spawn({
            let (calls, called) = (Arc::clone(&calls), Arc::clone(&called));
            let (is_going_on, n_beside) = (Arc::clone(&is_going_on), Arc::clone(&n_beside));
            async move {
                for _ in 0..ROUNDS {
                    calls.get().await.expect("it stays open");
                    // Ordering: Relaxed; a note.
                    n_beside.fetch_add(
                        usize::from(is_going_on.load(Ordering::Relaxed)),
                        Ordering::Relaxed,
                    );
                    called.put_nowait(()).expect("it is not bounded");
                }
            }
        });
        for _ in 0..ROUNDS {
            is_going_on.store(true, Ordering::Relaxed);
            calls.put_nowait(()).expect("it is not bounded");
            let start = Instant::now();
            while start.elapsed() < Duration::from_micros(500) {}
            is_going_on.store(false, Ordering::Relaxed);
            called.get().await.expect("it stays open");
        }
        sleeper.await;
        // On a busy machine most rounds may be over before another thread has run.
        assert!(
            n_beside.load(Ordering::Relaxed) > ROUNDS / 20,
            "{n_beside:?}"
        );
    });
}

#[test]
fn the_queue_of_a_stuck_worker_runs() {
    on_each(&ALL, || async {
        on_worker_0(|| async {
            let n_run = Arc::new(AtomicUsize::new(0));
            let gate = Gate::new();
            for _ in 0..100 {
                let (n_run, gate) = (Arc::clone(&n_run), gate.clone());
                drop(spawn(async move {
                    yield_now().await;
                    // Ordering: AcqRel; the last one has seen all others.
                    if n_run.fetch_add(1, Ordering::AcqRel) == 99 {
                        gate.open();
                    }
                }));
            }
            gate.wait();
        })
        .await;
    });
}

#[test]
fn a_callback_queued_by_a_stuck_worker_runs() {
    on_each(&ALL, || async {
        on_worker_0(|| async {
            let gate = Gate::new();
            let opened = gate.clone();
            Handle::current().call_soon(move || opened.open());
            gate.wait();
        })
        .await;
    });
}

#[test]
fn a_timer_of_a_stuck_worker_fires() {
    on_each(&ALL, || async {
        let gate = Gate::new();
        let opened = gate.clone();
        on_worker_0(move || async move {
            // Armed on this worker; not bound to it.
            Handle::current().call_later(Duration::from_millis(5), move || opened.open());
            sleep(Duration::from_millis(1)).await;
            gate.wait();
        })
        .await;
    });
}

#[test]
fn a_sleeper_behind_a_stuck_worker_wakes_and_not_too_early() {
    on_each(&ALL, || async {
        on_worker_0(|| async {
            let gate = Gate::new();
            let opened = gate.clone();
            let (go, armed) = promise::<()>();
            let sleeper = spawn(async move {
                let deadline = Instant::now() + Duration::from_millis(30);
                let mut nap = Box::pin(tasca::time::sleep_until(deadline));
                let polled = poll_fn(|cx| Poll::Ready(nap.as_mut().poll(cx))).await;
                go.set(()).unwrap();
                // On a machine that is busy with other things it may be over already.
                if polled.is_pending() {
                    nap.await;
                }
                opened.open();
                Instant::now() >= deadline
            });
            armed.await;
            gate.wait();
            assert!(sleeper.await, "too early");
        })
        .await;
    });
}

#[cfg(unix)]
#[test]
fn a_socket_of_a_stuck_worker_is_heard() {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    use tasca::io::Async;

    on_each(&ALL, || async {
        let (here, mut there) = UnixStream::pair().unwrap();
        let gate = Gate::new();
        let opened = gate.clone();
        on_worker_0(move || async move {
            let here = Async::new(here).unwrap();
            let reader = spawn(async move {
                let mut byte = [0];
                let n_read = here
                    .read_with(|mut stream| stream.read(&mut byte))
                    .await
                    .unwrap();
                opened.open();
                (n_read, byte)
            });
            // Registered with this worker's poller by now, or soon with another's.
            yield_now().await;
            let writer = std::thread::spawn(move || {
                there.write_all(b"x").unwrap();
                there
            });
            gate.wait();
            drop(writer.join().unwrap());
            assert_eq!(reader.await, (1, *b"x"));
        })
        .await;
    });
}

#[test]
fn with_every_worker_stuck_spare_ones_take_over() {
    on_each(&ALL, || async {
        let n_workers = Handle::current().n_workers();
        let (gate, n_stuck) = (Gate::new(), Arc::new(AtomicUsize::new(0)));
        let blockers: Vec<_> = (0..n_workers)
            .map(|_| {
                let (gate, n_stuck) = (gate.clone(), Arc::clone(&n_stuck));
                spawn(async move {
                    // Ordering: AcqRel, as below.
                    n_stuck.fetch_add(1, Ordering::AcqRel);
                    gate.wait();
                })
            })
            .collect();
        // This task itself needs a spare worker once all others are stuck.
        while n_stuck.load(Ordering::Acquire) < n_workers {
            sleep(Duration::from_micros(100)).await;
        }
        sleep(Duration::from_millis(1)).await;
        let (promise, told) = promise();
        drop(spawn(async move {
            yield_now().await;
            promise.set(()).unwrap();
        }));
        told.await;
        gate.open();
        for blocker in blockers {
            blocker.await;
        }
    });
}

#[test]
fn a_chain_in_which_each_waits_for_the_next_comes_to_its_end() {
    // Two stuck workers at a time: the third link needs a spare one where there are two.
    on_each(&WITH_OTHERS, || async {
        let (inner, middle) = (Gate::new(), Gate::new());
        let (open_inner, open_middle) = (inner.clone(), middle.clone());
        spawn(async move {
            drop(spawn(async move {
                drop(spawn(async move { open_inner.open() }));
                inner.wait();
                open_middle.open();
            }));
            middle.wait();
        })
        .await;
    });
}

#[test]
fn tasks_bound_to_a_stuck_worker_wait_and_the_others_do_not() {
    on_each(&WITH_OTHERS, || async {
        let order = tasca_tests::Log::new();
        let said = order.clone();
        let gate = Gate::new();
        let opened = gate.clone();
        on_worker_0(move || async move {
            let local = tasca::spawn_local({
                let said = said.clone();
                async move { said.say("bound") }
            });
            drop(spawn({
                let said = said.clone();
                async move {
                    said.say("free");
                    opened.open();
                }
            }));
            gate.wait();
            said.say("unstuck");
            local.await;
        })
        .await;
        assert_eq!(order.take(), ["free", "unstuck", "bound"]);
    });
}

#[test]
#[cfg_attr(debug_assertions, ignore = "measures; run it in release")]
fn short_sleeps_are_short() {
    guarded("short sleeps", || {
        let mut means = Vec::new();
        for kind in [Kind::MultiThread(2), Kind::CurrentThread] {
            let (runtime, _problems) = runtime(kind);
            // The best of several rounds: what the runtime can do, not what else runs on the machine.
            let best = (0..20).map(|_| {
                runtime.block_on(async {
                    let began = Instant::now();
                    for _ in 0..200 {
                        sleep(Duration::from_micros(100)).await;
                    }
                    began.elapsed() / 200
                })
            });
            means.push(best.min().expect("there are rounds"));
        }
        assert!(
            means.iter().all(|mean| *mean <= Duration::from_micros(250)),
            "{means:?}"
        );
    });
}

#[test]
#[cfg_attr(debug_assertions, ignore = "measures; run it in release")]
fn a_rescue_takes_a_few_milliseconds() {
    /// How late a task is that was spawned by a worker that then blocks, `delay` after that.
    async fn lateness(delay: Duration) -> Duration {
        let (sender, late) = std::sync::mpsc::channel();
        on_worker_0(move || async move {
            let due = Instant::now() + delay;
            let gate = Gate::new();
            let opened = gate.clone();
            drop(spawn(async move {
                if !delay.is_zero() {
                    tasca::time::sleep_until(due).await;
                }
                sender.send(due.elapsed()).unwrap();
                opened.open();
            }));
            if !delay.is_zero() {
                // So that the sleeper has armed its timer here.
                yield_now().await;
            }
            gate.wait();
        })
        .await;
        late.recv().expect("it has run")
    }
    guarded("rescue", || {
        let (runtime, _problems) = runtime(Kind::MultiThread(2));
        // The best of several rounds, as above. What is promised is 5 ms, for a task and for a timer.
        for delay in [Duration::ZERO, Duration::from_millis(30)] {
            let best = (0..10)
                .map(|_| runtime.block_on(runtime.handle().spawn(lateness(delay))))
                .min();
            assert!(
                best <= Some(Duration::from_millis(5)),
                "{delay:?}: {best:?} late"
            );
        }
    });
}
