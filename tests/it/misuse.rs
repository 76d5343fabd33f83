//! What a caller does wrong is answered with what to do, at the caller's line.

use std::cell::RefCell;
use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Once};
use std::task::Poll;
use std::time::{Duration, Instant};

use tasca::combinators::{TimeoutScope, staggered_race};
use tasca::sync::{Barrier, BoundedSemaphore, Condition, Lock, Semaphore};
use tasca::{ContextVar, Handle, Runtime, Task, TaskGroup, spawn};
use tasca_tests::{Gate, Kind, guarded, panic_text, runtime};

const SECOND: Duration = Duration::from_secs(1);

thread_local!(static PLACE: RefCell<Option<(String, u32)>> = const { RefCell::new(None) });

/// Runs `body`, which panics; gives the place the panic points at, and its text.
fn place_of(body: impl FnOnce()) -> ((String, u32), String) {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let place = info
                .location()
                .map(|place| (place.file().to_owned(), place.line()));
            PLACE.set(place);
            before(info);
        }));
    });
    let payload = catch_unwind(AssertUnwindSafe(body)).expect_err("it panics");
    (
        PLACE.take().expect("a panic has a place"),
        panic_text(&*payload),
    )
}

/// The panic of `body` points into this file, at the line on which it is written.
macro_rules! points_here {
    ($body:expr, $($text:expr),+) => {{
        let (place, text) = place_of(|| { let _unused = $body; });
        // Where the call does not fit beside the macro's name, it stands on the next line.
        assert!(place.0 == file!() && (line!()..=line!() + 1).contains(&place.1), "{place:?}: {text}");
        $(assert!(text.contains($text), "{text}");)+
    }};
}

#[test]
fn worker_counts_that_make_no_sense_are_errors() {
    for (builder, words) in [
        (Runtime::builder().worker_threads(0), "at least one worker"),
        (
            Runtime::builder().worker_threads(100_000),
            "the most is 1024",
        ),
        (
            Runtime::builder().worker_threads(usize::MAX),
            "the most is 1024",
        ),
        (
            Runtime::builder().current_thread().worker_threads(0),
            "at least one worker",
        ),
        (
            Runtime::builder().current_thread().worker_threads(2),
            "multi_thread()",
        ),
        (
            Runtime::builder().deterministic(0).worker_threads(8),
            "multi_thread()",
        ),
    ] {
        let error = builder.build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains(words), "{error}");
    }
    assert!(
        Runtime::builder()
            .current_thread()
            .worker_threads(1)
            .build()
            .is_ok()
    );
}

#[test]
fn outside_a_runtime_every_call_points_at_its_caller() {
    points_here!(
        spawn(async {}),
        "no tasca runtime on this thread",
        "Runtime::block_on"
    );
    points_here!(tasca::all_tasks(), "no tasca runtime");
    points_here!(Handle::current(), "no tasca runtime");
    points_here!(
        Task::builder().name("x").spawn(async {}),
        "no tasca runtime"
    );
    points_here!(tasca::spawn_local(async {}), "outside a worker");
    points_here!(
        tasca::spawn_pinned(0, || async {}).is_ok(),
        "no tasca runtime"
    );
    points_here!(
        tasca::time::interval(Duration::from_secs(1)),
        "no tasca runtime"
    );
    let fails = || async { Ok::<(), ()>(()) };
    points_here!(tasca::try_spawn(fails()), "no tasca runtime");
    points_here!(Task::builder().try_spawn(fails()), "no tasca runtime");
    points_here!(Task::builder().spawn_local(fails()), "outside a worker");
    points_here!(tasca::spawn_blocking(|| ()), "no tasca runtime");
    points_here!(tasca::blocking::statistics(), "no tasca runtime");
    points_here!(tasca::gather((async {},)), "no tasca runtime");
    points_here!(tasca::gather([async {}]), "no tasca runtime");
    points_here!(tasca::try_gather((fails(),)), "no tasca runtime");
    points_here!(tasca::wait([async {}]), "no tasca runtime");
    points_here!(tasca::as_completed([async {}]), "no tasca runtime");
    points_here!(tasca::shield(async {}), "no tasca runtime");
    points_here!(TimeoutScope::after(SECOND), "no tasca runtime");
}

