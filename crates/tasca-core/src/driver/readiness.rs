//! What is known about a source, in one word, and the hand-shake between events and waiters.
//!
//! ```text
//!  63            32 31            16 15 ... 7  6   5  4  3   2  1  0
//! +----------------+----------------+--------+---+---+--+--+---+--+--+
//! |   generation   |      tick      |        | S | WE WC W | P RE RC R |
//! +----------------+----------------+--------+---+---------+-----------+
//! ```
//!
//! | field | written by | means |
//! |---|---|---|
//! | generation | [`Readiness::retire`] | which registration the word belongs to |
//! | tick | [`Readiness::deliver`], one up | how many events there were, modulo 2^16 |
//! | R, W | set by `deliver`, cleared by [`Readiness::clear`] | an operation may succeed |
//! | RC, WC | the same | the peer hung up: an operation ends at once |
//! | RE, WE | the same | an error waits to be fetched |
//! | P | the same | urgent data: a read may stop in front of it |
//! | S | [`Readiness::shut_down`] | the driver reports no more; never cleared |
//!
//! The steps and the races they exclude are in the protocol of the [room](super).

use std::task::{Context, Poll, Waker};

use super::waiters::{Wait, Waiters};
use crate::primitive::{AtomicU64, Mutex, Ordering};

/// One of the two halves of a source; they know nothing of each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Read,
    Write,
}

/// A set of the word's low bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ready(u64);

impl Ready {
    pub(crate) const NONE: Self = Self(0);
    pub(crate) const READABLE: Self = Self(1);
    pub(crate) const READ_CLOSED: Self = Self(1 << 1);
    pub(crate) const READ_ERROR: Self = Self(1 << 2);
    pub(crate) const PRIORITY: Self = Self(1 << 3);
    pub(crate) const WRITABLE: Self = Self(1 << 4);
    pub(crate) const WRITE_CLOSED: Self = Self(1 << 5);
    pub(crate) const WRITE_ERROR: Self = Self(1 << 6);
    const SHUT_DOWN: Self = Self(1 << 7);

    /// What makes an operation in `direction` worth trying.
    const fn of(direction: Direction) -> Self {
        match direction {
            Direction::Read => Self::READABLE
                .or(Self::READ_CLOSED)
                .or(Self::READ_ERROR)
                .or(Self::SHUT_DOWN),
            Direction::Write => Self::WRITABLE
                .or(Self::WRITE_CLOSED)
                .or(Self::WRITE_ERROR)
                .or(Self::SHUT_DOWN),
        }
    }

    /// What an operation in `direction` that would have blocked disproves.
    const fn disproved_in(direction: Direction) -> Self {
        match direction {
            Direction::Read => Self::READABLE
                .or(Self::READ_CLOSED)
                .or(Self::READ_ERROR)
                .or(Self::PRIORITY),
            Direction::Write => Self::WRITABLE.or(Self::WRITE_CLOSED).or(Self::WRITE_ERROR),
        }
    }

    /// What lets more hide behind a short transfer in `direction`.
    const fn undrained_in(direction: Direction) -> Self {
        match direction {
            Direction::Read => Self::READ_CLOSED.or(Self::READ_ERROR).or(Self::PRIORITY),
            Direction::Write => Self::WRITE_CLOSED.or(Self::WRITE_ERROR),
        }
    }

    pub(crate) const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// `self` if `condition` holds.
    pub(crate) const fn when(self, condition: bool) -> Self {
        if condition { self } else { Self::NONE }
    }

    const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

const READY_MASK: u64 = (1 << 16) - 1;
const TICK_ONE: u64 = 1 << 16;
const TICK_MASK: u64 = READY_MASK << 16;
const GENERATION_SHIFT: u32 = 32;

/// The word at one moment: evidence for [`Readiness::clear`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Snapshot(u64);

impl Snapshot {
    pub(crate) const fn generation(self) -> u32 {
        (self.0 >> GENERATION_SHIFT) as u32
    }

    /// Generation and tick: unchanged as long as there was no event.
    const fn age(self) -> u64 {
        self.0 & !READY_MASK
    }

    const fn ready(self) -> Ready {
        Ready(self.0 & READY_MASK)
    }

    pub(crate) const fn is_ready(self, direction: Direction) -> bool {
        self.ready().intersects(Ready::of(direction))
    }

    pub(crate) const fn is_shut_down(self) -> bool {
        self.ready().intersects(Ready::SHUT_DOWN)
    }

    /// Whether a short transfer on a stream socket proves that nothing is left to transfer.
    pub(crate) const fn short_transfer_drains(self, direction: Direction) -> bool {
        !self.ready().intersects(Ready::undrained_in(direction))
    }

    const fn with_event(self, ready: Ready) -> Self {
        // The tick wraps around in its own field.
        let tick = self.0.wrapping_add(TICK_ONE) & TICK_MASK;
        Self((self.0 & !TICK_MASK) | tick | ready.0)
    }

    const fn without(self, ready: Ready) -> Self {
        Self(self.0 & !ready.0)
    }
}

/// The readiness of one source and those who wait for it.
///
/// One line of cache: sources of different workers share none.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct Readiness {
    word: AtomicU64,
    // Invariant: a waker that is in here was put in, under the lock, before its owner last saw its
    // direction as not ready. No waker is called or dropped under the lock.
    waiters: Mutex<Waiters>,
}

impl Default for Readiness {
    fn default() -> Self {
        Self::new()
    }
}

impl Readiness {
    pub(crate) fn new() -> Self {
        Self {
            word: AtomicU64::new(0),
            waiters: Mutex::new(Waiters::new()),
        }
    }

