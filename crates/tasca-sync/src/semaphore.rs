//! Permits with guards: semaphores, bounded or not.

use std::error::Error;
use std::fmt;

use super::permits::{PERMITS_MAX, Permits};
use super::primitive::Arc;
use super::shared::Shared;

/// A number of permits that tasks take and give back, first come first served.
///
/// A permit is a guard that gives itself back when it is dropped. To give it back elsewhere, [`forget`](Permit::forget) it and call
/// [`release`](Self::release), which also adds permits that nobody had.
///
/// # asyncio counterpart
///
/// `asyncio.Semaphore`. That the initial value is not negative is a matter of types.
///
/// # Examples
///
/// At most two downloads at a time:
///
/// ```
/// # let rt = tasca_core::Runtime::builder().multi_thread().worker_threads(2).build().unwrap();
/// # rt.block_on(async {
/// use std::sync::Arc;
///
/// let slots = Arc::new(tasca_sync::Semaphore::new(2));
/// let downloads: Vec<_> = (0..5)
///     .map(|n| {
///         let slots = Arc::clone(&slots);
///         tasca_core::spawn(async move {
///             let _slot = slots.acquire().await;
///             tasca_core::yield_now().await;
///             n
///         })
///     })
///     .collect();
/// for (n, download) in downloads.into_iter().enumerate() {
///     assert_eq!(download.await, n);
/// }
/// assert_eq!(slots.available_permits(), 2);
/// # });
/// ```
///
/// A permit for each message that has arrived:
///
/// ```
/// # let rt = tasca_core::Runtime::builder().current_thread().build().unwrap();
/// # rt.block_on(async {
/// let arrived = tasca_sync::Semaphore::new(0);
/// arrived.release();
/// arrived.acquire().await.forget(); // used up
/// assert!(arrived.is_locked());
/// # });
/// ```
#[derive(Debug)]
pub struct Semaphore {
    permits: Permits,
    /// How many permits there may be.
    bound: usize,
}

impl Semaphore {
    /// The greatest number of permits that a semaphore can have.
    pub const PERMITS_MAX: usize = PERMITS_MAX;

    /// Makes a semaphore with a number of free permits.
    ///
    /// # Panics
    ///
    /// Panics if that are more than [`PERMITS_MAX`](Self::PERMITS_MAX).
    #[must_use]
    #[track_caller]
    pub fn new(permits: usize) -> Self {
        Self::with_bound(permits, PERMITS_MAX)
    }

    #[track_caller]
    fn with_bound(permits: usize, bound: usize) -> Self {
        assert!(permits <= PERMITS_MAX, "too many permits: {permits}");
        Self {
            permits: Permits::new(permits),
            bound,
        }
    }

    /// Waits for a permit.
    ///
    /// A free one is taken without suspending, unless somebody waits. Tasks get permits in the order in which they asked.
    ///
    /// # asyncio counterpart
    ///
    /// `async with semaphore`, `await semaphore.acquire()`.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped or its task cancelled, the task leaves the line; a permit that had been handed to it
    /// already goes to the next one, or back. A cancellation wins over a permit that comes at the same time.
    #[inline]
    pub async fn acquire(&self) -> Permit<'_> {
        self.permits.acquire().await;
        Permit::new(Shared::Borrowed(self))
    }

    /// As [`acquire`](Self::acquire), with a guard that keeps the semaphore alive instead of borrowing it.
    ///
    /// # Cancel safety
    ///
    /// As for [`acquire`](Self::acquire).
    pub async fn acquire_owned(self: Arc<Self>) -> Permit<'static> {
        self.permits.acquire().await;
        Permit::new(Shared::Owned(self))
    }

    /// Takes a permit if there is one and nobody waits.
    #[must_use = "a permit that is dropped is given back"]
    #[inline]
    pub fn try_acquire(&self) -> Option<Permit<'_>> {
        self.permits
            .try_acquire()
            .then(|| Permit::new(Shared::Borrowed(self)))
    }

    /// As [`try_acquire`](Self::try_acquire), with a guard that keeps the semaphore alive instead of borrowing it.
    #[must_use = "a permit that is dropped is given back"]
    pub fn try_acquire_owned(self: &Arc<Self>) -> Option<Permit<'static>> {
        self.permits
            .try_acquire()
            .then(|| Permit::new(Shared::Owned(Arc::clone(self))))
    }

    /// Adds a permit: the first who waits gets it, or it stays free.
    ///
    /// # asyncio counterpart
    ///
    /// `semaphore.release()`.
    ///
    /// # Panics
    ///
    /// Panics if there would be more than [`PERMITS_MAX`](Self::PERMITS_MAX).
    #[track_caller]
    #[inline]
    pub fn release(&self) {
        assert!(
            self.permits.release(self.bound),
            "a semaphore has too many permits"
        );
    }

    /// Gives the number of free permits at this moment.
    #[must_use]
    pub fn available_permits(&self) -> usize {
        self.permits.available()
    }

    /// Whether a newcomer would have to wait at this moment: there is no permit, or somebody waits for one.
    ///
    /// # asyncio counterpart
    ///
    /// `semaphore.locked()`.
    #[doc(alias = "locked")]
    #[must_use]
    pub fn is_locked(&self) -> bool {
        self.permits.is_locked()
    }
}

