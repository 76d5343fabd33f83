//! Order, sharing and stealing: no task twice, none lost, bound ones stay.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use super::guard::guarded;
use crate::queue::{Inbox, Injector, Private, Shared};

/// Scales a count down where every step is interpreted.
const fn count(n: usize) -> usize {
    if cfg!(miri) { n / 200 } else { n }
}

fn drain(queue: &mut Private<u32>) -> Vec<u32> {
    std::iter::from_fn(|| queue.pop()).collect()
}

fn is_bound(task: &u32) -> bool {
    *task >= 100
}

#[test]
fn tasks_run_in_the_order_in_which_they_were_queued() {
    let mut queue = Private::new();
    (0..3).for_each(|task| queue.push(task));
    assert_eq!(queue.pop(), Some(0));
    (3..5).for_each(|task| queue.push(task));
    assert_eq!(queue.len(), 4);
    assert_eq!(drain(&mut queue), [1, 2, 3, 4]);
    assert_eq!(queue.len(), 0);
}

#[test]
fn the_newest_are_brought_forward_in_order() {
    let mut queue = Private::new();
    (0..5).for_each(|task| queue.push(task));
    assert_eq!(queue.bring_forward(3), 2);
    assert_eq!(queue.bring_forward(5), 0);
    assert_eq!(queue.bring_forward(9), 0, "some were taken meanwhile");
    assert_eq!(drain(&mut queue), [3, 4, 0, 1, 2]);
}

#[test]
fn the_newest_are_shared_in_order() {
    let mut queue = Private::new();
    (0..10).for_each(|task| queue.push(task));
    let mut shared = Vec::new();
    queue.share(5, is_bound, &mut shared);
    assert_eq!(shared, [5, 6, 7, 8, 9]);
    shared.clear();
    queue.share(0, is_bound, &mut shared);
    assert_eq!(shared, []);
    queue.share(1, is_bound, &mut shared);
    assert_eq!(shared, [4]);
    queue.share(32, is_bound, &mut shared);
    assert_eq!(shared, [4, 0, 1, 2, 3], "no more than there are");
    assert_eq!(queue.len(), 0);
}

#[test]
fn bound_tasks_stay_when_others_are_shared_or_rescued() {
    let mut queue = Private::new();
    [1, 2, 3, 100, 4, 101, 5]
        .into_iter()
        .for_each(|task| queue.push(task));
    let mut shared = Vec::new();
    queue.share(4, is_bound, &mut shared);
    assert_eq!(shared, [4, 5]);
    queue.push(102);
    let mut rescued = Vec::new();
    queue.take_all(is_bound, &mut rescued);
    assert_eq!(rescued, [1, 2, 3], "in order");
    assert_eq!(queue.len(), 3);
    assert_eq!(drain(&mut queue), [100, 101, 102]);
}

#[test]
fn an_inbox_gives_everything_in_order_and_says_whether_it_is_empty() {
    let inbox = Inbox::new();
    assert!(inbox.is_empty());
    inbox.push(1);
    inbox.push(2);
    assert!(!inbox.is_empty());
    assert_eq!(inbox.take(), [1, 2]);
    assert!(inbox.is_empty());
    assert!(inbox.take().is_empty());
}

#[test]
fn the_owner_takes_the_oldest_of_the_shared_tier() {
    let shared = Shared::new();
    assert_eq!(shared.pop(), None);
    shared.extend(0..3);
    assert_eq!(
        [shared.pop(), shared.pop(), shared.pop(), shared.pop()],
        [Some(0), Some(1), Some(2), None]
    );
}

#[test]
fn a_thief_runs_the_oldest_and_keeps_the_others_for_later() {
    let (victim, thief) = (Shared::new(), Shared::new());
    let stealer = victim.thief();
    assert!(stealer.is_empty());
    assert_eq!(thief.steal(&stealer), None);
    victim.extend(0..8);
    assert!(!stealer.is_empty());
    assert_eq!(thief.steal(&stealer), Some(0));
    assert!(stealer.is_empty() && victim.is_empty());
    assert_eq!(victim.pop(), None);
    assert!(!thief.thief().is_empty(), "others may take from it");
    let kept: Vec<u32> = std::iter::from_fn(|| thief.pop()).collect();
    assert_eq!(kept, [1, 2, 3, 4, 5, 6, 7]);
}

