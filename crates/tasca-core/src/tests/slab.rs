//! Memory of cells: reused, enumerable, given back, and no more of it than is needed.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::{self, NonNull};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;

use super::guard::guarded;
use crate::primitive::{AtomicU64, Ordering};
use crate::slab::{self, Block, Class};

/// The slab is one for the process, so its tests take turns.
fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

const SMALL: Class = Class::for_layout(200, 8);

/// A cell that goes back when it is dropped, on whichever thread.
struct Cell(NonNull<u8>, Class);

// SAFETY: a cell belongs to whoever has it.
unsafe impl Send for Cell {}

impl Cell {
    fn new(class: Class) -> Self {
        Self(slab::allocate(class), class)
    }

    fn state(&self) -> &AtomicU64 {
        // SAFETY: a cell begins with its state word.
        unsafe { self.0.cast().as_ref() }
    }

    fn address(&self) -> usize {
        self.0.as_ptr().addr()
    }
}

impl Drop for Cell {
    fn drop(&mut self) {
        // SAFETY: it came from `allocate` with this class, and is gone after this.
        unsafe { slab::free(self.0, self.1) };
    }
}

/// A thread that keeps cells of its own while this lasts.
struct Attached;

impl Attached {
    fn new() -> Self {
        slab::attach();
        Self
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        slab::detach();
    }
}

#[test]
fn a_cell_is_free_aligned_and_apart_from_others() {
    let _alone = alone();
    for (bytes, align) in [
        (1, 1),
        (72, 8),
        (73, 8),
        (88, 8),
        (89, 8),
        (89, 16),
        (512, 16),
        (513, 16),
        (3_000, 16),
        (70_000, 16),
    ] {
        let class = Class::for_layout(bytes, align);
        let cells: Vec<Cell> = (0..3).map(|_| Cell::new(class)).collect();
        let mut addresses: Vec<usize> = cells.iter().map(Cell::address).collect();
        addresses.sort_unstable();
        assert!(
            addresses.windows(2).all(|pair| pair[1] - pair[0] >= bytes),
            "{bytes} bytes"
        );
        for cell in &cells {
            assert_eq!(cell.state().load(Ordering::Relaxed), 0);
            assert!(cell.address().is_multiple_of(align));
        }
    }
    for align in [32, 64, 4096] {
        assert!(
            Cell::new(Class::for_layout(100, align))
                .address()
                .is_multiple_of(align)
        );
    }
}

#[test]
fn the_cell_freed_last_is_given_out_first() {
    let _alone = alone();
    let _attached = Attached::new();
    let (first, second) = (Cell::new(SMALL), Cell::new(SMALL));
    let addresses = (first.address(), second.address());
    drop((first, second));
    assert_eq!(Cell::new(SMALL).address(), addresses.1);
}

#[test]
fn a_walk_meets_every_cell_and_sees_which_are_in_use() {
    let _alone = alone();
    let cells: Vec<Cell> = (0..10).map(|_| Cell::new(SMALL)).collect();
    for (index, cell) in cells.iter().enumerate() {
        cell.state().store(1_000 + index as u64, Ordering::Release);
    }
    let seen = || {
        let mut seen = Vec::new();
        slab::for_each_cell(|state| {
            // SAFETY: a cell's memory is a state word for ever.
            let word = unsafe { state.as_ref() }.load(Ordering::Acquire);
            seen.extend((word != 0).then_some(word));
        });
        seen.sort_unstable();
        seen
    };
    assert_eq!(seen(), (1_000..1_010).collect::<Vec<u64>>());
    drop(cells);
    assert_eq!(seen(), []);
}

#[test]
fn a_walk_passes_by_pages_whose_cells_are_all_free() {
    let _alone = alone();
    // A class that hardly anybody else uses.
    let cells: Vec<Cell> = (0..1_000)
        .map(|_| Cell::new(Class::for_layout(3_000, 8)))
        .collect();
    let addresses: HashSet<usize> = cells.iter().map(Cell::address).collect();
    let n_met = || {
        let mut n_met = 0;
        slab::for_each_cell(|state| {
            n_met += usize::from(addresses.contains(&state.as_ptr().addr()));
        });
        n_met
    };
    assert_eq!(n_met(), 1_000);
    let mut cells = cells;
    let last = cells.pop();
    drop(cells);
    assert!((1..100).contains(&n_met()), "those beside the one in use");
    drop(last);
    assert!(n_met() < 100);
}

#[test]
fn a_thread_that_detaches_gives_its_cells_back() {
    let _alone = alone();
    let freed: HashSet<usize> = thread::spawn(|| {
        let _attached = Attached::new();
        let cells: Vec<Cell> = (0..200).map(|_| Cell::new(SMALL)).collect();
        cells.iter().map(Cell::address).collect()
    })
    .join()
    .expect("no panic");
    let cells: Vec<Cell> = (0..200).map(|_| Cell::new(SMALL)).collect();
    let is_one = |cell: &&Cell| freed.contains(&cell.address());
    // Besides, it had some that it never used.
    assert!(cells.iter().filter(is_one).count() > 100);
}

