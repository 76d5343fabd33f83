//! Waiting, with a lock given up, for a notification.

use super::line::{Later, Line, Standing};
use super::lock::LockGuard;
use super::primitive::{Mutex, catch_cancelled};
use super::wait::{Gate, Wait};

/// Tasks that wait for what a lock protects to change.
///
/// A task that holds a [`Lock`](crate::Lock) finds that something is missing, and waits; the wait gives the lock up, and has it again when it
/// is over. A task that changes the value notifies.
///
/// A condition serves one lock at a time, the one whose guards it is used with; several conditions may serve one lock.
///
/// # asyncio counterpart
///
/// `asyncio.Condition`. The lock is apart, since it owns its data; `async with condition` is `lock.lock().await`. That the
/// lock is held is a matter of types: `wait` and `notify` take the guard.
///
/// # Examples
///
/// ```
/// # let rt = tasca_core::Runtime::builder().multi_thread().worker_threads(2).build().unwrap();
/// # rt.block_on(async {
/// use std::sync::Arc;
/// use tasca_sync::{Condition, Lock};
///
/// let shared = Arc::new((Lock::new(Vec::new()), Condition::new()));
/// let consumer = tasca_core::spawn({
///     let shared = Arc::clone(&shared);
///     async move {
///         let (lock, changed) = &*shared;
///         let mut items = lock.lock().await;
///         changed.wait_for(&mut items, |items| !items.is_empty()).await;
///         items.pop().unwrap()
///     }
/// });
/// let (lock, changed) = &*shared;
/// let mut items = lock.lock().await;
/// items.push("tea");
/// changed.notify(&items, 1);
/// drop(items);
/// assert_eq!(consumer.await, "tea");
/// # });
/// ```
#[derive(Debug, Default)]
pub struct Condition {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    line: Line,
    /// The lock that those in line have given up.
    lock: usize,
}

impl Condition {
    /// Makes a condition that nobody waits for.
    #[must_use]
    pub fn new() -> Self {
        Self {
            state: Mutex::new(State {
                line: Line::new(),
                lock: 0,
            }),
        }
    }

    /// Gives the lock up, waits for a notification, and takes the lock again.
    ///
    /// Returns with the lock held. That there was a notification says little: another task may have been faster to take what it was
    /// about, and a wait may end without one. Check again, or use [`wait_for`](Self::wait_for).
    ///
    /// # asyncio counterpart
    ///
    /// `await condition.wait()`.
    ///
    /// # Panics
    ///
    /// Panics if other tasks wait with another lock at this moment, or if the guard has lost its lock.
    ///
    /// # Cancel safety
    ///
    /// If the task is cancelled, the wait takes the lock again, however long that takes and however often the task is
    /// cancelled meanwhile, and only then lets the last cancellation out: a scope around it that has the guard outside finds the
    /// lock held. A notification is then passed on to the next who waits.
    ///
    /// If the future is dropped otherwise (it lost a `select!`), there is no time to take the lock again: the guard has lost it, and
    /// panics when it is used. A notification that had been received is passed on.
    #[track_caller]
    pub fn wait<T>(&self, guard: &mut LockGuard<'_, T>) -> impl Future<Output = ()> {
        self.serve(guard);
        self.wait_unless(guard, || false)
    }

    /// Waits, unless `open` holds when the place in line is about to be taken: whoever makes it true and calls
    /// [`wake`](Self::wake) afterwards is not missed, with or without the lock.
    pub(crate) async fn wait_unless<T>(
        &self,
        guard: &mut LockGuard<'_, T>,
        open: impl Fn() -> bool,
    ) {
        let mut pass_on = PassOn {
            condition: self,
            armed: false,
        };
        let notified = Wait::new(Notified {
            guard,
            pass_on: &mut pass_on,
            open,
        });
        let mut cancelled = catch_cancelled(notified).await.err();
        // From here on, any end but a normal one passes a notification on, received or not (rule K9).
        pass_on.armed = true;
        loop {
            match catch_cancelled(guard.resume()).await {
                Ok(()) => break,
                Err(again) => cancelled = Some(again),
            }
        }
        if let Some(cancelled) = cancelled {
            cancelled.reraise::<()>().await;
        }
        pass_on.armed = false;
    }

