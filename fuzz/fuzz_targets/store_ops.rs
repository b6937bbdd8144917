//! Fuzzes `milepost_fuzz_targets::store_ops`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| milepost_fuzz_targets::store_ops::check(bytes));
