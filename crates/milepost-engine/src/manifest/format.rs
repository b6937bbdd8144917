//! The bytes of MANIFEST. Pure: bytes in, value or error out.
//!
//! ```text
//! 0   8   magic "MPSTMANF"
//! 8   4   format version, u32
//! 12  4   bytes of the archive, u32
//! 16  4   CRC32 of the archive
//! 20  4   CRC32 of bytes 0..20
//! 24  8   zero
//! 32  n   the archive: rkyv of `Manifest`, little-endian
//! ```
//!
//! Invariant: what [`decode`] returns was written by [`encode`], whole; anything else is a [`Fault`].

use rkyv::{Archive, Deserialize, Serialize, rancor, util::AlignedVec};

/// The newest format that this version reads, and the one it writes.
pub(crate) const FORMAT_VERSION: u32 = 1;
pub(crate) const MAGIC: [u8; 8] = *b"MPSTMANF";
pub(crate) const HEADER_BYTES: usize = 32;
/// A manifest above this many bytes is refused: a million segments fit.
const BYTES_MAX: usize = 64 << 20;

/// What a store knows about its own files.
#[derive(Clone, Debug, PartialEq, Eq, Archive, Serialize, Deserialize)]
pub(crate) struct Manifest {
    /// The store's identity.
    pub(crate) store: [u8; 16],
    /// Raised, durably, at every opening for writing, before the first frame is written under it.
    pub(crate) epoch: u32,
    /// The segments in order, as of the last roll. A newer one may exist; none of these may be missing.
    pub(crate) segments: Vec<SegmentRow>,
    /// The runs in the order of their commits, from the first commit on without a gap. Each is whole and durable, and
    /// so is every commit that it covers.
    pub(crate) runs: Vec<RunRow>,
    /// Set by a clean close, taken away by the next opening for writing.
    pub(crate) clean: Option<CleanRow>,
    /// From where on the past of a place can be read. What is before may be gone, so no row ever moves back or goes.
    pub(crate) horizons: Vec<HorizonRow>,
    /// What had been written since the opening of this epoch: a note for people, by which nothing goes.
    pub(crate) written: WrittenRow,
}

/// One segment.
#[derive(Clone, Debug, PartialEq, Eq, Archive, Serialize, Deserialize)]
pub(crate) struct SegmentRow {
    pub(crate) id: u64,
    pub(crate) first_seq: u64,
    pub(crate) generation: u32,
    pub(crate) state: SegmentState,
}

/// What is there of a segment.
#[derive(Clone, Debug, PartialEq, Eq, Archive, Serialize, Deserialize)]
pub(crate) enum SegmentState {
    /// A file that may still grow, or has no footer.
    Open,
    /// A file that can't change any more.
    Sealed(SealedRow),
    /// No file: its commits were removed.
    Dropped(DroppedRow),
}

/// What is still known of a segment that is gone.
#[derive(Clone, Debug, PartialEq, Eq, Archive, Serialize, Deserialize)]
pub(crate) struct DroppedRow {
    pub(crate) last_seq: u64,
    pub(crate) first_at: i64,
    pub(crate) last_at: i64,
}

/// What no longer changes once a segment is sealed.
#[derive(Clone, Debug, PartialEq, Eq, Archive, Serialize, Deserialize)]
pub(crate) struct SealedRow {
    pub(crate) last_seq: u64,
    pub(crate) bytes: u64,
    pub(crate) crc: u32,
}

/// One run.
#[derive(Clone, Debug, PartialEq, Eq, Archive, Serialize, Deserialize)]
pub(crate) struct RunRow {
    pub(crate) id: u64,
    pub(crate) first_seq: u64,
    pub(crate) last_seq: u64,
    pub(crate) bytes: u64,
    pub(crate) crc: u32,
}

/// Where the log ended at a clean close.
#[derive(Clone, Debug, PartialEq, Eq, Archive, Serialize, Deserialize)]
pub(crate) struct CleanRow {
    pub(crate) segment: u64,
    pub(crate) end: u64,
    pub(crate) last_seq: u64,
}

