//! The header of a run.
//!
//! ```text
//!  0  magic          8   "MPSTRUN\0"
//!  8  version        u16  format version, 1
//! 10  flags          u16  zero
//! 12  reserved       u32  zero
//! 16  run id         u64  the number in the file's name
//! 24  store id       16
//! 40  first Seq      u64  of the commits that it covers
//! 48  last Seq       u64
//! 56  reserved       u32  zero
//! 60  crc            u32  over bytes 0 to 59
//! ```
//!
//! Every later version keeps the magic, the version and the checksum where they are, so that a newer file is told apart
//! from a damaged one.
//!
//! Invariant: a header's range of `Seq` is not empty, and begins above 0.

use thiserror::Error;

use super::{u32_at, u64_at};

/// Bytes of a run's header.
pub const RUN_HEADER_BYTES: usize = 64;
/// The newest format version that this program reads, and the one that it writes.
pub const FORMAT_VERSION: u16 = 1;

const MAGIC: [u8; 8] = *b"MPSTRUN\0";
const CRC_AT: usize = RUN_HEADER_BYTES - 4;

/// A run's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunHeader {
    /// The number in the file's name.
    pub id: u64,
    /// Whose run it is.
    pub store: [u8; 16],
    /// The first commit that it covers.
    pub first_seq: u64,
    /// The last one.
    pub last_seq: u64,
}

/// Bytes that are no header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum HeaderFault {
    /// Fewer bytes than a header has.
    #[error("the file ends inside the run's header")]
    Short,
    /// Another kind of file.
    #[error("not a run: the magic is missing")]
    Magic,
    /// A flipped bit or worse.
    #[error("run header checksum mismatch")]
    Crc,
    /// A newer version wrote it.
    #[error("format version {found}, this program reads up to {FORMAT_VERSION}")]
    Newer {
        /// Its version.
        found: u16,
    },
    /// The checksum is right, but a field is not what version 1 writes.
    #[error("a field of the run's header is out of its range")]
    Content,
}

impl RunHeader {
    /// The bytes of the header.
    #[must_use]
    pub fn encode(&self) -> [u8; RUN_HEADER_BYTES] {
        let mut bytes = [0; RUN_HEADER_BYTES];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..10].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.id.to_le_bytes());
        bytes[24..40].copy_from_slice(&self.store);
        bytes[40..48].copy_from_slice(&self.first_seq.to_le_bytes());
        bytes[48..56].copy_from_slice(&self.last_seq.to_le_bytes());
        let crc = crc32fast::hash(&bytes[..CRC_AT]);
        bytes[CRC_AT..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Reads a header from the beginning of a file.
    pub fn decode(bytes: &[u8]) -> Result<RunHeader, HeaderFault> {
        let bytes = bytes.get(..RUN_HEADER_BYTES).ok_or(HeaderFault::Short)?;
        if bytes[..8] != MAGIC {
            return Err(HeaderFault::Magic);
        }
        if crc32fast::hash(&bytes[..CRC_AT]) != u32_at(bytes, CRC_AT) {
            return Err(HeaderFault::Crc);
        }
        let version = u16::from_le_bytes([bytes[8], bytes[9]]);
        if version > FORMAT_VERSION {
            return Err(HeaderFault::Newer { found: version });
        }
        let mut store = [0; 16];
        store.copy_from_slice(&bytes[24..40]);
        let header =
            RunHeader { id: u64_at(bytes, 16), store, first_seq: u64_at(bytes, 40), last_seq: u64_at(bytes, 48) };
        let zeros = bytes[10..16].iter().chain(&bytes[56..60]).all(|byte| *byte == 0);
        if version == 0 || !zeros || header.first_seq == 0 || header.last_seq < header.first_seq {
            return Err(HeaderFault::Content);
        }
        Ok(header)
    }
}
