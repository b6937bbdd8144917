//! Opening the runs that MANIFEST lists, and removing the files that it does not.
//!
//! Invariant: what is opened covers the first commits without a gap. A run that is missing or damaged, and those after
//! it, are left out: the log says again what they said.

use std::{
    io::{self, ErrorKind},
    path::Path,
    sync::Arc,
};

use milepost_index::{
    OpenRunError, Run, RunFacts, RunId,
    format::header::{RUN_HEADER_BYTES, RunHeader},
    list,
};
use milepost_io::{Disk, OpenMode, read_exact_at};
use milepost_types::Seq;

use super::INDEX;
use crate::OpenError;

/// The runs that a store begins with.
#[derive(Debug, Default)]
pub(crate) struct Runs {
    /// In the order of their commits.
    pub(crate) runs: Vec<Arc<Run>>,
    /// Why not all that are listed are there.
    pub(crate) lost: Option<String>,
}

impl Runs {
    /// The last commit that they cover.
    pub(crate) fn last_seq(&self) -> Seq {
        Seq(self.runs.last().map_or(0, |run| run.facts().last_seq))
    }
}

/// Opens runs, in the order of their commits, up to the first that can't be had.
pub(crate) fn open(disk: &dyn Disk, dir: &Path, store: [u8; 16], listed: &[RunFacts]) -> Result<Runs, OpenError> {
    let mut found = Runs::default();
    for facts in listed {
        let expected = found.last_seq().0 + 1;
        if facts.first_seq != expected || facts.last_seq < expected {
            let (first, last) = (facts.first_seq, facts.last_seq);
            found.lost = Some(format!("run {} covers seq {first} to {last}, expected was {expected}", facts.id));
            break;
        }
        match Run::open(disk, &dir.join(INDEX), store, facts) {
            Ok(run) => found.runs.push(Arc::new(run)),
            Err(OpenRunError::NewerFormat { file, found, supported }) => {
                return Err(OpenError::NewerFormat { file, found, supported });
            }
            Err(OpenRunError::Io { action, path, source }) => return Err(OpenError::io(action, &path, source)),
            Err(
                error @ (OpenRunError::Corrupt(_)
                | OpenRunError::OtherStore { .. }
                | OpenRunError::Misnamed { .. }
                | OpenRunError::OtherCopy { .. }
                | OpenRunError::Missing { .. }),
            ) => {
                found.lost = Some(error.to_string());
                break;
            }
        }
    }
    Ok(found)
}

/// The number for the next run: above all that are listed or lie there.
pub(crate) fn next_id(disk: &dyn Disk, dir: &Path, listed: &[RunFacts]) -> Result<u64, OpenError> {
    let there = listing(disk, dir)?.runs;
    let ids = there.into_iter().chain(listed.iter().map(|facts| facts.id));
    Ok(ids.filter(|id| *id <= RunId::MAX).map(|id| id.0 + 1).max().unwrap_or(1))
}

/// The last commit that a run there says it covers, listed or not: all of them were durable. Of each the header alone
/// is read; one that can't be says nothing.
pub(crate) fn covered(disk: &dyn Disk, dir: &Path, store: [u8; 16]) -> Seq {
    let index = dir.join(INDEX);
    let last_seq = |id: RunId| {
        let mut bytes = [0; RUN_HEADER_BYTES];
        let file = disk.open(&id.path(&index), OpenMode::Read).ok()?;
        read_exact_at(&*file, &mut bytes, 0).ok()?;
        RunHeader::decode(&bytes).ok().filter(|header| header.store == store).map(|header| header.last_seq)
    };
    let there = listing(disk, dir).map(|found| found.runs).unwrap_or_default();
    Seq(there.into_iter().filter_map(last_seq).max().unwrap_or(0))
}

/// Removes the files of runs that MANIFEST does not list, and what never became a run.
///
/// What can't be removed does no harm, and is met again by the next opening.
pub(crate) fn clean(disk: &dyn Disk, dir: &Path, listed: &[RunFacts]) {
    let Ok(found) = listing(disk, dir) else { return };
    let index = dir.join(INDEX);
    let is_listed = |id: &RunId| listed.iter().any(|facts| facts.id == *id);
    let unlisted = found.runs.iter().filter(|id| !is_listed(id)).map(|id| id.path(&index));
    for path in unlisted.chain(found.unfinished.iter().map(|name| index.join(name))) {
        let _ = disk.remove(&path);
    }
}

fn listing(disk: &dyn Disk, dir: &Path) -> Result<milepost_index::Listing, OpenError> {
    let index = dir.join(INDEX);
    match list(disk, &index) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(milepost_index::Listing::default()),
        // Nobody knows whose it is: it is not the store's to remove.
        Err(error) if error.kind() == ErrorKind::NotADirectory => {
            let what =
                "a directory belongs there and a file is there; move it away, the index is made anew from the log";
            Err(OpenError::io("list", &index, io::Error::new(error.kind(), what)))
        }
        listing => listing.map_err(|error| OpenError::io("list", &index, error)),
    }
}
