//! What takes a process of its own: a system that has no more threads, where the pool goes on with those it has; and an end with
//! jobs that are stuck.
#![cfg(target_os = "linux")]
#![expect(clippy::print_stdout, reason = "says what was not tested")]

use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::sync::{Arc, Barrier, mpsc};
use std::time::Duration;

use futures::future::{Either, select};
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};
use tasca_blocking::{DefaultExecutor, ThreadPool, run_in_executor, spawn_blocking};
use tasca_core::{Runtime, Task};

/// Set in the process under test; says what it is to do.
const ROLE: &str = "TASCA_TEST_LIMIT";
/// Nobody: the limit on the number of threads does not hold for root.
const NOBODY: u32 = 65534;

#[test]
fn a_process_ends_though_jobs_are_stuck() {
    in_a_process("exit", None);
}

#[test]
fn jobs_run_on_what_threads_there_are() {
    in_a_process("memory", None);
    let user = rustix::process::getuid().is_root().then_some(NOBODY);
    in_a_process("threads", user);
}

#[test]
#[ignore = "the child of the others"]
fn child() {
    match std::env::var(ROLE).as_deref() {
        Ok("threads") => with_limited_threads(),
        Ok("memory") => with_limited_memory(),
        Ok("exit") => leaves_stuck_jobs(),
        role => panic!("no such role: {role:?}"),
    }
}

fn in_a_process(role: &str, user: Option<u32>) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .env(ROLE, role)
        .args(["--exact", "child", "--ignored", "--nocapture"]);
    if let Some(user) = user {
        command.uid(user);
    }
    match command.spawn() {
        Ok(child) => wait_for(child, role),
        // The test's binary may lie where that user cannot go; the other limit has been tested.
        Err(error) if user.is_some() => println!("not tested as another user: {error}"),
        Err(error) => panic!("{error}"),
    }
}

/// Far more than any machine needs.
const HANG: Duration = Duration::from_secs(120);

fn wait_for(mut child: Child, role: &str) {
    let (pid, (send, receive)) = (Pid::from_child(&child), mpsc::channel());
    std::thread::spawn(move || send.send(child.wait()));
    let status = receive.recv_timeout(HANG).unwrap_or_else(|_| {
        // It has not been waited for, so the number is still its own.
        let _it_may_have_ended = kill_process(pid, Signal::KILL);
        panic!("the process for {role} does not end")
    });
    let status = status.unwrap();
    assert!(status.success(), "the process for {role}: {status}");
}

/// Jobs that never end, in each kind of pool: nothing waits for them but the shutdown, for as long as it was told to.
fn leaves_stuck_jobs() {
    let rt = Runtime::builder().worker_threads(1).build().unwrap();
    let pool = ThreadPool::new(1);
    let begun = Arc::new(Barrier::new(4));
    let stuck = || {
        let begun = Arc::clone(&begun);
        move || {
            begun.wait();
            loop {
                std::thread::park();
            }
        }
    };
    rt.block_on(async {
        drop(pool.spawn(stuck()));
        drop(spawn_blocking(stuck()));
        drop(run_in_executor(&DefaultExecutor, stuck()));
        begun.wait();
    });
    drop(pool);
    rt.shutdown_timeout(Duration::ZERO);
}

fn with_limited_threads() {
    let rt = Runtime::builder().current_thread().build().unwrap();
    let pool = pool_with_two_threads(&rt);
    let old = getrlimit(Resource::Nproc);
    setrlimit(
        Resource::Nproc,
        Rlimit {
            current: Some(0),
            maximum: old.maximum,
        },
    )
    .unwrap();
    assert!(
        std::thread::Builder::new().spawn(|| ()).is_err(),
        "the limit holds"
    );
    goes_on_with_two_threads(&rt, &pool);
    fails_without_any(&rt);
    let stuck = get_stuck(&rt, &pool);
    setrlimit(Resource::Nproc, old).unwrap();
    recovers(&rt, &pool, stuck);
}

