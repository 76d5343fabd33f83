//! `block_in_place`: the worker gives away what waits behind the task that blocks it.

use std::sync::Arc;

use tasca_blocking::{block_in_place, to_thread};
use tasca_core::{Handle, Runtime, current_task, spawn, time::sleep};

use crate::support::{Latch, current_thread, guarded, multi_thread};

/// Runs `test` as a task on one worker.
fn on_one_worker<F: Future<Output = ()> + Send + 'static>(test: F) {
    guarded("on one worker", || {
        let rt = Runtime::builder().worker_threads(1).build().unwrap();
        let task = rt.handle().spawn(test);
        rt.block_on(task);
    });
}

#[test]
fn what_was_queued_behind_runs_while_the_only_worker_blocks() {
    on_one_worker(async {
        let ran = Latch::new();
        for _ in 0..10 {
            let ran = ran.clone();
            drop(spawn(async move {
                ran.hit();
            }));
        }
        // The rest of the tasks are behind this one, on the same worker.
        block_in_place(|| ran.wait(10));
    });
}

#[test]
fn timers_and_what_is_queued_later_run_too() {
    on_one_worker(async {
        let (slept, ran) = (Latch::new(), Latch::new());
        let sleeps = slept.clone();
        let sleeper = spawn(async move {
            sleep(std::time::Duration::from_millis(1)).await;
            sleeps.hit();
        });
        tasca_core::yield_now().await;
        block_in_place(|| {
            let runs = ran.clone();
            drop(spawn(async move {
                runs.hit();
            }));
            ran.wait(1);
            slept.wait(1);
        });
        sleeper.await;
    });
}

#[test]
fn it_borrows_and_runs_in_the_task() {
    on_one_worker(async {
        let text = String::from("text");
        let inside = block_in_place(|| (text.len(), current_task()));
        assert_eq!(inside, (4, current_task()));
    });
}

#[test]
fn many_workers_can_be_blocked_at_once() {
    guarded("many workers can be blocked at once", || {
        let rt = multi_thread();
        let meet = Latch::new();
        // Two workers, and the spare ones.
        let tasks: Vec<_> = (0..4)
            .map(|_| {
                let meet = meet.clone();
                rt.handle().spawn(async move {
                    block_in_place(|| {
                        meet.hit();
                        meet.wait(4);
                    });
                })
            })
            .collect();
        for task in tasks {
            rt.block_on(task);
        }
    });
}

#[test]
fn it_may_be_nested_and_may_panic() {
    on_one_worker(async {
        assert_eq!(block_in_place(|| block_in_place(|| 1)), 1);
        let task = spawn(async { block_in_place(|| panic!("in place")) });
        assert_eq!(
            task.outcome().await.unwrap_err().panic_text(),
            Some("in place")
        );
        assert_eq!(block_in_place(|| 2), 2);
    });
}

#[test]
fn outside_a_worker_it_is_a_call() {
    guarded("outside a worker it is a call", || {
        assert_eq!(block_in_place(|| 1), 1);
        multi_thread().block_on(async {
            assert_eq!(block_in_place(|| 2), 2);
            assert_eq!(to_thread(|| block_in_place(|| 3)).await, 3);
        });
    });
}

#[test]
fn on_a_single_thread_it_panics_and_says_what_to_do() {
    let error =
        current_thread().block_on(async { spawn(async { block_in_place(|| ()) }).outcome().await });
    let error = error.unwrap_err();
    assert!(
        error.panic_text().unwrap().contains("use to_thread"),
        "{error}"
    );
}

#[test]
fn block_on_in_a_task_panics_and_says_what_to_do() {
    guarded("block on in a task panics and says what to do", || {
        let rt = Arc::new(multi_thread());
        let error = rt.block_on(async {
            let task = spawn(async { block_in_place(|| Handle::current().block_on(async {})) });
            task.outcome().await.unwrap_err()
        });
        assert!(
            error
                .panic_text()
                .unwrap()
                .contains("await the future instead"),
            "{error}"
        );
    });
}
