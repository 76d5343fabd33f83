//! The shared record of a combinator: one block.
//!
//! ```text
//!   count, links, steps, observer │ link, handle │ link, handle │ …
//!   head                            slot 0         slot 1
//! ```
//!
//! A child's entry for its waiter (the slot in the header, for the owner of the handle; the side block, for everybody else) is a
//! waker whose data is the child's link and whose functions are those of the record. So the end of a child calls the
//! record's [`Observer`] directly: nothing is allocated and the waiting task is not polled for a child that decides
//! nothing. On the deterministic runtime the call is a step of the event loop of its own, as a callback of asyncio is.
//!
//! The handles of the children lie beside their links, where a combinator has collected them in a [`Members`](super::members::Members); it
//! stays their owner, and passes from the record's state to the waiter with them.
//!
//! The side that waits is a promise ([`Group::promise`]): joins, callbacks and cancel requests work for it as for any
//! task, and a request is passed on to the observer instead of ending it.

use std::fmt;
use std::mem::{ManuallyDrop, MaybeUninit, needs_drop};
use std::panic::Location;
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::task::{RawWaker, RawWakerVTable, Waker};

use super::current;
use super::error::CancelMessage;
use super::ext::{Ext, WaiterKind};
use super::handle::{Task, TaskRef};
use super::header::{Header, TaskPtr};
use super::observe::{CancelForward, Observation, Observer, put_in_slot, release_slot};
use super::promise::{Promise, new_promise};
use super::schedule::Schedule;
use crate::primitive::{AtomicPtr, AtomicUsize, Ordering};

/// The shared record of a combinator: an observer, and a link for each of its children. Cheap to clone.
pub struct Group<O> {
    // Invariant: a block whose head is for `O`, and one of its counts.
    head: NonNull<Head<O>>,
}

// SAFETY: a group gives shared access to the observer from any thread, and the last one drops it there.
unsafe impl<O: Send + Sync> Send for Group<O> {}
// SAFETY: as above.
unsafe impl<O: Send + Sync> Sync for Group<O> {}

/// The first slots of a block.
#[repr(C)]
pub(super) struct Head<O> {
    /// One for each group, each waker of a link, what members are in here, and each task that stands for the record.
    count: AtomicUsize,
    n_links: usize,
    /// Slots that the block was allocated with.
    capacity: usize,
    /// Set where the end of a child is told as a step of its own.
    steps: Option<Arc<dyn Schedule>>,
    observer: O,
}

/// What a block is made of.
#[repr(C)]
pub(super) struct Slot {
    link: Link,
    // Invariant: the members' alone. They reach it by pointers: others have references to the link beside it.
    pub(super) handle: MaybeUninit<Handle>,
}

/// What a child's handle fits into.
pub(super) type Handle = *mut ();

pub(super) type Block = Vec<MaybeUninit<Slot>>;

struct Link {
    index: usize,
    /// The child, from its registration until its end was told or the registration is gone.
    // Invariant: the waker in the child's cell is what the pointer stands for: while it is there, so is the cell.
    child: AtomicPtr<Header>,
}

impl Slot {
    pub(super) fn new(index: usize) -> Self {
        Self {
            link: Link {
                index,
                child: AtomicPtr::new(ptr::null_mut()),
            },
            handle: MaybeUninit::uninit(),
        }
    }
}

/// How many slots a head takes.
pub(super) const fn head_slots<O>() -> usize {
    assert!(align_of::<Head<O>>() <= align_of::<Slot>());
    size_of::<Head<O>>().div_ceil(size_of::<Slot>())
}

/// A block with the head still missing.
pub(super) fn room<O>(n_links: usize) -> Block {
    let n_head = const { head_slots::<O>() };
    let mut block = Block::with_capacity(n_head + n_links);
    block.resize_with(n_head, MaybeUninit::uninit);
    block
}

