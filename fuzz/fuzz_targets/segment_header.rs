//! Fuzzes `milepost_fuzz_targets::segment_header`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| milepost_fuzz_targets::segment_header::check(bytes));
