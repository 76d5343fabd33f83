//! Settings of the calling thread.

/// Has the system wake this thread as close to its timeouts as it can (by default Linux adds up to 50 µs).
#[cfg(target_os = "linux")]
pub(crate) fn sharpen_timers() {
    // Without the right to change it, sleeps are a little less accurate.
    let _ = rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(1));
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn sharpen_timers() {}
