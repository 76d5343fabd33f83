//! A thread that blocks on one future.
//!
//! The future is the body of a task like any other, but bound to this thread: its home is a number from
//! [`HOME_FIRST`] on, behind which the runtime finds the thread.

use crate::primitive::{Arc, AtomicBool, Mutex, Ordering, Thread, current_thread, park_thread};

/// Homes from here on are blocked threads, below are workers.
pub(crate) const HOME_FIRST: usize = 0x8000;
const HOMES_MAX: usize = 0x7fff;

/// The sleeping place of one thread.
#[derive(Debug)]
pub(crate) struct Parker {
    /// The thread's task is runnable.
    ready: AtomicBool,
    thread: Thread,
}

impl Parker {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            ready: AtomicBool::new(false),
            thread: current_thread(),
        })
    }

    /// Lets the thread poll its task.
    pub(crate) fn unpark(&self) {
        // Ordering: Release pairs with the swap in `wait`: the thread becomes the task's holder.
        self.ready.store(true, Ordering::Release);
        self.thread.unpark();
    }

    /// Waits until the task is runnable.
    pub(crate) fn wait(&self) {
        // Ordering: Acquire; see `unpark`.
        while self
            .ready
            .compare_exchange(true, false, Ordering::Acquire, Ordering::Relaxed)
            .is_err()
        {
            // Liveness: `unpark` of the thread is remembered if it comes before `park`.
            park_thread();
        }
    }
}

/// The blocked threads of a runtime.
#[derive(Debug)]
pub(crate) struct Parkers(Mutex<Vec<Option<Arc<Parker>>>>);

impl Parkers {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    /// Gives a home to `parker`; `None` if there are none left.
    pub(crate) fn insert(&self, parker: Arc<Parker>) -> Option<usize> {
        let mut parkers = self.0.lock();
        if let Some(index) = parkers.iter().position(Option::is_none) {
            parkers[index] = Some(parker);
            return Some(HOME_FIRST + index);
        }
        if parkers.len() >= HOMES_MAX {
            return None;
        }
        parkers.push(Some(parker));
        Some(HOME_FIRST + parkers.len() - 1)
    }

    pub(crate) fn remove(&self, home: usize) {
        self.0.lock()[home - HOME_FIRST] = None;
    }

    pub(crate) fn get(&self, home: usize) -> Option<Arc<Parker>> {
        self.0.lock().get(home - HOME_FIRST)?.clone()
    }
}
