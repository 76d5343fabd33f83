//! One timer's state and payload, and the name a timer is known by.
//!
//! The word of state:
//!
//! ```text
//!  63                                             2   1   0
//! +-------------------------------------------------+-------+
//! |                   generation                    | phase |
//! +-------------------------------------------------+-------+
//! ```
//!
//! | phase | entry in the queue | payload in the slot | who may touch the payload |
//! |---|---|---|---|
//! | `FREE` | no | no | the owner, to put one in |
//! | `ARMED` | yes | yes | nobody; the owner may look |
//! | `TAKING` | yes, until the owner comes across it | being read | who made the phase |
//! | `CANCELLED` | yes, until the owner comes across it | no | nobody |
//!
//! ```text
//!            (1) arm                        (3) take_remotely
//!   FREE(g) ----------> ARMED(g) ------------------------------> TAKING(g)
//!     ^  <-------------   |                                         |
//!     |    (5) swap       | (2) claim                               | (4) take_remotely
//!     |                   v                                         v
//!     |               FREE(g + 1)                               CANCELLED(g)
//!     |                                                             |
//!     +------------------------- FREE(g + 1) <----------------------+
//!                                              (6) settle
//! ```
//!
//! (1), (2), (5) and (6) are the owner's; (3) and (4) anybody's. The generation has 62 bits and
//! does not wrap in the life of a machine.

use std::mem::MaybeUninit;

use crate::primitive::{AtomicU64, Ordering, UnsafeCell};

const FREE: u64 = 0;
const ARMED: u64 = 1;
const TAKING: u64 = 2;
const CANCELLED: u64 = 3;

const GENERATION_SHIFT: u32 = 2;
const PHASE_MASK: u64 = (1 << GENERATION_SHIFT) - 1;

/// The name of an armed timer; of no timer at all once that has fired or been cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TimerKey {
    pub(super) slot: u32,
    pub(super) generation: u64,
}

impl TimerKey {
    /// The name of no timer.
    pub(crate) const NONE: Self = Self {
        slot: u32::MAX,
        generation: 0,
    };

    /// Two numbers that no other timer of the same queue has had.
    pub(crate) fn parts(self) -> (u32, u64) {
        (self.slot, self.generation)
    }

    /// The word of state while the timer is armed.
    #[inline]
    fn armed(self) -> u64 {
        self.generation << GENERATION_SHIFT | ARMED
    }
}

/// What the owner finds at a slot whose entry it has removed.
#[derive(Debug)]
#[must_use]
pub(super) enum Claim<T> {
    /// The timer was armed; the slot is free.
    Payload(TimerKey, T),
    /// Somebody has cancelled it; the slot is free.
    Cancelled,
    /// Somebody is cancelling it at this moment; the slot has to be looked at again.
    Taking,
}

// Aligned so that a slot never straddles two cache lines.
#[derive(Debug)]
#[repr(align(32))]
pub(super) struct Slot<T> {
    // Invariant: changed by the owner of the queue, except for `ARMED` to `TAKING` (anybody) and
    // from there to `CANCELLED` (whoever made it `TAKING`).
    state: AtomicU64,
    // Invariant: holds an initialised payload exactly in phase `ARMED`. Written by the owner in phase
    // `FREE`; read by the one whose exchange ended the phase `ARMED`; until somebody's exchange
    // does, the owner may look at it.
    payload: UnsafeCell<MaybeUninit<T>>,
}

// SAFETY: the invariant at `payload` gives it to one thread at a time, apart from reads.
unsafe impl<T: Send + Sync> Sync for Slot<T> {}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self {
            state: AtomicU64::new(FREE),
            payload: UnsafeCell::new(MaybeUninit::uninit()),
        }
    }
}

impl<T> Slot<T> {
    /// Whether the timer of this name has neither fired nor been cancelled.
    #[inline]
    pub(super) fn is_armed(&self, key: TimerKey) -> bool {
        // Ordering: Acquire pairs with the Release exchange in `claim`: what was done before the
        // timer fired (a virtual clock's step) is seen by whoever learns here that it did.
        self.state.load(Ordering::Acquire) == key.armed()
    }

