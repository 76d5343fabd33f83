//! The semaphore without its guards: a counter and a line.
//!
//! ```text
//!  63                                  1    0
//! +--------------------------------------+------+
//! |               permits                | LINE |
//! +--------------------------------------+------+
//! ```
//!
//! As in the [raw lock](super::raw_lock), the word is anybody's while LINE is clear, and changed under the lock of the line
//! while it is set. The steps are asyncio's (rule P8): a permit is handed over when it is released, so that it is gone
//! from the counter before the waiter runs; a waiter that was handed one and does not go puts it back, and
//! whoever leaves the line hands on what is there.
//!
//! **No permit is lost**: it is in the counter, or with a waiter that is woken and has not been polled, or with a guard; each step
//! moves it from one to another under the line's lock, or by one exchange. **No wake-up is lost**: whoever joins the line
//! has seen, in one word, LINE and either no permit or somebody before it.

use super::line::{Later, Line, Standing};
use super::primitive::{AtomicUsize, Mutex, Ordering};
use super::wait::{Gate, Wait};

/// Somebody is in line.
const LINE: usize = 1 << 0;
const PERMIT: usize = 1 << 1;

/// The greatest number of permits.
pub(crate) const PERMITS_MAX: usize = usize::MAX >> 1;

fn permits_in(word: usize) -> usize {
    word / PERMIT
}

/// A counter and a line.
#[derive(Debug)]
pub(crate) struct Permits {
    word: AtomicUsize,
    line: Mutex<Line>,
}

impl Permits {
    pub(crate) fn new(permits: usize) -> Self {
        debug_assert!(permits <= PERMITS_MAX, "the caller has looked");
        Self {
            word: AtomicUsize::new(permits * PERMIT),
            line: Mutex::new(Line::new()),
        }
    }

    /// How many permits nobody has. A permit that is on its way to a waiter is not among them.
    pub(crate) fn available(&self) -> usize {
        // Ordering: Relaxed; the answer is old when it is given.
        permits_in(self.word.load(Ordering::Relaxed))
    }

    /// Whether a newcomer would have to wait.
    pub(crate) fn is_locked(&self) -> bool {
        // Ordering: as above.
        let word = self.word.load(Ordering::Relaxed);
        permits_in(word) == 0 || (word & LINE != 0 && !self.line.lock().is_vacant())
    }

    /// Takes a permit if there is one and nobody waits.
    #[inline]
    fn try_fast(&self) -> bool {
        // Ordering: Relaxed; the exchange orders.
        let mut word = self.word.load(Ordering::Relaxed);
        while word & LINE == 0 && permits_in(word) > 0 {
            // Ordering: Acquire pairs with the Release in `release`: what was done before a permit was
            // released is seen.
            match self.word.compare_exchange_weak(
                word,
                word - PERMIT,
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(_) => return true,
                Err(seen) => word = seen,
            }
        }
        false
    }

    /// Takes a permit if there is one, and nobody waits who has not been cancelled.
    #[inline]
    pub(crate) fn try_acquire(&self) -> bool {
        self.try_fast() || (self.has_line() && self.try_take(&self.line.lock()))
    }

    #[inline]
    pub(crate) fn acquire(&self) -> Wait<'_, Acquire<'_>> {
        Wait::new(Acquire(self))
    }

    /// Adds a permit, and hands it to the first who waits; `false` if there are `bound` already.
    #[inline]
    pub(crate) fn release(&self, bound: usize) -> bool {
        // Ordering: Relaxed; the exchange orders.
        let mut word = self.word.load(Ordering::Relaxed);
        while word & LINE == 0 {
            if permits_in(word) >= bound {
                return false;
            }
            // Ordering: Release pairs with the Acquire in `try_fast` and `try_take`.
            match self.word.compare_exchange_weak(
                word,
                word + PERMIT,
                Ordering::Release,
                Ordering::Relaxed,
            ) {
                Ok(_) => return true,
                Err(seen) => word = seen,
            }
        }
        self.release_slow(bound)
    }

    #[cold]
    fn release_slow(&self, bound: usize) -> bool {
        let mut later = Later::default();
        let mut line = self.line.lock();
        // Ordering: Relaxed; the exchange orders. LINE may have been cleared meanwhile, so this is a loop.
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            if permits_in(word) >= bound {
                return false;
            }
            // Ordering: Release, as in `release`.
            match self.word.compare_exchange(
                word,
                word + PERMIT,
                Ordering::Release,
                Ordering::Relaxed,
            ) {
                Ok(_) => break,
                Err(seen) => word = seen,
            }
        }
        if line.wake_next(&mut later) {
            self.take();
        }
        true
    }

    fn has_line(&self) -> bool {
        // Ordering: Relaxed; whoever acts on it takes the line's lock first.
        self.word.load(Ordering::Relaxed) & LINE != 0
    }

    /// A newcomer's try, under the line's lock.
    fn try_take(&self, line: &Line) -> bool {
        // Ordering: Relaxed; the exchange orders.
        let mut word = self.word.load(Ordering::Relaxed);
        while permits_in(word) > 0 && line.is_vacant() {
            // Ordering: Acquire, as in `try_fast`.
            match self.word.compare_exchange(
                word,
                word - PERMIT,
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(_) => return true,
                Err(seen) => word = seen,
            }
        }
        false
    }

    /// Announces that somebody is going to be in line; `false` if a permit came first.
    fn announce(&self) -> bool {
        // Ordering: Relaxed; the line's lock orders what is in the line.
        let mut word = self.word.load(Ordering::Relaxed);
        while word & LINE == 0 {
            if permits_in(word) > 0 {
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

    /// Takes a permit that is known to be there, for somebody who was in line: LINE is set.
    fn take(&self) {
        // Ordering: Relaxed; the waiter sees what the releaser did through the line's lock.
        let before = self.word.fetch_sub(PERMIT, Ordering::Relaxed);
        debug_assert!(permits_in(before) > 0, "there was a permit");
    }

    /// Hands on what is there, and clears LINE if the line is empty. Called under the line's lock when a place was
    /// given back.
    fn hand_on(&self, line: &mut Line, later: &mut Later) {
        while self.available() > 0 && line.wake_next(later) {
            self.take();
        }
        if line.is_empty() {
            // Ordering: Relaxed; an exchange passes on what the releases before it have published.
            self.word.fetch_and(!LINE, Ordering::Relaxed);
        }
    }
}

/// Waits for a permit.
#[derive(Debug)]
pub(crate) struct Acquire<'a>(&'a Permits);

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
        if left.is_some() {
            self.0.hand_on(line, later);
        }
        (left == Some(Standing::Woken) || self.0.try_take(line)).then_some(())
    }

    fn announce(&mut self, _: &mut Line) -> bool {
        self.0.announce()
    }

    fn withdraw(&mut self, line: &mut Line, left: Standing, later: &mut Later) {
        if left == Standing::Woken {
            // Ordering: Relaxed, as in `hand_on`: nothing was done with the permit.
            self.0.word.fetch_add(PERMIT, Ordering::Relaxed);
        }
        self.0.hand_on(line, later);
    }
}
