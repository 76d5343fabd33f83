//! What goes wrong around a runtime: calls that fail, signals, peers that vanish, threads that cannot be had, panics and
//! destructors in awkward places. After each fault the error has reached whoever it concerns, and nobody else; everything
//! else goes on, and nothing has leaked.
//!
//! Faults that concern the whole process have a process of their own: see [`alone`]. Calls are made to fail by a filter of the
//! system's own, see [`denied`], so nothing has to be installed.

mod cancel_points;
mod runtimes;
mod storms;
mod wakers;

#[cfg(target_os = "linux")]
mod alone;
#[cfg(target_os = "linux")]
mod calls;
#[cfg(target_os = "linux")]
mod connections;
#[cfg(target_os = "linux")]
mod denied;
#[cfg(target_os = "linux")]
mod interrupts;
#[cfg(target_os = "linux")]
mod scripted;
#[cfg(target_os = "linux")]
mod signals;
#[cfg(target_os = "linux")]
mod start;
#[cfg(target_os = "linux")]
mod threads;

/// Waits for something that nobody announces. The caller guards against waiting for ever.
fn until(is_so: impl Fn() -> bool) {
    while !is_so() {
        std::thread::yield_now();
    }
}

/// Few in debug builds, where everything takes ten times as long.
const fn scaled(debug: usize, release: usize) -> usize {
    if cfg!(debug_assertions) {
        debug
    } else {
        release
    }
}
