//! The one place that names atomics and locks; everything else in the crate takes them from here.
//!
//! So the models in `loom-tests` can take the sources in one by one, above primitives made of loom's types.

pub(crate) use crossbeam_utils::atomic::AtomicCell;
pub(crate) use parking_lot::{Mutex, RwLock, RwLockReadGuard, RwLockWriteGuard};
pub(crate) use std::sync::Arc;
pub(crate) use std::sync::atomic::{AtomicUsize, Ordering};
pub(crate) use tasca_core::{catch_cancelled, leaf};