#[test]
fn attachments_nest() {
    let _alone = alone();
    let outer = Attached::new();
    drop(Attached::new());
    let cell = Cell::new(SMALL);
    let address = cell.address();
    drop(cell);
    assert_eq!(
        Cell::new(SMALL).address(),
        address,
        "still in this thread's own list"
    );
    drop(outer);
}

#[test]
fn a_cache_that_is_overfull_shares() {
    guarded("a cache that is overfull shares", || {
        let _alone = alone();
        let (done, wait_done) = mpsc::channel();
        let (end, wait_end) = mpsc::channel::<()>();
        let hoarder = thread::spawn(move || {
            let _attached = Attached::new();
            let cells: Vec<Cell> = (0..2_000).map(|_| Cell::new(SMALL)).collect();
            let addresses: HashSet<usize> = cells.iter().map(Cell::address).collect();
            drop(cells);
            done.send(addresses).expect("somebody waits");
            wait_end.recv().expect("somebody sends");
        });
        let addresses = wait_done.recv().expect("the other thread is done");
        let cells: Vec<Cell> = (0..1_500).map(|_| Cell::new(SMALL)).collect();
        let is_one = |cell: &&Cell| addresses.contains(&cell.address());
        assert!(
            cells.iter().filter(is_one).count() > 1_400,
            "the other thread keeps some hundred cells at most"
        );
        drop(cells);
        end.send(()).expect("the other thread waits");
        hoarder.join().expect("no panic");
    });
}

#[test]
fn churn_needs_no_more_memory_than_its_peak() {
    guarded("churn needs no more memory than its peak", || {
        let _alone = alone();
        let n_rounds = if cfg!(miri) { 5 } else { 400 };
        // Made on one thread, freed on another: the way of most tasks.
        let (send, receive) = mpsc::sync_channel::<Vec<Cell>>(1);
        let maker = thread::spawn(move || {
            let _attached = Attached::new();
            for _ in 0..n_rounds {
                let cells = (0..500).map(|_| Cell::new(SMALL)).collect();
                send.send(cells).expect("somebody receives");
            }
        });
        let _attached = Attached::new();
        let mut addresses = HashSet::new();
        for cells in receive {
            addresses.extend(cells.iter().map(Cell::address));
        }
        maker.join().expect("no panic");
        // At most four batches exist at once, wherever the threads were stopped, and each keeps some hundred cells.
        assert!(addresses.len() <= 3_000);
    });
}

fn address_of<T>(block: &Block<T>) -> usize {
    ptr::from_ref::<T>(block).addr()
}

#[test]
fn the_memory_of_a_block_serves_the_next_one_of_its_thread() {
    let _attached = Attached::new();
    let blocks = [1, 2, 3].map(|number| Block::new(|| number));
    assert_eq!(blocks.each_ref().map(|block| **block), [1, 2, 3]);
    let addresses = blocks.each_ref().map(address_of);
    drop(blocks);
    let mut raw = Vec::new();
    // Last freed first, whatever is in it.
    for address in addresses.into_iter().rev() {
        let mut block = Block::new(|| [7_u64; 16]);
        assert_eq!(address_of(&block), address);
        block[15] = 8;
        assert_eq!((block[0], block[15]), (7, 8));
        // Not freed, or the next one would get it.
        raw.push(block.into_raw());
    }
    for block in raw {
        // SAFETY: it comes from `into_raw`.
        drop(unsafe { Block::from_raw(block) });
    }
    assert_eq!(address_of(&Block::new(|| 0)), addresses[0]);
}

#[test]
fn a_walk_passes_blocks_by() {
    let _alone = alone();
    // Were a block taken for a cell, this would be its state.
    let block = Block::new(|| [u64::MAX; 16]);
    slab::for_each_cell(|state| {
        // SAFETY: a cell's memory is a state word for ever.
        let word = unsafe { state.as_ref() }.load(Ordering::Acquire);
        assert_ne!(word, block[0]);
    });
}

#[test]
fn a_block_drops_its_value_once_and_is_free_even_if_that_panics() {
    struct Bomb(Arc<()>);
    impl Drop for Bomb {
        fn drop(&mut self) {
            assert_eq!(Arc::strong_count(&self.0), 2, "dropped once");
            panic!("a drop that panics");
        }
    }
    let _attached = Attached::new();
    let count = Arc::new(());
    let block = Block::new(|| Bomb(Arc::clone(&count)));
    let address = address_of(&block);
    assert!(catch_unwind(AssertUnwindSafe(|| drop(block))).is_err());
    assert_eq!(Arc::strong_count(&count), 1);
    assert_eq!(address_of(&Block::new(|| 0)), address);
}

#[test]
fn a_block_may_end_on_another_thread() {
    guarded("a block may end on another thread", || {
        let _attached = Attached::new();
        let block = Block::new(|| Arc::new(5));
        let value = Arc::clone(&block);
        let sent = thread::spawn(move || drop(block)).join();
        assert!(sent.is_ok());
        assert_eq!(Arc::strong_count(&value), 1);
    });
}
