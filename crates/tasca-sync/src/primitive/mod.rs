//! The one place that names atomics, cells and locks; everything else in the crate takes them from here.
//!
//! So the models in `loom-tests` can take the sources in one by one, above primitives made of loom's types.

mod cell;

pub(crate) use cell::UnsafeCell;
pub(crate) use parking_lot::Mutex;
pub(crate) use std::sync::Arc;
pub(crate) use std::sync::atomic::{AtomicUsize, Ordering};
pub(crate) use tasca_core::{catch_cancelled, leaf};
