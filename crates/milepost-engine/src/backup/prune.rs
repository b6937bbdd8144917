//! [`prune`]: removes all but the newest backups, and the pieces that only they listed.
//!
//! Invariant: a piece is removed after every backup that lists it, and never while one can't be read. A crash in
//! between leaves pieces that no backup lists; the next pruning removes them.

use std::{collections::BTreeSet, io::ErrorKind, path::Path, sync::Arc};

use milepost_io::Disk;

use super::{
    BackupError,
    format::PieceRow,
    names::{self, PieceId},
    place::Place,
};

/// What was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Backups removed.
    pub backups: u64,
    /// Backups kept.
    pub kept: u64,
    /// Pieces removed.
    pub pieces: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Keeps the newest `keep` backups in a directory, at least one, and removes the others.
pub fn prune(disk: &Arc<dyn Disk>, dir: &Path, keep: u64) -> Result<Pruned, BackupError> {
    let (mut place, _lock) = Place::open_locked(disk, dir)?;
    if let Some(damage) = place.damage.pop() {
        return Err(damage.into());
    }
    let keep = usize::try_from(keep.max(1)).unwrap_or(usize::MAX);
    let kept = place.backups.split_off(place.backups.len().saturating_sub(keep));
    let mut pruned = Pruned { kept: kept.len() as u64, ..Pruned::default() };
    for backup in &place.backups {
        remove(&**disk, &names::backup_path(dir, backup.number))?;
        pruned.backups += 1;
    }
    sync(&**disk, &dir.join(names::BACKUPS))?;
    let listed: BTreeSet<PieceId> = kept.iter().flat_map(|backup| &backup.pieces).map(PieceRow::id).collect();
    for id in place.pieces.iter().filter(|id| !listed.contains(id)) {
        let path = id.path(dir);
        let file = disk.open(&path, milepost_io::OpenMode::Read);
        pruned.bytes += file.and_then(|file| file.bytes()).unwrap_or(0);
        remove(&**disk, &path)?;
        pruned.pieces += 1;
    }
    for path in &place.unfinished {
        remove(&**disk, path)?;
    }
    sync(&**disk, &dir.join(names::PIECES))?;
    Ok(pruned)
}

fn remove(disk: &dyn Disk, path: &Path) -> Result<(), BackupError> {
    match disk.remove(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(BackupError::io("remove", path)(error)),
        _ => Ok(()),
    }
}

fn sync(disk: &dyn Disk, dir: &Path) -> Result<(), BackupError> {
    disk.sync_dir(dir).map_err(BackupError::io("sync", dir))
}
