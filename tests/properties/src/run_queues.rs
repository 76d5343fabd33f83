//! The run queues of three workers, the injector and the inboxes beside plain ones: no task twice, none lost, in order.

use std::collections::VecDeque;

use arbitrary::Arbitrary;

use crate::queue::{Inbox, Injector, Private, Shared, Thief};

const N_WORKERS: usize = 3;
/// Every so many tasks, one is bound to its worker.
const BOUND_EVERY: u32 = 5;

/// What happens to the queues. The first number is that of a worker, round and round.
#[derive(Clone, Copy, Debug, Arbitrary)]
pub enum Op {
    /// A task is spawned or woken by the one that runs.
    Push(u8),
    /// A task comes from outside.
    Inject,
    /// A task that is bound to the worker comes from outside.
    Send(u8),
    /// The worker runs the next of its own.
    Pop(u8),
    /// The worker lets others have its newest.
    Share(u8, u8),
    /// The worker runs one that it had shared.
    TakeBack(u8),
    /// The worker takes what another one shares.
    Steal(u8, u8),
    /// The worker takes what came from outside.
    TakeInjected(u8),
    /// The worker takes what is in its inbox.
    TakeSent(u8),
    /// The worker is stuck: others get its queue.
    Rescue(u8),
    /// The worker brings what is behind so many before them.
    BringForward(u8, u8),
}

struct Worker {
    private: Private<u32>,
    shared: Shared<u32>,
    thief: Thief<u32>,
    inbox: Inbox<u32>,
}

/// What a worker's queues should hold.
#[derive(Default)]
struct Model {
    private: VecDeque<u32>,
    shared: VecDeque<u32>,
    inbox: VecDeque<u32>,
}

impl Model {
    /// The newest `count` that are not bound leave.
    fn share(&mut self, count: usize) -> Vec<u32> {
        let first = self.private.len().saturating_sub(count);
        let newest = self.private.split_off(first);
        let (stay, leave): (Vec<u32>, _) = newest.iter().partition(|task| is_bound(task));
        self.private.extend(stay);
        leave
    }

    /// All that are not bound leave.
    fn rescue(&mut self) -> Vec<u32> {
        self.share(usize::MAX)
    }
}

fn is_bound(task: &u32) -> bool {
    task.is_multiple_of(BOUND_EVERY)
}

struct Queues {
    workers: [Worker; N_WORKERS],
    injector: Injector<u32>,
    models: [Model; N_WORKERS],
    injected: VecDeque<u32>,
    n_made: u32,
}

impl Queues {
    fn new() -> Self {
        let worker = |_| {
            let shared = Shared::new();
            Worker {
                private: Private::new(),
                thief: shared.thief(),
                shared,
                inbox: Inbox::new(),
            }
        };
        Self {
            workers: [0; N_WORKERS].map(worker),
            injector: Injector::new(),
            models: Default::default(),
            injected: VecDeque::new(),
            n_made: 0,
        }
    }

    fn make(&mut self) -> u32 {
        self.n_made += 1;
        self.n_made
    }

    /// A task that may go anywhere.
    fn make_free(&mut self) -> u32 {
        self.n_made += 1 + u32::from(is_bound(&(self.n_made + 1)));
        self.n_made
    }

    fn apply(&mut self, op: Op) {
        let at = |number: u8| usize::from(number) % N_WORKERS;
        match op {
            Op::Push(w) => {
                let task = self.make();
                self.workers[at(w)].private.push(task);
                self.models[at(w)].private.push_back(task);
            }
            Op::Inject => {
                let task = self.make_free();
                self.injector.push(task);
                self.injected.push_back(task);
            }
            Op::Send(w) => {
                let task = self.make();
                self.workers[at(w)].inbox.push(task);
                self.models[at(w)].inbox.push_back(task);
            }
            Op::Pop(w) => {
                let popped = self.workers[at(w)].private.pop();
                assert_eq!(popped, self.models[at(w)].private.pop_front());
            }
            Op::Share(w, count) => {
                let (worker, mut shared) = (&mut self.workers[at(w)], Vec::new());
                let count = usize::from(count);
                worker.private.share(count, is_bound, &mut shared);
                worker.shared.extend(shared.iter().copied());
                assert_eq!(shared, self.models[at(w)].share(count));
                self.models[at(w)].shared.extend(shared);
            }
            Op::TakeBack(w) => {
                let taken = self.workers[at(w)].shared.pop();
                assert_eq!(taken, self.models[at(w)].shared.pop_front());
            }
            Op::Steal(w, victim) => self.steal(at(w), at(victim)),
            Op::TakeInjected(w) => self.take_injected(at(w)),
            Op::TakeSent(w) => {
                let taken = self.workers[at(w)].inbox.take();
                assert_eq!(taken, std::mem::take(&mut self.models[at(w)].inbox));
            }
            Op::Rescue(w) => {
                let mut rescued = Vec::new();
                self.workers[at(w)].private.take_all(is_bound, &mut rescued);
                assert_eq!(rescued, self.models[at(w)].rescue());
                rescued.iter().for_each(|task| self.injector.push(*task));
                self.injected.extend(rescued);
            }
            Op::BringForward(w, n_before) => {
                let n_before = usize::from(n_before);
                let n_first = self.workers[at(w)].private.bring_forward(n_before);
                let private = &mut self.models[at(w)].private;
                let mut first = private.split_off(n_before.min(private.len()));
                assert_eq!(n_first, first.len());
                first.append(private);
                *private = first;
            }
        }
    }