    /// Arms a free slot and returns the new timer's generation.
    ///
    /// # Safety
    ///
    /// 1. The caller is the queue's owner.
    /// 2. The slot is `FREE`.
    #[inline]
    pub(super) unsafe fn arm(&self, payload: T) -> u64 {
        // Ordering: Relaxed; a free slot's state was last written by the owner, or acquired by it
        // in `settle`.
        let free = self.state.load(Ordering::Relaxed);
        debug_assert_eq!(free & PHASE_MASK, FREE, "armed a slot that is in use");
        self.payload.with_mut(|place| {
            // SAFETY: by duties (1) and (2), and the invariant at `payload`, nobody else touches it.
            let place = unsafe { &mut *place };
            place.write(payload);
        });
        // Ordering: Release pairs with the Acquire exchange in `take_remotely`; the payload is seen.
        self.state.store(free | ARMED, Ordering::Release);
        free >> GENERATION_SHIFT
    }

    /// Ends the timer of this name and takes its payload, if it is armed. The slot is free then.
    ///
    /// # Safety
    ///
    /// The caller is the queue's owner.
    #[inline]
    pub(super) unsafe fn claim(&self, key: TimerKey) -> Option<T> {
        let freed = (key.generation + 1) << GENERATION_SHIFT | FREE;
        // Ordering: Release pairs with the Acquire load in `is_armed`. The payload was written by
        // an owner, and the right to be the owner is handed on with synchronisation. Failure: the slot
        // is not looked at.
        self.state
            .compare_exchange(key.armed(), freed, Ordering::Release, Ordering::Relaxed)
            .ok()?;
        // SAFETY: the exchange ended the phase `ARMED`; only the owner, which is here, could write
        // another payload.
        Some(unsafe { self.read_payload() })
    }

    /// Ends whatever timer has the slot, whose entry has been removed from the queue.
    ///
    /// # Safety
    ///
    /// 1. The caller is the queue's owner.
    /// 2. The slot is not `FREE`.
    pub(super) unsafe fn claim_any(&self, slot: u32) -> Claim<T> {
        // Ordering: Relaxed; for the generation only, which the owner wrote.
        let state = self.state.load(Ordering::Relaxed);
        let key = TimerKey {
            slot,
            generation: state >> GENERATION_SHIFT,
        };
        if state & PHASE_MASK == ARMED {
            // SAFETY: duty (1).
            let claimed = unsafe { self.claim(key) };
            if let Some(payload) = claimed {
                return Claim::Payload(key, payload);
            }
        }
        // SAFETY: duty (1). By duty (2), and because it is not `ARMED` any more, the slot is
        // `TAKING` or `CANCELLED`.
        if unsafe { self.settle() } {
            Claim::Cancelled
        } else {
            Claim::Taking
        }
    }

    /// Frees the slot of a cancelled timer, unless its payload is still being taken out.
    ///
    /// # Safety
    ///
    /// 1. The caller is the queue's owner.
    /// 2. The slot is `TAKING` or `CANCELLED`.
    pub(super) unsafe fn settle(&self) -> bool {
        // Ordering: Acquire pairs with the Release store in `take_remotely`: the payload has
        // been read before the owner writes the next one.
        let state = self.state.load(Ordering::Acquire);
        if state & PHASE_MASK != CANCELLED {
            debug_assert_eq!(
                state & PHASE_MASK,
                TAKING,
                "settled a slot that is not cancelled"
            );
            return false;
        }
        let generation = state >> GENERATION_SHIFT;
        // Ordering: Relaxed; nobody but the owner acts on a slot that is not armed, and a stale key
        // fits neither value.
        self.state.store(
            (generation + 1) << GENERATION_SHIFT | FREE,
            Ordering::Relaxed,
        );
        true
    }