/// A semaphore that never has more permits than it began with.
///
/// # asyncio counterpart
///
/// `asyncio.BoundedSemaphore`.
///
/// # Examples
///
/// ```
/// # let rt = tasca_core::Runtime::builder().current_thread().build().unwrap();
/// # rt.block_on(async {
/// let slots = tasca_sync::BoundedSemaphore::new(1);
/// slots.acquire().await.forget();
/// slots.release().unwrap();
/// assert!(slots.release().is_err()); // nobody has that permit
/// # });
/// ```
#[derive(Debug)]
pub struct BoundedSemaphore(Semaphore);

impl BoundedSemaphore {
    /// Makes a semaphore with a number of free permits.
    ///
    /// # Panics
    ///
    /// Panics if that are more than [`Semaphore::PERMITS_MAX`].
    #[must_use]
    #[track_caller]
    pub fn new(permits: usize) -> Self {
        Self(Semaphore::with_bound(permits, permits))
    }

    /// Waits for a permit; see [`Semaphore::acquire`].
    ///
    /// # Cancel safety
    ///
    /// As for [`Semaphore::acquire`].
    #[inline]
    pub async fn acquire(&self) -> Permit<'_> {
        self.0.acquire().await
    }

    /// Takes a permit if there is one and nobody waits.
    #[must_use = "a permit that is dropped is given back"]
    #[inline]
    pub fn try_acquire(&self) -> Option<Permit<'_>> {
        self.0.try_acquire()
    }

    /// Gives a permit back that was [forgotten](Permit::forget).
    ///
    /// # asyncio counterpart
    ///
    /// `semaphore.release()`, which raises `ValueError`.
    ///
    /// # Errors
    ///
    /// [`ReleaseError`] if nobody has a permit: the semaphore is as it was.
    #[inline]
    pub fn release(&self) -> Result<(), ReleaseError> {
        if self.0.permits.release(self.0.bound) {
            Ok(())
        } else {
            Err(ReleaseError(()))
        }
    }

    /// Gives the number of free permits at this moment.
    #[must_use]
    pub fn available_permits(&self) -> usize {
        self.0.available_permits()
    }

    /// Whether a newcomer would have to wait at this moment; see [`Semaphore::is_locked`].
    #[must_use]
    pub fn is_locked(&self) -> bool {
        self.0.is_locked()
    }
}

/// One of a semaphore's permits, given back when it is dropped.
///
/// If it is one of a [`BoundedSemaphore`] that has been given all its permits back already, by calls of
/// [`release`](BoundedSemaphore::release), there is none left to give back, and dropping it does nothing.
#[must_use = "a permit that is dropped is given back"]
#[derive(Debug)]
pub struct Permit<'a> {
    /// `None` once it has been forgotten.
    semaphore: Option<Shared<'a, Semaphore>>,
}

impl<'a> Permit<'a> {
    #[inline]
    fn new(semaphore: Shared<'a, Semaphore>) -> Self {
        Self {
            semaphore: Some(semaphore),
        }
    }

    /// Keeps the permit for good, without the guard; [`Semaphore::release`] gives one back.
    ///
    /// # asyncio counterpart
    ///
    /// Calling `acquire` without `async with`.
    pub fn forget(mut self) {
        self.semaphore = None;
    }
}

impl Drop for Permit<'_> {
    #[inline]
    fn drop(&mut self) {
        if let Some(semaphore) = &self.semaphore {
            // A permit too many is an error of who released one before.
            let _given_back = semaphore.permits.release(semaphore.bound);
        }
    }
}

/// A bounded semaphore was given a permit that nobody had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseError(());

impl fmt::Display for ReleaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a bounded semaphore was released more often than acquired")
    }
}

impl Error for ReleaseError {}
