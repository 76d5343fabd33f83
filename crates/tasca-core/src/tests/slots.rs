//! Elements stay in place, chunks are made once and freed once.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};

use super::guard::guarded;
use crate::slots::Slots;

/// First and last index of each of the first chunks, and neighbours.
const EDGES: [u32; 13] = [0, 1, 15, 16, 63, 64, 95, 96, 191, 192, 447, 448, 100_000];

#[test]
fn nothing_is_there_before_it_is_grown() {
    let slots = Slots::<u64>::new();
    for index in EDGES.into_iter().chain([u32::MAX - 64, u32::MAX]) {
        assert!(slots.get(index).is_none(), "index {index}");
    }
}

#[test]
fn growing_makes_the_index_s_own_chunk_and_no_other() {
    let slots = Slots::<u64>::new();
    slots.get_or_grow(64);
    assert!(slots.get(63).is_none());
    assert!(slots.get(64).is_some());
    assert!(slots.get(95).is_some());
    assert!(slots.get(96).is_none());
}

#[test]
fn every_index_has_an_element_of_its_own() {
    let slots = Slots::<AtomicUsize>::new();
    let n_slots: u32 = if cfg!(miri) { 500 } else { 70_000 };
    for index in 0..n_slots {
        slots
            .get_or_grow(index)
            .store(index as usize, Ordering::Relaxed);
    }
    for index in 0..n_slots {
        let element = slots.get(index).expect("grown above");
        assert_eq!(element.load(Ordering::Relaxed), index as usize);
    }
}

#[test]
fn at_most_a_fifth_of_the_elements_is_made_in_advance() {
    for n_used in [65, 1_000, 2_000, 20_000] {
        let slots = Slots::<u8>::new();
        (0..n_used).for_each(|index| {
            slots.get_or_grow(index);
        });
        let n_made = (0..2 * n_used).filter(|&index| slots.get(index).is_some());
        let spare = n_made.count() - n_used as usize;
        assert!(spare <= n_used as usize / 4 + 16, "{spare} for {n_used}");
    }
}

#[test]
fn elements_do_not_move_when_others_are_added() {
    let slots = Slots::<AtomicUsize>::new();
    let first: *const AtomicUsize = slots.get_or_grow(0);
    for index in EDGES {
        slots.get_or_grow(index);
    }
    assert!(std::ptr::eq(first, slots.get(0).expect("grown above")));
}

#[test]
fn racing_growers_agree_and_no_chunk_is_lost() {
    guarded("racing growers agree and no chunk is lost", || {
        static LIVING: AtomicUsize = AtomicUsize::new(0);
        struct Counted(AtomicUsize);
        impl Default for Counted {
            fn default() -> Self {
                LIVING.fetch_add(1, Ordering::Relaxed);
                Self(AtomicUsize::new(0))
            }
        }
        impl Drop for Counted {
            fn drop(&mut self) {
                LIVING.fetch_sub(1, Ordering::Relaxed);
            }
        }

        let n_threads = 4;
        let n_rounds = if cfg!(miri) { 3 } else { 200 };
        for _ in 0..n_rounds {
            let slots = Arc::new(Slots::<Counted>::new());
            let start = Arc::new(Barrier::new(n_threads));
            let threads: Vec<_> = (0..n_threads)
                .map(|_| {
                    let slots = Arc::clone(&slots);
                    let start = Arc::clone(&start);
                    std::thread::spawn(move || {
                        start.wait();
                        for index in [0, 64, 191] {
                            slots.get_or_grow(index).0.fetch_add(1, Ordering::Relaxed);
                        }
                    })
                })
                .collect();
            for thread in threads {
                thread.join().expect("a grower panicked");
            }
            for index in [0, 64, 191] {
                let seen = slots.get_or_grow(index).0.load(Ordering::Relaxed);
                assert_eq!(seen, n_threads, "two threads had different chunks");
            }
            assert_eq!(LIVING.load(Ordering::Relaxed), 16 + 32 + 32);
            drop(slots);
            assert_eq!(LIVING.load(Ordering::Relaxed), 0);
        }
    });
}
