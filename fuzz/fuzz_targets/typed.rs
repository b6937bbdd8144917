//! Fuzzes `milepost_fuzz_targets::typed`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| milepost_fuzz_targets::typed::check(bytes));
