//! The rules of asyncio that the combinators keep, on every runtime. A comment gives the rule that a test is about.

mod as_completed;
mod gather;
mod group;
mod shield;
mod staggered;
mod timeout;
mod wait;
mod wait_for;

use std::future::pending;
use std::time::Duration;

use tasca_core::{Promise, Runtime, Task, TaskRef, catch_cancelled, promise, spawn, yield_now};

/// Long enough for nothing that works to take it.
pub(crate) const LONG: Duration = Duration::from_secs(600);
/// Short enough to be waited for.
pub(crate) const SHORT: Duration = Duration::from_millis(2);

/// Runs `body` as the main task of every kind of runtime.
#[track_caller]
pub(crate) fn everywhere<B, F>(body: B)
where
    B: Fn() -> F,
    F: Future<Output = ()> + Send + 'static,
{
    let deterministic = (0..8).map(|seed| Runtime::builder().deterministic(seed));
    let multi_thread = [1, 2, 4].map(|n| Runtime::builder().multi_thread().worker_threads(n));
    let current_thread = [Runtime::builder().current_thread()];
    for builder in deterministic.chain(multi_thread).chain(current_thread) {
        builder.build().unwrap().run(body()).unwrap();
    }
}

/// Runs `body` on the deterministic runtime, in asyncio's order.
#[track_caller]
pub(crate) fn in_order<F>(body: F) -> F::Output
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    Runtime::builder()
        .deterministic(0)
        .build()
        .unwrap()
        .run(body)
        .unwrap()
}

/// A task that never ends by itself, and has begun.
pub(crate) async fn stuck() -> Task<()> {
    let (begun, has_begun) = promise();
    let task = spawn(async move {
        begun.set(()).unwrap();
        pending::<()>().await;
    });
    has_begun.await;
    task
}

/// A task that swallows its cancellation, tells of it, and gives `value`; it has begun.
pub(crate) async fn stubborn<T: Send + 'static>(value: T) -> Task<T> {
    let (begun, has_begun) = promise();
    let task = spawn(async move {
        begun.set(()).unwrap();
        assert!(catch_cancelled(pending::<()>()).await.is_err());
        value
    });
    has_begun.await;
    task
}

/// A task that, once cancelled, waits for the promise before it ends; it has begun.
pub(crate) async fn slow_to_stop() -> (Promise<()>, Task<()>) {
    let (begun, has_begun) = promise();
    let (let_go, gate) = promise();
    let task = spawn(async move {
        begun.set(()).unwrap();
        if let Err(cancelled) = catch_cancelled(pending::<()>()).await {
            gate.await;
            cancelled.reraise::<()>().await;
        }
    });
    has_begun.await;
    (let_go, task)
}

/// Waits until `task` has been asked to stop.
pub(crate) async fn until_cancelled(task: &TaskRef) {
    while task.cancelling() == 0 && !task.is_finished() {
        // Virtual time passes only while nobody runs.
        tasca_core::time::sleep(SHORT).await;
    }
}

/// Gives whatever is under way time to come to rest.
pub(crate) async fn settle() {
    for _ in 0..20 {
        yield_now().await;
    }
}
