//! The bytes of MANIFEST. Pure: bytes in, value or error out.
//!
//! ```text
//! the envelope of `envelope.rs`, with the magic "MPSTMANF", around the archive: rkyv of `Manifest`
//! ```
//!
//! Invariant: what [`decode`] returns was written by [`encode`], whole; anything else is a [`Fault`].

use rkyv::{Archive, Deserialize, Serialize, rancor};

use crate::envelope::{Envelope, Fault, HEADER_BYTES, corrupt};

/// The newest format that this version reads, and the one it writes.
pub(crate) const FORMAT_VERSION: u32 = 1;
pub(crate) const MAGIC: [u8; 8] = *b"MPSTMANF";
/// A million segments fit.
const ENVELOPE: Envelope = Envelope { magic: MAGIC, version: FORMAT_VERSION, archive_bytes_max: 64 << 20 };

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

pub(crate) fn encode(manifest: &Manifest) -> Vec<u8> {
    let archive = rkyv::to_bytes::<rancor::Error>(manifest).expect("plain data in memory always archives");
    ENVELOPE.encode(&archive)
}

pub(crate) fn decode(bytes: &[u8]) -> Result<Manifest, Fault> {
    rkyv::from_bytes::<Manifest, rancor::Error>(&ENVELOPE.archive_of(bytes)?)
        .map_err(|error| corrupt(HEADER_BYTES, &format!("malformed: {error}")))
}

#[cfg(test)]
mod tests;
