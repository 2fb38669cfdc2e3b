//! The target `index_decode`, see `siltstone_fuzz::targets::ALL`.
#![no_main]

use siltstone_fuzz::targets::{Target, target};

const TARGET: Target = target("index_decode");

libfuzzer_sys::fuzz_target!(|input: &[u8]| TARGET(input));
