//! How long polls are taken to last, and how many come before the next look.

use crate::scheduler::pace::Pace;

const US: u64 = 1_000;

/// Polls until the next look, which is when the last of them has ended; gives their number.
fn polls(pace: &Pace, now_ns: &mut u64, poll_ns: u64) -> u64 {
    let mut n_polls = 0;
    loop {
        n_polls += 1;
        *now_ns += poll_ns;
        if pace.is_time_to_look() {
            pace.look(*now_ns);
            return n_polls;
        }
    }
}

/// The numbers of polls between so many looks, with polls that take so long.
fn looks(poll_ns: u64, n_looks: usize) -> (Pace, Vec<u64>) {
    let mut now_ns = 0;
    let pace = Pace::new(now_ns);
    let between = (0..n_looks).map(|_| {
        let n_polls = polls(&pace, &mut now_ns, poll_ns);
        pace.set_next_look(0);
        n_polls
    });
    let between = between.collect();
    (pace, between)
}

#[test]
fn looks_are_some_fifty_microseconds_apart() {
    let (pace, between) = looks(500, 30);
    assert_eq!(between.last(), Some(&100));
    assert_eq!(pace.poll_ns(), 500);
    let (_, between) = looks(10, 100);
    assert_eq!(between.last(), Some(&1024), "and no more than that");
    let (_, between) = looks(200 * US, 30);
    assert_eq!(between.last(), Some(&1));
}

#[test]
fn an_estimate_is_moved_by_what_is_measured_and_not_replaced() {
    let pace = Pace::new(0);
    let mut now_ns = 0;
    pace.set_next_look(0);
    let n_polls = polls(&pace, &mut now_ns, 1_000_000);
    assert!(n_polls > 4);
    assert_eq!(pace.poll_ns(), 1_800, "twice what was known, of many polls");
    pace.set_next_look(2);
    polls(&pace, &mut now_ns, 1_000_000);
    assert_eq!(pace.poll_ns(), 14_400, "eight times, of a few");
    pace.set_next_look(0);
    polls(&pace, &mut now_ns, 400);
    assert_eq!(pace.poll_ns(), 7_400, "half the way down");
}

#[test]
fn the_end_of_a_lap_is_looked_at_and_not_measured() {
    let (pace, _) = looks(500, 30);
    let mut now_ns = 0;
    pace.begin_anew(now_ns);
    pace.set_next_look(7);
    assert_eq!(polls(&pace, &mut now_ns, 1), 7);
    assert_eq!(pace.poll_ns(), 500, "what is measured is not over");
    pace.set_next_look(1_000_000);
    assert_eq!(polls(&pace, &mut now_ns, 500), 93, "the rest of it");
    assert_eq!(pace.poll_ns(), 482, "now it is: 93 of 500 ns and 7 of 1");
    pace.set_next_look(3);
    assert_eq!(polls(&pace, &mut now_ns, 20 * US), 3);
    assert_eq!(pace.poll_ns(), 3_856, "a look that is late after all");
}

#[test]
fn time_that_was_spent_otherwise_is_not_measured() {
    let (pace, _) = looks(500, 30);
    let mut now_ns = 10_000_000;
    pace.begin_anew(now_ns);
    assert_eq!(polls(&pace, &mut now_ns, 500), 100);
    assert_eq!(pace.poll_ns(), 500);
}
