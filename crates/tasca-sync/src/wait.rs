//! The one future that waits in a line; what it waits for is a [`Gate`].
//!
//! Everything that is delicate about waiting is in here, once: that a cancellation wins over a wake-up, that foreign code (wakers
//! being cloned, woken, dropped) runs while no lock is held, that a place is given back exactly once, and
//! that a waiter that was let go and does not go passes on what it had been given.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::line::{Key, Later, Line, Standing};
use super::primitive::Mutex;
use super::primitive::leaf::{self, Waiter};

/// What a [`Wait`] waits for. All but `try_fast` and `joined` are called with the lock of the state held.
pub(crate) trait Gate<'a> {
    /// What the lock protects.
    type State: 'a;
    /// Tells waiters in one line apart.
    type Kind;
    /// What one has who has passed.
    type Output;

    fn state(&self) -> &'a Mutex<Self::State>;

    /// The line to wait in, and what to wait for there.
    fn line<'s>(&self, state: &'s mut Self::State) -> (&'s mut Line<Self::Kind>, Self::Kind);

    /// Tries to pass without the lock. Called once, for a newcomer.
    fn try_fast(&mut self) -> Option<Self::Output> {
        None
    }

    /// Tries to pass.
    ///
    /// `left` is `None` for a newcomer, else the standing of a place that has just been given back.
    fn attempt(
        &mut self,
        state: &mut Self::State,
        left: Option<Standing>,
        later: &mut Later,
    ) -> Option<Self::Output>;

    /// Called before the line is joined: sees to it that whoever opens the gate from now on looks at the line.
    /// `false` if it has opened meanwhile, by somebody who did not need the lock.
    fn announce(&mut self, state: &mut Self::State) -> bool {
        let _ = state;
        true
    }

    /// Called when the place is taken and the lock released, before the task suspends.
    fn joined(&mut self) {}

    /// Passes on what a waiter had been given who does not go: its place with this standing has just been given back.
    fn withdraw(&mut self, state: &mut Self::State, left: Standing, later: &mut Later);
}

/// Waits for a gate to open.
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub(crate) struct Wait<'a, G: Gate<'a>> {
    gate: G,
    place: Option<Key>,
    marker: std::marker::PhantomData<&'a ()>,
}

impl<'a, G: Gate<'a>> Wait<'a, G> {
    #[inline]
    pub(crate) fn new(gate: G) -> Self {
        Self {
            gate,
            place: None,
            marker: std::marker::PhantomData,
        }
    }

    /// Gives the place back, and passes on what was meant for it.
    // Apart, so that the end of a wait that never suspended is one look.
    #[cold]
    fn leave(&mut self, key: Key) {
        let mut later = Later::default();
        let mut state = self.gate.state().lock();
        let left = self.gate.line(&mut state).0.leave(key, &mut later);
        self.gate.withdraw(&mut state, left, &mut later);
    }

    fn poll_slow(&mut self, cx: &Context<'_>) -> Poll<G::Output> {
        let gate = &mut self.gate;
        // Made while no lock is held, if its waker is foreign code.
        let mut waiter = None;
        let mut left = None;
        loop {
            let mut later = Later::default();
            let mut state = gate.state().lock();
            let (line, _) = gate.line(&mut state);
            if let Some(key) = self.place.take() {
                match line.standing(&key) {
                    Standing::Waiting if line.is_for(&key, cx) => {
                        self.place = Some(key);
                        return Poll::Pending;
                    }
                    Standing::Waiting => {
                        if let Some(waiter) = waiter.take().or_else(|| Waiter::of_task(cx)) {
                            line.replace(&key, waiter, &mut later);
                            self.place = Some(key);
                            return Poll::Pending;
                        }
                        self.place = Some(key);
                    }
                    Standing::Woken | Standing::PassedOver => {
                        left = Some(line.leave(key, &mut later));
                    }
                }
            }
            while self.place.is_none() {
                if let Some(output) = gate.attempt(&mut state, left.take(), &mut later) {
                    return Poll::Ready(output);
                }
                let Some(own) = waiter.take().or_else(|| Waiter::of_task(cx)) else {
                    break;
                };
                if !gate.announce(&mut state) {
                    waiter = Some(own);
                    continue;
                }
                let (line, kind) = gate.line(&mut state);
                self.place = Some(line.join(own, kind));
                drop(state);
                drop(later);
                gate.joined();
                return Poll::Pending;
            }
            // A waiter is needed after all: its waker is cloned while no lock is held.
            drop(state);
            waiter = Some(Waiter::new(cx));
        }
    }
}

/// Nothing in it is pinned.
impl<'a, G: Gate<'a>> Unpin for Wait<'a, G> {}

impl<'a, G: Gate<'a>> Future for Wait<'a, G> {
    type Output = G::Output;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<G::Output> {
        let this = &mut *self;
        let entered = ready!(leaf::enter(cx, this.place.is_some()));
        let fast = match this.place {
            None => this.gate.try_fast(),
            Some(_) => None,
        };
        let output = match fast {
            Some(output) => output,
            None => ready!(this.poll_slow(cx)),
        };
        entered.made_progress();
        Poll::Ready(output)
    }
}

impl<'a, G: Gate<'a>> Drop for Wait<'a, G> {
    #[inline]
    fn drop(&mut self) {
        if let Some(key) = self.place.take() {
            self.leave(key);
        }
    }
}
