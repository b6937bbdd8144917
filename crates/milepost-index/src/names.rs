//! The names of runs.
//!
//! ```text
//! index/000042.run               run 42; at least six digits, none more than needed
//! index/000042.run.tmp           the same before it is whole; worthless, removed
//! index/000042.run.changes.tmp   a part of it, on its way; worthless, removed
//! ```
//!
//! Invariant: no two names mean the same run.

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

use milepost_io::Disk;

/// The number of a run, as in its file's name. Numbers are given out by whoever keeps the manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(pub u64);

impl RunId {
    /// The highest number that counts. A file of a higher one is nobody's: there has to be a next number behind all
    /// that lie there, for as long as runs are made.
    pub const MAX: RunId = RunId(u64::MAX / 2);

    /// The run's file in the directory of runs.
    #[must_use]
    pub fn path(self, dir: &Path) -> PathBuf {
        dir.join(format!("{self}.run"))
    }

    /// A file on the way to it; the part is empty for the run itself.
    pub(crate) fn tmp_path(self, dir: &Path, part: &str) -> PathBuf {
        let dot = if part.is_empty() { "" } else { "." };
        dir.join(format!("{self}.run{dot}{part}.tmp"))
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:06}", self.0)
    }
}

/// What lies in a directory of runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// Runs that have their name, in order. One that the manifest does not list is the trace of a crash, and worthless.
    pub runs: Vec<RunId>,
    /// Names of files that never became runs: nothing in them is needed.
    pub unfinished: Vec<String>,
    /// Any other name.
    pub strays: Vec<String>,
}

/// Lists a directory of runs.
pub fn list(disk: &dyn Disk, dir: &Path) -> io::Result<Listing> {
    let mut listing = Listing::default();
    for entry in disk.list(dir)? {
        match parse(&entry.name) {
            Some(id) if !entry.is_dir => listing.runs.push(id),
            None if !entry.is_dir && is_unfinished(&entry.name) => listing.unfinished.push(entry.name),
            _ => listing.strays.push(entry.name),
        }
    }
    listing.runs.sort_unstable();
    Ok(listing)
}

/// Reads the name of a run. Only the exact spelling counts.
fn parse(name: &str) -> Option<RunId> {
    let number = name.strip_suffix(".run").filter(|number| number.bytes().all(|byte| byte.is_ascii_digit()))?;
    number.parse().map(RunId).ok().filter(|id| *id <= RunId::MAX && id.to_string() == number)
}

fn is_unfinished(name: &str) -> bool {
    let Some(stem) = name.strip_suffix(".tmp") else {
        return false;
    };
    if parse(stem).is_some() {
        return true;
    }
    let parts = ["offsets", "versions", "changes", "clears", "scopes", "names", "restarts", "hashes"];
    stem.rsplit_once('.').is_some_and(|(run, part)| parse(run).is_some() && parts.contains(&part))
}

#[cfg(test)]
mod tests;
