//! Pieces of code that set context variables.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tasca_properties::contexts::{Op, check};

fuzz_target!(|input: (u64, Vec<Op>)| check(input.0, &input.1));
