//! Pools as part of a runtime: its end, its clock, its configuration.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tasca_blocking::{
    DefaultExecutor, PoolsConfig, Queued, ThreadPool, run_in_executor, spawn_blocking, statistics,
    to_thread,
};
use tasca_core::{Handle, Runtime, Trouble, spawn, time::sleep};

use crate::support::{Latch, current_thread, guarded, multi_thread};

#[test]
fn the_end_of_a_runtime_waits_for_its_jobs() {
    guarded("the end of a runtime waits for its jobs", || {
        for rt in [
            current_thread(),
            multi_thread(),
            Runtime::builder().deterministic(0).build().unwrap(),
        ] {
            let (started, ended) = (Latch::new(), Latch::new());
            let n_jobs = 10;
            for _ in 0..n_jobs {
                let (start, end) = (started.clone(), ended.clone());
                rt.block_on(async move {
                    drop(run_in_executor(&DefaultExecutor, move || {
                        start.hit();
                        start.wait(1);
                        std::thread::yield_now();
                        end.hit();
                    }));
                });
            }
            drop(rt);
            assert_eq!(ended.count(), n_jobs);
        }
    });
}

#[test]
fn run_cancels_tasks_and_waits_for_jobs() {
    guarded("run cancels tasks and waits for jobs", || {
        for rt in [current_thread(), multi_thread()] {
            let (go, ended) = (Latch::new(), Latch::new());
            let (wait, end) = (go.clone(), ended.clone());
            rt.run(async move {
                let job = spawn_blocking(move || {
                    wait.wait(1);
                    end.hit();
                });
                job.add_done_callback(|job| assert!(!job.is_cancelled()));
                // Dropped with its task, whether that has begun or not.
                let go = Hit(go);
                let _left = spawn(async move {
                    let _go = go;
                    std::future::pending::<()>().await;
                });
                tasca_core::yield_now().await;
                tasca_core::yield_now().await;
            })
            .unwrap();
            assert_eq!(ended.count(), 1);
        }
    });
}

#[test]
fn timers_go_off_while_the_end_waits_for_a_job_whose_task_was_cancelled() {
    guarded("timers go off while the end waits for a job", || {
        for rt in [current_thread(), multi_thread()] {
            let fired = Latch::new();
            let (fire, wait) = (fired.clone(), fired.clone());
            rt.run(async move {
                let (begin, begun) = tasca_core::promise();
                let _left = spawn(to_thread(move || {
                    begin.set(()).unwrap();
                    wait.wait(1);
                }));
                begun.await;
                Handle::current().call_later(Duration::from_millis(20), move || {
                    fire.hit();
                });
            })
            .unwrap();
            assert_eq!(fired.count(), 1);
        }
    });
}

/// Hits its latch when it is dropped.
struct Hit(Latch);

impl Drop for Hit {
    fn drop(&mut self) {
        self.0.hit();
    }
}

#[test]
fn a_job_that_outlasts_the_end_is_reported_with_its_place_and_left() {
    guarded("a job that outlasts the end is reported with", || {
        let problems = Arc::new(Mutex::new(Vec::new()));
        let seen = problems.clone();
        let rt = Runtime::builder()
            .worker_threads(1)
            .shutdown_timeout(Duration::from_millis(100))
            .exception_handler(move |problem| {
                assert_eq!(problem.trouble(), Trouble::Shutdown);
                seen.lock()
                    .push(problem.text().unwrap_or_default().to_owned());
            })
            .build()
            .unwrap();
        let (started, go, ended) = (Latch::new(), Latch::new(), Latch::new());
        let (start, wait, end) = (started.clone(), go.clone(), ended.clone());
        let line = rt.block_on(async {
            let (line, task) = (
                line!(),
                spawn_blocking(move || {
                    start.hit();
                    wait.wait(1);
                    end.hit();
                }),
            );
            drop(task);
            line
        });
        started.wait(1);
        drop(rt);
        let problems = problems.lock();
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(
            problems[0].contains("1 jobs of thread pool 'tasca-cpu' are still running"),
            "{problems:?}"
        );
        assert!(
            problems[0].contains(&format!("runtimes.rs:{}:", line + 1)),
            "{problems:?}"
        );
        // The thread is not the worse for it.
        go.hit();
        ended.wait(1);
    });
}

