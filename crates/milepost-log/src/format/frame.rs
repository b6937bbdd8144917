//! A frame: one commit in a segment.
//!
//! ```text
//!  0  body bytes     u32
//!  4  body crc       u32  over the body
//!  8  previous crc   u32  header crc of the frame before; in the first frame the crc of the segment's header
//! 12  epoch          u32  of the writer; raised at every opening for writing
//! 16  Seq            u64
//! 24  timestamp      i64  microseconds since 1970 UTC
//! 32  batch offset   u32  Seq minus the first Seq of its batch
//! 36  header crc     u32  over the segment's salt and bytes 0 to 35
//! 40  body
//!     padding        zeros, to the next multiple of 8
//! ```
//!
//! A batch is what one sync covers: its first `Seq` is the first that was not synced when the frame was written. Hence
//! a frame of a later batch proves that every batch before it had been synced.
//!
//! The body's checksum is made by the thread that made the body. The header's covers it, so that the work left for the
//! one thread that writes does not depend on the size of the commit.
//!
//! Why a chain, an epoch and a salt: with length, checksum and `Seq` alone, the later frames of a batch that was lost
//! in a crash come back as soon as a new commit of the same length fills the gap before them.

use milepost_types::{Seq, Timestamp, limits::COMMIT_BYTES_MAX};
use thiserror::Error;

use super::{Seed, align_up, is_zero, u32_at, u64_at};

/// Bytes of a frame's header; the body follows.
pub const FRAME_HEADER_BYTES: usize = 40;

const CRC_AT: usize = FRAME_HEADER_BYTES - 4;

const _: () = assert!(FRAME_HEADER_BYTES.is_multiple_of(super::ALIGN_BYTES));

/// A frame's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// Bytes of the body, without padding.
    pub body_bytes: u32,
    /// Checksum of the body.
    pub body_crc: u32,
    /// Header checksum of the frame before.
    pub prev_crc: u32,
    /// Epoch of the writer.
    pub epoch: u32,
    /// Position of the commit.
    pub seq: Seq,
    /// When it was stamped.
    pub at: Timestamp,
    /// How far it stands from the first commit of its batch.
    pub batch_offset: u32,
}

impl FrameHeader {
    /// The bytes of the header, and the checksum in them, which the next frame repeats.
    #[must_use]
    pub fn encode(&self, seed: Seed) -> ([u8; FRAME_HEADER_BYTES], u32) {
        let mut bytes = [0; FRAME_HEADER_BYTES];
        bytes[..4].copy_from_slice(&self.body_bytes.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.body_crc.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.prev_crc.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.epoch.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.seq.0.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.at.0.to_le_bytes());
        bytes[32..36].copy_from_slice(&self.batch_offset.to_le_bytes());
        let crc = seed.crc(&bytes[..CRC_AT]);
        bytes[CRC_AT..].copy_from_slice(&crc.to_le_bytes());
        (bytes, crc)
    }

    /// The first `Seq` of its batch.
    #[must_use]
    pub fn batch_first(&self) -> Seq {
        Seq(self.seq.0 - u64::from(self.batch_offset))
    }

    /// Bytes from this frame to where the next one begins.
    #[must_use]
    pub fn frame_bytes(&self) -> usize {
        frame_bytes(self.body_bytes as usize)
    }
}

/// Bytes of a frame with a body of this size, padding included.
#[must_use]
pub const fn frame_bytes(body_bytes: usize) -> usize {
    align_up(FRAME_HEADER_BYTES + body_bytes)
}

/// A header whose own checksum is right; its body is not checked yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckedHeader {
    header: FrameHeader,
    crc: u32,
}

/// A frame whose checksums are right. Whether it stands where it belongs is for the chain to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Its header.
    pub header: FrameHeader,
    /// The header's checksum, which the next frame repeats.
    pub crc: u32,
    /// The commit.
    pub body: &'a [u8],
}

