//! Texts that may be socket addresses.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tasca_properties::names::check;

fuzz_target!(|text: &str| check(text));
