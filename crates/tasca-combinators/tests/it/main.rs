//! The rules of asyncio that the combinators keep, on every runtime. A comment gives the rule that a test is about.

mod as_completed;
mod gather;
mod group;
#[expect(unreachable_pub, reason = "public where it belongs to")]
#[path = "../../../../tests/src/guard.rs"]
mod guard;
mod shield;
mod staggered;
mod timeout;
mod wait;
mod wait_for;

use std::future::pending;
use std::time::Duration;

use tasca_core::{Promise, Runtime, Task, TaskRef, catch_cancelled, promise, spawn, yield_now};

use guard::guarded;

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
        let (what, body) = (format!("{builder:?}"), body());
        let runtime = builder.build().unwrap();
        guarded(&what, move || runtime.run(body).unwrap());
    }
}

/// Runs `body` on the deterministic runtime, in asyncio's order.
#[track_caller]
pub(crate) fn in_order<F>(body: F) -> F::Output
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    let runtime = Runtime::builder().deterministic(0).build().unwrap();
    guarded("in order", move || runtime.run(body).unwrap())
}

/// Spawns a task and waits until it has begun: from now on a cancel finds it running or suspended.
pub(crate) async fn start<F>(body: F) -> Task<F::Output>
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    let (begun, has_begun) = promise();
    let task = spawn(async move {
        begun.set(()).unwrap();
        body.await
    });
    has_begun.await;
    task
}

/// A task that never ends by itself, and has begun.
pub(crate) async fn stuck() -> Task<()> {
    start(pending()).await
}

/// A task that swallows its cancellation, tells of it, and gives `value`; it has begun.
pub(crate) async fn stubborn<T: Send + 'static>(value: T) -> Task<T> {
    let body = async move {
        assert!(catch_cancelled(pending::<()>()).await.is_err());
        value
    };
    start(body).await
}

/// A task that, once cancelled, waits for the promise before it ends; it has begun.
pub(crate) async fn slow_to_stop() -> (Promise<()>, Task<()>) {
    let (let_go, gate) = promise();
    let body = async move {
        if let Err(cancelled) = catch_cancelled(pending::<()>()).await {
            gate.await;
            cancelled.reraise::<()>().await;
        }
    };
    (let_go, start(body).await)
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
