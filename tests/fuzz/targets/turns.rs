//! Histories of what a worker puts out for others.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tasca_properties::turns::{Op, check};

fuzz_target!(|history: Vec<Op>| check(&history));
