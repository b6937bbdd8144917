//! LOCK: says who holds a store.
//!
//! Invariant: a note for people. The lock does not depend on it, so what fails here changes nothing.

mod format;

use std::path::Path;

use milepost_io::{Disk, OpenMode};

use super::LOCK;
use crate::{Holder, Parts};

/// Says that this process holds the store.
pub(super) fn write_holder(parts: &Parts, dir: &Path) {
    let process = &parts.process;
    let text = format::encode(&Holder { pid: process.id, host: process.host.clone(), since: parts.clock.now() });
    let path = dir.join(LOCK);
    let written =
        parts.disk.open(&path, OpenMode::Write).or_else(|_| parts.disk.open(&path, OpenMode::CreateNew)).and_then(
            |file| {
                file.set_bytes(0)?;
                milepost_io::write_all_at(&*file, text.as_bytes(), 0).map_err(|short| short.error)
            },
        );
    if let Err(error) = written {
        tracing::debug!(path = %path.display(), %error, "no note of the holder");
    }
}

/// Who holds the store, if that can be read.
pub(crate) fn read_holder(disk: &dyn Disk, dir: &Path) -> Option<Holder> {
    format::decode(&milepost_io::read_file(disk, &dir.join(LOCK)).ok()?)
}
