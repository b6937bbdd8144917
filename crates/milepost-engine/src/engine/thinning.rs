//! The end of a pass of compaction: runs of the index are written anew without the versions that are gone from the log.
//!
//! Order, and which crash it survives: as [`crate::index`] has it of every run. Meanwhile no segment is written anew,
//! since the same pass does both: so the log says of a version the same from the first step to the last.
//!
//! Invariant: the index goes on knowing all that the log holds.

use std::sync::Arc;

use milepost_index::{BuildError, Version};
use milepost_io::{Failure, Room};
use milepost_log::{Found, SegmentKind, SegmentStats, Segments};
use milepost_types::{
    Corruption, Seq,
    body::{BodyError, place_of},
};

use super::Shared;
use crate::{
    CommitError, CompactError, ReadError,
    compaction::{Compactor, Stage},
    index::IndexError,
    memtable::kind_in_run,
    state::Kind,
    value::read_part,
};

impl Shared {
    /// Does a piece; whether there is more to do of the pass. A run that there is no room for is tried once more with
    /// what room there can be.
    pub(super) fn step_thinning(self: &Arc<Shared>, compactor: &mut Compactor) -> Result<bool, CompactError> {
        let stepped = self.thin(compactor);
        if let Err(CompactError::DiskFull { .. }) = stepped
            && !compactor.put_off.is_retried
            && let Stage::Index { current, .. } = &mut compactor.stage
        {
            *current = None;
            compactor.put_off.is_retried = true;
            compactor.put_off.lent = self.room_for_rewrite();
            return Ok(true);
        }
        stepped
    }

    fn thin(self: &Arc<Shared>, compactor: &mut Compactor) -> Result<bool, CompactError> {
        let Stage::Index { ranges, current } = &mut compactor.stage else { unreachable!("asked by the stage") };
        let Some(merging) = current else {
            let Some(seqs) = ranges.front() else {
                self.empty_quarantine()?;
                self.end_pass(compactor);
                return Ok(false);
            };
            let mut indexer = self.indexer.lock();
            let begun = indexer.as_mut().ok_or(CommitError::Closed)?.begin_thinning(&self.state.load(), seqs);
            *current = begun.map_err(|error| self.not_thinned(error))?.map(Box::new);
            if current.is_none() {
                ranges.pop_front();
            }
            return Ok(true);
        };
        let log = Holding { shared: self, stats: self.reader.segment_stats(), segments: self.reader.segments() };
        let stepped = merging.step_keeping(&mut |version| log.holds(version));
        if let Some(facts) = stepped.map_err(|error| self.not_thinned(self.run_failed(error)))? {
            let mut indexer = self.indexer.lock();
            let indexer = indexer.as_mut().ok_or(CommitError::Closed)?;
            let ended = indexer.end_thinning(merging, &facts, &self.state, &mut |runs| self.list_runs(runs));
            let knows_less = ended.map_err(|error| self.not_thinned(error))?;
            *current = None;
            // What it was made of nobody needs any more, unless somebody reads it.
            indexer.remove_obsolete();
            ranges.pop_front();
            compactor.done.runs += u64::from(knows_less);
            (compactor.put_off.lent, compactor.put_off.is_retried) = (None, false);
        }
        Ok(true)
    }

    fn run_failed(&self, error: BuildError) -> IndexError {
        match &mut *self.indexer.lock() {
            Some(indexer) => indexer.failed(error),
            None => IndexError::Build(error),
        }
    }

    fn not_thinned(&self, error: IndexError) -> CompactError {
        match error {
            IndexError::Build(BuildError::Corrupt(damage)) => CompactError::Read(ReadError::Corrupt(damage)),
            IndexError::Build(BuildError::DiskFull { need, free }) => {
                CompactError::DiskFull { need, free: Room::Free(free) }
            }
            IndexError::List(error) => CompactError::Commit(self.not_written(error)),
            other @ (IndexError::Build(BuildError::RunFull { .. } | BuildError::Io { .. })
            | IndexError::Open(_)
            | IndexError::Dir(_)
            | IndexError::Panicked) => {
                CompactError::Failed(Failure::new(&self.dir, "write a run anew", &other.to_string()))
            }
        }
    }
}

/// What the log holds, asked over and over.
struct Holding<'a> {
    shared: &'a Shared,
    stats: Vec<SegmentStats>,
    segments: Segments,
}

impl Holding<'_> {
    /// Whether the log holds the record of a version.
    fn holds(&self, version: Version) -> Result<bool, Corruption> {
        let behind = self.stats.partition_point(|segment| segment.first_seq.0 <= version.seq);
        let Some(segment) = behind.checked_sub(1).map(|index| &self.stats[index]) else { return Ok(false) };
        match segment.kind {
            SegmentKind::Open | SegmentKind::Sealed => return Ok(true),
            SegmentKind::Dropped => return Ok(false),
            SegmentKind::Rewritten | SegmentKind::Cold if segment.is_thinned => {}
            SegmentKind::Rewritten | SegmentKind::Cold => return Ok(true),
        }
        let Found::Frame(found) = self.segments.find(Seq(version.seq))? else { return Ok(false) };
        // What a commit claims goes with the commit.
        if version.record == 0 && version.kind == kind_in_run(Kind::Claim) {
            return Ok(true);
        }
        let place = read_part(&found, 0, |body| place_of(body, version.record))?;
        let corrupt = |error: BodyError| self.shared.corruption(Seq(version.seq), &error.to_string());
        place.map(|place| place.is_some()).map_err(corrupt)
    }
}
