//! Panics in every place where user code runs: no worker dies, no other task is lost, and what nobody saw is reported.

use std::collections::HashSet;
use std::future::{pending, poll_fn};
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Wake, Waker};
use std::thread::ThreadId;
use std::time::Duration;

use tasca::{Handle, Task, Trouble, promise, spawn, yield_now};
use tasca_tests::{
    Bomb, Counter, Gate, HANG, Kind, Report, everywhere, guarded, on_each, panic_of, runtime,
};

/// Spawns a task that panics, detached; gives the line.
fn spawn_lost(name: &str) -> u32 {
    let line = line!() + 1;
    drop(Task::builder().name(name).spawn(async { panic!("lost") }));
    line
}

#[test]
fn a_panic_that_nobody_saw_is_reported_once_with_name_and_place() {
    everywhere(|problems| async move {
        let line = spawn_lost("gone");
        until(|| !problems.is_empty()).await;
        let reports = problems.wait(1);
        let expected = Report {
            trouble: Trouble::TaskPanicked,
            task: Some("gone".into()),
            place: Some((file!().into(), line)),
            text: Some("lost".into()),
        };
        assert_eq!(reports, [expected]);
        for _ in 0..10 {
            yield_now().await;
        }
        problems.expect_none();
    });
}

#[test]
fn a_panic_is_reported_when_its_handle_is_dropped_unasked() {
    everywhere(|problems| async move {
        let task = Task::builder()
            .name("kept")
            .spawn(async { panic!("unasked") });
        task.finished().await;
        problems.expect_none();
        drop(task);
        problems.expect_one(Trouble::TaskPanicked, "unasked");
    });
}

#[test]
fn a_panic_that_was_observed_is_not_reported() {
    everywhere(|problems| async move {
        let failing = || spawn(async { panic!("seen") });
        assert!(failing().outcome().await.is_err());
        let task = failing();
        task.finished().await;
        assert!(task.result().is_err(), "asked");
        drop(task);
        let task = failing();
        let parent = spawn(task);
        assert!(parent.outcome().await.is_err(), "awaited");
        let task = Arc::new(failing());
        let by_reference = Arc::clone(&task);
        let parent = spawn(async move { *(&*by_reference).await });
        assert!(parent.outcome().await.is_err(), "awaited by reference");
        drop(task);
        problems.expect_none();
    });
}

#[test]
fn a_cancellation_that_nobody_saw_is_not_reported() {
    everywhere(|problems| async move {
        let task = spawn(pending::<()>());
        let shadow = task.task_ref();
        task.cancel();
        drop(task);
        shadow.finished().await;
        problems.expect_none();
    });
}

/// A future whose poll, or whose drop, panics.
struct Fragile {
    in_poll: bool,
    _bomb: Option<Bomb>,
}

impl Future for Fragile {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        assert!(!self.in_poll, "in poll");
        Poll::Ready(())
    }
}

#[test]
fn a_panic_in_poll_ends_the_task_alone() {
    everywhere(|_| async {
        let task = spawn(Fragile {
            in_poll: true,
            _bomb: None,
        });
        assert_eq!(
            task.outcome().await.unwrap_err().panic_text(),
            Some("in poll")
        );
    });
}

#[test]
fn a_panic_in_the_drop_of_a_finished_future_ends_the_task_alone() {
    everywhere(|problems| async move {
        let task = spawn(Fragile {
            in_poll: false,
            _bomb: Some(Bomb("future's drop")),
        });
        // Whether the value or the panic wins is not promised; that somebody hears of it is.
        match task.outcome().await {
            Ok(()) => problems.expect_one(Trouble::DropPanicked, "future's drop"),
            Err(error) => assert_eq!(error.panic_text(), Some("future's drop")),
        }
        assert_eq!(spawn(async { 1 }).await, 1);
    });
}

#[test]
fn panics_in_poll_and_then_in_drop_end_the_task_alone() {
    everywhere(|problems| async move {
        let task = spawn(Fragile {
            in_poll: true,
            _bomb: Some(Bomb("and its drop")),
        });
        assert!(task.outcome().await.unwrap_err().is_panic());
        drop(problems.take());
        assert_eq!(spawn(async { 1 }).await, 1);
    });
}

#[test]
fn a_panic_in_the_drop_of_a_cancelled_future_harms_nobody() {
    everywhere(|problems| async move {
        let task = tasca_tests::start(async {
            let _bomb = Bomb("unwound");
            pending::<()>().await;
        })
        .await;
        task.cancel();
        let error = task.outcome().await.unwrap_err();
        if error.is_cancelled() {
            problems.expect_one(Trouble::DropPanicked, "unwound");
        } else {
            assert_eq!(error.panic_text(), Some("unwound"));
        }
        assert_eq!(spawn(async { 1 }).await, 1);
    });
}

