//! The events that are written: a scope of 46 bytes, keys of 23, values of 103, JSON-like.
//!
//! Invariant: a value says its number, and every byte of a value that is read is compared with what was written: an
//! engine that returns something else, or leaves something out, fails the run.

use std::{io, str};

const SCOPE: &[u8; 46] = b"task/nightly_ingest/2026-11-24T02:00/load/0000";
const KEY: &[u8; 23] = b"file-000000000000000000";
const VALUE: &[u8; 103] =
    br#"{"n":000000000000000000,"status":"finished","bytes":18204,"ms":412,"where":"s3://lake/raw/part-0017"}  "#;
const SCOPE_DIGITS_AT: usize = 42;
const DIGITS_AT: usize = 5;
const DIGITS: usize = 18;
const DIGITS_END: usize = DIGITS_AT + DIGITS;

/// Bytes of an event that its user gave: scope, key and value.
pub(crate) const USER_BYTES: u64 = (SCOPE.len() + KEY.len() + VALUE.len()) as u64;

/// Scope, key and value of one event, made without allocating.
#[derive(Clone, Copy)]
pub(crate) struct Event {
    scope: [u8; 46],
    key: [u8; 23],
    value: [u8; 103],
}

impl Event {
    /// The event of scope 0, key 0 and number 0.
    pub(crate) fn new() -> Event {
        Event { scope: *SCOPE, key: *KEY, value: *VALUE }
    }

    /// Makes it the event of a scope below 10 000 and of a key below 10^18.
    pub(crate) fn place(&mut self, scope: u64, key: u64) {
        write_digits(&mut self.scope[SCOPE_DIGITS_AT..], scope);
        write_digits(&mut self.key[DIGITS_AT..], key);
    }

    /// Gives it the value of a number below 10^18.
    pub(crate) fn number(&mut self, number: u64) {
        write_digits(&mut self.value[DIGITS_AT..DIGITS_END], number);
    }

    /// Makes it the event of the next key and the next number: for whoever makes many and must be fast.
    pub(crate) fn step(&mut self) {
        count_up(&mut self.key[DIGITS_AT..]);
        count_up(&mut self.value[DIGITS_AT..DIGITS_END]);
    }

    /// The scope.
    pub(crate) fn scope(&self) -> &str {
        str::from_utf8(&self.scope).expect("made of ASCII")
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

/// The number in a value, every byte of which is looked at.
pub(crate) fn number_of(value: &[u8]) -> io::Result<u64> {
    let whole = value.len() == VALUE.len()
        && value[..DIGITS_AT] == VALUE[..DIGITS_AT]
        && value[DIGITS_END..] == VALUE[DIGITS_END..];
    let digits = value.get(DIGITS_AT..DIGITS_END).filter(|_| whole);
    let Some(digits) = digits.filter(|digits| digits.iter().all(u8::is_ascii_digit)) else {
        return Err(io::Error::other(format!("read a value that was never written: {}", value.escape_ascii())));
    };
    Ok(digits.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0')))
}

fn write_digits(place: &mut [u8], mut number: u64) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

fn count_up(digits: &mut [u8]) {
    for digit in digits.iter_mut().rev() {
        if *digit < b'9' {
            *digit += 1;
            break;
        }
        *digit = b'0';
    }
}

#[cfg(test)]
mod tests;
