//! The half of a timer queue that every thread may use.

use crate::primitive::{AtomicU32, Ordering};
use crate::slots::Slots;

use super::slot::{Slot, TimerKey};

/// A counter that other threads write, away from what the owner reads all the time.
#[derive(Debug)]
#[repr(align(128))]
struct Counter(AtomicU32);

/// The slots of one queue's timers.
#[derive(Debug)]
pub(crate) struct TimerShard<T> {
    pub(super) slots: Slots<Slot<T>>,
    /// How many timers have ever been cancelled by [`cancel_remote`](Self::cancel_remote), modulo
    /// 2^32. Only ever rises; the owner subtracts what it has cleared away.
    cancelled_remotely: Counter,
}

impl<T> TimerShard<T> {
    /// Bytes that an armed timer takes here and in its queue.
    pub(crate) const BYTES_PER_TIMER: usize =
        size_of::<Slot<T>>() + size_of::<super::places::Entry>() + size_of::<u32>();

    pub(crate) fn new() -> Self {
        Self {
            slots: Slots::new(),
            cancelled_remotely: Counter(AtomicU32::new(0)),
        }
    }

    /// Whether the timer is still waiting: `false` once it has fired or been cancelled.
    ///
    /// Whoever reads `false` because the timer fired sees what the owner had done before.
    #[inline]
    pub(crate) fn is_armed(&self, key: TimerKey) -> bool {
        self.slots
            .get(key.slot)
            .is_some_and(|slot| slot.is_armed(key))
    }

    /// Cancels a timer from any thread.
    ///
    /// Returns its payload, or nothing if it has fired or been cancelled. Its entry stays in the
    /// queue until the owner comes across it, so `TimerQueue::next_deadline` may be early.
    pub(crate) fn cancel_remote(&self, key: TimerKey) -> Option<T> {
        let payload = self.slots.get(key.slot)?.take_remotely(key)?;
        // Ordering: Relaxed; the count decides when the owner looks, not what it finds.
        self.cancelled_remotely.0.fetch_add(1, Ordering::Relaxed);
        Some(payload)
    }

    #[inline]
    pub(super) fn cancelled_remotely(&self) -> u32 {
        // Ordering: Relaxed, see `cancel_remote`.
        self.cancelled_remotely.0.load(Ordering::Relaxed)
    }
}
