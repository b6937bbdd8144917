//! Bits side by side: the highest of each number first, so that rows of them compare as numbers do.
//!
//! Invariant: what lies outside of the bytes reads as zeros: a reader checks once how many bytes there are.

/// Bits of a number that is read at once, at most: it begins anywhere in a byte.
pub const AT_ONCE: u32 = 56;

/// Appends numbers to bytes.
#[derive(Debug)]
pub struct BitWriter<'a> {
    out: &'a mut Vec<u8>,
    /// What is not in the bytes yet, in the low bits. Those above them are in the bytes already.
    open: u64,
    open_bits: u32,
}

impl<'a> BitWriter<'a> {
    /// Behind the last byte.
    pub fn new(out: &'a mut Vec<u8>) -> BitWriter<'a> {
        BitWriter { out, open: 0, open_bits: 0 }
    }

    /// Appends the low `bits` of a number, which has no others.
    #[inline]
    pub fn put(&mut self, number: u64, bits: u32) {
        debug_assert!(bits == 64 || number >> bits == 0, "{number} has more than {bits} bits");
        if bits > AT_ONCE {
            return self.put_wide(number, bits);
        }
        if self.open_bits + bits > u64::BITS {
            self.settle();
        }
        self.open = self.open << bits | number;
        self.open_bits += bits;
    }

    /// Apart, so that the narrow ones, which nearly all are, need no call.
    #[cold]
    fn put_wide(&mut self, number: u64, bits: u32) {
        for (number, bits) in [(number >> 32, bits - 32), (number & u64::from(u32::MAX), 32)] {
            self.settle();
            self.open = self.open << bits | number;
            self.open_bits += bits;
        }
    }

    /// Moves whole bytes to the others; fewer than eight bits are left.
    #[inline]
    fn settle(&mut self) {
        if self.open_bits >= 8 {
            let bytes = (self.open << (u64::BITS - self.open_bits)).swap_bytes().to_le_bytes();
            // All eight, and back: a copy of a length that is known.
            let end = self.out.len() + self.open_bits as usize / 8;
            self.out.extend_from_slice(&bytes);
            self.out.truncate(end);
            self.open_bits %= 8;
        }
    }

    /// Fills the last byte with zeros.
    pub fn finish(mut self) {
        self.settle();
        if self.open_bits > 0 {
            self.put(0, 8 - self.open_bits);
            self.settle();
        }
    }
}

/// The number of `bits` bits, at most 64, that begins at this bit.
#[inline]
#[must_use]
pub fn get(bytes: &[u8], at_bit: usize, bits: u32) -> u64 {
    if bits > AT_ONCE { get_wide(bytes, at_bit, bits) } else { get_narrow(bytes, at_bit, bits) }
}

/// The low `bits` bits of a number, fewer than 64.
#[inline]
#[must_use]
pub fn low(number: u64, bits: u32) -> u64 {
    number & ((1 << bits) - 1)
}

/// Apart, so that the narrow ones, which nearly all are, need no call.
#[cold]
fn get_wide(bytes: &[u8], at_bit: usize, bits: u32) -> u64 {
    let high = bits - 32;
    get_narrow(bytes, at_bit, high) << 32 | get_narrow(bytes, at_bit + high as usize, 32)
}

#[inline]
fn get_narrow(bytes: &[u8], at_bit: usize, bits: u32) -> u64 {
    let rest = bytes.get(at_bit / 8..).unwrap_or_default();
    let word = match rest.first_chunk::<8>() {
        Some(word) => u64::from_le_bytes(*word),
        None => at_the_end(rest),
    };
    // The first byte is the highest. In two steps: of no bits none are left.
    word.swap_bytes() << (at_bit % 8) >> 1 >> (63 - bits)
}

/// Fewer than eight bytes, and zeros behind them.
#[cold]
fn at_the_end(rest: &[u8]) -> u64 {
    let mut word = [0; 8];
    word[..rest.len()].copy_from_slice(rest);
    u64::from_le_bytes(word)
}

/// Writes a number of `bits` bits, at most 64, where there are zeros; there are eight bytes or more.
#[inline]
pub fn set(bytes: &mut [u8], at_bit: usize, number: u64, bits: u32) {
    if bits == 0 {
        return;
    }
    if bits > AT_ONCE {
        set(bytes, at_bit, number >> 32, bits - 32);
        set(bytes, at_bit + bits as usize - 32, number & u64::from(u32::MAX), 32);
        return;
    }
    let begin = (at_bit / 8).min(bytes.len() - 8);
    let word = bytes[begin..].first_chunk_mut::<8>().expect("there are eight bytes");
    // The first byte is the highest.
    let placed = number << (u64::BITS as usize - bits as usize - (at_bit - begin * 8));
    *word = (u64::from_le_bytes(*word) | placed.swap_bytes()).to_le_bytes();
}

/// How many bits a number needs.
#[inline]
#[must_use]
pub fn needed(number: u64) -> u32 {
    u64::BITS - number.leading_zeros()
}

/// How many bytes so many rows of so many bits take.
#[inline]
#[must_use]
pub fn bytes_of(rows: usize, row_bits: usize) -> usize {
    (rows * row_bits).div_ceil(8)
}
