//! Elements stay in place, chunks are made once and freed once.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};

use crate::slots::Slots;

/// First and last index of each of the first chunks, and neighbours.
const EDGES: [u32; 12] = [0, 1, 63, 64, 65, 191, 192, 447, 448, 959, 960, 100_000];

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
    assert!(slots.get(191).is_some());
    assert!(slots.get(192).is_none());
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
                    for index in [0, 64, 192] {
                        slots.get_or_grow(index).0.fetch_add(1, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().expect("a grower panicked");
        }
        for index in [0, 64, 192] {
            let seen = slots.get_or_grow(index).0.load(Ordering::Relaxed);
            assert_eq!(seen, n_threads, "two threads had different chunks");
        }
        assert_eq!(LIVING.load(Ordering::Relaxed), 64 + 128 + 256);
        drop(slots);
        assert_eq!(LIVING.load(Ordering::Relaxed), 0);
    }
}
