//! Telling a forked child from its parent, for the price of a load.
//!
//! `fork` copies the memory of a runtime but none of its threads. A handler that the C library
//! runs in each child counts generations; a runtime remembers the one it was made in, and refuses
//! to work in another.

use std::sync::atomic::{AtomicU64, Ordering};

static GENERATION: AtomicU64 = AtomicU64::new(0);

#[cfg(unix)]
fn install() {
    static INSTALL: parking_lot::Once = parking_lot::Once::new();

    extern "C" fn in_child() {
        // Ordering: the child has a single thread; nothing else is published by this.
        GENERATION.fetch_add(1, Ordering::Relaxed);
    }

    INSTALL.call_once(|| {
        // SAFETY: `in_child` is an `extern "C"` function that lives for ever and only touches an
        // atomic, which is allowed between fork and exec.
        let status = unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
        // The only failure is lack of memory; the check is then off, as on other platforms.
        debug_assert_eq!(status, 0, "pthread_atfork failed");
    });
}

#[cfg(not(unix))]
fn install() {}

/// How many forks lie between the first process and this one.
#[inline]
pub(crate) fn fork_generation() -> u64 {
    // Ordering: see `in_child`.
    GENERATION.load(Ordering::Relaxed)
}

/// Starts counting; called before a runtime remembers its generation.
pub(crate) fn watch_forks() {
    install();
}
