//! Ends the program if a measurement does not come to an end.
//!
//! A runtime that loses a wake-up would otherwise hold up a long run for ever, and nobody would know where.

use std::{
    process,
    sync::{Mutex, Once, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// No measurement takes so long, not even on a busy machine.
const MEASUREMENT_MAX: Duration = Duration::from_secs(300);

static START: Once = Once::new();

/// What is measured at the moment, and since when.
static CURRENT: Mutex<Option<(Instant, String)>> = Mutex::new(None);

/// Watches until it is dropped.
pub(crate) struct Watched(());

/// Says what is measured from now on.
pub(crate) fn begin(what: String) -> Watched {
    START.call_once(|| {
        thread::spawn(watch);
    });
    *CURRENT.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), what));
    Watched(())
}

impl Drop for Watched {
    fn drop(&mut self) {
        *CURRENT.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

#[expect(
    clippy::exit,
    reason = "the thread that hangs cannot be made to return"
)]
fn watch() {
    loop {
        thread::sleep(Duration::from_secs(5));
        let current = CURRENT.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((since, what)) = &*current
            && since.elapsed() > MEASUREMENT_MAX
        {
            eprintln!("side-by-side: {what} does not come to an end");
            process::exit(3);
        }
    }
}
