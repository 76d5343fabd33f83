//! [`to_thread`]: a blocking call as a future.

use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context as PollContext, Poll, ready};

use tasca_core::{Context, JobBuilder, Task};

use crate::limiter::{Acquire, Limiter, Permit};
use crate::pools::Pools;

/// Runs `work`, which may block, on a thread of its own kind, and gives its value.
///
/// Nothing happens before the future is polled. `work` runs in a copy of the context that the future is first polled in, so it
/// sees the same context variables; what it sets stays with it.
///
/// # asyncio counterpart
///
/// `asyncio.to_thread()`.
///
/// # Panics
///
/// If `work` panics: the panic goes on here. If the pool's queue is full (1,048,576 jobs unless configured otherwise), or no
/// thread can be started and there is none: with a message that says so. Outside a runtime.
///
/// # Cancel safety
///
/// If the future is dropped, or its task cancelled, before `work` has begun, it never runs. Afterwards it runs on;
/// nobody waits for it, and its value is dropped. It can ask whether that is so: [`is_cancelled`](crate::is_cancelled).
///
/// # Examples
///
/// ```
/// use tasca_blocking::to_thread;
/// # let rt = tasca_core::Runtime::builder().current_thread().build().unwrap();
/// # rt.block_on(async {
/// let text = to_thread(|| std::fs::read_to_string("Cargo.toml")).await?;
/// assert!(text.contains("[package]"));
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
#[track_caller]
pub fn to_thread<F, R>(work: F) -> ToThread<F, R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    ToThread {
        caller: Location::caller(),
        name: None,
        limiter: None,
        phase: Phase::New(work),
    }
}

/// The future of [`to_thread`].
#[must_use = "futures do nothing unless awaited"]
pub struct ToThread<F, R> {
    caller: &'static Location<'static>,
    name: Option<String>,
    limiter: Option<Limiter>,
    phase: Phase<F, R>,
}

enum Phase<F, R> {
    New(F),
    /// Waits for a permit of the limiter.
    Waits(F, Acquire),
    Runs(Task<R>),
    /// Has given its value.
    Over,
}

impl<F, R> ToThread<F, R> {
    /// Sets the name of the job's task.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Has the job wait for a permit of `limiter` first, which it gives back when it has ended.
    pub fn limiter(mut self, limiter: &Limiter) -> Self {
        self.limiter = Some(limiter.clone());
        self
    }
}

impl<F, R> Unpin for ToThread<F, R> {}

impl<F, R> ToThread<F, R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    #[track_caller]
    fn start(&mut self, work: F, permit: Option<Permit>) -> Task<R> {
        let mut job = JobBuilder::new()
            .location(self.caller)
            .context(Context::copy_current());
        if let Some(name) = self.name.take() {
            job = job.name(name);
        }
        let (job, task) = match permit {
            None => job.build(work),
            Some(permit) => job.build_as::<F, _, R>(move || {
                let _permit = permit;
                work()
            }),
        };
        Pools::blocking(job);
        task
    }
}

impl<F, R> Future for ToThread<F, R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    type Output = R;

    // The caller is the line of the `await`.
    #[track_caller]
    fn poll(mut self: Pin<&mut Self>, cx: &mut PollContext<'_>) -> Poll<R> {
        loop {
            match std::mem::replace(&mut self.phase, Phase::Over) {
                Phase::New(work) => {
                    self.phase = match self.limiter.take() {
                        Some(limiter) => Phase::Waits(work, limiter.acquire()),
                        None => Phase::Runs(self.start(work, None)),
                    };
                }
                Phase::Waits(work, mut acquire) => match Pin::new(&mut acquire).poll(cx) {
                    Poll::Ready(permit) => self.phase = Phase::Runs(self.start(work, Some(permit))),
                    Poll::Pending => {
                        self.phase = Phase::Waits(work, acquire);
                        return Poll::Pending;
                    }
                },
                Phase::Runs(task) => {
                    self.phase = Phase::Runs(task);
                    let Phase::Runs(task) = &mut self.phase else {
                        unreachable!("just put there")
                    };
                    let value = ready!(Pin::new(task).poll(cx));
                    self.phase = Phase::Over;
                    return Poll::Ready(value);
                }
                Phase::Over => panic!("`ToThread` was polled after it had given its value"),
            }
        }
    }
}

impl<F, R> Drop for ToThread<F, R> {
    fn drop(&mut self) {
        // Whoever drops this has no way left to ask for the value.
        if let Phase::Runs(task) = &self.phase {
            task.cancel();
        }
    }
}

impl<F, R> fmt::Debug for ToThread<F, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let phase = match &self.phase {
            Phase::New(_) => "new",
            Phase::Waits(..) => "waits for a permit",
            Phase::Runs(_) => "queued or running",
            Phase::Over => "over",
        };
        f.debug_struct("ToThread")
            .field("phase", &phase)
            .field("caller", &self.caller)
            .finish_non_exhaustive()
    }
}
