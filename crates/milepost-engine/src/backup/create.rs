//! [`create`]: a backup of a store that is open, for writing or beside a writer.
//!
//! What a segment's frames are is told by its salt and the checksum of its last frame, which the chain makes stand for
//! all before it. So what an earlier backup brought is known again without reading it, and a segment that was rewritten
//! is another one.
//!
//! A segment that another one follows is one piece. Of the one that grows, each backup brings the commits since the
//! last one: a piece each, until there are many, or until the segment is full and brought as a whole.

use std::{path::Path, sync::Arc};

use milepost_log::{Provenance, Stretch};
use milepost_types::{Receipt, Seq, Timestamp};

use super::{
    Backup, BackupError,
    format::{BackupManifest, PieceRow},
    known::note_place,
    piece::{Shelf, Source},
    place::Place,
};
use crate::{
    Engine,
    backup::RESTORED_EPOCHS,
    engine::Shared,
    inside::{Host, host},
    manifest,
};

/// So many pieces of one segment, and it is brought anew as one.
const PARTS_MAX: usize = 64;

/// What to do where a backup holds commits that the store has lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rollback {
    /// Make no backup, and say so.
    #[default]
    Refuse,
    /// Make one of what the store holds now. The earlier ones stay.
    Accept,
}

/// Makes a backup of all commits that are durable now in a directory, empty or with earlier backups of this store.
/// Commits go on meanwhile. `progress` is told the bytes brought and the bytes in all.
pub fn create(
    engine: &Engine,
    dir: &Path,
    rollback: Rollback,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Backup, BackupError> {
    let shared = engine.shared();
    if dir.starts_with(&shared.dir) || matches!(host(&*shared.parts.disk, dir), Some(Host::Store(_))) {
        return Err(BackupError::InStore { dir: dir.to_owned() });
    }
    let (last, stretches, horizons) = loop {
        shared.refresh()?;
        let last = shared.published();
        let stretches = shared.reader.stretches(last)?;
        // Behind the segments: what is missing there is before these. One behind the last commit came meanwhile.
        let horizons = shared.retention.horizons();
        if horizons.last() <= last {
            // Also of a commit whose segment compaction dropped.
            let at = shared.reader.stamp(last)?.unwrap_or(Timestamp::MIN);
            break (Receipt { seq: last, at }, stretches, horizons);
        }
    };
    let (place, _lock) = Place::open_or_make(&shared.parts.disk, dir, shared.store)?;
    let mut creation = Creation { shared, place: &place, pieces: Vec::new(), new_bytes: 0 };
    if rollback == Rollback::Refuse {
        creation.refuse_rolled_back(&stretches, last.seq)?;
    }
    // Before the first byte: what is erased meanwhile, or after a crash, must be looked for there.
    if let Err(error) = note_place(engine, dir) {
        let what = "if this backup does not come to its end, the store does not remember its place";
        tracing::warn!(dir = %dir.display(), %error, "{what}");
    }
    let plan = creation.plan(&stretches)?;
    let total: u64 = plan.iter().map(|planned| planned.bytes).sum();
    let mut done = 0;
    for planned in plan {
        creation.take(planned, &mut |bytes| {
            done += bytes;
            progress(done.min(total), total);
        })?;
    }
    let manifest = BackupManifest {
        store: shared.store.0,
        number: place.next_number,
        epoch: shared.epoch,
        made_at: shared.parts.clock.now().0,
        last_seq: last.seq.0,
        last_at: last.at.0,
        new_bytes: creation.new_bytes,
        pieces: creation.pieces,
        horizons: manifest::horizon_rows(&horizons),
    };
    place.add(&manifest)?;
    progress(total, total);
    Ok(Backup::of(&manifest))
}

struct Creation<'a> {
    shared: &'a Arc<Shared>,
    place: &'a Place,
    /// The pieces so far, in order.
    pieces: Vec<PieceRow>,
    new_bytes: u64,
}

/// What is to be done for one segment.
struct Planned<'a> {
    stretch: &'a Stretch,
    /// Pieces that are there already.
    there: Vec<PieceRow>,
    /// The first commit that is in none of them; `None` if there is none.
    from: Option<Seq>,
    /// Bytes to be brought, about.
    bytes: u64,
    /// Whether it grows no more.
    is_whole: bool,
}

