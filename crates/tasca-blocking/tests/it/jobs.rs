//! The three ways to run a closure, and the task that stands for it.

use std::panic::Location;
use std::sync::Arc;

use tasca_blocking::{
    DefaultExecutor, Executor, Job, ThreadPool, run_in_executor, spawn_blocking, to_thread,
};
use tasca_core::{Context, ContextVar, Handle, all_tasks, current_task, promise, spawn};

use crate::support::{Latch, guarded, multi_thread, on_each};

static USER: ContextVar<u32> = ContextVar::new("user");

#[test]
fn every_way_gives_the_value() {
    on_each(|| async {
        assert_eq!(to_thread(|| 1).await, 1);
        assert_eq!(spawn_blocking(|| 2).await, 2);
        assert_eq!(run_in_executor(&DefaultExecutor, || 3).await, 3);
        let pool = ThreadPool::new(1);
        assert_eq!(run_in_executor(&pool, || 4).await, 4);
        assert_eq!(pool.spawn(|| 5).await, 5);
        assert_eq!(pool.try_spawn(|| 6).unwrap().await, 6);
        assert_eq!(pool.submit(|| 7).await.await, 7);
    });
}

#[test]
fn errors_are_values() {
    on_each(|| async {
        let failed = to_thread(|| "no number".parse::<i32>()).await;
        assert!(failed.is_err());
    });
}

#[test]
fn to_thread_is_lazy() {
    on_each(|| async {
        let ran = Latch::new();
        let hit = ran.clone();
        drop(to_thread(move || hit.hit()));
        to_thread(|| ()).await;
        assert_eq!(ran.count(), 0);
    });
}

#[test]
fn the_others_are_eager() {
    on_each(|| async {
        let ran = Latch::new();
        let (one, two) = (ran.clone(), ran.clone());
        let _detached = spawn_blocking(move || one.hit());
        let _detached = run_in_executor(&DefaultExecutor, move || two.hit());
        // Nothing is awaited: only an eager job can run.
        ran.wait(2);
    });
}

#[test]
fn jobs_of_one_caller_run_beside_each_other() {
    on_each(|| async {
        // Each waits for the other.
        let (one, two) = (Latch::new(), Latch::new());
        let (first, second) = ((one.clone(), two.clone()), (two, one));
        let meet = |(mine, other): (Latch, Latch)| {
            mine.hit();
            other.wait(1);
        };
        let task = spawn(to_thread(move || meet(first)));
        to_thread(move || meet(second)).await;
        task.await;
    });
}

#[test]
fn to_thread_and_spawn_blocking_carry_the_context_and_run_in_executor_does_not() {
    on_each(|| async {
        let _token = USER.set(7);
        assert_eq!(to_thread(|| USER.get()).await, Some(7));
        assert_eq!(spawn_blocking(|| USER.get()).await, Some(7));
        assert_eq!(run_in_executor(&DefaultExecutor, || USER.get()).await, None);
    });
}

#[test]
fn the_context_of_to_thread_is_that_of_the_await() {
    on_each(|| async {
        let lazy = to_thread(|| USER.get());
        let _token = USER.set(1);
        assert_eq!(lazy.await, Some(1));
    });
}

#[test]
fn what_a_job_sets_stays_with_it() {
    on_each(|| async {
        let pool = ThreadPool::new(1);
        let _token = USER.set(1);
        let set = || {
            let _token = USER.set(2);
            USER.get()
        };
        assert_eq!(to_thread(set).await, Some(2));
        assert_eq!(USER.get(), Some(1));
        assert_eq!(pool.spawn(set).await, Some(2));
        // The same thread.
        assert_eq!(pool.spawn(|| USER.get()).await, None);
    });
}

#[test]
fn a_copied_context_can_be_run_in_a_job() {
    on_each(|| async {
        let context = Context::new();
        let inside = context.clone();
        run_in_executor(&DefaultExecutor, move || {
            inside.run(|| {
                let _token = USER.set(9);
            });
        })
        .await;
        assert_eq!(context.run(|| USER.get()), Some(9));
    });
}

#[test]
fn a_panic_comes_back_with_its_payload() {
    on_each(|| async {
        let outcome = spawn_blocking(|| std::panic::panic_any(42_i32))
            .outcome()
            .await;
        let payload = outcome.unwrap_err().into_panic().unwrap();
        assert_eq!(payload.downcast_ref::<i32>(), Some(&42));

        let waiter = spawn(to_thread(|| panic!("the {} is full", "disk")));
        let error = waiter.outcome().await.unwrap_err();
        assert_eq!(error.panic_text(), Some("the disk is full"));

        // The thread lives on.
        assert_eq!(spawn_blocking(|| 1).await, 1);
    });
}

#[test]
fn a_panic_in_the_drop_of_an_unwanted_value_does_no_harm() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("dropped");
        }
    }
    on_each(|| async {
        let pool = ThreadPool::new(1);
        let (started, go) = (Latch::new(), Latch::new());
        let (start, wait) = (started.clone(), go.clone());
        let task = pool.spawn(move || {
            start.hit();
            wait.wait(1);
            Bomb
        });
        started.wait(1);
        task.cancel();
        go.hit();
        assert_eq!(pool.spawn(|| 1).await, 1);
    });
}