#[test]
fn a_timeout_outside_a_task_points_at_its_await() {
    use futures::executor::block_on;
    points_here!(
        block_on(async { tasca::timeout(SECOND, async {}).await.is_ok() }),
        "a timeout needs a task"
    );
    let scope = TimeoutScope::at(Instant::now());
    points_here!(
        block_on(async { scope.run(async {}).await.is_ok() }),
        "a timeout needs a task"
    );
}

#[test]
fn what_needs_a_task_or_a_runtime_points_at_its_await() {
    use futures::executor::block_on;
    const NO_TASK: &str = "needs a task to be cancelled";
    points_here!(
        block_on(async { TaskGroup::<()>::scope(async |_| ()).await.is_ok() }),
        NO_TASK
    );
    points_here!(
        block_on(async { TaskGroup::<()>::try_scope(async |_| Ok(())).await.is_ok() }),
        NO_TASK
    );
    points_here!(
        block_on(async { tasca::wait_for(async {}, SECOND).await.is_ok() }),
        "wait_for",
        NO_TASK
    );
    let race = staggered_race([async { Ok::<_, ()>(()) }], None);
    points_here!(block_on(async { race.await.winner }), "no tasca runtime");
    points_here!(
        block_on(async { tasca::to_thread(|| ()).await }),
        "no tasca runtime"
    );
    let (runtime, _problems) = runtime(Kind::CurrentThread);
    let mut interval = runtime.block_on(async { tasca::time::interval(SECOND) });
    points_here!(
        block_on(async { interval.tick().await }),
        "no tasca runtime"
    );
    let stopped = runtime.handle().spawn(std::future::pending::<u8>());
    runtime.block_on(async {
        stopped.cancel();
        stopped.task_ref().finished().await;
    });
    points_here!(
        block_on(async { *(&stopped).await + 1 }),
        "outside any task"
    );
    points_here!(block_on(async { stopped.await + 1 }), "outside any task");
    // Without a limit, or without time, a wait needs nothing.
    assert_eq!(block_on(tasca::wait_for(async { 5 }, None)), Ok(5));
    assert!(block_on(tasca::wait_for(async { 5 }, Duration::ZERO)).is_err());
}

/// Where failures are errors, so is the want of a runtime.
#[test]
fn files_and_names_outside_a_runtime_are_errors() {
    use futures::executor::block_on;
    let say = |error: std::io::Error| assert!(error.to_string().contains("no tasca runtime"));
    say(block_on(tasca::fs::read("Cargo.toml")).unwrap_err());
    let file = std::fs::File::open("Cargo.toml").unwrap();
    say(block_on(tasca::fs::File::from(file).metadata()).unwrap_err());
    say(block_on(tasca::net::lookup_host("localhost:80")).unwrap_err());
}

#[test]
fn a_handle_that_gave_its_output_is_refused_where_it_is_used() {
    let (runtime, _problems) = runtime(Kind::CurrentThread);
    runtime.block_on(async {
        let mut task = spawn(async { 5 });
        assert_eq!((&mut task).await, 5);
        points_here!(task.name(), "not used again");
        points_here!(task.task_ref(), "not used again");
        points_here!(task.result().is_ok(), "not used again");
        points_here!((&task).into_future(), "not awaited again");
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        points_here!(Pin::new(&mut task).poll(&mut cx), "not used again");
    });
}

