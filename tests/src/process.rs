//! What a process needs that a test has started, or that starts one.

use crate::HANG;

/// Has the system end this process when it has lasted too long. Nobody else does where the test that started it has failed.
pub fn end_if_it_hangs() {
    // Time for several waits: what it does is a whole test, and often one after the other on several runtimes.
    let seconds = 3 * HANG.as_secs() as libc::c_uint;
    // SAFETY: no memory is involved.
    unsafe { libc::alarm(seconds) };
}

/// Has SIGINT end this process, and those that it starts, unless they do something about it.
///
/// A shell that runs the tests in its background, or `nohup`, has the signal ignored, which is inherited.
///
/// # Panics
///
/// If the system refuses.
pub fn let_interrupts_end_it() {
    // SAFETY: no memory is involved, and nothing of this process handles the signal.
    let before = unsafe { libc::signal(libc::SIGINT, libc::SIG_DFL) };
    assert_ne!(before, libc::SIG_ERR, "the signal can be let through");
}