#[test]
fn queued_jobs_can_be_cancelled_at_the_end() {
    guarded("queued jobs can be cancelled at the end", || {
        let rt = multi_thread();
        PoolsConfig::new()
            .blocking(ThreadPool::builder().max_threads(1))
            .queued_at_shutdown(Queued::Cancel)
            .install(&rt.handle())
            .unwrap();
        let (started, go, ran) = (Latch::new(), Latch::new(), Latch::new());
        let (start, wait, hit) = (started.clone(), go.clone(), ran.clone());
        let handle = rt.handle();
        let entered = handle.enter();
        drop(run_in_executor(&DefaultExecutor, move || {
            start.hit();
            wait.wait(1);
        }));
        started.wait(1);
        let go = Hit(go);
        let queued = run_in_executor(&DefaultExecutor, move || {
            hit.hit();
            drop(go);
        });
        drop(entered);
        drop(rt);
        assert_eq!(ran.count(), 0);
        assert!(queued.is_cancelled());
    });
}

#[test]
fn pools_are_configured_before_their_first_use() {
    guarded("pools are configured before their first use", || {
        let rt = current_thread();
        let one = PoolsConfig::new().blocking(ThreadPool::builder().name("mine").max_threads(1));
        one.clone().install(&rt.handle()).unwrap();
        assert_eq!(
            one.install(&rt.handle()).unwrap_err().kind(),
            ErrorKind::AlreadyExists
        );
        let name = rt.block_on(to_thread(|| {
            std::thread::current().name().map(str::to_owned)
        }));
        assert_eq!(name.as_deref(), Some("mine-0"));
        let impossible = PoolsConfig::new().cpu(ThreadPool::builder().max_threads(0));
        let error = impossible.install(&current_thread().handle()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    });
}

#[test]
fn each_runtime_has_pools_of_its_own() {
    guarded("each runtime has pools of its own", || {
        let (one, two) = (current_thread(), multi_thread());
        one.block_on(async {
            spawn_blocking(|| ()).await;
            assert_eq!(statistics().cpu.n_threads, 1);
        });
        two.block_on(async {
            assert_eq!(statistics().cpu.n_threads, 0);
            assert_eq!(statistics().blocking.n_threads, 0);
        });
    });
}

#[test]
fn a_runtime_may_end_in_one_of_its_own_jobs() {
    guarded("a runtime may end in one of its own jobs", || {
        let rt = Arc::new(Mutex::new(Some(multi_thread())));
        let (started, ended) = (Latch::new(), Latch::new());
        let (take, start, end) = (rt.clone(), started.clone(), ended.clone());
        let handle = rt.lock().as_ref().unwrap().handle();
        handle.block_on(async {
            drop(spawn_blocking(move || {
                start.wait(1);
                drop(take.lock().take());
                end.hit();
            }));
        });
        started.hit();
        ended.wait(1);
    });
}

#[test]
fn a_job_after_the_end_is_cancelled() {
    let rt = current_thread();
    let handle = rt.handle();
    drop(rt);
    let _entered = handle.enter();
    let task = spawn_blocking(|| 1);
    assert!(task.is_cancelled());
}

#[test]
fn time_stands_still_on_the_deterministic_runtime_while_a_job_runs() {
    guarded(
        "time stands still on the deterministic runtime while a",
        || {
            let rt = Runtime::builder().deterministic(0).build().unwrap();
            rt.block_on(async {
                let begin = Handle::current().time();
                let timer = spawn(sleep(Duration::from_secs(1)));
                for _ in 0..100 {
                    to_thread(std::thread::yield_now).await;
                    assert!(!timer.is_finished());
                }
                assert_eq!(Handle::current().time(), begin);
                timer.await;
                assert_eq!(Handle::current().time() - begin, Duration::from_secs(1));
            });
        },
    );
}

#[test]
fn a_cancelled_job_does_not_stop_the_deterministic_clock() {
    guarded(
        "a cancelled job does not stop the deterministic clock",
        || {
            let rt = Runtime::builder().deterministic(0).build().unwrap();
            let (started, go) = (Latch::new(), Latch::new());
            let (start, wait) = (started.clone(), go.clone());
            rt.block_on(async {
                let task = spawn_blocking(move || {
                    start.hit();
                    wait.wait(1);
                });
                started.wait(1);
                task.cancel();
                sleep(Duration::from_secs(1)).await;
                assert!(task.is_cancelled());
            });
            go.hit();
        },
    );
}
