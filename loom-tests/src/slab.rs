//! A stand-in for the slab: cells from the allocator, each with a state word that loom sees.
//!
//! As in the real one, memory is type-stable: while an execution lasts, a cell's memory stays a cell of its
//! class, and is given out again, last freed first. A cell that is not freed by the end of its execution is reported as a leak.

use std::alloc::{Layout, alloc, dealloc};
use std::cell::RefCell;
use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

use crate::primitive::{Arc, AtomicBool, AtomicU64, Ordering, Tracked, Watched};
use crate::task::handle::TaskRef;

#[path = "../../crates/tasca-core/src/slab/class.rs"]
mod class;

use class::SIZES;
pub(crate) use class::{CELL_ALIGN, Class};

/// A block beside a cell comes from the allocator.
#[derive(Debug)]
pub(crate) struct Block<T>(Box<T>);

impl<T> Block<T> {
    pub(crate) fn new(make: impl FnOnce() -> T) -> Self {
        Self(Box::new(make()))
    }

    pub(crate) fn into_raw(self) -> *mut T {
        Box::into_raw(self.0)
    }

    /// # Safety
    ///
    /// As for the real one.
    pub(crate) unsafe fn from_raw(value: *mut T) -> Self {
        // SAFETY: the caller's promise.
        Self(unsafe { Box::from_raw(value) })
    }
}

impl<T> Deref for Block<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for Block<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

struct Memory {
    start: NonNull<u8>,
    class: Class,
    /// Hands the cell from who has freed it to who takes it into use again, as the lists of free cells do.
    handed_on: Arc<AtomicBool>,
    /// What looks at the cell's memory, and its end, are to loom.
    watched: Arc<Watched>,
    /// While the cell is in use. By hand, since a model that fails leaves cells behind.
    used: Option<ManuallyDrop<Tracked>>,
}

/// The memory of one cell while it is in use.
#[derive(Clone)]
pub(crate) struct Used(Arc<Watched>);

impl Used {
    pub(crate) fn of(task: &TaskRef) -> Self {
        let start = task.ptr().as_raw().cast::<u8>();
        CELLS.with_borrow(|cells| {
            let memory = cells
                .iter()
                .find(|memory| memory.start.as_ptr().cast_const() == start);
            Self(Arc::clone(&memory.expect("a cell in use").watched))
        })
    }

    /// Looks at it, as anybody may who has a reference: it must not have been freed, nor be freed meanwhile.
    pub(crate) fn look(&self) {
        self.0.read();
    }
}

// loom runs the threads of a model one at a time on a single thread of the system, so this is the
// model's own, and invisible to it.
std::thread_local! {
    static CELLS: RefCell<Vec<Memory>> = const { RefCell::new(Vec::new()) };
}

/// Forgets the cells of the execution before.
pub(crate) fn begin_execution() {
    CELLS.with_borrow_mut(|cells| {
        for memory in cells.drain(..) {
            // SAFETY: allocated below with this layout, and no execution is under way.
            unsafe { dealloc(memory.start.as_ptr(), layout(memory.class)) };
        }
    });
}

fn layout(class: Class) -> Layout {
    let align = if class.is_large() {
        class::LARGE_ALIGN
    } else {
        64
    };
    Layout::from_size_align(SIZES[class.index()], align).expect("a valid layout")
}

/// Memory here belongs to all threads, so they need not come and go.
pub(crate) fn attach() {}

pub(crate) fn detach() {}

/// Has some cells of each small class ready, as a page of the real one has: a walk comes to those that are taken into use later.
pub(crate) fn prepare(n_each: usize) {
    for bytes in (SIZES[0]..=128).step_by(8) {
        let class = Class::for_layout(bytes, 8);
        let cells: Vec<_> = (0..n_each).map(|_| allocate(class)).collect();
        for cell in cells {
            // SAFETY: just allocated, and not used.
            unsafe { free(cell, class) };
        }
    }
}

/// Gives memory for one cell.
pub(crate) fn allocate(class: Class) -> NonNull<u8> {
    let free = CELLS.with_borrow_mut(|cells| {
        let memory = cells
            .iter_mut()
            .rev()
            .find(|memory| memory.used.is_none() && memory.class == class)?;
        memory.used = Some(ManuallyDrop::new(Tracked::new()));
        memory.watched = Arc::default();
        Some((memory.start, Arc::clone(&memory.handed_on)))
    });
    if let Some((start, handed_on)) = free {
        // Ordering: Acquire pairs with the Release in `free`.
        handed_on.swap(false, Ordering::Acquire);
        return start;
    }
    // SAFETY: the layout has a size.
    let start = NonNull::new(unsafe { alloc(layout(class)) }).expect("memory for a cell");
    // SAFETY: the memory is fresh, and large and aligned enough for the state word that it begins with.
    unsafe { start.cast().write(AtomicU64::new(0)) };
    CELLS.with_borrow_mut(|cells| {
        let used = Some(ManuallyDrop::new(Tracked::new()));
        cells.push(Memory {
            start,
            class,
            handed_on: Arc::new(AtomicBool::new(false)),
            watched: Arc::default(),
            used,
        });
    });
    start
}

/// Takes the memory of a cell back.
///
/// # Safety
///
/// As for the real one.
pub(crate) unsafe fn free(cell: NonNull<u8>, _: Class) {
    // SAFETY: every cell begins with the state word.
    let state = unsafe { cell.cast::<AtomicU64>().as_ref() };
    // Ordering: as in the real one.
    state.store(0, Ordering::Relaxed);
    let (watched, handed_on) = CELLS.with_borrow(|cells| {
        let memory = cells.iter().find(|memory| memory.start == cell);
        let memory = memory.expect("a cell that was given out");
        (Arc::clone(&memory.watched), Arc::clone(&memory.handed_on))
    });
    watched.write();
    // Ordering: Release; see `allocate`.
    handed_on.store(true, Ordering::Release);
    let used = CELLS.with_borrow_mut(|cells| {
        let memory = cells.iter_mut().find(|memory| memory.start == cell);
        memory.expect("still there").used.take()
    });
    drop(ManuallyDrop::into_inner(
        used.expect("a cell is freed once"),
    ));
}

/// Calls `visit` with the state word of every cell there is, free ones included.
pub(crate) fn for_each_cell(mut visit: impl FnMut(NonNull<AtomicU64>)) {
    let starts: Vec<_> = CELLS.with_borrow(|cells| cells.iter().map(|cell| cell.start).collect());
    for start in starts {
        visit(start.cast());
    }
}
