//! What a worker gives away, and what it keeps.

use crate::scheduler::sharing::{
    BURST_MAX, Backlog, Tail, Turn, is_long, may_have_tail, of_burst, stays_together,
};

const US: u64 = 1_000;
const MS: u64 = 1_000_000;

#[test]
fn a_burst_is_shared_when_its_tasks_are_worth_moving_and_waking_for() {
    // Queued, a poll's length, whether somebody searches; how many are shared.
    for (n_queued, poll_ns, has_searchers, expected) in [
        (0, 5 * US, true, 0),
        (1, 5 * US, true, 1),
        (1, 2 * US, true, 0),
        (2, 2 * US, true, 1),
        (1, 4 * US, false, 0),
        (1, 5 * US, false, 1),
        (7, 5 * US, false, 4),
        (1_000, 5 * US, false, BURST_MAX),
        // Shorter than moving them takes, however many there are.
        (100_000, US - 1, true, 0),
        (100_000, US, true, BURST_MAX),
        // So long that nobody can wait for the end of one.
        (3, 19 * US, true, 2),
        (3, 20 * US, false, 3),
        (1_000, 20 * US, false, BURST_MAX),
    ] {
        assert_eq!(
            of_burst(n_queued, poll_ns, has_searchers),
            expected,
            "{n_queued} of {poll_ns} ns, searchers: {has_searchers}"
        );
    }
    assert!(is_long(20 * US) && !is_long(20 * US - 1));
    assert_eq!(of_burst(usize::MAX, u64::MAX, false), BURST_MAX);
}

#[test]
fn what_a_worker_that_has_just_woken_has_to_do_stays_together_if_it_is_little() {
    // Queued, a poll's length, how long the worker has been busy.
    for (n_queued, poll_ns, busy_ns, expected) in [
        (1, 5 * US, 0, true),
        (12, 20 * US, 249 * US, true),
        (12, 20 * US, 250 * US, false),
        (12, US, 0, true),
        (13, US, 0, false),
        (1, 250 * US, 0, false),
        (usize::MAX, u64::MAX, 0, false),
    ] {
        assert_eq!(
            stays_together(n_queued, poll_ns, busy_ns),
            expected,
            "{n_queued} of {poll_ns} ns after {busy_ns} ns"
        );
    }
}

/// Looks at a queue every 50 µs for `n_looks` times, the lengths from `lengths` in turn; gives what was to be moved, with the look.
fn looks(backlog: &Backlog, n_looks: u64, lengths: &[usize]) -> Vec<(u64, usize)> {
    (1..=n_looks)
        .zip(lengths.iter().cycle())
        .map(|(look, length)| (look, backlog.excess(look * 50 * US, *length)))
        .filter(|(_, excess)| *excess > 0)
        .collect()
}

#[test]
fn half_of_what_has_stood_for_a_millisecond_is_moved() {
    assert_eq!(looks(&Backlog::new(0), 19, &[100]), []);
    assert_eq!(looks(&Backlog::new(0), 40, &[100]), [(20, 50), (40, 50)]);
    assert_eq!(
        looks(&Backlog::new(0), 20, &[100, 900, 30]),
        [(20, 15)],
        "of the fewest"
    );
    assert_eq!(
        looks(&Backlog::new(0), 20, &[1_000_000]),
        [(20, 4096)],
        "there is a bound"
    );
}

#[test]
fn a_few_tasks_stay_together() {
    assert_eq!(looks(&Backlog::new(0), 100, &[15]), []);
    assert_eq!(looks(&Backlog::new(0), 20, &[16]), [(20, 8)]);
}

#[test]
fn a_worker_that_runs_dry_has_had_a_burst() {
    let backlog = Backlog::new(0);
    assert_eq!(backlog.excess(MS - 1, 100), 0);
    backlog.begin_anew(MS - 1);
    assert_eq!(backlog.excess(MS, 100), 0);
    assert_eq!(backlog.excess(2 * MS - 2, 100), 0);
    assert_eq!(backlog.excess(2 * MS - 1, 100), 50);
}

/// A short moment of the first millisecond must not speak against all that follow.
#[test]
fn what_was_queued_in_another_millisecond_does_not_count() {
    let backlog = Backlog::new(0);
    assert_eq!(backlog.excess(50 * US, 0), 0);
    assert_eq!(backlog.excess(MS, 100), 0);
    assert_eq!(backlog.excess(2 * MS, 100), 50);
}

/// Which of the next `n` tasks are to be taken from what was put out, where there are `n_there`.
fn turns(turn: &Turn, n: usize, mut n_there: usize) -> Vec<bool> {
    let take = |_| {
        let is_out = turn.comes() && n_there > 0;
        if is_out {
            n_there -= 1;
            turn.note_taken();
        }
        is_out
    };
    (0..n).map(take).collect()
}

#[test]
fn what_was_put_out_is_taken_behind_what_is_older() {
    let turn = Turn::default();
    assert!(!turn.is_to_come());
    assert_eq!(turns(&turn, 2, 2), [false, false]);
    turn.begin(2, 2);
    assert!(turn.is_to_come());
    assert_eq!(turns(&turn, 5, 2), [false, false, true, true, false]);
    assert!(!turn.is_to_come());
    turn.begin(0, 1);
    assert_eq!(turns(&turn, 2, 1), [true, false]);
}

#[test]
fn a_turn_that_is_to_come_is_delayed_by_what_comes_before() {
    let turn = Turn::default();
    turn.delay(2);
    assert!(!turn.is_to_come());
    turn.begin(1, 1);
    turn.delay(2);
    assert_eq!(turns(&turn, 5, 1), [false, false, false, true, false]);
}

#[test]
fn a_turn_ends_when_others_have_come_and_when_more_comes_in() {
    let turn = Turn::default();
    turn.begin(1, 3);
    assert_eq!(turns(&turn, 4, 1), [false, true, false, false]);
    assert!(!turn.is_to_come());
    turn.begin(1, 2);
    assert_eq!(turns(&turn, 5, 100), [false, true, true, false, false]);
    turn.begin(1, 2);
    turn.forget();
    assert_eq!(turns(&turn, 3, 2), [false, false, false]);
}

#[test]
fn a_poll_that_has_gone_on_after_a_wake_speaks_for_the_next_one() {
    let tail = Tail::default();
    assert!(!tail.is_open() && !tail.is_worth_waking_for());
    tail.begin(5 * US);
    tail.begin(14 * US);
    assert!(tail.is_open() && !tail.is_worth_waking_for(), "not yet");
    tail.end(15 * US);
    assert!(
        !tail.is_open() && tail.is_worth_waking_for(),
        "since the first"
    );
    tail.begin(20 * US);
    assert!(tail.is_worth_waking_for(), "until the end is known");
    tail.end(30 * US - 1);
    assert!(!tail.is_worth_waking_for());
    for (ns, expected) in [(40 * US, true), (1, true), (1, true), (1, false)] {
        tail.begin(US);
        tail.end(US + ns);
        assert_eq!(tail.is_worth_waking_for(), expected);
    }
    assert!(may_have_tail(5 * US) && !may_have_tail(5 * US - 1));
}
