//! Fuzzes `milepost_fuzz_targets::backup_place`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| milepost_fuzz_targets::backup_place::check(bytes));
