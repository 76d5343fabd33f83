//! The name of a registration, as it travels through the operating system.

use crate::poller::KEY_BITS;

const INDEX_BITS: u32 = if KEY_BITS == 64 { 32 } else { 20 };
const GENERATION_BITS: u32 = KEY_BITS - INDEX_BITS;
const GENERATION_MASK: u64 = (1 << GENERATION_BITS) - 1;

/// How many slots there can be. One less than the bits allow: no key is all ones, the pollers keep
/// that one for themselves.
pub(super) const SLOTS_MAX: u32 = ((1_u64 << INDEX_BITS) - 1) as u32;

/// A slot and the generation that it had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) index: u32,
    pub(super) generation: u32,
}

impl Key {
    pub(super) fn from_raw(raw: u64) -> Self {
        Self {
            index: (raw & ((1 << INDEX_BITS) - 1)) as u32,
            generation: (raw >> INDEX_BITS) as u32,
        }
    }

    pub(super) fn raw(self) -> u64 {
        u64::from(self.generation) << INDEX_BITS | u64::from(self.index)
    }

    /// The generation of the slot's next user.
    pub(super) fn next_generation(self) -> u32 {
        (u64::from(self.generation).wrapping_add(1) & GENERATION_MASK) as u32
    }
}
