//! Histories of events, conditions and barriers.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tasca_properties::signals::{Op, check_barrier, check_condition, check_event};

fuzz_target!(|input: (u8, Vec<Op>)| {
    check_event(&input.1);
    check_condition(&input.1);
    check_barrier(input.0, &input.1);
});
