//! What the checkers must report: `canary race`, `use-after-free`, `leak`, `unwritten`. Run by `cargo xtask sanitize`, which
//! fails if one of them passes: then the checker is blind, or its suppressions hide too much.
//!
//! The faults are made where the runtime would make them: in tasks, on workers.

use std::cell::UnsafeCell;
use std::hint::black_box;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tasca::{Runtime, spawn, yield_now};

fn main() {
    let fault = std::env::args().nth(1).unwrap_or_default();
    let runtime = Runtime::builder()
        .worker_threads(2)
        .build()
        .expect("a runtime can be made");
    match fault.as_str() {
        "race" => runtime.block_on(race()),
        "use-after-free" => runtime.block_on(async { spawn(async { use_after_free() }).await }),
        "leak" => runtime.block_on(async { spawn(async { leak() }).await }),
        "unwritten" => runtime.block_on(async { spawn(async { unwritten() }).await }),
        other => panic!("no such fault: {other:?}"),
    }
}

/// A value and a flag that says when it is there.
struct HandOver {
    value: UnsafeCell<u64>,
    given: AtomicBool,
}

// SAFETY: a lie, and the fault to be found: the flag does not order the accesses.
unsafe impl Sync for HandOver {}

/// Hands a value from one thread to another by a flag that orders nothing.
async fn race() {
    let place = Arc::new(HandOver {
        value: UnsafeCell::new(0),
        given: AtomicBool::new(false),
    });
    let giver = Arc::clone(&place);
    // A thread that is not of the runtime: the task below cannot come to run on it.
    let giving = std::thread::spawn(move || {
        // SAFETY: nobody looks before it is given; but nothing says so to the other thread.
        unsafe { *giver.value.get() = 1 };
        // Ordering: Relaxed, which is the fault.
        giver.given.store(true, Ordering::Relaxed);
    });
    let taken = spawn(async move {
        while !place.given.load(Ordering::Relaxed) {
            yield_now().await;
        }
        // SAFETY: as above.
        unsafe { *place.value.get() }
    });
    assert_eq!(taken.await, 1);
    giving.join().expect("it does not panic");
}

fn use_after_free() {
    let value = Box::into_raw(Box::new(1_u64));
    // SAFETY: it came from a box.
    drop(unsafe { Box::from_raw(value) });
    // SAFETY: none, which is the fault.
    black_box(unsafe { ptr::read_volatile(value) });
}

fn leak() {
    let value = Box::new([0_u8; 64]);
    // Forgotten, and no pointer to it is left.
    #[expect(clippy::mem_forget, reason = "the fault")]
    std::mem::forget(black_box(value));
}

fn unwritten() {
    let place = Box::new(MaybeUninit::<u64>::uninit());
    // SAFETY: none, which is the fault.
    let value = unsafe { ptr::read_volatile(black_box(&place).as_ptr()) };
    // What is reported is a decision, not the read.
    assert_ne!(value, 0x5eed, "improbable");
}
