//! Threads outside of the runtime: waking a task from one, and spawning from one.
//!
//! With as many workers as cores, the foreign thread competes with the workers for a core. That is so
//! for every runtime.

use std::{
    future::poll_fn,
    hint,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc,
    },
    task::Poll,
    thread,
    time::{Duration, Instant},
};

use futures::task::AtomicWaker;

use crate::{
    latch::Latch,
    rt::{Peer, Remote},
    workload::{Entry, Workload, entry},
};

/// The workloads of this module.
#[must_use]
pub fn all() -> Vec<Entry> {
    vec![
        entry::<WakeSpinning>(),
        entry::<WakeBlocking>(),
        entry::<RemoteSpawnIdle>(),
        entry::<RemoteSpawnBusy>(),
    ]
}

/// A number that one side counts up and the other waits for.
#[derive(Debug, Default)]
struct Turn {
    number: AtomicU64,
    waiter: AtomicWaker,
}

impl Turn {
    async fn reach(&self, goal: u64) {
        poll_fn(|cx| {
            self.waiter.register(cx.waker());
            // Ordering: Acquire pairs with the Release store of the other side.
            if self.number.load(Ordering::Acquire) >= goal {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }

    /// Spins, and lets go of the core from time to time in case that the other side needs it.
    fn spin_until(&self, goal: u64) {
        let mut spins = 0_u32;
        // Ordering: as in `reach`.
        while self.number.load(Ordering::Acquire) < goal {
            hint::spin_loop();
            spins += 1;
            if spins.is_multiple_of(1_000) {
                thread::yield_now();
            }
        }
    }

    fn set(&self, number: u64) {
        // Ordering: Release pairs with the Acquire loads above.
        self.number.store(number, Ordering::Release);
    }
}

/// A task asks a thread that spins for its question, and is woken by it; per round trip.
#[derive(Debug)]
pub struct WakeSpinning;

impl Workload for WakeSpinning {
    const NAME: &'static str = "wake_spinning";
    const ELEMENTS: u64 = 1;

    async fn run<R: Peer>(_rt: R, rounds: u64) -> Duration {
        let question = Arc::new(Turn::default());
        let answer = Arc::new(Turn::default());
        let (question_there, answer_there) = (Arc::clone(&question), Arc::clone(&answer));
        let foreign = thread::spawn(move || {
            for number in 1..=rounds {
                question_there.spin_until(number);
                answer_there.set(number);
                answer_there.waiter.wake();
            }
        });
        let start = Instant::now();
        for number in 1..=rounds {
            question.set(number);
            answer.reach(number).await;
        }
        let time = start.elapsed();
        foreign.join().expect("the thread ends");
        time
    }
}

/// A task asks a thread that blocks until it is asked, and is woken by it; per round trip.
#[derive(Debug)]
pub struct WakeBlocking;

impl Workload for WakeBlocking {
    const NAME: &'static str = "wake_blocking";
    const ELEMENTS: u64 = 1;

    async fn run<R: Peer>(_rt: R, rounds: u64) -> Duration {
        let (question, questions) = mpsc::channel::<u64>();
        let answer = Arc::new(Turn::default());
        let answer_there = Arc::clone(&answer);
        let foreign = thread::spawn(move || {
            for number in questions {
                answer_there.set(number);
                answer_there.waiter.wake();
            }
        });
        let start = Instant::now();
        for number in 1..=rounds {
            question.send(number).expect("the thread is there");
            answer.reach(number).await;
        }
        let time = start.elapsed();
        drop(question);
        foreign.join().expect("the thread ends");
        time
    }
}

/// A thread spawns 1,000 detached tasks on a runtime that sleeps, and waits until they have run; per
/// task.
#[derive(Debug)]
pub struct RemoteSpawnIdle;

impl Workload for RemoteSpawnIdle {
    const NAME: &'static str = "remote_spawn_idle";
    const ELEMENTS: u64 = 1_000;

    async fn run<R: Peer>(rt: R, rounds: u64) -> Duration {
        remote_spawn(rt, rounds, Self::ELEMENTS).await
    }
}

/// Like [`RemoteSpawnIdle`], while as many tasks as make every worker busy yield all the time.
#[derive(Debug)]
pub struct RemoteSpawnBusy;

impl Workload for RemoteSpawnBusy {
    const NAME: &'static str = "remote_spawn_busy";
    const ELEMENTS: u64 = 1_000;

    async fn run<R: Peer>(rt: R, rounds: u64) -> Duration {
        let stop = Arc::new(AtomicBool::new(false));
        let busy: Vec<_> = (0..8)
            .map(|_| {
                let stop = Arc::clone(&stop);
                rt.spawn(async move {
                    // Ordering: Relaxed; nothing is passed on with it.
                    while !stop.load(Ordering::Relaxed) {
                        rt.yield_now().await;
                    }
                })
            })
            .collect();
        let time = remote_spawn(rt, rounds, Self::ELEMENTS).await;
        stop.store(true, Ordering::Relaxed);
        for task in busy {
            task.await;
        }
        time
    }
}

async fn remote_spawn<R: Peer>(rt: R, rounds: u64, tasks: u64) -> Duration {
    let remote = rt.remote();
    let (done, result) = async_channel::bounded(1);
    let foreign = thread::spawn(move || {
        let latch = Latch::leak();
        let start = Instant::now();
        for _ in 0..rounds {
            latch.set(tasks);
            for _ in 0..tasks {
                remote.spawn(async { latch.count_down() });
            }
            futures_lite::future::block_on(latch.wait());
        }
        done.send_blocking(start.elapsed())
            .expect("the workload waits");
    });
    let time = result.recv().await.expect("the thread answers");
    foreign.join().expect("the thread ends");
    time
}
