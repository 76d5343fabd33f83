//! Context variables (rules X1-X5, X7).

use std::sync::Arc;

use tasca::{Context, ContextVar, Handle, Runtime, Task, promise, spawn, yield_now};
use tasca_tests::{Kind, everywhere, guarded, panic_of, runtime};

static NUMBER: ContextVar<u32> = ContextVar::new("number");
static TEXT: ContextVar<String> = ContextVar::new("text");

#[test]
fn a_variable_has_no_value_until_it_is_set() {
    static FRESH: ContextVar<u8> = ContextVar::new("fresh");
    assert_eq!(FRESH.name(), "fresh");
    assert_eq!(FRESH.get(), None);
    everywhere(|_| async {
        assert_eq!(FRESH.get(), None);
        let outer = FRESH.set(1);
        let inner = FRESH.set(2);
        assert_eq!(FRESH.get(), Some(2));
        FRESH.reset(inner);
        assert_eq!(FRESH.get(), Some(1));
        FRESH.reset(outer);
        assert_eq!(FRESH.get(), None);
    });
}

#[test]
fn a_task_runs_in_a_copy_of_its_spawners_context() {
    everywhere(|_| async {
        let _token = NUMBER.set(1);
        let _token = TEXT.set("parent".into());
        let (promise, opened) = promise::<()>();
        let child = spawn(async move {
            let inherited = NUMBER.get();
            let _token = NUMBER.set(10);
            opened.await;
            yield_now().await;
            (inherited, NUMBER.get(), TEXT.get())
        });
        let _token = NUMBER.set(2);
        promise.set(()).unwrap();
        assert_eq!(child.await, (Some(1), Some(10), Some("parent".into())));
        assert_eq!(NUMBER.get(), Some(2), "the child's changes stay there");
    });
}

#[test]
fn futures_awaited_inline_share_their_callers_context() {
    async fn set_inside() {
        yield_now().await;
        let _token = NUMBER.set(5);
    }
    everywhere(|_| async {
        set_inside().await;
        assert_eq!(NUMBER.get(), Some(5));
    });
}

#[test]
fn a_task_with_a_given_context_shares_that_very_one() {
    everywhere(|_| async {
        let context = Context::new();
        let _token = context.run(|| NUMBER.set(1));
        let task = Task::builder().context(context.clone()).spawn(async {
            let seen = NUMBER.get();
            let _token = NUMBER.set(2);
            seen
        });
        assert_eq!(task.await, Some(1));
        assert_eq!(context.run(|| NUMBER.get()), Some(2), "it is shared");
        let copy = context.copy();
        let _token = context.run(|| NUMBER.set(3));
        assert_eq!(copy.run(|| NUMBER.get()), Some(2), "a copy is a snapshot");
        assert_eq!(NUMBER.get(), None);
    });
}

#[test]
fn callbacks_run_in_a_copy_of_the_context_that_queued_them() {
    everywhere(|_| async {
        let handle = Handle::current();
        for timed in [false, true] {
            let _token = NUMBER.set(1);
            let (promise, seen) = promise();
            let callback = move || {
                let before = NUMBER.get();
                let _token = NUMBER.set(9);
                promise.set(before).unwrap();
            };
            if timed {
                handle.call_later(std::time::Duration::from_millis(1), callback);
            } else {
                handle.call_soon(callback);
            }
            let _token = NUMBER.set(2);
            assert_eq!(seen.await, Some(1));
            assert_eq!(NUMBER.get(), Some(2));
        }
    });
}

#[test]
fn a_thread_outside_has_a_context_that_what_it_spawns_inherits() {
    guarded(
        "a thread outside has a context that what it spawns inherits",
        || {
            let (runtime, _) = runtime(Kind::MultiThread(2));
            let token = NUMBER.set(77);
            let task = runtime.handle().spawn(async { NUMBER.get() });
            assert_eq!(runtime.block_on(task), Some(77));
            assert_eq!(runtime.block_on(async { NUMBER.get() }), Some(77));
            NUMBER.reset(token);
            let task = runtime.handle().spawn(async { NUMBER.get() });
            assert_eq!(runtime.block_on(task), None);
        },
    );
}

#[test]
fn what_one_task_sets_is_never_seen_by_its_neighbours() {
    everywhere(|_| async {
        let tasks: Vec<_> = (0..100)
            .map(|index| {
                spawn(async move {
                    assert_eq!(NUMBER.get(), None);
                    let _token = NUMBER.set(index);
                    for _ in 0..5 {
                        yield_now().await;
                        assert_eq!(NUMBER.get(), Some(index));
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await;
        }
        assert_eq!(NUMBER.get(), None);
    });
}

#[test]
fn a_nested_run_puts_the_outer_context_back_even_after_a_panic() {
    let (inner, outer) = (Context::new(), Context::new());
    outer.run(|| {
        let _token = NUMBER.set(1);
        panic_of(|| {
            inner.run(|| {
                let _token = NUMBER.set(2);
                panic!("inside");
            })
        });
        assert_eq!(NUMBER.get(), Some(1));
        assert_eq!(Context::copy_current().run(|| NUMBER.get()), Some(1));
    });
}

#[test]
fn a_token_of_another_variable_is_refused() {
    static OTHER: ContextVar<u32> = ContextVar::new("other");
    let context = Context::new();
    let text = context.run(|| {
        let token = NUMBER.set(1);
        panic_of(|| OTHER.reset(token))
    });
    assert!(text.contains("another context variable"), "{text}");
}

#[test]
fn values_are_dropped_with_the_last_context_that_has_them() {
    guarded(
        "values are dropped with the last context that has them",
        || {
            static SHARED: ContextVar<Arc<()>> = ContextVar::new("shared");
            let value = Arc::new(());
            let runtime = Runtime::new().unwrap();
            let kept = Arc::clone(&value);
            runtime.block_on(runtime.handle().spawn(async move {
                let _token = SHARED.set(kept);
                let child = spawn(async { SHARED.get().is_some() });
                assert!(child.await);
            }));
            drop(runtime);
            assert_eq!(Arc::strong_count(&value), 1);
        },
    );
}
