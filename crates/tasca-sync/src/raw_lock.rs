//! The lock without its data: a flag and a line.
//!
//! ```text
//!  bit 1    bit 0
//! +------+--------+
//! | LINE | LOCKED |
//! +------+--------+
//! ```
//!
//! | word | who changes it |
//! |---|---|
//! | LINE is clear | anybody, by an exchange of the whole word: nobody waits |
//! | LINE is set | who holds the lock of the line: somebody waits, or has waited until a moment ago |
//!
//! So without contention, locking and unlocking are one exchange each, and with somebody in line everything happens in
//! the order that the line's lock gives it. The steps are asyncio's (rule L9): a release frees the flag and wakes the first
//! in line, who takes it when it is polled; meanwhile newcomers queue behind it.
//!
//! **No wake-up is lost.** Whoever joins the line has seen LOCKED and LINE set together, in one word. Whoever
//! unlocks after that finds LINE set, takes the line's lock, and wakes the first. A waiter that was woken and does not go (it is
//! dropped) finds the flag clear, or set by somebody who will unlock later, and in the first case wakes the next. A waiter
//! that was passed over is about to be polled, and does the same then.

use super::line::{Later, Line, Standing};
use super::primitive::{AtomicUsize, Mutex, Ordering};
use super::wait::{Gate, Wait};

const LOCKED: usize = 1 << 0;
/// Somebody is in line.
const LINE: usize = 1 << 1;

/// A flag and a line.
#[derive(Debug)]
pub(crate) struct RawLock {
    word: AtomicUsize,
    line: Mutex<Line>,
}

impl RawLock {
    pub(crate) fn new() -> Self {
        Self {
            word: AtomicUsize::new(0),
            line: Mutex::new(Line::new()),
        }
    }

    pub(crate) fn is_locked(&self) -> bool {
        // Ordering: Relaxed; the answer is old when it is given.
        self.word.load(Ordering::Relaxed) & LOCKED != 0
    }

    /// Takes the lock if nobody has it and nobody waits.
    #[inline]
    fn try_fast(&self) -> bool {
        // Ordering: Acquire pairs with the Release of whoever cleared LOCKED last: what was done under the lock is
        // seen.
        self.word
            .compare_exchange(0, LOCKED, Ordering::Acquire, Ordering::Relaxed)
            .is_ok()
    }

    /// Takes the lock if nobody has it, and nobody waits who has not been cancelled.
    #[inline]
    pub(crate) fn try_acquire(&self) -> bool {
        self.try_fast() || (self.has_line() && self.try_take(&self.line.lock()))
    }

    #[inline]
    pub(crate) fn acquire(&self) -> Wait<'_, Acquire<'_>> {
        Wait::new(Acquire(self))
    }

    /// Gives the lock up. The caller has it.
    #[inline]
    pub(crate) fn release(&self) {
        // Ordering: Release pairs with the Acquire in `try_fast` and `try_take`.
        if self
            .word
            .compare_exchange(LOCKED, 0, Ordering::Release, Ordering::Relaxed)
            .is_err()
        {
            self.release_slow();
        }
    }

    #[cold]
    fn release_slow(&self) {
        let mut later = Later::default();
        let mut line = self.line.lock();
        // Ordering: Release, as in `release`. LINE may have been cleared meanwhile, so this is an exchange.
        let before = self.word.fetch_and(!LOCKED, Ordering::Release);
        debug_assert!(before & LOCKED != 0, "a lock is released by who has it");
        line.wake_first(&mut later);
    }

    fn has_line(&self) -> bool {
        // Ordering: Relaxed; whoever acts on it takes the line's lock first.
        self.word.load(Ordering::Relaxed) & LINE != 0
    }

    /// A newcomer's try, under the line's lock.
    fn try_take(&self, line: &Line) -> bool {
        // Ordering: Relaxed; the exchange orders.
        let mut word = self.word.load(Ordering::Relaxed);
        while word & LOCKED == 0 && line.is_vacant() {
            // Ordering: Acquire, as in `try_fast`.
            match self.word.compare_exchange(
                word,
                word | LOCKED,
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(_) => return true,
                Err(seen) => word = seen,
            }
        }
        false
    }

    /// Announces that somebody is going to be in line; `false` if the lock became free first.
    fn announce(&self) -> bool {
        // Ordering: Relaxed; the line's lock orders what is in the line.
        let mut word = self.word.load(Ordering::Relaxed);
        while word & LINE == 0 {
            if word & LOCKED == 0 {
                return false;
            }
            match self.word.compare_exchange(
                word,
                word | LINE,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => return true,
                Err(seen) => word = seen,
            }
        }
        true
    }

    /// Clears LINE if the line is empty. Called under the line's lock when a place was given back.
    fn settle(&self, line: &Line) {
        if line.is_empty() {
            // Ordering: Relaxed; an exchange passes on what the releases before it have published.
            self.word.fetch_and(!LINE, Ordering::Relaxed);
        }
    }
}

/// Waits for the lock.
#[derive(Debug)]
pub(crate) struct Acquire<'a>(&'a RawLock);

impl<'a> Gate<'a> for Acquire<'a> {
    type State = Line;
    type Kind = ();
    type Output = ();

    fn state(&self) -> &'a Mutex<Line> {
        &self.0.line
    }

    fn line<'s>(&self, line: &'s mut Line) -> (&'s mut Line, ()) {
        (line, ())
    }

    #[inline]
    fn try_fast(&mut self) -> Option<()> {
        self.0.try_fast().then_some(())
    }

    fn attempt(
        &mut self,
        line: &mut Line,
        left: Option<Standing>,
        later: &mut Later,
    ) -> Option<()> {
        let lock = self.0;
        match left {
            None => {}
            Some(Standing::Woken) => {
                // Ordering: Relaxed; the release was under the line's lock. LINE is still set, so nobody else
                // changes the word.
                let before = lock.word.fetch_or(LOCKED, Ordering::Relaxed);
                debug_assert!(
                    before & LOCKED == 0,
                    "nobody overtakes a waiter that was woken"
                );
                lock.settle(line);
                return Some(());
            }
            Some(left) => self.withdraw(line, left, later),
        }
        lock.try_take(line).then_some(())
    }

    fn announce(&mut self, _: &mut Line) -> bool {
        self.0.announce()
    }

    fn withdraw(&mut self, line: &mut Line, _: Standing, later: &mut Later) {
        if !self.0.is_locked() {
            line.wake_first(later);
        }
        self.0.settle(line);
    }
}
