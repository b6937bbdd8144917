//! [`restore`]: a store as a backup has it, or as it was at an earlier commit in it.
//!
//! Whole segments are put into the new store's log as they are. The rest, from the first commit that is not in one, is
//! committed again at the places it had. The new store is the same store in a later epoch: what it goes on to write is
//! never taken for what the lost one wrote.

use std::{path::Path, sync::Arc};

use milepost_io::{Map, OpenMode, write_all_at};
use milepost_log::{DroppedFacts, KnownSegment, SegmentId, begin_behind};
use milepost_types::{Receipt, Seq, Timestamp};

use super::{
    Backup, BackupError, RESTORED_EPOCHS,
    format::{BackupManifest, PieceRow},
    known::note_source,
    piece::Shelf,
    place::Place,
    store_of,
};
use crate::{
    FillError, Filling, OpenError, Parts, Purpose, Settings, Stamped, filling::Ground, manifest::known_horizons, open,
};

/// Up to where a store is restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// All that the newest backup holds.
    Newest,
    /// All that this backup holds.
    Backup(u64),
    /// Through a commit: of the newest backup that holds it.
    Seq(Seq),
    /// Through the last commit at or before a moment: of the newest backup that reaches back to it.
    Time(Timestamp),
}

/// What was restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// From which backup.
    pub backup: Backup,
    /// The last commit of the new store.
    pub last: Receipt,
    /// Epoch of the new store.
    pub epoch: u32,
}

/// Makes a store of a backup in a directory that is empty or not there. Nobody can open it before it is whole. The same
/// can be begun again after a crash.
pub fn restore(
    parts: Parts,
    from: &Path,
    dir: &Path,
    until: Until,
    settings: Settings,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Restored, BackupError> {
    let place = Place::open(Arc::clone(&parts.disk), from)?;
    let (backup, last) = chosen(&place, until)?;
    // Above all that is known there: an older backup must not bring an epoch back that was used since.
    let known = place.backups.iter().map(|backup| backup.epoch).max().unwrap_or(0);
    let no_epoch = || BackupError::NoEpoch { last: Backup::of(backup).last };
    let epoch = known.checked_add(RESTORED_EPOCHS).filter(|epoch| *epoch < u32::MAX).ok_or_else(no_epoch)?;
    let shelf = Shelf { disk: &*place.disk, dir: &place.dir, store: place.store };
    let rows: Vec<&PieceRow> = backup.pieces.iter().filter(|row| row.first_seq <= last.0).collect();
    let total: u64 = rows.iter().map(|row| row.bytes).sum();
    let whole = rows.iter().take_while(|row| row.is_whole && row.last_seq <= last.0).count();
    let ground = Ground::take(parts, dir, Purpose::Restore)?;
    if let Err(error) = note_source(&ground.parts, dir, from, &Backup::of(backup)) {
        tracing::warn!(from = %from.display(), %error, "the new store will not remember where it was restored from");
    }
    let mut done = 0;
    let mut told = |bytes: u64| {
        done += bytes;
        progress(done, total);
    };
    let mut restoring = Restoring { shelf, ground, epoch, last_at: Timestamp::MIN, told: &mut told };
    let segments = restoring.segments(&rows[..whole], rows.get(whole).map(|row| Seq(row.first_seq)))?;
    let Restoring { shelf, ground, last_at, told, .. } = restoring;
    let mut filling = ground.open((store_of(backup), epoch), &segments, settings, &mut |_, _| {})?;
    let mut after = last_at;
    for row in &rows[whole..] {
        after = refill(&shelf, &mut filling, row, last, after)?;
        told(row.bytes);
    }
    pass_tail(&shelf, &mut filling, backup, last)?;
    let restored = filling.with_known(known_horizons(&backup.horizons)).finish()?;
    Ok(Restored { backup: Backup::of(backup), last: restored, epoch: epoch + 1 })
}

/// What lies behind the last piece that was taken was dropped before the backup was made: it is not there in the new
/// store either, and what comes next is given a place behind it. It is stamped as late as it can have been.
fn pass_tail(shelf: &Shelf<'_>, filling: &mut Filling, backup: &BackupManifest, last: Seq) -> Result<(), BackupError> {
    let before = filling.last();
    if before.seq >= last {
        return Ok(());
    }
    let next = backup.pieces.iter().find(|row| row.first_seq > last.0);
    let (known, at) = match next {
        Some(row) => {
            let (map, path) = shelf.open(&row.id())?;
            (row.first_seq, shelf.check_row(&map, &path, row, Timestamp::MIN)?.times().0.0)
        }
        None => (backup.last_seq, backup.last_at),
    };
    let last_at = at.saturating_sub_unsigned(known - last.0);
    let stamped = if before.seq == Seq::ZERO {
        let first_at = last_at.saturating_sub_unsigned(last.0.saturating_sub(1));
        Stamped::Between(Timestamp(first_at), Timestamp(last_at))
    } else {
        Stamped::Before(Timestamp(last_at.saturating_add(1)))
    };
    Ok(filling.pass(last, stamped)?)
}

/// The backup to restore from, and the last commit to restore.
fn chosen(place: &Place, until: Until) -> Result<(&BackupManifest, Seq), BackupError> {
    let none = |number| BackupError::NoBackup { dir: place.dir.clone(), number };
    let newest = || match (place.backups.last(), place.damage.last()) {
        // The newest may be the damaged one: another one is restored only if it is asked for by its number.
        (_, Some(damage)) => Err(damage.clone().into()),
        (Some(newest), None) => Ok(newest),
        (None, None) => Err(none(None)),
    };
    match until {
        Until::Newest => newest().map(|backup| (backup, Seq(backup.last_seq))),
        Until::Backup(number) => {
            let found = place.backups.iter().find(|backup| backup.number == number);
            let damaged = || {
                let path = super::names::backup_path(&place.dir, number);
                place.damage.iter().find(|damage| damage.file == path).map(|damage| damage.clone().into())
            };
            let found = found.ok_or_else(|| damaged().unwrap_or_else(|| none(Some(number))))?;
            Ok((found, Seq(found.last_seq)))
        }
        Until::Seq(asked) => {
            let holds = |backup: &&BackupManifest| {
                asked.0 <= backup.last_seq && backup.pieces.first().is_some_and(|first| first.first_seq <= asked.0)
            };
            let newest = Backup::of(newest()?);
            let (first, last) = (newest.first, newest.last.seq);
            let found = place.backups.iter().rev().filter(holds);
            kept(found, asked)?.map(|backup| (backup, asked)).ok_or(BackupError::OutsideSeq { asked, first, last })
        }
        Until::Time(asked) => {
            newest()?;
            let (backup, seq) = at_time(place, asked)?;
            let older =
                place.backups.iter().rev().filter(|older| older.number <= backup.number && seq.0 <= older.last_seq);
            Ok((kept(older, seq)?.unwrap_or(backup), seq))
        }
    }
}

/// The first of some backups, which all hold a commit, in which the past is kept as of it; `None` of none at all.
fn kept<'b>(
    mut backups: impl Iterator<Item = &'b BackupManifest>,
    asked: Seq,
) -> Result<Option<&'b BackupManifest>, BackupError> {
    let mut refused = None;
    let found = backups.find(|backup| {
        let horizon = known_horizons(&backup.horizons).last();
        if horizon > asked {
            refused = Some(horizon);
        }
        horizon <= asked
    });
    match (found, refused) {
        (None, Some(horizon)) => Err(BackupError::BeforeHorizon { asked, horizon }),
        (found, _) => Ok(found),
    }
}