impl<O> Head<O> {
    /// Makes a record of a block with `n_links` slots behind the room for the head. The caller gets `count` counts.
    pub(super) fn make(block: Block, count: usize, observer: O) -> NonNull<Self> {
        let n_links = block.len() - const { head_slots::<O>() };
        let steps = current::keep_scheduler()
            .filter(|scheduler| scheduler.separates_callbacks() && !scheduler.permutes_steps());
        let mut block = ManuallyDrop::new(block);
        let head = NonNull::new(block.as_mut_ptr()).expect("vectors know no null");
        let head = head.cast::<Self>();
        let new = Self {
            count: AtomicUsize::new(count),
            n_links,
            capacity: block.capacity(),
            steps,
            observer,
        };
        // SAFETY: the block begins with uninitialised slots that are large and aligned enough for the head, and is this function's.
        unsafe { head.write(new) };
        head
    }

    /// # Safety
    ///
    /// (1) `head` is a record's, and stays during the call. (2) `index` is at most the number of its links.
    pub(super) unsafe fn slot(head: NonNull<Self>, index: usize) -> NonNull<Slot> {
        // SAFETY: the slots lie behind the head in the same allocation (1, 2).
        unsafe { head.cast::<Slot>().add(const { head_slots::<O>() } + index) }
    }

    /// Gives one count back.
    ///
    /// # Safety
    ///
    /// (1) `head` is a record's for this `O`. (2) The caller has a count of it, which is gone afterwards.
    unsafe fn release(head: NonNull<()>) {
        let head = head.cast::<Self>();
        // SAFETY: the count keeps the record (1, 2).
        let count = unsafe { &(*head.as_ptr()).count };
        // Ordering: AcqRel: what others did with the record before they gave their counts back happens before it is freed.
        if count.fetch_sub(1, Ordering::AcqRel) != 1 {
            return;
        }
        // SAFETY: nobody else has a count.
        let this = unsafe { head.as_ref() };
        let (n_links, capacity) = (this.n_links, this.capacity);
        if needs_drop::<Link>() {
            for index in 0..n_links {
                // SAFETY: the record is there, and the index in range.
                let slot = unsafe { Self::slot(head, index) };
                // SAFETY: the slot is there.
                let link = unsafe { &raw mut (*slot.as_ptr()).link };
                // SAFETY: a link was written into every slot, and nobody else is left.
                unsafe { link.drop_in_place() };
            }
        }
        // Panic: if the observer's drop unwinds, the block is never freed.
        // SAFETY: as above; the head was written when the record was made.
        unsafe { head.drop_in_place() };
        // SAFETY: this is the allocation of the vector that the record was made of.
        drop(unsafe { Block::from_raw_parts(head.cast().as_ptr(), 0, capacity) });
    }
}

impl<O> Group<O> {
    /// Makes a record with `n_links` links.
    pub fn new(n_links: usize, observer: O) -> Self {
        let mut block = room::<O>(n_links);
        block.extend((0..n_links).map(|index| MaybeUninit::new(Slot::new(index))));
        Self {
            head: Head::make(block, 1, observer),
        }
    }

    /// # Safety
    ///
    /// `head` is a record's, and the caller gives a count of it.
    pub(super) unsafe fn from_raw(head: NonNull<Head<O>>) -> Self {
        Self { head }
    }

    fn head(&self) -> &Head<O> {
        // SAFETY: the group's count.
        unsafe { self.head.as_ref() }
    }

    /// The observer.
    #[must_use]
    pub fn observer(&self) -> &O {
        &self.head().observer
    }

    /// The place of one link.
    #[track_caller]
    fn link(&self, index: usize) -> (NonNull<Slot>, &Link) {
        assert!(index < self.head().n_links, "the index of a link");
        // SAFETY: the group's count; the index is in range.
        let slot = unsafe { Head::slot(self.head, index) };
        // SAFETY: a link was written into every slot, and is only shared until the record is gone.
        (slot, unsafe { &(*slot.as_ptr()).link })
    }
}

impl<O: Observer> Group<O> {
    const WAKER: RawWakerVTable = RawWakerVTable::new(
        Self::clone_waker,
        Self::wake,
        Self::wake_by_ref,
        Self::drop_waker,
    );

