//! The target `wire_framed`, see `siltstone_fuzz::targets::ALL`.
#![no_main]

use siltstone_fuzz::targets::{Target, target};

const TARGET: Target = target("wire_framed");

libfuzzer_sys::fuzz_target!(|input: &[u8]| TARGET(input));
