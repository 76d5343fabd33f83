//! Who is parked, who searches, whom to wake.

use crate::idle::{Idle, Unparked};

#[test]
fn at_first_everybody_is_active() {
    let idle = Idle::new(3, 3);
    assert!(!idle.is_hungry());
    assert!(!idle.has_searchers());
    assert_eq!(idle.choose_to_wake(), None);
    assert_eq!(idle.choose(1), None);
}

#[test]
fn the_worker_chosen_counts_as_searching_and_is_chosen_once() {
    let idle = Idle::new(3, 3);
    idle.announce_park(1, false);
    idle.announce_park(2, false);
    assert!(idle.is_hungry());
    assert_eq!(idle.choose_to_wake(), Some(1));
    assert!(idle.has_searchers());
    assert!(!idle.is_parked(1));
    assert_eq!(idle.choose_to_wake(), None, "somebody searches already");
    assert_eq!(idle.retract_park(1), Unparked::ByOther);
    assert!(idle.stop_searching(), "it was the last");
    assert_eq!(idle.choose_to_wake(), Some(2));
}

#[test]
fn work_for_one_worker_wakes_that_worker_whoever_searches() {
    let idle = Idle::new(3, 3);
    idle.announce_park(1, false);
    idle.announce_park(2, false);
    assert_eq!(idle.choose(2), Some(2));
    assert_eq!(idle.choose(1), Some(1));
    assert_eq!(idle.choose(1), None);
    assert!(!idle.stop_searching());
    assert!(idle.stop_searching());
}

#[test]
fn a_worker_that_wakes_up_by_itself_counts_for_nothing() {
    let idle = Idle::new(1, 1);
    idle.announce_park(0, false);
    assert_eq!(idle.retract_park(0), Unparked::BySelf);
    assert!(!idle.is_hungry());
}

#[test]
fn only_so_many_search() {
    let idle = Idle::new(4, 4);
    assert!(idle.start_searching(1));
    assert!(!idle.start_searching(1));
    assert!(idle.start_searching(2));
    idle.announce_park(0, true);
    assert!(idle.start_searching(2));
    assert!(!idle.stop_searching());
    assert!(idle.stop_searching());
}

#[test]
fn a_searcher_that_turns_back_searches_again() {
    let idle = Idle::new(2, 2);
    assert!(idle.start_searching(1));
    idle.announce_park(0, true);
    assert!(!idle.has_searchers());
    assert!(idle.turn_back(0, true));
    assert!(idle.has_searchers());
    assert!(idle.stop_searching());

    idle.announce_park(1, false);
    assert!(
        !idle.turn_back(1, false),
        "it was not searching, and nobody has woken it"
    );
    idle.announce_park(1, false);
    assert_eq!(idle.choose(1), Some(1));
    assert!(idle.turn_back(1, false), "it was woken, and counted");
    assert!(idle.stop_searching());
}

#[test]
fn spare_workers_are_not_woken_to_search_but_for_what_is_theirs() {
    let idle = Idle::new(4, 2);
    idle.announce_park(3, false);
    assert_eq!(idle.choose_to_wake(), None);
    assert!(!idle.is_hungry(), "nobody would come for what is shared");
    assert_eq!(idle.choose(3), Some(3));
    assert!(idle.stop_searching());
    idle.announce_park(3, false);
    idle.set_eligible(4);
    assert!(idle.is_hungry());
    assert_eq!(idle.choose_to_wake(), Some(3));
}

#[test]
fn workers_beyond_the_first_word_of_bits_are_found() {
    let idle = Idle::new(130, 130);
    for worker in [63, 64, 129] {
        idle.announce_park(worker, false);
        assert!(idle.is_parked(worker));
        assert_eq!(idle.choose_to_wake(), Some(worker));
        assert!(idle.stop_searching());
    }
}
