//! What a runtime is made of.

use std::fmt;
use std::io;
use std::thread;
use std::time::Duration;

use super::Runtime;
use crate::driver::Driver;
use crate::primitive::{Arc, prepare_fences, watch_forks};
use crate::queue;
use crate::scheduler::remote::Remote;
use crate::scheduler::shared::{Flavor, SPARES_PER_WORKER, Settings, Shared};
use crate::scheduler::shutdown;
use crate::scheduler::worker::Seed;
use crate::task::error::{Problem, Reporter, report_to_stderr};

/// The most workers a runtime can have.
const WORKERS_MAX: usize = 1024;

/// Describes a [`Runtime`] to be made.
///
/// # Examples
///
/// ```
/// let rt = tasca_core::Runtime::builder()
///     .worker_threads(2)
///     .thread_name("web")
///     .exception_handler(|problem| eprintln!("{problem}"))
///     .build()?;
/// # drop(rt);
/// # Ok::<_, std::io::Error>(())
/// ```
#[derive(Clone)]
#[must_use = "a builder does nothing until `build`"]
pub struct Builder {
    flavor: Flavor,
    worker_threads: Option<usize>,
    thread_name: String,
    stack_bytes: Option<usize>,
    shutdown_timeout: Duration,
    stall_after: Duration,
    eager_tasks: bool,
    handler: Option<Reporter>,
}

impl Builder {
    pub(super) fn new() -> Self {
        Self {
            flavor: Flavor::MultiThread,
            worker_threads: None,
            thread_name: "tasca".into(),
            stack_bytes: None,
            shutdown_timeout: Duration::from_secs(10),
            stall_after: Duration::from_secs(5),
            eager_tasks: false,
            handler: None,
        }
    }

    /// Chooses workers with threads of their own, which share their work. The default.
    pub fn multi_thread(mut self) -> Self {
        self.flavor = Flavor::MultiThread;
        self
    }

    /// Chooses to run everything on the thread that is in [`block_on`](Runtime::block_on).
    pub fn current_thread(mut self) -> Self {
        self.flavor = Flavor::CurrentThread;
        self
    }

    /// Chooses one thread, virtual time, and an order that `seed` decides; 0 is first come, first served, as in asyncio.
    ///
    /// The clock stands still while anything can run, and then jumps to the next timer.
    ///
    /// A seed other than 0 interleaves what several workers would run at the same time. As in the queue of a worker, what one
    /// step of a task has queued keeps its order: the first of two tasks that it spawns begins first, and waiters that it wakes go on in
    /// their order. Timers that are due together go off in the order in which they were armed.
    pub fn deterministic(mut self, seed: u64) -> Self {
        self.flavor = Flavor::Deterministic { seed };
        self
    }

    /// Sets the number of workers, for the multi-threaded runtime. By default it is the number of cores that the process may
    /// use (affinity and cgroup quota included).
    pub fn worker_threads(mut self, n_workers: usize) -> Self {
        self.worker_threads = Some(n_workers);
        self
    }

    /// Sets what the names of the runtime's threads begin with; `tasca` by default.
    pub fn thread_name(mut self, name: impl Into<String>) -> Self {
        self.thread_name = name.into();
        self
    }

    /// Sets the stack size of the workers in bytes; by default that of Rust's threads (2 MiB).
    pub fn thread_stack_size(mut self, bytes: usize) -> Self {
        self.stack_bytes = Some(bytes);
        self
    }

    /// Sets how long the end of the runtime waits: for tasks that clean up in [`run`](Runtime::run), and for polls that are
    /// under way. 10 seconds by default.
    pub fn shutdown_timeout(mut self, timeout: Duration) -> Self {
        self.shutdown_timeout = timeout;
        self
    }

    /// Sets how long the deterministic runtime waits for other threads, in real time, when nothing can happen by itself any
    /// more: nothing is ready, no timer is armed, no job is under way. 5 seconds by default; zero, if nothing comes from outside.
    ///
    /// Then it has *stalled*, and says which tasks wait, and for what: [`run`](Runtime::run) gives an error
    /// ([`is_stalled`](crate::RunError::is_stalled)), [`block_on`](Runtime::block_on) panics. The other runtimes wait for ever.
    ///
    /// # asyncio counterpart
    ///
    /// None: asyncio waits for ever.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let rt = tasca_core::Runtime::builder().deterministic(0).stall_after(Duration::ZERO).build()?;
    /// let error = rt.run(std::future::pending::<()>()).unwrap_err();
    /// assert!(error.is_stalled());
    /// # Ok::<_, std::io::Error>(())
    /// ```
    pub fn stall_after(mut self, patience: Duration) -> Self {
        self.stall_after = patience;
        self
    }

