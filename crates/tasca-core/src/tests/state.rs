//! The state word: every transition from every phase, one thread at a time.

use std::sync::atomic::AtomicU64;

use crate::task::state::{
    CancelRequest, End, EndPoll, Kind, Live, ReleaseHandle, Snapshot, State, Wake,
};

/// A word of its own, as a cell would have it.
struct Word(AtomicU64);

impl Word {
    fn new(kind: Kind) -> Self {
        Self::at(kind, None)
    }

    fn at(kind: Kind, home: Option<usize>) -> Self {
        let word = Self::free();
        word.publish(State::initial(kind, home));
        word
    }

    fn free() -> Self {
        Self(AtomicU64::new(0))
    }

    /// A task that has been polled and waits.
    fn suspended() -> Self {
        let word = Self::new(Kind::Task);
        word.start_poll();
        assert_eq!(word.end_poll(), EndPoll::Suspended);
        word
    }

    fn done() -> Self {
        let word = Self::new(Kind::Task);
        word.start_poll();
        word.complete(End::Value).expect("nobody asked for its end");
        word
    }
}

impl std::ops::Deref for Word {
    type Target = State;

    fn deref(&self) -> &State {
        // SAFETY: `State` is a transparent `AtomicU64`.
        unsafe { &*(&raw const self.0).cast() }
    }
}

fn n_references(word: &Word) -> u64 {
    let text = format!("{:?}", word.load());
    let (_, number) = text.rsplit_once(' ').expect("flags, then references");
    number.parse().expect("a number")
}

#[test]
fn a_task_is_queued_polled_suspended_woken_and_done() {
    let word = Word::new(Kind::Task);
    assert!(word.load().is_owned() && word.load().has_handle() && !word.load().is_started());
    word.start_poll();
    assert_eq!(word.end_poll(), EndPoll::Suspended);
    assert!(!word.load().is_owned() && word.load().is_started());
    assert_eq!(word.wake(), Wake::Queue);
    assert!(word.load().is_owned());
    word.start_poll();
    word.complete(End::Value).expect("nobody asked for its end");
    let done = word.load();
    assert!(done.is_complete() && !done.is_owned() && !done.is_cancelled() && !done.is_panicked());
    assert_eq!(word.wake(), Wake::Nothing);
}

#[test]
fn a_wake_of_a_queued_task_is_spent_by_its_poll() {
    let word = Word::new(Kind::Task);
    assert_eq!(word.wake(), Wake::Nothing);
    word.start_poll();
    assert_eq!(word.end_poll(), EndPoll::Suspended);
}

#[test]
fn a_wake_during_a_poll_queues_the_task_again() {
    let word = Word::new(Kind::Task);
    word.start_poll();
    assert_eq!(word.wake(), Wake::Nothing);
    assert_eq!(word.wake(), Wake::Nothing);
    assert_eq!(word.end_poll(), EndPoll::Requeue);
    assert!(word.load().is_owned());
    word.start_poll();
    assert_eq!(word.end_poll(), EndPoll::Suspended, "two wakes, one poll");
}

#[test]
fn a_wake_by_value_gives_its_reference_up_in_every_phase() {
    let word = Word::suspended();
    for expected in [Wake::Queue, Wake::Nothing] {
        word.acquire();
        assert_eq!(n_references(&word), 3);
        assert_eq!(word.wake_by_value(), Some(expected));
        assert_eq!(n_references(&word), 2);
    }
    let word = Word::done();
    word.acquire();
    assert_eq!(word.wake_by_value(), None, "the caller gives it up");
    assert!(!word.release());
    assert!(word.release());
}

#[test]
fn a_request_finds_its_way_by_phase() {
    let word = Word::new(Kind::Task);
    assert_eq!(word.request_cancel(), CancelRequest::Flagged);
    assert!(word.start_poll().has_cancel());
    word.clear_cancel();
    assert_eq!(word.request_cancel(), CancelRequest::Flagged);
    assert_eq!(word.end_poll(), EndPoll::Settle);
    word.clear_cancel();
    assert_eq!(word.end_poll(), EndPoll::Suspended);

    assert_eq!(word.request_cancel(), CancelRequest::Held);
    assert!(word.load().is_owned() && !word.load().has_cancel());
    assert_eq!(word.wake(), Wake::Nothing, "held by the canceller");
    assert_eq!(word.end_poll(), EndPoll::Requeue, "let go, with the wake");

    assert_eq!(Word::done().request_cancel(), CancelRequest::Refused);
}

