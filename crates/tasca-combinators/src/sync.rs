//! Small things that several combinators need.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tasca_core::Promise;

/// Locks a mutex under which nothing panics.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Wakes somebody who waits for a promise; whoever it is may have been cancelled meanwhile, and need not know.
pub(crate) fn tell(promise: Promise<()>) {
    let _refused = promise.set(());
}
