//! What a group knows of its tasks: who they are, and how many are not done.

use std::mem;

use tasca_core::TaskRef;

use crate::primitive::{AtomicUsize, Ordering};

/// The group takes no more tasks: those that it has were asked to stop.
const ABORTING: usize = 1;
/// The body is over.
const EXITING: usize = 2;
/// The block is over.
const CLOSED: usize = 4;
/// One of those that the end of the block waits for.
const ONE: usize = 8;

/// How many the end of the block waits for (tasks, and threads that are carrying an abort out), and how far the group is.
///
/// The end of a task that is well is one exchange here. ABORTING and EXITING are set under the group's lock.
pub(super) struct Gate(AtomicUsize);

/// What was in the gate at one moment.
#[derive(Clone, Copy)]
pub(super) struct Seen(usize);

impl Seen {
    pub(super) fn count(self) -> usize {
        self.0 / ONE
    }

    pub(super) fn is_aborting(self) -> bool {
        self.0 & ABORTING != 0
    }

    pub(super) fn is_exiting(self) -> bool {
        self.0 & EXITING != 0
    }

    /// The block waits at its end for nobody.
    pub(super) fn is_over(self) -> bool {
        self.is_exiting() && self.count() == 0
    }

    /// The block waits at its end for one only.
    pub(super) fn is_last(self) -> bool {
        self.is_exiting() && self.count() == 1
    }

    pub(super) fn takes_tasks(self) -> bool {
        self.0 & (ABORTING | CLOSED) == 0 && !self.is_over()
    }
}

// Ordering: AcqRel: what was done before a count was given back is seen by whoever finds the gate empty. All flags and
// counts are in one word, so whoever gives the last count back after EXITING was set sees it.
impl Gate {
    pub(super) fn new() -> Self {
        Self(AtomicUsize::new(0))
    }

    pub(super) fn look(&self) -> Seen {
        Seen(self.0.load(Ordering::Acquire))
    }

    /// Counts a new task; `false` if the group takes none.
    pub(super) fn enter(&self) -> bool {
        let entered = self
            .0
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |word| {
                Seen(word).takes_tasks().then_some(word + ONE)
            });
        entered.is_ok()
    }

    /// Counts the thread that carries an abort out.
    pub(super) fn stay(&self) {
        self.0.fetch_add(ONE, Ordering::AcqRel);
    }

    /// Gives a count back; says what is left.
    pub(super) fn leave(&self) -> Seen {
        Seen(self.0.fetch_sub(ONE, Ordering::AcqRel) - ONE)
    }

    /// Begins to abort; says what was before.
    pub(super) fn abort(&self) -> Seen {
        Seen(self.0.fetch_or(ABORTING, Ordering::AcqRel))
    }

    /// The body is over.
    pub(super) fn exit(&self) {
        self.0.fetch_or(EXITING, Ordering::AcqRel);
    }

    /// The block is over.
    pub(super) fn close(&self) {
        self.0.fetch_or(EXITING | CLOSED, Ordering::AcqRel);
    }

    pub(super) fn is_closed(&self) -> bool {
        self.look().0 & CLOSED != 0
    }
}

/// The fewest tasks that are looked through for those that are done.
const FEW: usize = 32;

/// The tasks of a group in the order in which they were spawned. Some that are done are among them, but never more than
/// there were others, or a few.
pub(super) struct Children {
    tasks: Vec<TaskRef>,
    /// How many there are when those that are done are taken out.
    full: usize,
}

impl Children {
    pub(super) fn new() -> Self {
        Self {
            tasks: Vec::new(),
            full: FEW,
        }
    }

    /// Adds a task; gives others that are done, to be dropped without a lock.
    #[must_use]
    pub(super) fn push(&mut self, task: TaskRef) -> Vec<TaskRef> {
        let mut done = Vec::new();
        if self.tasks.len() >= self.full {
            (done, self.tasks) = mem::take(&mut self.tasks)
                .into_iter()
                .partition(TaskRef::is_finished);
            self.full = FEW.max(2 * self.tasks.len());
        }
        self.tasks.push(task);
        done
    }

    /// Gives those that are not done.
    pub(super) fn running(&self) -> Vec<TaskRef> {
        let running = self.tasks.iter().filter(|task| !task.is_finished());
        running.cloned().collect()
    }
}
