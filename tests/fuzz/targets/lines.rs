//! Histories of semaphores, locks and read-write locks.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tasca_properties::lines::{Op, What, check};

fuzz_target!(|input: (What, Vec<Op>)| check(input.0, &input.1));
