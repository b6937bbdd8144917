//! Fuzzes `milepost_fuzz_targets::names`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| milepost_fuzz_targets::names::check(bytes));
