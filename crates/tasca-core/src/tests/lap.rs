//! When a busy worker asks for its sockets.

use crate::scheduler::lap::Lap;

const US: u64 = 1_000;

#[test]
fn sockets_are_asked_for_at_the_end_of_a_lap_unless_that_was_just_done() {
    let lap = Lap::new();
    lap.note_asked(0);
    lap.begin(10, 3);
    // The time, the polls counted by twos with those that have begun; whether to ask.
    for (now_ns, poll_count, expected) in [
        (100 * US, 14, false),
        (199 * US, 14, false),
        (99 * US, 16, false),
        (100 * US, 16, true),
        (100 * US, 60, true),
        (200 * US, 10, true),
    ] {
        assert_eq!(
            lap.is_time_to_ask(now_ns, poll_count),
            expected,
            "after {now_ns} ns at {poll_count}"
        );
    }
}

#[test]
fn a_lap_has_a_poll_for_each_task_that_was_queued() {
    let lap = Lap::new();
    assert_eq!(lap.n_left(0), 0, "none has begun");
    lap.begin(10, 3);
    assert_eq!(
        [10, 12, 14, 16, 18].map(|count| lap.n_left(count)),
        [3, 2, 1, 0, 0]
    );
    lap.begin(18, 0);
    assert_eq!(lap.n_left(18), 0);
}

#[test]
fn a_pause_begins_when_sockets_have_been_asked_for() {
    let lap = Lap::new();
    assert!(lap.has_paused(200 * US, 200 * US));
    lap.note_asked(200 * US);
    assert!(!lap.has_paused(399 * US, 200 * US));
    assert!(lap.has_paused(400 * US, 200 * US));
}
