//! Any tokens in an attribute, and below it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tasca_properties::attributes::{Given, check_expansion, check_options};

fuzz_target!(|input: (Vec<Given>, &str, &str)| {
    check_options(&input.0);
    check_expansion(input.1, input.2);
});
