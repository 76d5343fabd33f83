//! The one place that names locks, atomics and clocks.
//!
//! The room [`crew`](crate::crew) takes them from here, so that its models can give it a `primitive` made of loom's types.

pub(crate) use parking_lot::{Condvar, Mutex, MutexGuard};
pub(crate) use std::sync::Arc;
pub(crate) use std::sync::atomic::{AtomicUsize, Ordering};
pub(crate) use std::time::{Duration, Instant};

/// How long a thread without a job looks for one before it sleeps: what it costs to wake it, and a worker that submits the next
/// job when it has been woken by the end of the last.
const SPIN: Duration = Duration::from_micros(15);

/// Calls `is_over` for a short while, or until it says so.
pub(crate) fn spin_until(is_over: impl Fn() -> bool) {
    let begin = Instant::now();
    loop {
        for _ in 0..16 {
            if is_over() {
                return;
            }
            std::hint::spin_loop();
        }
        if begin.elapsed() >= SPIN {
            return;
        }
    }
}

/// Waits on `condvar` at most `timeout`; `true` if that time has passed. `mutex` is that of the guard.
pub(crate) fn wait_for<'a, T>(
    _mutex: &'a Mutex<T>,
    condvar: &Condvar,
    mut guard: MutexGuard<'a, T>,
    timeout: Duration,
) -> (MutexGuard<'a, T>, bool) {
    let timed_out = condvar.wait_for(&mut guard, timeout).timed_out();
    (guard, timed_out)
}

/// Waits on `condvar` at most until `deadline`; `true` if it has passed. `mutex` is that of the guard.
pub(crate) fn wait_until<'a, T>(
    _mutex: &'a Mutex<T>,
    condvar: &Condvar,
    mut guard: MutexGuard<'a, T>,
    deadline: Option<Instant>,
) -> (MutexGuard<'a, T>, bool) {
    match deadline {
        Some(deadline) => {
            let timed_out = condvar.wait_until(&mut guard, deadline).timed_out();
            (guard, timed_out)
        }
        None => {
            condvar.wait(&mut guard);
            (guard, false)
        }
    }
}
