//! asyncio's programming model on all cores: tasks with names, cancellation with clean-up, timers, sockets and
//! context variables, on a work-stealing executor.
//!
//! ```
//! use std::time::Duration;
//!
//! use tasca::time::sleep;
//! use tasca::{Task, catch_cancelled};
//!
//! #[tasca::main(flavor = "deterministic")] // virtual time: leave the option out for real time and all cores
//! async fn main() {
//!     let slow = Task::builder().name("slow").spawn(async {
//!         match catch_cancelled(sleep(Duration::from_secs(3600))).await {
//!             Ok(()) => "an hour has passed",
//!             Err(cancelled) => {
//!                 sleep(Duration::from_millis(10)).await; // clean-up may wait
//!                 assert_eq!(cancelled.message(), Some("lunch"));
//!                 cancelled.reraise().await // or return a value: swallowed
//!             }
//!         }
//!     });
//!     let quick = tasca::spawn(async { 6 * 7 });
//!
//!     assert_eq!(quick.await, 42); // a task is awaited like the function that it runs
//!     tasca::yield_now().await;
//!     slow.cancel_with("lunch");
//!     let error = slow.outcome().await.unwrap_err(); // its end as a value: nothing is raised here
//!     assert_eq!(error.to_string(), "task 'slow' was cancelled: lunch");
//! }
//! ```
//!
//! # The model
//!
//! - A [`Task`] runs from its [`spawn`] on, whether anybody awaits it or not; dropping the handle detaches
//!   it. `task.await` gives what the task returns; a panic goes on in the awaiting task, and a cancellation is raised there.
//!   [`Task::outcome`] gives the end as a value, `(&task).await` lets many tasks wait.
//! - [`TaskRef::cancel`] asks a task to stop. The request is delivered where the task is suspended: dropping a future at its
//!   await point unwinds it, and [`catch_cancelled`] is the `except CancelledError` around it: the code after it may await,
//!   go on with [`Cancelled::reraise`], or swallow the request. [`finally`] is the short form.
//! - [`gather`], [`wait`], [`as_completed`], [`wait_for`], [`timeout`], [`shield`] and [`TaskGroup`] combine futures and tasks;
//!   [`spawn_blocking`] and [`to_thread`] run closures beside the workers, as tasks like any other.
//! - Errors are values. A panic takes no worker down; one that nobody saw goes to the
//!   [exception handler](Builder::exception_handler).
//!
//! # Runtimes
//!
//! | made with | tasks run | time |
//! |---|---|---|
//! | [`Builder::multi_thread`] | on workers with threads of their own, which share their work | real |
//! | [`Builder::current_thread`] | on the thread that is in [`Runtime::block_on`] | real |
//! | [`Builder::deterministic`] | there too, in an order that a seed decides | virtual: jumps when nothing can run |
//!
//! [`run`] and [`#[tasca::main]`](macro@main) make the first kind. They cancel main on the first interrupt (SIGINT), and in the end
//! cancel what is left and wait for it, for a bounded time.
//!
//! # asyncio counterpart
//!
//! Every item says under this heading what it corresponds to, and where it differs. What differs throughout:
//!
//! - tasks run in parallel, so their futures must be [`Send`]; [`spawn_local`] takes the others;
//! - a coroutine that raises an error is a future whose output is an `Err`;
//! - times are [`Duration`](std::time::Duration) and [`Instant`](std::time::Instant), not seconds;
//! - tasks are held by the runtime: none is garbage-collected while it runs.
//!
//! # Misuse
//!
//! What another thread may run must be `Send`:
//!
//! ```compile_fail,E0277
//! # let rt = tasca::Runtime::new().unwrap();
//! # rt.block_on(async {
//! let shared = std::rc::Rc::new(1);
//! tasca::spawn(async move { *shared }); // use `spawn_local`
//! # });
//! ```
//!
//! ```compile_fail,E0277
//! # let rt = tasca::Runtime::new().unwrap();
//! # rt.block_on(async {
//! tasca::spawn(async {
//!     let guard = std::sync::Mutex::new(1);
//!     let locked = guard.lock().unwrap();
//!     tasca::yield_now().await; // a lock is held across an await
//!     drop(locked);
//! });
//! # });
//! ```
//!
//! A task may outlive its spawner, so it borrows nothing; what [`Runtime::block_on`] polls may:
//!
//! ```compile_fail,E0373
//! # async fn parent() {
//! let word = String::from("borrowed");
//! tasca::spawn(async { println!("{word}") }).await; // use `async move`
//! # }
//! ```
//!
//! A task's output is taken once:
//!
//! ```compile_fail,E0382
//! # async fn parent() {
//! let task = tasca::spawn(async { String::new() });
//! task.await;
//! task.await; // use `(&task).await`
//! # }
//! ```
//!
//! A promise is kept once:
//!
//! ```compile_fail,E0382
//! let (promise, task) = tasca::promise();
//! promise.set(1);
//! promise.set(2);
//! ```
#![forbid(unsafe_code)]

/// The examples of the README are true.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
mod readme {}

/// So are those of the page on channels.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/channels.md")]
mod channels {}

#[doc(hidden)]
pub mod __private;

/// Sources of any kind that the system can wait for, and standard input, for which it cannot.
pub mod io {
    pub use tasca_blocking::{Stdin, stdin};
    pub use tasca_core::io::{Async, Source};
}