#[test]
fn a_panic_in_the_drop_of_an_output_harms_nobody() {
    everywhere(|problems| async move {
        // The task drops it: nobody wants it.
        let (promise, ended) = promise();
        let task = spawn(async { Bomb("output") });
        task.add_done_callback(move |_| promise.set(()).unwrap());
        drop(task);
        ended.await;
        until(|| !problems.is_empty()).await;
        problems.expect_one(Trouble::DropPanicked, "output");
        // The handle drops it, inside of whoever drops the handle: nothing is thrown at that one either.
        let task = spawn(async { Bomb("kept output") });
        task.finished().await;
        drop(task);
        problems.expect_one(Trouble::DropPanicked, "kept output");
    });
}

#[test]
fn a_panic_payload_whose_drop_panics_harms_nobody() {
    everywhere(|problems| async move {
        drop(spawn(async { std::panic::panic_any(Bomb("payload")) }));
        until(|| !problems.is_empty()).await;
        let reports = problems.wait(1);
        assert_eq!(reports[0].trouble, Trouble::TaskPanicked);
        Handle::current().call_soon(|| std::panic::panic_any(Bomb("payload")));
        until(|| !problems.is_empty()).await;
        let reports = problems.wait(1);
        assert_eq!(reports[0].trouble, Trouble::CallbackPanicked);
        assert_eq!(spawn(async { 1 }).await, 1);
    });
}

/// A waker whose every use may panic.
struct AngryWaker(AtomicBool);

impl Wake for AngryWaker {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Release);
        panic!("angry waker");
    }
}

#[test]
fn a_panic_in_a_foreign_waker_is_reported_and_the_other_waiters_are_woken() {
    everywhere(|problems| async move {
        let (promise, opened) = promise::<()>();
        let opened = Arc::new(opened);
        let angry = Arc::new(AngryWaker(AtomicBool::new(false)));
        let waker = Waker::from(Arc::clone(&angry));
        let shadow = opened.task_ref();
        let mut foreign = Box::pin(shadow.finished());
        assert!(
            foreign
                .as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_pending()
        );
        let ours: Vec<_> = (0..3)
            .map(|_| {
                let opened = Arc::clone(&opened);
                spawn(async move { *(&*opened).await })
            })
            .collect();
        yield_now().await;
        promise.set(()).unwrap();
        for waiter in ours {
            waiter.await;
        }
        assert!(angry.0.load(Ordering::Acquire));
        problems.expect_one(Trouble::DropPanicked, "angry waker");
    });
}

#[test]
fn a_panic_in_the_waker_of_a_timer_is_reported_and_other_timers_go_on() {
    everywhere(|problems| async move {
        let angry = Waker::from(Arc::new(AngryWaker(AtomicBool::new(false))));
        let mut foreign = Box::pin(tasca::time::sleep(Duration::from_millis(1)));
        assert!(
            foreign
                .as_mut()
                .poll(&mut Context::from_waker(&angry))
                .is_pending()
        );
        tasca::time::sleep(Duration::from_millis(3)).await;
        let reports = problems.wait(1);
        assert_eq!(reports[0].text.as_deref(), Some("angry waker"));
    });
}

#[test]
fn a_waker_whose_drop_panics_harms_nobody() {
    static N_DROPS: AtomicUsize = AtomicUsize::new(0);
    const VTABLE: RawWakerVTable = RawWakerVTable::new(
        |data| RawWaker::new(data, &VTABLE),
        |_| (),
        |_| (),
        |_| {
            N_DROPS.fetch_add(1, Ordering::Relaxed);
            panic!("dropping a waker")
        },
    );
    /// Polls with a waker whose drop panics; it is not dropped here.
    fn poll(future: Pin<&mut impl Future>) {
        // SAFETY: the functions of the table take any pointer, and use it for nothing.
        let waker = ManuallyDrop::new(unsafe { Waker::new(ptr::null(), &VTABLE) });
        assert!(future.poll(&mut Context::from_waker(&waker)).is_pending());
    }
    fn is_ready(future: Pin<&mut impl Future>) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        future.poll(&mut context).is_ready()
    }
    fn quietly(panics: impl FnOnce()) {
        drop(catch_unwind(AssertUnwindSafe(panics)));
    }
    everywhere(|problems| async move {
        let (promise, opened) = promise::<()>();
        let shadow = opened.task_ref();
        // One is woken; one is replaced by another; one goes with who waits.
        let (mut woken, mut replaced, mut dropped) = (
            Box::pin(shadow.finished()),
            Box::pin(shadow.finished()),
            Box::pin(shadow.finished()),
        );
        poll(woken.as_mut());
        poll(replaced.as_mut());
        poll(dropped.as_mut());
        let before = N_DROPS.load(Ordering::Relaxed);
        quietly(|| assert!(!is_ready(replaced.as_mut())));
        quietly(|| drop(dropped));
        assert!(N_DROPS.load(Ordering::Relaxed) > before, "none was dropped");
        promise.set(()).unwrap();
        opened.await;
        drop(woken);
        assert!(is_ready(replaced.as_mut()));
        assert_eq!(spawn(async { 1 }).await, 1);
        drop(problems.take());
    });
}

