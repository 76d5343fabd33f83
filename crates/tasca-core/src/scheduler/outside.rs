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
    /// By instant, then by the order in which they were arranged.
    events: BTreeMap<(u64, u64), Event>,
    n_arranged: u64,
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

    pub(crate) fn arrange(&self, at_ns: u64, event: Event) {
        let mut state = self.state.lock();
        let order = state.n_arranged;
        state.n_arranged += 1;
        state.events.insert((at_ns, order), event);
    }

    /// The instant of the earliest.
    pub(crate) fn next_at(&self) -> Option<u64> {
        let state = self.state.lock();
        state.events.first_key_value().map(|((at_ns, _), _)| *at_ns)
    }

    /// Takes out what is due.
    pub(crate) fn take_due(&self, now_ns: u64) -> Vec<Event> {
        let mut state = self.state.lock();
        let later = match now_ns.checked_add(1) {
            Some(after) => state.events.split_off(&(after, 0)),
            None => BTreeMap::new(),
        };
        std::mem::replace(&mut state.events, later)
            .into_values()
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
