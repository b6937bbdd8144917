//! Fuzzes `milepost_fuzz_targets::records`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| milepost_fuzz_targets::records::check(bytes));
