//! Interrupts of the deterministic runtime: outside events, as signals are no part of the model.
//!
//! The first one in the run of a main cancels that main. The second, one that finds main done, and one while the program ends, stop the
//! loop where it is: between two cycles (rules R8, R11).

use crate::primitive::Mutex;
use crate::task::handle::TaskRef;

/// What an interrupt finds, and what became of it.
#[derive(Debug, Default)]
pub(crate) struct Interrupts(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    phase: Option<Phase>,
    /// How many have come in this phase.
    n_come: usize,
    stops_loop: bool,
}

/// Who deals with interrupts. Outside any phase nobody does: they have no effect.
#[derive(Debug)]
pub(crate) enum Phase {
    /// A main task runs.
    Main(TaskRef),
    /// The program ends.
    Closing,
}

impl Interrupts {
    /// Begins a phase, which ends when the guard is dropped.
    pub(crate) fn begin(&self, phase: Phase) -> PhaseGuard<'_> {
        *self.0.lock() = State {
            phase: Some(phase),
            ..State::default()
        };
        PhaseGuard(self)
    }

    /// Does what an interrupt does.
    pub(crate) fn interrupt(&self) {
        let main = {
            let mut state = self.0.lock();
            state.n_come += 1;
            let is_first = state.n_come == 1;
            match &state.phase {
                None => None,
                Some(Phase::Main(main)) if is_first && !main.is_finished() => Some(main.clone()),
                Some(_) => {
                    state.stops_loop = true;
                    None
                }
            }
        };
        if let Some(main) = main {
            main.cancel();
        }
    }

    /// Whether the loop is to stop before its next step.
    pub(crate) fn stops_loop(&self) -> bool {
        self.0.lock().stops_loop
    }
}

/// Interrupts are dealt with as the phase says, while this lives.
#[must_use]
pub(crate) struct PhaseGuard<'a>(&'a Interrupts);

impl PhaseGuard<'_> {
    /// Whether there was an interrupt in this phase.
    pub(crate) fn was_interrupted(&self) -> bool {
        self.0.0.lock().n_come > 0
    }
}

impl Drop for PhaseGuard<'_> {
    fn drop(&mut self) {
        let ended = std::mem::take(&mut *self.0.0.lock());
        // The task goes when no lock is held.
        drop(ended);
    }
}
