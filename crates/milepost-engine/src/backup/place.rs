//! [`Place`]: a directory for the backups of one store, and [`list`].
//!
//! Invariant: whoever adds or removes holds its lock. Reading takes none: what is read is durable and never changes.

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::Arc,
};

use milepost_io::{DirLock, Disk, Latch, NotReplaced, read_file, write_file_atomically};
use milepost_log::StoreId;
use milepost_types::Corruption;

use super::{
    Backup, BackupError, Listing,
    format::{self, BackupManifest, FORMAT_VERSION},
    names::{self, BackupName, PieceId, PieceName},
    store_of,
};
use crate::envelope::Fault;

/// A directory for backups.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) dir: PathBuf,
    pub(super) store: StoreId,
    /// The backups that can be read, oldest first.
    pub(super) backups: Vec<BackupManifest>,
    /// Those that can't.
    pub(super) damage: Vec<Corruption>,
    /// Above the numbers of all of them.
    pub(super) next_number: u64,
    /// Files of pieces.
    pub(super) pieces: Vec<PieceId>,
    /// Files that never became a piece or a backup.
    pub(super) unfinished: Vec<PathBuf>,
    pub(super) strays: Vec<String>,
}

/// Names the backups in a directory.
pub fn list(disk: &Arc<dyn Disk>, dir: &Path) -> Result<Listing, BackupError> {
    let Place { store, backups, damage, strays, .. } = Place::open(Arc::clone(disk), dir)?;
    Ok(Listing { store: store.to_string(), backups: backups.iter().map(Backup::of).collect(), damage, strays })
}

impl Place {
    /// Reads a place that is there.
    pub(super) fn open(disk: Arc<dyn Disk>, dir: &Path) -> Result<Place, BackupError> {
        let (store, lost) = match read_store(&*disk, dir) {
            Ok(store) => (Some(store), None),
            Err(BackupError::Corrupt(damage)) => (None, Some(damage)),
            Err(error) => return Err(error),
        };
        let mut place = Place {
            disk,
            dir: dir.to_owned(),
            store: store.unwrap_or(StoreId([0; 16])),
            backups: Vec::new(),
            damage: Vec::new(),
            next_number: 1,
            pieces: Vec::new(),
            unfinished: Vec::new(),
            strays: Vec::new(),
        };
        place.read_backups(store)?;
        if let Some(damage) = lost {
            // Each backup says whose it is as well: any can be restored by its number.
            place.store = place.backups.first().map(store_of).ok_or_else(|| damage.clone())?;
            place.damage.push(damage);
        }
        place.read_pieces()?;
        Ok(place)
    }

    /// Opens the place of this store for adding, and makes it where there is none.
    pub(super) fn open_or_make(
        disk: &Arc<dyn Disk>,
        dir: &Path,
        store: StoreId,
    ) -> Result<(Place, Box<dyn DirLock>), BackupError> {
        let failed = |action, path: &Path, source| BackupError::write(&**disk, dir, 4096, action, path, source);
        let is_new = match disk.list(dir) {
            Ok(entries) => entries.is_empty(),
            Err(error) if error.kind() == ErrorKind::NotFound => true,
            Err(error) if error.kind() == ErrorKind::NotADirectory => return Err(is_a_file(dir)),
            Err(error) => return Err(BackupError::io("list", dir)(error)),
        };
        if is_new {
            disk.create_dir(dir).map_err(|error| failed("create", dir, error))?;
            if let Some(parent) = dir.parent().filter(|parent| !parent.as_os_str().is_empty()) {
                disk.sync_dir(parent).map_err(|error| failed("sync", parent, error))?;
            }
        }
        // Not to be locked before it is known that it may be one: it could be a store.
        if !is_bare(&**disk, dir)? {
            Place::open(Arc::clone(disk), dir)?;
        }
        let lock = lock(&**disk, dir)?;
        if is_bare(&**disk, dir)? {
            for name in [names::BACKUPS, names::PIECES] {
                let below = dir.join(name);
                disk.create_dir(&below).map_err(|error| failed("create", &below, error))?;
            }
            disk.sync_dir(dir).map_err(|error| failed("sync", dir, error))?;
            write_whole(&**disk, dir, &dir.join(names::STORE), &format::encode_store(store))?;
        }
        read_store(&**disk, dir)?;
        let place = Place::open(Arc::clone(disk), dir)?;
        if place.store != store {
            let (expected, found) = (store.to_string(), place.store.to_string());
            return Err(BackupError::OtherStore { dir: dir.to_owned(), expected, found });
        }
        Ok((place, lock))
    }

    /// Opens a place that is there for removing.
    pub(super) fn open_locked(disk: &Arc<dyn Disk>, dir: &Path) -> Result<(Place, Box<dyn DirLock>), BackupError> {
        // Not to be locked before it is known to be one.
        Place::open(Arc::clone(disk), dir)?;
        let lock = lock(&**disk, dir)?;
        Ok((Place::open(Arc::clone(disk), dir)?, lock))
    }

    /// Writes a backup's own file, durably and at once.
    pub(super) fn add(&self, manifest: &BackupManifest) -> Result<(), BackupError> {
        let path = names::backup_path(&self.dir, manifest.number);
        write_whole(&*self.disk, &self.dir, &path, &format::encode(manifest))
    }

