//! Cancellations, time-outs, clean-up and groups inside each other, beside a plain interpreter of what asyncio promises of them.
//!
//! A program is a tree of statements for a task that is cancelled at some moments of virtual time. Every duration has a bit of its
//! own, so that no two things happen at the same moment but those of which one is the reason for the other: when they do, the rules
//! of the conformance suite decide, which are not the business of this model.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arbitrary::Arbitrary;
use futures::FutureExt;
use futures::future::BoxFuture;
use parking_lot::Mutex;
use tasca::time::sleep;
use tasca::{
    Handle, Runtime, TaskGroup, catch_cancelled, current_task, finally, shield, spawn, timeout,
};

/// A statement.
#[derive(Clone, Debug, Arbitrary)]
pub enum Op {
    /// Sleeps for so many units.
    Sleep(u8),
    /// A body that may last so many units.
    Timeout(u8, Vec<Op>),
    /// A body whose cancellation is caught, and perhaps taken back.
    Catch {
        /// Taken back.
        uncancels: bool,
        /// The body.
        body: Vec<Op>,
    },
    /// A body, and its clean-up.
    Finally(Vec<Op>, Vec<Op>),
    /// A group: its tasks, and its body.
    Group(Vec<Vec<Op>>, Vec<Op>),
    /// A task that is waited for.
    Task(Vec<Op>),
    /// A task that is waited for, and not cancelled by whoever cancels the waiter.
    Shielded(Vec<Op>),
}

/// A program that is longer has no bit for each of its durations.
const N_TIMES_MAX: usize = 40;
const UNIT_NS: u64 = 1 << N_TIMES_MAX;

/// Tasks within tasks: the model looks at each once for every cancellation that may hit it, which doubles with each level.
const DEPTH_MAX: usize = 8;

/// A statement with its number and its duration.
#[derive(Debug)]
struct Node {
    number: usize,
    what: What,
}

type Body = Arc<[Node]>;

#[derive(Debug)]
enum What {
    Sleep(u64),
    Timeout(u64, Body),
    Catch(bool, Body),
    Finally(Body, Body),
    Group(Vec<(usize, Body)>, Body),
    Task(usize, Body),
    Shielded(usize, Body),
}

/// Gives statements numbers, tasks numbers, and durations their bits.
#[derive(Default)]
struct Numbers {
    n_nodes: usize,
    n_tasks: usize,
    n_times: usize,
    /// Of the task that is being looked at, within others; and the greatest.
    depth: usize,
    depth_max: usize,
}

impl Numbers {
    fn time(&mut self, units: u8) -> u64 {
        self.n_times += 1;
        (1 + u64::from(units % 16)) * UNIT_NS + (1 << (self.n_times % N_TIMES_MAX))
    }

    fn task(&mut self, body: &[Op]) -> (usize, Body) {
        self.n_tasks += 1;
        let task = self.n_tasks;
        self.depth += 1;
        self.depth_max = self.depth_max.max(self.depth);
        let body = self.body(body);
        self.depth -= 1;
        (task, body)
    }

    fn body(&mut self, body: &[Op]) -> Body {
        body.iter().map(|op| self.node(op)).collect()
    }

    fn node(&mut self, op: &Op) -> Node {
        self.n_nodes += 1;
        let number = self.n_nodes;
        let what = match op {
            Op::Sleep(units) => What::Sleep(self.time(*units)),
            Op::Timeout(units, body) => What::Timeout(self.time(*units), self.body(body)),
            Op::Catch { uncancels, body } => What::Catch(*uncancels, self.body(body)),
            Op::Finally(body, cleanup) => What::Finally(self.body(body), self.body(cleanup)),
            Op::Group(children, body) => {
                let children = children.iter().map(|child| self.task(child)).collect();
                What::Group(children, self.body(body))
            }
            Op::Task(body) => {
                let (task, body) = self.task(body);
                What::Task(task, body)
            }
            Op::Shielded(body) => {
                let (task, body) = self.task(body);
                What::Shielded(task, body)
            }
        };
        Node { number, what }
    }
}

