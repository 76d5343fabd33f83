//! Whether a core is there whole, or something else runs on it as well.
//!
//! Two processors of a virtual machine, or of a machine with hyperthreads, are often one core. What one of them does then depends on
//! whether the other, or another guest's, is busy, without any thread having waited for another: a program that the core's width bounds takes
//! up to 1.8 times as long, one that waits for memory or for locked instructions hardly longer. That falsifies ratios, and shows nowhere: no
//! load, no stolen time. So a loop that is bound by nothing but the width of the core is timed before each measurement, for everybody alike.

use std::{
    hint::black_box,
    thread,
    time::{Duration, Instant},
};

/// How much slower than the fastest reading one may be on a whole core. On a shared one they are 1.2 to 1.9 times as slow.
const TOLERANCE: f64 = 1.1;
/// How often to look at most before a measurement.
const LOOKS_MAX: u32 = 20;
/// How long to sleep between two looks.
const PAUSE: Duration = Duration::from_millis(5);
/// Readings that the first idea of a whole core is made of.
const FIRST_READINGS: u32 = 100;
/// Steps of the loop in one reading: some 10 µs, so that most readings are not interrupted.
const STEPS: u64 = 5_000;

/// What is known of the core.
#[derive(Debug)]
pub(crate) struct Gauge {
    /// The fastest reading so far, in nanoseconds.
    fastest: f64,
    looks_max: u32,
    counts: Counts,
}

/// What the measurements began on.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Counts {
    pub(crate) measurements: u64,
    /// Those that began on a shared core, after waiting in vain.
    pub(crate) on_shared_core: u64,
}

impl Gauge {
    /// Learns what a whole core is; the later readings correct it.
    pub(crate) fn new() -> Self {
        let fastest = (0..FIRST_READINGS).map(|_| reading());
        Self::with(fastest.fold(f64::INFINITY, f64::min), LOOKS_MAX)
    }

    /// One that waits for nothing.
    pub(crate) fn impatient() -> Self {
        Self::with(f64::INFINITY, 1)
    }

    fn with(fastest: f64, looks_max: u32) -> Self {
        Self {
            fastest,
            looks_max,
            counts: Counts::default(),
        }
    }

    pub(crate) fn counts(&self) -> Counts {
        self.counts
    }

    /// Waits for a while, if need be, until the core is whole, and counts the measurement that follows.
    pub(crate) fn await_whole_core(&mut self) {
        self.settle(
            || (0..3).map(|_| reading()).fold(f64::INFINITY, f64::min),
            || thread::sleep(PAUSE),
        );
    }

    fn settle(&mut self, mut read: impl FnMut() -> f64, mut pause: impl FnMut()) {
        self.counts.measurements += 1;
        for look in 1..=self.looks_max {
            let reading = read();
            self.fastest = self.fastest.min(reading);
            if reading <= self.fastest * TOLERANCE {
                return;
            }
            if look < self.looks_max {
                pause();
            }
        }
        self.counts.on_shared_core += 1;
    }
}

/// How long a loop takes that uses the core's whole width and no memory, in nanoseconds.
fn reading() -> f64 {
    // More chains than there are units, each of single cycles; rotations, so that no compiler makes wide vectors of them.
    let mut chains = black_box([1_u64, 2, 3, 4, 5, 6]);
    let start = Instant::now();
    for step in 0..STEPS {
        for chain in &mut chains {
            *chain = chain.rotate_left(5).wrapping_add(step) ^ 0x55;
        }
    }
    black_box(chains);
    start.elapsed().as_nanos() as f64
}

#[cfg(test)]
mod tests {
    use super::{Counts, Gauge};

    /// Settles with these readings, one for each look; gives how often it paused.
    fn pauses(gauge: &mut Gauge, readings: &[f64]) -> usize {
        let mut readings = readings.iter();
        let mut n_pauses = 0;
        gauge.settle(|| *readings.next().unwrap(), || n_pauses += 1);
        assert_eq!(readings.len(), 0, "every reading was asked for");
        n_pauses
    }

    #[test]
    fn a_measurement_begins_when_the_core_is_whole() {
        let mut gauge = Gauge::with(100.0, 4);
        assert_eq!(pauses(&mut gauge, &[105.0]), 0);
        assert_eq!(pauses(&mut gauge, &[170.0, 130.0, 101.0]), 2);
        let counts = Counts {
            measurements: 2,
            on_shared_core: 0,
        };
        assert_eq!(gauge.counts(), counts);
    }

    #[test]
    fn a_core_that_stays_shared_is_counted() {
        let mut gauge = Gauge::with(100.0, 4);
        assert_eq!(pauses(&mut gauge, &[170.0; 4]), 3);
        assert_eq!(pauses(&mut gauge, &[100.0]), 0);
        let counts = Counts {
            measurements: 2,
            on_shared_core: 1,
        };
        assert_eq!(gauge.counts(), counts);
    }

    #[test]
    fn a_faster_reading_says_what_a_whole_core_is() {
        let mut gauge = Gauge::with(170.0, 2);
        assert_eq!(pauses(&mut gauge, &[100.0]), 0);
        assert_eq!(pauses(&mut gauge, &[170.0, 170.0]), 1);
    }

    #[test]
    fn who_is_impatient_never_pauses_and_counts_nothing_as_shared() {
        let mut gauge = Gauge::impatient();
        assert_eq!(pauses(&mut gauge, &[170.0]), 0);
        assert_eq!(gauge.counts().on_shared_core, 0);
    }
}
