//! The target `compression_frame`, see `siltstone_fuzz::targets::ALL`.
#![no_main]

use siltstone_fuzz::targets::{Target, target};

const TARGET: Target = target("compression_frame");

libfuzzer_sys::fuzz_target!(|input: &[u8]| TARGET(input));
