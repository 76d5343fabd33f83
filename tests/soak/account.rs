//! What was begun and what has ended, of everything that must balance.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tasca::sync::{Lock, Queue, RwLock, Semaphore};
use tasca::{Task, spawn};

/// How many permits there are.
pub(crate) const N_PERMITS: usize = 7;

/// One side of a balance.
#[derive(Debug, Default)]
pub(crate) struct Tally(AtomicU64);

impl Tally {
    pub(crate) const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    pub(crate) fn add(&self, n: u64) {
        // Ordering: AcqRel, so that the last reader sees what was done before.
        self.0.fetch_add(n, Ordering::AcqRel);
    }

    pub(crate) fn get(&self) -> u64 {
        // Ordering: pairs with `add`.
        self.0.load(Ordering::Acquire)
    }
}

/// What must come to the same.
#[derive(Debug, Default)]
pub(crate) struct Balance {
    pub(crate) begun: Tally,
    pub(crate) ended: Tally,
}

impl Balance {
    const fn new() -> Self {
        Self {
            begun: Tally::new(),
            ended: Tally::new(),
        }
    }

    fn is_even(&self) -> bool {
        self.begun.get() == self.ended.get()
    }
}

/// Something that was begun, and has ended when this is dropped: run to its end, cancelled in the middle, or never started.
#[derive(Debug)]
pub(crate) struct Entry(Arc<Account>, fn(&Account) -> &Balance);

impl Entry {
    pub(crate) fn begin(account: &Arc<Account>, of: fn(&Account) -> &Balance) -> Self {
        of(account).begun.add(1);
        Self(Arc::clone(account), of)
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        (self.1)(&self.0).ended.add(1);
    }
}

static TASKS: Balance = Balance::new();

/// Spawns a task that is booked: its end is that of its future, however it comes.
pub(crate) fn booked<T: Send + 'static>(body: impl Future<Output = T> + Send + 'static) -> Task<T> {
    struct Ends;
    impl Drop for Ends {
        fn drop(&mut self) {
            TASKS.ended.add(1);
        }
    }
    TASKS.begun.add(1);
    let ends = Ends;
    spawn(async move {
        let _ends = ends;
        body.await
    })
}

/// All that is shared, and all balances.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) lock: Lock<u64>,
    pub(crate) rw_lock: RwLock<u64>,
    pub(crate) permits: Semaphore,
    pub(crate) queue: Queue<u64>,
    /// Increments under the locks.
    pub(crate) locked: Balance,
    pub(crate) items: Balance,
    pub(crate) bytes: Balance,
    pub(crate) jobs: Balance,
    pub(crate) cleanups: Balance,
    pub(crate) children: Balance,
    pub(crate) timers: Tally,
    pub(crate) blocked: Tally,
    pub(crate) runtimes: Tally,
}

impl Account {
    pub(crate) fn new() -> Self {
        Self {
            lock: Lock::new(0),
            rw_lock: RwLock::new(0),
            permits: Semaphore::new(N_PERMITS),
            queue: Queue::bounded(16),
            locked: Balance::new(),
            items: Balance::new(),
            bytes: Balance::new(),
            jobs: Balance::new(),
            cleanups: Balance::new(),
            children: Balance::new(),
            timers: Tally::new(),
            blocked: Tally::new(),
            runtimes: Tally::new(),
        }
    }

    #[expect(clippy::unused_self, reason = "a part of the account")]
    pub(crate) fn all_tasks_ended(&self) -> bool {
        TASKS.is_even()
    }

    fn balances(&self) -> [(&'static str, &Balance); 7] {
        [
            ("tasks", &TASKS),
            ("increments under locks", &self.locked),
            ("items through a queue", &self.items),
            ("bytes echoed", &self.bytes),
            ("jobs on the pool", &self.jobs),
            ("clean-ups", &self.cleanups),
            ("children of groups", &self.children),
        ]
    }

    /// What does not balance, or was not even begun.
    pub(crate) fn findings(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (what, balance) in self.balances() {
            let (begun, ended) = (balance.begun.get(), balance.ended.get());
            if begun != ended || begun == 0 {
                found.push(format!("{what}: {begun} begun, {ended} ended"));
            }
        }
        if self.permits.available_permits() != N_PERMITS {
            found.push(format!(
                "permits: {} of {N_PERMITS}",
                self.permits.available_permits()
            ));
        }
        if self.lock.is_locked() || self.rw_lock.try_write().is_none() {
            found.push("a lock is held".to_owned());
        }
        if !self.queue.is_empty() {
            found.push("items are left in a queue".to_owned());
        }
        found
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (what, balance) in self.balances() {
            writeln!(f, "{:>14} {what}", balance.begun.get())?;
        }
        writeln!(f, "{:>14} timers, none too early", self.timers.get())?;
        writeln!(f, "{:>14} polls that blocked", self.blocked.get())?;
        write!(f, "{:>14} runtimes made and dropped", self.runtimes.get())
    }
}
