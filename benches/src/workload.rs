//! What a workload is, and how one is measured on one runtime.

use std::{fmt, future::Future, time::Duration};

use crate::rt::{Rt, smol::Smol, tasca::Tasca, tokio::Tokio};

/// A piece of work written once for all runtimes.
pub trait Workload: 'static {
    /// The name in tables, in options and in budgets.
    const NAME: &'static str;
    /// How many operations one round has; figures are given per operation.
    const ELEMENTS: u64;
    /// What [`run`](Workload::run) returns.
    const METRIC: Metric = Metric::Wall;

    /// Programs without a runtime that do the same work, to show the limit; none by default.
    fn limits() -> Vec<Case> {
        Vec::new()
    }

    /// Does `rounds` rounds and returns what they took together. Setting up and clearing away do not
    /// count. Panics when the outcome is not what it must be.
    fn run<R: Rt>(rt: R, rounds: u64) -> impl Future<Output = Duration> + Send;
}

/// What is measured.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Metric {
    /// Time that passed.
    Wall,
    /// Processor time of the whole process.
    Cpu,
    /// How much later than asked for.
    Lateness,
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Wall => "wall",
            Self::Cpu => "cpu",
            Self::Lateness => "late",
        })
    }
}

/// A workload with its types erased, for tables.
#[derive(Clone, Debug)]
pub struct Entry {
    /// [`Workload::NAME`].
    pub name: &'static str,
    /// [`Workload::ELEMENTS`].
    pub elements: u64,
    /// [`Workload::METRIC`].
    pub metric: Metric,
    /// The runtimes it runs on, tasca first; after them, where there are any, programs without a runtime
    /// that show the limit.
    pub cases: Vec<Case>,
}

/// A workload on a runtime.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// [`Rt::NAME`].
    pub runtime: &'static str,
    /// Starts a runtime with so many workers, warms it up, and returns what so many rounds took.
    pub measure: fn(usize, u64) -> Duration,
    /// Runs with marks; `None` for a limit.
    pub mark: Option<MarkedRun>,
}

/// Starts a runtime with one worker, warms it up, and runs so many rounds between the first and the
/// second call of the function, and twice as many between the second and the third.
pub type MarkedRun = fn(u64, fn(Mark));

/// Where a [`MarkedRun`] is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mark {
    /// Warmed up: the rounds begin.
    Begin,
    /// The rounds are over: twice as many begin.
    Middle,
    /// All rounds are over.
    End,
}

/// The table entry of `W`.
#[must_use]
pub fn entry<W: Workload>() -> Entry {
    let mut cases = vec![case::<Tasca, W>(), case::<Tokio, W>(), case::<Smol, W>()];
    cases.extend(W::limits());
    Entry {
        name: W::NAME,
        elements: W::ELEMENTS,
        metric: W::METRIC,
        cases,
    }
}

fn case<R: Rt, W: Workload>() -> Case {
    Case {
        runtime: R::NAME,
        measure: measure::<R, W>,
        mark: Some(mark::<R, W>),
    }
}

/// One part in eight of the rounds is run before the clock starts.
const WARM_UP: u64 = 8;

fn measure<R: Rt, W: Workload>(workers: usize, rounds: u64) -> Duration {
    R::run(workers, |rt| async move {
        W::run(rt, rounds.div_ceil(WARM_UP)).await;
        W::run(rt, rounds).await
    })
}

fn mark<R: Rt, W: Workload>(rounds: u64, at: fn(Mark)) {
    R::run(1, move |rt| async move {
        W::run(rt, rounds * 2).await;
        at(Mark::Begin);
        W::run(rt, rounds).await;
        at(Mark::Middle);
        W::run(rt, rounds * 2).await;
        at(Mark::End);
    });
}
