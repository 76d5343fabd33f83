//! Threads that cannot be had while a runtime is at work, and threads that end in awkward ways.

use std::cell::RefCell;
use std::os::fd::AsRawFd;
use std::process::exit;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tasca::{Handle, Runtime, Task, Trouble, current_task, spawn, yield_now};
use tasca_tests::{Counter, Gate, Problems, guarded};

use crate::alone::{alone, alone_to_the_end};
use crate::until;

/// Keeps a worker busy until the gate opens; the worker has begun when this returns.
fn block_a_worker(runtime: &Runtime, gate: &Gate) -> Task<()> {
    let (begun, gate) = (Gate::new(), gate.clone());
    let told = begun.clone();
    let blocker = runtime.handle().spawn(async move {
        told.open();
        gate.wait();
    });
    begun.wait();
    blocker
}

fn set_descriptor_limit(n_max: u64) {
    let limit = Rlimit {
        current: Some(n_max),
        ..getrlimit(Resource::Nofile)
    };
    setrlimit(Resource::Nofile, limit).expect("a limit can be moved below the hard one");
}

#[test]
fn a_spare_worker_that_cannot_be_had_is_reported_and_comes_later() {
    alone(
        "threads::a_spare_worker_that_cannot_be_had_is_reported_and_comes_later",
        || {
            let problems = Problems::default();
            let runtime = Runtime::builder()
                .worker_threads(2)
                .exception_handler(problems.handler())
                .build()
                .expect("a runtime can be made");
            let gate = Gate::new();
            // A spare worker sleeps in a poller of its own, which takes descriptors. All numbers below the next one are in use.
            let next = std::fs::File::open("/dev/null").expect("there is one left");
            let open = u64::try_from(next.as_raw_fd()).expect("a number");
            drop(next);
            set_descriptor_limit(open);
            let blockers = [
                block_a_worker(&runtime, &gate),
                block_a_worker(&runtime, &gate),
            ];
            let waiting = runtime.handle().spawn(yield_now());
            let report = problems.wait(1).remove(0);
            assert_eq!(report.trouble, Trouble::Driver);
            let text = report.text.unwrap_or_default();
            assert!(
                text.starts_with("all workers are blocked and no spare one can be started"),
                "{text}"
            );
            assert!(!waiting.is_finished(), "nobody is there to run it");
            set_descriptor_limit(open + 100);
            // With the workers as stuck as before.
            runtime.block_on(waiting);
            gate.open();
            for blocker in blockers {
                runtime.block_on(blocker);
            }
            drop(runtime);
            problems.expect_none();
        },
    );
}

#[test]
fn a_process_ends_although_workers_and_pool_are_stuck() {
    let test = "threads::a_process_ends_although_workers_and_pool_are_stuck";
    let (status, said) = alone_to_the_end(test, || {
        let runtime = Runtime::builder()
            .worker_threads(2)
            .build()
            .expect("a runtime can be made");
        let gate = Gate::new();
        let _blockers = [
            block_a_worker(&runtime, &gate),
            block_a_worker(&runtime, &gate),
        ];
        let begun = Gate::new();
        let (told, kept) = (begun.clone(), gate.clone());
        let handle = runtime.handle();
        let entered = handle.enter();
        let _job = tasca::spawn_blocking(move || {
            told.open();
            kept.wait();
        });
        drop(entered);
        begun.wait();
        #[expect(clippy::exit, reason = "what is tested")]
        exit(42);
    });
    assert_eq!(status.code(), Some(42), "{said}");
}

thread_local! {
    /// What a thread does at its very end.
    static AT_THE_END: RefCell<Option<AtTheEnd>> = const { RefCell::new(None) };
}

/// Uses the runtime when it is dropped: by then the thread's other variables may be gone.
struct AtTheEnd {
    handle: Handle,
    waiter: Option<tasca::Promise<()>>,
    ended: Counter,
}

impl Drop for AtTheEnd {
    fn drop(&mut self) {
        drop(self.handle.spawn(yield_now()));
        self.handle.call_soon(|| ());
        drop(Handle::try_current());
        drop(current_task());
        if let Some(promise) = self.waiter.take() {
            promise.set(()).expect("nobody cancels it");
        }
        self.ended.add();
    }
}

#[test]
fn destructors_of_thread_locals_may_use_the_runtime() {
    guarded("thread-local destructors", || {
        for n_workers in [1, 2, 4] {
            let runtime = Runtime::builder()
                .worker_threads(n_workers)
                .build()
                .expect("a runtime can be made");
            let ended = Counter::new();
            let handle = runtime.handle();
            let (promise, kept) = tasca::promise();
            let at_the_end = {
                let (handle, ended) = (handle.clone(), ended.clone());
                move |waiter| {
                    AT_THE_END.set(Some(AtTheEnd {
                        handle,
                        waiter,
                        ended,
                    }));
                }
            };
            // On a plain thread, which wakes a task of the runtime by its end.
            let on_a_thread = at_the_end.clone();
            std::thread::spawn(move || on_a_thread(Some(promise)))
                .join()
                .expect("it ends");
            runtime.block_on(handle.spawn(kept));
            // On a thread of the pool, and on a worker: these end with the runtime.
            let on_the_pool = at_the_end.clone();
            runtime.block_on(async { tasca::spawn_blocking(move || on_the_pool(None)).await });
            runtime.block_on(handle.spawn(async move { at_the_end(None) }));
            drop(runtime);
            // A thread of the pool is let go before its variables are.
            until(|| ended.get() == 3);
            assert!(handle.spawn(async {}).is_cancelled());
        }
    });
}

/// Starting other programs while all threads are busy: they inherit nothing, and the runtime notices nothing.
#[test]
fn programs_are_started_in_the_middle_of_the_work() {
    alone(
        "threads::programs_are_started_in_the_middle_of_the_work",
        || {
            /// Those of a runtime are among them.
            async fn n_pollers_and_sockets() -> usize {
                let listing = tasca::to_thread(|| {
                    std::process::Command::new("ls")
                        .args(["-l", "/proc/self/fd"])
                        .stdin(std::process::Stdio::null())
                        .output()
                })
                .await
                .expect("a program can be started");
                let listing = String::from_utf8_lossy(&listing.stdout).into_owned();
                let is_one = |line: &&str| line.contains("anon_inode") || line.contains("socket:");
                listing.lines().filter(is_one).count()
            }
            // What this process was given when it was started is not the runtime's.
            let before = Runtime::builder()
                .deterministic(0)
                .build()
                .expect("a runtime can be made")
                .block_on(n_pollers_and_sockets());
            let runtime = Runtime::builder()
                .worker_threads(4)
                .build()
                .expect("a runtime can be made");
            let stop = Gate::new();
            let busy: Vec<_> = (0..4)
                .map(|_| {
                    let stop = stop.clone();
                    runtime.handle().spawn(async move {
                        let mut n_rounds = 0_u64;
                        while !stop.is_open() {
                            assert_eq!(spawn(async { 3 }).await, 3);
                            n_rounds += 1;
                        }
                        n_rounds
                    })
                })
                .collect();
            runtime.block_on(async {
                for _ in 0..20 {
                    assert_eq!(n_pollers_and_sockets().await, before);
                }
            });
            stop.open();
            for task in busy {
                assert!(runtime.block_on(task) > 0);
            }
        },
    );
}
