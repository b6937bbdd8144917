//! Fuzzes `milepost_fuzz_targets::frame`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| milepost_fuzz_targets::frame::check(bytes));
