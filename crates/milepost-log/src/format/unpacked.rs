//! [`Unpacked`]: bytes of a cold segment as it is read, for a walk from frame to frame.
//!
//! Invariant: what it holds is the content of blocks side by side, each of which was checked. A walk decompresses each
//! block once, into memory that is used again.

use std::ops::Range;

use super::{
    Seed,
    block::BlockFault,
    cold::{BlockTable, Unfit},
};

/// Blocks side by side, decompressed. Of one segment: another one needs another.
#[derive(Debug, Default)]
pub struct Unpacked {
    /// Where they begin, in the segment as it is read.
    raw_at: usize,
    /// The block behind them.
    next: usize,
    bytes: Vec<u8>,
}

impl Unpacked {
    /// Some bytes of the segment as it is read. `read` gives bytes of the file that the table was read from.
    pub fn range<'f, E>(
        &mut self,
        blocks: &BlockTable,
        seed: Seed,
        raw: Range<usize>,
        read: impl Fn(Range<usize>) -> Result<&'f [u8], E> + Copy,
    ) -> Result<&[u8], Unfit<E>> {
        if raw.start < self.raw_at || raw.start >= self.end() {
            self.bytes.clear();
            let Some(place) = blocks.find(raw.start, read).map_err(Unfit::Unreadable)? else {
                return Err(Unfit::Block { at: 0, what: BlockFault::Cut });
            };
            (self.raw_at, self.next) = (place.raw.start, place.index);
        } else if raw.end > self.end() {
            // Only where more is needed: then what is behind is moved once a block, not once a frame.
            self.bytes.drain(..raw.start - self.raw_at);
            self.raw_at = raw.start;
        }
        while self.end() < raw.end {
            if self.next == blocks.count() {
                return Err(Unfit::Block { at: 0, what: BlockFault::Cut });
            }
            let place = blocks.place(self.next, read).map_err(Unfit::Unreadable)?;
            let stored = read(place.stored.clone()).map_err(Unfit::Unreadable)?;
            let unpacked = place.unpack(stored, seed, &mut self.bytes);
            unpacked.map_err(|what| Unfit::Block { at: place.stored.start, what })?;
            self.next += 1;
        }
        Ok(&self.bytes[raw.start - self.raw_at..raw.end - self.raw_at])
    }

    /// Forgets what it holds.
    pub fn clear(&mut self) {
        *self = Unpacked { bytes: std::mem::take(&mut self.bytes), ..Unpacked::default() };
        self.bytes.clear();
    }

    fn end(&self) -> usize {
        self.raw_at + self.bytes.len()
    }
}
