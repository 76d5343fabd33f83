//! The primitives, rule by rule: on every kind of runtime what comes out, on the deterministic one in which cycle.
//!
//! Tests are named after the rules of asyncio's behaviour that they pin: `l` lock, `v` event, `k` condition, `p` semaphore,
//! `z` barrier, `q` queue.

mod barrier;
mod condition;
mod event;
mod foreign;
#[expect(unreachable_pub, reason = "public where it belongs to")]
#[path = "../../../../tests/src/guard.rs"]
mod guard;
mod lock;
mod panics;
mod properties;
mod queue;
mod rw_lock;
mod semaphore;

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use parking_lot::Mutex;
use tasca_core::{Builder, Cancelled, Runtime, Task, catch_cancelled, spawn, yield_now};

use guard::guarded;

/// Runs the test as a task of each kind of runtime, and of the deterministic one with some seeds.
#[track_caller]
fn everywhere<F>(test: impl Fn() -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    for n_workers in [1, 2, 4] {
        let builder = Runtime::builder().multi_thread();
        run(builder.worker_threads(n_workers), test());
    }
    run(Runtime::builder().current_thread(), test());
    for seed in 0..20 {
        run(Runtime::builder().deterministic(seed), test());
    }
}

/// Runs the test as a task of the deterministic runtime, in asyncio's order.
#[track_caller]
fn exactly<F>(test: impl FnOnce(Trace) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let trace = Trace::default();
    let ticks = trace.clone();
    run(Runtime::builder().deterministic(0), {
        let test = test(trace);
        async move {
            // First in every cycle.
            let _ticker = spawn(async move {
                loop {
                    ticks.cycle.fetch_add(1, Ordering::Relaxed);
                    yield_now().await;
                }
            });
            spawn(test).await;
        }
    });
}

#[track_caller]
fn run<F: Future<Output = ()> + Send + 'static>(builder: Builder, test: F) {
    let what = format!("{builder:?}");
    let runtime = builder.build().expect("a runtime is made");
    guarded(&what, move || {
        runtime.block_on(async { spawn(test).await });
    });
}

/// What happened, and in which cycle of the loop.
#[derive(Clone, Debug, Default)]
struct Trace {
    cycle: Arc<AtomicUsize>,
    events: Arc<Mutex<Vec<(String, usize)>>>,
}

impl Trace {
    fn log(&self, event: impl Into<String>) {
        let cycle = self.cycle.load(Ordering::Relaxed);
        self.events.lock().push((event.into(), cycle));
    }

    /// Takes what happened, with the cycles counted from the first event on.
    fn take(&self) -> Vec<(String, usize)> {
        let mut events = std::mem::take(&mut *self.events.lock());
        let first = events.first().map_or(0, |event| event.1);
        events.iter_mut().for_each(|event| event.1 -= first);
        events
    }

    #[track_caller]
    fn expect(&self, expected: &[(&str, usize)]) {
        let events = self.take();
        let events: Vec<_> = events.iter().map(|(event, at)| (&**event, *at)).collect();
        assert_eq!(events, expected);
    }

    /// Spawns a task that logs its name when `body` is done, or `name!` when it is cancelled.
    fn spawn<F>(&self, name: &'static str, body: F) -> Task<()>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let trace = self.clone();
        spawn(async move {
            match catch_cancelled(body).await {
                Ok(()) => trace.log(name),
                Err(cancelled) => {
                    trace.log(format!("{name}!"));
                    cancelled.reraise::<()>().await;
                }
            }
        })
    }
}

/// Polls a future once.
async fn poll_once<F: Future + ?Sized>(mut future: Pin<&mut F>) -> Option<F::Output> {
    let mut future = Some(future.as_mut());
    std::future::poll_fn(move |cx| {
        let polled = future.take().expect("polled once").poll(cx);
        Poll::Ready(match polled {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        })
    })
    .await
}

/// Lets other tasks run for some cycles.
async fn cycles(n: usize) {
    for _ in 0..n {
        yield_now().await;
    }
}

/// Waits for `task`, however it ends.
async fn ended(task: Task<()>) -> Result<(), Cancelled> {
    catch_cancelled(task).await
}