    /// At least half of what the other one shares changes hands, the oldest to be run at once.
    fn steal(&mut self, w: usize, victim: usize) {
        if w == victim {
            return;
        }
        let stolen = self.workers[w].shared.steal(&self.workers[victim].thief);
        let mut others = std::mem::take(&mut self.models[victim].shared);
        let n_left_max = others.len().div_ceil(2);
        assert_eq!(stolen, others.pop_front());
        self.arrive(w, &mut others);
        assert!(others.len() <= n_left_max);
        self.models[victim].shared = others;
    }

    /// Some of what came from outside changes hands: how much is the queue's business, which is not.
    fn take_injected(&mut self, w: usize) {
        let taken = self.workers[w].shared.take_from(&self.injector);
        let mut injected = std::mem::take(&mut self.injected);
        assert_eq!(taken, injected.pop_front());
        self.arrive(w, &mut injected);
        self.injected = injected;
    }

    /// The oldest of `source` have come to what the worker shares; looks how many.
    fn arrive(&mut self, w: usize, source: &mut VecDeque<u32>) {
        let (shared, model) = (&self.workers[w].shared, &mut self.models[w].shared);
        let there: Vec<u32> = std::iter::from_fn(|| shared.pop()).collect();
        shared.extend(there.iter().copied());
        let n_taken = there.len().checked_sub(model.len());
        let n_taken = n_taken.expect("what was there stays");
        model.extend(source.drain(..n_taken));
        assert_eq!(&there, model.make_contiguous());
    }

    fn check(&self) {
        assert_eq!(self.injector.is_empty(), self.injected.is_empty());
        for (worker, model) in self.workers.iter().zip(&self.models) {
            assert_eq!(worker.private.len(), model.private.len());
            assert_eq!(worker.shared.is_empty(), model.shared.is_empty());
            assert_eq!(worker.shared.len(), model.shared.len());
            assert_eq!(worker.thief.is_empty(), model.shared.is_empty());
            assert_eq!(worker.inbox.is_empty(), model.inbox.is_empty());
        }
    }
}

/// Applies `history` to the queues and to plain ones.
///
/// # Panics
///
/// If they do not agree, on what comes next or on what is empty.
pub fn check(history: &[Op]) {
    let mut queues = Queues::new();
    for &op in history {
        queues.apply(op);
        queues.check();
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::{Op, check};
    use crate::holds;

    fn op() -> impl Strategy<Value = Op> {
        // Mostly the first one, so that something comes together.
        let worker = || prop_oneof![3 => Just(0_u8), 1 => 1..3_u8];
        prop_oneof![
            12 => worker().prop_map(Op::Push),
            3 => Just(Op::Inject),
            1 => worker().prop_map(Op::Send),
            6 => worker().prop_map(Op::Pop),
            2 => (worker(), 0..40_u8).prop_map(|(w, count)| Op::Share(w, count)),
            1 => worker().prop_map(Op::TakeBack),
            1 => (0..3_u8, worker()).prop_map(|(w, victim)| Op::Steal(w, victim)),
            1 => worker().prop_map(Op::TakeInjected),
            1 => worker().prop_map(Op::TakeSent),
            1 => worker().prop_map(Op::Rescue),
            1 => (worker(), 0..8_u8).prop_map(|(w, n_before)| Op::BringForward(w, n_before)),
        ]
    }

    #[test]
    fn run_queues_agree_with_plain_ones() {
        holds(vec(op(), 0..300), |history| check(history));
    }
}
