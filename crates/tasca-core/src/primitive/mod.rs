//! The one place that names atomics, cells, locks and fences.
//!
//! Every other room takes them from here, so that the models in `loom-tests` can lift a room's
//! sources out and give it a `primitive` made of loom's types. Nothing in here knows what a task is.

mod cell;
mod fence;
mod fork;
mod thread;

pub(crate) use cell::UnsafeCell;
pub(crate) use fence::{heavy_fence, light_fence, prepare_fences};
pub use fork::Process;
pub(crate) use fork::{fork_generation, watch_forks};
/// For what outlives runtimes, in statics; as [`StaticU64`].
pub(crate) use parking_lot::Mutex as StaticMutex;
pub(crate) use parking_lot::{Condvar, Mutex, MutexGuard};
pub(crate) use std::hint::spin_loop;
pub(crate) use std::sync::Arc;
/// For numbers in statics and constants, which publish nothing: a model checker's atomics cannot stand there.
pub(crate) use std::sync::atomic::AtomicU64 as StaticU64;
pub(crate) use std::sync::atomic::{
    AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
};
pub(crate) use std::thread::{Thread, current as current_thread, park as park_thread, yield_now};
pub(crate) use thread::sharpen_timers;

/// A thread-local without a destructor: reading it is one load, at any time in a thread's life.
macro_rules! thread_local_const {
    ($(#[$meta:meta])* static $name:ident: $type:ty = $init:expr) => {
        std::thread_local! {
            $(#[$meta])* static $name: $type = const { $init };
        }
    };
}
pub(crate) use thread_local_const;
