//! Tasks that take their first step inside the spawn (rules E1 to E7).

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tasca::{ContextVar, Handle, Task, all_tasks, current_task, promise, spawn, yield_now};
use tasca_tests::{Kind, Log, everywhere, guarded, with_each};

fn eager() -> tasca::TaskBuilder {
    Task::builder().eager(true)
}

#[test]
fn e1_a_task_that_does_not_suspend_is_done_when_the_spawn_returns() {
    everywhere(|_| async {
        let log = Log::new();
        let (in_task, in_callback) = (log.clone(), log.clone());
        let task = eager().spawn(async move {
            in_task.say("ran");
            5
        });
        assert!(task.is_finished());
        assert_eq!(log.take(), ["ran"]);
        let (told, called) = promise();
        task.add_done_callback(move |_| {
            in_callback.say("called");
            told.set(()).unwrap();
        });
        // A callback of a task that is done is queued, not called.
        called.await;
        assert_eq!(log.take(), ["called"]);
        assert_eq!(task.await, 5);
    });
}

#[test]
fn e2_a_task_that_suspends_goes_on_from_the_queue() {
    everywhere(|_| async {
        let (told, opened) = promise();
        let task = eager().spawn(opened);
        assert!(!task.is_finished());
        told.set(7).unwrap();
        assert_eq!(task.await, 7);
        let yields = eager().spawn(async {
            yield_now().await;
            8
        });
        assert_eq!(yields.await, 8);
    });
}

#[test]
fn e3_e4_the_new_task_is_the_current_one_and_is_listed_until_it_suspends() {
    everywhere(|_| async {
        let me = current_task().unwrap();
        let task = eager().name("new").spawn(async {
            let current = current_task().unwrap();
            assert_eq!(current.name(), "new");
            assert!(all_tasks().contains(&current));
            pending::<()>().await;
        });
        assert_eq!(current_task().unwrap(), me);
        assert!(all_tasks().contains(&task));
        let ended = eager().spawn(async {});
        assert!(!all_tasks().contains(&ended));
        task.cancel();
        task.finished().await;
    });
}

#[test]
fn e5_a_cancel_after_the_eager_step_finds_the_task_suspended_or_done() {
    everywhere(|_| async {
        assert!(!eager().spawn(async {}).cancel());
        let log = Log::new();
        let said = log.clone();
        let task = eager().spawn(async move {
            said.say("begun");
            pending::<()>().await;
        });
        assert!(task.cancel_with("now"));
        assert_eq!(
            task.outcome().await.unwrap_err().cancel_message(),
            Some("now")
        );
        assert_eq!(log.take(), ["begun"]);
        // In its eager step it is running: flagged (rule C7).
        let itself = eager().spawn(async { current_task().unwrap().cancel() });
        assert!(itself.is_cancelled());
    });
}

#[test]
fn e6_a_panic_in_the_eager_step_is_the_new_tasks() {
    everywhere(|_| async {
        let task = eager().spawn(async { panic!("oh") });
        assert!(task.is_panicked());
        assert_eq!(task.outcome().await.unwrap_err().panic_text(), Some("oh"));
    });
}

#[test]
fn e7_the_eager_step_runs_in_a_context_of_its_own() {
    static NAME: ContextVar<&str> = ContextVar::new("name");
    everywhere(|_| async {
        let _token = NAME.set("spawner");
        let task = eager().spawn(async {
            assert_eq!(NAME.get(), Some("spawner"));
            let _token = NAME.set("new");
            NAME.get()
        });
        assert_eq!(NAME.get(), Some("spawner"));
        assert_eq!(task.await, Some("new"));
    });
}

#[test]
fn a_runtime_may_start_all_tasks_eagerly() {
    for kind in Kind::ALL {
        guarded(&format!("{kind:?}"), move || {
            let runtime = kind.builder().eager_tasks(true).build().unwrap();
            let main = async {
                let at_once = spawn(async {}).is_finished();
                let later = Task::builder().eager(false).spawn(async { 1 });
                (at_once, later.await)
            };
            assert_eq!(runtime.run(main).unwrap(), (true, 1));
        });
    }
}

#[test]
fn e2_a_callback_spawns_eagerly_too() {
    everywhere(|_| async {
        let (told, called) = promise();
        Handle::current().call_soon(move || {
            let task = eager().spawn(async { current_task().is_some() });
            told.set((task.is_finished(), current_task().is_none()))
                .unwrap();
        });
        assert_eq!(called.await, (true, true));
    });
}

#[test]
fn outside_a_task_the_first_step_is_taken_from_the_queue() {
    with_each(|kind, runtime| {
        let task = Task::builder()
            .eager(true)
            .on(runtime.handle())
            .spawn(async { Handle::try_current().is_some() });
        if kind == Kind::CurrentThread {
            assert!(!task.is_finished());
        }
        assert!(runtime.block_on(task));
    });
}

#[test]
fn eager_spawns_nest_up_to_a_bound() {
    fn descend(
        left: usize,
        deepest: Arc<AtomicUsize>,
        depth: usize,
    ) -> futures::future::BoxFuture<'static, ()> {
        Box::pin(async move {
            deepest.fetch_max(depth, Ordering::Relaxed);
            if left > 0 {
                let next = Arc::clone(&deepest);
                eager().spawn(descend(left - 1, next, depth + 1)).await;
            }
        })
    }
    everywhere(|_| async {
        let deepest = Arc::new(AtomicUsize::new(0));
        descend(1_000, Arc::clone(&deepest), 0).await;
        assert_eq!(deepest.load(Ordering::Relaxed), 1_000);
    });
}
