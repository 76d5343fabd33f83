//! When a worker looks on before it sleeps.

use crate::scheduler::patience::{LOOK_ON_NS, Patience};

/// Lets a worker pause again and again as `pause_ns` says, `n_pauses` times; gives how often it looked on.
fn pauses(patience: &Patience, n_pauses: u32, pause_ns: u64) -> u32 {
    let mut n_looks = 0;
    for _ in 0..n_pauses {
        if patience.is_left() {
            n_looks += 1;
            if pause_ns < LOOK_ON_NS {
                patience.paid_off();
                continue;
            }
            patience.was_in_vain();
        }
        patience.woken_after(pause_ns);
    }
    n_looks
}

#[test]
fn looking_on_has_to_be_earned_by_a_short_sleep() {
    let patience = Patience::on_cores(2);
    assert!(!patience.is_left());
    assert_eq!(
        pauses(&patience, 1000, 1_000_000),
        0,
        "long sleeps earn nothing"
    );
    patience.woken_after(LOOK_ON_NS);
    assert!(patience.is_left());
}

#[test]
fn a_fast_conversation_never_sleeps_again() {
    let patience = Patience::on_cores(2);
    assert_eq!(pauses(&patience, 100, 1_000), 99);
}

#[test]
fn a_pace_that_is_just_too_slow_is_seldom_looked_at() {
    let patience = Patience::on_cores(2);
    let n_first = pauses(&patience, 1000, LOOK_ON_NS + 1_000);
    assert!((1..=20).contains(&n_first), "{n_first}");
    let n_then = pauses(&patience, 1000, LOOK_ON_NS + 1_000);
    assert!((1..=16).contains(&n_then), "{n_then}");
}

#[test]
fn a_conversation_over_sockets_is_soon_left_to_the_system() {
    let patience = Patience::on_cores(2);
    let _fast = pauses(&patience, 100, 1_000);
    let mut n_looks = 0;
    for _ in 0..1000 {
        if patience.is_left() {
            n_looks += 1;
            patience.was_not_needed();
        }
    }
    assert!((1..=16).contains(&n_looks), "{n_looks}");
}

#[test]
fn sockets_do_not_end_the_looking_on_for_the_tasks_of_others() {
    let patience = Patience::on_cores(2);
    patience.woken_after(1_000);
    for pause in 0..1000 {
        assert!(patience.is_left(), "pause {pause}");
        if pause % 3 == 0 {
            patience.paid_off();
        } else {
            patience.was_not_needed();
        }
    }
}

#[test]
fn a_conversation_that_becomes_fast_is_looked_at_again() {
    let patience = Patience::on_cores(2);
    let _slow = pauses(&patience, 1000, LOOK_ON_NS + 1_000);
    let n_looks = pauses(&patience, 1000, 1_000);
    assert!(n_looks > 900, "{n_looks}");
}

#[test]
fn where_there_is_one_core_nobody_looks_on() {
    let patience = Patience::on_cores(1);
    assert_eq!(pauses(&patience, 100, 1_000), 0);
}
