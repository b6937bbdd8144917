//! Slots: from a hash to the number of a block, or of a scope.
//!
//! ```text
//! slots   lines of 64 bytes; of the slots in them four fifths are taken
//! line    tags      1 byte for each slot: 0 empty, and those behind it are empty too; else the lowest byte of the
//!                   hash, or 1 where that is 0
//!         numbers   one for each slot, side by side, of as many bits as the highest one needs; zeros up to the end
//! ```
//!
//! The highest bits of a hash choose its line: the line at `hash * lines / 2^64`. What finds no room goes to the next
//! line, after the last to the first. So a search ends at a line with an empty slot; nearly always at the first line:
//! one line of the processor's cache tells that a key is not there.
//!
//! The number of a key is that of its block, the number of a scope its place in order. How many lines there are, and
//! how many slots in each, follows from how many names and numbers there are.
//!
//! Invariant: at least one slot is empty, so every search ends.

use super::{SECTION_ALIGN_BYTES, bits};

/// Bytes of a line.
pub const LINE_BYTES: usize = SECTION_ALIGN_BYTES;
/// Bits of a tag.
const TAG_BITS: u32 = 8;

/// How slots are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Bits of a number.
    number_bits: u32,
    /// Slots of a line.
    slots: u32,
    /// How many lines.
    lines: u64,
}

/// What a line says of a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hits {
    /// A bit for each slot whose tag is right.
    pub slots: u64,
    /// Whether the search ends here.
    pub ends: bool,
}

impl Shape {
    /// The layout for `count` names with numbers below `numbers`.
    #[must_use]
    pub fn of(count: u64, numbers: u64) -> Shape {
        let number_bits = bits::needed(numbers.saturating_sub(1));
        let slots = LINE_BYTES as u32 * 8 / (TAG_BITS + number_bits);
        let per_line = u64::from(slots);
        // Four fifths: fuller, too many searches touch a second line. So some are empty, however few names there are.
        let lines = (count * 5).div_ceil(4 * per_line);
        Shape { number_bits, slots, lines }
    }

    /// How many lines there are.
    #[must_use]
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// Bytes of all lines.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.lines * LINE_BYTES as u64
    }

    /// The line where the search for a hash begins.
    #[inline]
    #[must_use]
    pub fn home(&self, hash: u64) -> u64 {
        ((u128::from(hash) * u128::from(self.lines)) >> 64) as u64
    }

    /// The line after another.
    #[inline]
    #[must_use]
    pub fn after(&self, line: u64) -> u64 {
        if line + 1 == self.lines { 0 } else { line + 1 }
    }

    /// Looks through a line.
    #[inline]
    #[must_use]
    pub fn look(&self, line: &[u8; LINE_BYTES], hash: u64) -> Hits {
        Hits { slots: self.with_tag(line, tag(hash)), ends: line[self.slots as usize - 1] == 0 }
    }

    /// A bit for each slot with this tag.
    #[inline]
    fn with_tag(&self, line: &[u8; LINE_BYTES], tag: u8) -> u64 {
        let wanted = u64::from(tag) * BYTES_OF_ONE;
        let mut slots = 0;
        for (word, at) in line.as_chunks::<8>().0.iter().zip((0..self.slots).step_by(8)) {
            slots |= zero_bytes(u64::from_le_bytes(*word) ^ wanted) << at;
        }
        // Numbers stand behind the tags.
        slots & u64::MAX >> (u64::BITS - self.slots)
    }

    /// The number in a slot that is not empty.
    #[inline]
    #[must_use]
    pub fn number(&self, line: &[u8; LINE_BYTES], slot: u32) -> u64 {
        bits::get(line, (self.slots * TAG_BITS + slot * self.number_bits) as usize, self.number_bits)
    }

    /// How many slots of a line are taken.
    #[must_use]
    pub fn taken(&self, line: &[u8; LINE_BYTES]) -> u64 {
        line[..self.slots as usize].iter().filter(|tag| **tag != 0).count() as u64
    }

    /// Puts a number into the first empty slot from a line on: the home of its hash, or one behind it. `lines` are some
    /// lines of the table from the one numbered `first` on; `false` if none of them from there on has an empty slot.
    #[inline]
    #[must_use]
    pub fn insert(&self, lines: &mut [u8], first: u64, from: u64, hash: u64, number: u64) -> bool {
        for line in &mut lines.as_chunks_mut::<LINE_BYTES>().0[(from - first) as usize..] {
            let empty = self.with_tag(line, 0);
            if empty != 0 {
                let slot = empty.trailing_zeros();
                line[slot as usize] = tag(hash);
                bits::set(line, (self.slots * TAG_BITS + slot * self.number_bits) as usize, number, self.number_bits);
                return true;
            }
        }
        false
    }
}

#[inline]
fn tag(hash: u64) -> u8 {
    (hash as u8).max(1)
}

const BYTES_OF_ONE: u64 = u64::from_le_bytes([1; 8]);

/// A bit for each byte of a word that is zero, the first byte's the lowest.
#[inline]
fn zero_bytes(word: u64) -> u64 {
    const LOW: u64 = u64::from_le_bytes([0x7f; 8]);
    // The high bit of each byte that is zero: no byte carries into the next.
    let zeros = !(((word & LOW) + LOW) | word | LOW);
    // Those bits side by side, in the highest byte.
    (zeros >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
}
