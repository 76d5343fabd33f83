//! What `tasca_core::primitive` is there: atomics, cells, locks and fences, of loom's kind.

use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use loom::alloc::Track;

pub(crate) use loom::cell::UnsafeCell;
pub(crate) use loom::hint::spin_loop;
pub(crate) use loom::sync::atomic::{Ordering, fence};
pub(crate) use loom::thread::yield_now;

/// Counts are not modelled: they order nothing in here, which is less than they promise.
pub(crate) use std::sync::Arc;
/// Numbers that publish nothing may stay outside the models.
pub(crate) use std::sync::atomic::AtomicU64 as StaticU64;

/// The light half of the pair: what `membarrier` makes of it, a full fence.
#[inline]
pub(crate) fn light_fence() {
    fence(Ordering::SeqCst);
}

/// The heavy half.
#[inline]
pub(crate) fn heavy_fence() {
    fence(Ordering::SeqCst);
}

/// loom's atomics, with loads that its search does not overlook.
///
/// loom remembers one latest access of an atomic, and loads do not conflict with loads. So where one thread loads, then
/// another loads and exchanges, it takes the second load for the exchange's only predecessor, and never tries the
/// exchange before the first load. Here every load is preceded by a store to a companion: loads conflict, in the
/// search only. The companion orders nothing.
macro_rules! atomics {
    ($($name:ident $([$parameter:ident])? : $value:ty;)*) => {$(
        #[derive(Debug)]
        pub(crate) struct $name $(<$parameter>)? {
            value: loom::sync::atomic::$name $(<$parameter>)?,
            looked: loom::sync::atomic::AtomicBool,
        }

        impl $(<$parameter>)? $name $(<$parameter>)? {
            pub(crate) fn new(value: $value) -> Self {
                Self {
                    value: loom::sync::atomic::$name::new(value),
                    looked: loom::sync::atomic::AtomicBool::new(false),
                }
            }

            #[track_caller]
            pub(crate) fn load(&self, order: Ordering) -> $value {
                self.looked.store(true, Ordering::Relaxed);
                self.value.load(order)
            }

            #[allow(dead_code, clippy::allow_attributes, reason = "not of every type")]
            pub(crate) fn into_inner(self) -> $value {
                self.value.into_inner()
            }

            #[track_caller]
            #[allow(dead_code, clippy::allow_attributes, reason = "not of every type")]
            pub(crate) fn fetch_update(
                &self,
                set_order: Ordering,
                fetch_order: Ordering,
                f: impl FnMut($value) -> Option<$value>,
            ) -> Result<$value, $value> {
                self.looked.store(true, Ordering::Relaxed);
                self.value.fetch_update(set_order, fetch_order, f)
            }
        }

        impl $(<$parameter>)? Deref for $name $(<$parameter>)? {
            type Target = loom::sync::atomic::$name $(<$parameter>)?;

            fn deref(&self) -> &Self::Target {
                &self.value
            }
        }

        impl $(<$parameter>)? DerefMut for $name $(<$parameter>)? {
            fn deref_mut(&mut self) -> &mut Self::Target {
                &mut self.value
            }
        }
    )*};
}

atomics! {
    AtomicBool: bool;
    AtomicPtr[T]: *mut T;
    AtomicU32: u32;
    AtomicU64: u64;
    AtomicUsize: usize;
}

impl Default for AtomicUsize {
    fn default() -> Self {
        Self::new(0)
    }
}