    /// Waits until `predicate` holds; it is asked with the lock held, first of all before waiting.
    ///
    /// # asyncio counterpart
    ///
    /// `await condition.wait_for(predicate)`.
    ///
    /// # Panics
    ///
    /// As for [`wait`](Self::wait).
    ///
    /// # Cancel safety
    ///
    /// As for [`wait`](Self::wait).
    #[track_caller]
    pub fn wait_for<T>(
        &self,
        guard: &mut LockGuard<'_, T>,
        mut predicate: impl FnMut(&mut T) -> bool,
    ) -> impl Future<Output = ()> {
        self.serve(guard);
        async move {
            while !predicate(guard) {
                self.wait(guard).await;
            }
        }
    }

    /// Wakes the first `n` of those who wait, or as many as there are. They go on when the lock is free.
    ///
    /// `guard` shows that the lock is held.
    ///
    /// # asyncio counterpart
    ///
    /// `condition.notify(n)`.
    ///
    /// # Panics
    ///
    /// Panics if tasks wait with another lock than that of `guard`.
    ///
    /// # Examples
    ///
    /// See [`Condition`].
    #[track_caller]
    pub fn notify<T>(&self, guard: &LockGuard<'_, T>, n: usize) {
        self.serve(guard);
        self.wake(n);
    }

    /// Wakes everybody who waits. They go on one after the other, as each takes the lock.
    ///
    /// # asyncio counterpart
    ///
    /// `condition.notify_all()`.
    ///
    /// # Panics
    ///
    /// As for [`notify`](Self::notify).
    #[track_caller]
    pub fn notify_all<T>(&self, guard: &LockGuard<'_, T>) {
        self.notify(guard, usize::MAX);
    }

    /// Notifies, whether the lock is held or not.
    pub(crate) fn wake(&self, n: usize) {
        let mut later = Later::default();
        let mut state = self.state.lock();
        for _ in 0..n {
            if !state.line.wake_next(&mut later) {
                return;
            }
        }
    }

    /// Notes which lock is given up by those who wait.
    #[track_caller]
    fn serve<T>(&self, guard: &LockGuard<'_, T>) {
        let address = guard.address();
        assert!(guard.is_held(), "the guard has lost its lock");
        let mut state = self.state.lock();
        let right = state.line.is_empty() || state.lock == address;
        if right {
            state.lock = address;
        }
        drop(state);
        assert!(right, "a condition is used with one lock at a time");
    }
}

/// Notifies the next one when a wait ends that has been notified and does not return.
#[derive(Debug)]
struct PassOn<'a> {
    condition: &'a Condition,
    armed: bool,
}

impl Drop for PassOn<'_> {
    fn drop(&mut self) {
        if self.armed {
            self.condition.wake(1);
        }
    }
}

/// Waits for a notification. The lock is given up when the place in line is taken.
#[derive(Debug)]
struct Notified<'a, 'w, 'g, T, F> {
    guard: &'w mut LockGuard<'g, T>,
    pass_on: &'w mut PassOn<'a>,
    open: F,
}

impl<'a, T, F: Fn() -> bool> Gate<'a> for Notified<'a, '_, '_, T, F> {
    type State = State;
    type Kind = ();
    type Output = ();

    fn state(&self) -> &'a Mutex<State> {
        &self.pass_on.condition.state
    }

    fn line<'s>(&self, state: &'s mut State) -> (&'s mut Line, ()) {
        (&mut state.line, ())
    }

    fn attempt(&mut self, _: &mut State, left: Option<Standing>, _: &mut Later) -> Option<()> {
        // Who was passed over is let go as well: a wake-up may come without a notification.
        (left.is_some() || (self.open)()).then_some(())
    }

    fn joined(&mut self) {
        self.guard.suspend();
    }

    fn withdraw(&mut self, _: &mut State, left: Standing, _: &mut Later) {
        self.pass_on.armed = left == Standing::Woken;
    }
}