impl Creation<'_> {
    fn shelf(&self) -> Shelf<'_> {
        Shelf { disk: &*self.place.disk, dir: &self.place.dir, store: self.place.store }
    }

    /// An older copy put in the store's place shows by the commits that a backup has and the store has not, or has
    /// otherwise. A restored store has fewer commits, too, and an epoch far above.
    fn refuse_rolled_back(&self, stretches: &[Stretch], last: Seq) -> Result<(), BackupError> {
        let Some(newest) = self.place.backups.last() else { return Ok(()) };
        let rolled_back =
            BackupError::RolledBack { number: newest.number, backed_up: Seq(newest.last_seq), store: last };
        if newest.last_seq > last.0 && self.shared.epoch < newest.epoch.saturating_add(RESTORED_EPOCHS) {
            return Err(rolled_back);
        }
        for stretch in stretches {
            let salt = stretch.provenance(stretch.first_seq())?.salt;
            for row in newest.pieces.iter().filter(|row| row.salt == salt) {
                let is_within = row.first_seq >= stretch.first_seq().0 && row.last_seq <= stretch.last_seq().0;
                if is_within && stretch.provenance(Seq(row.last_seq))? != row.provenance() {
                    return Err(rolled_back);
                }
            }
        }
        Ok(())
    }

    fn plan<'s>(&self, stretches: &'s [Stretch]) -> Result<Vec<Planned<'s>>, BackupError> {
        let mut plan = Vec::with_capacity(stretches.len());
        for (index, stretch) in stretches.iter().enumerate() {
            // Also the last one, once it is sealed.
            let is_whole = index + 1 < stretches.len() || stretch.whole_bytes().is_some();
            let there = if is_whole { self.whole(stretch)? } else { self.parts(stretch)? };
            let next = there.last().map_or(stretch.first_seq(), |row| Seq(row.last_seq + 1));
            let from = (next <= stretch.last_seq()).then_some(next);
            let bytes = match (from, stretch.whole_bytes()) {
                (None, _) => 0,
                (Some(_), Some(bytes)) => bytes as u64,
                (Some(from), None) => stretch.bytes_from(from)?,
            };
            plan.push(Planned { stretch, there, from, bytes, is_whole });
        }
        Ok(plan)
    }

    /// The piece that is this whole segment, if it is there.
    fn whole(&self, stretch: &Stretch) -> Result<Vec<PieceRow>, BackupError> {
        let provenance = stretch.provenance(stretch.last_seq())?;
        let is_it = |row: &&PieceRow| {
            row.is_whole && self.is_of(row, stretch, provenance) && row.last_seq == stretch.last_seq().0
        };
        Ok(self.known().find(is_it).cloned().into_iter().collect())
    }

    /// The pieces of a segment that grows, from its first commit on, that an earlier backup brought one by one.
    fn parts(&self, stretch: &Stretch) -> Result<Vec<PieceRow>, BackupError> {
        let salt = stretch.provenance(stretch.first_seq())?.salt;
        for backup in self.place.backups.iter().rev() {
            let parts: Vec<PieceRow> =
                backup.pieces.iter().filter(|row| !row.is_whole && row.salt == salt).cloned().collect();
            let begins = parts.first().is_some_and(|row| row.first_seq == stretch.first_seq().0);
            if !begins || parts.len() >= PARTS_MAX {
                continue;
            }
            let mut holds = true;
            for row in &parts {
                holds = holds
                    && row.last_seq <= stretch.last_seq().0
                    && stretch.provenance(Seq(row.last_seq))? == row.provenance()
                    && self.shelf().has(&row.id(), row.bytes);
            }
            if holds {
                return Ok(parts);
            }
        }
        Ok(Vec::new())
    }

    fn is_of(&self, row: &PieceRow, stretch: &Stretch, provenance: Provenance) -> bool {
        row.provenance() == provenance
            && row.first_seq == stretch.first_seq().0
            && row.segment == stretch.segment().0
            && self.shelf().has(&row.id(), row.bytes)
    }

    /// The pieces of all backups, those of the newest first.
    fn known(&self) -> impl Iterator<Item = &PieceRow> {
        self.place.backups.iter().rev().flat_map(|backup| &backup.pieces)
    }

    fn take(&mut self, planned: Planned<'_>, told: &mut dyn FnMut(u64)) -> Result<(), BackupError> {
        let Planned { stretch, there, from, is_whole, .. } = planned;
        self.pieces.extend(there);
        let Some(from) = from else { return Ok(()) };
        let made;
        let source = match stretch.whole_bytes() {
            Some(bytes) => Source::File(stretch, bytes),
            None => {
                made = stretch.seal(from)?;
                Source::Bytes(&made)
            }
        };
        let provenance = stretch.provenance(stretch.last_seq())?;
        let range = (from, stretch.last_seq());
        let (id, bytes, is_new) = match self.left_behind(range, provenance, &source)? {
            Some((id, bytes)) => (id, bytes, false),
            None => {
                let (id, bytes) = self.shelf().write(&source, range, told)?;
                (id, bytes, true)
            }
        };
        // Also of one that was left behind: its name may never have been durable.
        self.shelf().sync()?;
        self.new_bytes += if is_new { bytes } else { 0 };
        self.pieces.push(PieceRow {
            first_seq: from.0,
            last_seq: stretch.last_seq().0,
            last_at: stretch.at(stretch.last_seq())?.0,
            bytes,
            hash: id.hash,
            segment: stretch.segment().0,
            salt: provenance.salt,
            last_crc: provenance.last_crc,
            is_whole,
        });
        Ok(())
    }

    /// A piece that an attempt has left which did not come to its end, checked to its last byte.
    fn left_behind(
        &self,
        (first, last): (Seq, Seq),
        provenance: Provenance,
        source: &Source<'_>,
    ) -> Result<Option<(super::names::PieceId, u64)>, BackupError> {
        for id in self.place.pieces.iter().filter(|id| (id.first, id.last) == (first, last)) {
            let Ok((map, path)) = self.shelf().open(id) else { continue };
            let Ok(sealed) = self.shelf().check(&map, &path, id) else { continue };
            let is_it = match source {
                Source::File(..) => sealed.provenance() == provenance,
                Source::Bytes(bytes) => **bytes == map[..],
            };
            if is_it {
                return Ok(Some((*id, map.len() as u64)));
            }
        }
        Ok(None)
    }
}
