//! The children of one call of a combinator, whose handles lie in the block of their record.
//!
//! They are collected before there is a record, behind room for its head. So the record costs no second block, and nothing is moved.
//! Whoever has the members owns the handles, wherever the record is: its state at first, then the waiter, which
//! takes the outputs out with them.

use std::fmt;
use std::marker::PhantomData;
use std::mem;
use std::ptr::NonNull;

use super::group::{Block, Group, Handle, Head, Record, Slot, head_slots, room};

/// The children of one call of a combinator, in the block that becomes its record.
pub struct Members<C> {
    place: Place,
    /// Those before this one have been taken out.
    first: usize,
    child: PhantomData<C>,
}

enum Place {
    /// A block with room for a head of so many slots.
    Room(Block, usize),
    Record {
        slots: NonNull<Slot>,
        n: usize,
        _record: Record,
    },
}

// SAFETY: members own their children, which nobody else reaches; what else is in the block is for every thread.
unsafe impl<C: Send> Send for Members<C> {}
// SAFETY: as above.
unsafe impl<C: Sync> Sync for Members<C> {}

impl<C> Unpin for Members<C> {}

impl<C> Members<C> {
    /// Makes room for `n_least` children, and for the record of an `O` before them.
    #[must_use]
    pub fn for_record_of<O>(n_least: usize) -> Self {
        const { assert!(size_of::<C>() <= size_of::<Handle>()) };
        const { assert!(align_of::<C>() <= align_of::<Handle>()) };
        Self {
            place: Place::Room(room::<O>(n_least), const { head_slots::<O>() }),
            first: 0,
            child: PhantomData,
        }
    }

    /// Adds a child.
    ///
    /// # Panics
    ///
    /// If they are in a record.
    pub fn push(&mut self, child: C) {
        let index = self.len();
        let Place::Room(block, _) = &mut self.place else {
            panic!("the record has been made");
        };
        block.push(mem::MaybeUninit::new(Slot::new(index)));
        let handle = self.handle_mut(index);
        // SAFETY: the slot was made for it, and a child fits (see `for_record_of`).
        unsafe { handle.write(child) };
    }

    /// How many they are.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.place {
            Place::Room(block, n_head) => block.len() - n_head,
            Place::Record { n, .. } => *n,
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The place of a child, which need not be there.
    fn handle(&self, index: usize) -> *const C {
        assert!(index < self.len(), "the index of a child");
        let slot = match &self.place {
            Place::Room(block, n_head) => block[n_head + index].as_ptr(),
            // SAFETY: so many slots are in the record.
            Place::Record { slots, .. } => unsafe { slots.add(index) }.as_ptr().cast_const(),
        };
        // SAFETY: a slot has been made here.
        unsafe { &raw const (*slot).handle }.cast()
    }

    fn handle_mut(&mut self, index: usize) -> *mut C {
        assert!(index < self.len(), "the index of a child");
        let slot = match &mut self.place {
            Place::Room(block, n_head) => block[*n_head + index].as_mut_ptr(),
            // SAFETY: so many slots are in the record.
            Place::Record { slots, .. } => unsafe { slots.add(index) }.as_ptr(),
        };
        // SAFETY: a slot has been made here.
        unsafe { &raw mut (*slot).handle }.cast()
    }

    /// One of them.
    ///
    /// # Panics
    ///
    /// If there are not so many.
    #[must_use]
    pub fn get(&self, index: usize) -> &C {
        let handle = self.handle(index);
        // SAFETY: a child was put into each slot, none has been taken out but by `IntoMembers`, which has the members for itself.
        unsafe { &*handle }
    }

    /// One of them, to be changed.
    ///
    /// # Panics
    ///
    /// If there are not so many.
    pub fn get_mut(&mut self, index: usize) -> &mut C {
        let handle = self.handle_mut(index);
        // SAFETY: as above.
        unsafe { &mut *handle }
    }

    /// Looks at them in their order.
    pub fn iter(&self) -> impl Iterator<Item = &C> {
        (0..self.len()).map(|index| self.get(index))
    }

    /// Makes the record, in the same block if that has the right room. It has a link for each of them, under its index.
    ///
    /// # Panics
    ///
    /// If that was done before.
    #[must_use]
    pub fn into_record<O>(mut self, observer: O) -> (Group<O>, Self) {
        let n = self.len();
        let Place::Room(block, n_head) = &mut self.place else {
            panic!("the record has been made");
        };
        let slots = const { head_slots::<O>() };
        let right = if *n_head == slots {
            mem::take(block)
        } else {
            let mut right = room::<O>(n);
            right.extend(block.drain(*n_head..));
            right
        };
        let head = Head::make(right, 1, observer);
        // SAFETY: just made, with one count.
        let group = unsafe { Group::from_raw(head) };
        self.place = Place::Record {
            // SAFETY: it has `n` links.
            slots: unsafe { Head::slot(head, 0) },
            n,
            _record: Record::of(group.clone()),
        };
        (group, self)
    }
}

impl<C> Drop for Members<C> {
    fn drop(&mut self) {
        for index in self.first..self.len() {
            let handle = self.handle_mut(index);
            // Panic: if a child's drop unwinds, those behind it are not dropped.
            // SAFETY: those from `first` on are here, and not used again.
            unsafe { handle.drop_in_place() };
        }
    }
}

impl<C> fmt::Debug for Members<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Members")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

impl<C> IntoIterator for Members<C> {
    type Item = C;
    type IntoIter = IntoMembers<C>;

    fn into_iter(self) -> IntoMembers<C> {
        IntoMembers(self)
    }
}

/// The iterator of [`Members`].
#[derive(Debug)]
pub struct IntoMembers<C>(Members<C>);

impl<C> Iterator for IntoMembers<C> {
    type Item = C;

    fn next(&mut self) -> Option<C> {
        let members = &mut self.0;
        if members.first == members.len() {
            return None;
        }
        let handle = members.handle_mut(members.first);
        members.first += 1;
        // SAFETY: it is here, and counts as taken out from now on.
        Some(unsafe { handle.read() })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let n = self.0.len() - self.0.first;
        (n, Some(n))
    }
}

impl<C> ExactSizeIterator for IntoMembers<C> {}
