//! The part of a cell that is the same for every task, and the pointer to it.

use std::mem::{MaybeUninit, offset_of};
use std::ops::Deref;
use std::panic::Location;
use std::ptr::NonNull;
use std::task::Waker;

use super::ext::Ext;
use super::schedule::{Anchor, Schedule};
use super::state::State;
use crate::primitive::{AtomicPtr, UnsafeCell};
use crate::slab::Block;

/// What a cell can do, by the type of its future.
pub(crate) struct VTable {
    /// Polls the future; if it is ready, drops it and puts the output in place.
    ///
    /// Duties: the caller is the holder, and the cell has its future.
    pub(crate) poll: unsafe fn(TaskPtr, &mut std::task::Context<'_>) -> std::task::Poll<()>,
    /// Replaces the future (or, with `true`, the output) by a failure.
    ///
    /// Duties: the caller is the holder, and the cell has what it says.
    pub(crate) fail: unsafe fn(TaskPtr, super::error::TaskError, bool),
    /// Looks at the failure in the output.
    ///
    /// Duties: the output is in place and nobody moves it meanwhile.
    pub(crate) failure: unsafe fn(TaskPtr) -> Option<NonNull<super::error::TaskError>>,
    /// For a job: runs the closure, and ends the task. Never panics.
    ///
    /// Duties: the caller gives the job's reference.
    pub(crate) run: unsafe fn(TaskPtr),
    /// Drops the output. Duties: the output is in place and the caller's.
    pub(crate) drop_output: unsafe fn(TaskPtr),
    /// Gives the memory back. Duties: neither future nor output are in place, and nobody refers to the cell.
    pub(crate) free: unsafe fn(TaskPtr),
    /// Bytes from the header to the output.
    pub(crate) output_offset: usize,
    /// The future's type, for people.
    pub(crate) type_name: fn() -> &'static str,
}

impl std::fmt::Debug for VTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VTable")
            .field("type_name", &(self.type_name)())
            .finish_non_exhaustive()
    }
}

/// The first 64 bytes of every cell. What only one kind of cell has follows, its annex; then the future, later the output.
///
/// | field | who may touch it |
/// |---|---|
/// | `state` | everybody |
/// | `waiter` | by way of its methods: the handle's owner while WAITER is clear and the task not done; the completer once it is done with WAITER set |
/// | `ext` | everybody; set once |
/// | the rest | immutable |
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Header {
    pub(crate) state: State,
    parts: Parts,
}

/// Everything but the state, which others may look at before the rest is written.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) vtable: &'static VTable,
    pub(crate) waiter: UnsafeCell<MaybeUninit<Waker>>,
    pub(crate) ext: AtomicPtr<Ext>,
    pub(crate) id: u64,
    pub(crate) location: &'static Location<'static>,
    // Invariant: valid while the task is not COMPLETE: a runtime outlives its tasks, and a passive cell owns a reference (see
    // `Anchor::entrust`) until it is claimed to be completed.
    pub(crate) scheduler: NonNull<Anchor>,
}

impl Header {
    /// Writes everything but the state.
    ///
    /// # Safety
    ///
    /// `header` is the start of a free cell's memory, which belongs to the caller.
    #[inline(always)]
    pub(super) unsafe fn write_parts(header: NonNull<Self>, parts: Parts) {
        // SAFETY: the field lies inside the cell.
        let place = unsafe { header.byte_add(offset_of!(Self, parts)) }.cast::<Parts>();
        // SAFETY: the caller's promise.
        unsafe { place.write(parts) };
    }

    /// The state word of a cell's memory, whether it is in use or not.
    ///
    /// # Safety
    ///
    /// `header` is the start of memory that the slab has given out for a cell at some time.
    pub(crate) unsafe fn state_of<'a>(header: NonNull<Self>) -> &'a State {
        // SAFETY: the memory of a cell is a state word for ever, and the first word of it.
        unsafe { header.cast::<State>().as_ref() }
    }
}

impl Deref for Header {
    type Target = Parts;

    #[inline(always)]
    fn deref(&self) -> &Parts {
        &self.parts
    }
}

impl Parts {
    #[inline(always)]
    pub(crate) fn new(
        vtable: &'static VTable,
        ext: Option<Block<Ext>>,
        id: u64,
        location: &'static Location<'static>,
        scheduler: NonNull<Anchor>,
    ) -> Self {
        Self {
            vtable,
            waiter: UnsafeCell::new(MaybeUninit::uninit()),
            ext: AtomicPtr::new(ext.map_or(std::ptr::null_mut(), Block::into_raw)),
            id,
            location,
            scheduler,
        }
    }

    /// Puts a waker into the slot.
    ///
    /// # Safety
    ///
    /// The caller owns the handle, and WAITER is clear.
    #[inline(always)]
    pub(crate) unsafe fn put_waiter(&self, waker: Waker) {
        self.waiter.with_mut(|slot| {
            // SAFETY: the slot is the caller's, and holds nothing.
            unsafe { slot.write(MaybeUninit::new(waker)) };
        });
    }

    /// Takes the waker out of the slot.
    ///
    /// # Safety
    ///
    /// A waker was put there, and the caller has won it: as the completer with WAITER set, or as the
    /// handle's owner who has cleared WAITER, or could not set it.
    #[inline(always)]
    pub(crate) unsafe fn take_waiter(&self) -> Waker {
        // Not `with_mut`: the handle's owner may be looking at the words of the waker, see `waiter_is`.
        self.waiter.with(|slot| {
            // SAFETY: the slot is the caller's.
            let waker = unsafe { slot.read() };
            // SAFETY: it holds a waker.
            unsafe { waker.assume_init() }
        })
    }