/// What is noted: when, after which statement, what came of it, and how many cancel requests the task has then.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    ns: u64,
    node: usize,
    what: &'static str,
    cancelling: usize,
}

/// The lines of each task.
type Log = BTreeMap<usize, Vec<Line>>;

/// The real thing.
struct Real {
    begun: Instant,
    log: Mutex<Log>,
}

/// One of its tasks.
#[derive(Clone)]
struct At {
    real: Arc<Real>,
    task: usize,
}

impl At {
    fn say(&self, node: usize, what: &'static str) {
        let ns = Handle::current()
            .time()
            .duration_since(self.real.begun)
            .as_nanos();
        let line = Line {
            ns: u64::try_from(ns).expect("some days at most"),
            node,
            what,
            cancelling: current_task().expect("it is one").cancelling(),
        };
        self.real
            .log
            .lock()
            .entry(self.task)
            .or_default()
            .push(line);
    }

    /// A task of its own, to be spawned.
    fn child(&self, task: usize, body: &Body) -> BoxFuture<'static, ()> {
        let (at, body) = (
            Self {
                task,
                ..self.clone()
            },
            Arc::clone(body),
        );
        async move { at.run(&body).await }.boxed()
    }

    fn run<'a>(&'a self, body: &'a Body) -> BoxFuture<'a, ()> {
        async move {
            for node in body.iter() {
                let what = self.execute(&node.what).await;
                self.say(node.number, what);
            }
        }
        .boxed()
    }

    async fn execute(&self, what: &What) -> &'static str {
        match what {
            What::Sleep(ns) => {
                sleep(Duration::from_nanos(*ns)).await;
                "slept"
            }
            What::Timeout(ns, body) => {
                match timeout(Duration::from_nanos(*ns), self.run(body)).await {
                    Ok(()) => "in time",
                    Err(_) => "elapsed",
                }
            }
            What::Catch(uncancels, body) => match catch_cancelled(self.run(body)).await {
                Ok(()) => "whole",
                Err(_) => {
                    if *uncancels {
                        current_task().expect("it is one").uncancel();
                    }
                    "caught"
                }
            },
            What::Finally(body, cleanup) => {
                finally(self.run(body), self.run(cleanup)).await;
                "cleaned up"
            }
            What::Group(children, body) => {
                let scope = TaskGroup::<()>::scope(async |group| {
                    for (task, body) in children {
                        drop(group.spawn(self.child(*task, body)));
                    }
                    self.run(body).await;
                });
                scope.await.expect("nothing fails");
                "together"
            }
            What::Task(task, body) => {
                spawn(self.child(*task, body)).await;
                "joined"
            }
            What::Shielded(task, body) => {
                shield(spawn(self.child(*task, body))).await;
                "joined"
            }
        }
    }
}

/// Runs the program on the deterministic runtime.
fn real(seed: u64, body: &Body, cancels: &[u64]) -> Log {
    let runtime = Runtime::builder().deterministic(seed).build();
    let runtime = runtime.expect("a runtime can be made");
    runtime.block_on(async {
        let real = Arc::new(Real {
            begun: Handle::current().time(),
            log: Mutex::default(),
        });
        let at = At {
            real: Arc::clone(&real),
            task: 0,
        };
        let main = spawn(at.child(0, body));
        for &ns in cancels {
            let main = main.task_ref();
            drop(spawn(async move {
                sleep(Duration::from_nanos(ns)).await;
                main.cancel();
            }));
        }
        // Tasks behind a shield go on after main; all is over long before this.
        let outcome = timeout(Duration::from_nanos(UNIT_NS) * 16 * 64, main.outcome()).await;
        drop(outcome.expect("a program that is never over waits for something that is lost"));
        sleep(Duration::from_nanos(UNIT_NS) * 16 * 64).await;
        std::mem::take(&mut *real.log.lock())
    })
}

