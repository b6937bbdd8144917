//! What the log's directory holds, and which of it is the log.

use std::{collections::BTreeSet, io, path::Path};

use milepost_io::Disk;

use crate::{
    LogError, SegmentId, SegmentName,
    names::{self, LogName},
};

/// The names in the log's directory, sorted out.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    pub(crate) segments: BTreeSet<SegmentId>,
    /// Segments as they were written anew.
    pub(crate) rewritten: BTreeSet<SegmentName>,
    /// Files that never became a segment.
    pub(crate) unfinished: Vec<String>,
    /// Names that are not the log's.
    pub(crate) strays: Vec<String>,
}

impl Listing {
    /// Whether there is such a file.
    pub(crate) fn holds(&self, name: SegmentName) -> bool {
        if name.generation == 0 { self.segments.contains(&name.id) } else { self.rewritten.contains(&name) }
    }

    /// All files of segments.
    pub(crate) fn names(&self) -> impl Iterator<Item = SegmentName> {
        self.segments.iter().map(|id| names::first_written(*id)).chain(self.rewritten.iter().copied())
    }
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
            LogName::Segment(name) if !entry.is_dir => {
                if name.generation == 0 {
                    listing.segments.insert(name.id);
                } else {
                    listing.rewritten.insert(name);
                }
            }
            LogName::Unfinished if !entry.is_dir => listing.unfinished.push(entry.name),
            LogName::Segment(_) | LogName::Unfinished | LogName::Stray => listing.strays.push(entry.name),
        }
    }
    Ok(listing)
}
