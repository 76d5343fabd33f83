//! What a workload is, and how one is measured on one runtime.
//!
//! A [`Workload`] does rounds of the same operations, and the figure is what one operation took. A
//! [`Probe`] finds its figure in another way: a quantile of many latencies, bytes of memory. In the table,
//! an [`Entry`] each, they look alike.

use std::{
    fmt,
    future::Future,
    time::{Duration, Instant},
};

use crate::rt::{Peer, smol::Smol, tasca::Tasca, tokio::Tokio};

/// A piece of work written once for all runtimes.
pub trait Workload: 'static {
    /// The name in tables, in options and in budgets.
    const NAME: &'static str;
    /// How many operations one round has; figures are given per operation.
    const ELEMENTS: u64;
    /// What [`run`](Workload::run) returns.
    const METRIC: Metric = Metric::Wall;
    /// When it is measured.
    const EFFORT: Effort = Effort::Usual;

    /// Programs without a runtime that do the same work, to show the limit; none by default.
    fn limits() -> Vec<Case> {
        Vec::new()
    }

    /// Does `rounds` rounds and returns what they took together. Setting up and clearing away do not
    /// count. Panics when the outcome is not what it must be.
    fn run<R: Peer>(rt: R, rounds: u64) -> impl Future<Output = Duration> + Send;
}

/// A figure that is not a sum over operations.
pub trait Probe: 'static {
    /// The name in tables and in options.
    const NAME: &'static str;
    /// How many operations, tasks or connections one round has.
    const ELEMENTS: u64;
    /// What [`probe`](Probe::probe) returns.
    const METRIC: Metric;
    /// When it is measured.
    const EFFORT: Effort = Effort::Usual;

    /// Does `rounds` rounds and returns the figure, in the unit of the metric. Panics when the outcome is
    /// not what it must be.
    fn probe<R: Peer>(rt: R, rounds: u64) -> impl Future<Output = f64> + Send;
}

/// What is measured.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Metric {
    /// Nanoseconds that passed, per operation.
    Wall,
    /// Nanoseconds of processor time of the whole process, per operation.
    Cpu,
    /// Nanoseconds that something came later than asked for, the median.
    Lateness,
    /// Nanoseconds that 99 of 100 operations took at most.
    Tail,
    /// Bytes of memory per operation. Measured in a process of its own: what others have given back to the
    /// allocator would be used again, and not be seen.
    Bytes,
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Wall => "wall",
            Self::Cpu => "cpu",
            Self::Lateness => "late",
            Self::Tail => "p99",
            Self::Bytes => "bytes",
        })
    }
}

/// When a workload is measured.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Effort {
    /// Always.
    Usual,
    /// Where everything is asked for: it takes long, or is a variant of another one.
    Full,
}

/// A workload with its types erased, for tables.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The name.
    pub name: &'static str,
    /// How many operations one round has.
    pub elements: u64,
    /// What is measured.
    pub metric: Metric,
    /// When it is measured.
    pub effort: Effort,
    /// The runtimes it runs on, tasca first; after them, where there are any, programs without a runtime
    /// that show the limit.
    pub cases: Vec<Case>,
}

/// A workload on a runtime.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// The name of the runtime.
    pub runtime: &'static str,
    /// Starts a runtime with so many workers, warms it up, does so many rounds, and returns the figure in
    /// the unit of the metric.
    pub measure: fn(usize, u64) -> f64,
    /// Does the same, and returns how long the rounds took, or of what is a sum over them, the sum; `None` for a limit, which takes no longer
    /// than its rounds. The start of a runtime and its end are no part of that, though they may last longer than any round.
    pub time: Option<fn(usize, u64) -> Duration>,
    /// Runs with marks; `None` for a limit and for a probe.
    pub mark: Option<MarkedRun>,
}

impl Case {
    /// A program without a runtime.
    #[must_use]
    pub const fn limit(name: &'static str, measure: fn(usize, u64) -> f64) -> Self {
        Self {
            runtime: name,
            measure,
            time: None,
            mark: None,
        }
    }
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

/// The table entry of the workload `W`.
#[must_use]
pub fn entry<W: Workload>() -> Entry {
    let mut cases = vec![case::<Tasca, W>(), case::<Tokio, W>(), case::<Smol, W>()];
    cases.extend(W::limits());
    Entry {
        name: W::NAME,
        elements: W::ELEMENTS,
        metric: W::METRIC,
        effort: W::EFFORT,
        cases,
    }
}

/// The table entry of the probe `P`.
#[must_use]
pub fn probe<P: Probe>() -> Entry {
    fn case<R: Peer, P: Probe>() -> Case {
        Case {
            runtime: R::NAME,
            measure: |workers, rounds| R::run(workers, |rt| P::probe(rt, rounds)),
            time: Some(|workers, rounds| {
                R::run(workers, |rt| async move {
                    let start = Instant::now();
                    P::probe(rt, rounds).await;
                    start.elapsed()
                })
            }),
            mark: None,
        }
    }
    Entry {
        name: P::NAME,
        elements: P::ELEMENTS,
        metric: P::METRIC,
        effort: P::EFFORT,
        cases: vec![case::<Tasca, P>(), case::<Tokio, P>(), case::<Smol, P>()],
    }
}

/// What one of so many operations took, in nanoseconds.
#[must_use]
pub fn per_operation(time: Duration, operations: u64) -> f64 {
    time.as_nanos() as f64 / operations as f64
}

fn case<R: Peer, W: Workload>() -> Case {
    Case {
        runtime: R::NAME,
        measure: measure::<R, W>,
        time: Some(time::<R, W>),
        mark: Some(mark::<R, W>),
    }
}

/// One part in eight of the rounds is run before the clock starts.
const WARM_UP: u64 = 8;

fn measure<R: Peer, W: Workload>(workers: usize, rounds: u64) -> f64 {
    let time = R::run(workers, |rt| async move {
        W::run(rt, rounds.div_ceil(WARM_UP)).await;
        W::run(rt, rounds).await
    });
    per_operation(time, rounds * W::ELEMENTS)
}

fn time<R: Peer, W: Workload>(workers: usize, rounds: u64) -> Duration {
    R::run(workers, |rt| async move {
        W::run(rt, rounds.div_ceil(WARM_UP)).await;
        let start = Instant::now();
        let sum = W::run(rt, rounds).await;
        match W::METRIC {
            // Without what is set up for the rounds: five hundred connections take longer than many exchanges.
            Metric::Cpu | Metric::Wall => sum,
            Metric::Lateness | Metric::Tail | Metric::Bytes => start.elapsed(),
        }
    })
}

fn mark<R: Peer, W: Workload>(rounds: u64, at: fn(Mark)) {
    R::run(1, move |rt| async move {
        W::run(rt, rounds * 2).await;
        at(Mark::Begin);
        W::run(rt, rounds).await;
        at(Mark::Middle);
        W::run(rt, rounds * 2).await;
        at(Mark::End);
    });
}