    /// Has the observer told of the end of `task`, whose owner the caller is; `false` if it is done already, and
    /// nothing will be told. Replaces whoever waits on behalf of the owner.
    ///
    /// # Panics
    ///
    /// If `index` is out of range or in use.
    pub fn observe<T>(&self, index: usize, task: &mut Task<T>) -> bool {
        let task = task.ptr();
        let waker = self.link_waker(index, task);
        release_slot(task) && put_in_slot(task, waker)
    }

    /// Has the observer told of the end of `task`, until the returned registration is dropped; `None` if
    /// it is done already.
    ///
    /// # Panics
    ///
    /// If `index` is out of range or in use.
    pub fn observe_ref(&self, index: usize, task: &TaskRef) -> Option<Observation> {
        let waker = self.link_waker(index, task.ptr());
        let id = task.list(WaiterKind::Wake(waker)).ok()?;
        Some(Observation::new(task.clone(), id))
    }

    /// Tells the observer of the end of a task that was done before it could be observed, as a step of the event loop;
    /// outside any runtime at once.
    pub fn tell(&self, index: usize, child: &TaskRef) {
        current::call_soon(self.telling(index, child.clone()));
    }

    fn telling(&self, index: usize, child: TaskRef) -> Box<dyn FnOnce() + Send> {
        let group = self.clone();
        Box::new(move || group.observer().child_done(index, &child))
    }

    /// Takes the registration of `task` back, whose owner the caller is, if it is still there.
    pub fn forget<T>(&self, task: &mut Task<T>) {
        release_slot(task.ptr());
    }

    fn link_waker(&self, index: usize, task: TaskPtr) -> Waker {
        let (slot, link) = self.link(index);
        // Ordering: Relaxed; the exchange that announces the waker publishes the pointer. A link has one user at a time.
        let before = link.child.load(Ordering::Relaxed);
        assert!(before.is_null(), "link {index} of the group is in use");
        link.child
            .store(task.as_raw().cast_mut(), Ordering::Relaxed);
        // The waker has a count of its own.
        let _counted = ManuallyDrop::new(self.clone());
        let data = slot.as_ptr().cast_const().cast();
        // SAFETY: the functions keep the contract of `RawWaker`; the data is a link with a count.
        unsafe { Waker::from_raw(RawWaker::new(data, &Self::WAKER)) }
    }

    /// The record that the link of a waker is part of; the count stays the waker's.
    ///
    /// # Safety
    ///
    /// `data` is that of a waker of this table.
    unsafe fn of_waker<'a>(data: *const ()) -> (ManuallyDrop<Self>, &'a Link) {
        let slot = data.cast::<Slot>().cast_mut();
        // SAFETY: the waker's count keeps the record, and the link with it.
        let link = unsafe { &(*slot).link };
        let n_before = const { head_slots::<O>() } + link.index;
        // SAFETY: so many slots of the block lie before this one, to which the pointer was made from one to the whole.
        let head = unsafe { slot.sub(n_before) }.cast::<Head<O>>();
        // SAFETY: it is not null.
        let head = unsafe { NonNull::new_unchecked(head) };
        (ManuallyDrop::new(Self { head }), link)
    }

    /// # Safety
    ///
    /// `data` is that of a waker of this table, whose count the caller takes over.
    unsafe fn take_over(data: *const ()) -> (Self, usize, *mut Header) {
        // SAFETY: the caller's promise.
        let (group, link) = unsafe { Self::of_waker(data) };
        // Ordering: Relaxed; the pointer is used by the thread that takes it, which came here through the child's state.
        // No exchange: who has the link's waker, of which there is one, is alone here.
        let child = link.child.load(Ordering::Relaxed);
        link.child.store(ptr::null_mut(), Ordering::Relaxed);
        (ManuallyDrop::into_inner(group), link.index, child)
    }

    unsafe fn clone_waker(data: *const ()) -> RawWaker {
        // SAFETY: called with the data of a waker that is there.
        let (group, _) = unsafe { Self::of_waker(data) };
        let _counted = ManuallyDrop::new(Self::clone(&group));
        RawWaker::new(data, &Self::WAKER)
    }

    unsafe fn wake(data: *const ()) {
        // SAFETY: called by the waker, which is gone afterwards.
        let (group, index, child) = unsafe { Self::take_over(data) };
        let Some(header) = NonNull::new(child) else {
            return;
        };
        // SAFETY: the completer of the child calls this, and has a reference.
        let child = unsafe { TaskPtr::new(header) };
        // SAFETY: `TaskRef` is a transparent `TaskPtr`. Behind a reference it is never dropped, so the completer's
        // reference to the cell serves it as well.
        let child = unsafe { &*ptr::from_ref(&child).cast::<TaskRef>() };
        match &group.head().steps {
            Some(steps) => steps.call_soon(group.telling(index, child.clone())),
            // Whoever completes it is in the middle of a step, and must not find decided what its end decides (rule D5).
            None if is_ended_by_call(child) => {
                current::call_soon(group.telling(index, child.clone()));
            }
            None => group.observer().child_done(index, child),
        }
    }

    /// Nobody wakes these by reference.
    unsafe fn wake_by_ref(_: *const ()) {}

    unsafe fn drop_waker(data: *const ()) {
        // SAFETY: called by the waker, which is gone afterwards.
        drop(unsafe { Self::take_over(data) });
    }
}

