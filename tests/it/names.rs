//! Names, ids, reprs and lists of tasks (rules N1-N5).

use std::future::pending;

use tasca::{Runtime, Task, TaskRef, all_tasks, current_task, promise, spawn, yield_now};
use tasca_tests::{Kind, everywhere, guarded, in_order, runtime};

#[test]
fn a_task_has_the_name_it_was_given() {
    everywhere(|_| async {
        let task = Task::builder()
            .name("fetch")
            .spawn(async { current_task().unwrap().name() });
        assert_eq!(task.name(), "fetch");
        assert_eq!((&task).await, "fetch");
        let spaced = Task::builder()
            .name(String::from("two words, and ünïcode"))
            .spawn(async {});
        assert_eq!(spaced.name(), "two words, and ünïcode");
        assert_eq!(Task::builder().name("").spawn(async {}).name(), "");
    });
}

#[test]
fn a_task_without_a_name_is_called_by_its_number() {
    everywhere(|_| async {
        let tasks: Vec<_> = (0..100).map(|_| spawn(async {})).collect();
        for task in &tasks {
            assert_eq!(task.name(), format!("Task-{}", task.id().number()));
        }
        let mut names: Vec<String> = tasks.iter().map(|task| task.name()).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 100, "names are unique");
        for task in tasks {
            task.await;
        }
    });
}

#[test]
fn default_names_count_from_one_in_order_of_spawning() {
    for kind in [
        Kind::Deterministic(0),
        Kind::Deterministic(5),
        Kind::CurrentThread,
    ] {
        let (runtime, _problems) = runtime(kind);
        let names = runtime.run(async {
            let own = current_task().unwrap().name();
            let children: Vec<String> = (0..70).map(|_| spawn(async {}).name()).collect();
            (own, children)
        });
        let (own, children) = names.unwrap();
        assert_eq!(own, "Task-1");
        let expected: Vec<String> = (2..72).map(|number| format!("Task-{number}")).collect();
        assert_eq!(children, expected);
    }
}

/// A worker takes numbers in blocks, which double until they are large.
#[test]
fn numbers_go_on_when_one_worker_has_spawned_hundreds_of_thousands() {
    let runtime = Runtime::builder().current_thread().build().unwrap();
    runtime.block_on(async {
        let first = spawn(async {}).id().number();
        for n in 1..=220_000 {
            let task = spawn(async {});
            assert_eq!(task.id().number(), first + n);
            task.await;
        }
    });
}

#[test]
fn names_can_be_changed_at_any_time() {
    everywhere(|_| async {
        let task = spawn(async {
            let me = current_task().unwrap();
            me.set_name("running");
            me.name()
        });
        assert_eq!((&task).await, "running");
        task.set_name("done");
        assert_eq!(task.name(), "done");
        let named = Task::builder().name("first").spawn(async {});
        named.set_name("second");
        assert_eq!(named.name(), "second");
    });
}

#[test]
fn a_repr_says_state_name_future_and_place() {
    in_order(&Kind::ONE_THREAD, |_| async {
        async fn work() {
            pending::<()>().await;
        }
        let line = line!() + 1;
        let task = Task::builder().name("w").spawn(work());
        let place = format!("at {}:{line}:", file!());
        let check = |task: &TaskRef, state: &str| {
            let repr = format!("{task:?}");
            assert!(
                repr.starts_with(&format!("<Task {state} name='w' coro=")),
                "{repr}"
            );
            assert!(repr.contains("work"), "the future's type is named: {repr}");
            assert!(
                repr.contains(&place) && repr.ends_with('>'),
                "{place}: {repr}"
            );
        };
        check(&task, "pending");
        assert_eq!(format!("{task:?}"), format!("{:?}", task.task_ref()));
        task.cancel();
        check(&task, "cancelling");
        task.finished().await;
        check(&task, "cancelled");
        assert_eq!(task.spawned_at().line(), line);
        assert_eq!(task.spawned_at().file(), file!());
        assert!(
            task.future_type().contains("work"),
            "{}",
            task.future_type()
        );

        let finished = spawn(async {});
        finished.finished().await;
        assert!(
            format!("{finished:?}").starts_with("<Task finished name='Task-"),
            "{finished:?}"
        );
        let panicked = spawn(async { panic!("seen below") });
        panicked.finished().await;
        assert!(
            format!("{panicked:?}").starts_with("<Task panicked name='Task-"),
            "{panicked:?}"
        );
        assert!(panicked.outcome().await.unwrap_err().is_panic());
    });
}

