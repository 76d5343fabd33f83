//! What a poller promises to the driver, on real descriptors.

use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::guard::{HANG, guarded};
use crate::poller::{Event, Events, Poller};

/// A place for one value on its way between two threads.
struct Mailbox<T> {
    value: Mutex<Option<T>>,
    filled: Condvar,
}

impl<T> Mailbox<T> {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            value: Mutex::new(None),
            filled: Condvar::new(),
        })
    }

    fn put(&self, value: T) {
        *self.value.lock() = Some(value);
        self.filled.notify_one();
    }

    fn take_within(&self, at_most: Duration) -> Option<T> {
        let mut value = self.value.lock();
        self.filled
            .wait_while_for(&mut value, |value| value.is_none(), at_most);
        value.take()
    }
}

fn pair() -> (UnixStream, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    (ours, theirs)
}

/// All that is reported without waiting.
fn reported(poller: &Poller) -> Vec<Event> {
    let mut events = Events::new();
    poller.wait(&mut events, Some(Duration::ZERO)).unwrap();
    events.iter().collect()
}

#[test]
fn what_is_ready_already_is_reported_after_add() {
    let poller = Poller::new().unwrap();
    let (ours, mut theirs) = pair();
    theirs.write_all(b"x").unwrap();
    poller.add(ours.as_fd(), 7).unwrap();
    let events = reported(&poller);
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].key, 7);
    assert!(events[0].readable && events[0].writable);
    assert!(!events[0].read_closed && !events[0].write_closed && !events[0].error);
}

#[test]
fn reports_are_edges() {
    let poller = Poller::new().unwrap();
    let (mut ours, mut theirs) = pair();
    poller.add(ours.as_fd(), 7).unwrap();
    assert!(reported(&poller).iter().all(|event| !event.readable));
    assert_eq!(reported(&poller), []);
    theirs.write_all(b"x").unwrap();
    assert!(reported(&poller)[0].readable);
    assert_eq!(reported(&poller), [], "nothing new happened");
    theirs.write_all(b"y").unwrap();
    assert!(
        reported(&poller)[0].readable,
        "more arrived, undrained or not"
    );
    assert_eq!(ours.read(&mut [0; 8]).unwrap(), 2);
}

#[cfg(target_os = "linux")]
#[test]
fn a_peer_that_ends_its_half_is_reported_with_its_last_data() {
    let poller = Poller::new().unwrap();
    let (ours, mut theirs) = pair();
    poller.add(ours.as_fd(), 7).unwrap();
    reported(&poller);
    theirs.write_all(b"x").unwrap();
    theirs.shutdown(std::net::Shutdown::Write).unwrap();
    let event = reported(&poller)[0];
    assert!(event.readable && event.read_closed && !event.write_closed);
    drop(theirs);
    assert!(reported(&poller)[0].write_closed);
}

#[test]
fn a_deleted_source_is_silent() {
    let poller = Poller::new().unwrap();
    let (ours, mut theirs) = pair();
    poller.add(ours.as_fd(), 7).unwrap();
    poller.delete(ours.as_fd()).unwrap();
    theirs.write_all(b"x").unwrap();
    assert_eq!(reported(&poller), []);
    poller.add(ours.as_fd(), 8).unwrap();
    assert_eq!(reported(&poller)[0].key, 8);
}

#[test]
fn a_notification_ends_the_next_wait_and_no_other() {
    let poller = Poller::new().unwrap();
    let mut events = Events::new();
    poller.notify().unwrap();
    poller.notify().unwrap();
    assert_ne!(poller.wait(&mut events, None).unwrap(), 0);
    assert!(events.notified());
    assert_eq!(events.iter().count(), 0, "it is not a report");
    assert_eq!(poller.wait(&mut events, Some(Duration::ZERO)).unwrap(), 0);
    assert!(!events.notified());
    poller.notify().unwrap();
    poller.wait(&mut events, None).unwrap();
    assert!(events.notified(), "it works again without being reset");
}

#[test]
fn a_notification_ends_a_wait_that_has_begun() {
    guarded("a notification ends a wait that has begun", || {
        let poller = Arc::new(Poller::new().unwrap());
        let is_done = Mailbox::new();
        let waiter = thread::spawn({
            let poller = Arc::clone(&poller);
            let done = Arc::clone(&is_done);
            move || {
                let mut events = Events::new();
                while !events.notified() {
                    poller.wait(&mut events, None).unwrap();
                }
                done.put(());
            }
        });
        poller.notify().unwrap();
        is_done.take_within(HANG).expect("the waiter sleeps on");
        waiter.join().unwrap();
    });
}

