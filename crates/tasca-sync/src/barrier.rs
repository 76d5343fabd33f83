//! A meeting point for a number of tasks.

use std::error::Error;
use std::fmt;

use super::condition::Condition;
use super::lock::{Lock, LockGuard};
use super::primitive::Mutex;

/// Where a number of tasks wait until all of them have arrived, again and again.
///
/// The barrier fills until the last party arrives; then everybody is let go, and the barrier drains. Who comes meanwhile waits until
/// the last one has left, and the barrier fills again.
///
/// # asyncio counterpart
///
/// `asyncio.Barrier`. `async with barrier` is a block that begins with [`wait`](Self::wait).
///
/// # Examples
///
/// ```
/// # let rt = tasca_core::Runtime::builder().multi_thread().worker_threads(2).build().unwrap();
/// # rt.block_on(async {
/// use std::sync::Arc;
///
/// let barrier = Arc::new(tasca_sync::Barrier::new(3));
/// let tasks = [(); 3].map(|()| {
///     let barrier = Arc::clone(&barrier);
///     tasca_core::spawn(async move { barrier.wait().await })
/// });
/// let mut numbers = Vec::new();
/// for task in tasks {
///     numbers.push(task.await.unwrap());
/// }
/// numbers.sort();
/// assert_eq!(numbers, [0, 1, 2]);
/// # });
/// ```
#[derive(Debug)]
pub struct Barrier {
    n_parties: usize,
    /// Orders the parties as asyncio's barrier does: all of them take it, one after the other.
    turn: Lock<()>,
    changed: Condition,
    // Invariant: changed while `turn` is held, but for a party that is dropped in the middle of its wait. That is why
    // the waits below look at it once more when they have taken their place.
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    phase: Phase,
    /// How many have arrived and have not left.
    n_inside: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Filling,
    Draining,
    Resetting,
    Broken,
}

impl Barrier {
    /// Makes a barrier for a number of parties.
    ///
    /// # Panics
    ///
    /// Panics if the number is zero.
    #[must_use]
    #[track_caller]
    pub fn new(n_parties: usize) -> Self {
        assert!(n_parties > 0, "a barrier is for one party at least");
        Self {
            n_parties,
            turn: Lock::new(()),
            changed: Condition::new(),
            state: Mutex::new(State {
                phase: Phase::Filling,
                n_inside: 0,
            }),
        }
    }

    /// Waits until all parties have arrived; gives the number of the arrival, from 0 on.
    ///
    /// The last party does not suspend.
    ///
    /// # asyncio counterpart
    ///
    /// `await barrier.wait()`.
    ///
    /// # Errors
    ///
    /// [`BrokenBarrier`] if the barrier is broken, or is [aborted](Self::abort) or [reset](Self::reset) before the party has
    /// left. It is not counted any more then.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped or its task cancelled, the party is not counted any more; the others go on waiting.
    pub async fn wait(&self) -> Result<usize, BrokenBarrier> {
        let mut turn = self.turn.lock().await;
        self.wait_until(&mut turn, |phase| {
            !matches!(phase, Phase::Draining | Phase::Resetting)
        })
        .await;
        let (number, _party) = self.arrive()?;
        if number + 1 == self.n_parties {
            self.enter(Phase::Draining);
            return Ok(number);
        }
        self.wait_until(&mut turn, |phase| phase != Phase::Filling)
            .await;
        match self.phase() {
            Phase::Broken | Phase::Resetting => Err(BrokenBarrier(())),
            Phase::Filling | Phase::Draining => Ok(number),
        }
        // The party leaves before it gives the turn away.
    }

    /// Has everybody who waits fail, and lets the barrier fill afresh when they have left. Repairs a broken barrier.
    ///
    /// # asyncio counterpart
    ///
    /// `await barrier.reset()`.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped or its task cancelled before it is ready, the barrier has not been reset.
    pub async fn reset(&self) {
        let _turn = self.turn.lock().await;
        let phase = if self.state.lock().n_inside > 0 {
            Phase::Resetting
        } else {
            Phase::Filling
        };
        self.enter(phase);
    }

    /// Breaks the barrier: everybody who waits, or comes, fails until there is a [`reset`](Self::reset).
    ///
    /// # asyncio counterpart
    ///
    /// `await barrier.abort()`.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped or its task cancelled before it is ready, the barrier has not been broken.
    pub async fn abort(&self) {
        let _turn = self.turn.lock().await;
        self.enter(Phase::Broken);
    }

    /// Gives the number of parties that it takes to open the barrier.
    ///
    /// # asyncio counterpart
    ///
    /// `barrier.parties`.
    #[must_use]
    pub fn parties(&self) -> usize {
        self.n_parties
    }

    /// Gives the number of parties that wait while the barrier fills; 0 at other times.
    ///
    /// # asyncio counterpart
    ///
    /// `barrier.n_waiting`.
    #[must_use]
    pub fn n_waiting(&self) -> usize {
        let state = self.state.lock();
        match state.phase {
            Phase::Filling => state.n_inside,
            Phase::Draining | Phase::Resetting | Phase::Broken => 0,
        }
    }

    /// Whether the barrier is broken at this moment.
    ///
    /// # asyncio counterpart
    ///
    /// `barrier.broken`.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.phase() == Phase::Broken
    }

    async fn wait_until(&self, turn: &mut LockGuard<'_, ()>, holds: impl Fn(Phase) -> bool) {
        let open = || holds(self.phase());
        while !open() {
            self.changed.wait_unless(turn, open).await;
        }
    }

    fn phase(&self) -> Phase {
        self.state.lock().phase
    }

    fn enter(&self, phase: Phase) {
        self.state.lock().phase = phase;
        self.changed.wake(usize::MAX);
    }

    fn arrive(&self) -> Result<(usize, Party<'_>), BrokenBarrier> {
        let mut state = self.state.lock();
        if state.phase == Phase::Broken {
            return Err(BrokenBarrier(()));
        }
        let number = state.n_inside;
        state.n_inside += 1;
        Ok((number, Party(self)))
    }
}

/// Somebody who has arrived, and leaves when it is dropped.
#[derive(Debug)]
struct Party<'a>(&'a Barrier);

impl Drop for Party<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        state.n_inside -= 1;
        if state.n_inside > 0 {
            return;
        }
        if matches!(state.phase, Phase::Resetting | Phase::Draining) {
            state.phase = Phase::Filling;
        }
        drop(state);
        self.0.changed.wake(usize::MAX);
    }
}

/// The barrier is broken, or was reset while the task waited.
///
/// # asyncio counterpart
///
/// `asyncio.BrokenBarrierError`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokenBarrier(());

impl fmt::Display for BrokenBarrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the barrier is broken")
    }
}

impl Error for BrokenBarrier {}
