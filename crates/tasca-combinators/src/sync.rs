//! Small things that several combinators need.

use tasca_core::Promise;

pub(crate) use crate::primitive::lock;

/// Wakes somebody who waits for a promise; whoever it is may have been cancelled meanwhile, and need not know.
pub(crate) fn tell(promise: Promise<()>) {
    let _refused = promise.set(());
}
