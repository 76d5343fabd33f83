//! In the place of crossbeam's deques: queues behind a lock, which now and then ask for another try, as theirs may.

use std::collections::VecDeque;

use shuttle::rand::{Rng, thread_rng};

use crate::primitive::{Arc, Mutex};

/// What came of an attempt to steal.
#[derive(Debug)]
pub(crate) enum Steal<T> {
    Empty,
    Success(T),
    Retry,
}

impl<T> Steal<T> {
    pub(crate) fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }
}

type Items<T> = Arc<Mutex<VecDeque<T>>>;

/// The owner's end.
pub(crate) struct Worker<T>(Items<T>);

/// The thieves' end.
pub(crate) struct Stealer<T>(Items<T>);

/// The queue from outside.
pub(crate) struct Injector<T>(Items<T>);

fn new<T>() -> Items<T> {
    Arc::new(Mutex::new(VecDeque::new()))
}

/// Moves up to half of the items, and up to `limit`, to the end of `to`.
fn steal<T>(from: &Items<T>, to: &Worker<T>, limit: usize) -> Steal<()> {
    if thread_rng().gen_range(0..8) == 0 {
        return Steal::Retry;
    }
    let batch: Vec<T> = {
        let mut from = from.lock();
        let count = from.len().div_ceil(2).min(limit);
        from.drain(..count).collect()
    };
    if batch.is_empty() {
        return Steal::Empty;
    }
    to.0.lock().extend(batch);
    Steal::Success(())
}

/// As [`steal`], and takes the first of them out again.
fn steal_and_pop<T>(from: &Items<T>, to: &Worker<T>, limit: usize) -> Steal<T> {
    let Some(first) = from.lock().pop_front() else {
        return Steal::Empty;
    };
    // What else there was may be gone by now, which the contract allows.
    let _others = steal(from, to, limit - 1);
    Steal::Success(first)
}

impl<T> Worker<T> {
    pub(crate) fn new_fifo() -> Self {
        Self(new())
    }

    pub(crate) fn stealer(&self) -> Stealer<T> {
        Stealer(Arc::clone(&self.0))
    }

    pub(crate) fn push(&self, item: T) {
        self.0.lock().push_back(item);
    }

    pub(crate) fn pop(&self) -> Option<T> {
        self.0.lock().pop_front()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.lock().len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T> Stealer<T> {
    pub(crate) fn len(&self) -> usize {
        self.0.lock().len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn steal_batch_with_limit(&self, to: &Worker<T>, limit: usize) -> Steal<()> {
        steal(&self.0, to, limit)
    }

    pub(crate) fn steal_batch_with_limit_and_pop(&self, to: &Worker<T>, limit: usize) -> Steal<T> {
        steal_and_pop(&self.0, to, limit)
    }
}

impl<T> Injector<T> {
    pub(crate) fn new() -> Self {
        Self(new())
    }

    pub(crate) fn push(&self, item: T) {
        self.0.lock().push_back(item);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.lock().is_empty()
    }

    pub(crate) fn steal_batch_with_limit_and_pop(&self, to: &Worker<T>, limit: usize) -> Steal<T> {
        if thread_rng().gen_range(0..8) == 0 {
            return Steal::Retry;
        }
        steal_and_pop(&self.0, to, limit)
    }
}
