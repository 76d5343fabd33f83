//! Histories of queues.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tasca_properties::queues::{Kind, Op, check};

fuzz_target!(|input: (Kind, u8, Vec<Op>)| check(input.0, input.1, &input.2));