/// Bytes that are no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FrameFault {
    /// Nothing but zeros where a header would be.
    #[error("no frame: zeros")]
    Zero,
    /// The header is cut, or its checksum is wrong.
    #[error("frame header checksum mismatch")]
    Header,
    /// The header is right, the body is cut.
    #[error("the body of {body_bytes} bytes reaches beyond the end of the file")]
    BodyCut {
        /// How long the body is.
        body_bytes: u32,
    },
    /// The header is right, the body's checksum is not.
    #[error("frame body checksum mismatch")]
    Body,
    /// Header and body are right, but the bytes after the body are not zero.
    #[error("the padding of the frame is not zero")]
    Padding,
}

impl CheckedHeader {
    /// Reads the header at the beginning of `bytes`, which reach to the end of the file.
    ///
    /// What is missing at the end of a file counts as zeros: padding is not written.
    pub fn decode(bytes: &[u8], seed: Seed) -> Result<CheckedHeader, FrameFault> {
        let Some(bytes) = bytes.get(..FRAME_HEADER_BYTES) else {
            return Err(if is_zero(bytes) { FrameFault::Zero } else { FrameFault::Header });
        };
        let crc = u32_at(bytes, CRC_AT);
        if seed.crc(&bytes[..CRC_AT]) != crc || is_zero(bytes) {
            return Err(if is_zero(bytes) { FrameFault::Zero } else { FrameFault::Header });
        }
        let header = FrameHeader {
            body_bytes: u32_at(bytes, 0),
            body_crc: u32_at(bytes, 4),
            prev_crc: u32_at(bytes, 8),
            epoch: u32_at(bytes, 12),
            seq: Seq(u64_at(bytes, 16)),
            at: Timestamp(u64_at(bytes, 24).cast_signed()),
            batch_offset: u32_at(bytes, 32),
        };
        // No writer makes these: a Seq of zero, or a batch that begins before the first commit.
        if header.seq.0 <= u64::from(header.batch_offset) {
            return Err(FrameFault::Header);
        }
        Ok(CheckedHeader { header, crc })
    }

    /// The header.
    #[must_use]
    pub fn header(&self) -> FrameHeader {
        self.header
    }

    /// Checks the body that follows the header at the beginning of `bytes`, which reach to the end of the file.
    pub fn with_body(self, bytes: &[u8]) -> Result<Frame<'_>, FrameFault> {
        let body_bytes = self.header.body_bytes;
        let end = FRAME_HEADER_BYTES + body_bytes as usize;
        let body = bytes.get(FRAME_HEADER_BYTES..end).ok_or(FrameFault::BodyCut { body_bytes })?;
        if crc32fast::hash(body) != self.header.body_crc {
            return Err(FrameFault::Body);
        }
        if !is_zero(&bytes[end..align_up(end).min(bytes.len())]) {
            return Err(FrameFault::Padding);
        }
        Ok(Frame { header: self.header, crc: self.crc, body })
    }
}

impl Frame<'_> {
    /// Reads the frame at the beginning of `bytes`, which reach to the end of the file.
    pub fn decode(bytes: &[u8], seed: Seed) -> Result<Frame<'_>, FrameFault> {
        CheckedHeader::decode(bytes, seed)?.with_body(bytes)
    }
}

/// Whether the bytes at the beginning could be the header of a frame with a `Seq` above `after`, from an epoch of at
/// least `epoch`. Cheap, to be asked before any checksum is made.
#[must_use]
pub fn may_begin_later_batch(bytes: &[u8], after: Seq, epoch: u32) -> bool {
    let Some(bytes) = bytes.get(..FRAME_HEADER_BYTES) else {
        return false;
    };
    let seq = u64_at(bytes, 16);
    u32_at(bytes, 0) as usize <= COMMIT_BYTES_MAX
        && seq > after.0
        && u32_at(bytes, 12) >= epoch
        && seq - after.0 > u64::from(u32_at(bytes, 32))
}
