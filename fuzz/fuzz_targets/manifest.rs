//! Fuzzes `milepost_fuzz_targets::manifest`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| milepost_fuzz_targets::manifest::check(bytes));