#[test]
fn of_much_a_thief_leaves_about_half_for_others() {
    for (n_shared, n_taken) in [
        (1, 1..=1),
        (2, 2..=2),
        (32, 32..=32),
        (33, 16..=32),
        (1_000, 500..=531),
    ] {
        let (victim, thief) = (Shared::new(), Shared::new());
        victim.extend(0..n_shared);
        let stolen: Vec<u32> = thief
            .steal(&victim.thief())
            .into_iter()
            .chain(std::iter::from_fn(|| thief.pop()))
            .collect();
        assert!(
            n_taken.contains(&stolen.len()),
            "{} of {n_shared}",
            stolen.len()
        );
        let left: Vec<u32> = std::iter::from_fn(|| victim.pop()).collect();
        assert_eq!(
            [stolen, left].concat(),
            (0..n_shared).collect::<Vec<_>>(),
            "the oldest"
        );
    }
}

/// The hint may be too large after a theft, and must never hide what is shared later.
#[test]
fn what_is_shared_after_a_theft_is_seen() {
    let (victim, thief) = (Shared::new(), Shared::new());
    let stealer = victim.thief();
    for round in 0..3 {
        victim.extend([round].into_iter());
        assert!(!stealer.is_empty());
        assert_eq!(thief.steal(&stealer), Some(round));
        assert_eq!(thief.steal(&stealer), None);
        assert!(stealer.is_empty());
    }
}

#[test]
fn an_injector_gives_in_order_and_a_batch_at_a_time() {
    let (injector, shared) = (Injector::new(), Shared::new());
    assert_eq!(shared.take_from(&injector), None);
    (0..100).for_each(|task| injector.push(task));
    let mut taken = Vec::new();
    while let Some(task) = shared.take_from(&injector) {
        taken.push(task);
        assert!(taken.len() <= 100);
        taken.extend(std::iter::from_fn(|| shared.pop()));
    }
    assert!(injector.is_empty());
    assert_eq!(taken, (0..100).collect::<Vec<u32>>());
}

#[test]
fn every_task_is_taken_once_by_owners_thieves_and_takers() {
    guarded(
        "every task is taken once by owners thieves and takers",
        || {
            const N_WORKERS: usize = 3;
            let n_tasks = count(100_000);
            let queues: Vec<_> = (0..N_WORKERS).map(|_| Shared::new()).collect();
            let thieves: Vec<_> = queues.iter().map(Shared::thief).collect();
            let injector = Injector::new();
            let n_taken = AtomicUsize::new(0);
            let taken: Vec<AtomicBool> = (0..n_tasks).map(|_| AtomicBool::new(false)).collect();
            thread::scope(|scope| {
                let mut threads =
                    vec![scope.spawn(|| (0..n_tasks / 2).for_each(|task| injector.push(task)))];
                for (index, queue) in queues.into_iter().enumerate() {
                    let (thieves, injector, n_taken, taken) =
                        (&thieves, &injector, &n_taken, &taken);
                    threads.push(scope.spawn(move || {
                        let take = |task: usize| {
                            assert!(!taken[task].swap(true, Ordering::Relaxed), "taken twice");
                            n_taken.fetch_add(1, Ordering::Relaxed);
                        };
                        for first in (n_tasks / 2..n_tasks).step_by(7) {
                            let batch = first..(first + 7).min(n_tasks);
                            queue.extend(batch.filter(|task| task % N_WORKERS == index));
                        }
                        while n_taken.load(Ordering::Relaxed) < n_tasks {
                            let next = &thieves[(index + 1) % N_WORKERS];
                            let task = queue
                                .pop()
                                .or_else(|| queue.take_from(injector))
                                .or_else(|| queue.steal(next));
                            match task {
                                Some(task) => take(task),
                                None => thread::yield_now(),
                            }
                        }
                    }));
                }
                // Sanitizers see the join, and not the end of the scope.
                for thread in threads {
                    thread.join().expect("it does not panic");
                }
            });
            assert!(injector.is_empty());
            assert!(thieves.iter().all(crate::queue::Thief::is_empty));
            assert!(taken.iter().all(|taken| taken.load(Ordering::Relaxed)));
        },
    );
}
