//! The events that are measured: a scope of 46 bytes, keys of 23, values of 103, JSON-like.
//!
//! Invariant: a key and a value say their number, so that what is read can be checked. Both sides of a comparison make
//! the same bytes in the same way, without allocating.

use std::{io, str};

/// The scope of every event: 46 bytes.
pub(crate) const SCOPE: &str = "task/nightly_ingest/2026-11-24T02:00/load/0017";
const KEY: &[u8; 23] = b"file-000000000000000000";
const VALUE: &[u8; 103] =
    br#"{"n":000000000000000000,"status":"finished","bytes":18204,"ms":412,"where":"s3://lake/raw/part-0017"}  "#;
const DIGITS: usize = 18;
const KEY_DIGITS_AT: usize = 5;
const VALUE_DIGITS_AT: usize = 5;

const _: () = assert!(SCOPE.len() == 46);

/// A key and a value, made anew for each number.
#[derive(Clone)]
pub(crate) struct Event {
    key: [u8; 23],
    value: [u8; 103],
}

impl Event {
    /// The event of number 0.
    pub(crate) fn new() -> Event {
        Event { key: *KEY, value: *VALUE }
    }

    /// Makes it the event of another number for key and value, below 10^18.
    pub(crate) fn number(&mut self, key: u64, value: u64) {
        write_digits(&mut self.key[KEY_DIGITS_AT..KEY_DIGITS_AT + DIGITS], key);
        write_digits(&mut self.value[VALUE_DIGITS_AT..VALUE_DIGITS_AT + DIGITS], value);
    }

    /// The key.
    pub(crate) fn key(&self) -> &str {
        str::from_utf8(&self.key).expect("made of ASCII")
    }

    /// The value.
    pub(crate) fn value(&self) -> &[u8] {
        &self.value
    }
}

/// The number in a value.
pub(crate) fn number_of(value: &[u8]) -> io::Result<u64> {
    let digits = value.get(VALUE_DIGITS_AT..VALUE_DIGITS_AT + DIGITS).filter(|_| value.len() == VALUE.len());
    let Some(digits) = digits.filter(|digits| digits.iter().all(u8::is_ascii_digit)) else {
        return Err(io::Error::other(format!("read a value that was never written: {}", value.escape_ascii())));
    };
    Ok(digits.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0')))
}

/// Stops at the first digit, so that making the events costs little of what is measured.
fn write_digits(place: &mut [u8], mut number: u64) {
    place.fill(b'0');
    for digit in place.iter_mut().rev() {
        if number == 0 {
            break;
        }
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

#[cfg(test)]
mod tests;