/// From where on the past of a place can be read.
#[derive(Clone, Debug, PartialEq, Eq, Archive, Serialize, Deserialize)]
pub(crate) struct HorizonRow {
    /// Where in the tree of scopes, empty for the root.
    pub(crate) prefix: String,
    pub(crate) seq: u64,
    /// The time of that commit, or of the moment that it stands for.
    pub(crate) at: i64,
}

/// Bytes that were written, by where.
#[derive(Clone, Debug, Default, PartialEq, Eq, Archive, Serialize, Deserialize)]
pub(crate) struct WrittenRow {
    /// Of frames of commits.
    pub(crate) frame_bytes: u64,
    /// To files of the log, these among them.
    pub(crate) log_bytes: u64,
    pub(crate) index_bytes: u64,
    pub(crate) other_bytes: u64,
}

// The layout of an archive is format: another feature of rkyv, in any crate of the build, would change it unseen.
const _: fn(rkyv::Archived<u64>) -> rkyv::rend::u64_le = |number| number;
const _: () = assert!(align_of::<rkyv::Archived<u64>>() == 8 && size_of::<rkyv::Archived<Vec<u8>>>() == 8);
const _: () = assert!(size_of::<ArchivedManifest>() == 112 && size_of::<ArchivedSegmentRow>() == 56);

/// Bytes that are no manifest of this version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Damage, at an offset.
    Corrupt { offset: u64, what: String },
    /// A newer version wrote it.
    NewerFormat { found: u32 },
}

pub(crate) fn encode(manifest: &Manifest) -> Vec<u8> {
    let archive = rkyv::to_bytes::<rancor::Error>(manifest).expect("plain data in memory always archives");
    let mut bytes = Vec::with_capacity(HEADER_BYTES + archive.len());
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
    bytes.extend_from_slice(&(archive.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&crc32fast::hash(&archive).to_le_bytes());
    let header_crc = crc32fast::hash(&bytes);
    bytes.extend_from_slice(&header_crc.to_le_bytes());
    bytes.extend_from_slice(&[0; 8]);
    bytes.extend_from_slice(&archive);
    bytes
}

pub(crate) fn decode(bytes: &[u8]) -> Result<Manifest, Fault> {
    let corrupt = |offset: u64, what: &str| Fault::Corrupt { offset, what: what.to_owned() };
    if bytes.len() < HEADER_BYTES {
        return Err(corrupt(bytes.len() as u64, "manifest ends inside its header"));
    }
    if bytes[..8] != MAGIC {
        return Err(corrupt(0, "no manifest: its magic is wrong"));
    }
    let u32_at = |offset: usize| u32::from_le_bytes(bytes[offset..offset + 4].try_into().expect("4 bytes"));
    if u32_at(20) != crc32fast::hash(&bytes[..20]) {
        return Err(corrupt(20, "checksum of the manifest's header does not match"));
    }
    let found = u32_at(8);
    if found > FORMAT_VERSION {
        return Err(Fault::NewerFormat { found });
    }
    if bytes[24..HEADER_BYTES] != [0; 8] {
        return Err(corrupt(24, "reserved bytes of the manifest are not zero"));
    }
    let archive = &bytes[HEADER_BYTES..];
    if archive.len() != u32_at(12) as usize || archive.len() > BYTES_MAX {
        let what = format!("manifest has {} bytes after its header, its header says {}", archive.len(), u32_at(12));
        return Err(Fault::Corrupt { offset: 12, what });
    }
    if u32_at(16) != crc32fast::hash(archive) {
        return Err(corrupt(HEADER_BYTES as u64, "checksum of the manifest does not match"));
    }
    let mut aligned = AlignedVec::<16>::with_capacity(archive.len());
    aligned.extend_from_slice(archive);
    rkyv::from_bytes::<Manifest, rancor::Error>(&aligned)
        .map_err(|error| Fault::Corrupt { offset: HEADER_BYTES as u64, what: format!("malformed manifest: {error}") })
}

#[cfg(test)]
mod tests;
