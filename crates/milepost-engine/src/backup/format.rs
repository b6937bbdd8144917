//! The bytes of a backup's own file, and of the file that says whose backups lie in a place. Pure: bytes in, value or
//! error out.
//!
//! ```text
//! backups/N.backup                        STORE
//! the envelope of `envelope.rs`, with     0   8   magic "MPSTBKOF"
//! the magic "MPSTBKUP", around the        8   4   format version, u32
//! archive: rkyv of `BackupManifest`       12  4   zero
//!                                         16  16  id of the store
//!                                         32  4   CRC32 of bytes 0..32
//! ```
//!
//! Invariant: what [`decode`] returns names pieces that follow each other without a gap, in `Seq` and in time: first
//! those that are whole segments, each with a number of its own, then those of the segment that grew. The last commit
//! is in the last piece, or behind it: then that piece is a whole segment, and those behind it were dropped.

use std::collections::BTreeSet;

use milepost_log::StoreId;
use rkyv::{Archive, Deserialize, Serialize, rancor};

use crate::{
    envelope::{Envelope, Fault, HEADER_BYTES, check_begin, corrupt},
    manifest::HorizonRow,
};

/// The newest format that this version reads, and the one it writes.
pub(super) const FORMAT_VERSION: u32 = 1;
pub(crate) const STORE_MAGIC: [u8; 8] = *b"MPSTBKOF";
const STORE_BYTES: usize = 36;
/// Half a million pieces fit.
const ENVELOPE: Envelope = Envelope { magic: *b"MPSTBKUP", version: FORMAT_VERSION, archive_bytes_max: 64 << 20 };
/// Numbers of segments above this are never given out: a restore needs some behind them.
const SEGMENT_MAX: u64 = u64::MAX / 2;

/// One backup.
#[derive(Clone, Debug, PartialEq, Eq, Archive, Serialize, Deserialize)]
pub(super) struct BackupManifest {
    /// Whose backup it is.
    pub(super) store: [u8; 16],
    /// Its number, as in the file's name.
    pub(super) number: u64,
    /// Epoch of the store when it was made.
    pub(super) epoch: u32,
    /// When it was made, by the clock of the machine.
    pub(super) made_at: i64,
    /// The last commit in it; 0 if there is none.
    pub(super) last_seq: u64,
    /// When that was stamped.
    pub(super) last_at: i64,
    /// Bytes of the pieces that were brought for it.
    pub(super) new_bytes: u64,
    /// What it is made of, in order.
    pub(super) pieces: Vec<PieceRow>,
    /// From where on the past of a place can be read in it.
    pub(super) horizons: Vec<HorizonRow>,
}

/// A piece: the commits from one to another.
#[derive(Clone, Debug, PartialEq, Eq, Archive, Serialize, Deserialize)]
pub(super) struct PieceRow {
    pub(super) first_seq: u64,
    pub(super) last_seq: u64,
    /// When the last commit was stamped.
    pub(super) last_at: i64,
    /// Bytes of its file.
    pub(super) bytes: u64,
    /// BLAKE3 of its file.
    pub(super) hash: [u8; 32],
    /// Number of the segment that it was taken from.
    pub(super) segment: u64,
    /// Salt of that segment.
    pub(super) salt: u64,
    /// Header checksum of the last frame, as it stood in that segment.
    pub(super) last_crc: u32,
    /// Whether it is all of the segment, and another one follows.
    pub(super) is_whole: bool,
}

// The layout of an archive is format: another feature of rkyv, in any crate of the build, would change it unseen.
const _: () = assert!(size_of::<ArchivedBackupManifest>() == 80 && size_of::<ArchivedPieceRow>() == 88);

pub(super) fn encode(manifest: &BackupManifest) -> Vec<u8> {
    let archive = rkyv::to_bytes::<rancor::Error>(manifest).expect("plain data in memory always archives");
    ENVELOPE.encode(&archive)
}

/// Reads the file of the backup with this number.
pub(super) fn decode(bytes: &[u8], number: u64) -> Result<BackupManifest, Fault> {
    let archive = ENVELOPE.archive_of(bytes)?;
    let manifest = rkyv::from_bytes::<BackupManifest, rancor::Error>(&archive)
        .map_err(|error| corrupt(HEADER_BYTES, &format!("malformed: {error}")))?;
    if manifest.number != number {
        return Err(corrupt(HEADER_BYTES, &format!("it is in truth backup {}", manifest.number)));
    }
    if !is_sound(&manifest) {
        return Err(corrupt(HEADER_BYTES, "the pieces do not follow each other"));
    }
    Ok(manifest)
}

fn is_sound(manifest: &BackupManifest) -> bool {
    let mut segments = BTreeSet::new();
    let mut end: Option<&PieceRow> = None;
    for piece in &manifest.pieces {
        let follows = end.is_none_or(|end| {
            // Only where a segment between the two was dropped, commits are missing.
            let adjoins = end.last_seq.checked_add(1) == Some(piece.first_seq)
                || (end.last_seq < piece.first_seq && end.segment.saturating_add(1) < piece.segment);
            adjoins && piece.last_at > end.last_at && (end.is_whole || !piece.is_whole)
        });
        let is_new = !piece.is_whole || segments.insert(piece.segment);
        let in_range = piece.first_seq >= 1
            && piece.first_seq <= piece.last_seq
            && piece.last_seq < u64::MAX - 1
            && (1..=SEGMENT_MAX).contains(&piece.segment);
        if !follows || !is_new || !in_range {
            return false;
        }
        end = Some(piece);
    }
    // The last segments may be among the dropped.
    let is_tail_gone =
        |end: &PieceRow| end.is_whole && end.last_seq < manifest.last_seq && end.last_at < manifest.last_at;
    manifest.last_seq < u64::MAX - 1
        && end
            .is_none_or(|end| (end.last_seq, end.last_at) == (manifest.last_seq, manifest.last_at) || is_tail_gone(end))
}

pub(super) fn encode_store(store: StoreId) -> Vec<u8> {
    let mut bytes = STORE_MAGIC.to_vec();
    bytes.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(&store.0);
    let crc = crc32fast::hash(&bytes);
    bytes.extend_from_slice(&crc.to_le_bytes());
    bytes
}

pub(super) fn decode_store(bytes: &[u8]) -> Result<StoreId, Fault> {
    check_begin(bytes, STORE_MAGIC, FORMAT_VERSION, STORE_BYTES, 32)?;
    if bytes.len() != STORE_BYTES || bytes[12..16] != [0; 4] {
        return Err(corrupt(12, "it is longer than it should be, or reserved bytes are not zero"));
    }
    let mut store = [0; 16];
    store.copy_from_slice(&bytes[16..32]);
    Ok(StoreId(store))
}

#[cfg(test)]
mod tests;
