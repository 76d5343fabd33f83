//! What a worker puts out for others beside one line: whatever of it nobody comes for is run where it stood.

use std::collections::VecDeque;

use arbitrary::Arbitrary;

use crate::queue::{Private, Shared, Thief};
use crate::sharing::Turn;

/// What a worker and a thief do.
#[derive(Clone, Copy, Debug, Arbitrary)]
pub enum Op {
    /// A task is spawned or woken.
    Push,
    /// The worker runs its next task.
    Run,
    /// The worker puts the newest out, so many, if others have come for all that was there.
    PutOut(u8),
    /// Another worker takes some of it.
    Steal,
    /// Sockets have woken so many, which come first.
    BringForward(u8),
}

struct Worker {
    private: Private<u32>,
    shared: Shared<u32>,
    thief: Thief<u32>,
    turn: Turn,
}

impl Worker {
    fn new() -> Self {
        let shared = Shared::new();
        Self {
            private: Private::new(),
            thief: shared.thief(),
            shared,
            turn: Turn::default(),
        }
    }

    fn put_out(&mut self, count: usize) {
        if !self.shared.is_empty() {
            return;
        }
        let mut batch = Vec::new();
        self.private.share(count, |_| false, &mut batch);
        if !batch.is_empty() {
            self.turn.begin(self.private.len(), batch.len());
            self.shared.extend(batch.into_iter());
        }
    }

    /// As the worker's loop takes its next task: what has its turn, its own, and what is out.
    fn next(&mut self) -> Option<u32> {
        if self.turn.comes()
            && let Some(task) = self.shared.pop()
        {
            self.turn.note_taken();
            return Some(task);
        }
        let next = self.private.pop().or_else(|| self.shared.pop());
        if next.is_none() {
            self.turn.forget();
        }
        next
    }
}

/// Applies `history` to a worker and to a line.
///
/// # Panics
///
/// If the worker runs another task than the first of the line.
pub fn check(history: &[Op]) {
    let (mut worker, mut line) = (Worker::new(), VecDeque::<u32>::new());
    let mut n_made = 0;
    for &op in history {
        match op {
            Op::Push => {
                n_made += 1;
                worker.private.push(n_made);
                line.push_back(n_made);
            }
            Op::Run => assert_eq!(worker.next(), line.pop_front()),
            Op::PutOut(count) => worker.put_out(usize::from(count)),
            Op::Steal => {
                let elsewhere = Shared::new();
                let mut stolen: Vec<u32> = elsewhere.steal(&worker.thief).into_iter().collect();
                stolen.extend(std::iter::from_fn(|| elsewhere.pop()));
                line.retain(|task| !stolen.contains(task));
            }
            Op::BringForward(n) => {
                let n_before = worker.private.len();
                let woken: Vec<u32> = (0..u32::from(n)).map(|next| n_made + 1 + next).collect();
                n_made += u32::from(n);
                woken.iter().for_each(|task| worker.private.push(*task));
                let n_first = worker.private.bring_forward(n_before);
                worker.turn.delay(n_first);
                woken.iter().rev().for_each(|task| line.push_front(*task));
            }
        }
    }
    while let Some(task) = worker.next() {
        assert_eq!(Some(task), line.pop_front());
    }
    assert!(line.is_empty(), "lost: {line:?}");
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::{Op, check};
    use crate::holds;

    fn op() -> impl Strategy<Value = Op> {
        prop_oneof![
            8 => Just(Op::Push),
            6 => Just(Op::Run),
            2 => (0..12_u8).prop_map(Op::PutOut),
            1 => Just(Op::Steal),
            1 => (0..4_u8).prop_map(Op::BringForward),
        ]
    }

    #[test]
    fn what_nobody_comes_for_is_run_where_it_stood() {
        holds(vec(op(), 0..200), |history| check(history));
    }
}
