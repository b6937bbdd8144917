//! MANIFEST on disk: read, and replaced atomically.
//!
//! Invariant: at any moment, and after a crash at any moment, MANIFEST is one whole manifest, the old one or the new
//! one. It may lag behind the log by the newest segment, and never runs ahead of it.

mod format;
mod keeper;

use std::{io::ErrorKind, path::Path};

use milepost_index::{RunFacts, RunId};
use milepost_io::{Disk, Latch, NotReplaced, OpenMode, Room};
use milepost_log::{CleanMark, DroppedFacts, KnownSegment, SealedFacts, SegmentId};
use milepost_types::{Corruption, ScopePrefix, Seq, Timestamp};

use crate::{
    OpenError,
    envelope::{Fault, HEADER_BYTES},
    reserve::{For, Reserve},
    retention::{Horizon, Horizons},
};
pub(crate) use format::{CleanRow, HorizonRow, MAGIC, Manifest, SegmentRow, SegmentState, WrittenRow};
use format::{DroppedRow, FORMAT_VERSION, RunRow, SealedRow};
pub(crate) use keeper::Keeper;

/// Its name in the store's directory.
pub(crate) const MANIFEST: &str = "MANIFEST";
/// Its successor, before it takes the name, as [`milepost_io::next_name`] names it.
pub(crate) const MANIFEST_NEXT: &str = "MANIFEST.tmp";

/// Reads the manifest; `None` if there is none.
pub(crate) fn read(disk: &dyn Disk, dir: &Path) -> Result<Option<Manifest>, OpenError> {
    let path = dir.join(MANIFEST);
    let bytes = match milepost_io::read_file(disk, &path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(OpenError::io("read", &path, error)),
    };
    decode(&path, &bytes).map(Some)
}

/// The header of a manifest: it tells one from the next, by the checksum in it.
pub(crate) type Mark = [u8; HEADER_BYTES];

/// The mark of the manifest that is there; `None` if there is none. Costs one small read.
pub(crate) fn mark(disk: &dyn Disk, dir: &Path) -> std::io::Result<Option<Mark>> {
    let file = match disk.open(&dir.join(MANIFEST), OpenMode::Read) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    let mut mark = [0; HEADER_BYTES];
    let read = milepost_io::read_some_at(&*file, &mut mark, 0)?;
    Ok(Some(mark).filter(|_| read == HEADER_BYTES))
}

fn decode(path: &Path, bytes: &[u8]) -> Result<Manifest, OpenError> {
    format::decode(bytes).map_err(|fault| match fault {
        Fault::Corrupt { offset, what } => {
            OpenError::Corrupt(Corruption { file: path.to_owned(), offset, seq: None, what })
        }
        Fault::NewerFormat { found } => {
            OpenError::NewerFormat { file: path.to_owned(), found, supported: FORMAT_VERSION }
        }
    })
}

/// Replaces the manifest. From the sync on a failure trips the latch: which of the two is there is then unknown. Any
/// other failure leaves the old one in force.
pub(crate) fn write(disk: &dyn Disk, dir: &Path, manifest: &Manifest, latch: &Latch) -> Result<(), OpenError> {
    let bytes = format::encode(manifest);
    let written = milepost_io::write_file_atomically(disk, &dir.join(MANIFEST), &bytes, latch);
    written.map_err(|error| match error {
        NotReplaced::Refused { action, path, source } => {
            OpenError::no_room_or_io(disk, dir, bytes.len() as u64, action, &path, source)
        }
        NotReplaced::Stopped(failure) => OpenError::Stopped(failure),
    })
}

/// The same; where the disk is full, with room from the reserve: the new file stands beside the old one for a moment.
pub(crate) fn write_with(
    reserve: &Reserve,
    disk: &dyn Disk,
    dir: &Path,
    manifest: &Manifest,
    latch: &Latch,
) -> Result<(), OpenError> {
    let lacks = |error: &OpenError| match error {
        OpenError::DiskFull { need, free: Room::Free(_), .. } => Some(*need),
        _ => None,
    };
    reserve.with(For::Manifest, lacks, || write(disk, dir, manifest, latch))
}