#[test]
fn a_task_that_awaits_itself_points_at_its_await() {
    guarded("a task that awaits itself points at its await", || {
        let (runtime, _problems) = runtime(Kind::CurrentThread);
        runtime.block_on(async {
            let (give, take) = tasca::promise::<Task<()>>();
            let task = tasca_tests::start(async move {
                let mut own = take.await;
                std::future::poll_fn(move |cx| {
                    assert!(Pin::new(&mut own).poll(cx).is_pending());
                    points_here!(Pin::new(&mut own).poll(cx), "cannot await itself");
                    Poll::Ready(())
                })
                .await;
            })
            .await;
            let shadow = task.task_ref();
            give.set(task).unwrap();
            shadow.finished().await;
            assert!(!shadow.is_panicked());
        });
    });
}

#[test]
fn a_timeout_scope_that_is_run_twice_points_at_its_await() {
    let (runtime, _problems) = runtime(Kind::CurrentThread);
    runtime.block_on(runtime.handle().spawn(async {
        let scope = TimeoutScope::after(SECOND);
        scope.clone().run(async {}).await.unwrap();
        let mut again = std::pin::pin!(scope.run(async {}));
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        points_here!(again.as_mut().poll(&mut cx), "run once");
    }));
}

#[test]
fn numbers_that_make_no_sense_are_refused_at_their_line() {
    points_here!(Barrier::new(0), "one party at least");
    points_here!(Semaphore::new(usize::MAX), "too many permits");
    points_here!(BoundedSemaphore::new(usize::MAX), "too many permits");
    points_here!(
        Semaphore::new(Semaphore::PERMITS_MAX).release(),
        "too many permits"
    );
    points_here!(tasca::blocking::Limiter::new(0), "let nobody pass");
    points_here!(tasca::blocking::ThreadPool::new(0), "at least one thread");
    points_here!(
        tasca::blocking::ThreadPool::new(usize::MAX),
        "threads are too many"
    );
    points_here!(tasca::wait(Vec::<Task<()>>::new()), "wait");
    let (runtime, _problems) = runtime(Kind::CurrentThread);
    runtime.block_on(async {
        points_here!(tasca::time::interval(Duration::ZERO), "above zero");
    });
}

#[test]
fn a_token_of_another_variable_is_refused() {
    static ONE: ContextVar<u8> = ContextVar::new("one");
    static OTHER: ContextVar<u8> = ContextVar::new("other");
    let (runtime, _problems) = runtime(Kind::CurrentThread);
    runtime.block_on(async {
        let token = ONE.set(1);
        points_here!(OTHER.reset(token), "another context variable");
    });
}

#[test]
fn a_condition_with_two_locks_is_refused() {
    let (runtime, _problems) = runtime(Kind::Deterministic(0));
    runtime.block_on(async {
        let shared = Arc::new((Condition::new(), Lock::new(())));
        let waiting = Arc::clone(&shared);
        let waiter = tasca_tests::start(async move {
            let mut guard = waiting.1.lock().await;
            waiting.0.wait(&mut guard).await;
        });
        let waiter = waiter.await;
        tasca::yield_now().await;
        let (condition, other) = (&shared.0, Lock::new(()));
        let mut guard = other.lock().await;
        points_here!(condition.notify(&guard, 1), "one lock at a time");
        points_here!(condition.notify_all(&guard), "one lock at a time");
        points_here!(condition.wait(&mut guard), "one lock at a time");
        points_here!(
            condition.wait_for(&mut guard, |()| true),
            "one lock at a time"
        );
        condition.notify_all(&shared.1.lock().await);
        waiter.await;
    });
}

#[test]
fn what_has_begun_to_wait_is_made_nothing_else_of() {
    async fn poll_once(future: &mut (impl Future + Unpin)) {
        std::future::poll_fn(|cx| {
            let polled = Pin::new(&mut *future).poll(cx);
            assert!(polled.is_pending());
            Poll::Ready(())
        })
        .await;
    }
    let (runtime, _problems) = runtime(Kind::CurrentThread);
    runtime.block_on(async {
        let mut gathering = tasca::gather((std::future::pending::<()>(),));
        poll_once(&mut gathering).await;
        points_here!(gathering.return_exceptions(), "polled already");
        let mut gathering = tasca::gather((std::future::pending::<()>(),));
        poll_once(&mut gathering).await;
        points_here!(gathering.into_task(), "polled already");
        let mut shielded = tasca::shield(std::future::pending::<()>());
        poll_once(&mut shielded).await;
        points_here!(shielded.into_task(), "polled already");
    });
}

