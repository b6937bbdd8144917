//! [`verify`]: reads every byte of the backups in a place, and says what it found. Changes nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
};

use milepost_io::Disk;
use milepost_types::{Corruption, Seq, Timestamp};

use super::{
    Backup, BackupError,
    format::{BackupManifest, PieceRow},
    names::PieceId,
    piece::Shelf,
    place::Place,
};

/// What [`verify`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupReport {
    /// Whose backups they are, in hexadecimal.
    pub store: String,
    /// Those whose own file can be read, oldest first, each with the damage in its pieces: it can be restored if there
    /// is none.
    pub backups: Vec<(Backup, Vec<Corruption>)>,
    /// Damage of backups' own files.
    pub damage: Vec<Corruption>,
    /// Pieces read.
    pub pieces: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Pieces that no backup lists: what an attempt has left that did not come to its end, or a pruning.
    pub unlisted: u64,
    /// Names that belong to no backup; they are left alone.
    pub strays: Vec<String>,
}

impl BackupReport {
    /// Whether every backup can be restored.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.damage.is_empty() && self.backups.iter().all(|(_, damage)| damage.is_empty())
    }
}

/// Reads every byte of all backups in a directory, or of one. `progress` is told the bytes read and the bytes in all.
pub fn verify(
    disk: &Arc<dyn Disk>,
    dir: &Path,
    number: Option<u64>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<BackupReport, BackupError> {
    let place = Place::open(Arc::clone(disk), dir)?;
    let wanted: Vec<&BackupManifest> =
        place.backups.iter().filter(|backup| number.is_none_or(|number| backup.number == number)).collect();
    if wanted.is_empty() && number.is_some() && place.damage.is_empty() {
        return Err(BackupError::NoBackup { dir: dir.to_owned(), number });
    }
    let rows: BTreeMap<PieceId, &PieceRow> =
        wanted.iter().flat_map(|backup| &backup.pieces).map(|row| (row.id(), row)).collect();
    let total: u64 = rows.values().map(|row| row.bytes).sum();
    let shelf = Shelf { disk: &*place.disk, dir: &place.dir, store: place.store };
    let (mut done, mut begins, mut damaged) = (0, BTreeMap::new(), BTreeMap::new());
    for (id, row) in &rows {
        let checked =
            shelf.open(id).and_then(|(map, path)| Ok(shelf.check_row(&map, &path, row, Timestamp::MIN)?.times().0));
        match checked {
            Ok(first_at) => drop(begins.insert(*id, first_at)),
            Err(BackupError::Corrupt(corruption)) => drop(damaged.insert(*id, corruption)),
            Err(error) => return Err(error),
        }
        done += row.bytes;
        progress(done, total);
    }
    let listed: BTreeSet<PieceId> = place.backups.iter().flat_map(|backup| &backup.pieces).map(PieceRow::id).collect();
    let backups = wanted.iter().map(|backup| {
        let mut damage: Vec<Corruption> =
            backup.pieces.iter().filter_map(|row| damaged.get(&row.id()).cloned()).collect();
        damage.extend(misplaced(&shelf, backup, &begins));
        (Backup::of(backup), damage)
    });
    Ok(BackupReport {
        store: place.store.to_string(),
        backups: backups.collect(),
        damage: place.damage.clone(),
        pieces: rows.len() as u64,
        bytes: done,
        unlisted: place.pieces.iter().filter(|id| !listed.contains(id)).count() as u64,
        strays: place.strays.clone(),
    })
}

/// A piece that begins before the one in front of it ends.
fn misplaced(shelf: &Shelf<'_>, backup: &BackupManifest, begins: &BTreeMap<PieceId, Timestamp>) -> Option<Corruption> {
    let mut before = Timestamp::MIN;
    for row in &backup.pieces {
        if begins.get(&row.id()).is_some_and(|first_at| *first_at <= before) {
            let what = "the piece begins before the one in front of it ends".to_owned();
            let file = row.id().path(shelf.dir);
            return Some(Corruption { file, offset: 0, seq: Some(Seq(row.first_seq)), what });
        }
        before = Timestamp(row.last_at);
    }
    None
}
