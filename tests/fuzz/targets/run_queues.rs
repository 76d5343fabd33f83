//! Histories of the run queues of three workers.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tasca_properties::run_queues::{Op, check};

fuzz_target!(|history: Vec<Op>| check(&history));