macro_rules! thread_local_const {
    ($(#[$meta:meta])* static $name:ident: $type:ty = $init:expr) => {
        loom::thread_local! {
            $(#[$meta])* static $name: $type = $init;
        }
    };
}
pub(crate) use thread_local_const;

/// Nothing, whose uses loom watches: each must come after the making, and before or after each write.
#[derive(Debug)]
pub(crate) struct Watched(UnsafeCell<()>);

// SAFETY: see above; there is nothing that a race could spoil.
unsafe impl Sync for Watched {}
// SAFETY: as above.
unsafe impl Send for Watched {}

impl Default for Watched {
    fn default() -> Self {
        Self(UnsafeCell::new(()))
    }
}

impl Watched {
    pub(crate) fn read(&self) {
        self.0.with(|_| ());
    }

    pub(crate) fn write(&self) {
        self.0.with_mut(|_| ());
    }
}

/// loom's mutex with the face of `parking_lot`'s.
#[derive(Default)]
pub(crate) struct Mutex<T> {
    value: loom::sync::Mutex<T>,
    /// Made with the mutex and read when it is locked, so that loom sees who locks one that has not been published to it.
    made: Watched,
}

/// `None` only inside [`Condvar::wait`].
pub(crate) struct MutexGuard<'a, T>(Option<loom::sync::MutexGuard<'a, T>>);

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self {
            value: loom::sync::Mutex::new(value),
            made: Watched::default(),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.made.read();
        MutexGuard(Some(self.value.lock().expect("a panic ends the model")))
    }
}

/// As the combinators lock: theirs may be poisoned, this one never is.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock()
}

impl<T> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mutex")
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.as_ref().expect("locked")
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.0.as_mut().expect("locked")
    }
}

/// loom's condition variable with the face of `parking_lot`'s. Nothing times out in a model.
#[derive(Debug)]
pub(crate) struct Condvar(loom::sync::Condvar);

impl Condvar {
    pub(crate) fn new() -> Self {
        Self(loom::sync::Condvar::new())
    }

    pub(crate) fn wait<T>(&self, guard: &mut MutexGuard<'_, T>) {
        let locked = guard.0.take().expect("locked");
        guard.0 = Some(self.0.wait(locked).expect("a panic ends the model"));
    }

    /// A wait that ends by itself, at once: time-outs are not explored.
    #[expect(clippy::unused_self, reason = "the face of a condition variable")]
    pub(crate) fn wait_for<T>(&self, _: &mut MutexGuard<'_, T>, _: Duration) {}

    pub(crate) fn notify_all(&self) {
        self.0.notify_all();
    }
}

/// For what one runtime leaves to the next in a static: nothing, since an execution has no next one.
pub(crate) struct StaticMutex<T>(PhantomData<fn() -> T>);

impl<T> StaticMutex<T> {
    pub(crate) const fn new(empty: T) -> Self {
        #[expect(
            clippy::mem_forget,
            reason = "a constant function drops nothing, and this is empty"
        )]
        std::mem::forget(empty);
        Self(PhantomData)
    }
}

impl<T: Default> StaticMutex<T> {
    #[expect(clippy::unused_self, reason = "the face of a mutex")]
    pub(crate) fn lock(&self) -> T {
        T::default()
    }
}

/// Something that has to be dropped by the end of its execution.
#[derive(Debug)]
pub(crate) struct Tracked(#[expect(dead_code, reason = "is there to be dropped")] Track<()>);

impl Default for Tracked {
    fn default() -> Self {
        Self::new()
    }
}

impl Tracked {
    pub(crate) fn new() -> Self {
        Self(Track::new(()))
    }
}

/// Nobody forks.
pub(crate) fn fork_generation() -> u64 {
    0
}

/// A thread's permit to go on. loom's own `park` is no point at which it would switch threads.
#[derive(Clone)]
pub(crate) struct Thread(Arc<Permit>);

struct Permit {
    given: Mutex<bool>,
    changed: Condvar,
}

loom::thread_local! {
    static THIS: Thread = Thread(Arc::new(Permit {
        given: Mutex::new(false),
        changed: Condvar::new(),
    }));
}

impl Thread {
    pub(crate) fn unpark(&self) {
        *self.0.given.lock() = true;
        self.0.changed.notify_all();
    }
}

impl fmt::Debug for Thread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Thread")
    }
}

pub(crate) fn current_thread() -> Thread {
    THIS.with(Thread::clone)
}

pub(crate) fn park_thread() {
    let Thread(permit) = current_thread();
    let mut given = permit.given.lock();
    while !*given {
        permit.changed.wait(&mut given);
    }
    *given = false;
}
