//! Keys of one length, in columns: what stands at a place in all of them is said once, the rest in few bits.
//!
//! ```text
//! column   1   bits 6-7 0: bytes that are the same in all keys; bits 0-5: how many, less 1; they follow
//!              bits 6-7 1: digits 0-9 and a-f, 4 bits each; bits 0-5: how many, less 1
//!              bit 7    1: bytes in a range; bits 0-3: how many, less 1; bits 4-6: bits of each, less 1;
//!                          the least byte follows
//! row      the bits of a key, those of its first byte first and highest
//! ```
//!
//! Names of files differ in a number or a hash, and hold it in few columns: a row takes half of what front coding
//! does, and any row is found without those before it.
//!
//! Invariant: rows compare as keys do.

use std::array;

use super::{
    Malformed,
    bits::{self, BitWriter},
    varint::Fields,
};

/// Bytes of one column that are the same, or digits.
const LONG_MAX: usize = 64;
/// Bytes of one column that are in a range.
const RANGE_MAX: usize = 16;
/// A range of no more bits than this is written as one, even if all are digits.
const RANGE_BITS_FIRST: u32 = 3;

/// Bytes that are looked at at once.
const LANE_BYTES: usize = 16;

/// What stands at some places beside each other in all keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column<'a> {
    Same(&'a [u8]),
    Digits { count: usize },
    Range { count: usize, bits: u32, least: u8 },
}

/// The columns of keys of one length.
#[derive(Clone, Copy, Debug)]
pub struct Columns<'a> {
    bytes: &'a [u8],
    /// Bytes of a key.
    length: usize,
    row_bits: usize,
}

/// What is known of one byte of keys while they are written.
#[derive(Clone, Copy)]
struct Spread {
    least: u8,
    most: u8,
}

/// Room for writing columns, kept from block to block.
#[derive(Clone, Debug, Default)]
pub struct ColumnEncoder {
    /// Bytes of a key.
    length: usize,
    /// Of each place, and of some behind the last.
    least: Vec<u8>,
    most: Vec<u8>,
    /// 1 where all are digits.
    digits: Vec<u8>,
    columns: Vec<u8>,
    /// Those that are not the same in all keys.
    codes: Vec<Code>,
    row_bits: usize,
}

/// How some places beside each other are written.
#[derive(Clone, Copy, Debug)]
struct Code {
    at: usize,
    count: usize,
    bits: u32,
    /// Of a range; digits have none.
    least: Option<u8>,
}

impl ColumnEncoder {
    /// Finds the columns of `count` keys of one length, at least one, that stand one behind the other at the beginning
    /// of `keys`. How many bytes columns and rows take.
    pub fn plan(&mut self, keys: &[u8], length: usize, count: usize) -> usize {
        self.length = length;
        let room = length.next_multiple_of(LANE_BYTES);
        for (bytes, first) in [(&mut self.least, u8::MAX), (&mut self.most, 0), (&mut self.digits, 1)] {
            bytes.clear();
            bytes.resize(room, first);
        }
        for index in 0..count {
            self.spread_over(&keys[index * length..]);
        }
        self.columns.clear();
        self.codes.clear();
        self.row_bits = 0;
        let mut at = 0;
        while at < length {
            at += self.column(at);
        }
        self.columns.len() + bits::bytes_of(count, self.row_bits)
    }

    /// Takes up a key. What comes behind it is looked at as well, up to a whole lane, and nobody asks for that: so that
    /// there are as many bytes at once as the processor can.
    #[inline]
    fn spread_over(&mut self, key: &[u8]) {
        let least = self.least.as_chunks_mut::<LANE_BYTES>().0.iter_mut();
        let most = self.most.as_chunks_mut::<LANE_BYTES>().0.iter_mut();
        let digits = self.digits.as_chunks_mut::<LANE_BYTES>().0.iter_mut();
        for (((least, most), digits), at) in least.zip(most).zip(digits).zip((0..).step_by(LANE_BYTES)) {
            let rest = key.get(at..).unwrap_or_default();
            let lane = rest.first_chunk().copied().unwrap_or_else(|| {
                let mut lane = [0; LANE_BYTES];
                lane[..rest.len()].copy_from_slice(rest);
                lane
            });
            *least = array::from_fn(|at| least[at].min(lane[at]));
            *most = array::from_fn(|at| most[at].max(lane[at]));
            *digits = array::from_fn(|at| digits[at] & is_digit(lane[at]));
        }
    }

