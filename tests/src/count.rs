//! Things that count: events, drops, lines.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

/// A number that tasks raise and tests read.
#[derive(Clone, Debug, Default)]
pub struct Counter(Arc<AtomicUsize>);

impl Counter {
    /// Zero.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts one more.
    pub fn add(&self) {
        // Ordering: AcqRel, so that a test that reads the number sees what was done before.
        self.0.fetch_add(1, Ordering::AcqRel);
    }

    /// The number.
    #[must_use]
    pub fn get(&self) -> usize {
        // Ordering: pairs with `add`.
        self.0.load(Ordering::Acquire)
    }

    /// A value whose drop counts.
    #[must_use]
    pub fn on_drop(&self) -> DropCount {
        DropCount(self.clone())
    }
}

/// Counts when it is dropped.
#[derive(Debug)]
pub struct DropCount(Counter);

impl Drop for DropCount {
    fn drop(&mut self) {
        self.0.add();
    }
}

/// Panics when it is dropped, with its text.
#[derive(Debug)]
pub struct Bomb(pub &'static str);

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("{}", self.0);
    }
}

/// Lines in the order in which they were written.
#[derive(Clone, Debug, Default)]
pub struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a line.
    pub fn say(&self, line: impl Into<String>) {
        self.0.lock().push(line.into());
    }

    /// Takes the lines.
    #[must_use]
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock())
    }
}
