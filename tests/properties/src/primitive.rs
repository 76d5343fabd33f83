//! What `tasca_core::primitive` is there, as far as the lifted rooms name it.

#[path = "../../../crates/tasca-core/src/primitive/cell.rs"]
mod cell;

pub(crate) use cell::UnsafeCell;
pub(crate) use parking_lot::Mutex;
pub(crate) use std::sync::Arc;
pub(crate) use std::sync::atomic::{
    AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering,
};
