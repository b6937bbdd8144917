//! What the log's directory holds, and which of it is the log.

use std::{collections::BTreeSet, io, path::Path};

use milepost_io::Disk;

use crate::{
    LogError, SegmentId,
    names::{self, LogName},
};

/// The names in the log's directory, sorted out.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    pub(crate) segments: BTreeSet<SegmentId>,
    /// Files that never became a segment.
    pub(crate) unfinished: Vec<String>,
    /// Names that are not the log's.
    pub(crate) strays: Vec<String>,
}

/// Lists the log's directory of the store in `dir`.
pub(crate) fn list(disk: &dyn Disk, dir: &Path) -> Result<Listing, LogError> {
    let log_dir = names::log_dir(dir);
    let entries = disk.list(&log_dir).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => LogError::NoLog { dir: dir.to_owned() },
        _ => LogError::Io { action: "list", path: log_dir, source },
    })?;
    let mut listing = Listing::default();
    for entry in entries {
        match names::parse(&entry.name) {
            LogName::Segment(id) if !entry.is_dir => {
                listing.segments.insert(id);
            }
            LogName::Unfinished if !entry.is_dir => listing.unfinished.push(entry.name),
            LogName::Segment(_) | LogName::Unfinished | LogName::Stray => listing.strays.push(entry.name),
        }
    }
    Ok(listing)
}
