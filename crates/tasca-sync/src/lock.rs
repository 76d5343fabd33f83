//! The lock that owns what it protects.
//!
//! How it works today: the [raw lock](super::raw_lock) decides who may look at the value, and a guard is that right. Guards that
//! borrow the lock and guards that share it are one type. Without contention, locking is one exchange, and so is unlocking.

use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::primitive::Arc;
use super::protected::Protected;
use super::raw_lock::{Acquire, RawLock};
use super::shared::Shared;
use super::wait::Wait;

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
    value: Protected<T>,
}

impl<T> Lock<T> {
    /// Makes a free lock.
    #[must_use]
    pub fn new(value: T) -> Self {
        Self {
            raw: RawLock::new(),
            value: Protected::new(value),
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
    pub fn lock(&self) -> impl Future<Output = LockGuard<'_, T>> {
        Locking {
            lock: self,
            turn: self.raw.acquire(),
        }
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
        Self::guard(Shared::Owned(lock))
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
            .then(|| Self::guard(Shared::Borrowed(self)))
    }

    /// As [`try_lock`](Self::try_lock), with a guard that keeps the lock alive instead of borrowing it.
    #[must_use = "a guard that is dropped releases the lock"]
    pub fn try_lock_owned(self: &Arc<Self>) -> Option<LockGuard<'static, T>>
    where
        T: 'static,
    {
        self.raw
            .try_acquire()
            .then(|| Self::guard(Shared::Owned(Arc::clone(self))))
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
    #[must_use]
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }

    /// Gives the value to who has the lock all alone.
    #[must_use]
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }

    /// The guard of who has just been let past `raw`.
    #[inline]
    fn guard(lock: Shared<'_, Self>) -> LockGuard<'_, T> {
        LockGuard {
            lock,
            is_held: true,
            marker: PhantomData,
        }
    }
}

/// Waits for the lock.
// A type of its own: the poll of an `async fn` is a call wherever the compiler has put it into another unit than the
// caller's, and a lock that is free takes less time than that.
struct Locking<'a, T> {
    lock: &'a Lock<T>,
    turn: Wait<'a, Acquire<'a>>,
}

impl<'a, T> Future for Locking<'a, T> {
    type Output = LockGuard<'a, T>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<LockGuard<'a, T>> {
        ready!(Pin::new(&mut self.turn).poll(cx));
        Poll::Ready(Lock::guard(Shared::Borrowed(self.lock)))
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
    lock: Shared<'a, Lock<T>>,
    /// Not while a condition has given the lock up.
    is_held: bool,
    /// A guard that is shared shares the value.
    marker: PhantomData<T>,
}

impl<T> LockGuard<'_, T> {
    /// Gives the lock up and keeps the guard.
    pub(crate) fn suspend(&mut self) {
        if self.is_held {
            self.is_held = false;
            self.lock.raw.release();
        }
    }

    /// Takes the lock again, if it was given up.
    pub(crate) async fn resume(&mut self) {
        if !self.is_held() {
            self.lock.raw.acquire().await;
            self.is_held = true;
        }
    }

    pub(crate) fn is_held(&self) -> bool {
        self.is_held
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
        if !self.is_held {
            lost();
        }
        // SAFETY: the guard holds the lock, and cannot give it up while it is borrowed.
        unsafe { self.lock.value.get() }
    }
}

impl<T> DerefMut for LockGuard<'_, T> {
    #[track_caller]
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        if !self.is_held {
            lost();
        }
        // SAFETY: as above; the guard is borrowed exclusively, and it is the only one.
        unsafe { self.lock.value.get_alone() }
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
        if self.is_held {
            (**self).fmt(f)
        } else {
            f.write_str("<lost>")
        }
    }
}

impl<T: fmt::Display> fmt::Display for LockGuard<'_, T> {
    #[track_caller]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
