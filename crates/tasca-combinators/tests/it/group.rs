//! The rules of `TaskGroup` (TG), each by its name.

use std::future::pending;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use futures::channel::oneshot;
use futures::future::{Either, select};
use tasca_combinators::{ExceptionGroup, TaskGroup};
use tasca_core::{Context, ContextVar, catch_cancelled, current_task, promise, spawn, yield_now};

use crate::{everywhere, in_order, settle, until_cancelled};

type Failed = Result<(), ExceptionGroup<&'static str>>;

fn errors<E>(failed: ExceptionGroup<E>) -> Vec<E> {
    failed.into_errors().collect()
}

/// Sets a flag when it is dropped.
struct Flag(Arc<AtomicBool>);

impl Drop for Flag {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

// TG1, TG15
#[test]
fn it_waits_for_every_task_those_spawned_by_tasks_too() {
    everywhere(|| async {
        let count = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&count);
        TaskGroup::<()>::scope(async |group| {
            for _ in 0..10 {
                let (inner, counter) = (group.clone(), Arc::clone(&counter));
                let _detached = group.spawn(async move {
                    yield_now().await;
                    let _detached = inner.spawn(async move {
                        yield_now().await;
                        counter.fetch_add(1, Ordering::SeqCst);
                    });
                });
            }
        })
        .await
        .unwrap();
        assert_eq!(count.load(Ordering::SeqCst), 10);
    });
}

// TG1
#[test]
fn with_no_unfinished_task_it_does_not_suspend() {
    everywhere(|| async {
        let scope = TaskGroup::<()>::scope(async |_| 5);
        let mut scope = Box::pin(scope);
        assert!(matches!(
            futures::poll!(&mut scope),
            std::task::Poll::Ready(Ok(5))
        ));
    });
}

// TG2
#[test]
fn the_first_failure_cancels_the_others_and_the_body() {
    everywhere(|| async {
        let stopped = Arc::new(AtomicBool::new(false));
        let flag = Flag(Arc::clone(&stopped));
        let failed: Failed = TaskGroup::scope(async |group| {
            let _detached = group.spawn(async move {
                let _flag = flag;
                pending::<()>().await;
            });
            let _detached = group.try_spawn(async { Err::<(), _>("no") });
            pending::<()>().await;
        })
        .await;
        assert!(stopped.load(Ordering::SeqCst));
        assert_eq!(errors(failed.unwrap_err()), ["no"]);
        assert_eq!(current_task().unwrap().cancelling(), 0);
        yield_now().await;
    });
}

// TG2, TG23
#[test]
fn a_failure_while_the_body_is_over_is_told_at_the_end() {
    everywhere(|| async {
        let failed: Failed = TaskGroup::scope(async |group| {
            let _detached = group.try_spawn(async {
                yield_now().await;
                Err::<(), _>("no")
            });
        })
        .await;
        assert_eq!(errors(failed.unwrap_err()), ["no"]);
        assert_eq!(current_task().unwrap().cancelling(), 0);
        yield_now().await;
    });
}

// TG3, TG4, TG18
#[test]
fn an_error_of_the_body_cancels_the_tasks_and_comes_last() {
    everywhere(|| async {
        let failed = TaskGroup::try_scope(async |group| {
            let (begun, has_begun) = promise();
            let _detached = group.try_spawn(async move {
                begun.set(()).unwrap();
                assert!(catch_cancelled(pending::<()>()).await.is_err());
                Err::<(), _>("task")
            });
            has_begun.await;
            Err::<(), _>("body")
        });
        let failures = failed.await.unwrap_err();
        assert_eq!(failures.len(), 2);
        let names: Vec<_> = failures
            .iter()
            .map(|failure| failure.task_name().is_some())
            .collect();
        assert_eq!(names, [true, false]);
        assert_eq!(errors(failures), ["task", "body"]);
        let alone = TaskGroup::try_scope(async |_| Err::<(), _>("body"));
        assert_eq!(errors(alone.await.unwrap_err()), ["body"]);
    });
}