    /// Writes the column that begins at a place; how many places it takes.
    fn column(&mut self, at: usize) -> usize {
        let length = self.length;
        let spread = |at: usize| Spread { least: self.least[at], most: self.most[at] };
        let is_digits = |at: usize| self.digits[at] == 1 && spread(at).bits() > RANGE_BITS_FIRST;
        if spread(at).bits() == 0 {
            let more = (at..length.min(at + LONG_MAX)).take_while(|at| spread(*at).bits() == 0).count();
            self.columns.push((more - 1) as u8);
            self.columns.extend_from_slice(&self.least[at..at + more]);
            return more;
        }
        if is_digits(at) {
            let count = (at..length.min(at + LONG_MAX)).take_while(|at| is_digits(*at)).count();
            self.columns.push(1 << 6 | (count - 1) as u8);
            self.code(Code { at, count, bits: 4, least: None });
            return count;
        }
        let (mut all, mut count) = (spread(at), 1);
        let bits = all.bits();
        for next in at + 1..length.min(at + RANGE_MAX) {
            let wider = Spread { least: all.least.min(spread(next).least), most: all.most.max(spread(next).most) };
            if spread(next).bits() != bits || wider.bits() != bits || is_digits(next) {
                break;
            }
            (all, count) = (wider, count + 1);
        }
        self.columns.push(1 << 7 | ((bits - 1) as u8) << 4 | (count - 1) as u8);
        self.columns.push(all.least);
        self.code(Code { at, count, bits, least: Some(all.least) });
        count
    }

    fn code(&mut self, code: Code) {
        self.row_bits += code.bits as usize * code.count;
        self.codes.push(code);
    }

    /// The columns that were found.
    #[must_use]
    pub fn columns(&self) -> &[u8] {
        &self.columns
    }

    /// Writes the row of a key that the columns were found for.
    pub fn put_row(&self, key: &[u8], out: &mut BitWriter<'_>) {
        for Code { at, count, bits, least } in &self.codes {
            for bytes in key[*at..at + count].chunks((bits::AT_ONCE / bits) as usize) {
                let codes = bytes.iter().fold(0, |codes, byte| {
                    // The columns were found for this key: where there is no least byte, all are digits.
                    let code = least.map_or_else(|| (byte & 15) + (byte >> 6) * 9, |least| byte - least);
                    codes << bits | u64::from(code)
                });
                out.put(codes, bits * bytes.len() as u32);
            }
        }
    }
}

impl Spread {
    fn bits(self) -> u32 {
        bits::needed(u64::from(self.most - self.least))
    }
}

