//! A runtime that cannot be made, or only with less than it would like: every call of its start fails once.

use std::io;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tasca::time::sleep;
use tasca::{Builder, Runtime, spawn, yield_now};
use tasca_tests::{Gate, Problems};

use crate::alone::{alone, n_descriptors, n_threads};
use crate::denied::{Denied, deny};
use crate::until;

fn builders() -> [Builder; 3] {
    [
        Runtime::builder().worker_threads(3),
        Runtime::builder().worker_threads(1),
        Runtime::builder().current_thread(),
    ]
}

/// Whether an error is this one of the system, or has it as its reason.
fn says(error: &io::Error, code: i32) -> bool {
    error.to_string().contains(&format!("(os error {code})"))
}

/// What cannot be made leaves nothing.
#[track_caller]
fn fails_without_a_trace(builder: Builder, expected: i32) {
    let before = (n_descriptors(), n_threads());
    let error = builder.build().expect_err("a call has failed");
    assert!(says(&error, expected), "{error}");
    // A thread that has been waited for is listed for another moment.
    until(|| (n_descriptors(), n_threads()) == before);
}

/// Runs a task that sleeps, and one on another worker.
fn works(runtime: &Runtime) {
    let value = runtime.block_on(async {
        sleep(Duration::from_micros(300)).await;
        spawn(async {
            yield_now().await;
            7
        })
        .await
    });
    assert_eq!(value, 7);
}

#[test]
fn a_call_that_fails_at_the_start_is_the_error_of_build() {
    alone(
        "start::a_call_that_fails_at_the_start_is_the_error_of_build",
        || {
            let calls = [
                Denied::always(libc::SYS_epoll_create1, libc::EMFILE),
                Denied::always(libc::SYS_eventfd2, libc::ENFILE),
                Denied {
                    call: libc::SYS_epoll_ctl,
                    error: libc::ENOSPC,
                    argument: Some((1, libc::EPOLL_CTL_ADD.unsigned_abs())),
                },
            ];
            for denied in calls {
                // A filter is for ever, a thread is not.
                let faulty = std::thread::spawn(move || {
                    deny(&[denied]);
                    for builder in builders() {
                        fails_without_a_trace(builder, denied.error);
                    }
                });
                faulty.join().expect("the assertions hold");
            }
            works(&Runtime::new().expect("other threads are not concerned"));
        },
    );
}

#[test]
fn a_worker_thread_that_cannot_be_had_is_the_error_of_build() {
    alone(
        "start::a_worker_thread_that_cannot_be_had_is_the_error_of_build",
        || {
            let faulty = std::thread::spawn(|| {
                deny(&[
                    Denied::always(libc::SYS_clone3, libc::EAGAIN),
                    Denied::always(libc::SYS_clone, libc::EAGAIN),
                ]);
                for builder in builders().into_iter().take(2) {
                    fails_without_a_trace(builder, libc::EAGAIN);
                }
                // This one has no thread of its own.
                works(
                    &Runtime::builder()
                        .current_thread()
                        .build()
                        .expect("as said"),
                );
            });
            faulty.join().expect("the assertions hold");
        },
    );
}

/// Becomes a user whose threads are counted, and lets it have so many. The limit does not hold for root, and counts the threads of
/// other processes of that user: so it is one that nobody else is likely to be.
fn limit_threads(n_max: u64) {
    if rustix::process::getuid().is_root() {
        let user = 20_000 + std::process::id() % 40_000;
        // SAFETY: no memory is involved; the process has this thread only, or all follow it.
        let status = unsafe { libc::setresuid(user, user, 0) };
        assert_eq!(status, 0, "{}", io::Error::last_os_error());
        // So that the process may still read what the system says of it.
        // SAFETY: no memory is involved.
        let status = unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 1, 0, 0, 0) };
        assert_eq!(status, 0, "{}", io::Error::last_os_error());
    }
    let limit = Rlimit {
        current: Some(n_max),
        ..getrlimit(Resource::Nproc)
    };
    setrlimit(Resource::Nproc, limit).expect("a limit can be moved below the hard one");
}