    fn read_backups(&mut self, store: Option<StoreId>) -> Result<(), BackupError> {
        let below = self.dir.join(names::BACKUPS);
        let entries = self.disk.list(&below).map_err(BackupError::io("list", &below))?;
        for entry in entries {
            match names::backup(&entry.name) {
                BackupName::Backup(number) => {
                    self.next_number = self.next_number.max(number.saturating_add(1));
                    let path = names::backup_path(&self.dir, number);
                    match self.read_backup(&path, number, store) {
                        Ok(backup) => self.backups.push(backup),
                        Err(BackupError::Corrupt(corruption)) => self.damage.push(corruption),
                        Err(error) => return Err(error),
                    }
                }
                BackupName::Unfinished => self.unfinished.push(below.join(&entry.name)),
                BackupName::Stray => self.strays.push(format!("{}/{}", names::BACKUPS, entry.name)),
            }
        }
        Ok(())
    }

    /// `store` is whose it must be; if that is not known, the same as of the first.
    fn read_backup(&self, path: &Path, number: u64, store: Option<StoreId>) -> Result<BackupManifest, BackupError> {
        let bytes = read_file(&*self.disk, path).map_err(BackupError::io("read", path))?;
        let backup = format::decode(&bytes, number).map_err(|fault| fault_at(path, fault))?;
        let expected = store.or_else(|| self.backups.first().map(store_of)).unwrap_or(store_of(&backup));
        if store_of(&backup) == expected {
            return Ok(backup);
        }
        let what = format!("it is of store {}, the others are of {expected}", store_of(&backup));
        Err(BackupError::Corrupt(Corruption { file: path.to_owned(), offset: 0, seq: None, what }))
    }

    fn read_pieces(&mut self) -> Result<(), BackupError> {
        let below = self.dir.join(names::PIECES);
        for entry in self.disk.list(&below).map_err(BackupError::io("list", &below))? {
            match names::piece(&entry.name) {
                PieceName::Piece(id) => self.pieces.push(id),
                PieceName::Unfinished => self.unfinished.push(below.join(&entry.name)),
                PieceName::Stray => self.strays.push(format!("{}/{}", names::PIECES, entry.name)),
            }
        }
        Ok(())
    }
}

/// Whose backups lie in a directory, as its file STORE says.
fn read_store(disk: &dyn Disk, dir: &Path) -> Result<StoreId, BackupError> {
    let path = dir.join(names::STORE);
    let bytes = match read_file(disk, &path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Err(no_place(disk, dir)),
        Err(error) if error.kind() == ErrorKind::NotADirectory => {
            return Err(is_a_file(dir));
        }
        Err(error) => return Err(BackupError::io("read", &path)(error)),
    };
    format::decode_store(&bytes).map_err(|fault| fault_at(&path, fault))
}

fn is_a_file(dir: &Path) -> BackupError {
    BackupError::NotBackups { dir: dir.to_owned(), why: "it, or a directory above it, is a file".to_owned() }
}

/// Whether a directory is empty, but for what a beginning that was cut short has left.
fn is_bare(disk: &dyn Disk, dir: &Path) -> Result<bool, BackupError> {
    let entries = disk.list(dir).map_err(BackupError::io("list", dir))?;
    let ours = [names::BACKUPS, names::PIECES, names::STORE_NEXT];
    if !entries.iter().all(|entry| ours.contains(&entry.name.as_str())) {
        return Ok(false);
    }
    for name in [names::BACKUPS, names::PIECES] {
        if disk.list(&dir.join(name)).is_ok_and(|found| !found.is_empty()) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn no_place(disk: &dyn Disk, dir: &Path) -> BackupError {
    let backups = disk.list(&dir.join(names::BACKUPS)).unwrap_or_default();
    if backups.iter().any(|entry| matches!(names::backup(&entry.name), BackupName::Backup(_))) {
        let (file, what) = (dir.join(names::STORE), "it is missing".to_owned());
        return BackupError::Corrupt(Corruption { file, offset: 0, seq: None, what });
    }
    let why = match disk.list(dir) {
        Ok(entries) => match entries.first() {
            Some(found) => format!("it has no file {:?} but holds {:?}", names::STORE, found.name),
            None => "it is empty".to_owned(),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => "it is not there".to_owned(),
        Err(error) => return BackupError::io("list", dir)(error),
    };
    BackupError::NotBackups { dir: dir.to_owned(), why }
}

fn lock(disk: &dyn Disk, dir: &Path) -> Result<Box<dyn DirLock>, BackupError> {
    let lock = disk.lock_dir(dir).map_err(BackupError::io("lock", dir))?;
    lock.ok_or_else(|| BackupError::InUse { dir: dir.to_owned() })
}

fn write_whole(disk: &dyn Disk, dir: &Path, path: &Path, bytes: &[u8]) -> Result<(), BackupError> {
    // A failed sync is final for the file, which is given up: the next attempt writes another one.
    write_file_atomically(disk, path, bytes, &Latch::default()).map_err(|error| match error {
        NotReplaced::Refused { action, path: next, source } => {
            let _ = disk.remove(&next);
            BackupError::write(disk, dir, bytes.len() as u64, action, &next, source)
        }
        NotReplaced::Stopped(failure) => {
            let _ = disk.remove(&milepost_io::next_name(path));
            BackupError::Io {
                action: "make durable",
                path: failure.file,
                source: std::io::Error::other(failure.message),
            }
        }
    })
}

fn fault_at(path: &Path, fault: Fault) -> BackupError {
    match fault {
        Fault::Corrupt { offset, what } => {
            BackupError::Corrupt(Corruption { file: path.to_owned(), offset, seq: None, what })
        }
        Fault::NewerFormat { found } => {
            BackupError::NewerFormat { file: path.to_owned(), found, supported: FORMAT_VERSION }
        }
    }
}