#[test]
fn a_suspended_task_is_given_back_with_a_request_that_the_next_poll_finds() {
    let word = Word::suspended();
    assert_eq!(word.request_cancel(), CancelRequest::Held);
    assert_eq!(word.let_go_flagged(), EndPoll::Suspended);
    assert!(!word.load().is_owned() && word.load().has_cancel());
    assert_eq!(word.wake(), Wake::Queue);
    assert!(word.start_poll().has_cancel());

    let word = Word::suspended();
    assert_eq!(word.request_cancel(), CancelRequest::Held);
    assert_eq!(word.wake(), Wake::Nothing, "held by the canceller");
    assert_eq!(
        word.let_go_flagged(),
        EndPoll::Requeue,
        "woken meanwhile, and still held"
    );
    assert!(word.load().is_owned() && word.start_poll().has_cancel());

    let word = Word::suspended();
    assert_eq!(word.request_cancel(), CancelRequest::Held);
    assert_eq!(word.request_kill(), Wake::Nothing, "held by the canceller");
    assert_eq!(word.let_go_flagged(), EndPoll::Requeue);
}

#[test]
fn a_bare_request_is_noted_where_there_is_no_other() {
    assert!(
        !Word::new(Kind::Task).hold_unasked(),
        "somebody else has it"
    );
    assert!(!Word::done().hold_unasked());
    let word = Word::suspended();
    assert!(word.hold_unasked() && word.set_bare_cancel());
    assert!(word.load().is_owned() && word.load().has_bare_request());
    assert!(word.start_poll().has_cancel());
    assert!(word.take_bare() && !word.take_bare());
    assert!(!word.load().has_cancel() && word.load().has_counted());
    assert_eq!(word.end_poll(), EndPoll::Suspended);
    assert!(!word.hold_unasked(), "the next one is counted elsewhere");
    let moved = word.take_counted();
    assert!(moved.has_counted() && !moved.has_bare_request());
    assert!(word.hold_unasked());

    let word = Word::suspended();
    assert!(word.hold_unasked());
    assert_eq!(word.request_cancel(), CancelRequest::Flagged);
    assert!(!word.set_bare_cancel(), "another one came first");
    assert!(!word.load().has_bare_request());

    let word = Word::suspended();
    assert!(word.hold_unasked() && word.set_bare_cancel());
    let moved = word.take_counted();
    assert!(moved.has_counted() && moved.has_bare_request());
    assert!(word.load().has_cancel(), "it is elsewhere now");
    assert!(!word.take_bare());
    assert!(!word.take_counted().has_counted(), "it is moved once");

    let word = Word::suspended();
    assert!(word.hold_unasked() && word.set_bare_cancel());
    word.complete(End::Cancelled)
        .expect("a failure overtakes requests");
    assert!(!word.load().has_bare_request() && word.load().has_counted());
}

#[test]
fn a_value_does_not_overtake_a_request_but_a_failure_does() {
    let word = Word::new(Kind::Task);
    word.start_poll();
    assert_eq!(word.request_cancel(), CancelRequest::Flagged);
    assert!(word.complete(End::Value).is_err());
    assert!(!word.load().is_complete());
    word.complete(End::Cancelled)
        .expect("a failure overtakes requests");
    assert!(word.load().is_cancelled() && !word.load().has_cancel());

    let word = Word::new(Kind::Task);
    word.start_poll();
    assert_eq!(word.request_cancel(), CancelRequest::Flagged);
    word.complete(End::Panicked)
        .expect("a failure overtakes requests");
    assert!(word.load().is_panicked());
}

#[test]
fn a_kill_is_stronger_than_a_request() {
    let word = Word::new(Kind::Task);
    word.start_poll();
    assert_eq!(word.request_cancel(), CancelRequest::Flagged);
    assert_eq!(word.request_kill(), Wake::Nothing);
    assert_eq!(word.end_poll(), EndPoll::Requeue);
    assert!(word.start_poll().has_kill());

    let word = Word::suspended();
    assert_eq!(word.request_kill(), Wake::Queue);
    assert!(word.load().has_kill() && word.load().is_owned());
    assert_eq!(Word::done().request_kill(), Wake::Nothing);
}

#[test]
fn the_end_of_a_runtime_does_not_end_roots_and_promises() {
    for kind in [Kind::Root, Kind::HiddenRoot, Kind::Passive] {
        let word = Word::new(kind);
        assert_eq!(word.request_kill(), Wake::Nothing);
        assert!(!word.load().has_kill(), "{kind:?}");
    }
}

#[test]
fn a_promise_is_claimed_once_and_never_queued() {
    let word = Word::new(Kind::Passive);
    assert_eq!(word.wake(), Wake::Nothing);
    assert!(!word.load().is_owned());
    assert!(word.claim());
    assert!(!word.claim());
    word.complete(End::Value)
        .expect("a promise is not overtaken");
    assert!(!word.claim());
}

