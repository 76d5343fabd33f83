//! Work for tasks to do, and numbers for them to do it with.

use std::hint::black_box;

/// Steps of [`burn`] that take about 5 µs on a processor of some 3 GHz.
pub const FIVE_MICROSECONDS: u64 = 2_500;

/// Keeps the processor busy for `steps` dependent steps in registers; returns a value that depends on
/// all of them.
#[must_use]
pub fn burn(steps: u64) -> u64 {
    let mut random = Random::new(black_box(steps));
    (0..steps).fold(0, |_, _| random.next_u64())
}

/// A small generator of numbers (xorshift), the same sequence on every run.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Starts the sequence that belongs to `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// The next number.
    #[must_use]
    pub fn next_u64(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// The next number below `bound`.
    #[must_use]
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next_u64() % bound
    }
}
