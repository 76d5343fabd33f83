//! Histories of the timer queue.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tasca_properties::timers::{Op, check};

fuzz_target!(|history: Vec<Op>| check(&history));
