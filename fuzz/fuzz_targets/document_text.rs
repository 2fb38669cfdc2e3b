//! The target `document_text`, see `siltstone_fuzz::targets::ALL`.
#![no_main]

use siltstone_fuzz::targets::{Target, target};

const TARGET: Target = target("document_text");

libfuzzer_sys::fuzz_target!(|input: &[u8]| TARGET(input));
