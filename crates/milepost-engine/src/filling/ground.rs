//! [`Ground`]: the directory that a store is to be made in: cleared, marked and locked.
//!
//! Order, and which crash it survives: the directory is locked, then looked at; UNFINISHED is durable before any other
//! file. So what a crash leaves is known for what it is, and cleared by the next attempt; a directory that holds
//! anything else is left as it is.

use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
    sync::Arc,
};

use milepost_io::{DirEntry, DirLock, Disk, Latch, OpenMode, write_all_at};
use milepost_log::{KnownSegment, StoreId};

use super::{FillError, Filling, Purpose, clear};
use crate::{
    Engine, OpenError, Parts, Settings,
    inside::{self, Host},
    manifest::{self, Manifest},
    open,
    retention::Horizons,
};

/// The file that says that a store is not whole yet, and what is making it.
pub(crate) const UNFINISHED: &str = "UNFINISHED";

/// Refuses a directory, given by the names in it, in which a store is being made.
pub(crate) fn refuse_unfinished(dir: &Path, entries: &[DirEntry]) -> Result<(), OpenError> {
    if entries.iter().all(|entry| entry.name != UNFINISHED) {
        return Ok(());
    }
    let why = "what was to be made of a backup, an import or a salvage there is not finished; run that again, with the \
               same directory";
    Err(OpenError::NotAStore { dir: dir.to_owned(), why: why.to_owned() })
}

/// A directory that is cleared, marked and locked.
#[derive(Debug)]
pub(crate) struct Ground {
    pub(crate) parts: Parts,
    pub(crate) dir: PathBuf,
    lock: Box<dyn DirLock>,
}

impl Ground {
    /// Takes a directory that is empty, not there, or holds what an earlier attempt left.
    pub(crate) fn take(parts: Parts, dir: &Path, purpose: Purpose) -> Result<Ground, FillError> {
        let disk = Arc::clone(&parts.disk);
        if let Some(host) = inside::host(&*disk, dir) {
            let (host, what) = match host {
                Host::Store(host) => (host, "a store"),
                Host::Backups(host) => (host, "backups"),
            };
            return Err(FillError::Inside { dir: dir.to_owned(), host, what });
        }
        if open::entries(&*disk, dir)?.is_none() {
            disk.create_dir(dir).map_err(|error| OpenError::no_room_or_io(&*disk, dir, 4096, "create", dir, error))?;
        }
        if let Some(parent) = dir.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            disk.sync_dir(parent).map_err(|error| OpenError::io("sync", parent, error))?;
        }
        let lock = open::lock(&*disk, dir)?;
        let found = open::entries(&*disk, dir)?.unwrap_or_default();
        let is_marked = found.iter().any(|entry| entry.name == UNFINISHED);
        let stranger = found.iter().find(|entry| !is_marked || !clear::is_ours(entry));
        if let Some(stranger) = stranger {
            return Err(FillError::NotEmpty { dir: dir.to_owned(), found: stranger.name.clone() });
        }
        if is_marked {
            clear::all(&*disk, dir).map_err(|error| OpenError::io("clear", dir, error))?;
        } else {
            mark(&*disk, dir, purpose)?;
        }
        Ok(Ground { parts, dir: dir.to_owned(), lock })
    }

    /// Opens the store in it: a new one with this identity, or one whose first segments were put there.
    pub(crate) fn open(
        self,
        (store, epoch): (StoreId, u32),
        segments: &[KnownSegment],
        settings: Settings,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Filling, FillError> {
        let Ground { parts, dir, lock } = self;
        // What comes is taken over as it is: what of it goes, the store says that is made of it.
        let settings = Settings { compaction: false, ..settings };
        let segments = manifest::rows(segments);
        let manifest = Manifest {
            store: store.0,
            epoch,
            segments,
            runs: Vec::new(),
            clean: None,
            horizons: Vec::new(),
            written: manifest::WrittenRow::default(),
        };
        manifest::write(&*parts.disk, &dir, &manifest, &Latch::default())?;
        let found = open::for_writing_locked(&parts, &dir, &settings, lock, progress)?;
        let disk = Arc::clone(&parts.disk);
        let engine = Engine::of(found, parts, settings);
        let last = engine.last();
        Ok(Filling {
            engine,
            disk,
            dir,
            last,
            horizons: Horizons::default(),
            is_less: false,
            passed: 0,
            under_way: VecDeque::new(),
            under_way_bytes: 0,
        })
    }
}

fn mark(disk: &dyn Disk, dir: &Path, purpose: Purpose) -> Result<(), OpenError> {
    let path = dir.join(UNFINISHED);
    let written = || {
        let file = disk.open(&path, OpenMode::CreateNew)?;
        write_all_at(&*file, format!("{purpose}\n").as_bytes(), 0).map_err(|short| short.error)?;
        file.sync()?;
        disk.sync_dir(dir)
    };
    written().map_err(|error| {
        // Without it the directory is as it was found.
        let _ = disk.remove(&path);
        OpenError::no_room_or_io(disk, dir, 4096, "write", &path, error)
    })
}
