//! The lock that owns what it protects.
//!
//! How it works today: the value is in a box, and who has the box has the lock. Guards carry the box, and put it back before they
//! let the next one go. That keeps the crate free of unsafe code, and makes guards that borrow the lock and guards that
//! share it one type. Without contention, locking and unlocking are two exchanges each: one for the flag, one for the box.

use std::fmt;
use std::ops::{Deref, DerefMut};

use super::primitive::{Arc, AtomicCell};
use super::raw_lock::RawLock;
use super::shared::Shared;

/// A lock that owns a value, and lets one task at a time at it, first come first served.
///
/// It may be held across an await. Where it is not, a lock that blocks the thread (`std::sync::Mutex`) is
/// cheaper.
///
/// A lock has no owner: a guard may be sent to another task, and be dropped there. A panic while the lock is held releases
/// it like any other end of the block; the value is left as it is.
///
/// # asyncio counterpart
///
/// `asyncio.Lock`. It owns its data, as locks do in Rust; use `Lock<()>` to protect something that cannot be put inside. There
/// is no `release`: the guard releases, when it is dropped, wherever it is by then, so a free lock cannot be released.
///
/// # Examples
///
/// ```
/// # let rt = tasca_core::Runtime::builder().multi_thread().worker_threads(2).build().unwrap();
/// # rt.block_on(async {
/// use std::sync::Arc;
///
/// let account = Arc::new(tasca_sync::Lock::new(100));
/// let tasks = [30, 50].map(|amount| {
///     let account = Arc::clone(&account);
///     tasca_core::spawn(async move {
///         let mut balance = account.lock().await;
///         let seen = *balance;
///         tasca_core::yield_now().await; // still locked
///         *balance = seen - amount;
///     })
/// });
/// for task in tasks {
///     task.await;
/// }
/// assert_eq!(*account.lock().await, 20);
/// # });
/// ```
#[doc(alias = "Mutex")]
pub struct Lock<T> {
    raw: RawLock,
    // Invariant: the box is here when the flag of `raw` is clear. It is taken after the flag has been set,
    // and put back before it is cleared.
    value: AtomicCell<Option<Box<T>>>,
}

impl<T> Lock<T> {
    /// Makes a free lock.
    #[must_use]
    pub fn new(value: T) -> Self {
        Self {
            raw: RawLock::new(),
            value: AtomicCell::new(Some(Box::new(value))),
        }
    }

    /// Waits for the lock.
    ///
    /// A free lock is taken without suspending, unless somebody is about to take it. Tasks get the lock in the order in which they
    /// asked for it.
    ///
    /// # asyncio counterpart
    ///
    /// `async with lock`, `await lock.acquire()`.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped or its task cancelled, the task leaves the line; if the lock had been given to it already, the
    /// next in line gets it. A cancellation wins over a lock that becomes free at the same time.
    #[doc(alias = "acquire")]
    #[inline]
    pub async fn lock(&self) -> LockGuard<'_, T> {
        self.raw.acquire().await;
        self.guard(Shared::Borrowed(self))
    }

    /// As [`lock`](Self::lock), with a guard that keeps the lock alive instead of borrowing it.
    ///
    /// # Cancel safety
    ///
    /// As for [`lock`](Self::lock).
    ///
    /// # Examples
    ///
    /// ```
    /// # let rt = tasca_core::Runtime::builder().current_thread().build().unwrap();
    /// # rt.block_on(async {
    /// use std::sync::Arc;
    ///
    /// let lock = Arc::new(tasca_sync::Lock::new(1));
    /// let guard = Arc::clone(&lock).lock_owned().await;
    /// // Any task may release the lock: the one that has the guard.
    /// tasca_core::spawn(async move { drop(guard) }).await;
    /// assert!(!lock.is_locked());
    /// # });
    /// ```
    pub async fn lock_owned(self: Arc<Self>) -> LockGuard<'static, T>
    where
        T: 'static,
    {
        self.raw.acquire().await;
        let lock = Arc::clone(&self);
        self.guard(Shared::Owned(lock))
    }

    /// Takes the lock if nobody has it and nobody waits for it.
    ///
    /// # asyncio counterpart
    ///
    /// None; `lock.locked()` and then `acquire`.
    #[must_use = "a guard that is dropped releases the lock"]
    #[inline]
    pub fn try_lock(&self) -> Option<LockGuard<'_, T>> {
        self.raw
            .try_acquire()
            .then(|| self.guard(Shared::Borrowed(self)))
    }

    /// As [`try_lock`](Self::try_lock), with a guard that keeps the lock alive instead of borrowing it.
    #[must_use = "a guard that is dropped releases the lock"]
    pub fn try_lock_owned(self: &Arc<Self>) -> Option<LockGuard<'static, T>>
    where
        T: 'static,
    {
        self.raw
            .try_acquire()
            .then(|| self.guard(Shared::Owned(Arc::clone(self))))
    }

    /// Whether somebody has the lock at this moment. A lock that is on its way to the next in line counts as free.
    ///
    /// # asyncio counterpart
    ///
    /// `lock.locked()`.
    #[doc(alias = "locked")]
    #[must_use]
    pub fn is_locked(&self) -> bool {
        self.raw.is_locked()
    }

    /// Gives the value; nobody else can have the lock.
    ///
    /// # Panics
    ///
    /// Panics if a guard has been leaked: the value went with it.
    #[must_use]
    #[track_caller]
    pub fn into_inner(self) -> T {
        *self
            .value
            .into_inner()
            .expect("the guard of this lock was leaked, and the value with it")
    }

    #[inline]
    fn guard<'a>(&self, lock: Shared<'a, Self>) -> LockGuard<'a, T> {
        let value = self.value.take();
        debug_assert!(value.is_some(), "the box is there when the lock is taken");
        LockGuard { value, lock }
    }
}

