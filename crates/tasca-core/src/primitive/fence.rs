//! A pair of fences that are only strong together.
//!
//! Two threads that each store a word and then look at the other's word (Dekker's pattern) need a
//! full fence between store and load on both sides. Where one side runs a thousand times as often
//! as the other, the kernel can execute the rare side's fence on behalf of both: `membarrier` makes
//! every thread of the process pass a full barrier before it returns. The frequent side then only has to
//! keep the compiler from reordering.
//!
//! Guarantee: if thread A stores `x`, calls [`light_fence`] and loads `y`, while thread B stores
//! `y`, calls [`heavy_fence`] and loads `x`, then at least one of them sees the other's store.
//!
//! Where the kernel has no `membarrier`, or a sandbox forbids it, both are sequentially consistent fences. A sandbox
//! may also close after the start: see `without_help`.

#[cfg(target_os = "linux")]
mod sys {
    use std::sync::atomic::{AtomicU8, Ordering, compiler_fence, fence};
    use std::time::Duration;

    use rustix::thread::{MembarrierCommand, membarrier};

    const UNKNOWN: u8 = 0;
    const ASYMMETRIC: u8 = 1;
    const SYMMETRIC: u8 = 2;
    /// On the way from asymmetric to symmetric.
    const CHANGING: u8 = 3;

    /// Which kind of fences the process uses. Decided once; until then light fences are full ones.
    static MODE: AtomicU8 = AtomicU8::new(UNKNOWN);

    #[cold]
    fn decide() -> u8 {
        let registered = membarrier(MembarrierCommand::RegisterPrivateExpedited).is_ok();
        let mode = if registered { ASYMMETRIC } else { SYMMETRIC };
        // Ordering: Relaxed suffices: a thread that still reads UNKNOWN executes a full fence,
        // which is right in both modes.
        MODE.store(mode, Ordering::Relaxed);
        mode
    }

    #[inline(always)]
    pub(super) fn light_fence() {
        // Ordering: see `decide`.
        if MODE.load(Ordering::Relaxed) == ASYMMETRIC {
            compiler_fence(Ordering::SeqCst);
        } else {
            fence(Ordering::SeqCst);
        }
    }

    #[cold]
    pub(super) fn heavy_fence() {
        // Ordering: see `decide`.
        let mut mode = MODE.load(Ordering::Relaxed);
        if mode == UNKNOWN {
            mode = decide();
        }
        fence(Ordering::SeqCst);
        let helped = match mode {
            // A forked child inherits the registration.
            ASYMMETRIC => membarrier(MembarrierCommand::PrivateExpedited).is_ok(),
            mode => mode == SYMMETRIC,
        };
        if !helped {
            without_help();
        }
    }

    /// The kernel has helped before and does not any more: a program has shut itself into a sandbox.
    ///
    /// From now on light fences are full ones. What threads stored before they knew becomes visible by itself, as
    /// store buffers drain within microseconds; nothing in the language promises that, so whoever finds it out waits for a
    /// thousand times as long, once.
    #[cold]
    fn without_help() {
        const STORES_VISIBLE_AFTER: Duration = Duration::from_millis(10);
        // Ordering: see `decide`; here the pause takes the place of the missing fences.
        MODE.store(CHANGING, Ordering::Relaxed);
        std::thread::sleep(STORES_VISIBLE_AFTER);
        MODE.store(SYMMETRIC, Ordering::Relaxed);
        fence(Ordering::SeqCst);
    }

    /// Chooses the mode before any worker runs, so that light fences are light from the start.
    pub(super) fn prepare() {
        // Ordering: see `decide`.
        if MODE.load(Ordering::Relaxed) == UNKNOWN {
            decide();
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod sys {
    use std::sync::atomic::{Ordering, fence};

    #[inline(always)]
    pub(super) fn light_fence() {
        fence(Ordering::SeqCst);
    }

    pub(super) fn heavy_fence() {
        fence(Ordering::SeqCst);
    }

    pub(super) fn prepare() {}
}

/// The frequent side's fence: costs nothing where [`heavy_fence`] can do its work.
#[inline(always)]
pub(crate) fn light_fence() {
    sys::light_fence();
}

/// The rare side's fence: a full fence for every thread of the process (some microseconds).
pub(crate) fn heavy_fence() {
    sys::heavy_fence();
}

/// Decides, once in a process, how the two fences are made.
pub(crate) fn prepare_fences() {
    sys::prepare();
}