#[test]
fn a_sleep_outside_a_runtime_points_at_its_await() {
    points_here!(
        futures::executor::block_on(async { tasca::time::sleep(Duration::ZERO).await }),
        "no tasca runtime",
        "Handle::enter"
    );
}

#[test]
fn a_raise_outside_a_task_points_at_its_await() {
    points_here!(
        futures::executor::block_on(async { tasca::Cancelled::new().reraise::<()>().await }),
        "outside any task"
    );
}

#[test]
fn block_on_inside_a_task_is_refused_at_its_line() {
    for kind in Kind::ALL {
        guarded(&format!("{kind:?}"), move || {
            let (runtime, problems) = runtime(kind);
            let handle = runtime.handle();
            let nested = handle.clone();
            runtime.block_on(handle.spawn(async move {
                points_here!(
                    nested.block_on(async {}),
                    "block_on was called inside a task",
                    "await the future"
                );
                // Another runtime's block_on would hold the worker up as well.
                let other = Runtime::new().unwrap();
                points_here!(other.block_on(async {}), "inside a task");
                points_here!(other.run(async {}), "inside a task");
            }));
            let nested = handle.clone();
            runtime.block_on(async {
                points_here!(nested.block_on(async {}), "inside a task");
            });
            drop(problems.take());
        });
    }
}

#[test]
fn block_on_inside_a_callback_is_refused() {
    guarded("block on inside a callback is refused", || {
        let (runtime, problems) = runtime(Kind::MultiThread(1));
        let handle = runtime.handle();
        handle.call_soon(move || Handle::current().block_on(async {}));
        let reports = problems.wait(1);
        assert!(
            reports[0]
                .text
                .as_deref()
                .unwrap_or_default()
                .contains("inside a task or callback"),
            "{reports:?}"
        );
    });
}

#[test]
fn a_runtime_on_one_thread_is_driven_by_one_block_on() {
    guarded("two drivers", || {
        let (runtime, _problems) = runtime(Kind::CurrentThread);
        let (inside, leave) = (Gate::new(), Gate::new());
        std::thread::scope(|scope| {
            let (entered, behind) = (inside.clone(), leave.clone());
            let runtime = &runtime;
            let first = scope.spawn(move || {
                runtime.block_on(async {
                    entered.open();
                    behind.wait();
                    5
                })
            });
            inside.wait();
            points_here!(
                runtime.block_on(async {}),
                "another block_on",
                "Handle::spawn"
            );
            leave.open();
            assert_eq!(first.join().unwrap(), 5);
        });
        assert_eq!(runtime.block_on(async { 6 }), 6);
    });
}

#[test]
fn a_block_on_that_is_cancelled_says_so_at_its_line() {
    guarded("a block on that is cancelled says so at its line", || {
        let (runtime, _problems) = runtime(Kind::CurrentThread);
        let main = async {
            tasca::current_task().unwrap().cancel_with("why not");
            std::future::pending::<()>().await;
        };
        points_here!(runtime.block_on(main), "was cancelled", "why not");
    });
}

#[test]
fn a_task_that_awaits_itself_can_be_cancelled() {
    for kind in [
        Kind::CurrentThread,
        Kind::MultiThread(2),
        Kind::Deterministic(0),
    ] {
        guarded(&format!("{kind:?}"), move || {
            let (runtime, _problems) = runtime(kind);
            runtime.block_on(async {
                let (give, take) = tasca::promise::<Task<()>>();
                let task = tasca_tests::start(async move { take.await.await }).await;
                let shadow = task.task_ref();
                give.set(task).unwrap();
                for _ in 0..5 {
                    tasca::yield_now().await;
                }
                shadow.cancel();
                shadow.finished().await;
                assert!(shadow.is_cancelled() || shadow.is_panicked());
            });
        });
    }
}
