//! Time as a number of nanoseconds since the runtime was made; real, or moved by hand.

use std::time::{Duration, Instant};

use crate::primitive::{AtomicU64, Ordering};

/// The clock of one runtime.
#[derive(Debug)]
pub(crate) struct Clock {
    origin: Instant,
    /// The virtual time, where there is one.
    moved: Option<AtomicU64>,
}

impl Clock {
    pub(crate) fn real() -> Self {
        Self {
            origin: Instant::now(),
            moved: None,
        }
    }

    pub(crate) fn virtual_time() -> Self {
        Self {
            origin: Instant::now(),
            moved: Some(AtomicU64::new(0)),
        }
    }

    pub(crate) fn now_ns(&self) -> u64 {
        match &self.moved {
            // Ordering: Relaxed; the clock is moved between the steps of the one thread that reads it.
            Some(moved) => moved.load(Ordering::Relaxed),
            None => as_ns(self.origin.elapsed()),
        }
    }

    pub(crate) fn now(&self) -> Instant {
        match &self.moved {
            Some(_) => self.instant_of(self.now_ns()),
            None => Instant::now(),
        }
    }

    /// The nanoseconds of an instant; 0 for one before the runtime was made.
    pub(crate) fn ns_of(&self, instant: Instant) -> u64 {
        as_ns(instant.saturating_duration_since(self.origin))
    }

    /// The instant of a number of nanoseconds.
    pub(crate) fn instant_of(&self, ns: u64) -> Instant {
        self.origin + Duration::from_nanos(ns)
    }

    pub(crate) fn is_virtual(&self) -> bool {
        self.moved.is_some()
    }

    /// Moves virtual time forward.
    pub(crate) fn jump_to(&self, ns: u64) {
        if let Some(moved) = &self.moved {
            moved.fetch_max(ns, Ordering::Relaxed);
        }
    }
}

/// Nanoseconds, or as many as there can be.
pub(crate) fn as_ns(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
