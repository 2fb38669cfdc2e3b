//! The target `table_scan`, see `siltstone_fuzz::targets::ALL`.
#![no_main]

use siltstone_fuzz::targets::{Target, target};

const TARGET: Target = target("table_scan");

libfuzzer_sys::fuzz_target!(|input: &[u8]| TARGET(input));