#[test]
fn a_waiter_is_announced_until_the_end() {
    let word = Word::suspended();
    assert!(word.set_waiter());
    assert!(word.load().has_waiter());
    assert!(word.unset_waiter());
    assert!(!word.load().has_waiter());
    assert!(word.set_waiter());
    assert_eq!(word.wake(), Wake::Queue);
    let before = word.complete(End::Value).expect("nobody asked for its end");
    assert!(before.has_waiter(), "the completer has it");
    assert!(!word.unset_waiter());
    assert!(!Word::done().set_waiter());
}

#[test]
fn a_list_is_announced_until_the_end() {
    let word = Word::suspended();
    assert!(word.set_listed());
    assert!(word.set_listed());
    assert_eq!(word.wake(), Wake::Queue);
    let before = word.complete(End::Value).expect("nobody asked for its end");
    assert!(before.is_listed());
    assert!(!word.set_listed());
}

#[test]
fn a_completer_without_duties_gives_its_reference_up_at_once() {
    let word = Word::new(Kind::Task);
    let before = word.complete(End::Value).expect("nobody asked for its end");
    assert!(State::completes_without_duties(before));
    assert_eq!(n_references(&word), 1);
    assert!(word.release(), "the handle's was the last");

    let duties: [fn(&Word); 3] = [
        |word| assert!(word.set_waiter()),
        |word| assert!(word.set_listed()),
        |word| {
            assert_eq!(
                word.release_handle(),
                ReleaseHandle::Detached { waiter: false }
            );
        },
    ];
    for set in duties {
        let word = Word::new(Kind::Task);
        set(&word);
        let n_before = n_references(&word);
        let before = word.complete(End::Value).expect("nobody asked for its end");
        assert!(!State::completes_without_duties(before), "{before:?}");
        assert_eq!(n_references(&word), n_before);
    }
}

#[test]
fn a_handle_goes_with_its_reference_or_leaves_the_output_to_its_owner() {
    let word = Word::suspended();
    assert_eq!(
        word.release_handle(),
        ReleaseHandle::Detached { waiter: false }
    );
    assert!(!word.load().has_handle());
    assert_eq!(n_references(&word), 1);

    let word = Word::suspended();
    assert!(word.set_waiter());
    assert_eq!(
        word.release_handle(),
        ReleaseHandle::Detached { waiter: true }
    );
    assert!(!word.load().has_waiter() && !word.load().has_handle());
    assert_eq!(n_references(&word), 2, "one is left for the waker's sake");

    let word = Word::done();
    assert_eq!(word.release_handle(), ReleaseHandle::Done);
}

#[test]
fn the_last_reference_is_the_one_that_frees() {
    let word = Word::done();
    word.acquire();
    word.acquire();
    assert_eq!(n_references(&word), 3);
    assert!(!word.release());
    assert!(!word.release());
    assert!(word.release());
}

#[test]
fn a_walker_joins_what_lives_and_nothing_else() {
    let all = [Live::Tasks, Live::TasksAndCallbacks, Live::Any];
    let joins = |word: &Word| all.map(|which| word.acquire_if_live(which));
    assert_eq!(joins(&Word::free()), [false; 3]);
    assert_eq!(joins(&Word::done()), [false; 3]);
    assert_eq!(joins(&Word::suspended()), [true; 3]);
    assert_eq!(joins(&Word::new(Kind::Task)), [true; 3]);
    assert_eq!(joins(&Word::new(Kind::Callback)), [false, true, true]);
    assert_eq!(joins(&Word::new(Kind::TimedCallback)), [false, true, true]);
    assert_eq!(joins(&Word::new(Kind::Passive)), [false, false, true]);
    let word = Word::suspended();
    let _joined = joins(&word);
    assert_eq!(n_references(&word), 5);
}

#[test]
fn the_home_is_kept_through_a_life() {
    for home in [None, Some(0), Some(7), Some(0x8000), Some(0xfffe)] {
        let word = Word::at(Kind::Task, home);
        let homes = |word: &Word| assert_eq!(word.load().home(), home);
        homes(&word);
        word.start_poll();
        assert_eq!(word.request_cancel(), CancelRequest::Flagged);
        assert_eq!(word.end_poll(), EndPoll::Settle);
        word.acquire();
        homes(&word);
        word.complete(End::Cancelled)
            .expect("a failure overtakes requests");
        homes(&word);
    }
}

#[test]
fn what_was_seen_is_noted_once() {
    let word = Word::done();
    assert!(!word.load().is_observed());
    word.set_observed();
    word.set_observed();
    assert!(word.load().is_observed());
}

#[test]
fn a_word_is_readable() {
    let snapshot: Snapshot = Word::new(Kind::Task).load();
    assert_eq!(
        format!("{snapshot:?}"),
        r#"{"owned", "handle"} references 2"#
    );
}
