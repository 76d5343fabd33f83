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

/// The process that something was made in.
///
/// `fork` copies memory but no threads: what rests on threads of its own asks [`is_this`](Self::is_this) before it waits for
/// them, or for a lock that they may have held.
#[derive(Clone, Copy, Debug)]
pub struct Process {
    generation: u64,
}

impl Process {
    /// This process.
    #[must_use]
    pub fn this() -> Self {
        watch_forks();
        Self {
            generation: fork_generation(),
        }
    }

    /// Whether it is this process, and not one that was forked into this.
    #[inline]
    #[must_use]
    pub fn is_this(self) -> bool {
        self.generation == fork_generation()
    }
}
