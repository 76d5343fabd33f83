//! The line of waiters that every primitive has, and what must wait until its lock is released.
//!
//! A [`Line`] keeps who waits, first come first served, and is itself kept behind the lock of the primitive it belongs to. It is
//! a slab of places that are linked by index: joining, leaving from anywhere, and waking the next are a few stores
//! each, and a place that is given back is used again, so that waiting allocates only when a line grows beyond its
//! greatest length so far. An intrusive list, with the places inside the waiting futures, would save that much and need unsafe code.
//!
//! A place belongs to one future, which holds its [`Key`] and gives it back once. Its [`Standing`] says what has become of it:
//!
//! ```text
//!            wake_*               leave
//! Waiting ───────────► Woken ───────────► (given back)
//!    │ wake_*, but the task               ▲
//!    │ has been asked to stop             │
//!    └───────────────► PassedOver ────────┘
//! ```
//!
//! *Woken* is what asyncio's private future is when it has a result, *passed over* when it is cancelled: then the task will
//! see to it at its next poll that its place is given back, and hands out nothing to it until then (rule C25). A
//! task that waits in several places may take its request in another one, so a place that is passed over is
//! woken too, and whoever is polled there starts anew.
//!
//! Wakers are foreign code, so what a line wants woken or dropped is collected in a [`Later`], which is made
//! before the lock is taken, and does its work when it is dropped, after the lock has been released.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::task::Context;

use super::primitive::leaf::Waiter;

const NONE: usize = usize::MAX;

/// What has become of a waiter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It waits.
    Waiting,
    /// It was let go, and has not been polled since.
    Woken,
    /// It would have been let go, but its task had been asked to stop.
    PassedOver,
}

/// A place in a line, until it is given back with [`Line::leave`].
#[derive(Debug)]
#[must_use = "a place that is not given back stays in the line"]
pub(crate) struct Key(usize);

/// Waiters in the order of their arrival. `K` is what each of them waits for, if there is a choice.
#[derive(Debug)]
pub(crate) struct Line<K = ()> {
    places: Vec<Place<K>>,
    /// The first of the places that nobody has, linked by `next`.
    free: usize,
    first: usize,
    last: usize,
    /// The first that has been neither woken nor passed over.
    // Invariant: everybody before it has been, everybody from it on has not. `wake_first` alone may pass over one
    // behind which others wait, and it is the first.
    undecided: usize,
}

#[derive(Debug)]
struct Place<K> {
    /// Gone when it has been woken.
    waiter: Option<Waiter>,
    standing: Standing,
    /// Whether the place is in the line; one that was pulled out of it still has an owner.
    linked: bool,
    kind: Option<K>,
    previous: usize,
    next: usize,
}

impl<K> Default for Line<K> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K> Line<K> {
    pub(crate) const fn new() -> Self {
        Self {
            places: Vec::new(),
            free: NONE,
            first: NONE,
            last: NONE,
            undecided: NONE,
        }
    }

    /// Whether nobody is in the line.
    pub(crate) fn is_empty(&self) -> bool {
        self.first == NONE
    }

    /// Whether everybody in the line has been cancelled, or nobody is there: then a newcomer need not queue.
    pub(crate) fn is_vacant(&self) -> bool {
        let mut index = self.first;
        while index != NONE {
            let place = &self.places[index];
            let cancelled = match place.standing {
                Standing::Woken => false,
                Standing::PassedOver => true,
                Standing::Waiting => place.is_cancelled(),
            };
            if !cancelled {
                return false;
            }
            index = place.next;
        }
        true
    }

    /// Takes the last place.
    pub(crate) fn join(&mut self, waiter: Waiter, kind: K) -> Key {
        let place = Place {
            waiter: Some(waiter),
            standing: Standing::Waiting,
            linked: true,
            kind: Some(kind),
            previous: self.last,
            next: NONE,
        };
        let index = if self.free == NONE {
            self.places.push(place);
            self.places.len() - 1
        } else {
            let index = self.free;
            self.free = self.places[index].next;
            self.places[index] = place;
            index
        };
        match self.last {
            NONE => self.first = index,
            last => self.places[last].next = index,
        }
        self.last = index;
        if self.undecided == NONE {
            self.undecided = index;
        }
        Key(index)
    }

    pub(crate) fn standing(&self, key: &Key) -> Standing {
        self.places[key.0].standing
    }

    /// Whether the place would wake who polls with `cx`.
    pub(crate) fn is_for(&self, key: &Key, cx: &Context<'_>) -> bool {
        let waiter = self.places[key.0].waiter.as_ref();
        waiter.is_some_and(|waiter| waiter.is_for(cx))
    }

    /// Has another waiter woken in this place.
    pub(crate) fn replace(&mut self, key: &Key, waiter: Waiter, later: &mut Later) {
        later.forget(self.places[key.0].waiter.replace(waiter));
    }

