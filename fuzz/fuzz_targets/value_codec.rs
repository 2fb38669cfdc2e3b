//! The target `value_codec`, see `siltstone_fuzz::targets::ALL`.
#![no_main]

use siltstone_fuzz::targets::{Target, target};

const TARGET: Target = target("value_codec");

libfuzzer_sys::fuzz_target!(|input: &[u8]| TARGET(input));
