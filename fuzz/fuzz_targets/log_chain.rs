//! The target `log_chain`, see `siltstone_fuzz::targets::ALL`.
#![no_main]

use siltstone_fuzz::targets::{Target, target};

const TARGET: Target = target("log_chain");

libfuzzer_sys::fuzz_target!(|input: &[u8]| TARGET(input));
