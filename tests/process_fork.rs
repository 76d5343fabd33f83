//! What a runtime does in a forked child: it refuses, clearly, and can be dropped; a new one works.
#![cfg(unix)]
#![expect(
    clippy::print_stderr,
    reason = "the child's lines to its parent; the test harness owns standard output"
)]

use std::process::{Command, Stdio};
use std::time::Duration;

use tasca::blocking::{Queued, ThreadPool};
use tasca::spawn;
use tasca_tests::{Kind, end_if_it_hangs, guarded, panic_of, panic_text};

const KINDS: [Kind; 3] = [
    Kind::MultiThread(2),
    Kind::CurrentThread,
    Kind::Deterministic(0),
];

#[test]
fn a_runtime_refuses_to_work_in_a_forked_child() {
    let text = stderr_of("forks");
    assert_eq!(
        text.matches("the parent's runtime goes on").count(),
        KINDS.len(),
        "{text}"
    );
}

#[test]
fn a_thread_pool_refuses_to_work_in_a_forked_child() {
    let text = stderr_of("forks_with_a_pool");
    assert!(text.contains("the parent's pool goes on"), "{text}");
}

/// Runs an ignored test of this program in a process of its own.
fn stderr_of(test: &'static str) -> String {
    guarded(test, || {
        let output = Command::new(std::env::current_exe().expect("a program knows itself"))
            .args([
                "--exact",
                test,
                "--ignored",
                "--nocapture",
                "--test-threads=1",
            ])
            .stdin(Stdio::null())
            .output()
            .expect("the child can be started");
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{text}");
        text
    })
}

/// Forks; runs `child` in the child, which must return, and gives its process to the parent.
fn fork(child: impl FnOnce()) -> libc::pid_t {
    // SAFETY: the child uses only what it makes itself and what it inherits from the forking thread; the allocator and the
    // standard streams of this program survive a fork, as no other thread holds them: all are parked.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0, "fork failed");
    if pid == 0 {
        // An alarm is not inherited.
        end_if_it_hangs();
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(child));
        if let Err(payload) = &ended {
            eprintln!("in the child: {}", panic_text(&**payload));
        }
        // SAFETY: ends the child without running what belongs to the parent.
        unsafe { libc::_exit(i32::from(ended.is_err())) };
    }
    pid
}

/// Waits for a forked child; gives its exit code.
fn wait_for(pid: libc::pid_t) -> i32 {
    let mut status = 0;
    // SAFETY: `status` is valid for the call, and the process is a child that was not waited for.
    let waited = unsafe { libc::waitpid(pid, &raw mut status, 0) };
    assert_eq!(waited, pid);
    assert!(
        libc::WIFEXITED(status),
        "the child ended by itself: {status:#x}"
    );
    libc::WEXITSTATUS(status)
}

#[test]
#[ignore = "the child of the other test"]
fn forks() {
    end_if_it_hangs();
    for kind in KINDS {
        let runtime = kind.builder().build().expect("a runtime can be made");
        let handle = runtime.handle();
        assert_eq!(runtime.block_on(async { spawn(async { 1 }).await }), 1);
        let mut runtime = Some(runtime);
        let pid = fork(|| {
            for text in [
                panic_of(|| handle.block_on(async {})),
                panic_of(|| drop(handle.enter())),
            ] {
                assert!(
                    text.contains("before fork()") && text.contains("new runtime"),
                    "{text}"
                );
            }
            let task = handle.spawn(async {});
            assert!(task.is_cancelled());
            let error = task.result().unwrap_err().to_string();
            assert!(error.contains("forked child"), "{error}");
            let call = handle.call_soon(|| unreachable!("nobody is there to call"));
            assert!(call.is_cancelled());
            // A new one is as good as any.
            for kind in KINDS {
                let new = kind.builder().build().expect("a runtime can be made");
                let value = new.block_on(async {
                    tasca::time::sleep(Duration::from_millis(1)).await;
                    spawn(async { 2 }).await
                });
                assert_eq!(value, 2);
                drop(new);
            }
            drop(runtime.take());
        });
        assert_eq!(wait_for(pid), 0);
        let runtime = runtime.expect("it was taken in the child's memory");
        assert_eq!(runtime.block_on(async { spawn(async { 3 }).await }), 3);
        drop(runtime);
        eprintln!("the parent's runtime goes on: {kind:?}");
    }
}

#[test]
#[ignore = "the child of the other test"]
fn forks_with_a_pool() {
    end_if_it_hangs();
    let pool = ThreadPool::new(2);
    let runtime = Kind::MultiThread(2)
        .builder()
        .build()
        .expect("a runtime can be made");
    assert_eq!(runtime.block_on(pool.spawn(|| 1)), 1);
    let mut pool = Some(pool);
    let pid = fork(|| {
        let old = pool.take().expect("it is there");
        let new = Kind::MultiThread(1)
            .builder()
            .build()
            .expect("a runtime can be made");
        new.block_on(async {
            let error = old.spawn(|| ()).outcome().await.expect_err("no threads");
            let text = error.panic_text().expect("it failed");
            assert!(
                text.contains("before fork()") && text.contains("new pool"),
                "{text}"
            );
        });
        assert_eq!(old.statistics().n_threads, 0);
        // Its threads never leave: they are not there.
        old.shutdown(Queued::Drain, Duration::from_secs(3600))
            .expect("nothing to wait for");
        drop(old);
        assert_eq!(new.block_on(ThreadPool::new(1).spawn(|| 2)), 2);
    });
    assert_eq!(wait_for(pid), 0);
    let pool = pool.expect("it was taken in the child's memory");
    assert_eq!(runtime.block_on(pool.spawn(|| 3)), 3);
    eprintln!("the parent's pool goes on");
}
