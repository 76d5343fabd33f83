//! A bound for what might hang. Also a module of the tests of the single crates, which take this very file in.

use std::panic::resume_unwind;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

/// When a wait has lasted this long, it will last for ever. `cargo xtask sanitize` says so when it compiles what its checkers then slow down.
pub const HANG: Duration = match option_env!("TASCA_SLOWED_DOWN") {
    None => Duration::from_secs(45),
    Some(_) => Duration::from_secs(450),
};

/// Runs `body` on a thread of its own; fails if it hangs, and as it fails.
///
/// # Panics
///
/// If `body` does, or hangs.
#[track_caller]
pub fn guarded<R: Send + 'static>(what: &str, body: impl FnOnce() -> R + Send + 'static) -> R {
    let (running, end) = channel::<()>();
    let thread = thread::Builder::new().name(what.to_owned()).spawn(move || {
        // Nothing is sent: it goes with the body, however that ends.
        let _running = running;
        body()
    });
    let thread = thread.expect("a thread can be started");
    assert_ne!(
        end.recv_timeout(HANG),
        Err(RecvTimeoutError::Timeout),
        "hangs: {what}"
    );
    thread
        .join()
        .unwrap_or_else(|payload| resume_unwind(payload))
}
