//! Timers: an owner that fires, cancels, replaces and reuses, against threads that cancel and ask.
//!
//! Where it matters, keys reach the other threads through a mailbox that loom does not see. So
//! nothing but the slot's own orderings puts one thread's use of a waker before another's, and a
//! missing one is reported as a race on the waker's cell. Every waker is counted: a waker that came
//! out twice, or not at all, shows in its token's count of handles.

use std::mem::ManuallyDrop;
use std::sync::atomic::AtomicUsize as Count;
use std::sync::{Arc as StdArc, Mutex as Mailbox};
use std::task::{Wake, Waker};

use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

use crate::explore::{three_threads, two_busy_threads, two_threads};
use crate::slots::Slots;
use crate::timer_queue::{TimerKey, TimerQueue, TimerShard};

/// What a waker wakes. Has a handle too many, so that it can tell a waker that was dropped twice.
struct Token {
    inner: StdArc<Woken>,
    spare: ManuallyDrop<StdArc<Woken>>,
}

#[derive(Default)]
struct Woken(Count);

impl Wake for Woken {
    fn wake(self: StdArc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Token {
    /// A token and its only waker.
    fn new() -> (Self, Waker) {
        let inner = StdArc::new(Woken::default());
        let waker = Waker::from(StdArc::clone(&inner));
        let spare = ManuallyDrop::new(StdArc::clone(&inner));
        (Self { inner, spare }, waker)
    }

    fn is_of(&self, waker: &Waker) -> bool {
        std::ptr::eq(waker.data().cast(), StdArc::as_ptr(&self.inner))
    }

    /// The waker is gone, and was woken so many times.
    fn finish(self, n_wakes: usize) {
        assert_eq!(
            StdArc::strong_count(&self.inner),
            2,
            "a waker was lost or doubled"
        );
        assert_eq!(self.inner.0.load(Ordering::Relaxed), n_wakes, "wakes");
        drop(ManuallyDrop::into_inner(self.spare));
    }
}

type Queue = TimerQueue<Waker, Arc<TimerShard<Waker>>>;

/// A queue whose first chunk of slots exists, so that keys are known to every thread spawned later.
fn queue() -> Queue {
    // SAFETY: (1), (2) The shard is new. (3) It is an `Arc`.
    let mut queue = unsafe { TimerQueue::with_shard(Arc::new(TimerShard::new())) };
    let key = queue.insert(0, Waker::noop().clone());
    drop(queue.cancel(key));
    queue
}

/// A thread that cancels the timer whose key it finds in the mailbox, if it does.
fn cancel_from_elsewhere(
    shard: &Arc<TimerShard<Waker>>,
    mailbox: &StdArc<Mailbox<Option<TimerKey>>>,
) -> thread::JoinHandle<Option<Waker>> {
    let shard = Arc::clone(shard);
    let mailbox = StdArc::clone(mailbox);
    thread::spawn(move || {
        let key = (*mailbox.lock().expect("never poisoned"))?;
        let waker = shard.cancel_remote(key);
        assert!(
            !shard.is_armed(key),
            "armed after it was cancelled or fired"
        );
        waker
    })
}

fn post(mailbox: &Mailbox<Option<TimerKey>>, key: TimerKey) {
    *mailbox.lock().expect("never poisoned") = Some(key);
}

/// Fires everything; the wakers are woken. Returns how many.
fn fire(queue: &mut Queue, now_ns: u64) -> usize {
    let mut fired = Vec::new();
    assert!(!queue.pop_expired(now_ns, &mut fired, usize::MAX));
    let n_fired = fired.len();
    fired.into_iter().for_each(|(_, waker)| waker.wake());
    n_fired
}

/// Fire against remote cancel: one of them gets the waker. Catches a claim or a take that is no
/// exchange, and Relaxed in `arm` (Release) or `take_remotely` (Acquire).
#[test]
fn a_timer_is_fired_or_cancelled() {
    two_busy_threads(|| {
        let mut queue = queue();
        let mailbox = StdArc::default();
        let canceller = cancel_from_elsewhere(queue.shard(), &mailbox);
        let (token, waker) = Token::new();
        let key = queue.insert(1, waker);
        post(&mailbox, key);
        let n_fired = fire(&mut queue, 1);
        assert!(!queue.shard().is_armed(key));
        let cancelled = canceller.join().expect("no panic");
        assert_eq!(n_fired + usize::from(cancelled.is_some()), 1);
        assert_eq!(queue.len(), 0);
        drop(cancelled);
        token.finish(n_fired);
    });
}

/// Owner's cancel against two remote ones: one of the three gets the waker. Catches exchanges that
/// do not compare.
#[test]
fn of_three_cancellations_one_succeeds() {
    three_threads(|| {
        let mut queue = queue();
        let mailbox = StdArc::default();
        let cancellers = [(); 2].map(|()| cancel_from_elsewhere(queue.shard(), &mailbox));
        let (token, waker) = Token::new();
        let key = queue.insert(1, waker);
        post(&mailbox, key);
        let mut n_cancelled = usize::from(queue.cancel(key).is_some());
        for canceller in cancellers {
            n_cancelled += usize::from(canceller.join().expect("no panic").is_some());
        }
        assert_eq!(n_cancelled, 1);
        assert_eq!(fire(&mut queue, 1), 0);
        token.finish(0);
    });
}

/// Whoever finds a timer gone sees what its owner did before it fired. Catches Relaxed in `claim`
/// (Release) or `is_armed` (Acquire).
#[test]
fn who_learns_that_it_fired_sees_the_clock() {
    two_threads(|| {
        let mut queue = queue();
        let (token, waker) = Token::new();
        let key = queue.insert(7, waker);
        let clock = Arc::new(AtomicUsize::new(0));
        let sleeper = {
            let shard = Arc::clone(queue.shard());
            let clock = Arc::clone(&clock);
            thread::spawn(move || {
                // Twice: a sleeper looks at every poll.
                for _ in 0..2 {
                    if !shard.is_armed(key) {
                        assert_eq!(clock.load(Ordering::Relaxed), 7, "fired early");
                    }
                }
            })
        };
        clock.store(7, Ordering::Relaxed);
        assert_eq!(fire(&mut queue, 7), 1);
        sleeper.join().expect("no panic");
        token.finish(1);
    });
}

/// A slot is reused only when its last waker is out of it, and a stale key leaves the next timer
/// alone. Catches a `settle` that frees a slot in `TAKING`, Relaxed in `settle` (Acquire) or after
/// the take (Release), and a generation that does not rise.
#[test]
fn a_slot_is_reused_when_it_is_empty() {
    two_busy_threads(|| {
        let mut queue = queue();
        let (token, waker) = Token::new();
        let stale = queue.insert(1, waker);
        let mailbox = StdArc::new(Mailbox::new(Some(stale)));
        let canceller = cancel_from_elsewhere(queue.shard(), &mailbox);
        let n_fired = fire(&mut queue, 1);
        let (next_token, next_waker) = Token::new();
        let next = queue.insert(2, next_waker);
        let cancelled = canceller.join().expect("no panic");
        assert_eq!(n_fired + usize::from(cancelled.is_some()), 1);
        drop(cancelled);
        token.finish(n_fired);
        assert!(
            queue.shard().is_armed(next),
            "a stale key ended another timer"
        );
        assert!(queue.shard().cancel_remote(stale).is_none());
        assert_eq!(fire(&mut queue, 2), 1);
        next_token.finish(1);
    });
}

/// Sweeping and draining against a remote cancel: the entry is cleared away once, and its slot is
/// good for the next timer. Catches a sweep that frees a slot in `TAKING`.
#[test]
fn a_sweep_and_a_drain_leave_slots_to_whoever_is_taking() {
    two_busy_threads(|| {
        let mut queue = queue();
        let (swept, drained) = (Token::new(), Token::new());
        let first = queue.insert(8, swept.1);
        let second = queue.insert(9, drained.1);
        // Marked and counted: reason to sweep.
        drop(queue.shard().cancel_remote(first));
        let mailbox = StdArc::new(Mailbox::new(Some(second)));
        let canceller = cancel_from_elsewhere(queue.shard(), &mailbox);
        assert_eq!(fire(&mut queue, 0), 0);
        let reusing = Token::new();
        let third = queue.insert(7, reusing.1);
        let mut wakers = Vec::new();
        queue.drain_all(&mut wakers);
        assert_eq!(queue.len(), 0);
        assert!(!queue.shard().is_armed(third));
        wakers.extend(canceller.join().expect("no panic"));
        assert_eq!(
            wakers.len(),
            2,
            "one for each timer that was not cancelled at first"
        );
        drop(wakers);
        swept.0.finish(0);
        drained.0.finish(0);
        reusing.0.finish(0);
    });
}

/// Replacing a waker against a remote cancel: each waker comes out once, and the looking before it
/// is no race. Catches a replacement without an exchange, and Relaxed in `arm` (Release).
#[test]
fn a_replaced_waker_and_its_successor_come_out_once() {
    two_threads(|| {
        let mut queue = queue();
        let (old_token, old) = Token::new();
        let (new_token, new) = Token::new();
        let key = queue.insert(1, old);
        let mailbox = StdArc::new(Mailbox::new(Some(key)));
        let canceller = {
            let shard = Arc::clone(queue.shard());
            let mailbox = StdArc::clone(&mailbox);
            thread::spawn(move || {
                let key = (*mailbox.lock().expect("never poisoned"))?;
                shard.cancel_remote(key)
            })
        };
        assert!(!queue.holds(key, |waker| waker.will_wake(&new)));
        let replaced = queue.replace(key, new);
        let n_fired = fire(&mut queue, 1);
        let cancelled = canceller.join().expect("no panic");
        assert_eq!(n_fired + usize::from(cancelled.is_some()), 1);
        match (&replaced, &cancelled) {
            (Ok(back), Some(cancelled)) => {
                assert!(old_token.is_of(back));
                assert!(new_token.is_of(cancelled));
            }
            (Ok(back), None) => assert!(old_token.is_of(back)),
            (Err(back), Some(cancelled)) => {
                assert!(new_token.is_of(back));
                assert!(old_token.is_of(cancelled));
            }
            (Err(_), None) => panic!("neither replaced nor cancelled"),
        }
        drop((replaced, cancelled));
        old_token.finish(0);
        new_token.finish(n_fired);
    });
}

/// A queue that is dropped with armed timers, against remote cancels of one of them: each waker is
/// dropped once, by a canceller or with the slots. Catches a slot that forgets its waker, or keeps
/// it after a cancellation.
#[test]
fn a_dropped_queue_keeps_no_waker() {
    two_threads(|| {
        let mut queue = queue();
        let (cancelled, armed) = (Token::new(), Token::new());
        let key = queue.insert(1, cancelled.1);
        queue.insert(1, armed.1);
        let shard = Arc::clone(queue.shard());
        let canceller = thread::spawn(move || drop(shard.cancel_remote(key)));
        let other = Arc::clone(queue.shard());
        drop(queue);
        let taken = other.cancel_remote(key);
        drop((other, taken));
        canceller.join().expect("no panic");
        cancelled.0.finish(0);
        armed.0.finish(0);
    });
}

/// Two threads that grow one chunk agree on it, and its elements are seen initialised. Catches
/// Relaxed in `grow` (Release) or `get` (Acquire), and a plain store instead of the exchange.
#[test]
fn growers_of_one_chunk_agree() {
    struct Element(loom::cell::UnsafeCell<usize>, AtomicUsize);
    impl Default for Element {
        fn default() -> Self {
            let cell = loom::cell::UnsafeCell::new(0);
            // A write that others have to see: elements are made by one thread, read by another.
            cell.with_mut(|_| ());
            Self(cell, AtomicUsize::new(0))
        }
    }
    struct Shared(Slots<Element>);
    two_threads(|| {
        let slots = Arc::new(Shared(Slots::new()));
        let other = {
            let slots = Arc::clone(&slots);
            thread::spawn(move || {
                let element = slots.0.get_or_grow(3);
                element.0.with(|_| ());
                element.1.fetch_add(1, Ordering::Relaxed);
            })
        };
        let element = slots.0.get_or_grow(5);
        element.0.with(|_| ());
        let early = slots
            .0
            .get(3)
            .map(|element| element.1.load(Ordering::Relaxed));
        assert!(early.is_some(), "a chunk that was there has gone");
        other.join().expect("no panic");
        let element = slots.0.get(3).expect("grown by the other thread");
        assert_eq!(
            element.1.load(Ordering::Relaxed),
            1,
            "two chunks for one range"
        );
    });
}