impl<O: Observer + CancelForward> Group<O> {
    /// As [`promise`](crate::promise), for a task that stands for the group: a cancel request does not end it, but
    /// goes to the observer, and the task ends when the promise is kept.
    #[track_caller]
    pub fn promise<T: Send + 'static>(&self) -> (Promise<T>, Task<T>) {
        let ext = Ext::forwarding(Forward {
            target: ptr::from_ref(self.observer()),
            tells_in_steps: self.head().steps.is_some(),
            _record: Record::of(self.clone()),
        });
        new_promise(Location::caller(), Some(ext))
    }
}

impl<O> Clone for Group<O> {
    fn clone(&self) -> Self {
        // Ordering: Relaxed: a new count is made of one that keeps the record.
        let before = self.head().count.fetch_add(1, Ordering::Relaxed);
        // Counts that are forgotten over and over must not come round to zero.
        if before > usize::MAX / 2 {
            std::process::abort();
        }
        Self { head: self.head }
    }
}

impl<O> Drop for Group<O> {
    fn drop(&mut self) {
        // SAFETY: the group's count, not used again.
        unsafe { Head::<O>::release(self.head.cast()) };
    }
}

impl<O> fmt::Debug for Group<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Group").finish_non_exhaustive()
    }
}

/// Whether a call has ended it, and no step of its own or job on a thread.
fn is_ended_by_call(child: &TaskRef) -> bool {
    let state = child.ptr().state().load();
    state.is_passive() && (state.is_cancelled() || !state.is_job())
}

/// A count of a record, whatever its observer.
pub(super) struct Record {
    // Invariant: a block that `release` is for, and one of its counts.
    head: NonNull<()>,
    release: unsafe fn(NonNull<()>),
}

impl Record {
    pub(super) fn of<O>(group: Group<O>) -> Self {
        Self {
            head: ManuallyDrop::new(group).head.cast(),
            release: Head::<O>::release,
        }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        // SAFETY: the invariant; the count is not used again.
        unsafe { (self.release)(self.head) };
    }
}

/// Where the cancel requests for a task go that stands for a group.
pub(crate) struct Forward {
    // Invariant: the observer of the record.
    target: *const dyn CancelForward,
    tells_in_steps: bool,
    _record: Record,
}

// SAFETY: what it leads to is `Send` and `Sync`, as every observer.
unsafe impl Send for Forward {}
// SAFETY: as above.
unsafe impl Sync for Forward {}

impl Forward {
    fn target(&self) -> &dyn CancelForward {
        // SAFETY: the record is kept, and its observer with it.
        unsafe { &*self.target }
    }

    pub(crate) fn cancel(&self, message: Option<&CancelMessage>) -> bool {
        self.target().cancel(message)
    }

    /// Whether all children are done, and the step in which the observer is told of the last of them is still to come.
    pub(super) fn is_all_done(&self) -> bool {
        self.tells_in_steps && self.target().is_all_done()
    }
}

impl fmt::Debug for Forward {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Forward")
    }
}
