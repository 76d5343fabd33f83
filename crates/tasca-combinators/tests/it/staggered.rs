//! The rules of `staggered_race` (ST), each by its name.

use std::future::{pending, ready};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use tasca_combinators::{CandidateFailure, Race, staggered_race};
use tasca_core::{Handle, catch_cancelled, promise, spawn, time::sleep, yield_now};

use crate::{LONG, everywhere, in_order, settle};

type Candidate = BoxFuture<'static, Result<u32, &'static str>>;

fn candidate(body: impl Future<Output = Result<u32, &'static str>> + Send + 'static) -> Candidate {
    body.boxed()
}

fn gives(after: Duration, end: Result<u32, &'static str>) -> Candidate {
    async move {
        sleep(after).await;
        end
    }
    .boxed()
}

fn counted(count: &Arc<AtomicUsize>, inner: Candidate) -> Candidate {
    let count = Arc::clone(count);
    async move {
        count.fetch_add(1, Ordering::Relaxed);
        inner.await
    }
    .boxed()
}

fn errors(race: &Race<u32, &'static str>) -> Vec<Option<&'static str>> {
    let error = |failure: &Option<CandidateFailure<&'static str>>| {
        let failure = failure.as_ref()?;
        Some(failure.error().copied().unwrap_or("cancelled"))
    };
    race.failures.iter().map(error).collect()
}

// ST1
#[test]
fn without_candidates_nobody_wins() {
    everywhere(|| async {
        let race = staggered_race(Vec::<Candidate>::new(), Duration::ZERO).await;
        assert_eq!((race.winner, race.failures.len()), (None, 0));
    });
}

// ST2
#[test]
fn the_first_to_succeed_wins_and_the_rest_never_begins() {
    everywhere(|| async {
        let n_begun = Arc::new(AtomicUsize::new(0));
        let candidates: Vec<_> = (0..3)
            .map(|index| counted(&n_begun, ready(Ok(index)).boxed()))
            .collect();
        let race = staggered_race(candidates, None).await;
        assert_eq!(race.winner, Some((0, 0)));
        assert_eq!(errors(&race), [None]);
        settle().await;
        assert_eq!(n_begun.load(Ordering::Relaxed), 1);
    });
}

// ST3
#[test]
fn a_failure_starts_the_next_at_once() {
    in_order(async {
        let began = Handle::current().time();
        let candidates = [
            gives(Duration::from_secs(1), Err("first")),
            gives(Duration::from_secs(2), Ok(7)),
        ];
        let race = staggered_race(candidates, LONG).await;
        assert_eq!(race.winner, Some((1, 7)));
        assert_eq!(errors(&race), [Some("first"), None]);
        assert_eq!(Handle::current().time() - began, Duration::from_secs(3));
    });
}

// ST4
#[test]
fn a_delay_starts_the_next_beside_the_others_and_the_winner_waits_for_their_end() {
    in_order(async {
        let began = Handle::current().time();
        let (cleaned, is_clean) = promise();
        let slow = async move {
            let ended = catch_cancelled(sleep(LONG)).await;
            sleep(Duration::from_secs(1)).await;
            cleaned.set(()).unwrap();
            ended.map(|()| 0).map_err(|_| "cancelled, and cleaned up")
        };
        let candidates = [candidate(slow), gives(Duration::from_secs(2), Ok(7))];
        let race = staggered_race(candidates, Duration::from_secs(5)).await;
        assert!(is_clean.is_finished());
        assert_eq!(race.winner, Some((1, 7)));
        assert_eq!(errors(&race), [Some("cancelled, and cleaned up"), None]);
        assert_eq!(Handle::current().time() - began, Duration::from_secs(8));
    });
}

// ST5
#[test]
fn if_all_fail_nobody_wins() {
    everywhere(|| async {
        let fails = |why| ready(Err(why)).boxed();
        let race = staggered_race([fails("a"), fails("b"), fails("c")], LONG).await;
        assert_eq!(race.winner, None);
        assert_eq!(errors(&race), [Some("a"), Some("b"), Some("c")]);
    });
}

// ST6
#[test]
fn a_race_that_is_cancelled_or_dropped_cancels_its_candidates() {
    everywhere(|| async {
        for is_dropped in [false, true] {
            let (begun, has_begun) = promise();
            let (ended, has_ended) = promise();
            let stuck = async move {
                begun.set(()).unwrap();
                let cancelled = catch_cancelled(pending::<()>()).await.is_err();
                ended.set(cancelled).unwrap();
                Err("stopped")
            };
            let candidates = [candidate(stuck)];
            if is_dropped {
                let mut race = Box::pin(staggered_race(candidates, None));
                assert!(race.as_mut().now_or_never().is_none());
                has_begun.await;
            } else {
                let race = spawn(staggered_race(candidates, None));
                has_begun.await;
                race.cancel();
                assert!(race.outcome().await.is_err());
            }
            assert!(has_ended.await);
        }
    });
}

#[test]
fn a_winner_that_comes_second_has_lost() {
    everywhere(|| async {
        let (go, told) = promise();
        let obstinate = async move {
            // It gives a value although it is cancelled.
            let _cancelled = catch_cancelled(pending::<()>()).await;
            Ok(1)
        };
        let winner = async move {
            told.await;
            Ok(2)
        };
        let race = spawn(staggered_race(
            [candidate(obstinate), candidate(winner)],
            Duration::ZERO,
        ));
        go.set(()).unwrap();
        let race = race.await;
        assert_eq!(race.winner, Some((1, 2)));
        assert_eq!(errors(&race), [Some("cancelled"), None]);
    });
}

#[test]
fn a_panic_goes_on_in_the_race_when_the_others_have_ended() {
    everywhere(|| async {
        let (ended, has_ended) = promise();
        let other = async move {
            let _cancelled = catch_cancelled(pending::<()>()).await;
            yield_now().await;
            ended.set(()).unwrap();
            Err("stopped")
        };
        let bad = async { panic!("a bad candidate") };
        let race = staggered_race([candidate(other), candidate(bad)], Duration::ZERO);
        let payload = AssertUnwindSafe(race).catch_unwind().await.unwrap_err();
        assert_eq!(payload.downcast_ref(), Some(&"a bad candidate"));
        assert!(has_ended.is_finished());
    });
}