/// Whichever worker's thread is the one too many: those before it are ended again.
#[test]
fn the_last_worker_thread_that_cannot_be_had_ends_those_before_it() {
    alone(
        "start::the_last_worker_thread_that_cannot_be_had_ends_those_before_it",
        || {
            let (mut n_failed, mut limit) = (0, 1);
            let runtime = loop {
                limit_threads(limit);
                let before = (n_descriptors(), n_threads());
                match Runtime::builder().worker_threads(6).build() {
                    Ok(runtime) => break runtime,
                    Err(error) => {
                        assert!(says(&error, libc::EAGAIN), "{error}");
                        until(|| (n_descriptors(), n_threads()) == before);
                    }
                }
                (n_failed, limit) = (n_failed + 1, limit + 1);
            };
            assert!(n_failed >= 6, "each of the threads was once too many");
            works(&runtime);
        },
    );
}

#[test]
fn a_watchdog_that_cannot_be_had_is_reported_and_everything_else_works() {
    alone(
        "start::a_watchdog_that_cannot_be_had_is_reported_and_everything_else_works",
        || {
            let mut n_max = 0;
            loop {
                limit_threads(n_max);
                // What a runtime reports that then cannot be made, for the want of its last worker, is its own.
                let problems = Problems::default();
                let before = n_threads();
                let built = Runtime::builder()
                    .worker_threads(2)
                    .exception_handler(problems.handler())
                    .build();
                match built {
                    Err(_) => n_max += 1,
                    Ok(runtime) => {
                        works(&runtime);
                        until(|| !problems.is_empty() || has_watchdog());
                        if !has_watchdog() {
                            let text = problems.wait(1).remove(0).text.unwrap_or_default();
                            assert!(
                                text.starts_with("the watchdog thread cannot be started"),
                                "{text}"
                            );
                            works(&runtime);
                            return;
                        }
                        // The limit below had room for the workers, but a thread that had ended was still counted.
                        n_max -= 1;
                    }
                }
                until(|| n_threads() == before);
            }
        },
    );
}

fn has_watchdog() -> bool {
    let threads = std::fs::read_dir("/proc/self/task").expect("this is Linux");
    threads.flatten().any(|thread| {
        std::fs::read_to_string(thread.path().join("comm"))
            .is_ok_and(|name| name.trim_end() == "tasca-watchdog")
    })
}

#[test]
fn old_kernels_and_sandboxes_that_refuse_the_newer_calls_will_do() {
    alone(
        "start::old_kernels_and_sandboxes_that_refuse_the_newer_calls_will_do",
        || {
            let faulty = std::thread::spawn(|| {
                deny(&[
                    Denied::always(libc::SYS_epoll_pwait2, libc::ENOSYS),
                    Denied::always(libc::SYS_membarrier, libc::EPERM),
                ]);
                for builder in builders() {
                    works(&builder.build().expect("neither call is needed"));
                }
                rescues_what_waits_behind_a_stuck_worker();
            });
            faulty.join().expect("the assertions hold");
        },
    );
}

/// A program may shut itself into a sandbox when it has begun.
#[test]
fn a_sandbox_that_closes_after_the_start_will_do() {
    alone(
        "start::a_sandbox_that_closes_after_the_start_will_do",
        || {
            works(&Runtime::new().expect("nothing is denied yet"));
            let faulty = std::thread::spawn(|| {
                deny(&[
                    Denied::always(libc::SYS_epoll_pwait2, libc::EPERM),
                    Denied::always(libc::SYS_membarrier, libc::EPERM),
                ]);
                for builder in builders() {
                    works(&builder.build().expect("neither call is needed"));
                }
                rescues_what_waits_behind_a_stuck_worker();
            });
            faulty.join().expect("the assertions hold");
        },
    );
}

/// The one path that needs the strong fence.
fn rescues_what_waits_behind_a_stuck_worker() {
    let problems = Problems::default();
    let runtime = Runtime::builder()
        .worker_threads(2)
        .exception_handler(problems.handler())
        .build()
        .expect("a runtime can be made");
    let (ran, gate) = (Gate::new(), Gate::new());
    let (open, closed) = (ran.clone(), gate.clone());
    let stuck = runtime.handle().spawn(async move {
        drop(spawn(async move { open.open() }));
        closed.wait();
    });
    ran.wait();
    gate.open();
    runtime.block_on(stuck);
    drop(runtime);
    problems.expect_none();
}
