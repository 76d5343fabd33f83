//! [`ThreadPoolBuilder`]: what a pool is made of.

use std::fmt;
use std::io;
use std::num::NonZero;
use std::thread;

use super::ThreadPool;
use crate::crew::Limits;
use crate::equipment::Equipment;
use crate::limiter::Limiter;
use crate::primitive::{Arc, Duration};

/// The most threads a pool can be asked to have.
const THREADS_MAX: usize = 16_384;
/// So many jobs wait in a pool that was given no other bound.
const QUEUED_MAX: usize = 1 << 20;
/// How many threads a pool starts without waiting for the watcher's judgement.
const BASE_MAX: usize = 4;
/// The watcher's window.
const WINDOW: Duration = Duration::from_micros(100);
/// How long growth rests after the system had no thread.
const START_PAUSE: Duration = Duration::from_millis(10);

/// Describes a [`ThreadPool`] to be made.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tasca_blocking::ThreadPool;
///
/// let pool = ThreadPool::builder()
///     .name("db")
///     .max_threads(8)
///     .keep_alive(Duration::from_secs(60))
///     .queue_bound(100)
///     .build()?;
/// # drop(pool);
/// # Ok::<_, std::io::Error>(())
/// ```
#[derive(Clone)]
#[must_use = "a builder does nothing until `build`"]
pub struct ThreadPoolBuilder {
    n_min: usize,
    n_max: usize,
    eager: bool,
    keep_alive: Duration,
    queue_bound: Option<usize>,
    equipment: Equipment,
}

impl ThreadPoolBuilder {
    pub(super) fn new() -> Self {
        Self {
            n_min: 0,
            n_max: 512,
            eager: false,
            keep_alive: Duration::from_secs(10),
            queue_bound: None,
            equipment: Equipment::new("blocking"),
        }
    }

    /// Has the threads be in the runtime of those who submit: for pools that belong to one.
    pub(crate) fn inside_runtime(mut self) -> Self {
        self.equipment.inside_runtime = true;
        self
    }

    /// Sets how many threads stay, however little there is to do; 0 by default. They are started when first needed.
    pub fn min_threads(mut self, n_threads: usize) -> Self {
        self.n_min = n_threads;
        self
    }

    /// Sets how many threads there are at most; 512 by default.
    pub fn max_threads(mut self, n_threads: usize) -> Self {
        self.n_max = n_threads;
        self
    }

    /// Has a thread start for every job that finds all threads at work, up to the maximum. By default the pool
    /// waits to see whether jobs are held up, once it has four threads.
    pub fn grow_eagerly(mut self) -> Self {
        self.eager = true;
        self
    }

    /// Sets how long a thread stays without a job; 10 seconds by default.
    pub fn keep_alive(mut self, keep_alive: Duration) -> Self {
        self.keep_alive = keep_alive;
        self
    }

    /// Sets what the threads' names begin with; `blocking` by default.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.equipment.name = name.into();
        self
    }

    /// Sets the stack size of the threads in bytes; by default that of Rust's threads (2 MiB).
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.equipment.stack_bytes = Some(bytes);
        self
    }

    /// Sets how many jobs wait in the queue at most.
    ///
    /// [`ThreadPool::submit`] waits for a place, [`ThreadPool::try_spawn`] refuses at once. By default the bound is
    /// 1,048,576, which is meant to be an error when it is reached: nothing waits for it.
    pub fn queue_bound(mut self, n_jobs: usize) -> Self {
        self.queue_bound = Some(n_jobs);
        self
    }

    /// Sets what each thread calls before its first job.
    pub fn on_thread_start(mut self, hook: impl Fn() + Send + Sync + 'static) -> Self {
        self.equipment.on_start = Some(Arc::new(hook));
        self
    }

    /// Sets what each thread calls after its last job.
    pub fn on_thread_stop(mut self, hook: impl Fn() + Send + Sync + 'static) -> Self {
        self.equipment.on_stop = Some(Arc::new(hook));
        self
    }

    /// Makes the pool. No thread is started before it is needed.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::InvalidInput`] for a maximum of zero or more than 16,384, for a minimum above the maximum, and for a
    /// queue without a place.
    pub fn build(self) -> io::Result<ThreadPool> {
        let wrong = |text: String| Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        if self.n_max == 0 {
            return wrong("a thread pool needs at least one thread".into());
        }
        if self.n_max > THREADS_MAX {
            return wrong(format!(
                "{} threads are too many; the most is {THREADS_MAX}",
                self.n_max
            ));
        }
        if self.n_min > self.n_max {
            return wrong(format!(
                "at least {} and at most {} threads",
                self.n_min, self.n_max
            ));
        }
        if self.queue_bound == Some(0) {
            return wrong("a queue needs at least one place".into());
        }
        let n_base = if self.eager {
            self.n_max
        } else {
            n_cores().min(BASE_MAX).min(self.n_max)
        };
        let limits = Limits {
            n_base,
            n_min: self.n_min,
            n_max: self.n_max,
            n_queued_max: QUEUED_MAX.max(self.queue_bound.unwrap_or(0)),
            keep_alive: self.keep_alive,
            window: WINDOW,
            start_pause: START_PAUSE,
            has_timers: self.equipment.inside_runtime,
        };
        let places = self.queue_bound.map(Limiter::new);
        Ok(ThreadPool::made_of(limits, places, self.equipment))
    }
}

/// The cores that the process may use.
pub(crate) fn n_cores() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get)
}

impl fmt::Debug for ThreadPoolBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadPoolBuilder")
            .field("name", &self.equipment.name)
            .field("min_threads", &self.n_min)
            .field("max_threads", &self.n_max)
            .field("keep_alive", &self.keep_alive)
            .field("queue_bound", &self.queue_bound)
            .finish_non_exhaustive()
    }
}
