//! Registrations, events and waiters on real descriptors.

use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use crate::driver::{Direction, Driver, Registration, Snapshot, Wait};
use crate::poller::Events;

use Direction::{Read as Reading, Write as Writing};

/// Counts how often it is woken.
#[derive(Debug, Default)]
struct Counter(AtomicUsize);

impl Wake for Counter {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Counter {
    fn new() -> (Arc<Self>, Waker) {
        let counter = Arc::new(Self::default());
        let waker = Waker::from(Arc::clone(&counter));
        (counter, waker)
    }

    fn n_wakes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

fn driver() -> Arc<Driver> {
    Arc::new(Driver::new(1, 0).unwrap())
}

fn pair() -> (UnixStream, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    theirs.set_nonblocking(true).unwrap();
    (ours, theirs)
}

/// Collects what happened and wakes who waited; gives how many were woken.
fn turn(driver: &Driver) -> usize {
    let mut wakers = Vec::new();
    driver
        .turn(0, Some(Duration::ZERO), &mut Events::new(), &mut wakers)
        .unwrap();
    let n_woken = wakers.len();
    wakers.into_iter().for_each(Waker::wake);
    n_woken
}

/// Asks as a `poll_` function does.
fn poll(
    registration: &Registration,
    source: &UnixStream,
    direction: Direction,
    waker: &Waker,
) -> Option<Snapshot> {
    match registration.poll_ready(&Context::from_waker(waker), direction, Wait::Polled) {
        Poll::Ready(seen) => Some(seen.unwrap()),
        Poll::Pending => {
            registration.arm(source.as_fd()).unwrap();
            None
        }
    }
}

/// Registers `source` and uses up the first report: writable, not readable.
fn register_idle(driver: &Arc<Driver>, source: &UnixStream) -> Registration {
    let registration = Driver::register(driver, source.as_fd(), 0).unwrap();
    assert_eq!(turn(driver), 0);
    assert!(poll(&registration, source, Reading, Waker::noop()).is_none());
    registration.remove_waiter(Reading, &Wait::Polled);
    registration
}

#[test]
fn data_wakes_the_reader_once() {
    let driver = driver();
    let (ours, mut theirs) = pair();
    let registration = register_idle(&driver, &ours);
    let (counter, waker) = Counter::new();
    assert!(poll(&registration, &ours, Reading, &waker).is_none());
    theirs.write_all(b"x").unwrap();
    assert_eq!(turn(&driver), 1);
    theirs.write_all(b"y").unwrap();
    assert_eq!(turn(&driver), 0, "nobody waits any more");
    assert_eq!(counter.n_wakes(), 1);
    assert!(poll(&registration, &ours, Reading, &waker).is_some());
}

#[test]
fn readiness_from_before_the_registration_is_found() {
    let driver = driver();
    let (ours, mut theirs) = pair();
    theirs.write_all(b"x").unwrap();
    let registration = Driver::register(&driver, ours.as_fd(), 0).unwrap();
    let (counter, waker) = Counter::new();
    assert!(poll(&registration, &ours, Reading, &waker).is_none());
    turn(&driver);
    assert_eq!(counter.n_wakes(), 1);
}

#[test]
fn cleared_readiness_comes_back_with_new_data() {
    let driver = driver();
    let (ours, mut theirs) = pair();
    let registration = register_idle(&driver, &ours);
    theirs.write_all(b"x").unwrap();
    turn(&driver);
    let seen = poll(&registration, &ours, Reading, Waker::noop()).unwrap();
    assert_eq!((&ours).read(&mut [0; 8]).unwrap(), 1);
    registration.clear_ready(seen, Reading);
    assert!(poll(&registration, &ours, Reading, Waker::noop()).is_none());
    theirs.write_all(b"y").unwrap();
    turn(&driver);
    assert!(poll(&registration, &ours, Reading, Waker::noop()).is_some());
}

#[test]
fn an_event_in_between_refuses_the_clear() {
    let driver = driver();
    if driver.poller(0).needs_arming() {
        return; // nothing comes unasked for
    }
    let (ours, mut theirs) = pair();
    let registration = register_idle(&driver, &ours);
    theirs.write_all(b"x").unwrap();
    turn(&driver);
    let seen = poll(&registration, &ours, Reading, Waker::noop()).unwrap();
    assert_eq!((&ours).read(&mut [0; 8]).unwrap(), 1);
    theirs.write_all(b"y").unwrap();
    turn(&driver);
    registration.clear_ready(seen, Reading);
    assert!(poll(&registration, &ours, Reading, Waker::noop()).is_some());
}

#[test]
fn clearing_one_direction_leaves_the_other() {
    let driver = driver();
    let (ours, mut theirs) = pair();
    let registration = register_idle(&driver, &ours);
    theirs.write_all(b"x").unwrap();
    turn(&driver);
    let seen = poll(&registration, &ours, Writing, Waker::noop()).unwrap();
    registration.clear_ready(seen, Writing);
    assert!(poll(&registration, &ours, Writing, Waker::noop()).is_none());
    assert!(poll(&registration, &ours, Reading, Waker::noop()).is_some());
}

#[test]
fn a_short_read_clears_unless_the_peer_hung_up() {
    let driver = driver();
    let (ours, mut theirs) = pair();
    let registration = register_idle(&driver, &ours);
    theirs.write_all(b"x").unwrap();
    turn(&driver);
    let seen = poll(&registration, &ours, Reading, Waker::noop()).unwrap();
    registration.clear_ready_after_short_transfer(seen, Reading);
    let cleared = poll(&registration, &ours, Reading, Waker::noop()).is_none();
    assert_eq!(cleared, crate::poller::SHORT_TRANSFER_DRAINS);

    theirs.write_all(b"y").unwrap();
    drop(theirs);
    turn(&driver);
    let seen = poll(&registration, &ours, Reading, Waker::noop()).unwrap();
    registration.clear_ready_after_short_transfer(seen, Reading);
    assert!(
        poll(&registration, &ours, Reading, Waker::noop()).is_some(),
        "the end of the stream is still to be read"
    );
}

#[test]
fn all_futures_that_wait_are_woken_and_none_that_left() {
    let driver = driver();
    let (ours, mut theirs) = pair();
    let registration = register_idle(&driver, &ours);
    let waiters: Vec<_> = (0..5).map(|_| Counter::new()).collect();
    let mut ids = vec![None; waiters.len()];
    for ((_, waker), id) in waiters.iter().zip(&mut ids) {
        let cx = Context::from_waker(waker);
        // Twice: the second takes the place of the first.
        for _ in 0..2 {
            let polled = registration.poll_ready(&cx, Reading, Wait::Listed(id));
            assert!(polled.is_pending());
        }
    }
    registration.arm(ours.as_fd()).unwrap();
    registration.remove_waiter(Reading, &Wait::Listed(&mut ids[2]));
    theirs.write_all(b"x").unwrap();
    assert_eq!(turn(&driver), 4);
    let n_wakes: Vec<_> = waiters
        .iter()
        .map(|(counter, _)| counter.n_wakes())
        .collect();
    assert_eq!(n_wakes, [1, 1, 0, 1, 1]);
    assert_eq!(Arc::strong_count(&waiters[2].0), 2, "its waker was dropped");
}

#[test]
fn an_event_of_an_earlier_registration_is_ignored() {
    let driver = driver();
    let (first, mut first_peer) = pair();
    let (second, _second_peer) = pair();
    // Dropped without a word to the poller, which goes on reporting on it.
    drop(register_idle(&driver, &first));
    let registration = register_idle(&driver, &second);
    let (counter, waker) = Counter::new();
    assert!(poll(&registration, &second, Reading, &waker).is_none());
    first_peer.write_all(b"x").unwrap();
    assert_eq!(turn(&driver), 0);
    assert_eq!(counter.n_wakes(), 0);
    assert!(poll(&registration, &second, Reading, &waker).is_none());
}

#[test]
fn a_deregistered_source_can_be_registered_again() {
    let driver = driver();
    let (ours, mut theirs) = pair();
    let (counter, waker) = Counter::new();
    let registration = register_idle(&driver, &ours);
    assert!(poll(&registration, &ours, Reading, &waker).is_none());
    registration.deregister(ours.as_fd()).unwrap();
    assert_eq!(
        Arc::strong_count(&counter),
        2,
        "the remembered waker was released"
    );
    let registration = register_idle(&driver, &ours);
    theirs.write_all(b"x").unwrap();
    turn(&driver);
    assert!(poll(&registration, &ours, Reading, &waker).is_some());
}

#[test]
fn a_failed_registration_concerns_its_caller_alone() {
    let driver = driver();
    let (ours, mut theirs) = pair();
    let registration = register_idle(&driver, &ours);
    let directory = std::fs::File::open("/").unwrap();
    let error = Driver::register(&driver, directory.as_fd(), 0).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied);
    theirs.write_all(b"x").unwrap();
    turn(&driver);
    assert!(poll(&registration, &ours, Reading, Waker::noop()).is_some());
    let (third, _third_peer) = pair();
    register_idle(&driver, &third);
}

#[test]
fn shutdown_ends_every_wait() {
    let driver = driver();
    let (ours, _theirs) = pair();
    let registration = register_idle(&driver, &ours);
    let (counter, waker) = Counter::new();
    let cx = Context::from_waker(&waker);
    let mut id = None;
    assert!(poll(&registration, &ours, Reading, &waker).is_none());
    assert!(
        registration
            .poll_ready(&cx, Reading, Wait::Listed(&mut id))
            .is_pending()
    );
    driver.shutdown().into_iter().for_each(Waker::wake);
    assert_eq!(counter.n_wakes(), 2);
    let Poll::Ready(Err(error)) = registration.poll_ready(&cx, Reading, Wait::Polled) else {
        panic!("the wait goes on");
    };
    assert!(error.to_string().contains("has shut down"), "{error}");
    let error = Driver::register(&driver, ours.as_fd(), 0).unwrap_err();
    assert!(error.to_string().contains("has shut down"), "{error}");
}

#[test]
fn a_visitor_passes_the_notification_on() {
    let driver = driver();
    let (ours, mut theirs) = pair();
    let registration = register_idle(&driver, &ours);
    let (counter, waker) = Counter::new();
    assert!(poll(&registration, &ours, Reading, &waker).is_none());
    theirs.write_all(b"x").unwrap();
    driver.poller(0).notify().unwrap();
    let mut events = Events::new();
    let mut wakers = Vec::new();
    driver.visit(0, &mut events, &mut wakers).unwrap();
    wakers.drain(..).for_each(Waker::wake);
    assert_eq!(
        counter.n_wakes(),
        1,
        "the visitor serves the stuck worker's sources"
    );
    driver.turn(0, None, &mut events, &mut wakers).unwrap();
    assert!(events.notified(), "the worker gets what was meant for it");
}

#[test]
fn slots_are_used_again() {
    let driver = driver();
    for _ in 0..10_000 {
        let (ours, mut theirs) = pair();
        let registration = register_idle(&driver, &ours);
        theirs.write_all(b"x").unwrap();
        turn(&driver);
        assert!(poll(&registration, &ours, Reading, Waker::noop()).is_some());
        registration.deregister_before_close(ours.as_fd()).unwrap();
    }
}

#[test]
fn a_blocked_writer_is_woken_when_there_is_room() {
    let driver = driver();
    let (ours, mut theirs) = pair();
    let registration = register_idle(&driver, &ours);
    let seen = poll(&registration, &ours, Writing, Waker::noop()).unwrap();
    let block = [0_u8; 1 << 16];
    while (&ours).write(&block).is_ok() {}
    registration.clear_ready(seen, Writing);
    let (counter, waker) = Counter::new();
    assert!(poll(&registration, &ours, Writing, &waker).is_none());
    let mut buffer = vec![0_u8; 1 << 20];
    while theirs.read(&mut buffer).is_ok() {}
    turn(&driver);
    assert_eq!(counter.n_wakes(), 1);
    assert!((&ours).write(&block).is_ok());
}