    /// Whether the waker in the slot would wake the same task as `waker`.
    ///
    /// # Safety
    ///
    /// The caller owns the handle, and has put a waker there and not taken it. (The completer may take it at the
    /// same time: both only read its words.)
    pub(crate) unsafe fn waiter_is(&self, waker: &Waker) -> bool {
        self.waiter.with(|slot| {
            // SAFETY: nobody writes the slot.
            let present = unsafe { &*slot };
            // SAFETY: it holds a waker.
            unsafe { present.assume_init_ref() }.will_wake(waker)
        })
    }
}

// SAFETY: every field that is not immutable or atomic follows the table above, which is about any threads; the
// scheduler and what the task waits for are `Sync`.
unsafe impl Sync for Header {}
// SAFETY: as above. (A header is never moved; trait objects ask for it.)
unsafe impl Send for Header {}

/// A header, and what one kind of cell has behind it: `A` is the cell's annex.
#[repr(C)]
pub(super) struct WithAnnex<A> {
    header: Header,
    annex: A,
}

impl<A> WithAnnex<A> {
    /// Writes the annex.
    ///
    /// # Safety
    ///
    /// `header` is the start of a free cell's memory, which belongs to the caller, and is large and aligned enough.
    #[inline(always)]
    pub(super) unsafe fn write_annex(header: NonNull<Header>, annex: A) {
        // SAFETY: the field lies inside the cell.
        let place = unsafe { header.byte_add(offset_of!(Self, annex)) }.cast::<A>();
        // SAFETY: the caller's promise.
        unsafe { place.write(annex) };
    }
}

/// A pointer to a cell that the bearer may use: it holds a reference, or is the task's holder.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub(crate) struct TaskPtr(NonNull<Header>);

// SAFETY: everything behind the pointer follows the rules at `Header`, which are about any threads.
unsafe impl Send for TaskPtr {}
// SAFETY: as above.
unsafe impl Sync for TaskPtr {}

impl TaskPtr {
    /// # Safety
    ///
    /// `header` points to an initialised cell that stays while the bearer uses the pointer.
    #[inline(always)]
    pub(crate) unsafe fn new(header: NonNull<Header>) -> Self {
        Self(header)
    }

    #[inline(always)]
    pub(crate) fn header(&self) -> &Header {
        // SAFETY: the bearer keeps the cell alive (see the type).
        unsafe { self.0.as_ref() }
    }

    #[inline(always)]
    pub(crate) fn as_raw(self) -> *const Header {
        self.0.as_ptr()
    }

    /// The scheduler.
    ///
    /// # Safety
    ///
    /// The task is not COMPLETE while the reference is used, or something else keeps its scheduler.
    #[inline(always)]
    pub(crate) unsafe fn scheduler<'a>(self) -> &'a dyn Schedule {
        // SAFETY: the invariant at `Parts::scheduler`, and the caller's promise.
        unsafe { Anchor::scheduler(self.header().scheduler) }
    }

    /// What the cell has beside its header and body.
    ///
    /// # Safety
    ///
    /// The cell was made with an annex of that type.
    #[inline(always)]
    pub(crate) unsafe fn annex<A>(&self) -> &A {
        // SAFETY: the caller's promise, and the bearer keeps the cell alive.
        let cell = unsafe { self.0.cast::<WithAnnex<A>>().as_ref() };
        &cell.annex
    }

    /// The future or output.
    #[inline(always)]
    pub(crate) fn body<B>(self) -> NonNull<B> {
        let offset = self.header().vtable.output_offset;
        // SAFETY: the body lies in the same allocation, at that offset.
        unsafe { self.0.byte_add(offset) }.cast()
    }

    #[inline(always)]
    pub(crate) fn state(&self) -> &State {
        &self.header().state
    }

    /// Gives one reference up, and frees the cell with the last one.
    ///
    /// # Safety
    ///
    /// The caller owns a reference and does not use the pointer afterwards.
    #[inline(always)]
    pub(crate) unsafe fn release(self) {
        if self.state().release() {
            // SAFETY: that was the last reference: future and output are gone (the completer or the
            // handle's owner dropped them before they gave theirs up).
            unsafe { self.free() };
        }
    }

    /// As [`release`](Self::release), for the completer of a task that somebody was listed with.
    ///
    /// # Safety
    ///
    /// As there; the reference is the runtime's.
    pub(crate) unsafe fn release_told(self) {
        if self.state().release_told() {
            // SAFETY: as in `release`.
            unsafe { self.free() };
        }
    }

    /// # Safety
    ///
    /// Nobody else refers to the cell; future and output are gone.
    pub(crate) unsafe fn free(self) {
        // Ordering: Acquire pairs with the exchange in `ext_or_new`.
        let ext = self.header().ext.load(crate::primitive::Ordering::Acquire);
        if !ext.is_null() {
            // SAFETY: the pointer was made by `Block::into_raw` when the side block was set, once.
            drop(unsafe { Block::from_raw(ext) });
        }
        let free = self.header().vtable.free;
        // SAFETY: the caller's promise is the duty of `free`.
        unsafe { free(self) };
    }
}

impl std::fmt::Debug for TaskPtr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TaskPtr({:p})", self.0)
    }
}
