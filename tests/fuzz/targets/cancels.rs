//! Programs of cancellations, time-outs, clean-up and groups.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tasca_properties::cancels::{Op, check};

fuzz_target!(|input: (u64, Vec<u8>, Vec<Op>)| check(input.0, &input.1, &input.2));
