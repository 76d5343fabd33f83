//! A worker's own queue: a slot for the task that runs next, and a ring.

use std::collections::VecDeque;

/// How often in a row the LIFO slot is served before the ring.
const SLOT_STREAK_MAX: u8 = 16;

/// Plain memory; see the room for who may touch it.
#[derive(Debug)]
pub(crate) struct Private<T> {
    /// The task that was woken last. It finds its waker's data in the cache.
    slot: Option<T>,
    ring: VecDeque<T>,
    /// How often the slot has been served since the ring was.
    streak: u8,
}

impl<T> Private<T> {
    pub(crate) fn new() -> Self {
        Self {
            slot: None,
            ring: VecDeque::with_capacity(256),
            streak: 0,
        }
    }

    #[inline(always)]
    pub(crate) fn len(&self) -> usize {
        self.ring.len() + usize::from(self.slot.is_some())
    }

    /// Queues a task that the running one has woken: it runs next, and what was to run next goes to the end.
    #[inline(always)]
    pub(crate) fn push_woken(&mut self, task: T) {
        if let Some(evicted) = self.slot.replace(task) {
            self.ring.push_back(evicted);
        }
    }

    /// Queues a task that the running one has spawned; spawns keep their order.
    #[inline(always)]
    pub(crate) fn push_spawned(&mut self, task: T) {
        if self.slot.is_none() && self.ring.is_empty() {
            self.slot = Some(task);
        } else {
            self.ring.push_back(task);
        }
    }

    /// Queues a task at the end.
    #[inline(always)]
    pub(crate) fn push_back(&mut self, task: T) {
        self.ring.push_back(task);
    }

    /// Takes the task to run next.
    #[inline(always)]
    pub(crate) fn pop(&mut self) -> Option<T> {
        if self.streak < SLOT_STREAK_MAX
            && let Some(task) = self.slot.take()
        {
            self.streak += 1;
            return Some(task);
        }
        self.streak = 0;
        self.ring.pop_front().or_else(|| self.slot.take())
    }

    /// Takes the newest `count`, for others to run: the oldest still run next at home. What `is_bound` says of stays, as does
    /// the slot. The tasks come in the order in which they were queued.
    pub(crate) fn share(&mut self, count: usize, is_bound: impl Fn(&T) -> bool, out: &mut Vec<T>) {
        let first = self.ring.len().saturating_sub(count);
        // Bound tasks are rare: the vector allocates only where there is one.
        let mut stay = Vec::new();
        for task in self.ring.drain(first..) {
            if is_bound(&task) {
                stay.push(task);
            } else {
                out.push(task);
            }
        }
        self.ring.extend(stay);
    }

    /// Takes everything but what `is_bound` says of.
    pub(crate) fn take_all(&mut self, is_bound: impl Fn(&T) -> bool, out: &mut Vec<T>) {
        for task in self
            .slot
            .take()
            .into_iter()
            .chain(std::mem::take(&mut self.ring))
        {
            if is_bound(&task) {
                self.ring.push_back(task);
            } else {
                out.push(task);
            }
        }
    }
}
