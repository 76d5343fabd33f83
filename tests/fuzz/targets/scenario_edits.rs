//! Scenarios of the conformance suite that were changed.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tasca_properties::scenarios::{Edit, check_edited};

fuzz_target!(|input: (u16, Vec<Edit>)| check_edited(input.0, &input.1));
