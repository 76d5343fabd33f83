//! Texts that may be scenarios of the conformance suite.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tasca_properties::scenarios::check_text;

fuzz_target!(|text: &str| check_text(text));
