//! `Executor`: where its tasks run, and what becomes of their panics.

use std::panic::catch_unwind;
use std::sync::mpsc::channel;

use hyper::rt::Executor as _;
use tasca_core::{Runtime, Trouble};
use tasca_hyper::Executor;

use crate::guard::guarded;

#[test]
fn an_executor_spawns_on_the_runtime_that_uses_it() {
    guarded("an executor spawns on the runtime that uses it", || {
        let executor = Executor::new();
        for name in ["one", "two"] {
            let builder = Runtime::builder()
                .multi_thread()
                .worker_threads(1)
                .thread_name(name);
            let rt = builder.build().unwrap();
            let thread = rt.block_on(async move {
                let (promise, task) = tasca_core::promise();
                executor.execute(async move {
                    let thread = std::thread::current().name().map(str::to_owned);
                    promise.set(thread).unwrap();
                });
                task.await
            });
            assert!(
                thread
                    .as_deref()
                    .is_some_and(|thread| thread.starts_with(name)),
                "{thread:?}"
            );
        }
    });
}

#[test]
fn a_panic_in_a_spawned_future_is_reported() {
    guarded("a panic in a spawned future is reported", || {
        let (report, reports) = channel();
        let rt = Runtime::builder()
            .current_thread()
            .exception_handler(move |problem| report.send(problem.trouble()).unwrap())
            .build()
            .unwrap();
        rt.block_on(async {
            let (promise, task) = tasca_core::promise::<()>();
            Executor::new().execute(async move {
                let _promise = promise;
                panic!("boom");
            });
            // The promise is dropped by the panic.
            assert!(task.outcome().await.is_err());
        });
        drop(rt);
        assert_eq!(reports.iter().collect::<Vec<_>>(), [Trouble::TaskPanicked]);
    });
}

#[test]
fn an_executor_outside_a_runtime_says_so() {
    let payload = catch_unwind(|| Executor::new().execute(async {})).unwrap_err();
    let text = payload
        .downcast_ref::<&str>()
        .expect("the panic has a text");
    assert!(text.contains("runtime"), "{text}");
}
