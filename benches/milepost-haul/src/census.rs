//! What is counted from outside: memory, descriptors and maps of a process, files and blocks of the store.
//!
//! Invariant: what can't be found out is left out; a haul never fails for it.

use std::{collections::BTreeMap, fs, io, os::unix::fs::MetadataExt, path::Path};

use serde::Serialize;

/// Of one process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(crate) struct OfProcess {
    /// Memory that no file backs.
    pub(crate) anonymous_bytes: u64,
    pub(crate) descriptors: u64,
    /// Files of the store that are removed and still mapped: their room is not free before they are let go.
    pub(crate) held_bytes: u64,
}

impl OfProcess {
    /// A process now; `None` if it is gone.
    pub(crate) fn now(pid: u32, store: &Path) -> Option<OfProcess> {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap_or_default();
        Some(OfProcess {
            anonymous_bytes: anonymous_bytes(&status)?,
            descriptors: fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, |entries| entries.count() as u64),
            held_bytes: held_bytes(&maps, &store.to_string_lossy()),
        })
    }

    /// The larger of each.
    pub(crate) fn most(self, other: OfProcess) -> OfProcess {
        OfProcess {
            anonymous_bytes: self.anonymous_bytes.max(other.anonymous_bytes),
            descriptors: self.descriptors.max(other.descriptors),
            held_bytes: self.held_bytes.max(other.held_bytes),
        }
    }
}

fn anonymous_bytes(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kibibytes| kibibytes * 1024)
}

/// Bytes of removed files below a directory that are mapped, each file once.
fn held_bytes(maps: &str, below: &str) -> u64 {
    let mut files: BTreeMap<&str, u64> = BTreeMap::new();
    for line in maps.lines().filter(|line| line.ends_with("(deleted)") && line.contains(below)) {
        let mut fields = line.split_whitespace();
        let (Some(range), Some(inode)) = (fields.next(), fields.nth(3)) else { continue };
        let Some((Ok(from), Ok(to))) =
            range.split_once('-').map(|(from, to)| (u64::from_str_radix(from, 16), u64::from_str_radix(to, 16)))
        else {
            continue;
        };
        let bytes = files.entry(inode).or_default();
        *bytes = (*bytes).max(to.saturating_sub(from));
    }
    files.values().sum()
}

/// Of the store's directory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(crate) struct OfStore {
    pub(crate) files: u64,
    /// What its blocks take on the disk.
    pub(crate) bytes: u64,
    pub(crate) segments: u64,
    pub(crate) runs: u64,
}

impl OfStore {
    pub(crate) fn now(dir: &Path) -> OfStore {
        let mut found = OfStore::default();
        // A file may go while it is looked at; then it is not counted.
        let _ = found.add(dir);
        found
    }

    fn add(&mut self, dir: &Path) -> io::Result<()> {
        for entry in fs::read_dir(dir)?.flatten() {
            let Ok(metadata) = entry.metadata() else { continue };
            if metadata.is_dir() {
                let _ = self.add(&entry.path());
                continue;
            }
            self.files += 1;
            self.bytes += metadata.blocks() * 512;
            let path = entry.path();
            match path.extension().and_then(|extension| extension.to_str()) {
                Some("seg") => self.segments += 1,
                Some("run") => self.runs += 1,
                _ => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
