//! The lock that many may read under, or one may write.
//!
//! ```text
//!  63                          2      1       0
//! +------------------------------+--------+------+
//! |           readers            | WRITER | LINE |
//! +------------------------------+--------+------+
//! ```
//!
//! As in the [raw lock](super::raw_lock), the word is anybody's while LINE is clear, and changed under the lock of the line
//! while it is set. As in a [semaphore](super::permits), what is released is handed over at once: to the first in line if it
//! writes, to all readers at the head of the line if it reads. So nobody is overtaken: a reader that comes while a writer
//! waits, waits behind it, and neither kind can keep the other out for ever.

use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

use super::line::{Later, Line, Standing};
use super::primitive::{AtomicUsize, Mutex, Ordering};
use super::protected::Protected;
use super::wait::{Gate, Wait};

/// Somebody is in line.
const LINE: usize = 1 << 0;
const WRITER: usize = 1 << 1;
const READER: usize = 1 << 2;

/// How a lock is wanted, or held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
}

impl Access {
    /// What holding the lock adds to the word.
    fn share(self) -> usize {
        match self {
            Self::Read => READER,
            Self::Write => WRITER,
        }
    }

    /// Whether the lock can be had besides what `word` says others have.
    fn fits(self, word: usize) -> bool {
        match self {
            Self::Read => word & WRITER == 0,
            Self::Write => word & !LINE == 0,
        }
    }
}

/// Readers and writer in a word, and a line.
#[derive(Debug)]
pub(crate) struct RawRwLock {
    word: AtomicUsize,
    line: Mutex<Line<Access>>,
}

impl RawRwLock {
    pub(crate) fn new() -> Self {
        Self {
            word: AtomicUsize::new(0),
            line: Mutex::new(Line::new()),
        }
    }

    /// Takes the lock if it is free for this and nobody waits.
    #[inline]
    fn try_fast(&self, access: Access) -> bool {
        // Ordering: Relaxed; the exchange orders.
        let mut word = self.word.load(Ordering::Relaxed);
        while word & LINE == 0 && access.fits(word) {
            // Ordering: Acquire pairs with the Release in `release`: what was done under the lock is
            // seen.
            match self.word.compare_exchange_weak(
                word,
                word + access.share(),
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(_) => return true,
                Err(seen) => word = seen,
            }
        }
        false
    }

    /// Takes the lock if it is free for this, and nobody waits who has not been cancelled.
    pub(crate) fn try_acquire(&self, access: Access) -> bool {
        self.try_fast(access) || (self.has_line() && self.try_take(access, &self.line.lock()))
    }

    pub(crate) fn acquire(&self, access: Access) -> Wait<'_, Acquire<'_>> {
        Wait::new(Acquire { lock: self, access })
    }

    /// Gives the lock up. The caller has it.
    #[inline]
    pub(crate) fn release(&self, access: Access) {
        // Ordering: Relaxed; the exchange orders.
        let mut word = self.word.load(Ordering::Relaxed);
        while word & LINE == 0 {
            // Ordering: Release pairs with the Acquire in `try_fast` and `try_take`.
            match self.word.compare_exchange_weak(
                word,
                word - access.share(),
                Ordering::Release,
                Ordering::Relaxed,
            ) {
                Ok(_) => return,
                Err(seen) => word = seen,
            }
        }
        self.release_slow(access);
    }

    #[cold]
    fn release_slow(&self, access: Access) {
        let mut later = Later::default();
        let mut line = self.line.lock();
        // Ordering: Release, as in `release`. LINE may have been cleared meanwhile, so this is an exchange.
        self.word.fetch_sub(access.share(), Ordering::Release);
        self.hand_on(&mut line, &mut later);
    }

    fn has_line(&self) -> bool {
        // Ordering: Relaxed; whoever acts on it takes the line's lock first.
        self.word.load(Ordering::Relaxed) & LINE != 0
    }

    /// A newcomer's try, under the line's lock.
    fn try_take(&self, access: Access, line: &Line<Access>) -> bool {
        // Ordering: Relaxed; the exchange orders.
        let mut word = self.word.load(Ordering::Relaxed);
        while access.fits(word) && line.is_vacant() {
            // Ordering: Acquire, as in `try_fast`.
            match self.word.compare_exchange(
                word,
                word + access.share(),
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(_) => return true,
                Err(seen) => word = seen,
            }
        }
        false
    }

    /// Announces that somebody is going to be in line; `false` if the lock became free for it first.
    fn announce(&self, access: Access) -> bool {
        // Ordering: Relaxed; the line's lock orders what is in the line.
        let mut word = self.word.load(Ordering::Relaxed);
        while word & LINE == 0 {
            if access.fits(word) {
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

    /// Lets everybody at the head of the line go who fits, and clears LINE if the line is empty. Called under the
    /// line's lock when something was released or a place given back.
    fn hand_on(&self, line: &mut Line<Access>, later: &mut Later) {
        // Ordering: Relaxed; the exchange below orders.
        let fits = |access: Access| access.fits(self.word.load(Ordering::Relaxed));
        while let Some(access) = line.wake_next_if(fits, later) {
            // Ordering: Acquire pairs with the Release in `release`, of readers that were gone before anybody was in line;
            // through the line's lock it comes to who is let go, who is woken when that is released.
            self.word.fetch_add(access.share(), Ordering::Acquire);
        }
        if line.is_empty() {
            // Ordering: Relaxed; an exchange passes on what the releases before it have published.
            self.word.fetch_and(!LINE, Ordering::Relaxed);
        }
    }
}

/// Waits for the lock.
#[derive(Debug)]
pub(crate) struct Acquire<'a> {
    lock: &'a RawRwLock,
    access: Access,
}

impl<'a> Gate<'a> for Acquire<'a> {
    type State = Line<Access>;
    type Kind = Access;
    type Output = ();

    fn state(&self) -> &'a Mutex<Line<Access>> {
        &self.lock.line
    }

