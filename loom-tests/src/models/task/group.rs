//! Records of combinators: observers that are told of the ends of tasks without a waker.

use std::sync::Arc as StdArc;
use std::sync::atomic::{AtomicUsize, Ordering};

use loom::alloc::Track;

use crate::explore::two_busy_threads;
use crate::runners::{Runners, Touched};
use crate::task::group::Group;
use crate::task::handle::TaskRef;
use crate::task::observe::Observer;

/// Counts what it is told; loom reports it if it is forgotten.
struct Counter {
    n_told: [AtomicUsize; 2],
    _tracked: Track<()>,
}

impl Observer for Counter {
    fn child_done(&self, index: usize, child: &TaskRef) {
        assert!(child.is_finished());
        self.n_told[index].fetch_add(1, Ordering::Relaxed);
    }
}

fn group() -> Group<StdArc<Counter>> {
    let n_told = [const { AtomicUsize::new(0) }; 2];
    Group::new(
        2,
        StdArc::new(Counter {
            n_told,
            _tracked: Track::new(()),
        }),
    )
}

fn n_told(group: &Group<StdArc<Counter>>, index: usize) -> usize {
    group.observer().n_told[index].load(Ordering::Relaxed)
}

/// An observer is told once of every end that it was promised, through the slot and through the list, and of no other.
/// Catches a registration that is announced too late, and a waker whose count is taken twice.
#[test]
fn an_observer_is_told_once() {
    two_busy_threads(|| {
        let runners = Runners::new();
        let (mut owned, shared) = (runners.spawn(async {}), runners.spawn(async {}));
        let group = group();
        let runner = runners.run_elsewhere(|| ());
        let promised = group.observe(0, &mut owned);
        let observation = group.observe_ref(1, &shared);
        runner.join().expect("no panic");
        assert_eq!(n_told(&group, 0), usize::from(promised));
        assert_eq!(n_told(&group, 1), usize::from(observation.is_some()));
        drop(observation);
    });
}

/// An observer that is listed for good, against the end and another waiter: it is told once if it was promised, and goes with
/// the task. Catches an entry that nobody announces.
#[test]
fn an_observer_for_good_is_told_once() {
    two_busy_threads(|| {
        let runners = Runners::new();
        let task = runners.spawn(async {});
        let group = group();
        let runner = runners.run_elsewhere(|| ());
        let observer: StdArc<dyn Observer> = group.observer().clone();
        let promised = task.observe(0, observer);
        let observation = group.observe_ref(1, &task);
        runner.join().expect("no panic");
        assert_eq!(n_told(&group, 0), usize::from(promised));
        assert_eq!(n_told(&group, 1), usize::from(observation.is_some()));
        drop(observation);
    });
}

/// Uses memory at each end that it is told of; its own end uses all of it.
struct Toucher([Touched; 2]);

// SAFETY: each end uses its own, and that nobody uses two at a time is what loom checks.
unsafe impl Sync for Toucher {}

impl Observer for Toucher {
    fn child_done(&self, index: usize, _: &TaskRef) {
        self.0[index].touch();
    }
}

/// A record that is given up while its children end: whoever has the last count frees it, after all that the others did with it.
/// Catches a count that publishes nothing.
#[test]
fn a_record_goes_with_its_last_count() {
    two_busy_threads(|| {
        let runners = Runners::new();
        let children = [runners.spawn(async {}), runners.spawn(async {})];
        let group = Group::new(2, Toucher([Touched::new(), Touched::new()]));
        let runner = runners.run_elsewhere(|| ());
        for (index, mut child) in children.into_iter().enumerate() {
            group.observe(index, &mut child);
        }
        drop(group);
        runner.join().expect("no panic");
    });
}

/// A registration that is taken back against the end: the observer is told once or not at all, and the record goes with its
/// last user. Catches a slot that both sides empty.
#[test]
fn an_observation_is_taken_back() {
    two_busy_threads(|| {
        let runners = Runners::new();
        let (mut owned, shared) = (runners.spawn(async {}), runners.spawn(async {}));
        let group = group();
        assert!(group.observe(0, &mut owned));
        let observation = group.observe_ref(1, &shared);
        assert!(observation.is_some());
        let runner = runners.run_elsewhere(|| ());
        group.forget(&mut owned);
        drop(observation);
        runner.join().expect("no panic");
        assert!(n_told(&group, 0) <= 1 && n_told(&group, 1) <= 1);
    });
}