    #[inline]
    pub(crate) fn snapshot(&self) -> Snapshot {
        // Ordering: Acquire pairs with the Release in `deliver`: who sees a source ready also sees
        // what made it ready, so that an operation which would still block is evidence against
        // *this* event and not a look from before it.
        Snapshot(self.word.load(Ordering::Acquire))
    }

    /// An event: sets bits, and moves those who waited for them to `wakers`.
    ///
    /// `disarmed` says that the event switched the source off in both directions, so that all who wait
    /// have to come and ask anew. Gives false for an event of an earlier registration.
    pub(crate) fn deliver(
        &self,
        generation: u32,
        ready: Ready,
        disarmed: bool,
        wakers: &mut Vec<Waker>,
    ) -> bool {
        // Ordering: Relaxed; the exchange below is the access that counts.
        let mut seen = Snapshot(self.word.load(Ordering::Relaxed));
        loop {
            if seen.generation() != generation {
                return false;
            }
            // Ordering: Release pairs with the Acquire in `snapshot`. Nothing is read through this
            // word, hence no Acquire; waiters are found through their lock.
            let exchanged = self.word.compare_exchange_weak(
                seen.0,
                seen.with_event(ready).0,
                Ordering::Release,
                Ordering::Relaxed,
            );
            match exchanged {
                Ok(_) => break,
                Err(now) => seen = Snapshot(now),
            }
        }
        for direction in [Direction::Read, Direction::Write] {
            // Liveness: who waits saw the direction as not ready, so the event that first made it
            // ready wakes them, and later ones need not look (rule 2 of the protocol).
            let newly_ready = ready.intersects(Ready::of(direction)) && !seen.is_ready(direction);
            if newly_ready || disarmed {
                self.waiters.lock().take_all(direction, wakers);
            }
        }
        true
    }

    /// Gives the readiness, or remembers the waker until there is some.
    #[inline]
    pub(crate) fn poll(
        &self,
        cx: &Context<'_>,
        direction: Direction,
        wait: Wait<'_>,
    ) -> Poll<Snapshot> {
        let seen = self.snapshot();
        if seen.is_ready(direction) {
            Poll::Ready(seen)
        } else {
            self.wait(cx, direction, wait)
        }
    }

    fn wait(&self, cx: &Context<'_>, direction: Direction, mut wait: Wait<'_>) -> Poll<Snapshot> {
        // Cloning and dropping wakers is user code: before and after the lock.
        let waker = cx.waker().clone();
        let mut waiters = self.waiters.lock();
        let displaced = waiters.add(direction, &mut wait, waker);
        // Liveness: an event after this look finds the waker; one before it is seen here.
        let seen = self.snapshot();
        let own = seen
            .is_ready(direction)
            .then(|| waiters.remove(direction, &wait))
            .flatten();
        drop(waiters);
        drop(displaced);
        drop(own);
        if seen.is_ready(direction) {
            Poll::Ready(seen)
        } else {
            Poll::Pending
        }
    }

    /// Lets `ask` ask the system for what is not ready. The look and the request are one step, so that the last request made is
    /// the one for the newest look.
    pub(crate) fn ask<R>(&self, ask: impl FnOnce(Snapshot) -> R) -> R {
        let _waiters = self.waiters.lock();
        ask(self.snapshot())
    }

    /// Forgets a waiter that went away.
    pub(crate) fn remove(&self, direction: Direction, wait: &Wait<'_>) {
        let removed = self.waiters.lock().remove(direction, wait);
        drop(removed);
    }

    /// Takes readiness back after an operation, begun after `evidence` was seen, would have blocked.
    ///
    /// Does nothing if there was an event since: it may be news from after the operation.
    pub(crate) fn clear(&self, evidence: Snapshot, direction: Direction) {
        let mut seen = evidence;
        loop {
            let cleared = seen.without(Ready::disproved_in(direction));
            if seen == cleared {
                return;
            }
            // Ordering: Relaxed; a cleared bit publishes nothing, and as a read-modify-write it
            // leaves earlier events visible to whoever reads the word after it.
            let exchanged = self.word.compare_exchange_weak(
                seen.0,
                cleared.0,
                Ordering::Relaxed,
                Ordering::Relaxed,
            );
            match exchanged {
                Ok(_) => return,
                Err(now) => seen = Snapshot(now),
            }
            if seen.age() != evidence.age() {
                return;
            }
        }
    }

    /// Ends a registration: events of it are ignored from now on, and its wakers are released.
    pub(crate) fn retire(&self, next_generation: u32) {
        // Ordering: Relaxed; whoever gets the slot next reads this through the lock of the free
        // list. A swap rather than a store puts it after every event in the word's order, in the
        // eyes of a model checker as well.
        self.word.swap(
            u64::from(next_generation) << GENERATION_SHIFT,
            Ordering::Relaxed,
        );
        let mut wakers = Vec::new();
        for direction in [Direction::Read, Direction::Write] {
            self.waiters.lock().take_all(direction, &mut wakers);
        }
        drop(wakers);
    }

    /// No more events: every wait ends, now and later.
    pub(crate) fn shut_down(&self, wakers: &mut Vec<Waker>) {
        // Ordering: Relaxed; the bit is all there is to know. Who waits is found through the lock.
        self.word.fetch_or(Ready::SHUT_DOWN.0, Ordering::Relaxed);
        for direction in [Direction::Read, Direction::Write] {
            self.waiters.lock().take_all(direction, wakers);
        }
    }
}
