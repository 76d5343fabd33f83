//! Memory of task cells: taken and given back for a few nanoseconds, and enumerable.
//!
//! Cells of one size class are carved out of pages that are never given back and never change their class, so the memory
//! of a cell is *type-stable*: its first word is a [`State`](crate::primitive::AtomicU64) for ever,
//! zero while the cell is free. That makes the pages the registry of all tasks: a walker reads the
//! first word of every cell and takes a reference, by compare-and-exchange, on those that live. A
//! spawn pays nothing for being listed. Pages know how many of their cells are out, in use or with a thread: a walk passes by those
//! that have none, so that it takes as long as there are tasks, and not as there ever were.
//!
//! A thread that runs tasks keeps free cells in a cache of its own; every other thread, and a cache that is
//! empty or overfull, goes to the depot behind a lock, a batch at a time. What a few tasks have beside their cell is in a [`Block`].
//!
//! Invariant: of a free cell only the first word (zero) and the second (the free list's link) have a meaning.

mod block;
mod class;

use std::alloc::{Layout, alloc, handle_alloc_error};
use std::cell::Cell;
use std::ptr::{self, NonNull};

use crate::primitive::{AtomicU64, Mutex, Ordering, thread_local_const};

pub(crate) use block::Block;
pub(crate) use class::{CELL_ALIGN, Class};
use class::{LARGE_ALIGN, N_CLASSES, SIZES};

/// Alignment of a page of small cells, and of blocks.
const CACHE_LINE: usize = 64;
/// Bytes of a page, unless one cell needs more. Those of small cells are aligned to it.
const PAGE_BYTES: usize = 64 * 1024;
/// Pages of small cells that are asked for at once: an allocator would waste as much as each one has, to align it.
const CHUNK_PAGES: usize = 16;
/// A cache above this gives a batch back.
const CACHE_MAX: u32 = 256;
/// Cells that move between a cache and the depot at once.
const BATCH: u32 = 64;

/// The first two words of a cell.
#[repr(C)]
struct FreeCell {
    /// Zero while the cell is free.
    state: AtomicU64,
    /// The next free cell of the same list. Meaningful only while the cell is in a list.
    next: *mut FreeCell,
}

/// A list of free cells of one class.
#[derive(Debug)]
struct FreeList {
    head: Cell<*mut FreeCell>,
    len: Cell<u32>,
}

impl FreeList {
    const fn new() -> Self {
        Self {
            head: Cell::new(ptr::null_mut()),
            len: Cell::new(0),
        }
    }

    #[inline(always)]
    fn pop(&self) -> Option<NonNull<FreeCell>> {
        let cell = NonNull::new(self.head.get())?;
        // SAFETY: cells in a list are free, and this list is the only one that holds `cell`.
        let next = unsafe { (*cell.as_ptr()).next };
        self.head.set(next);
        self.len.set(self.len.get() - 1);
        Some(cell)
    }

    /// # Safety
    ///
    /// `cell` is free, of this list's class, and in no list.
    #[inline(always)]
    unsafe fn push(&self, cell: NonNull<FreeCell>) {
        // SAFETY: the caller owns the free cell; the link has no other reader.
        unsafe { (*cell.as_ptr()).next = self.head.get() };
        self.head.set(cell.as_ptr());
        self.len.set(self.len.get() + 1);
    }
}

/// What the threads share: free cells by class, and every page there is.
struct Depot {
    free: [FreeList; N_CLASSES],
    pages: Vec<Page>,
    /// Memory for so many pages of small cells more, and where it begins.
    n_spare: usize,
    spare: NonNull<u8>,
}

#[derive(Clone, Copy)]
struct Page {
    start: NonNull<u8>,
    class: Class,
}

/// What a page of small cells begins with. Its depot alone looks at it.
#[repr(C, align(64))]
struct PageHead {
    /// How many of the page's cells are not in the depot.
    n_out: Cell<u32>,
}

// SAFETY: the lists and pages are only reached under the depot's lock, and the cells in the lists belong to nobody.
unsafe impl Send for Depot {}

static DEPOT: Mutex<Depot> = Mutex::new(Depot {
    free: [const { FreeList::new() }; N_CLASSES],
    pages: Vec::new(),
    n_spare: 0,
    spare: NonNull::dangling(),
});

