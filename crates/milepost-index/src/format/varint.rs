//! LEB128, and a reader of bytes one after the other.
//!
//! Invariant: the reader never passes the end of its bytes: what does not fit is [`Malformed`].

use super::Malformed;

const ENDS: Malformed = Malformed("the bytes end inside a field");

/// The bits that say of each of eight bytes that the varint goes on behind it.
const HIGH_BITS: u64 = 0x8080_8080_8080_8080;

/// Appends a varint.
pub fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Numbers of either sign as numbers that are small when these are near zero.
#[must_use]
pub fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

/// The reverse of [`zigzag`].
#[must_use]
pub fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}

/// Reads fields one after the other.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Fields<'a> {
    /// From the first byte on.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Fields<'a> {
        Fields { bytes, at: 0 }
    }

    /// How many bytes were read.
    #[must_use]
    pub fn at(&self) -> usize {
        self.at
    }

    /// Whether everything was read.
    #[must_use]
    pub fn is_at_end(&self) -> bool {
        self.at == self.bytes.len()
    }

    /// One byte.
    #[inline(always)]
    pub fn byte(&mut self) -> Result<u8, Malformed> {
        let byte = *self.bytes.get(self.at).ok_or(ENDS)?;
        self.at += 1;
        Ok(byte)
    }

    /// The next byte, if there is one; it is read again.
    #[inline(always)]
    #[must_use]
    pub fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// So many bytes.
    #[inline]
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let end = self.at.checked_add(count).ok_or(ENDS)?;
        let taken = self.bytes.get(self.at..end).ok_or(ENDS)?;
        self.at = end;
        Ok(taken)
    }

    /// A varint.
    #[inline(always)]
    pub fn varint(&mut self) -> Result<u64, Malformed> {
        let byte = self.byte()?;
        if byte < 0x80 { Ok(u64::from(byte)) } else { self.long_varint(byte) }
    }

    /// Behind its first byte, which is not its last.
    #[inline]
    fn long_varint(&mut self, first: u8) -> Result<u64, Malformed> {
        if let Some(word) = self.bytes.get(self.at - 1..).and_then(|rest| rest.first_chunk::<8>()) {
            let word = u64::from_le_bytes(*word);
            let ends = !word & HIGH_BITS;
            if ends != 0 {
                // Up to the byte that ends it, all at once: sevens of bits side by side, then fourteens, then all.
                let bits = ends.trailing_zeros();
                let sevens = word & (u64::MAX >> (63 - bits)) & !HIGH_BITS;
                let fourteens = (sevens & 0x007f_007f_007f_007f) | (sevens & 0x7f00_7f00_7f00_7f00) >> 1;
                let halves = (fourteens & 0x0000_3fff_0000_3fff) | (fourteens & 0x3fff_0000_3fff_0000) >> 2;
                self.at += bits as usize / 8;
                return Ok((halves & 0x0fff_ffff) | (halves & 0x0fff_ffff_0000_0000) >> 4);
            }
        }
        self.longest_varint(first)
    }

    /// The same where the bytes end soon after, or the varint takes nine bytes or more.
    #[inline(never)]
    fn longest_varint(&mut self, first: u8) -> Result<u64, Malformed> {
        let mut value = u64::from(first & 0x7f);
        for index in 1..10 {
            let byte = self.byte()?;
            let part = u64::from(byte & 0x7f);
            if index == 9 && part > 1 {
                break;
            }
            value |= part << (7 * index);
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Malformed("a varint is longer than 64 bits"))
    }

    /// A varint that must fit 32 bits.
    #[inline]
    pub fn varint32(&mut self) -> Result<u32, Malformed> {
        u32::try_from(self.varint()?).map_err(|_| Malformed("a varint is longer than 32 bits"))
    }
}
