//! The header of a segment.
//!
//! ```text
//!  0  magic          8  "MPSTSEG\0"
//!  8  version        u16  format version, 1
//! 10  flags          u16  1 if its frames are compressed (`format/block.rs`), else 0
//! 12  epoch          u32  of the writer that created the segment
//! 16  segment id     u64  the number in the file's name
//! 24  store id       16
//! 40  salt           u64  random, new for every life of the file
//! 48  first Seq      u64  of the first frame
//! 56  generation     u32  0 as first written; else the second number in the file's name
//! 60  crc            u32  over bytes 0 to 59
//! 64  the first frame
//! ```
//!
//! Every later version keeps the magic, the version and the checksum where they are, so that a newer file is told apart
//! from a damaged one.
//!
//! Invariant: the header and the file's name are durable before the first frame is written. So a named segment whose
//! header is bad is damage, never the trace of a crash.

use milepost_types::Seq;
use thiserror::Error;

use super::{Seed, u16_at, u32_at, u64_at};
use crate::{SegmentId, SegmentName, StoreId};

/// Bytes of a segment's header; the first frame follows.
pub const SEGMENT_HEADER_BYTES: usize = 64;
/// The newest format version that this program reads, and the one that it writes.
pub const FORMAT_VERSION: u16 = 1;

const MAGIC: [u8; 8] = *b"MPSTSEG\0";
const CRC_AT: usize = SEGMENT_HEADER_BYTES - 4;

/// How the frames of a segment stand in its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As they are.
    Raw,
    /// In compressed blocks.
    Compressed,
}

const COMPRESSED: u16 = 1;

/// A segment's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentHeader {
    /// The number in the file's name.
    pub id: SegmentId,
    /// Which time it was written; 0 is the first.
    pub generation: u32,
    /// How its frames stand in the file.
    pub form: Form,
    /// Whose segment it is.
    pub store: StoreId,
    /// `Seq` of its first commit.
    pub first_seq: Seq,
    /// Epoch of the writer that created it.
    pub epoch: u32,
    /// What its checksums begin with.
    pub salt: u64,
}

/// Bytes that are no header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum HeaderFault {
    /// Fewer bytes than a header has.
    #[error("the file ends inside the segment header")]
    Short,
    /// Another kind of file.
    #[error("not a segment: the magic is missing")]
    Magic,
    /// A flipped bit or worse.
    #[error("segment header checksum mismatch")]
    Crc,
    /// A newer version wrote it.
    #[error("format version {found}, this program reads up to {FORMAT_VERSION}")]
    Newer {
        /// Its version.
        found: u16,
    },
    /// The checksum is right, but a field is not what version 1 writes.
    #[error("a field of the segment header is out of its range")]
    Content,
}

/// The header of a segment that frames are to be appended to.
pub(crate) fn first_written(id: SegmentId, store: StoreId, first_seq: Seq, epoch: u32, salt: u64) -> SegmentHeader {
    SegmentHeader { id, generation: 0, form: Form::Raw, store, first_seq, epoch, salt }
}

impl SegmentHeader {
    /// The bytes of the header.
    #[must_use]
    pub fn encode(&self) -> [u8; SEGMENT_HEADER_BYTES] {
        let mut bytes = [0; SEGMENT_HEADER_BYTES];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..10].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
        let flags = match self.form {
            Form::Raw => 0,
            Form::Compressed => COMPRESSED,
        };
        bytes[10..12].copy_from_slice(&flags.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.epoch.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.id.0.to_le_bytes());
        bytes[24..40].copy_from_slice(&self.store.0);
        bytes[40..48].copy_from_slice(&self.salt.to_le_bytes());
        bytes[48..56].copy_from_slice(&self.first_seq.0.to_le_bytes());
        bytes[56..60].copy_from_slice(&self.generation.to_le_bytes());
        let crc = crc32fast::hash(&bytes[..CRC_AT]);
        bytes[CRC_AT..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Reads a header from the beginning of a file.
    pub fn decode(bytes: &[u8]) -> Result<SegmentHeader, HeaderFault> {
        let bytes = bytes.get(..SEGMENT_HEADER_BYTES).ok_or(HeaderFault::Short)?;
        if bytes[..8] != MAGIC {
            return Err(HeaderFault::Magic);
        }
        if crc32fast::hash(&bytes[..CRC_AT]) != u32_at(bytes, CRC_AT) {
            return Err(HeaderFault::Crc);
        }
        let version = u16_at(bytes, 8);
        if version > FORMAT_VERSION {
            return Err(HeaderFault::Newer { found: version });
        }
        let first_seq = Seq(u64_at(bytes, 48));
        let generation = u32_at(bytes, 56);
        let form = match (u16_at(bytes, 10), generation) {
            (0, _) => Form::Raw,
            // Frames are appended as they are.
            (COMPRESSED, 1..) => Form::Compressed,
            _ => return Err(HeaderFault::Content),
        };
        if version == 0 || first_seq == Seq::ZERO {
            return Err(HeaderFault::Content);
        }
        let mut store = [0; 16];
        store.copy_from_slice(&bytes[24..40]);
        Ok(SegmentHeader {
            id: SegmentId(u64_at(bytes, 16)),
            generation,
            form,
            store: StoreId(store),
            first_seq,
            epoch: u32_at(bytes, 12),
            salt: u64_at(bytes, 40),
        })
    }

    /// Which file it is in.
    #[must_use]
    pub fn name(&self) -> SegmentName {
        SegmentName { id: self.id, generation: self.generation }
    }

    /// What the chain of frames and the footer begin with: the checksum of the header.
    #[must_use]
    pub fn crc(&self) -> u32 {
        u32_at(&self.encode(), CRC_AT)
    }

    /// The seed of the checksums in this segment.
    #[must_use]
    pub fn seed(&self) -> Seed {
        Seed::of_salt(self.salt)
    }
}
