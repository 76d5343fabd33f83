//! Size classes: steps of 8 bytes up to 256 and of 16 up to 512, then about a quarter more each, then powers of two.

/// Alignment of cells whose size is a multiple of it; of the others half as much.
pub(crate) const CELL_ALIGN: usize = 16;
/// Alignment of the cells of the large classes, for outputs that ask for more.
pub(super) const LARGE_ALIGN: usize = 4096;

/// A promise: a header, and room for how it ends.
const SMALL_MIN: usize = 72;
const SMALL_MAX: usize = 3072;
/// Only a large *output* leads here: a large future is put behind a pointer.
const N_LARGE: usize = 15;
const FIRST_LARGE: usize = {
    let (mut n_small, mut bytes) = (1, SMALL_MIN);
    while bytes < SMALL_MAX {
        bytes += step_above(bytes);
        n_small += 1;
    }
    n_small
};

/// Classes of cells, and the one of blocks.
pub(super) const N_CLASSES: usize = FIRST_LARGE + N_LARGE + 1;

/// Bytes of what is not a cell: two cache lines.
pub(super) const BLOCK_BYTES: usize = 128;

/// From a small size to the next.
const fn step_above(bytes: usize) -> usize {
    match bytes {
        ..256 => 8,
        256..512 => 16,
        512..1024 => 128,
        1024..2048 => 256,
        _ => 512,
    }
}

/// Bytes of a cell, by class.
pub(super) const SIZES: [usize; N_CLASSES] = {
    let mut sizes = [0; N_CLASSES];
    let mut index = 0;
    while index < N_CLASSES {
        sizes[index] = if index == 0 {
            SMALL_MIN
        } else if index == N_CLASSES - 1 {
            BLOCK_BYTES
        } else if index < FIRST_LARGE {
            sizes[index - 1] + step_above(sizes[index - 1])
        } else {
            LARGE_ALIGN << (index - FIRST_LARGE)
        };
        index += 1;
    }
    sizes
};

/// A size class of cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Class(u8);

impl Class {
    /// That of blocks, which are no cells: they have no state word.
    pub(super) const BLOCK: Self = Self::at(N_CLASSES - 1);

    /// The smallest class whose cells hold `bytes` with alignment `align`.
    ///
    /// # Panics
    ///
    /// If there is none; used in constants only, so the program does not compile.
    pub(crate) const fn for_layout(bytes: usize, align: usize) -> Self {
        assert!(
            align <= LARGE_ALIGN,
            "a task's output cannot be aligned to more than 4096 bytes"
        );
        let mut index = if align <= CELL_ALIGN { 0 } else { FIRST_LARGE };
        while index < Self::BLOCK.index() {
            // Cells lie side by side in their page.
            if bytes <= SIZES[index] && SIZES[index].is_multiple_of(align) {
                return Self::at(index);
            }
            index += 1;
        }
        panic!("a task's output cannot be larger than 64 MiB; return a box");
    }

    /// The class with this index.
    pub(super) const fn at(index: usize) -> Self {
        assert!(index < N_CLASSES, "an index of a class");
        // Fits: there are far fewer than 256 classes.
        Self(index as u8)
    }

    #[inline(always)]
    pub(super) const fn index(self) -> usize {
        self.0 as usize
    }

    pub(super) const fn is_large(self) -> bool {
        self.index() >= FIRST_LARGE && self.index() < Self::BLOCK.index()
    }
}