impl<T: Default> Default for Lock<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> From<T> for Lock<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T> fmt::Debug for Lock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lock")
            .field("locked", &self.is_locked())
            .finish_non_exhaustive()
    }
}

/// The right to the value of a [`Lock`], until it is dropped.
///
/// # Panics
///
/// Dereferencing panics if the guard has lost the lock: a [wait on a condition](crate::Condition::wait) that had given
/// it up was dropped before it had taken it again.
#[must_use = "a guard that is dropped releases the lock"]
pub struct LockGuard<'a, T> {
    /// `None` while a condition has given the lock up.
    // Invariant: the guard has the lock if the box is here.
    value: Option<Box<T>>,
    lock: Shared<'a, Lock<T>>,
}

impl<T> LockGuard<'_, T> {
    /// Gives the lock up and keeps the guard.
    pub(crate) fn suspend(&mut self) {
        if let Some(value) = self.value.take() {
            self.lock.value.store(Some(value));
            self.lock.raw.release();
        }
    }

    /// Takes the lock again, if it was given up.
    pub(crate) async fn resume(&mut self) {
        if !self.is_held() {
            self.lock.raw.acquire().await;
            self.value = self.lock.value.take();
        }
    }

    pub(crate) fn is_held(&self) -> bool {
        self.value.is_some()
    }

    /// Tells locks apart.
    pub(crate) fn address(&self) -> usize {
        std::ptr::from_ref::<Lock<T>>(&self.lock).addr()
    }
}

impl<T> Deref for LockGuard<'_, T> {
    type Target = T;

    #[track_caller]
    #[inline]
    fn deref(&self) -> &T {
        match &self.value {
            Some(value) => value,
            None => lost(),
        }
    }
}

impl<T> DerefMut for LockGuard<'_, T> {
    #[track_caller]
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        match &mut self.value {
            Some(value) => value,
            None => lost(),
        }
    }
}

#[cold]
#[track_caller]
fn lost() -> ! {
    panic!(
        "the guard has lost its lock: a wait on a condition was dropped before it had taken the lock again; lock again \
         after a wait that lost a `select!`"
    )
}

impl<T> Drop for LockGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.suspend();
    }
}

impl<T: fmt::Debug> fmt::Debug for LockGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => value.fmt(f),
            None => f.write_str("<lost>"),
        }
    }
}

impl<T: fmt::Display> fmt::Display for LockGuard<'_, T> {
    #[track_caller]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
