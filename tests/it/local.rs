//! Tasks that stay on one thread: `spawn_local`, `spawn_pinned`, `run_local`.

use std::cell::{Cell, RefCell};
use std::future::pending;
use std::rc::Rc;
use std::thread;

use tasca::{Runtime, Task, promise, spawn, spawn_local, spawn_pinned, yield_now};
use tasca_tests::{Counter, Kind, everywhere, guarded, on_each, panic_of, runtime};

const MULTI: [Kind; 3] = [
    Kind::MultiThread(1),
    Kind::MultiThread(2),
    Kind::MultiThread(4),
];

#[test]
fn a_local_task_need_not_be_send() {
    guarded("a local task need not be send", || {
        for kind in [
            Kind::CurrentThread,
            Kind::Deterministic(0),
            Kind::Deterministic(3),
        ] {
            let (runtime, _problems) = runtime(kind);
            let text = runtime.block_on(async {
                let shared = Rc::new(RefCell::new(String::from("a")));
                let tasks: Vec<Task<()>> = ["b", "c"]
                    .into_iter()
                    .map(|letter| {
                        let shared = Rc::clone(&shared);
                        spawn_local(async move {
                            yield_now().await;
                            shared.borrow_mut().push_str(letter);
                        })
                    })
                    .collect();
                for task in tasks {
                    task.await;
                }
                Rc::into_inner(shared)
                    .expect("the tasks are done")
                    .into_inner()
            });
            assert_eq!(text.len(), 3, "{text}");
        }
    });
}

#[test]
fn a_local_task_on_a_worker_stays_on_its_thread() {
    on_each(&MULTI, |_| async {
        let pinned = spawn_pinned(0, || async {
            let home = thread::current().id();
            let shared = Rc::new(Cell::new(0));
            let tasks: Vec<_> = (0..20)
                .map(|_| {
                    let shared = Rc::clone(&shared);
                    spawn_local(async move {
                        for _ in 0..20 {
                            assert_eq!(thread::current().id(), home);
                            shared.set(shared.get() + 1);
                            yield_now().await;
                        }
                    })
                })
                .collect();
            for task in tasks {
                task.await;
            }
            shared.get()
        });
        // Others would steal it if they could.
        let noise: Vec<_> = (0..50)
            .map(|_| spawn(async { yield_now().await }))
            .collect();
        assert_eq!(pinned.ok().expect("there is a worker 0").await, 400);
        for task in noise {
            task.await;
        }
    });
}

#[test]
fn a_spawned_task_may_spawn_local_ones_without_moving_itself() {
    on_each(&MULTI, |_| async {
        for _ in 0..50 {
            let task = spawn(async {
                let (promise, told) = promise();
                {
                    let value = Rc::new(3);
                    drop(spawn_local(async move {
                        yield_now().await;
                        promise.set(*value).unwrap();
                    }));
                }
                told.await
            });
            assert_eq!(task.await, 3);
        }
    });
}

#[test]
fn a_pinned_future_is_made_and_dropped_on_its_worker() {
    guarded("a pinned future is made and dropped on its worker", || {
        struct DroppedAt(thread::ThreadId, Counter);
        impl Drop for DroppedAt {
            fn drop(&mut self) {
                if thread::current().id() == self.0 {
                    self.1.add();
                }
            }
        }
        let drops = Counter::new();
        let (runtime, _problems) = runtime(Kind::MultiThread(4));
        let mut tasks = Vec::new();
        runtime.block_on(async {
            for worker in 0..4 {
                let (promise, started) = promise();
                let drops = drops.clone();
                let task = spawn_pinned(worker, move || async move {
                    let _held = DroppedAt(thread::current().id(), drops);
                    promise.set(()).unwrap();
                    pending::<()>().await;
                });
                tasks.push(task.ok().expect("there is such a worker"));
                started.await;
            }
        });
        let cancelled = tasks.pop().unwrap();
        cancelled.cancel();
        assert!(
            runtime
                .block_on(cancelled.outcome())
                .unwrap_err()
                .is_cancelled()
        );
        assert_eq!(drops.get(), 1);
        // The others are dropped with the runtime, each on its own thread.
        drop(runtime);
        assert_eq!(drops.get(), 4);
        drop(tasks);
    });
}

