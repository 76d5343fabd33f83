//! Timers fire in order, once, and every waker that goes in comes out or is dropped.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};

use parking_lot::Mutex;

use crate::timer_queue::{TimerKey, TimerQueue, TimerShard};

type Queue = TimerQueue<Waker, Arc<TimerShard<Waker>>>;

fn new_queue() -> Queue {
    // SAFETY: (1), (2) The shard is new. (3) It is an `Arc`.
    unsafe { TimerQueue::with_shard(Arc::new(TimerShard::new())) }
}

/// Scales a count down where every step is interpreted.
const fn count(n: usize) -> usize {
    if cfg!(miri) { n / 200 } else { n }
}

/// Makes wakers that write their number into a log, and counts those that exist.
#[derive(Clone, Default)]
struct Wakers {
    log: Arc<Mutex<Vec<u64>>>,
    n_living: Arc<AtomicUsize>,
}

struct Numbered {
    number: u64,
    wakers: Wakers,
}

impl Wake for Numbered {
    fn wake(self: Arc<Self>) {
        self.wakers.log.lock().push(self.number);
    }
}

impl Drop for Numbered {
    fn drop(&mut self) {
        self.wakers.n_living.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Wakers {
    fn make(&self, number: u64) -> Waker {
        self.n_living.fetch_add(1, Ordering::Relaxed);
        Waker::from(Arc::new(Numbered {
            number,
            wakers: self.clone(),
        }))
    }

    fn n_living(&self) -> usize {
        self.n_living.load(Ordering::Relaxed)
    }

    /// Wakes all of `taken` and returns their numbers, in order.
    fn wake_all(&self, taken: impl IntoIterator<Item = Waker>) -> Vec<u64> {
        taken.into_iter().for_each(Waker::wake);
        std::mem::take(&mut *self.log.lock())
    }

    /// Fires what is due and returns the numbers, in order.
    fn fire(&self, queue: &mut Queue, now_ns: u64) -> Vec<u64> {
        let mut fired = Vec::new();
        assert!(!queue.pop_expired(now_ns, &mut fired, usize::MAX));
        self.wake_all(wakers_of(fired))
    }
}

fn wakers_of(fired: Vec<(TimerKey, Waker)>) -> impl Iterator<Item = Waker> {
    fired.into_iter().map(|(_, waker)| waker)
}

/// Xorshift: all that the tests need of chance, with a seed that can be printed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

#[test]
fn an_empty_queue_has_nothing_to_do() {
    let mut queue = new_queue();
    let mut fired = Vec::new();
    assert_eq!(queue.next_deadline(), None);
    assert_eq!(queue.len(), 0);
    assert!(!queue.pop_expired(u64::MAX, &mut fired, 10));
    assert!(fired.is_empty());
    let mut drained: Vec<Waker> = Vec::new();
    queue.drain_all(&mut drained);
    assert!(drained.is_empty());
}

#[test]
fn a_timer_fires_at_its_deadline_and_not_a_nanosecond_earlier() {
    let wakers = Wakers::default();
    for deadline in [0, 1, 1_000, u64::MAX] {
        let mut queue = new_queue();
        let key = queue.insert(deadline, wakers.make(deadline));
        assert_eq!(queue.next_deadline(), Some(deadline));
        if let Some(before) = deadline.checked_sub(1) {
            assert_eq!(wakers.fire(&mut queue, before), []);
        }
        assert!(queue.shard().is_armed(key));
        assert_eq!(wakers.fire(&mut queue, deadline), [deadline]);
        assert!(!queue.shard().is_armed(key));
        assert_eq!(queue.len(), 0);
        assert_eq!(wakers.n_living(), 0);
    }
}

#[test]
fn deadlines_fire_in_order_wherever_they_wait() {
    let wakers = Wakers::default();
    let mut queue = new_queue();
    // More than stay unsorted, so that some wait in the heap and the last ones do not.
    for n in 0..77 {
        let deadline = n * 31 % 77;
        queue.insert(deadline, wakers.make(deadline));
    }
    assert_eq!(wakers.fire(&mut queue, 39), (0..=39).collect::<Vec<_>>());
    assert_eq!(queue.next_deadline(), Some(40));
    assert_eq!(wakers.fire(&mut queue, 100), (40..77).collect::<Vec<_>>());
}

#[test]
fn equal_deadlines_fire_in_arming_order() {
    let wakers = Wakers::default();
    for n_timers in [2, 32, 33, 64, 500] {
        let mut queue = new_queue();
        // Cancelling from both ends leaves the free list and the heap in disorder.
        let mut old: VecDeque<TimerKey> = (0..n_timers)
            .map(|n| queue.insert(n, wakers.make(n)))
            .collect();
        for n in 0..n_timers {
            let key = if n % 3 == 0 {
                old.pop_back()
            } else {
                old.pop_front()
            };
            drop(queue.cancel(key.expect("one for each")));
            queue.insert(1_000, wakers.make(n));
        }
        assert_eq!(wakers.fire(&mut queue, 999), []);
        assert_eq!(
            wakers.fire(&mut queue, 1_000),
            (0..n_timers).collect::<Vec<_>>()
        );
    }
    assert_eq!(wakers.n_living(), 0);
}

#[test]
fn equal_deadlines_fire_in_arming_order_across_calls_with_a_limit() {
    let wakers = Wakers::default();
    let mut queue = new_queue();
    let mut fired = Vec::new();
    for n in 0..50 {
        queue.insert(7, wakers.make(n));
    }
    for limit in [0, 1, 20] {
        assert!(queue.pop_expired(7, &mut fired, limit));
    }
    queue.insert(7, wakers.make(50));
    assert!(
        !queue.pop_expired(7, &mut fired, 30),
        "exactly the limit was due"
    );
    assert_eq!(
        wakers.wake_all(wakers_of(fired)),
        (0..51).collect::<Vec<_>>()
    );
}

#[test]
fn a_timer_fires_in_the_turn_that_was_taken_for_it() {
    let wakers = Wakers::default();
    let mut queue = new_queue();
    queue.insert(5, wakers.make(0));
    let early = queue.newest_turn().next();
    queue.insert_in_turn(7, early.next(), wakers.make(3));
    queue.insert(6, wakers.make(1));
    queue.insert_in_turn(7, early, wakers.make(2));
    queue.insert(7, wakers.make(4));
    assert_eq!(wakers.fire(&mut queue, 7), [0, 1, 2, 3, 4]);
}

#[test]
fn what_waits_for_a_reading_of_the_clock_counts_from_it() {
    let wakers = Wakers::default();
    let mut queue = new_queue();
    assert_eq!(wakers.fire(&mut queue, 10), []);
    for (number, delay_ns) in [(2, 7), (0, 3), (4, 1_000_000_000), (1, 3)] {
        let turn = queue.newest_turn().next();
        queue.insert_uncounted(delay_ns, turn, wakers.make(number));
    }
    assert_eq!(queue.len(), 4);
    assert_eq!(queue.next_look(), Some(10), "the clock is to be read");
    assert_eq!(queue.next_deadline(), Some(10));
    queue.note_reading(|| 50);
    assert_eq!(queue.next_deadline(), Some(53));
    queue.note_reading(|| panic!("nothing waits for it"));
    assert_eq!(wakers.fire(&mut queue, 52), []);
    assert_eq!(wakers.fire(&mut queue, 53), [0, 1]);
    // A look of the owner is a reading.
    let turn = queue.newest_turn().next();
    queue.insert_uncounted(3, turn, wakers.make(3));
    assert_eq!(wakers.fire(&mut queue, 1_000_000_049), [2]);
    assert_eq!(wakers.fire(&mut queue, 1_000_000_052), [4, 3]);
    assert_eq!((queue.len(), queue.next_look()), (0, None));
}

#[test]
fn a_crowd_ends_with_the_last_that_is_due_soon_after_the_first() {
    fn check(what: &str, deadlines: impl IntoIterator<Item = u64>, end: u64) {
        let wakers = Wakers::default();
        let mut queue = new_queue();
        for deadline_ns in deadlines {
            queue.insert(deadline_ns, wakers.make(deadline_ns));
        }
        let first = queue.next_look().unwrap();
        assert_eq!(queue.end_of_crowd(first, 50), end, "{what}");
    }
    check("one is no crowd", [100], 100);
    check("three are no crowd", [110, 100, 120], 100);
    check("four are one", [110, 100, 150, 120], 150);
    check("the fourth comes too late", [110, 100, 151, 120], 100);
    check(
        "what comes later is left out",
        [110, 100, 400, 130, 120],
        130,
    );
    check("all at the same time", [100; 9], 100);
    check("a crowd in the heap", (100..140).map(|n| n * 2), 250);
    check("few and many later", (0..40).map(|n| n * 60), 0);
}

#[test]
fn what_waits_for_a_reading_waits_for_no_crowd() {
    let wakers = Wakers::default();
    let mut queue = new_queue();
    for number in 0..9 {
        queue.insert(10 + number, wakers.make(number));
    }
    assert_eq!(queue.end_of_crowd(10, 50), 18);
    let turn = queue.newest_turn().next();
    queue.insert_uncounted(3, turn, wakers.make(9));
    assert_eq!(queue.end_of_crowd(10, 50), 10);
}

#[test]
fn what_waits_for_a_reading_keeps_its_turn() {
    let wakers = Wakers::default();
    let mut queue = new_queue();
    let turn = queue.newest_turn().next();
    let far = 1_000_000_000;
    queue.insert_uncounted(5, turn, wakers.make(0));
    queue.insert_uncounted(far, turn.next(), wakers.make(2));
    queue.note_reading(|| 10);
    queue.insert(15, wakers.make(1));
    queue.insert(10 + far, wakers.make(3));
    assert_eq!(wakers.fire(&mut queue, 10 + far), [0, 1, 2, 3]);
}

#[test]
fn what_waits_for_a_reading_is_cancelled_like_any_other() {
    let wakers = Wakers::default();
    let mut queue = new_queue();
    let mut arm = |number| {
        let turn = queue.newest_turn().next();
        queue.insert_uncounted(5, turn, wakers.make(number))
    };
    let keys: [TimerKey; 6] = std::array::from_fn(|number| arm(number as u64));
    drop(queue.cancel(keys[0]).expect("armed"));
    drop(queue.shard().cancel_remote(keys[1]).expect("armed"));
    assert_eq!(queue.deadline_of(keys[0], 1), None);
    assert_eq!(queue.deadline_of(keys[1], 1), None);
    assert_eq!(queue.deadline_of(keys[2], 2), Some(6), "counted before");
    assert_eq!(wakers.fire(&mut queue, 6), [2, 3, 4, 5]);
    let key = queue.insert_uncounted(5, queue.newest_turn().next(), wakers.make(6));
    let mut drained = Vec::new();
    queue.drain_all(&mut drained);
    assert_eq!(drained.len(), 1);
    assert!(!queue.shard().is_armed(key));
    drop(drained);
    assert_eq!((queue.len(), wakers.n_living()), (0, 0));
}

#[test]
fn cancelling_gives_the_waker_back_once() {
    let wakers = Wakers::default();
    let mut queue = new_queue();
    let keys: Vec<TimerKey> = (0..100).map(|n| queue.insert(n, wakers.make(n))).collect();
    for (n, &key) in keys.iter().enumerate() {
        assert!(queue.shard().is_armed(key));
        let waker = queue.cancel(key).expect("armed");
        assert!(!queue.shard().is_armed(key));
        assert!(queue.cancel(key).is_none());
        assert!(queue.shard().cancel_remote(key).is_none());
        assert_eq!(wakers.wake_all([waker]), [n as u64]);
        assert_eq!(queue.len(), 99 - n);
        let earliest = (n < 99).then_some(n as u64 + 1);
        assert_eq!(
            queue.next_deadline(),
            earliest,
            "the owner leaves no stale deadline"
        );
    }
    assert_eq!(wakers.fire(&mut queue, u64::MAX), []);
}

#[test]
fn a_stale_key_is_a_stranger_to_the_slot_s_next_timer() {
    let wakers = Wakers::default();
    let mut queue = new_queue();
    let mut stale = Vec::new();
    for n in 0..10 {
        // Each way of ending a timer frees its slot for the next one.
        let key = queue.insert(n, wakers.make(n));
        match n % 3 {
            0 => drop(queue.cancel(key)),
            1 => drop(queue.shard().cancel_remote(key)),
            _ => assert_eq!(wakers.fire(&mut queue, n), [n]),
        }
        assert_eq!(wakers.fire(&mut queue, n), []);
        stale.push(key);
        let current = queue.insert(1_000, wakers.make(1_000));
        for &key in &stale {
            assert_ne!(key, current);
            assert!(!queue.shard().is_armed(key));
            assert!(queue.cancel(key).is_none());
            assert!(queue.shard().cancel_remote(key).is_none());
            assert!(!queue.holds(key, |waker| waker.will_wake(Waker::noop())));
            assert!(queue.replace(key, Waker::noop().clone()).is_err());
        }
        assert!(queue.shard().is_armed(current));
        drop(queue.cancel(current));
        stale.push(current);
    }
    assert_eq!(wakers.n_living(), 0);
}

#[test]
fn a_key_of_another_queue_does_no_harm() {
    let wakers = Wakers::default();
    let mut large = new_queue();
    let keys: Vec<TimerKey> = (0..300).map(|n| large.insert(n, wakers.make(n))).collect();
    let mut empty = new_queue();
    for key in keys {
        assert!(!empty.shard().is_armed(key));
        assert!(empty.cancel(key).is_none());
        assert!(empty.shard().cancel_remote(key).is_none());
        assert!(empty.replace(key, Waker::noop().clone()).is_err());
    }
}

#[test]
fn a_remotely_cancelled_timer_never_fires() {
    let wakers = Wakers::default();
    let mut queue = new_queue();
    let keys: Vec<TimerKey> = (0..100).map(|n| queue.insert(n, wakers.make(n))).collect();
    for key in keys.iter().step_by(10) {
        drop(queue.shard().cancel_remote(*key).expect("armed"));
        assert!(!queue.shard().is_armed(*key));
        assert!(queue.cancel(*key).is_none());
    }
    assert_eq!(
        wakers.n_living(),
        90,
        "a cancelled timer's waker is not kept"
    );
    assert_eq!(queue.next_deadline(), Some(0), "early, but not late");
    let expected: Vec<u64> = (0..100).filter(|n| n % 10 != 0).collect();
    assert_eq!(wakers.fire(&mut queue, 100), expected);
    assert_eq!(queue.len(), 0);
    assert_eq!(wakers.n_living(), 0);
}

#[test]
fn remotely_cancelled_timers_are_swept_above_a_quarter() {
    let wakers = Wakers::default();
    let mut queue = new_queue();
    let keys: Vec<TimerKey> = (1..=1_000)
        .map(|n| queue.insert(n, wakers.make(n)))
        .collect();
    for &key in &keys[..250] {
        drop(queue.shard().cancel_remote(key));
    }
    assert_eq!(wakers.fire(&mut queue, 0), []);
    assert_eq!(queue.len(), 1_000, "a quarter is tolerated");
    drop(queue.shard().cancel_remote(keys[250]));
    assert_eq!(wakers.fire(&mut queue, 0), []);
    assert_eq!(queue.len(), 749);
    assert_eq!(queue.next_deadline(), Some(252));
    for &key in &keys[900..] {
        drop(queue.shard().cancel_remote(key));
    }
    assert_eq!(wakers.fire(&mut queue, 0), []);
    assert_eq!(queue.len(), 749, "what has been swept is not counted again");
    assert_eq!(
        wakers.fire(&mut queue, 1_000),
        (252..=900).collect::<Vec<_>>()
    );
    assert_eq!((queue.len(), wakers.n_living()), (0, 0));
}

#[test]
fn what_was_cancelled_in_an_earlier_queue_of_the_shard_is_not_swept_again() {
    let wakers = Wakers::default();
    let mut before = new_queue();
    for n in 0..1_000 {
        let key = before.insert(n, wakers.make(n));
        drop(before.shard().cancel_remote(key));
    }
    assert!(before.try_empty(&mut Vec::new()));
    let shard = Arc::clone(before.shard());
    drop(before);
    // SAFETY: (1), (2) The queue before is gone, and was emptied. (3) It is an `Arc`.
    let mut queue: Queue = unsafe { TimerQueue::with_shard(shard) };
    let keys: Vec<TimerKey> = (1..=100).map(|n| queue.insert(n, wakers.make(n))).collect();
    drop(queue.shard().cancel_remote(keys[0]));
    assert_eq!(wakers.fire(&mut queue, 0), []);
    assert_eq!(queue.len(), 100, "a quarter is tolerated");
}

#[test]
fn remote_cancellation_alone_does_not_let_the_queue_grow() {
    let wakers = Wakers::default();
    let mut queue = new_queue();
    let mut n_max = 0;
    for n in 0..count(100_000) as u64 {
        let key = queue.insert(1_000_000_000 + n, wakers.make(n));
        drop(queue.shard().cancel_remote(key));
        n_max = n_max.max(queue.len());
    }
    assert!(n_max <= 64, "{n_max} entries for one living timer");
    assert_eq!(wakers.n_living(), 0);
}

#[test]
fn a_replaced_waker_is_handed_back_and_the_new_one_fires() {
    let wakers = Wakers::default();
    let mut queue = new_queue();
    let (first, second) = (wakers.make(1), wakers.make(2));
    let key = queue.insert(5, first.clone());
    assert!(queue.holds(key, |waker| waker.will_wake(&first)));
    assert!(!queue.holds(key, |waker| waker.will_wake(&second)));
    let old = queue.replace(key, second.clone()).expect("armed");
    assert!(old.will_wake(&first));
    assert!(queue.shard().is_armed(key));
    assert!(queue.holds(key, |waker| waker.will_wake(&second)));
    assert_eq!(wakers.fire(&mut queue, 5), [2]);
    assert!(!queue.holds(key, |waker| waker.will_wake(&second)));
    let back = queue.replace(key, first.clone()).expect_err("fired");
    assert!(back.will_wake(&first));
}

#[test]
fn draining_ends_every_timer_and_the_queue_stays_usable() {
    let wakers = Wakers::default();
    let mut queue = new_queue();
    let keys: Vec<TimerKey> = (0..100).map(|n| queue.insert(n, wakers.make(n))).collect();
    drop(queue.shard().cancel_remote(keys[50]));
    let mut drained = Vec::new();
    queue.drain_all(&mut drained);
    assert_eq!(drained.len(), 99);
    assert!(keys.iter().all(|&key| !queue.shard().is_armed(key)));
    assert_eq!((queue.len(), queue.next_deadline()), (0, None));
    drop(drained);
    assert_eq!(wakers.n_living(), 0);
    queue.insert(3, wakers.make(3));
    assert_eq!(wakers.fire(&mut queue, 3), [3]);
}

#[test]
fn wakers_of_a_dropped_queue_are_dropped_with_its_shard() {
    let wakers = Wakers::default();
    let mut queue = new_queue();
    let keys: Vec<TimerKey> = (0..100).map(|n| queue.insert(n, wakers.make(n))).collect();
    let shard = Arc::clone(queue.shard());
    drop(queue);
    assert_eq!(wakers.n_living(), 100);
    drop(shard.cancel_remote(keys[0]).expect("armed"));
    drop(shard);
    assert_eq!(wakers.n_living(), 0);
}

#[test]
fn a_million_timers_come_and_go() {
    let n_timers = count(1_000_000);
    let wakers = Wakers::default();
    let waker = wakers.make(0);
    let mut queue = new_queue();
    let mut random = Random(0x7a5c_a7a5_ca7a_5ca7);
    let keys: Vec<TimerKey> = (0..n_timers)
        .map(|_| queue.insert(random.below(1 << 40), waker.clone()))
        .collect();
    assert_eq!(queue.len(), n_timers);
    for key in keys.iter().step_by(2) {
        assert!(queue.cancel(*key).is_some());
    }
    assert_eq!(queue.len(), n_timers / 2);
    let mut fired = Vec::new();
    while let Some(deadline) = queue.next_deadline() {
        fired.clear();
        assert!(!queue.pop_expired(deadline, &mut fired, usize::MAX));
        assert!(!fired.is_empty(), "an exact deadline had nothing to fire");
    }
    assert!(keys.iter().all(|&key| !queue.shard().is_armed(key)));
    drop((waker, fired));
    assert_eq!(wakers.n_living(), 0);
}

/// Keys on their way to a canceller, and whether there will be more. The lock is one that is built
/// from source, so that thread sanitizer sees through it.
#[derive(Default)]
struct Mail {
    keys: Mutex<(Vec<TimerKey>, bool)>,
    arrived: parking_lot::Condvar,
}

impl Mail {
    fn send(&self, key: Option<TimerKey>) {
        let mut keys = self.keys.lock();
        match key {
            Some(key) => keys.0.push(key),
            None => keys.1 = true,
        }
        self.arrived.notify_one();
    }

    /// Waits for keys; none are left when it is closed.
    fn receive(&self) -> Vec<TimerKey> {
        let mut keys = self.keys.lock();
        while keys.0.is_empty() && !keys.1 {
            self.arrived.wait(&mut keys);
        }
        std::mem::take(&mut keys.0)
    }
}

#[test]
fn timers_cancelled_by_other_threads_while_they_fire_end_once() {
    let wakers = Wakers::default();
    let mut queue = new_queue();
    let n_timers = count(200_000);
    let mail = Arc::new(Mail::default());
    let canceller = {
        let shard = Arc::clone(queue.shard());
        let mail = Arc::clone(&mail);
        std::thread::spawn(move || {
            let mut n_cancelled = 0;
            loop {
                let keys = mail.receive();
                if keys.is_empty() {
                    return n_cancelled;
                }
                for key in keys {
                    n_cancelled += usize::from(shard.cancel_remote(key).is_some());
                    assert!(!shard.is_armed(key));
                }
            }
        })
    };
    let mut n_fired = 0;
    let mut fired = Vec::new();
    for now_ns in 0..n_timers as u64 {
        let key = queue.insert(now_ns + now_ns % 50, wakers.make(now_ns));
        mail.send(Some(key));
        queue.pop_expired(now_ns, &mut fired, 10);
        n_fired += fired.len();
        fired.clear();
    }
    mail.send(None);
    let n_cancelled = canceller.join().expect("the canceller panicked");
    queue.pop_expired(u64::MAX, &mut fired, usize::MAX);
    n_fired += fired.len();
    fired.clear();
    assert_eq!(n_fired + n_cancelled, n_timers);
    assert_eq!((queue.len(), wakers.n_living()), (0, 0));
}
