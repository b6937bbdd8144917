//! Slots: from a hash to the number of a key or of a scope.
//!
//! ```text
//! slots   lines of 64 bytes: 16 slots of 4 bytes, or 8 slots of 8 bytes; four fifths of all are taken
//! slot    0        empty; those behind it in the line are empty too
//!         low bits the number + 1; as many as the highest number + 1 needs
//!         others   the lowest bits of the hash
//! ```
//!
//! Slots have 4 bytes where that leaves at least 6 bits of the hash. The highest bits of a hash choose its line: the
//! line at `hash * lines / 2^64`. What finds no room goes to the next line, after the last to the first. So a search
//! ends at a line with an empty slot; nearly always at the first line: one line of the processor's cache tells that a
//! key is not there.
//!
//! The number of a key is that of its block times 16 and its place in it, that of a scope its place in order. How many
//! lines there are, and of what slots, follows from how many names and numbers there are.
//!
//! Invariant: at least one slot is empty, so every search ends.

use super::SECTION_ALIGN_BYTES;

/// Bytes of a line.
pub const LINE_BYTES: usize = SECTION_ALIGN_BYTES;
/// With fewer bits of the hash in a slot of 4 bytes, slots have 8.
const TAG_BITS_MIN: u32 = 6;

/// How slots are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Whether slots have 8 bytes.
    is_wide: bool,
    /// Bits of a slot that hold the number.
    number_bits: u32,
    /// How many lines.
    lines: u64,
}

/// What a line says of a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hits {
    /// A bit for each slot whose bits of the hash are right.
    pub slots: u32,
    /// Whether the search ends here.
    pub ends: bool,
}

impl Shape {
    /// The layout for `count` names with numbers below `numbers`.
    #[must_use]
    pub fn of(count: u64, numbers: u64) -> Shape {
        let number_bits = u64::BITS - numbers.leading_zeros();
        let is_wide = number_bits + TAG_BITS_MIN > 32;
        let per_line = if is_wide { 8 } else { 16 };
        // Four fifths: with three quarters slots take 5.3 bytes a key instead of 5, and no search is faster.
        let lines = if count == 0 { 0 } else { (count * 5).div_ceil(4 * per_line).max((count + 1).div_ceil(per_line)) };
        Shape { is_wide, number_bits, lines }
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
        if self.is_wide { self.look_wide(line, hash) } else { self.look_narrow(line, hash) }
    }

    #[inline]
    fn look_narrow(&self, line: &[u8; LINE_BYTES], hash: u64) -> Hits {
        let wanted = (hash as u32).wrapping_shl(self.number_bits);
        let number_mask = (1_u32 << self.number_bits) - 1;
        let (mut slots, mut empty) = (0, 0);
        for (index, bytes) in line.as_chunks::<4>().0.iter().enumerate() {
            let slot = u32::from_le_bytes(*bytes);
            slots |= u32::from(slot & !number_mask == wanted) << index;
            empty |= u32::from(slot == 0) << index;
        }
        Hits { slots: slots & !empty, ends: empty != 0 }
    }

    fn look_wide(&self, line: &[u8; LINE_BYTES], hash: u64) -> Hits {
        let wanted = hash.wrapping_shl(self.number_bits);
        let number_mask = (1_u64 << self.number_bits) - 1;
        let (mut slots, mut empty) = (0, 0);
        for (index, bytes) in line.as_chunks::<8>().0.iter().enumerate() {
            let slot = u64::from_le_bytes(*bytes);
            slots |= u32::from(slot & !number_mask == wanted) << index;
            empty |= u32::from(slot == 0) << index;
        }
        Hits { slots: slots & !empty, ends: empty != 0 }
    }

    /// The number in a slot that is not empty; `None` if it holds none.
    #[inline]
    #[must_use]
    pub fn number(&self, line: &[u8; LINE_BYTES], slot: u32) -> Option<u64> {
        let number_mask = (1_u64 << self.number_bits) - 1;
        let word = if self.is_wide {
            super::u64_at(line, slot as usize * 8)
        } else {
            u64::from(super::u32_at(line, slot as usize * 4))
        };
        (word & number_mask).checked_sub(1)
    }

    /// How many slots of a line are taken.
    #[must_use]
    pub fn taken(&self, line: &[u8; LINE_BYTES]) -> u64 {
        let width = if self.is_wide { 8 } else { 4 };
        line.chunks_exact(width).filter(|slot| slot.iter().any(|byte| *byte != 0)).count() as u64
    }

    /// Puts a number into the first empty slot from the home of its hash on. `table` has all lines.
    pub fn insert(&self, table: &mut [u8], hash: u64, number: u64) {
        let width = if self.is_wide { 8 } else { 4 };
        let slot = hash.wrapping_shl(self.number_bits) | (number + 1);
        let mut line = self.home(hash);
        for _ in 0..self.lines {
            let at = line as usize * LINE_BYTES;
            let slots = table[at..at + LINE_BYTES].chunks_exact_mut(width);
            if let Some(empty) = slots.into_iter().find(|slot| slot.iter().all(|byte| *byte == 0)) {
                // The hash is cut to the slot: its highest bits have chosen the line.
                empty.copy_from_slice(&slot.to_le_bytes()[..width]);
                return;
            }
            line = self.after(line);
        }
        unreachable!("there are more slots than names");
    }
}
