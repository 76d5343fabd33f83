//! A limit on how many do something at once.

use std::collections::BTreeMap;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use tasca_core::{Promise, Task, promise};

use crate::primitive::{Arc, Mutex};

/// Lets at most so many pass at once; the others wait in order. Cheap to clone: the clones share the limit.
///
/// To limit how many jobs of one kind a pool runs or has waiting, without a pool of their own.
///
/// # asyncio counterpart
///
/// `asyncio.Semaphore` around `to_thread`; `CapacityLimiter` of `AnyIO` and Trio.
///
/// # Examples
///
/// ```
/// use tasca_blocking::{Limiter, to_thread};
/// # let rt = tasca_core::Runtime::builder().current_thread().build().unwrap();
/// # rt.block_on(async {
/// let disks = Limiter::new(2);
/// let n_bytes = to_thread(|| "read from a disk".len()).limiter(&disks).await;
/// assert_eq!(n_bytes, 16);
/// assert_eq!(disks.available(), 2);
/// # });
/// ```
#[derive(Clone)]
pub struct Limiter {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    n_total: usize,
}

struct State {
    n_available: usize,
    next_ticket: u64,
    /// Those who wait, by the order of arrival.
    // Invariant: empty while there is something available.
    waiting: BTreeMap<u64, Promise<Permit>>,
}

/// The right to be one of those whom a [`Limiter`] lets pass; given back when it is dropped.
#[must_use = "the permit is given back when it is dropped"]
pub struct Permit {
    /// `None` in one that was passed on.
    shared: Option<Arc<Shared>>,
}

impl Limiter {
    /// Makes a limiter that lets `n` pass at once.
    ///
    /// # Panics
    ///
    /// If `n` is zero: nobody would ever pass.
    #[track_caller]
    #[must_use]
    pub fn new(n: usize) -> Self {
        assert!(n > 0, "a limiter of zero would let nobody pass");
        let state = State {
            n_available: n,
            next_ticket: 0,
            waiting: BTreeMap::new(),
        };
        Self {
            shared: Arc::new(Shared {
                state: Mutex::new(state),
                n_total: n,
            }),
        }
    }

    /// Waits for a permit. They are given in the order of asking.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped or its task cancelled, nothing is lost: the place in the line is given up, and a permit that has
    /// just come goes to the next.
    pub fn acquire(&self) -> Acquire {
        Acquire {
            shared: Arc::clone(&self.shared),
            waits: None,
        }
    }

    /// Takes a permit if there is one.
    #[must_use]
    pub fn try_acquire(&self) -> Option<Permit> {
        let mut state = self.shared.state.lock();
        state.n_available = state.n_available.checked_sub(1)?;
        drop(state);
        Some(Permit {
            shared: Some(Arc::clone(&self.shared)),
        })
    }

    /// Gives the number of permits that are to be had.
    #[must_use]
    pub fn available(&self) -> usize {
        self.shared.state.lock().n_available
    }

    /// Gives the number of permits in all.
    #[must_use]
    pub fn total(&self) -> usize {
        self.shared.n_total
    }

    /// Gives the number of those who wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.shared.state.lock().waiting.len()
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut given_back = self.shared.take();
        while let Some(shared) = given_back.take() {
            let next = {
                let mut state = shared.state.lock();
                match state.waiting.pop_first() {
                    Some((_, next)) => next,
                    None => {
                        state.n_available += 1;
                        return;
                    }
                }
            };
            if let Err(mut refused) = next.set(Self {
                shared: Some(shared),
            }) {
                // Cancelled: the permit is for the one behind.
                given_back = refused.shared.take();
            }
        }
    }
}

/// The future of [`Limiter::acquire`].
#[must_use = "futures do nothing unless awaited"]
pub struct Acquire {
    shared: Arc<Shared>,
    /// The place in the line, and what comes of it.
    waits: Option<(u64, Task<Permit>)>,
}

impl Future for Acquire {
    type Output = Permit;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Permit> {
        if self.waits.is_none() {
            let mut state = self.shared.state.lock();
            if let Some(left) = state.n_available.checked_sub(1) {
                state.n_available = left;
                drop(state);
                return Poll::Ready(Permit {
                    shared: Some(Arc::clone(&self.shared)),
                });
            }
            let ticket = state.next_ticket;
            state.next_ticket += 1;
            let (promise, task) = promise();
            state.waiting.insert(ticket, promise);
            drop(state);
            self.waits = Some((ticket, task));
        }
        let Some((_, task)) = &mut self.waits else {
            unreachable!("set above")
        };
        let permit = std::task::ready!(Pin::new(task).poll(cx));
        // A task that gave its output is not touched again.
        self.waits = None;
        Poll::Ready(permit)
    }
}

impl Drop for Acquire {
    fn drop(&mut self) {
        let Some((ticket, task)) = self.waits.take() else {
            return;
        };
        let left_line = self.shared.state.lock().waiting.remove(&ticket);
        // Outside the lock: this cancels the task, and wakes whoever else holds a reference to it.
        drop(left_line);
        // If the permit has come, it goes on to the next.
        drop(task);
    }
}

impl fmt::Debug for Acquire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acquire")
            .field("waits", &self.waits.is_some())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").finish_non_exhaustive()
    }
}

impl fmt::Debug for Limiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.shared.state.lock();
        f.debug_struct("Limiter")
            .field("total", &self.shared.n_total)
            .field("available", &state.n_available)
            .field("waiting", &state.waiting.len())
            .finish()
    }
}