#[test]
fn each_worker_can_be_chosen_and_no_other() {
    on_each(&MULTI, |_| async {
        let n_workers = tasca::Handle::current().n_workers();
        let mut threads = Vec::new();
        for worker in 0..n_workers {
            let task = spawn_pinned(worker, || async { thread::current().id() });
            threads.push(task.ok().expect("there is such a worker").await);
        }
        threads.sort_by_key(|id| format!("{id:?}"));
        threads.dedup();
        assert_eq!(threads.len(), n_workers);
        let make = || async { 1 };
        assert!(spawn_pinned(n_workers, make).is_err());
        assert!(spawn_pinned(usize::MAX, make).is_err());
    });
}

#[test]
fn a_local_task_is_cancelled_and_awaited_from_other_threads() {
    on_each(&MULTI, |_| async {
        let (promise, told) = promise();
        let pinned = spawn_pinned(0, move || async move {
            let held = Rc::new(());
            let local = spawn_local(async move {
                let _held = held;
                pending::<()>().await;
            });
            promise.set(local.task_ref()).unwrap();
            local.outcome().await.unwrap_err().to_string()
        });
        let shadow = told.await;
        let canceller = spawn(async move { shadow.cancel_with("from elsewhere") });
        assert!(canceller.await);
        let text = pinned.ok().expect("there is a worker 0").await;
        assert!(text.ends_with("was cancelled: from elsewhere"), "{text}");
    });
}

#[test]
fn local_tasks_have_names() {
    everywhere(|_| async {
        let task = Task::builder().name("near").spawn_local(async { 1 });
        assert_eq!(task.name(), "near");
        assert_eq!(task.spawned_at().file(), file!());
        drop(task);
        yield_now().await;
    });
}

#[test]
fn spawn_local_outside_a_worker_says_what_to_do() {
    guarded("spawn local outside a worker says what to do", || {
        let text = panic_of(|| spawn_local(async {}));
        assert!(
            text.contains("outside a worker") && text.contains("spawn_pinned"),
            "{text}"
        );
        let runtime = Runtime::new().unwrap();
        let text = runtime.block_on(async { panic_of(|| spawn_local(async {})) });
        assert!(
            text.contains("outside a worker"),
            "block_on's thread is no worker: {text}"
        );
    });
}

#[test]
#[expect(
    clippy::async_yields_async,
    reason = "the task outlives the block that spawns it"
)]
fn a_runtime_with_local_tasks_is_driven_by_their_thread_only() {
    guarded(
        "a runtime with local tasks is driven by their thread only",
        || {
            let (runtime, _problems) = runtime(Kind::CurrentThread);
            let local = runtime.block_on(async {
                let value = Rc::new(1);
                spawn_local(async move {
                    yield_now().await;
                    *value
                })
            });
            thread::scope(|scope| {
                let elsewhere = scope.spawn(|| panic_of(|| runtime.block_on(async {})));
                let text = elsewhere.join().unwrap();
                assert!(text.contains("belong to another thread"), "{text}");
            });
            assert_eq!(runtime.block_on(local), 1);
        },
    );
}

#[test]
fn a_main_that_is_not_send_runs_on_one_thread() {
    guarded("a main that is not send runs on one thread", || {
        for kind in [Kind::CurrentThread, Kind::Deterministic(0)] {
            let (runtime, problems) = runtime(kind);
            let shared = Rc::new(5);
            let value = runtime.run_local(async move {
                let shared = Rc::clone(&shared);
                spawn_local(async move { *shared }).await
            });
            assert_eq!(value.unwrap(), 5);
            problems.expect_none();
        }
        let runtime = Runtime::new().unwrap();
        let text = panic_of(move || runtime.run_local(async {}));
        assert!(text.contains("current_thread()"), "{text}");
    });
}