/// A thread's own free cells.
struct Cache {
    /// Whether this thread keeps cells at all: it will call [`detach`] before it ends.
    attached: Cell<u32>,
    free: [FreeList; N_CLASSES],
}

thread_local_const! {
    static CACHE: Cache = Cache { attached: Cell::new(0), free: [const { FreeList::new() }; N_CLASSES] }
}

/// Lets this thread keep free cells, until the matching [`detach`].
pub(crate) fn attach() {
    CACHE.with(|cache| cache.attached.set(cache.attached.get() + 1));
}

/// Ends what [`attach`] began; the last one gives the kept cells back.
pub(crate) fn detach() {
    CACHE.with(|cache| {
        cache.attached.set(cache.attached.get() - 1);
        if cache.attached.get() == 0 {
            let depot = DEPOT.lock();
            for (index, mine) in cache.free.iter().enumerate() {
                depot.take_back(Class::at(index), mine, u32::MAX);
            }
        }
    });
}

/// Gives memory for one cell. Its first word is zero; the caller stores a state there last.
#[inline(always)]
pub(crate) fn allocate(class: Class) -> NonNull<u8> {
    CACHE.with(|cache| match cache.free[class.index()].pop() {
        Some(cell) => cell.cast(),
        None => refill(cache, class),
    })
}

#[cold]
fn refill(cache: &Cache, class: Class) -> NonNull<u8> {
    let mut depot = DEPOT.lock();
    if depot.free[class.index()].len.get() == 0 {
        depot.add_page(class);
    }
    let cell = depot.give_out(class).expect("a page has cells");
    if cache.attached.get() > 0 {
        for _ in 1..BATCH {
            let Some(cell) = depot.give_out(class) else {
                break;
            };
            // SAFETY: `cell` has just left a list of the same class.
            unsafe { cache.free[class.index()].push(cell) };
        }
    }
    cell.cast()
}

/// Takes the memory of a cell back.
///
/// # Safety
///
/// `cell` came from [`allocate`] with this class, nobody uses it any more, and nothing but its
/// memory is left.
#[inline(always)]
pub(crate) unsafe fn free(cell: NonNull<u8>, class: Class) {
    let cell: NonNull<FreeCell> = cell.cast();
    // SAFETY: every cell begins with the state word.
    let state = unsafe { &(*cell.as_ptr()).state };
    // Ordering: Relaxed; a walker that still sees the old word finds COMPLETE in it and turns away,
    // and the next owner's Release store of a new state publishes the new contents.
    state.store(0, Ordering::Relaxed);
    CACHE.with(
        #[inline(always)]
        |cache| {
            if cache.attached.get() == 0 {
                // SAFETY: the caller gives the cell up.
                unsafe { give_back(cell, class) };
                return;
            }
            let mine = &cache.free[class.index()];
            // SAFETY: the caller gives the cell up.
            unsafe { mine.push(cell) };
            if mine.len.get() > CACHE_MAX {
                trim(mine, class);
            }
        },
    );
}

/// Takes back what was freed on a thread that keeps no cells.
///
/// # Safety
///
/// As for [`free`].
#[cold]
unsafe fn give_back(cell: NonNull<FreeCell>, class: Class) {
    let depot = DEPOT.lock();
    // SAFETY: the caller gives the cell up.
    unsafe { depot.take_cell_back(class, cell) };
}

#[cold]
fn trim(mine: &FreeList, class: Class) {
    DEPOT.lock().take_back(class, mine, BATCH * 2);
}

impl Depot {
    /// Gives one cell out.
    fn give_out(&self, class: Class) -> Option<NonNull<FreeCell>> {
        let cell = self.free[class.index()].pop()?;
        if let Some(n_out) = n_out_of(cell, class) {
            n_out.set(n_out.get() + 1);
        }
        Some(cell)
    }

    /// Takes so many cells back from a list of their class, or as many as there are.
    fn take_back(&self, class: Class, from: &FreeList, count_max: u32) {
        for _ in 0..count_max {
            let Some(cell) = from.pop() else { return };
            // SAFETY: `cell` has just left a list of the same class.
            unsafe { self.take_cell_back(class, cell) };
        }
    }

    /// # Safety
    ///
    /// As for [`FreeList::push`], and the depot has given the cell out.
    unsafe fn take_cell_back(&self, class: Class, cell: NonNull<FreeCell>) {
        if let Some(n_out) = n_out_of(cell, class) {
            n_out.set(n_out.get() - 1);
        }
        // SAFETY: the caller's promise.
        unsafe { self.free[class.index()].push(cell) };
    }

