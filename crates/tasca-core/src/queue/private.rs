//! A worker's own queue: first in, first out.

use std::collections::VecDeque;

/// Plain memory; see the room for who may touch it.
#[derive(Debug)]
pub(crate) struct Private<T>(VecDeque<T>);

impl<T> Private<T> {
    pub(crate) fn new() -> Self {
        Self(VecDeque::with_capacity(256))
    }

    #[inline(always)]
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Queues a task behind all others.
    #[inline(always)]
    pub(crate) fn push(&mut self, task: T) {
        self.0.push_back(task);
    }

    /// Takes the task to run next.
    #[inline(always)]
    pub(crate) fn pop(&mut self) -> Option<T> {
        self.0.pop_front()
    }

    /// Brings what was queued behind the first `n_before` before them, in its order; gives how many those are.
    pub(crate) fn bring_forward(&mut self, n_before: usize) -> usize {
        let n = self.0.len().saturating_sub(n_before);
        self.0.rotate_right(n);
        n
    }

    /// Takes the newest `count`, for others to run: the oldest still run next at home. What `is_bound` says of stays. The
    /// tasks come in the order in which they were queued.
    pub(crate) fn share(&mut self, count: usize, is_bound: impl Fn(&T) -> bool, out: &mut Vec<T>) {
        let first = self.0.len().saturating_sub(count);
        // Bound tasks are rare: the vector allocates only where there is one.
        let mut stay = Vec::new();
        for task in self.0.drain(first..) {
            if is_bound(&task) {
                stay.push(task);
            } else {
                out.push(task);
            }
        }
        self.0.extend(stay);
    }

    /// Takes everything but what `is_bound` says of.
    pub(crate) fn take_all(&mut self, is_bound: impl Fn(&T) -> bool, out: &mut Vec<T>) {
        for _ in 0..self.0.len() {
            match self.0.pop_front() {
                Some(task) if is_bound(&task) => self.0.push_back(task),
                Some(task) => out.push(task),
                None => break,
            }
        }
    }
}
