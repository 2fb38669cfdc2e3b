//! The target `ops_crash`, see `siltstone_fuzz::targets::ALL`.
#![no_main]

use siltstone_fuzz::targets::{Target, target};

const TARGET: Target = target("ops_crash");

libfuzzer_sys::fuzz_target!(|input: &[u8]| TARGET(input));