#[doc(inline)]
pub use tasca_blocking::fs;

/// Waiting for a time.
pub mod time {
    pub use tasca_core::time::{Interval, Sleep, interval, sleep, sleep_until};
}

/// Sockets, and the names of hosts.
pub mod net {
    pub use tasca_net::{
        Addresses, Incoming, Listener, OwnedReadHalf, OwnedWriteHalf, ReadHalf, ReuniteError,
        SplitStream, TcpListener, TcpStream, ToSocketAddrs, UdpSocket, WriteHalf, lookup_host,
    };
    #[cfg(unix)]
    pub use tasca_net::{UnixDatagram, UnixListener, UnixStream};
}

#[cfg(feature = "hyper")]
pub use tasca_hyper as hyper;

#[doc(inline)]
pub use tasca_sync as sync;

/// Threads for blocking calls and for computations: pools, limits, and what a job can know of itself.
pub mod blocking {
    #[cfg(feature = "rayon")]
    pub use tasca_blocking::RayonExecutor;
    pub use tasca_blocking::{
        Acquire, CpuExecutor, DefaultExecutor, Executor, Job, JobBuilder, JobCancelled, LeftBehind,
        Limiter, Permit, PoolStatistics, PoolsConfig, PoolsStatistics, QueueFull, Queued,
        ThreadPool, ThreadPoolBuilder, ToThread, block_in_place, check_cancelled, is_cancelled,
        run_in_executor, sleep, spawn_blocking, statistics, to_thread,
    };
}

pub use tasca_blocking::{block_in_place, run_in_executor, spawn_blocking, to_thread};

/// Waiting for several tasks, for a limited time, or in a scope: what the functions at the root give, by type.
pub mod combinators {
    pub use tasca_combinators::{
        AsCompleted, AsCompletedWithin, CandidateFailure, Children, Elapsed, ExceptionGroup,
        Failure, Gather, GroupClosed, GroupTask, Next, NextWithin, OperandSet, Race,
        RescheduleError, Shield, TaskGroup, Timeout, TimeoutScope, TryOperandSet, Wait,
        as_completed, gather, shield, staggered_race, timeout, timeout_at, try_gather, wait,
        wait_for,
    };
    pub use tasca_core::{Awaitable, Child, Observed, Operand, SharedTask, TryChild, TryOperand};
}

/// What happens beside the loop of the deterministic runtime, and yet belongs to its model: outside events, interrupts.
pub mod simulation {
    pub use tasca_core::{Simulation, TimeHold};
}

pub use tasca_combinators::{
    Elapsed, ExceptionGroup, TaskGroup, as_completed, gather, shield, timeout, timeout_at,
    try_gather, wait, wait_for,
};

pub use tasca_core::{
    Builder, CallHandle, CallbackId, CancelMessage, Cancelled, CatchCancelled, Context, ContextVar,
    EnterGuard, Finished, Handle, JoinRef, Outcome, Problem, Promise, Reraise, ResultError,
    RunError, Runtime, Task, TaskBuilder, TaskError, TaskId, TaskRef, Token, Trouble, YieldNow,
    all_tasks, catch_cancelled, current_task, finally, promise, run, spawn, spawn_local,
    spawn_pinned, try_spawn, yield_now,
};

/// Runs an async `main` on a runtime.
///
/// # Examples
///
/// ```
/// #[tasca::main]
/// async fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let answer: u32 = tasca::spawn(async { "42".parse() }).await?;
///     assert_eq!(answer, 42);
///     Ok(())
/// }
/// ```
///
/// In virtual time, on one thread, where an hour passes at once:
///
/// ```
/// use std::time::Duration;
///
/// #[tasca::main(flavor = "deterministic", seed = 7)]
/// async fn main() {
///     tasca::time::sleep(Duration::from_secs(3600)).await;
/// }
/// ```
///
/// What cannot be a first task does not compile:
///
/// ```compile_fail
/// #[tasca::main]
/// fn main() {} // not async
/// ```
///
/// ```compile_fail
/// #[tasca::main(flavor = "current_thread", worker_threads = 4)] // one thread
/// async fn main() {}
/// ```
///
/// ```compile_fail,E0277
/// #[tasca::main]
/// async fn main() -> u8 { // neither (), nor a Result, nor an ExitCode
///     0
/// }
/// ```
pub use tasca_macros::main;

/// Runs an async test on a runtime.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// #[tasca::test]
/// async fn a_task_gives_its_output() {
///     assert_eq!(tasca::spawn(async { 42 }).await, 42);
/// }
///
/// #[tasca::test(flavor = "deterministic", seed = 7)]
/// async fn an_hour_passes_at_once() -> Result<(), std::num::ParseIntError> {
///     tasca::time::sleep(Duration::from_secs("3600".parse()?)).await;
///     Ok(())
/// }
///
/// #[tasca::test(flavor = "multi_thread", worker_threads = 2)]
/// #[should_panic(expected = "boom")]
/// async fn a_panic_fails_the_test() {
///     panic!("boom");
/// }
/// # fn main() {}
/// ```
///
/// ```compile_fail
/// #[tasca::test]
/// async fn nobody_passes_this(n: u32) {}
/// # fn main() {}
/// ```
pub use tasca_macros::test;