fn at_time(place: &Place, asked: Timestamp) -> Result<(&BackupManifest, Seq), BackupError> {
    let shelf = Shelf { disk: &*place.disk, dir: &place.dir, store: place.store };
    let mut first = None;
    for backup in place.backups.iter().rev() {
        // The piece in which the moment lies: the first that ends after it.
        let Some(row) = backup.pieces.iter().find(|row| row.last_at > asked.0) else {
            let end = backup.pieces.last().filter(|_| asked.0 < backup.last_at);
            return Ok((backup, Seq(end.map_or(backup.last_seq, |end| end.last_seq))));
        };
        let (map, path) = shelf.open(&row.id())?;
        let sealed = shelf.check_row(&map, &path, row, Timestamp::MIN)?;
        let mut seq = row.first_seq - 1;
        sealed.for_each_frame(&mut |frame| {
            if frame.at <= asked {
                seq = frame.seq.0;
            }
        });
        let begins = backup.pieces.first().map_or(0, |piece| piece.first_seq);
        if seq >= begins {
            return Ok((backup, Seq(seq)));
        }
        first.get_or_insert((Seq(begins), sealed.times().0));
    }
    let (first, first_at) = first.unwrap_or((Seq::ZERO, Timestamp::MIN));
    Err(BackupError::OutsideTime { asked, first, first_at })
}

struct Restoring<'a> {
    shelf: Shelf<'a>,
    ground: Ground,
    epoch: u32,
    /// When the last commit so far was stamped.
    last_at: Timestamp,
    told: &'a mut dyn FnMut(u64),
}