    /// Gives a place back.
    pub(crate) fn leave(&mut self, key: Key, later: &mut Later) -> Standing {
        let index = key.0;
        if self.places[index].linked {
            self.unlink(index);
        }
        let place = &mut self.places[index];
        later.forget(place.waiter.take());
        place.kind = None;
        place.next = self.free;
        self.free = index;
        place.standing
    }

    /// Wakes the first in line, if it waits; looks no further.
    pub(crate) fn wake_first(&mut self, later: &mut Later) {
        if self.first != NONE && self.first == self.undecided {
            self.decide(later);
        }
    }

    /// Wakes the first who waits and has not been cancelled; `false` if there is nobody.
    pub(crate) fn wake_next(&mut self, later: &mut Later) -> bool {
        while self.undecided != NONE {
            if self.decide(later) {
                return true;
            }
        }
        false
    }

    /// Wakes everybody who waits.
    pub(crate) fn wake_all(&mut self, later: &mut Later) {
        while self.wake_next(later) {}
    }

    /// As [`wake_next`](Self::wake_next), and takes whomever it looks at out of the line.
    pub(crate) fn pull_next(&mut self, later: &mut Later) -> bool {
        while self.first != NONE {
            debug_assert_eq!(self.first, self.undecided, "who is decided here is out");
            let index = self.first;
            let woken = self.decide(later);
            self.unlink(index);
            if woken {
                return true;
            }
        }
        false
    }

    /// As [`wake_all`](Self::wake_all), and takes everybody out of the line.
    pub(crate) fn pull_all(&mut self, later: &mut Later) {
        while self.pull_next(later) {}
    }

    /// As [`wake_next`](Self::wake_next), if what that one waits for `fits`; gives what it is.
    ///
    /// Whether it has been cancelled is asked once: another thread may cancel it at any moment, and whoever was found
    /// to fit is the one that is woken.
    pub(crate) fn wake_next_if(&mut self, fits: impl Fn(K) -> bool, later: &mut Later) -> Option<K>
    where
        K: Copy,
    {
        while let Some(place) = self.places.get(self.undecided) {
            let (kind, cancelled) = (place.kind?, place.is_cancelled());
            if !cancelled && !fits(kind) {
                return None;
            }
            self.settle(cancelled, later);
            if !cancelled {
                return Some(kind);
            }
        }
        None
    }

    /// Wakes the first undecided place, or passes it over; `true` if it was the former.
    fn decide(&mut self, later: &mut Later) -> bool {
        let cancelled = self.places[self.undecided].is_cancelled();
        self.settle(cancelled, later);
        !cancelled
    }

    /// Has the first undecided place woken or passed over, as its task has been `cancelled` or not.
    fn settle(&mut self, cancelled: bool, later: &mut Later) {
        let place = &mut self.places[self.undecided];
        place.standing = if cancelled {
            Standing::PassedOver
        } else {
            Standing::Woken
        };
        later.wake(place.waiter.take());
        self.undecided = place.next;
    }

    fn unlink(&mut self, index: usize) {
        let place = &mut self.places[index];
        place.linked = false;
        let (previous, next) = (place.previous, place.next);
        match previous {
            NONE => self.first = next,
            previous => self.places[previous].next = next,
        }
        match next {
            NONE => self.last = previous,
            next => self.places[next].previous = previous,
        }
        if self.undecided == index {
            self.undecided = next;
        }
    }
}

impl<K> Place<K> {
    /// Whether the task that waits here has been asked to stop. Only asked while it waits.
    fn is_cancelled(&self) -> bool {
        self.waiter.as_ref().is_some_and(Waiter::is_cancelled)
    }
}

/// What is to be done after the lock around a line has been released: make it before the lock is taken.
#[derive(Debug, Default)]
pub(crate) struct Later {
    first: Option<Waiter>,
    more: Vec<Waiter>,
    unneeded: Option<Waiter>,
}

impl Later {
    fn wake(&mut self, waiter: Option<Waiter>) {
        if self.first.is_none() {
            self.first = waiter;
        } else {
            self.more.extend(waiter);
        }
    }

    /// Drops a waiter: its waker is foreign code too.
    fn forget(&mut self, waiter: Option<Waiter>) {
        debug_assert!(
            self.unneeded.is_none() || waiter.is_none(),
            "one place is given back at a time"
        );
        if waiter.is_some() {
            self.unneeded = waiter;
        }
    }
}

impl Drop for Later {
    #[inline]
    fn drop(&mut self) {
        let Some(first) = self.first.take() else {
            return;
        };
        if self.more.is_empty() {
            first.wake();
        } else {
            wake_each(first, std::mem::take(&mut self.more));
        }
    }
}

/// Wakes in order. Panic: a foreign waker that panics does not keep the others from being woken.
fn wake_each(first: Waiter, more: Vec<Waiter>) {
    let mut panic = None;
    for waiter in std::iter::once(first).chain(more) {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| waiter.wake())) {
            panic.get_or_insert(payload);
        }
    }
    if let Some(payload) = panic
        && !std::thread::panicking()
    {
        resume_unwind(payload);
    }
}