/// The task was cancelled.
#[derive(Debug)]
struct Cancelled;

/// A time-out scope that is open.
struct Scope {
    deadline: u64,
    has_expired: bool,
}

/// A task of the model: where it is in time, and what will happen to it.
struct Model<'a> {
    task: usize,
    now: u64,
    cancelling: usize,
    /// When it is cancelled, in order.
    cancels: Vec<u64>,
    scopes: Vec<Scope>,
    log: &'a mut Log,
}

impl Model<'_> {
    /// Whoever cancels the task before `end` does so: the first one. Gives whether somebody did; it is that time then.
    fn is_cancelled_before(&mut self, end: u64) -> bool {
        let cancel = self.cancels.first().copied().unwrap_or(u64::MAX);
        let open = self.scopes.iter_mut().filter(|scope| !scope.has_expired);
        let first = open.min_by_key(|scope| scope.deadline);
        let deadline = first.as_ref().map_or(u64::MAX, |scope| scope.deadline);
        if cancel.min(deadline) >= end {
            self.now = end;
            return false;
        }
        self.now = cancel.min(deadline);
        self.cancelling += 1;
        match first {
            Some(scope) if deadline < cancel => scope.has_expired = true,
            _ => drop(self.cancels.remove(0)),
        }
        true
    }

    fn run(&mut self, body: &Body) -> Result<(), Cancelled> {
        for node in body.iter() {
            let what = self.execute(&node.what)?;
            let line = Line {
                ns: self.now,
                node: node.number,
                what,
                cancelling: self.cancelling,
            };
            self.log.entry(self.task).or_default().push(line);
        }
        Ok(())
    }

    fn uncancel(&mut self) {
        self.cancelling = self.cancelling.saturating_sub(1);
    }

    fn execute(&mut self, what: &What) -> Result<&'static str, Cancelled> {
        match what {
            What::Sleep(ns) => match self.is_cancelled_before(self.now + ns) {
                true => Err(Cancelled),
                false => Ok("slept"),
            },
            What::Timeout(ns, body) => {
                let cancelling_before = self.cancelling;
                self.scopes.push(Scope {
                    deadline: self.now + ns,
                    has_expired: false,
                });
                let ended = self.run(body);
                let scope = self.scopes.pop().expect("it was pushed");
                if scope.has_expired {
                    self.uncancel();
                    // Its own request, and no other one.
                    if ended.is_err() && self.cancelling <= cancelling_before {
                        return Ok("elapsed");
                    }
                }
                ended.map(|()| "in time")
            }
            What::Catch(uncancels, body) => Ok(match self.run(body) {
                Ok(()) => "whole",
                Err(Cancelled) => {
                    if *uncancels {
                        self.uncancel();
                    }
                    "caught"
                }
            }),
            What::Finally(body, cleanup) => {
                let ended = self.run(body);
                self.run(cleanup)?;
                ended.map(|()| "cleaned up")
            }
            What::Group(children, body) => {
                let begun = self.now;
                let mut ended = self.run(body);
                let cancelled_at = ended.is_err().then_some(self.now);
                let mut together = Together::simulate(children, begun, cancelled_at);
                let mut is_cancelled = cancelled_at.is_some();
                // The first cancellation is passed on; others are counted, and do not end the waiting.
                while self.is_cancelled_before(together.end.max(self.now)) {
                    if !is_cancelled {
                        is_cancelled = true;
                        ended = Err(Cancelled);
                        together = Together::simulate(children, begun, Some(self.now));
                    }
                }
                self.log.extend(together.log);
                ended.map(|()| "together")
            }
            What::Task(task, body) => {
                // Each cancellation is passed on, and what comes of it is what the task makes of it.
                let (begun, mut passed_on) = (self.now, Vec::new());
                loop {
                    let (end, ended, log) = simulate(*task, body, begun, &passed_on);
                    if self.is_cancelled_before(end) {
                        passed_on.push(self.now);
                        continue;
                    }
                    self.log.extend(log);
                    return ended.map(|()| "joined");
                }
            }
            What::Shielded(task, body) => {
                let (end, ended, log) = simulate(*task, body, self.now, &[]);
                self.log.extend(log);
                if self.is_cancelled_before(end) {
                    return Err(Cancelled);
                }
                ended.map(|()| "joined")
            }
        }
    }
}

