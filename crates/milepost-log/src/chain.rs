//! [`Chain`]: what the next frame has to continue. The same rules are followed when writing and checked when reading.
//!
//! Invariant: along a log `Seq` is dense, timestamps strictly increase, epochs never decrease, every frame repeats the
//! header checksum of the one before it, and a batch's frames stand together in one epoch.

use milepost_types::{Seq, Timestamp};

use crate::format::{
    Seed,
    frame::{FRAME_HEADER_BYTES, Frame, FrameHeader},
    header::SegmentHeader,
};

/// Where the chain of frames has got to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Chain {
    /// Header checksum of the last frame, or of the segment's header.
    pub(crate) prev_crc: u32,
    /// Epoch of the last frame, or of the segment's header.
    pub(crate) epoch: u32,
    /// `Seq` of the next frame. Below `Seq::MAX`, which is never given out, so that there is always a next one.
    pub(crate) next_seq: Seq,
    /// Timestamp of the last frame.
    pub(crate) last_at: Timestamp,
    /// First `Seq` of the last frame's batch.
    pub(crate) batch_first: Seq,
}

impl Chain {
    /// The beginning of a segment; `last_at` is the timestamp of the last frame of the one before.
    pub(crate) fn begin(header: &SegmentHeader, last_at: Timestamp) -> Chain {
        Chain {
            prev_crc: header.crc(),
            epoch: header.epoch,
            next_seq: header.first_seq,
            last_at,
            batch_first: header.first_seq,
        }
    }

    /// Whether a frame continues the chain, leaving its `Seq` aside.
    pub(crate) fn links(&self, header: &FrameHeader) -> bool {
        let batch_goes_on = header.batch_first() == self.batch_first && header.epoch == self.epoch;
        // Left out on purpose in a build that must be found out: docs/reliability.md.
        (cfg!(milepost_without = "frame_chain") || header.prev_crc == self.prev_crc)
            && header.epoch >= self.epoch
            && header.at > self.last_at
            && (header.batch_offset == 0 || batch_goes_on)
    }

    /// Whether a frame has the `Seq` that comes next.
    pub(crate) fn expects(&self, seq: Seq) -> bool {
        seq == self.next_seq && seq < Seq::MAX
    }

    /// Goes on past a frame that was read and checked.
    pub(crate) fn pass(&mut self, frame: &Frame<'_>) {
        self.advance(&frame.header, frame.crc);
    }

    /// Makes the header of the next frame, which begins at the front of `bytes`, and goes on past it.
    pub(crate) fn write(&mut self, bytes: &mut [u8], body_crc: u32, at: Timestamp, batch_first: Seq, seed: Seed) {
        let header = FrameHeader {
            body_bytes: u32::try_from(bytes.len() - FRAME_HEADER_BYTES).expect("a commit's size is limited"),
            body_crc,
            prev_crc: self.prev_crc,
            epoch: self.epoch,
            seq: self.next_seq,
            at,
            batch_offset: u32::try_from(self.next_seq.0 - batch_first.0)
                .expect("a batch holds fewer than 2^32 commits"),
        };
        assert!(self.links(&header) && self.expects(header.seq), "{header:?} does not continue {self:?}");
        let (encoded, crc) = header.encode(seed);
        bytes[..FRAME_HEADER_BYTES].copy_from_slice(&encoded);
        self.advance(&header, crc);
    }

    fn advance(&mut self, header: &FrameHeader, crc: u32) {
        *self = Chain {
            prev_crc: crc,
            epoch: header.epoch,
            next_seq: Seq(header.seq.0 + 1),
            last_at: header.at,
            batch_first: header.batch_first(),
        };
    }
}

#[cfg(test)]
mod tests;