#[test]
fn a_promise_says_where_it_was_made() {
    everywhere(|_| async {
        let (promise, task) = promise::<u8>();
        assert_eq!(task.spawned_at().file(), file!());
        assert_eq!(task.spawned_at().line(), line!() - 2);
        assert!(format!("{task:?}").starts_with("<Task pending"), "{task:?}");
        promise.set(1).unwrap();
        assert!(
            format!("{task:?}").starts_with("<Task finished"),
            "{task:?}"
        );
    });
}

#[test]
fn ids_differ_between_tasks_and_runtimes() {
    let (one, two) = (Runtime::new().unwrap(), Runtime::new().unwrap());
    let mut ids = Vec::new();
    for runtime in [&one, &two] {
        let handle = runtime.handle();
        ids.extend((0..50).map(|_| handle.spawn(async {}).id()));
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 100);
}

#[test]
fn the_current_task_is_known_everywhere_in_a_body() {
    async fn inline() -> TaskRef {
        yield_now().await;
        current_task().expect("an inline future runs in its caller's task")
    }
    everywhere(|_| async {
        let task = spawn(async {
            let before = current_task().unwrap();
            yield_now().await;
            let after = current_task().unwrap();
            assert_eq!(before, after);
            assert_eq!(inline().await, after);
            after
        });
        let shadow = task.task_ref();
        assert_eq!(task.await, shadow);
        assert_ne!(current_task().unwrap(), shadow);
    });
}

#[test]
fn there_is_no_current_task_in_callbacks_and_outside() {
    assert!(current_task().is_none());
    everywhere(|_| async {
        let (promise, seen) = promise();
        tasca::Handle::current().call_soon(move || promise.set(current_task().is_none()).unwrap());
        assert!(seen.await, "in call_soon");
        let (promise, seen) = tasca::promise();
        let task = spawn(async {});
        task.add_done_callback(move |_| promise.set(current_task().is_none()).unwrap());
        assert!(seen.await, "in a done-callback");
        task.await;
    });
}

#[test]
fn all_tasks_are_those_that_are_not_done() {
    everywhere(|_| async {
        let mut promises = Vec::new();
        let mut tasks = Vec::new();
        for index in 0..10 {
            let (promise, opened) = promise::<()>();
            promises.push(promise);
            tasks.push(Task::builder().name(index.to_string()).spawn(opened));
        }
        let me = current_task().unwrap();
        let listed = all_tasks();
        assert!(listed.contains(&me), "the caller is listed");
        for task in &tasks {
            assert!(
                listed.contains(&task.task_ref()),
                "started or not, it is listed: {task:?}"
            );
        }
        // The caller and the ten; promises, which asyncio does not list either, are not tasks. The task of `block_on` comes
        // when it comes.
        let n_listed = || {
            all_tasks()
                .iter()
                .filter(|task| task.spawned_at().file() == file!())
                .count()
        };
        assert_eq!(n_listed(), 10, "{listed:?}");
        for promise in promises.drain(..5) {
            promise.set(()).unwrap();
        }
        for task in tasks.drain(..5) {
            let shadow = task.task_ref();
            task.await;
            assert!(
                !all_tasks().contains(&shadow),
                "a task leaves when it is done"
            );
        }
        assert_eq!(n_listed(), 5);
        drop(promises);
        for task in tasks {
            assert!(task.outcome().await.unwrap_err().is_cancelled());
        }
    });
}

#[test]
fn tasks_of_another_runtime_are_not_listed() {
    guarded("tasks of another runtime are not listed", || {
        let (here, there) = (Runtime::new().unwrap(), Runtime::new().unwrap());
        let theirs = there.handle().spawn(pending::<()>());
        let listed = here.block_on(async { all_tasks() });
        assert_eq!(listed.len(), 1, "only that of block_on: {listed:?}");
        assert!(there.handle().all_tasks().contains(&theirs.task_ref()));
    });
}