impl Restoring<'_> {
    /// Puts whole segments into the new log, and an empty one behind them that goes on with `next`, the first commit of
    /// what is left. None where the log begins with that.
    fn segments(&mut self, rows: &[&PieceRow], next: Option<Seq>) -> Result<Vec<KnownSegment>, BackupError> {
        let first = rows.last().map(|row| Seq(row.last_seq + 1)).or(next).unwrap_or(Seq::FIRST);
        if first == Seq::FIRST {
            return Ok(Vec::new());
        }
        let (disk, dir) = (Arc::clone(&self.ground.parts.disk), self.ground.dir.clone());
        let log = dir.join(open::LOG);
        let failed = |action, source| BackupError::write(&*disk, &dir, 4096, action, &log, source);
        disk.create_dir(&log).map_err(|error| failed("create", error))?;
        disk.sync_dir(&dir).map_err(|error| failed("sync", error))?;
        let mut segments = Vec::with_capacity(rows.len() + 1);
        for row in rows {
            segments.extend(self.gone_before(segments.last(), row));
            segments.push(self.segment(row, &log)?);
            (self.told)(row.bytes);
        }
        disk.sync_dir(&log).map_err(|error| failed("sync", error))?;
        let id = SegmentId(rows.iter().map(|row| row.segment).max().unwrap_or(0) + 1);
        let begun = begin_behind(&*disk, &dir, self.shelf.store, (id, first), self.epoch, &*self.ground.parts.entropy);
        begun.map_err(|error| OpenError::of_log(&dir, error))?;
        segments.push(KnownSegment::open(id, first));
        Ok(segments)
    }

    /// The commits between the last segment so far and a piece, which were dropped before the backup was made.
    fn gone_before(&self, last: Option<&KnownSegment>, row: &PieceRow) -> Option<KnownSegment> {
        let before = last?;
        let first_seq = Seq(before.sealed?.last_seq.0 + 1);
        let last_seq = Seq(row.first_seq - 1);
        let facts = DroppedFacts { last_seq, first_at: self.last_at, last_at: self.last_at };
        let id = SegmentId(before.id.0 + 1);
        (first_seq <= last_seq).then_some(KnownSegment { dropped: Some(facts), ..KnownSegment::open(id, first_seq) })
    }

    fn segment(&mut self, row: &PieceRow, log: &Path) -> Result<KnownSegment, BackupError> {
        let disk = &*self.ground.parts.disk;
        let (map, path) = self.shelf.open(&row.id())?;
        let sealed = self.shelf.check_row(&map, &path, row, self.last_at)?;
        let known = sealed.known();
        let path = log.join(format!("{}.seg", known.name()));
        write_synced(disk, &path, &map)
            .map_err(|error| BackupError::write(disk, &self.ground.dir, row.bytes, "write", &path, error))?;
        self.last_at = sealed.times().1;
        Ok(known)
    }
}

fn write_synced(disk: &dyn milepost_io::Disk, path: &Path, bytes: &Map) -> std::io::Result<()> {
    let file = disk.open(path, OpenMode::CreateNew)?;
    write_all_at(&*file, bytes, 0).map_err(|short| short.error)?;
    file.sync()
}

/// Commits what a piece holds again, through `last`; when its last commit was stamped.
fn refill(
    shelf: &Shelf<'_>,
    filling: &mut Filling,
    row: &PieceRow,
    last: Seq,
    after: Timestamp,
) -> Result<Timestamp, BackupError> {
    let (map, path) = shelf.open(&row.id())?;
    let sealed = shelf.check_row(&map, &path, row, after)?;
    let (mut failed, mut next): (Option<FillError>, _) = (None, None);
    sealed.for_each_frame(&mut |frame| {
        if frame.seq > last {
            next.get_or_insert((frame.seq, frame.at));
        }
        if frame.seq <= last && failed.is_none() {
            let place = Receipt { seq: frame.seq, at: frame.at };
            let stamped = match filling.last().seq {
                // The log begins with them, and when is known.
                Seq::ZERO => Stamped::Between(sealed.times().0, Timestamp(frame.at.0.saturating_sub(1))),
                _ => Stamped::Before(frame.at),
            };
            let passed = filling.pass(frame.seq.prev(), stamped);
            failed = passed.and_then(|()| filling.push_body(place, frame.body.to_vec())).err();
        }
    });
    // What was removed at the end is stamped as late as it can have been.
    let (known, at) = next.unwrap_or((sealed.range().1, sealed.times().1));
    let last = last.min(known);
    let ended = Timestamp(at.0.saturating_sub_unsigned(known.0 - last.0).saturating_add(1));
    failed = failed.or_else(|| filling.pass(last, Stamped::Before(ended)).err());
    failed.map_or(Ok(sealed.times().1), |error| Err(error.into()))
}
