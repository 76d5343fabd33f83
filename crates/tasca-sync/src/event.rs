//! A flag that tasks wait for.

use super::line::{Later, Line, Standing};
use super::primitive::{AtomicUsize, Mutex, Ordering};
use super::wait::{Gate, Wait};

/// A flag that any number of tasks can wait for.
///
/// # asyncio counterpart
///
/// `asyncio.Event`.
///
/// # Examples
///
/// ```
/// # let rt = tasca_core::Runtime::builder().current_thread().build().unwrap();
/// # rt.block_on(async {
/// use std::sync::Arc;
///
/// let ready = Arc::new(tasca_sync::Event::new());
/// let waiter = tasca_core::spawn({
///     let ready = Arc::clone(&ready);
///     async move { ready.wait().await }
/// });
/// tasca_core::yield_now().await;
/// assert!(!waiter.is_finished());
/// ready.set();
/// waiter.await;
/// # });
/// ```
#[derive(Debug)]
pub struct Event {
    /// 1 if the flag is set. Changed under the lock of the line.
    flag: AtomicUsize,
    line: Mutex<Line>,
}

impl Event {
    /// Makes an event that is not set.
    #[must_use]
    pub fn new() -> Self {
        Self {
            flag: AtomicUsize::new(0),
            line: Mutex::new(Line::new()),
        }
    }

    /// Sets the flag and wakes everybody who waits, in the order in which they began. Does nothing if it is set.
    ///
    /// # asyncio counterpart
    ///
    /// `event.set()`.
    pub fn set(&self) {
        let mut later = Later::default();
        let mut line = self.line.lock();
        // Ordering: Release pairs with the Acquire in `is_set`: who finds the flag set sees what was done before.
        self.flag.store(1, Ordering::Release);
        line.wake_all(&mut later);
    }

    /// Clears the flag, for those who begin to wait from now on. Who has been woken stays woken.
    ///
    /// # asyncio counterpart
    ///
    /// `event.clear()`.
    pub fn clear(&self) {
        let _line = self.line.lock();
        // Ordering: Relaxed; nothing is published by it.
        self.flag.store(0, Ordering::Relaxed);
    }

    /// Whether the flag is set at this moment.
    ///
    /// # asyncio counterpart
    ///
    /// `event.is_set()`.
    #[must_use]
    #[inline]
    pub fn is_set(&self) -> bool {
        // Ordering: Acquire pairs with the Release in `set`.
        self.flag.load(Ordering::Acquire) != 0
    }

    /// Waits until the flag is set; does not suspend if it is.
    ///
    /// Returns once the flag has been set, even if it has been cleared again since.
    ///
    /// # asyncio counterpart
    ///
    /// `await event.wait()`.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped or its task cancelled, nothing happens to the event.
    #[inline]
    pub async fn wait(&self) {
        Wait::new(Waiting(self)).await;
    }
}

impl Default for Event {
    fn default() -> Self {
        Self::new()
    }
}

#[derive(Debug)]
struct Waiting<'a>(&'a Event);

impl<'a> Gate<'a> for Waiting<'a> {
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
        self.0.is_set().then_some(())
    }

    fn attempt(&mut self, _: &mut Line, left: Option<Standing>, _: &mut Later) -> Option<()> {
        (left.is_some() || self.0.is_set()).then_some(())
    }

    fn withdraw(&mut self, _: &mut Line, _: Standing, _: &mut Later) {}
}