// TG5
#[test]
fn a_task_that_ends_cancelled_is_no_failure() {
    everywhere(|| async {
        let value = TaskGroup::<()>::scope(async |group| {
            let task = group.spawn(pending::<()>());
            let _other = group.spawn(async {});
            task.cancel();
            7
        });
        assert_eq!(value.await.unwrap(), 7);
    });
}

// TG6
#[test]
fn cancelled_from_outside_it_cancels_the_tasks_and_the_cancellation_goes_on() {
    everywhere(|| async {
        let stopped = Arc::new(AtomicBool::new(false));
        let flag = Flag(Arc::clone(&stopped));
        let (begun, has_begun) = promise();
        let task = spawn(async move {
            TaskGroup::<()>::scope(async |group| {
                let _detached = group.spawn(async move {
                    let _flag = flag;
                    begun.set(()).unwrap();
                    pending::<()>().await;
                });
            })
            .await
        });
        has_begun.await;
        settle().await;
        task.cancel_with("out");
        assert_eq!(
            task.outcome().await.unwrap_err().cancel_message(),
            Some("out")
        );
        assert!(stopped.load(Ordering::SeqCst));
    });
}

// TG6, TG7
#[test]
fn failures_come_before_a_cancellation_which_is_delivered_at_the_next_suspension() {
    everywhere(|| async {
        let (begun, has_begun) = promise();
        let task = spawn(async move {
            let failed: Failed = TaskGroup::scope(async |group| {
                let _detached = group.try_spawn(async move {
                    begun.set(()).unwrap();
                    assert!(catch_cancelled(pending::<()>()).await.is_err());
                    Err::<(), _>("of it")
                });
            })
            .await;
            assert_eq!(errors(failed.unwrap_err()), ["of it"]);
            let count = current_task().unwrap().cancelling();
            (count, catch_cancelled(yield_now()).await.is_err())
        });
        has_begun.await;
        settle().await;
        task.cancel();
        assert_eq!(task.await, (1, true));
    });
}

// TG8
#[test]
fn spawning_into_a_closed_group_is_refused_and_the_future_comes_back() {
    everywhere(|| async {
        let group = TaskGroup::<()>::scope(async |group| group).await.unwrap();
        assert!(group.is_closed());
        let refused = group.builder().checked_spawn(async { 1 });
        assert_eq!(refused.unwrap_err().into_future().await, 1);
        assert!(
            group
                .spawn(async {})
                .outcome()
                .await
                .unwrap_err()
                .is_cancelled()
        );
    });
}