    fn add_page(&mut self, class: Class) {
        let bytes = SIZES[class.index()].max(PAGE_BYTES);
        let start = if class.is_large() {
            ask_for_memory(bytes, LARGE_ALIGN)
        } else {
            self.take_spare()
        };
        let page = Page { start, class };
        if !class.is_large() {
            let n_out = Cell::new(0);
            // SAFETY: a page of small cells begins with its head, and this one is new.
            unsafe { start.cast().write(PageHead { n_out }) };
        }
        for cell in page.cells() {
            let (state, next) = (AtomicU64::new(0), ptr::null_mut());
            // SAFETY: the page is new, and so is its cell.
            unsafe { cell.write(FreeCell { state, next }) };
            // SAFETY: the cell is free, and in no list yet.
            unsafe { self.free[class.index()].push(cell) };
        }
        self.pages.push(page);
    }

    /// Memory for a page of small cells.
    fn take_spare(&mut self) -> NonNull<u8> {
        if self.n_spare == 0 {
            // Not zeroed here: what is not touched takes no memory.
            self.spare = ask_for_memory(CHUNK_PAGES * PAGE_BYTES, PAGE_BYTES);
            self.n_spare = CHUNK_PAGES;
        }
        let page = self.spare;
        self.n_spare -= 1;
        if self.n_spare > 0 {
            // SAFETY: there is another page behind this one.
            self.spare = unsafe { page.add(PAGE_BYTES) };
        }
        page
    }
}

fn ask_for_memory(bytes: usize, align: usize) -> NonNull<u8> {
    let layout = Layout::from_size_align(bytes, align).expect("a valid layout");
    // SAFETY: nothing here asks for no bytes.
    let start = unsafe { alloc(layout) };
    NonNull::new(start).unwrap_or_else(|| handle_alloc_error(layout))
}

/// How many cells of the same page are not in the depot, which the caller has locked; `None` for large ones, whose pages are always
/// walked over.
#[inline(always)]
fn n_out_of<'a>(cell: NonNull<FreeCell>, class: Class) -> Option<&'a Cell<u32>> {
    if class.is_large() {
        return None;
    }
    let offset = cell.as_ptr().addr() % PAGE_BYTES;
    // SAFETY: a page of small cells is aligned to its size, so that this is where it begins.
    let head: NonNull<PageHead> = unsafe { cell.byte_sub(offset) }.cast();
    // SAFETY: that is where its head is, for ever; who has the depot's lock is alone with it.
    Some(unsafe { &(*head.as_ptr()).n_out })
}

impl Page {
    fn cells(self) -> impl Iterator<Item = NonNull<FreeCell>> {
        let cell_bytes = SIZES[self.class.index()];
        let head_bytes = if self.class.is_large() {
            0
        } else {
            size_of::<PageHead>()
        };
        let n_cells = ((PAGE_BYTES - head_bytes) / cell_bytes).max(1);
        // Last first: a list that is filled in this order gives cells out by rising address.
        (0..n_cells).rev().map(move |index| {
            // SAFETY: the offset lies inside the page.
            let cell = unsafe { self.start.add(head_bytes + index * cell_bytes) };
            cell.cast()
        })
    }

    /// Whether a walk may come upon a cell in use, as long as the depot is locked.
    fn has_cells_out(self) -> bool {
        // A page has a cell at least.
        let first = self.cells().next().expect("a page has cells");
        n_out_of(first, self.class).is_none_or(|n_out| n_out.get() > 0)
    }
}

/// Calls `visit` with a pointer to the state word of every cell in use, and of free ones that are near them.
///
/// The depot is locked meanwhile only to read the list of pages; cells come and go during the walk. Those that were taken from
/// the depot before it began are met.
pub(crate) fn for_each_cell(mut visit: impl FnMut(NonNull<AtomicU64>)) {
    let are_cells = |page: &&Page| page.class != Class::BLOCK && page.has_cells_out();
    let pages: Vec<Page> = {
        let depot = DEPOT.lock();
        depot.pages.iter().filter(are_cells).copied().collect()
    };
    for page in pages {
        for cell in page.cells() {
            visit(cell.cast());
        }
    }
}
