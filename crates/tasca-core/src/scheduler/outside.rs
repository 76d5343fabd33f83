//! Outside events: what comes to the deterministic loop from beside it, at instants of virtual time.
//!
//! The end of a simulated job is one. The loop delivers those that are due at the head of a cycle, before the timers of that
//! instant, and outside any step: an event may queue steps, and arrange for further events, which wait for the next cycle.

use std::collections::BTreeMap;

use crate::primitive::Mutex;

/// What is called when an event is delivered.
pub(crate) type Event = Box<dyn FnOnce() + Send>;

/// The events that are still to come.
pub(crate) struct Outside {
    state: Mutex<State>,
}

struct State {
    /// By instant, then by kind, then by the order in which they were arranged.
    events: BTreeMap<(u64, Kind, u64), Event>,
    n_arranged: u64,
}

/// What an event is the end of. At one instant those of work come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// Of something that is under way: the end of a program waits for it.
    Work,
    /// Of nothing that was begun here. It comes, unless the program has ended by then.
    Interrupt,
}

impl Outside {
    pub(crate) fn new() -> Self {
        Self {
            state: Mutex::new(State {
                events: BTreeMap::new(),
                n_arranged: 0,
            }),
        }
    }

    pub(crate) fn arrange(&self, at_ns: u64, kind: Kind, event: Event) {
        let mut state = self.state.lock();
        let order = state.n_arranged;
        state.n_arranged += 1;
        state.events.insert((at_ns, kind, order), event);
    }

    /// The instant of the earliest.
    pub(crate) fn next_at(&self) -> Option<u64> {
        let state = self.state.lock();
        state
            .events
            .first_key_value()
            .map(|((at_ns, ..), _)| *at_ns)
    }

    /// Whether something is under way.
    pub(crate) fn has_work(&self) -> bool {
        let state = self.state.lock();
        state.events.keys().any(|(_, kind, _)| *kind == Kind::Work)
    }

    /// Takes out what is due.
    pub(crate) fn take_due(&self, now_ns: u64) -> Vec<(Kind, Event)> {
        let mut state = self.state.lock();
        let later = match now_ns.checked_add(1) {
            Some(after) => state.events.split_off(&(after, Kind::Work, 0)),
            None => BTreeMap::new(),
        };
        std::mem::replace(&mut state.events, later)
            .into_iter()
            .map(|((_, kind, _), event)| (kind, event))
            .collect()
    }
}

impl std::fmt::Debug for Outside {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outside")
            .field("next_at", &self.next_at())
            .finish_non_exhaustive()
    }
}