impl<'a> Columns<'a> {
    /// Reads the columns of keys of this length.
    #[inline]
    pub fn read(fields: &mut Fields<'a>, length: usize) -> Result<Columns<'a>, Malformed> {
        let (mut probe, mut left, mut row_bits) = (fields.clone(), length, 0);
        while left > 0 {
            let column = read_column(&mut probe)?;
            left = left.checked_sub(column.count()).ok_or(Malformed("columns are longer than a key"))?;
            row_bits += column.bits() as usize * column.count();
        }
        let bytes = fields.take(probe.at() - fields.at())?;
        Ok(Columns { bytes, length, row_bits })
    }

    /// Bits of a row.
    #[inline]
    #[must_use]
    pub fn row_bits(&self) -> usize {
        self.row_bits
    }

    /// Calls `code` for the code of each byte of a key that is not the same in all; whether the key can be one.
    #[inline]
    fn each(&self, key: &[u8], mut code: impl FnMut(u64, u32)) -> Result<bool, Malformed> {
        if key.len() != self.length {
            return Ok(false);
        }
        let (mut fields, mut rest) = (Fields::new(self.bytes), key);
        while !rest.is_empty() {
            let column = read_column(&mut fields)?;
            let (here, behind) = rest.split_at(column.count());
            rest = behind;
            match column {
                Column::Same(bytes) if bytes == here => {}
                Column::Same(_) => return Ok(false),
                Column::Digits { .. } => {
                    for byte in here {
                        let Some(digit) = digit(*byte) else { return Ok(false) };
                        code(u64::from(digit), 4);
                    }
                }
                Column::Range { bits, least, .. } => {
                    for byte in here {
                        let above = byte.wrapping_sub(least);
                        if *byte < least || u32::from(above) >> bits != 0 {
                            return Ok(false);
                        }
                        code(u64::from(above), bits);
                    }
                }
            }
        }
        Ok(true)
    }

    /// The row of a key among `count` rows, if it is there: rows ascend.
    #[inline]
    pub fn find(&self, rows: &[u8], count: usize, key: &[u8]) -> Result<Option<usize>, Malformed> {
        // The first bits of the key's row, as many as a number has.
        let (mut head, mut head_bits) = (0_u64, 0_u32);
        let may_be = self.each(key, |code, bits| {
            let room = u64::BITS - head_bits;
            let (code, bits) = if bits > room { (code >> (bits - room), room) } else { (code, bits) };
            if bits > 0 {
                head = head << bits | code;
                head_bits += bits;
            }
        })?;
        if !may_be {
            return Ok(None);
        }
        let head_of = |row: usize| bits::get(rows, row * self.row_bits, head_bits);
        let (mut low, mut high) = (0, count);
        while low < high {
            let middle = usize::midpoint(low, high);
            if head_of(middle) < head {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        for row in low..count {
            if head_of(row) != head {
                break;
            }
            if self.row_bits == head_bits as usize || self.is(rows, row, key)? {
                return Ok(Some(row));
            }
        }
        Ok(None)
    }

    /// Whether a row is that of a key that can be one.
    fn is(&self, rows: &[u8], row: usize, key: &[u8]) -> Result<bool, Malformed> {
        let (mut at, mut agrees) = (row * self.row_bits, true);
        self.each(key, |code, bits| {
            agrees &= bits::get(rows, at, bits) == code;
            at += bits as usize;
        })?;
        Ok(agrees)
    }

    /// Appends the keys of the first `count` rows, one behind the other. A column at a time: what there is to know of
    /// it is read once.
    pub fn put_keys(&self, rows: &[u8], count: usize, out: &mut Vec<u8>) -> Result<(), Malformed> {
        let begin = out.len();
        out.resize(begin + count * self.length, 0);
        let (mut fields, mut at, mut place) = (Fields::new(self.bytes), 0, 0);
        while place < self.length {
            let column = read_column(&mut fields)?;
            let places = place..place + column.count();
            let mut at_bit = at;
            for key in out[begin..].chunks_exact_mut(self.length) {
                let key = &mut key[places.clone()];
                match column {
                    Column::Same(bytes) => key.copy_from_slice(bytes),
                    Column::Digits { .. } => put_digits(rows, at_bit, key),
                    Column::Range { bits, least, .. } => {
                        for (byte, nth) in key.iter_mut().zip(0..) {
                            let above = bits::get(rows, at_bit + nth * bits as usize, bits) as u8;
                            *byte = least.checked_add(above).ok_or(ABOVE_ALL)?;
                        }
                    }
                }
                at_bit += self.row_bits;
            }
            at += column.bits() as usize * column.count();
            place = places.end;
        }
        Ok(())
    }

    /// Appends the key of a row.
    pub fn put_key(&self, rows: &[u8], row: usize, out: &mut Vec<u8>) -> Result<(), Malformed> {
        let (mut fields, mut at, mut left) = (Fields::new(self.bytes), row * self.row_bits, self.length);
        while left > 0 {
            let column = read_column(&mut fields)?;
            left -= column.count();
            match column {
                Column::Same(bytes) => out.extend_from_slice(bytes),
                Column::Digits { count } => {
                    for _ in 0..count {
                        out.push(DIGITS[bits::get(rows, at, 4) as usize]);
                        at += 4;
                    }
                }
                Column::Range { count, bits, least } => {
                    for _ in 0..count {
                        let above = bits::get(rows, at, bits) as u8;
                        out.push(least.checked_add(above).ok_or(ABOVE_ALL)?);
                        at += bits as usize;
                    }
                }
            }
        }
        Ok(())
    }
}

impl Column<'_> {
    #[inline]
    fn count(&self) -> usize {
        match self {
            Column::Same(bytes) => bytes.len(),
            Column::Digits { count } | Column::Range { count, .. } => *count,
        }
    }

    #[inline]
    fn bits(&self) -> u32 {
        match self {
            Column::Same(_) => 0,
            Column::Digits { .. } => 4,
            Column::Range { bits, .. } => *bits,
        }
    }
}

#[inline]
fn read_column<'a>(fields: &mut Fields<'a>) -> Result<Column<'a>, Malformed> {
    let head = fields.byte()?;
    let long = usize::from(head & 0x3f) + 1;
    Ok(match head >> 6 {
        0 => Column::Same(fields.take(long)?),
        1 => Column::Digits { count: long },
        _ => {
            let (count, bits) = (usize::from(head & 15) + 1, u32::from(head >> 4 & 7) + 1);
            Column::Range { count, bits, least: fields.byte()? }
        }
    })
}

/// 1 for a digit, 0 for another byte.
#[inline]
fn is_digit(byte: u8) -> u8 {
    u8::from(byte.wrapping_sub(b'0') < 10) | u8::from(byte.wrapping_sub(b'a') < 6)
}

/// Puts digits in the place of other bytes, as many as a number holds at a time.
#[inline]
fn put_digits(rows: &[u8], at_bit: usize, digits: &mut [u8]) {
    const AT_ONCE: usize = 14;
    for (some, nth) in digits.chunks_mut(AT_ONCE).zip(0..) {
        let bits = 4 * some.len();
        let number = bits::get(rows, at_bit + nth * 4 * AT_ONCE, bits as u32);
        for (digit, shift) in some.iter_mut().zip((0..bits).step_by(4).rev()) {
            *digit = DIGITS[(number >> shift & 15) as usize];
        }
    }
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";
const ABOVE_ALL: Malformed = Malformed("a byte above all bytes");

/// The value of a digit.
#[inline]
fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
