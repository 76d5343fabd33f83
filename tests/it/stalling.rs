//! A deterministic run in which nothing can happen any more says so, and what every task waits for (rule H14).

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tasca::{Runtime, Task, catch_cancelled, promise, spawn};
use tasca_tests::{Counter, Problems, guarded, panic_of};

fn closed_world(seed: u64) -> Runtime {
    let builder = Runtime::builder()
        .deterministic(seed)
        .stall_after(Duration::ZERO);
    builder.build().unwrap()
}

#[test]
fn h14_a_run_that_stalls_lists_the_tasks_and_what_they_wait_for() {
    guarded("stalls", || {
        for seed in 0..4 {
            let error = closed_world(seed).run(async {
                let (kept, told) = promise::<()>();
                let never = Task::builder().name("never").spawn(async move {
                    told.await;
                    drop(kept);
                });
                never.await;
            });
            let error = error.unwrap_err();
            assert!(error.is_stalled() && !error.is_cancelled() && !error.is_interrupted());
            let text = error.to_string();
            assert!(text.starts_with("nothing can happen any more"), "{text}");
            assert!(text.contains("task 'Task-1' spawned at"), "{text}");
            assert!(text.contains("waits for task 'never' spawned at"), "{text}");
            assert!(
                text.contains("waits for future 'Promise-1' made at"),
                "{text}"
            );
        }
    });
}

#[test]
fn h14_tasks_that_wait_for_one_another_in_a_ring_stall() {
    guarded("a ring", || {
        let error = closed_world(0).run(async {
            let place: Arc<Mutex<Option<Task<()>>>> = Arc::default();
            let for_first = Arc::clone(&place);
            let first = Task::builder().name("first").spawn(async move {
                let second = for_first.lock().take().unwrap();
                second.await;
            });
            let second = Task::builder().name("second").spawn(first);
            *place.lock() = Some(second);
            pending::<()>().await;
        });
        let text = error.unwrap_err().to_string();
        assert!(
            text.contains("task 'first'") && text.contains("waits for task 'second'"),
            "{text}"
        );
        assert!(text.contains("waits for task 'first'"), "{text}");
    });
}

#[test]
fn h14_block_on_panics_when_the_run_stalls_and_drops_its_future() {
    guarded("block_on", || {
        let runtime = closed_world(0);
        let drops = Counter::new();
        let held = drops.on_drop();
        let text = panic_of(|| {
            runtime.block_on(async move {
                let _held = held;
                pending::<()>().await;
            });
        });
        assert!(text.contains("nothing can happen any more"), "{text}");
        assert_eq!(drops.get(), 1);
        // The runtime can be used on.
        assert_eq!(runtime.block_on(async { spawn(async { 1 }).await }), 1);
    });
}

#[test]
fn h14_a_closing_that_stalls_gives_what_is_left() {
    guarded("closing", || {
        let runtime = closed_world(0);
        let main = runtime.handle().spawn(async {
            drop(Task::builder().name("stubborn").spawn(async {
                drop(catch_cancelled(pending::<()>()).await);
                pending::<()>().await;
            }));
        });
        runtime.run_until_complete(&main).unwrap();
        let left = runtime.cancel_tasks();
        assert_eq!(left.len(), 1);
        assert_eq!(left[0].name(), "stubborn");
    });
}

#[test]
fn h14_a_closing_that_stalls_is_reported_by_run() {
    guarded("closing", || {
        let problems = Problems::default();
        let builder = Runtime::builder()
            .deterministic(0)
            .stall_after(Duration::ZERO);
        let runtime = builder.exception_handler(problems.handler()).build();
        let ended = runtime.unwrap().run(async {
            drop(Task::builder().name("stubborn").spawn(async {
                drop(catch_cancelled(pending::<()>()).await);
                pending::<()>().await;
            }));
        });
        ended.unwrap();
        let reports = problems.wait(1);
        let text = reports[0].text.as_deref().unwrap();
        assert!(text.contains("task 'stubborn'"), "{text}");
    });
}

#[test]
fn a_run_waits_for_other_threads_before_it_says_that_it_has_stalled() {
    guarded("other threads", || {
        let runtime = Runtime::builder().deterministic(0).build().unwrap();
        let (told, task) = promise();
        let (begun, has_begun) = std::sync::mpsc::channel();
        let other = std::thread::spawn(move || {
            has_begun.recv().unwrap();
            told.set(7).unwrap();
        });
        let got = runtime.run(async move {
            begun.send(()).unwrap();
            task.await
        });
        assert_eq!(got.unwrap(), 7);
        other.join().unwrap();
    });
}
