//! What a runtime takes from the system, and gives back: threads and descriptors, counted.
#![cfg(target_os = "linux")]

use std::fs;
use std::panic::resume_unwind;
use std::time::Instant;

use parking_lot::Mutex;
use tasca::{Runtime, spawn, yield_now};
use tasca_tests::{Gate, HANG, Problems, guarded};

/// Descriptors are the whole process's: one test at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// The names of this process's threads that begin with `prefix`.
fn threads(prefix: &str) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir("/proc/self/task")
        .expect("this is Linux")
        // A thread may end while it is looked at.
        .filter_map(|entry| fs::read_to_string(entry.ok()?.path().join("comm")).ok())
        .map(|name| name.trim().to_owned())
        .filter(|name| name.starts_with(prefix))
        .collect();
    names.sort();
    names
}

/// Waits until the threads whose names begin so are these: a new one has its creator's name for a moment, and one that has been
/// joined is still listed for another.
fn wait_for_threads(prefix: &str, expected: &[String]) {
    let began = Instant::now();
    while threads(prefix) != expected {
        assert!(
            began.elapsed() < HANG,
            "{expected:?} were expected: {:?}",
            threads(prefix)
        );
        std::thread::yield_now();
    }
}

/// Waits until there are the workers of these numbers.
fn wait_for_workers(prefix: &str, count: usize) {
    let prefix = format!("{prefix}-worker-");
    let expected: Vec<String> = (0..count).map(|index| format!("{prefix}{index}")).collect();
    wait_for_threads(&prefix, &expected);
}

fn n_descriptors() -> usize {
    fs::read_dir("/proc/self/fd")
        .expect("this is Linux")
        .count()
}

#[test]
fn a_runtime_has_the_threads_it_says_and_gives_them_back() {
    let _alone = ALONE.lock();
    guarded("threads", || {
        for n_workers in [1, 2, 8] {
            let runtime = Runtime::builder()
                .worker_threads(n_workers)
                .thread_name("given")
                .build()
                .unwrap();
            runtime.block_on(runtime.handle().spawn(yield_now()));
            wait_for_workers("given", n_workers);
            drop(runtime);
            wait_for_threads("given-", &[]);
        }
        let runtime = Runtime::builder()
            .current_thread()
            .thread_name("none")
            .build()
            .unwrap();
        runtime.block_on(async { spawn(yield_now()).await });
        assert!(
            threads("none-").is_empty(),
            "it runs on its caller's thread"
        );
    });
}

#[test]
fn spare_workers_are_threads_that_are_given_back_too() {
    let _alone = ALONE.lock();
    guarded("spares", || {
        let runtime = Runtime::builder()
            .worker_threads(2)
            .thread_name("extra")
            .build()
            .unwrap();
        let gate = Gate::new();
        let blockers: Vec<_> = (0..2)
            .map(|_| {
                let (started, gate) = (Gate::new(), gate.clone());
                let begun = started.clone();
                let blocker = runtime.handle().spawn(async move {
                    begun.open();
                    gate.wait();
                });
                started.wait();
                blocker
            })
            .collect();
        // Runs on a spare worker only.
        runtime.block_on(runtime.handle().spawn(yield_now()));
        wait_for_workers("extra", 3);
        gate.open();
        for blocker in blockers {
            runtime.block_on(blocker);
        }
        drop(runtime);
        wait_for_threads("extra-", &[]);
    });
}

#[test]
fn panics_cost_no_thread() {
    let _alone = ALONE.lock();
    guarded("panics", || {
        let problems = Problems::default();
        let runtime = Runtime::builder()
            .worker_threads(4)
            .thread_name("panic")
            .exception_handler(problems.handler())
            .build()
            .unwrap();
        wait_for_workers("panic", 4);
        let before = threads("panic-worker-");
        for _ in 0..100 {
            drop(
                runtime
                    .handle()
                    .spawn(async { resume_unwind(Box::new("in a task")) }),
            );
            runtime
                .handle()
                .call_soon(|| resume_unwind(Box::new("in a callback")));
        }
        assert_eq!(problems.wait(200).len(), 200);
        // On a machine that is busy with other things a spare one may have come.
        let after = threads("panic-worker-");
        assert!(before.iter().all(|name| after.contains(name)), "{after:?}");
    });
}

#[test]
fn runtimes_leave_no_descriptors_behind() {
    let _alone = ALONE.lock();
    guarded("descriptors", || {
        let once = || {
            for builder in [
                Runtime::builder().worker_threads(3),
                Runtime::builder().current_thread(),
            ] {
                let runtime = builder.build().unwrap();
                runtime.block_on(async { spawn(yield_now()).await });
                assert_eq!(runtime.run(async { 1 }).unwrap(), 1);
            }
        };
        once();
        let before = n_descriptors();
        for _ in 0..20 {
            once();
        }
        assert_eq!(n_descriptors(), before);
    });
}

#[test]
fn a_runtime_that_cannot_be_made_is_an_error_and_leaves_nothing() {
    let _alone = ALONE.lock();
    guarded("no descriptors", || {
        let limit = |n_max: libc::rlim_t| {
            let mut limit = libc::rlimit {
                rlim_cur: 0,
                rlim_max: 0,
            };
            // SAFETY: the pointer is valid for the call.
            let status = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
            assert_eq!(status, 0);
            let before = limit.rlim_cur;
            limit.rlim_cur = n_max;
            // SAFETY: as above.
            let status = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) };
            assert_eq!(status, 0);
            before
        };
        let before = n_descriptors();
        let usual = limit(before as libc::rlim_t + 4);
        let failed = Runtime::builder()
            .worker_threads(64)
            .thread_name("doomed")
            .build();
        limit(usual);
        let error = failed.expect_err("there are no descriptors for so many workers");
        assert_eq!(error.raw_os_error(), Some(libc::EMFILE), "{error}");
        wait_for_threads("doomed-", &[]);
        assert_eq!(n_descriptors(), before);
        assert_eq!(Runtime::new().unwrap().block_on(async { 1 }), 1);
    });
}