#[test]
fn a_job_is_listed_with_its_name_its_closure_and_its_place() {
    on_each(|| async {
        let go = Latch::new();
        let wait = go.clone();
        let (line, task) = (line!(), spawn_blocking(move || wait.wait(1)));
        assert_eq!(task.name(), "Job-1");
        assert_eq!(task.spawned_at().line(), line);
        assert!(
            task.future_type().contains("a_job_is_listed"),
            "{}",
            task.future_type()
        );
        assert!(all_tasks().contains(&task));
        assert!(
            format!("{task:?}").starts_with("<Task pending name='Job-1' coro="),
            "{task:?}"
        );
        task.set_name("wait");
        assert_eq!(task.name(), "wait");
        go.hit();
        (&task).await;
        assert!(!all_tasks().contains(&task));
        // Jobs leave no gap in the names of tasks: this one is the second.
        let second = spawn(async { current_task().unwrap().name() });
        assert_eq!(second.await, "Task-2");
    });
}

#[test]
fn to_thread_names_its_job_and_says_where_it_was_called() {
    on_each(|| async {
        let (started, go) = (Latch::new(), Latch::new());
        let (start, wait) = (started.clone(), go.clone());
        let (line, lazy) = (
            line!(),
            to_thread(move || {
                start.hit();
                wait.wait(1);
            }),
        );
        let waiter = spawn(lazy.name("backup"));
        while started.count() == 0 {
            tasca_core::yield_now().await;
        }
        let job = all_tasks()
            .into_iter()
            .find(|task| task.name() == "backup")
            .unwrap();
        assert_eq!(job.spawned_at().line(), line + 1);
        go.hit();
        waiter.await;
    });
}

#[test]
fn a_job_can_be_awaited_by_many_and_has_callbacks() {
    on_each(|| async {
        let task = spawn_blocking(|| String::from("value"));
        let (promise, told) = promise();
        task.add_done_callback(move |task| promise.set(task.is_finished()).unwrap());
        assert_eq!(*(&task).await, "value");
        assert_eq!(*(&task).await, "value");
        assert!(told.await);
        assert_eq!(task.await, "value");
    });
}

#[test]
fn an_unobserved_panic_of_a_job_is_reported() {
    guarded("an unobserved panic of a job is reported", || {
        let told = Latch::new();
        let tell = told.clone();
        let rt = tasca_core::Runtime::builder()
            .worker_threads(1)
            .exception_handler(move |problem| {
                assert_eq!(problem.text(), Some("unseen"));
                assert!(problem.spawned_at().unwrap().file().ends_with("jobs.rs"));
                tell.hit();
            })
            .build()
            .unwrap();
        rt.block_on(async {
            drop(spawn_blocking(|| panic!("unseen")));
            told.wait(1);
        });
    });
}

#[test]
fn a_job_knows_its_runtime() {
    on_each(|| async {
        let task = to_thread(|| Handle::current().spawn(async { 5 })).await;
        assert_eq!(task.await, 5);
    });
    // Where workers run by themselves a job may wait for what they do.
    multi_thread().block_on(async {
        let value =
            to_thread(|| Handle::current().block_on(async { spawn(async { 6 }).await })).await;
        assert_eq!(value, 6);
        let nested = to_thread(|| Handle::current().block_on(to_thread(|| 7))).await;
        assert_eq!(nested, 7);
    });
}

#[test]
fn a_job_is_no_task_to_itself() {
    on_each(|| async {
        assert!(to_thread(|| current_task().is_none()).await);
        assert!(to_thread(|| tasca_core::current_job().is_some()).await);
        assert!(tasca_core::current_job().is_none());
    });
}

#[test]
fn an_executor_that_drops_its_job_cancels_it_and_one_that_fails_it_says_why() {
    struct Dropping;
    impl Executor for Dropping {
        fn execute(&self, job: Job) {
            drop(job);
        }
    }
    struct Failing;
    impl Executor for Failing {
        fn execute(&self, job: Job) {
            job.fail("closed for the day");
        }
    }
    on_each(|| async {
        let error = run_in_executor(&Dropping, || ())
            .outcome()
            .await
            .unwrap_err();
        assert!(error.is_cancelled());
        let executor: Arc<dyn Executor> = Arc::new(Failing);
        let error = run_in_executor(&executor, || ())
            .outcome()
            .await
            .unwrap_err();
        assert_eq!(error.panic_text(), Some("closed for the day"));
    });
}

#[test]
fn a_pool_serves_threads_outside_any_runtime() {
    guarded("a pool serves threads outside any runtime", || {
        let pool = ThreadPool::new(2);
        let task = pool.spawn(|| 3);
        assert_eq!(multi_thread().block_on(task), 3);
    });
}

#[test]
#[should_panic(expected = "no tasca runtime")]
fn the_default_executor_needs_a_runtime() {
    let _task = spawn_blocking(|| ());
}

#[track_caller]
fn here() -> &'static Location<'static> {
    Location::caller()
}

#[test]
fn all_submissions_point_at_their_callers() {
    on_each(|| async {
        let pool = ThreadPool::new(1);
        let (place, task) = (here(), pool.spawn(|| ()));
        assert_eq!(task.spawned_at().line(), place.line());
        let (place, task) = (here(), pool.try_spawn(|| ()).unwrap());
        assert_eq!(task.spawned_at().line(), place.line());
        let (place, submitted) = (here(), pool.submit(|| ()));
        assert_eq!(submitted.await.spawned_at().line(), place.line());
        let (place, task) = (here(), run_in_executor(&pool, || ()));
        assert_eq!(task.spawned_at().line(), place.line());
    });
}
