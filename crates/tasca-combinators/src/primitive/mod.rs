//! The one place that names atomics and locks; everything else in the crate takes them from here.
//!
//! So the models in `loom-tests` can take the sources in one by one, above primitives made of loom's types.

pub(crate) use parking_lot::{Mutex, MutexGuard};
pub(crate) use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Locks a mutex.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock()
}
