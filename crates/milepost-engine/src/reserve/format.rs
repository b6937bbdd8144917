//! The text at the beginning of RESERVE. Pure: bytes in, value or nothing out.
//!
//! ```text
//! milepost reserve 1
//! bytes 00000000000000065536
//! crc32 0123abcd
//! ```
//!
//! The size of a whole reserve in [`DIGITS`] decimal digits, and the CRC32 of all before it in 8 hexadecimal ones.
//!
//! Invariant: a size that is read is one that was written; what is anything else is no reserve.

use super::{RESERVE_BYTES_MAX, RESERVE_BYTES_MIN};

const MAGIC: &str = "milepost reserve 1\nbytes ";
/// Digits of the size, in decimal.
const DIGITS: usize = 20;
/// Bytes of the text.
pub(super) const HEAD_BYTES: usize = MAGIC.len() + DIGITS + "\ncrc32 ".len() + 8 + "\n".len();

pub(super) fn head(whole: u64) -> String {
    let said = format!("{MAGIC}{whole:0DIGITS$}\n");
    format!("{said}crc32 {:08x}\n", crc32fast::hash(said.as_bytes()))
}

/// The bytes of a whole reserve, as the text says; `None` if it is none.
pub(super) fn whole_of(text: &[u8]) -> Option<u64> {
    let digits = text.strip_prefix(MAGIC.as_bytes())?.get(..DIGITS)?;
    let whole = std::str::from_utf8(digits).ok()?.parse().ok()?;
    let is_one = (RESERVE_BYTES_MIN..=RESERVE_BYTES_MAX).contains(&whole) && head(whole).as_bytes() == text;
    is_one.then_some(whole)
}
