//! `Timer`: on virtual time, to the millisecond.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures::poll;
use hyper::rt::{Sleep, Timer as _};
use tasca_core::{Runtime, time};
use tasca_hyper::Timer;

use crate::guard::guarded;

const SECOND: Duration = Duration::from_secs(1);

/// Runs `test` on virtual time.
fn run<F: Future<Output = ()>>(test: impl FnOnce(Timer) -> F + Send + 'static) {
    guarded("virtual time", || {
        let rt = Runtime::builder().deterministic(0).build().unwrap();
        rt.block_on(test(Timer::new()));
    });
}

#[test]
fn a_sleep_ends_when_it_should() {
    run(|timer| async move {
        let begin = timer.now();
        timer.sleep(SECOND).await;
        assert_eq!(timer.now() - begin, SECOND);
        timer.sleep_until(begin + 3 * SECOND).await;
        assert_eq!(timer.now() - begin, 3 * SECOND);
        timer.sleep_until(begin).await;
        assert_eq!(timer.now() - begin, 3 * SECOND);
    });
}

#[test]
fn a_sleep_that_has_begun_is_reset_to_later_and_to_earlier() {
    run(|timer| async move {
        let begin = timer.now();
        let mut sleep = timer.sleep_until(begin + 10 * SECOND);
        assert!(poll!(&mut sleep).is_pending());
        timer.reset(&mut sleep, begin + 20 * SECOND);
        time::sleep(15 * SECOND).await;
        assert!(
            poll!(&mut sleep).is_pending(),
            "the old deadline is forgotten"
        );
        timer.reset(&mut sleep, begin + 16 * SECOND);
        sleep.await;
        assert_eq!(timer.now() - begin, 16 * SECOND);
    });
}

#[test]
fn a_sleep_that_is_over_is_used_again() {
    run(|timer| async move {
        let begin = timer.now();
        let mut sleep = timer.sleep(SECOND);
        (&mut sleep).await;
        timer.reset(&mut sleep, begin + 5 * SECOND);
        sleep.await;
        assert_eq!(timer.now() - begin, 5 * SECOND);
    });
}

#[test]
fn a_sleep_of_another_library_is_replaced() {
    struct Never;
    impl Future for Never {
        type Output = ();
        fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
            Poll::Pending
        }
    }
    impl Sleep for Never {}

    run(|timer| async move {
        let begin = timer.now();
        let mut sleep: Pin<Box<dyn Sleep>> = Box::pin(Never);
        timer.reset(&mut sleep, begin + SECOND);
        sleep.await;
        assert_eq!(timer.now() - begin, SECOND);
    });
}

#[test]
fn outside_a_runtime_the_time_is_that_of_the_system() {
    let before = Instant::now();
    let now = Timer::new().now();
    assert!(before <= now && now <= Instant::now());
}
