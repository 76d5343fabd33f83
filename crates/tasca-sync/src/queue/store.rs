//! In which order a queue gives its items back.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

/// What keeps the items of a [queue](super::QueueOf), and decides which comes next: [`Fifo`], [`Lifo`] or [`Smallest`].
///
/// The set is closed: a store is used with the queue's lock held.
pub trait Store: Default + sealed::Sealed {}

pub(super) mod sealed {
    /// The operations of a store.
    #[allow(
        unnameable_types,
        clippy::allow_attributes,
        reason = "what cannot be named cannot be implemented elsewhere; in a model it can"
    )]
    pub trait Sealed {
        type Item;
        fn push(&mut self, item: Self::Item);
        fn pop(&mut self) -> Option<Self::Item>;
        fn len(&self) -> usize;
    }
}

/// The oldest item comes first.
#[derive(Debug)]
pub struct Fifo<T>(VecDeque<T>);

/// The youngest item comes first.
#[derive(Debug)]
pub struct Lifo<T>(Vec<T>);

/// The smallest item comes first.
#[derive(Debug)]
pub struct Smallest<T>(BinaryHeap<Reverse<T>>);

impl<T> Default for Fifo<T> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<T> Default for Lifo<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Ord> Default for Smallest<T> {
    fn default() -> Self {
        Self(BinaryHeap::new())
    }
}

impl<T> Store for Fifo<T> {}
impl<T> Store for Lifo<T> {}
impl<T: Ord> Store for Smallest<T> {}

impl<T> sealed::Sealed for Fifo<T> {
    type Item = T;
    fn push(&mut self, item: T) {
        self.0.push_back(item);
    }
    fn pop(&mut self) -> Option<T> {
        self.0.pop_front()
    }
    fn len(&self) -> usize {
        self.0.len()
    }
}

impl<T> sealed::Sealed for Lifo<T> {
    type Item = T;
    fn push(&mut self, item: T) {
        self.0.push(item);
    }
    fn pop(&mut self) -> Option<T> {
        self.0.pop()
    }
    fn len(&self) -> usize {
        self.0.len()
    }
}

impl<T: Ord> sealed::Sealed for Smallest<T> {
    type Item = T;
    fn push(&mut self, item: T) {
        self.0.push(Reverse(item));
    }
    fn pop(&mut self) -> Option<T> {
        self.0.pop().map(|Reverse(item)| item)
    }
    fn len(&self) -> usize {
        self.0.len()
    }
}