    fn line<'s>(&self, line: &'s mut Line<Access>) -> (&'s mut Line<Access>, Access) {
        (line, self.access)
    }

    #[inline]
    fn try_fast(&mut self) -> Option<()> {
        self.lock.try_fast(self.access).then_some(())
    }

    fn attempt(
        &mut self,
        line: &mut Line<Access>,
        left: Option<Standing>,
        later: &mut Later,
    ) -> Option<()> {
        if left.is_some() {
            self.lock.hand_on(line, later);
        }
        (left == Some(Standing::Woken) || self.lock.try_take(self.access, line)).then_some(())
    }

    fn announce(&mut self, _: &mut Line<Access>) -> bool {
        self.lock.announce(self.access)
    }

    fn withdraw(&mut self, line: &mut Line<Access>, left: Standing, later: &mut Later) {
        if left == Standing::Woken {
            // Ordering: Relaxed, as in `hand_on`: nothing was done under the lock.
            self.lock
                .word
                .fetch_sub(self.access.share(), Ordering::Relaxed);
        }
        self.lock.hand_on(line, later);
    }
}

/// A lock that owns a value; many may read it at a time, or one may write.
///
/// Fair: access is given in the order in which it was asked for, readers next to each other together. A reader that comes
/// while a writer waits, waits behind it; so a task must not ask for read access again while it has it.
///
/// # asyncio counterpart
///
/// None.
///
/// # Examples
///
/// ```
/// # let rt = tasca_core::Runtime::builder().current_thread().build().unwrap();
/// # rt.block_on(async {
/// let settings = tasca_sync::RwLock::new(vec![1]);
/// {
///     let one = settings.read().await;
///     let other = settings.read().await; // at the same time
///     assert_eq!(*one, *other);
/// }
/// settings.write().await.push(2);
/// assert_eq!(*settings.read().await, [1, 2]);
/// # });
/// ```
pub struct RwLock<T> {
    raw: RawRwLock,
    value: Protected<T>,
    /// Readers share the value.
    marker: PhantomData<T>,
}

impl<T> RwLock<T> {
    /// Makes a free lock.
    #[must_use]
    pub fn new(value: T) -> Self {
        Self {
            raw: RawRwLock::new(),
            value: Protected::new(value),
            marker: PhantomData,
        }
    }

    /// Waits for read access.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped or its task cancelled, the task leaves the line; access that had been given to it already goes to
    /// the next in line.
    pub async fn read(&self) -> ReadGuard<'_, T> {
        self.raw.acquire(Access::Read).await;
        self.read_guard()
    }

    /// Waits for write access.
    ///
    /// # Cancel safety
    ///
    /// As for [`read`](Self::read).
    pub async fn write(&self) -> WriteGuard<'_, T> {
        self.raw.acquire(Access::Write).await;
        self.write_guard()
    }

    /// Takes read access if nobody writes and nobody waits.
    #[must_use = "a guard that is dropped gives the lock up"]
    pub fn try_read(&self) -> Option<ReadGuard<'_, T>> {
        self.raw
            .try_acquire(Access::Read)
            .then(|| self.read_guard())
    }

    /// Takes write access if nobody reads or writes and nobody waits.
    #[must_use = "a guard that is dropped gives the lock up"]
    pub fn try_write(&self) -> Option<WriteGuard<'_, T>> {
        self.raw
            .try_acquire(Access::Write)
            .then(|| self.write_guard())
    }

    /// Gives the value to who has the lock all alone.
    #[must_use]
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }

    /// Gives the value; nobody else can have the lock.
    #[must_use]
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }

    fn read_guard(&self) -> ReadGuard<'_, T> {
        ReadGuard { lock: self }
    }

    fn write_guard(&self) -> WriteGuard<'_, T> {
        WriteGuard { lock: self }
    }
}

impl<T: Default> Default for RwLock<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> From<T> for RwLock<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T> fmt::Debug for RwLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the value: to look at it, one would have to lock it past the line.
        f.debug_struct("RwLock")
            .field("raw", &self.raw)
            .finish_non_exhaustive()
    }
}

/// Read access to the value of a [`RwLock`], until it is dropped.
#[must_use = "a guard that is dropped gives the lock up"]
pub struct ReadGuard<'a, T> {
    // Invariant: has been let past the raw lock to read.
    lock: &'a RwLock<T>,
}

impl<T> Deref for ReadGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the guard may read for as long as it is borrowed.
        unsafe { self.lock.value.get() }
    }
}

impl<T> Drop for ReadGuard<'_, T> {
    fn drop(&mut self) {
        self.lock.raw.release(Access::Read);
    }
}

impl<T: fmt::Debug> fmt::Debug for ReadGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

/// Write access to the value of a [`RwLock`], until it is dropped.
#[must_use = "a guard that is dropped gives the lock up"]
pub struct WriteGuard<'a, T> {
    // Invariant: has been let past the raw lock to write.
    lock: &'a RwLock<T>,
}

impl<T> Deref for WriteGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the guard is alone with the value for as long as it is borrowed.
        unsafe { self.lock.value.get() }
    }
}

impl<T> DerefMut for WriteGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above; the guard is borrowed exclusively.
        unsafe { self.lock.value.get_alone() }
    }
}

impl<T> Drop for WriteGuard<'_, T> {
    fn drop(&mut self) {
        self.lock.raw.release(Access::Write);
    }
}

impl<T: fmt::Debug> fmt::Debug for WriteGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
