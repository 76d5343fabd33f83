//! Size classes: steps of 16 bytes up to 512, then about a quarter more each, then powers of two.

/// Alignment of every cell.
pub(crate) const CELL_ALIGN: usize = 16;
/// Alignment of the cells of the large classes, for outputs that ask for more.
pub(super) const LARGE_ALIGN: usize = 4096;

const STEP: usize = 16;
const FINE_MIN: usize = 96;
const FINE_MAX: usize = 512;
const COARSE: [usize; 10] = [640, 768, 896, 1024, 1280, 1536, 1792, 2048, 2560, 3072];
/// Only a large *output* leads here: a large future is put behind a pointer.
const N_LARGE: usize = 15;
const N_FINE: usize = (FINE_MAX - FINE_MIN) / STEP + 1;
const FIRST_LARGE: usize = N_FINE + COARSE.len();

pub(super) const N_CLASSES: usize = FIRST_LARGE + N_LARGE;

/// Bytes of a cell, by class.
pub(super) const SIZES: [usize; N_CLASSES] = {
    let mut sizes = [0; N_CLASSES];
    let mut index = 0;
    while index < N_CLASSES {
        sizes[index] = if index < N_FINE {
            FINE_MIN + index * STEP
        } else if index < FIRST_LARGE {
            COARSE[index - N_FINE]
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
        while index < N_CLASSES {
            if bytes <= SIZES[index] {
                // Fits: there are far fewer than 256 classes.
                return Self(index as u8);
            }
            index += 1;
        }
        panic!("a task's output cannot be larger than 64 MiB; return a box");
    }

    #[inline(always)]
    pub(super) const fn index(self) -> usize {
        self.0 as usize
    }

    pub(super) const fn is_large(self) -> bool {
        self.index() >= FIRST_LARGE
    }
}
