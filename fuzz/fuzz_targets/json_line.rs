//! Fuzzes `milepost_fuzz_targets::json_line`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| milepost_fuzz_targets::json_line::check(bytes));