    /// Whether somebody has cancelled the timer, or is at it. An answer for the owner, to be acted
    /// upon with [`claim_any`](Self::claim_any).
    #[inline]
    pub(super) fn is_marked(&self) -> bool {
        // Ordering: Relaxed; a hint.
        self.state.load(Ordering::Relaxed) & PHASE_MASK >= TAKING
    }

    /// Ends the timer of this name and takes its payload, if it is armed, as anybody.
    #[inline]
    pub(super) fn take_remotely(&self, key: TimerKey) -> Option<T> {
        let taking = key.generation << GENERATION_SHIFT | TAKING;
        // Ordering: Acquire pairs with the Release store in `arm`; the payload is seen. Nothing is
        // published by this: the owner waits for the store below. Failure: the slot is not looked
        // at.
        self.state
            .compare_exchange(key.armed(), taking, Ordering::Acquire, Ordering::Relaxed)
            .ok()?;
        // SAFETY: the exchange ended the phase `ARMED`; the owner writes no payload before it
        // has seen `CANCELLED`.
        let payload = unsafe { self.read_payload() };
        // Ordering: Release pairs with the Acquire load in `settle`; the payload is out of the slot.
        self.state.store(
            key.generation << GENERATION_SHIFT | CANCELLED,
            Ordering::Release,
        );
        Some(payload)
    }

    /// Whether the timer of this name is armed, with a payload that `is_it` says yes to.
    ///
    /// `is_it` may compare the payload's words, but not follow them: another thread may be taking
    /// it out.
    ///
    /// # Safety
    ///
    /// The caller is the queue's owner, or keeps it from doing anything meanwhile.
    pub(super) unsafe fn holds(&self, key: TimerKey, is_it: impl FnOnce(&T) -> bool) -> bool {
        // Ordering: Relaxed; payloads are written by owners, see `claim`.
        self.state.load(Ordering::Relaxed) == key.armed()
            && self.payload.with(|place| {
                // SAFETY: only the owner writes here. Somebody may be taking the payload out, or may
                // have: that reads the place, and leaves its bytes as they are.
                let place = unsafe { &*place };
                // SAFETY: it was initialised when the timer was armed. Should it be taken out just
                // now, these are the bytes of a payload that is elsewhere: they are compared, not
                // followed, and not dropped.
                is_it(unsafe { place.assume_init_ref() })
            })
    }

    /// Replaces the payload of the timer of this name and returns the old one, if it is armed;
    /// otherwise gives the new one back.
    ///
    /// # Safety
    ///
    /// The caller is the queue's owner.
    pub(super) unsafe fn swap(&self, key: TimerKey, payload: T) -> Result<T, T> {
        let free = key.generation << GENERATION_SHIFT | FREE;
        // Ordering: as in `claim`, but there is nothing to publish: the timer goes on.
        let exchange =
            self.state
                .compare_exchange(key.armed(), free, Ordering::Relaxed, Ordering::Relaxed);
        if exchange.is_err() {
            return Err(payload);
        }
        // SAFETY: the exchange ended the phase `ARMED`; the owner is here.
        let old = unsafe { self.read_payload() };
        // SAFETY: (1) the caller's duty. (2) The slot was made `FREE` above.
        unsafe { self.arm(payload) };
        Ok(old)
    }

    /// Moves the payload out.
    ///
    /// # Safety
    ///
    /// The caller's exchange ended the phase `ARMED`, and this is called once for it, before
    /// another payload can have been written.
    unsafe fn read_payload(&self) -> T {
        self.payload.with(|place| {
            // SAFETY: by the caller's duty nobody writes meanwhile.
            let place = unsafe { &*place };
            // SAFETY: the place was initialised while `ARMED`; by the caller's duty the payload
            // is moved out once.
            unsafe { place.assume_init_read() }
        })
    }
}

impl<T> Drop for Slot<T> {
    fn drop(&mut self) {
        // Ordering: Relaxed; whoever drops has been handed the slot with synchronisation.
        if self.state.load(Ordering::Relaxed) & PHASE_MASK == ARMED {
            // SAFETY: `&mut self` stands for the exchange; the slot is gone afterwards.
            drop(unsafe { self.read_payload() });
        }
    }
}
