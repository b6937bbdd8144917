//! [`Keeper`]: MANIFEST of an open store, as it was last written, and the one way to change it.
//!
//! Invariant: one change at a time. What is written is what was there, changed in one respect; a change that could not
//! be written leaves what is kept as it was.
//!
//! Three change it: the one who leads, when a segment was begun, the one who makes runs, and the one who compacts.
//! What it is to say of the segments is asked under its lock: else one would write down what another one has replaced.
//! Its lock is held across IO; nobody takes another lock of the engine meanwhile but the reserve's, and no reader takes
//! it.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use milepost_io::{Disk, Latch};
use parking_lot::Mutex;

use super::{Manifest, WrittenRow, write_with};
use crate::{OpenError, reserve::Reserve, written::Meters};

/// MANIFEST of an open store.
#[derive(Debug)]
pub(crate) struct Keeper {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    latch: Latch,
    reserve: Arc<Reserve>,
    /// Told with every change.
    meters: Meters,
    current: Mutex<Manifest>,
}

impl Keeper {
    /// `manifest` is what stands in the file.
    pub(crate) fn new(
        disk: &Arc<dyn Disk>,
        dir: &Path,
        latch: &Latch,
        reserve: &Arc<Reserve>,
        meters: &Meters,
        manifest: Manifest,
    ) -> Keeper {
        Keeper {
            disk: Arc::clone(disk),
            dir: dir.to_owned(),
            latch: latch.clone(),
            reserve: Arc::clone(reserve),
            meters: meters.clone(),
            current: Mutex::new(manifest),
        }
    }

    /// Replaces MANIFEST by a changed one, durably.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Manifest)) -> Result<(), OpenError> {
        self.change_and(change, || ())
    }

    /// The same, and something that nobody who changes it next may come before.
    pub(crate) fn change_and<T>(
        &self,
        change: impl FnOnce(&mut Manifest),
        then: impl FnOnce() -> T,
    ) -> Result<T, OpenError> {
        let mut current = self.current.lock();
        let mut next = current.clone();
        change(&mut next);
        next.written = WrittenRow::of(&self.meters.written());
        write_with(&self.reserve, &*self.disk, &self.dir, &next, &self.latch)?;
        *current = next;
        Ok(then())
    }
}