#[test]
fn a_panic_in_a_plain_callback_is_reported() {
    everywhere(|problems| async move {
        let handle = Handle::current();
        handle.call_soon(|| panic!("soon"));
        until(|| !problems.is_empty()).await;
        problems.expect_one(Trouble::CallbackPanicked, "soon");
        handle.call_later(Duration::from_micros(1), || panic!("later"));
        tasca::time::sleep(Duration::from_millis(2)).await;
        until(|| !problems.is_empty()).await;
        problems.expect_one(Trouble::CallbackPanicked, "later");
    });
}

/// Lets the others run until something has happened.
async fn until(happened: impl Fn() -> bool) {
    while !happened() {
        yield_now().await;
    }
}

#[test]
fn a_handler_that_panics_harms_nobody() {
    guarded("a handler that panics harms nobody", || {
        for kind in Kind::ALL {
            let calls = Counter::new();
            let counted = calls.clone();
            let runtime = kind
                .builder()
                .exception_handler(move |_| {
                    counted.add();
                    panic!("the handler itself");
                })
                .build()
                .unwrap();
            runtime.block_on(async {
                let (promise, ended) = promise();
                let task = spawn(async { panic!("for the handler") });
                task.add_done_callback(move |_| promise.set(()).unwrap());
                drop(task);
                ended.await;
                assert_eq!(spawn(async { 1 }).await, 1);
            });
            drop(runtime);
            assert_eq!(calls.get(), 1);
        }
    });
}

#[test]
fn no_worker_is_lost_to_a_thousand_panics() {
    guarded("no worker is lost to a thousand panics", || {
        const N_WORKERS: usize = 4;
        let (runtime, problems) = runtime(Kind::MultiThread(N_WORKERS));
        let workers = || -> HashSet<ThreadId> {
            // As many tasks as workers, each on one of its own, because none lets go of its thread before all are there.
            let barrier = Arc::new(std::sync::Barrier::new(N_WORKERS));
            let (sender, ids) = std::sync::mpsc::channel();
            for worker in 0..N_WORKERS {
                let (barrier, sender) = (Arc::clone(&barrier), sender.clone());
                let pinned = {
                    let handle = runtime.handle();
                    let _entered = handle.enter();
                    tasca::spawn_pinned(worker, move || async move {
                        barrier.wait();
                        sender.send(std::thread::current().id()).unwrap();
                    })
                };
                drop(pinned.ok().expect("there is such a worker"));
            }
            (0..N_WORKERS)
                .map(|_| ids.recv_timeout(HANG).expect("every worker answers"))
                .collect()
        };
        let before = workers();
        assert_eq!(before.len(), N_WORKERS);
        let survivors = Counter::new();
        runtime.block_on(async {
            let others: Vec<_> = (0..1000)
                .map(|index| {
                    drop(spawn(async move {
                        if index % 3 == 0 {
                            yield_now().await;
                        }
                        panic!("one of many");
                    }));
                    let survivors = survivors.clone();
                    spawn(async move {
                        yield_now().await;
                        survivors.add();
                    })
                })
                .collect();
            for other in others {
                other.await;
            }
        });
        assert_eq!(survivors.get(), 1000, "no other task is lost");
        assert_eq!(problems.wait(1000).len(), 1000);
        assert_eq!(workers(), before, "the same threads");
    });
}

#[test]
fn a_panic_of_block_ons_future_comes_out_of_it() {
    guarded("a panic of block ons future comes out of it", || {
        for kind in Kind::ALL {
            let (runtime, problems) = runtime(kind);
            let text = panic_of(|| {
                runtime.block_on(async {
                    yield_now().await;
                    panic!("out of here");
                })
            });
            assert_eq!(text, "out of here");
            assert_eq!(runtime.block_on(async { 5 }), 5, "and the runtime goes on");
            problems.expect_none();
        }
    });
}

#[test]
fn a_task_polled_by_a_panicking_join_is_not_lost() {
    on_each(&[Kind::MultiThread(2), Kind::CurrentThread], |_| async {
        let gate = Gate::new();
        let opened = gate.clone();
        let child = spawn(async move {
            yield_now().await;
            opened.open();
            9
        });
        let parent = spawn(async move {
            let mut child = child;
            let mut polled = false;
            poll_fn(|cx| {
                let pending = Pin::new(&mut child).poll(cx).is_pending();
                assert!(!std::mem::replace(&mut polled, true) || !pending, "again");
                if pending {
                    Poll::Pending
                } else {
                    Poll::Ready(())
                }
            })
            .await;
        });
        drop(parent.outcome().await);
        while !gate.is_open() {
            yield_now().await;
        }
    });
}