fn with_limited_memory() {
    let rt = Runtime::builder().current_thread().build().unwrap();
    let pool = pool_with_two_threads(&rt);
    let old = getrlimit(Resource::As);
    // No stack of a new thread finds a place; the heap has some room in what it has mapped already.
    let n_pages: u64 = std::fs::read_to_string("/proc/self/statm")
        .unwrap()
        .split(' ')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    let now = n_pages * rustix::param::page_size() as u64;
    setrlimit(
        Resource::As,
        Rlimit {
            current: Some(now + (1 << 20)),
            maximum: old.maximum,
        },
    )
    .unwrap();
    assert!(
        std::thread::Builder::new().spawn(|| ()).is_err(),
        "the limit holds"
    );
    goes_on_with_two_threads(&rt, &pool);
    fails_without_any(&rt);
    let stuck = get_stuck(&rt, &pool);
    setrlimit(Resource::As, old).unwrap();
    recovers(&rt, &pool, stuck);
}

fn pool_with_two_threads(rt: &Runtime) -> ThreadPool {
    let pool = ThreadPool::builder()
        .min_threads(2)
        .max_threads(64)
        .grow_eagerly()
        .build()
        .unwrap();
    meet(rt, &pool, 2);
    assert_eq!(pool.statistics().n_threads, 2);
    pool
}

/// So many jobs that wait for one another.
fn meet(rt: &Runtime, pool: &ThreadPool, n_jobs: usize) {
    let barrier = Arc::new(Barrier::new(n_jobs));
    rt.block_on(async {
        let jobs: Vec<_> = (0..n_jobs)
            .map(|_| {
                let barrier = Arc::clone(&barrier);
                run_in_executor(pool, move || {
                    barrier.wait();
                })
            })
            .collect();
        for job in jobs {
            job.await;
        }
    });
}

fn goes_on_with_two_threads(rt: &Runtime, pool: &ThreadPool) {
    rt.block_on(async {
        let jobs: Vec<_> = (0..1000).map(|index| pool.spawn(move || index)).collect();
        for (index, job) in jobs.into_iter().enumerate() {
            assert_eq!(job.await, index);
        }
    });
    meet(rt, pool, 2);
    assert_eq!(pool.statistics().n_threads, 2);
}

fn fails_without_any(rt: &Runtime) {
    let empty = ThreadPool::builder()
        .name("empty")
        .max_threads(4)
        .build()
        .unwrap();
    rt.block_on(async {
        let error = empty.spawn(|| ()).outcome().await.unwrap_err();
        let text = error.panic_text().unwrap_or_default();
        assert!(
            text.starts_with("thread pool 'empty' has no thread, and none can be started"),
            "{error}"
        );
    });
    assert_eq!(empty.statistics().n_threads, 0);
}

/// Jobs of which the last waits for a third thread, and the first two for the last.
struct Stuck {
    held: Vec<Task<()>>,
    waits: Task<()>,
}

/// Holds both threads up and submits one more job, for which the system has no thread.
fn get_stuck(rt: &Runtime, pool: &ThreadPool) -> Stuck {
    let (begun, go) = (Arc::new(Barrier::new(3)), Arc::new(Barrier::new(3)));
    rt.block_on(async {
        let held = (0..2)
            .map(|_| {
                let (begun, go) = (Arc::clone(&begun), Arc::clone(&go));
                pool.spawn(move || {
                    begun.wait();
                    go.wait();
                })
            })
            .collect();
        begun.wait();
        let waits = pool.spawn(move || {
            go.wait();
        });
        let statistics = pool.statistics();
        assert_eq!((statistics.n_threads, statistics.n_queued), (2, 1));
        Stuck { held, waits }
    })
}

/// Once the system has threads again the job gets one: nobody submits anything, and no job ends.
fn recovers(rt: &Runtime, pool: &ThreadPool, stuck: Stuck) {
    rt.block_on(async {
        let hang = std::pin::pin!(tasca_core::time::sleep(Duration::from_secs(60)));
        match select(stuck.waits, hang).await {
            Either::Left(_) => {}
            Either::Right(_) => panic!("no thread was started: {:?}", pool.statistics()),
        }
        for job in stuck.held {
            job.await;
        }
        assert_eq!(pool.statistics().n_threads, 3);
    });
}