// TG10
#[test]
fn groups_nest() {
    everywhere(|| async {
        let failed = TaskGroup::<String>::try_scope(async |_| {
            let inner: Failed = TaskGroup::scope(async |group| {
                let _detached = group.try_spawn(async { Err::<(), _>("inner") });
            })
            .await;
            inner.map_err(|failures| format!("{:?}", errors(failures)))
        });
        assert_eq!(errors(failed.await.unwrap_err()), [r#"["inner"]"#]);
    });
}

// TG10
#[test]
fn a_failure_in_the_outer_group_cancels_the_inner_one() {
    everywhere(|| async {
        let failed: Failed = TaskGroup::scope(async |outer| {
            let inner = TaskGroup::<()>::scope(async |inner| {
                let (begun, has_begun) = promise();
                let _detached = inner.spawn(async move {
                    begun.set(()).unwrap();
                    pending::<()>().await;
                });
                has_begun.await;
                let _detached = outer.try_spawn(async { Err::<(), _>("outer") });
                pending::<()>().await;
            });
            drop(inner.await);
        })
        .await;
        assert_eq!(errors(failed.unwrap_err()), ["outer"]);
        assert_eq!(current_task().unwrap().cancelling(), 0);
    });
}

// TG13
#[test]
fn a_second_cancel_counts_but_does_not_end_the_waiting() {
    everywhere(|| async {
        let (begun, has_begun) = promise();
        let (let_go, gate) = promise();
        let task = spawn(async move {
            TaskGroup::<()>::scope(async |group| {
                let _detached = group.spawn(async move {
                    begun.set(()).unwrap();
                    assert!(catch_cancelled(pending::<()>()).await.is_err());
                    gate.await;
                });
            })
            .await
        });
        has_begun.await;
        settle().await;
        task.cancel_with("first");
        settle().await;
        task.cancel_with("second");
        settle().await;
        assert!(!task.is_finished());
        assert_eq!(task.cancelling(), 2);
        let_go.set(()).unwrap();
        assert!(task.outcome().await.unwrap_err().is_cancelled());
    });
}

// TG17
#[test]
fn the_body_may_swallow_the_request_and_go_on() {
    everywhere(|| async {
        let failed: Failed = TaskGroup::scope(async |group| {
            let _detached = group.try_spawn(async { Err::<(), _>("no") });
            assert!(catch_cancelled(pending::<()>()).await.is_err());
            settle().await;
        })
        .await;
        assert_eq!(errors(failed.unwrap_err()), ["no"]);
        assert_eq!(current_task().unwrap().cancelling(), 0);
    });
}

// TG4, TG20
#[test]
fn tasks_are_cancelled_in_the_order_in_which_they_were_spawned() {
    let failures = in_order(async {
        TaskGroup::scope(async |group| {
            for name in ["a", "b", "c"] {
                let _detached = group.try_spawn(async move {
                    assert!(catch_cancelled(pending::<()>()).await.is_err());
                    Err::<(), _>(name)
                });
            }
            settle().await;
            let _detached = group.try_spawn(async { Err::<(), _>("first") });
        })
        .await
    });
    assert_eq!(errors(failures.unwrap_err()), ["first", "a", "b", "c"]);
}

// TG20
#[test]
fn the_order_outlasts_tasks_that_end() {
    const N_STUCK: usize = 70;
    let failures = in_order(async {
        TaskGroup::scope(async |group| {
            for number in 0..N_STUCK {
                let _detached = group.try_spawn(async move {
                    assert!(catch_cancelled(pending::<()>()).await.is_err());
                    Err::<(), _>(number)
                });
                for _ in 0..3 {
                    group.spawn(async {}).await;
                }
            }
            group.cancel();
        })
        .await
    });
    assert!(errors(failures.unwrap_err()).into_iter().eq(0..N_STUCK));
}

#[test]
fn a_group_that_lives_long_lets_go_of_tasks_that_are_done() {
    static TOKEN: ContextVar<Arc<()>> = ContextVar::new("token");
    in_order(async {
        let token = Arc::new(());
        let mut most = 0;
        let done = TaskGroup::<()>::scope(async |group| {
            for _ in 0..1_000 {
                let context = Context::new();
                let _token = context.run(|| TOKEN.set(Arc::clone(&token)));
                group.builder().context(context).spawn(async {}).await;
                most = most.max(Arc::strong_count(&token));
            }
        });
        done.await.unwrap();
        assert!(most < 100, "{most} tasks are kept");
        assert_eq!(Arc::strong_count(&token), 1, "kept after the block");
    });
}

// TG22
#[test]
fn tasks_get_names_and_contexts() {
    static WHO: ContextVar<&str> = ContextVar::new("who");
    everywhere(|| async {
        let context = Context::new();
        let _token = context.run(|| WHO.set("ada"));
        let failed: Failed = TaskGroup::scope(async |group| {
            let _detached = group
                .builder()
                .name("worker")
                .context(context)
                .try_spawn(async { Err::<(), _>(WHO.get().unwrap_or("nobody")) });
        })
        .await;
        let failures = failed.unwrap_err();
        assert_eq!(failures.iter().next().unwrap().task_name(), Some("worker"));
        assert_eq!(
            failures.to_string(),
            "1 failure in a task group: task 'worker': ada"
        );
    });
}

// M13
#[test]
fn a_panic_of_a_task_is_a_failure_and_one_of_the_body_goes_on() {
    everywhere(|| async {
        let failed: Failed = TaskGroup::scope(async |group| {
            let _detached = group.spawn(async { panic!("boom") });
            pending::<()>().await;
        })
        .await;
        assert_eq!(
            failed.unwrap_err().iter().next().unwrap().panic_text(),
            Some("boom")
        );
        let body = spawn(TaskGroup::<()>::scope(async |group| {
            let _detached = group.spawn(pending::<()>());
            if true {
                panic!("body");
            }
        }));
        assert_eq!(body.outcome().await.unwrap_err().panic_text(), Some("body"));
    });
}

#[test]
fn cancelling_the_group_ends_the_scope_without_failures() {
    everywhere(|| async {
        let ended: Failed = TaskGroup::scope(async |group| {
            let _detached = group.spawn(pending::<()>());
            group.cancel();
            pending::<()>().await;
        })
        .await;
        assert!(ended.unwrap_err().is_empty());
        assert_eq!(current_task().unwrap().cancelling(), 0);
        yield_now().await;
    });
}

#[test]
fn dropping_the_scope_cancels_its_tasks() {
    everywhere(|| async {
        let (tell, told) = promise();
        let mut scope = Box::pin(TaskGroup::<()>::scope(async |group| {
            tell.set(group.spawn(pending::<()>()).task_ref()).unwrap();
            pending::<()>().await;
        }));
        assert!(futures::poll!(&mut scope).is_pending());
        drop(scope);
        let task = told.await;
        until_cancelled(&task).await;
        task.finished().await;
        assert!(task.is_cancelled());
    });
}

// TG6: the failure of a task and the end of the body race on every worker.
#[test]
fn a_request_of_the_group_never_leaks_out_of_the_block() {
    everywhere(|| async {
        for _ in 0..200 {
            let failed: Failed = TaskGroup::scope(async |group| {
                let _detached = group.try_spawn(async { Err::<(), _>("no") });
                yield_now().await;
            })
            .await;
            assert_eq!(errors(failed.unwrap_err()), ["no"]);
            assert_eq!(current_task().unwrap().cancelling(), 0);
            yield_now().await;
        }
    });
}

/// Spawns a task that is asked to stop by a group of its own, and gets `()` from a future that knows nothing of
/// cancellations before it takes its next step. Gives what the task gives, which must have no request left then.
async fn asked_by_a_group_and_woken_otherwise<F, T>(
    body: impl FnOnce(oneshot::Receiver<()>) -> F,
) -> T
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    let (go, going) = oneshot::channel();
    let body = body(going);
    let parent = spawn(async move {
        let ended = body.await;
        assert_eq!(current_task().unwrap().cancelling(), 0);
        // Here the request would arrive.
        yield_now().await;
        ended
    });
    while parent.cancelling() == 0 {
        yield_now().await;
    }
    go.send(()).unwrap();
    parent.await
}

fn fail<E: Clone + Send + 'static>(group: &TaskGroup<E>, error: E) {
    let _detached = group.try_spawn(async { Err::<(), _>(error) });
}

// M10, TG7
#[test]
fn a_foreign_future_that_ends_with_the_first_failure_leaves_no_request_behind() {
    in_order(async {
        let failed: Failed = asked_by_a_group_and_woken_otherwise(|going| {
            TaskGroup::scope(async |group| {
                fail(&group, "no");
                going.await.unwrap();
            })
        })
        .await;
        assert_eq!(errors(failed.unwrap_err()), ["no"]);
    });
}

// M10, TG7
#[test]
fn a_block_that_is_dropped_leaves_no_request_behind() {
    in_order(async {
        asked_by_a_group_and_woken_otherwise(|going| async {
            let block = TaskGroup::scope(async |group| {
                fail(&group, "no");
                pending::<()>().await;
            });
            let first = matches!(select(going, pin!(block)).await, Either::Left(_));
            assert!(first);
        })
        .await;
    });
}
