//! Fuzzes `milepost_fuzz_targets::cold`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| milepost_fuzz_targets::cold::check(bytes));
