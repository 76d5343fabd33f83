//! The record that the children of one gather share: who decides, and what happens then.

use std::collections::HashSet;
use std::mem;
use std::task::Waker;

use tasca_core::{
    CancelForward, CancelMessage, Group, Observation, Observed, Observer, Promise, TaskRef,
};

use crate::primitive::{AtomicBool, AtomicUsize, Mutex, Ordering};
use crate::set::Children;
use crate::sync::lock;

/// What was decided, with the children.
pub(super) enum Decision {
    AllDone,
    Failed(usize),
    /// The children were cancelled on behalf of the waiter, and none of them failed of it.
    Cancelled,
}

/// What to do once it is decided.
pub(super) type Finish<C> = Box<dyn FnOnce(Decision, C) + Send>;

pub(super) enum End<C> {
    /// Give the children to the waiter.
    Waiter(Promise<(Decision, C)>),
    /// Complete a task.
    Task(Finish<C>),
}

/// The record that the children of one gather share.
pub(crate) struct Record<C> {
    n_children: usize,
    is_harmless: fn(&TaskRef) -> bool,
    is_failure: fn(&C, usize, &TaskRef) -> Option<bool>,
    tasks: fn(&C) -> Vec<TaskRef>,
    /// Children that are not done, and one more while they are being registered.
    n_left: AtomicUsize,
    /// Set while a request that some child accepted stands.
    cancelled: AtomicBool,
    state: Mutex<State<C>>,
}

struct State<C> {
    /// There between registration and decision.
    children: Option<C>,
    end: Option<End<C>>,
    /// Children that ended during registration, on other threads.
    early: Vec<(usize, TaskRef)>,
    /// The waiter, if it has to look at children itself.
    looker: Option<Waker>,
}

impl<C> Record<C> {
    pub(super) fn new(
        n_children: usize,
        tasks: fn(&C) -> Vec<TaskRef>,
        is_harmless: fn(&TaskRef) -> bool,
        is_failure: fn(&C, usize, &TaskRef) -> Option<bool>,
    ) -> Self {
        let state = State {
            children: None,
            end: None,
            early: Vec::new(),
            looker: None,
        };
        Self {
            n_children,
            is_harmless,
            is_failure,
            tasks,
            n_left: AtomicUsize::new(n_children + 1),
            cancelled: AtomicBool::new(false),
            state: Mutex::new(state),
        }
    }

    /// Has `looker` woken when a child ends of which only the waiter can tell; gives the number of children.
    pub(super) fn set_looker(&self, looker: Waker) -> usize {
        let mut state = lock(&self.state);
        // Liveness: a child that ends after this wakes the waiter, one that ended before is seen by the caller.
        let before = state.looker.replace(looker);
        let is_decided = state.children.is_none();
        drop(state);
        drop(before);
        if is_decided { 0 } else { self.n_children }
    }

    /// Looks at a child that is done.
    fn examine(&self, index: usize, child: &TaskRef) {
        if (self.is_harmless)(child) {
            self.count_down();
            return;
        }
        let failure = {
            let mut state = lock(&self.state);
            match (&state.children, &state.end) {
                (Some(children), _) => (self.is_failure)(children, index, child),
                (None, Some(_)) => {
                    state.early.push((index, child.clone()));
                    return;
                }
                // Decided: what happens from now on is ignored (rule G5).
                (None, None) => return,
            }
        };
        match failure {
            Some(true) => self.decide(Decision::Failed(index)),
            Some(false) => {}
            None => {
                let looker = lock(&self.state).looker.take();
                if let Some(looker) = looker {
                    looker.wake();
                }
            }
        }
        self.count_down();
    }

    fn count_down(&self) {
        // Ordering: AcqRel: the last one sees what the others did before.
        if self.n_left.fetch_sub(1, Ordering::AcqRel) == 1 {
            let decision = if self.cancelled.load(Ordering::Acquire) {
                Decision::Cancelled
            } else {
                Decision::AllDone
            };
            self.decide(decision);
        }
    }

    pub(super) fn decide(&self, decision: Decision) {
        let (children, end) = {
            let mut state = lock(&self.state);
            (state.children.take(), state.end.take())
        };
        let (Some(children), Some(end)) = (children, end) else {
            return;
        };
        match end {
            // The waiter may be gone: then nobody wants them.
            End::Waiter(promise) => drop(promise.set((decision, children))),
            End::Task(finish) => finish(decision, children),
        }
    }

    /// Takes the children back from a gather that is given up.
    pub(super) fn abandon(&self) {
        let (children, end) = {
            let mut state = lock(&self.state);
            (state.children.take(), state.end.take())
        };
        if let Some(children) = &children {
            (self.tasks)(children).iter().for_each(cancel);
        }
        drop(end);
    }
}

/// Asks a child of a gather that is given up to stop.
pub(super) fn cancel(child: &TaskRef) {
    child.cancel();
}

impl<C: Children> Observer for Record<C> {
    fn child_done(&self, index: usize, child: &TaskRef) {
        self.examine(index, child);
    }
}

impl<C: Children> CancelForward for Record<C> {
    fn cancel(&self, message: Option<&CancelMessage>) -> bool {
        let tasks: Vec<TaskRef> = {
            let state = lock(&self.state);
            let Some(children) = &state.children else {
                return false;
            };
            (self.tasks)(children)
        };
        let before = self.cancelled.swap(true, Ordering::AcqRel);
        let mut accepted = false;
        for task in tasks {
            accepted |= match message {
                Some(message) => task.cancel_with(message.clone()),
                None => task.cancel(),
            };
        }
        if !accepted && !before {
            self.cancelled.store(false, Ordering::Release);
        }
        accepted
    }

    fn is_all_done(&self) -> bool {
        let tasks = {
            let state = lock(&self.state);
            state.children.as_ref().map(self.tasks)
        };
        tasks.is_some_and(|tasks| tasks.iter().all(TaskRef::is_about_to_end))
    }
}

/// All children of a gather.
pub(super) fn tasks_of<C: Children>(children: &C) -> Vec<TaskRef> {
    (0..children.count())
        .map(|index| children.task(index).clone())
        .collect()
}

/// Registers with the children; gives what keeps the registrations.
pub(super) fn begin<C: Children>(
    group: &Group<Record<C>>,
    mut children: C,
    end: End<C>,
) -> Vec<Observation> {
    let record = group.observer();
    lock(&record.state).end = Some(end);
    let n_children = children.count();
    let mut observations = Vec::new();
    let mut done = Vec::new();
    let mut n_distinct = 0;
    let mut shared = HashSet::new();
    // Nothing is decided before all are registered: the counter holds one more for the registration itself.
    for index in 0..n_children {
        if !children.is_owned(index) && !shared.insert(children.task(index).clone()) {
            // The same task again (rule G3).
            continue;
        }
        n_distinct += 1;
        match children.observe(index, group) {
            Observed::Done => done.push((index, children.task(index).clone())),
            Observed::Kept => {}
            Observed::Listed(observation) => {
                observations.reserve_exact(n_children - index);
                observations.push(observation);
            }
        }
    }
    // Ordering: AcqRel, as in `count_down`. Only what is not distinct is subtracted, so this is never the last.
    record
        .n_left
        .fetch_sub(n_children - n_distinct, Ordering::AcqRel);
    let early = {
        let mut state = lock(&record.state);
        state.children = Some(children);
        mem::take(&mut state.early)
    };
    // Those that were done already come in the order of the arguments (rule G15).
    for (index, child) in done.into_iter().chain(early) {
        record.examine(index, &child);
    }
    record.count_down();
    observations
}
