//! Context variables beside maps: what a piece of code sets is seen by itself and by what it spawns afterwards, and by nobody else.

use std::collections::HashMap;
use std::sync::Arc;

use arbitrary::Arbitrary;
use futures::FutureExt;
use futures::future::BoxFuture;
use tasca::{Context, ContextVar, Runtime, Task, Token, spawn, yield_now};

/// A step of a piece of code. Which variable or token is meant is counted round and round.
#[derive(Clone, Debug, Arbitrary)]
pub enum Op {
    /// Sets a variable.
    Set(u8, u8),
    /// Undoes one of the sets of this piece of code, whichever.
    Reset(u8),
    /// Lets others run, where that is possible.
    Yield,
    /// More of the same, in the same context.
    Inline(Vec<Op>),
    /// A piece of code that runs at once in a copy of the context.
    InCopy(Vec<Op>),
    /// One that runs at once in a new context.
    InNew(Vec<Op>),
    /// A task, which is waited for when the piece of code that spawns it is over.
    Spawn(Vec<Op>),
}

static VARIABLES: [ContextVar<u8>; 3] = [
    ContextVar::new("first"),
    ContextVar::new("second"),
    ContextVar::new("third"),
];

/// A context as it should be: the values of the variables that are set.
type Values = HashMap<usize, u8>;

#[track_caller]
fn expect(values: &Values) {
    for (index, variable) in VARIABLES.iter().enumerate() {
        let value = values.get(&index).copied();
        assert_eq!(variable.get(), value, "{}", variable.name());
    }
}

/// What a piece of code has at hand.
#[derive(Default)]
struct Piece {
    values: Values,
    tokens: Vec<(usize, Token<u8>, Option<u8>)>,
    tasks: Vec<Task<()>>,
}

impl Piece {
    fn new(values: &Values) -> Self {
        Self {
            values: values.clone(),
            ..Self::default()
        }
    }

    /// A step that does not suspend.
    fn apply(&mut self, op: &Op) {
        match op {
            Op::Set(index, value) => {
                let index = usize::from(*index) % VARIABLES.len();
                let before = self.values.insert(index, *value);
                self.tokens
                    .push((index, VARIABLES[index].set(*value), before));
            }
            Op::Reset(which) => {
                let Some(which) = usize::from(*which).checked_rem(self.tokens.len()) else {
                    return;
                };
                let (index, token, before) = self.tokens.swap_remove(which);
                VARIABLES[index].reset(token);
                match before {
                    Some(before) => self.values.insert(index, before),
                    None => self.values.remove(&index),
                };
            }
            Op::Yield => {}
            Op::Inline(steps) => self.apply_all(steps),
            Op::InCopy(steps) => {
                let mut inner = Self::new(&self.values);
                Context::copy_current().run(|| inner.apply_all(steps));
                self.tasks.append(&mut inner.tasks);
            }
            Op::InNew(steps) => {
                let mut inner = Self::default();
                Context::new().run(|| inner.apply_all(steps));
                self.tasks.append(&mut inner.tasks);
            }
            Op::Spawn(steps) => {
                let (steps, values) = (Arc::from(steps.as_slice()), self.values.clone());
                self.tasks.push(spawn(run(steps, values)));
            }
        }
        expect(&self.values);
    }

    fn apply_all(&mut self, steps: &[Op]) {
        expect(&self.values);
        steps.iter().for_each(|step| self.apply(step));
    }

    fn apply_async<'a>(&'a mut self, steps: &'a [Op]) -> BoxFuture<'a, ()> {
        async move {
            for step in steps {
                match step {
                    Op::Yield => yield_now().await,
                    Op::Inline(steps) => self.apply_async(steps).await,
                    step => self.apply(step),
                }
                expect(&self.values);
            }
        }
        .boxed()
    }
}

/// Runs a piece of code, in a context that should have these values, and waits for the tasks that it spawned.
async fn run(steps: Arc<[Op]>, values: Values) {
    expect(&values);
    let mut piece = Piece::new(&values);
    piece.apply_async(&steps).await;
    for task in std::mem::take(&mut piece.tasks) {
        task.await;
    }
    expect(&piece.values);
}

/// Runs a piece of code on the deterministic runtime of this seed.
///
/// # Panics
///
/// If a variable does not have the value that it should have, anywhere.
pub fn check(seed: u64, steps: &[Op]) {
    let runtime = Runtime::builder().deterministic(seed).build();
    let runtime = runtime.expect("a runtime can be made");
    runtime.block_on(runtime.handle().spawn(run(steps.into(), Values::new())));
    expect(&Values::new());
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::{Op, check};
    use crate::holds;

    fn op() -> impl Strategy<Value = Op> {
        let leaf = prop_oneof![
            4 => (0..3_u8, any::<u8>()).prop_map(|(index, value)| Op::Set(index, value)),
            2 => any::<u8>().prop_map(Op::Reset),
            1 => Just(Op::Yield),
        ];
        leaf.prop_recursive(4, 40, 8, |op| {
            let steps = || vec(op.clone(), 0..8);
            prop_oneof![
                1 => steps().prop_map(Op::Inline),
                1 => steps().prop_map(Op::InCopy),
                1 => steps().prop_map(Op::InNew),
                2 => steps().prop_map(Op::Spawn),
            ]
        })
    }

    #[test]
    fn context_variables_agree_with_maps() {
        holds((any::<u64>(), vec(op(), 0..12)), |(seed, steps)| {
            check(*seed, steps);
        });
    }
}
