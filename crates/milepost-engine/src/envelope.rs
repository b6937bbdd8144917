//! The envelope of a file that holds one archive: MANIFEST's, and that of a backup's own file. Pure: bytes in, value or
//! error out.
//!
//! ```text
//! 0   8   magic
//! 8   4   format version, u32, from 1
//! 12  4   bytes of the archive, u32
//! 16  4   CRC32 of the archive
//! 20  4   CRC32 of bytes 0..20
//! 24  8   zero
//! 32  n   the archive, little-endian
//! ```
//!
//! Invariant: the archive that is given back is the one that was put in, whole; anything else is a [`Fault`].
//!
//! Must not know: what is in an archive.

use rkyv::util::AlignedVec;

pub(crate) const HEADER_BYTES: usize = 32;
/// Where the checksum of the header stands, and what it is of ends.
const CRC_AT: usize = 20;

/// What files in an envelope have in common that are of one kind.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Envelope {
    pub(crate) magic: [u8; 8],
    /// The newest format that this version reads, and the one it writes.
    pub(crate) version: u32,
    /// An archive above this many bytes is refused.
    pub(crate) archive_bytes_max: usize,
}

/// Bytes that are no such file of this version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Damage, at an offset.
    Corrupt { offset: u64, what: String },
    /// A newer version wrote it.
    NewerFormat { found: u32 },
}

impl Envelope {
    pub(crate) fn encode(&self, archive: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_BYTES + archive.len());
        bytes.extend_from_slice(&self.magic);
        bytes.extend_from_slice(&self.version.to_le_bytes());
        bytes.extend_from_slice(&(archive.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&crc32fast::hash(archive).to_le_bytes());
        let header_crc = crc32fast::hash(&bytes);
        bytes.extend_from_slice(&header_crc.to_le_bytes());
        bytes.extend_from_slice(&[0; 8]);
        bytes.extend_from_slice(archive);
        bytes
    }

    /// The archive in these bytes, where it can be read in place.
    pub(crate) fn archive_of(&self, bytes: &[u8]) -> Result<AlignedVec<16>, Fault> {
        check_begin(bytes, self.magic, self.version, HEADER_BYTES, CRC_AT)?;
        if bytes[24..HEADER_BYTES] != [0; 8] {
            return Err(corrupt(24, "reserved bytes are not zero"));
        }
        let archive = &bytes[HEADER_BYTES..];
        if archive.len() != u32_at(bytes, 12) as usize || archive.len() > self.archive_bytes_max {
            let what = format!("{} bytes follow the header, which says {}", archive.len(), u32_at(bytes, 12));
            return Err(corrupt(12, &what));
        }
        if u32_at(bytes, 16) != crc32fast::hash(archive) {
            return Err(corrupt(HEADER_BYTES, "checksum of what is listed does not match"));
        }
        let mut aligned = AlignedVec::with_capacity(archive.len());
        aligned.extend_from_slice(archive);
        Ok(aligned)
    }
}

/// Magic, checksum and version, in this order: a newer file is told from a damaged one. `crc_at` says where the
/// checksum of all before it stands.
pub(crate) fn check_begin(
    bytes: &[u8],
    magic: [u8; 8],
    version: u32,
    bytes_min: usize,
    crc_at: usize,
) -> Result<(), Fault> {
    if bytes.len() < bytes_min {
        return Err(corrupt(bytes.len(), "the file ends too early"));
    }
    if bytes[..8] != magic {
        return Err(corrupt(0, "its magic is wrong"));
    }
    if u32_at(bytes, crc_at) != crc32fast::hash(&bytes[..crc_at]) {
        return Err(corrupt(crc_at, "checksum of the header does not match"));
    }
    match u32_at(bytes, 8) {
        0 => Err(corrupt(8, "it has no version")),
        found if found > version => Err(Fault::NewerFormat { found }),
        _ => Ok(()),
    }
}

pub(crate) fn corrupt(offset: usize, what: &str) -> Fault {
    Fault::Corrupt { offset: offset as u64, what: what.to_owned() }
}

fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    let mut field = [0; 4];
    field.copy_from_slice(&bytes[offset..offset + 4]);
    u32::from_le_bytes(field)
}

#[cfg(test)]
mod tests;