/// The tasks of a group.
struct Together {
    /// When the last of them has ended.
    end: u64,
    /// What they and those below them note.
    log: Log,
}

impl Together {
    fn simulate(children: &[(usize, Body)], begun: u64, cancelled_at: Option<u64>) -> Self {
        let mut together = Self {
            end: begun,
            log: Log::new(),
        };
        for (task, body) in children {
            let (end, _, log) = simulate(*task, body, begun, cancelled_at.as_slice());
            together.end = together.end.max(end);
            together.log.extend(log);
        }
        together
    }
}

/// When a task ends, how, and what it and those below it note.
fn simulate(
    task: usize,
    body: &Body,
    begun: u64,
    cancels: &[u64],
) -> (u64, Result<(), Cancelled>, Log) {
    let mut log = Log::new();
    let mut model = Model {
        task,
        now: begun,
        cancelling: 0,
        cancels: cancels.to_vec(),
        scopes: Vec::new(),
        log: &mut log,
    };
    let ended = model.run(body);
    (model.now, ended, log)
}

/// Runs a program, cancelled after so many units each, on the deterministic runtime of this seed and in the model.
///
/// # Panics
///
/// If they do not agree: on what comes of each statement, when, and with how many requests standing.
pub fn check(seed: u64, cancels: &[u8], program: &[Op]) {
    let mut numbers = Numbers::default();
    let body = numbers.body(program);
    let mut cancels: Vec<u64> = cancels.iter().map(|units| numbers.time(*units)).collect();
    if numbers.n_times >= N_TIMES_MAX || numbers.depth_max > DEPTH_MAX {
        return;
    }
    cancels.sort_unstable();
    let (_, _, expected) = simulate(0, &body, 0, &cancels);
    assert_eq!(real(seed, &body, &cancels), expected);
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::{Op, check};
    use crate::holds;

    fn op() -> impl Strategy<Value = Op> {
        let leaf = (0..4_u8).prop_map(Op::Sleep);
        leaf.prop_recursive(4, 20, 3, |op| {
            let body = || vec(op.clone(), 0..4);
            prop_oneof![
                2 => op.clone(),
                3 => (0..6_u8, body()).prop_map(|(units, body)| Op::Timeout(units, body)),
                2 => (any::<bool>(), body())
                    .prop_map(|(uncancels, body)| Op::Catch { uncancels, body }),
                2 => (body(), body()).prop_map(|(body, cleanup)| Op::Finally(body, cleanup)),
                2 => (vec(body(), 0..3), body())
                    .prop_map(|(children, body)| Op::Group(children, body)),
                1 => body().prop_map(Op::Task),
                1 => body().prop_map(Op::Shielded),
            ]
        })
    }

    #[test]
    fn cancellations_go_where_they_should() {
        let cancels = vec(0..12_u8, 0..4);
        holds(
            (any::<u64>(), cancels, vec(op(), 1..5)),
            |(seed, cancels, program)| {
                check(*seed, cancels, program);
            },
        );
    }

    /// A fuzzer was not done with this in a minute: the model was simulated twice for each level.
    #[test]
    fn a_tower_of_groups_is_done_at_once() {
        for depth in [1, 8, 40] {
            let mut program = vec![Op::Timeout(3, Vec::new()), Op::Sleep(0)];
            for _ in 0..depth {
                program = vec![Op::Group(vec![program], Vec::new())];
            }
            check(425, &[], &program);
        }
    }
}