#[test]
fn a_visitor_may_wait_beside_the_owner() {
    guarded("a visitor may wait beside the owner", || {
        let poller = Arc::new(Poller::new().unwrap());
        let (mut ours, mut theirs) = pair();
        poller.add(ours.as_fd(), 7).unwrap();
        reported(&poller);
        let is_done = Mailbox::new();
        let owner = thread::spawn({
            let poller = Arc::clone(&poller);
            let done = Arc::clone(&is_done);
            move || {
                let mut events = Events::new();
                let mut n_seen = 0;
                while !events.notified() {
                    poller.wait(&mut events, None).unwrap();
                    n_seen += events.iter().count();
                }
                done.put(n_seen);
            }
        });
        // Each edge goes to one of the two.
        let mut n_seen = 0;
        for _ in 0..1_000 {
            theirs.write_all(b"x").unwrap();
            n_seen += reported(&poller).len();
            assert_eq!(ours.read(&mut [0; 8]).unwrap(), 1);
        }
        poller.notify().unwrap();
        n_seen += is_done.take_within(HANG).expect("the owner sleeps on");
        owner.join().unwrap();
        assert!(n_seen > 0);
    });
}

#[test]
fn a_wait_lasts_as_long_as_asked_for() {
    let poller = Poller::new().unwrap();
    let mut events = Events::new();
    for timeout_us in [1, 10, 200, 1_500] {
        let timeout = Duration::from_micros(timeout_us);
        let started = Instant::now();
        // A signal may end it early, with nothing to report; tests send each other none.
        assert_eq!(poller.wait(&mut events, Some(timeout)).unwrap(), 0);
        assert!(
            started.elapsed() >= timeout,
            "{timeout:?} was rounded down: the caller would turn in circles"
        );
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_wait_is_not_rounded_up_to_milliseconds() {
    let poller = Poller::new().unwrap();
    let mut events = Events::new();
    let shortest = (0..200)
        .map(|_| {
            let started = Instant::now();
            poller
                .wait(&mut events, Some(Duration::from_micros(10)))
                .unwrap();
            started.elapsed()
        })
        .min()
        .unwrap();
    assert!(shortest < Duration::from_millis(1), "took {shortest:?}");
}

#[test]
fn an_endless_timeout_is_no_overflow() {
    let poller = Poller::new().unwrap();
    poller.notify().unwrap();
    let mut events = Events::new();
    assert_ne!(
        poller.wait(&mut events, Some(Duration::MAX)).unwrap(),
        0,
        "the notification"
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_signal_is_not_an_error() {
    guarded("a signal is not an error", || {
        extern "C" fn ignore(_: libc::c_int) {}
        // SAFETY: an all-zero `sigaction` is valid: no flags (hence no `SA_RESTART`), an empty mask.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        action.sa_sigaction = ignore as extern "C" fn(libc::c_int) as usize;
        // SAFETY: the handler does nothing, so it is safe in a signal; both pointers are valid or null.
        let installed =
            unsafe { libc::sigaction(libc::SIGUSR2, &raw const action, std::ptr::null_mut()) };
        assert_eq!(installed, 0);

        let poller = Arc::new(Poller::new().unwrap());
        let is_ready = Mailbox::new();
        let is_done = Mailbox::new();
        let waiter = thread::spawn({
            let poller = Arc::clone(&poller);
            let (ready, done) = (Arc::clone(&is_ready), Arc::clone(&is_done));
            move || {
                // SAFETY: takes nothing, always succeeds.
                ready.put(unsafe { libc::pthread_self() });
                done.put(poller.wait(&mut Events::new(), None));
                // Stays a valid target until the sender has heard of it.
                let mut events = Events::new();
                while !events.notified() {
                    poller.wait(&mut events, None).unwrap();
                }
            }
        });
        let thread_id = is_ready.take_within(HANG).unwrap();
        let outcome = loop {
            // SAFETY: the thread runs until it is notified, below.
            assert_eq!(unsafe { libc::pthread_kill(thread_id, libc::SIGUSR2) }, 0);
            // The signal may have come before the wait; then it is sent again.
            if let Some(outcome) = is_done.take_within(Duration::from_millis(1)) {
                break outcome;
            }
        };
        assert_eq!(outcome.unwrap(), 0);
        poller.notify().unwrap();
        waiter.join().unwrap();
    });
}