    /// Sets whether a task that is spawned by another, or by a callback, takes its first step at once, inside the spawn, on the spawner's thread; `false` by default.
    ///
    /// A task that never suspends is then done when the spawn returns. For a single task there is
    /// [`TaskBuilder::eager`](crate::TaskBuilder::eager), which says more.
    ///
    /// # asyncio counterpart
    ///
    /// `loop.set_task_factory(asyncio.eager_task_factory)`.
    pub fn eager_tasks(mut self, eager: bool) -> Self {
        self.eager_tasks = eager;
        self
    }

    /// Sets what is called with problems that nobody else would see, such as a panic in a task that nobody awaits.
    /// The default writes them to standard error.
    ///
    /// # asyncio counterpart
    ///
    /// `loop.set_exception_handler()`.
    pub fn exception_handler(mut self, handler: impl Fn(&Problem) + Send + Sync + 'static) -> Self {
        self.handler = Some(Arc::new(move |problem| handler(&problem)));
        self
    }

    /// Makes the runtime, and starts its workers.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::InvalidInput`] for zero workers or more than 1024, or for more than one on a runtime that has a
    /// single thread; otherwise what the system says when it has no descriptors or threads
    /// left. Nothing stays behind then.
    pub fn build(self) -> io::Result<Runtime> {
        let n_workers = self.n_workers()?;
        prepare_fences();
        watch_forks();
        let n_spares = if self.flavor == Flavor::MultiThread {
            n_workers * SPARES_PER_WORKER
        } else {
            0
        };
        let (mut remotes, mut seeds) = (Vec::new(), Vec::new());
        for index in 0..n_workers + n_spares {
            let queue = queue::Shared::new();
            remotes.push(Remote::new(index, queue.thief()));
            seeds.push(Seed { index, queue });
        }
        let driver = Driver::new(n_workers, n_spares)?;
        let handler = guard(
            self.handler
                .unwrap_or_else(|| Arc::new(|problem| report_to_stderr(&problem))),
        );
        let settings = Settings {
            thread_name: self.thread_name,
            stack_bytes: self.stack_bytes,
            shutdown_timeout: self.shutdown_timeout,
            stall_after: self.stall_after,
            eager_tasks: self.eager_tasks,
        };
        let shared = Shared::new(self.flavor, remotes, n_workers, driver, handler, settings);
        let runtime = Runtime {
            shared: Arc::clone(&shared),
        };
        for seed in seeds {
            if self.flavor == Flavor::MultiThread && seed.index < n_workers {
                // On failure the drop of `runtime` ends the workers that were started.
                shutdown::start_worker(&shared, seed).map_err(|(_, error)| {
                    io::Error::new(
                        error.kind(),
                        format!("a worker thread cannot be started: {error}"),
                    )
                })?;
            } else {
                shared.threads.return_seed(seed);
            }
        }
        Ok(runtime)
    }

    fn n_workers(&self) -> io::Result<usize> {
        let wrong = |text: String| Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        match (self.flavor, self.worker_threads) {
            (Flavor::MultiThread, None) => Ok(thread::available_parallelism()
                .map_or(1, usize::from)
                .min(WORKERS_MAX)),
            (_, Some(0)) => wrong(
                "a runtime needs at least one worker; leave worker_threads out for one a core"
                    .into(),
            ),
            (Flavor::MultiThread, Some(n)) if n > WORKERS_MAX => wrong(format!(
                "{n} workers are too many; the most is {WORKERS_MAX}"
            )),
            (Flavor::MultiThread, Some(n)) => Ok(n),
            (_, None | Some(1)) => Ok(1),
            (_, Some(n)) => wrong(format!(
                "{n} workers were asked for on a runtime with a single thread; choose multi_thread()"
            )),
        }
    }
}

/// A handler whose own panic goes nowhere else: there is nobody left to tell.
fn guard(handler: Reporter) -> Reporter {
    Arc::new(move |problem| {
        let text = problem.to_string();
        let called = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| handler(problem)));
        if let Err(payload) = called {
            report_to_stderr(&Problem::from_panic(
                crate::task::error::Trouble::CallbackPanicked,
                payload,
            ));
            report_to_stderr(&Problem::new(
                crate::task::error::Trouble::CallbackPanicked,
                text,
            ));
        }
    })
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("flavor", &self.flavor)
            .field("worker_threads", &self.worker_threads)
            .field("thread_name", &self.thread_name)
            .field("shutdown_timeout", &self.shutdown_timeout)
            .finish_non_exhaustive()
    }
}