/// What the log knows of its segments, as the manifest keeps it.
pub(crate) fn rows(segments: &[KnownSegment]) -> Vec<SegmentRow> {
    segments
        .iter()
        .map(|known| SegmentRow {
            id: known.id.0,
            first_seq: known.first_seq.0,
            generation: known.generation,
            state: match (known.sealed, known.dropped) {
                (Some(facts), _) => {
                    SegmentState::Sealed(SealedRow { last_seq: facts.last_seq.0, bytes: facts.bytes, crc: facts.crc })
                }
                (None, Some(facts)) => SegmentState::Dropped(DroppedRow {
                    last_seq: facts.last_seq.0,
                    first_at: facts.first_at.0,
                    last_at: facts.last_at.0,
                }),
                (None, None) => SegmentState::Open,
            },
        })
        .collect()
}

/// The other way.
pub(crate) fn known_segments(manifest: &Manifest) -> Vec<KnownSegment> {
    let sealed = |row: &SealedRow| SealedFacts { last_seq: Seq(row.last_seq), bytes: row.bytes, crc: row.crc };
    let dropped = |row: &DroppedRow| DroppedFacts {
        last_seq: Seq(row.last_seq),
        first_at: Timestamp(row.first_at),
        last_at: Timestamp(row.last_at),
    };
    manifest
        .segments
        .iter()
        .map(|row| {
            let (sealed, dropped) = match &row.state {
                SegmentState::Open => (None, None),
                SegmentState::Sealed(row) => (Some(sealed(row)), None),
                SegmentState::Dropped(row) => (None, Some(dropped(row))),
            };
            let (id, first_seq) = (SegmentId(row.id), Seq(row.first_seq));
            KnownSegment { id, generation: row.generation, first_seq, sealed, dropped }
        })
        .collect()
}

/// Runs, as the manifest keeps them.
pub(crate) fn run_rows(runs: &[RunFacts]) -> Vec<RunRow> {
    let row = |run: &RunFacts| RunRow {
        id: run.id.0,
        first_seq: run.first_seq,
        last_seq: run.last_seq,
        bytes: run.bytes,
        crc: run.crc,
    };
    runs.iter().map(row).collect()
}

/// The other way.
pub(crate) fn known_runs(manifest: &Manifest) -> Vec<RunFacts> {
    let facts = |row: &RunRow| RunFacts {
        id: RunId(row.id),
        first_seq: row.first_seq,
        last_seq: row.last_seq,
        bytes: row.bytes,
        crc: row.crc,
    };
    manifest.runs.iter().map(facts).collect()
}

/// No prefix: the row of this name says up to which commit the log was filled with what was taken over.
const FILLED: &str = "/filled";

/// Horizons, as the manifest keeps them.
pub(crate) fn horizon_rows(horizons: &Horizons) -> Vec<HorizonRow> {
    let row = |row: &Horizon| HorizonRow { prefix: row.prefix.as_str().to_owned(), seq: row.seq.0, at: row.at.0 };
    let filled = Some(horizons.filled()).filter(|seq| *seq > Seq::ZERO);
    let filled = filled.map(|seq| HorizonRow { prefix: FILLED.to_owned(), seq: seq.0, at: 0 });
    horizons.rows().iter().map(row).chain(filled).collect()
}

/// The other way. A prefix that is none would be that of a place where nothing is.
pub(crate) fn known_horizons(rows: &[HorizonRow]) -> Horizons {
    let filled = rows.iter().filter(|row| row.prefix == FILLED).map(|row| Seq(row.seq)).max();
    let known = |row: &HorizonRow| {
        let prefix = ScopePrefix::parse(&row.prefix).ok()?;
        Some(Horizon { prefix, seq: Seq(row.seq), at: Timestamp(row.at) })
    };
    Horizons::new(rows.iter().filter_map(known).collect()).filled_through(filled.unwrap_or(Seq::ZERO))
}

/// Where the log ended at a clean close, as the manifest keeps it.
pub(crate) fn clean_row(mark: &CleanMark) -> CleanRow {
    CleanRow { segment: mark.segment.0, end: mark.end, last_seq: mark.last_seq.0 }
}

/// The other way.
pub(crate) fn clean_mark(row: &CleanRow) -> CleanMark {
    CleanMark { segment: SegmentId(row.segment), end: row.end, last_seq: Seq(row.last_seq) }
}

#[cfg(test)]
mod tests;
