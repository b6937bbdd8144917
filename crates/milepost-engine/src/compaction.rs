//! Compaction: takes out of the log what retention does not keep any more. [`Compactor`] goes through it in steps.
//!
//! One pass: tasks that ended long enough ago expire; the horizons move on; a [`Survey`] walks the index and counts
//! what of each segment stays; a plan says which segments are dropped and which are written anew; these are written one
//! after the other. Then runs of the index that know much of what the log does not hold any more are written anew
//! without it.
//!
//! Invariant: what is taken out no read can meet that is possible, from before its file goes until for ever: the
//! horizons are durable and in force, whatever was judged before them is folded, and what is pinned is looked at after
//! both. A step that fails, or a crash at any byte, leaves the log as it was.
//!
//! Knows which commits go, and nothing of how a segment is written.

mod cold;
mod keep;
mod plan;
mod survey;
mod voids;

use std::{collections::VecDeque, ops::RangeInclusive};

use milepost_io::{Failure, Room};
use milepost_log::{Rewrite, RewriteError, SegmentId, SegmentStats};
use milepost_types::Timestamp;
use thiserror::Error;

pub(crate) use cold::ColdFrom;
pub(crate) use keep::Keeping;
use plan::in_proportion;
pub(crate) use plan::{Tally, Task, Worth, plan};
pub(crate) use survey::Survey;

use crate::{CommitError, OpenError, ReadError, index::Merging, reserve::Lent, retention::Rules, state::Mark};

/// Why a compaction did not go on. The log is as it was; it can be tried again.
#[derive(Debug, Error)]
pub enum CompactError {
    /// What is to be kept could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// No room for what is written anew. It can be tried again when there is.
    #[error("{}", .free.too_little_for(*.need, None))]
    DiskFull {
        /// Bytes needed.
        need: u64,
        /// What there was.
        free: Room,
    },
    /// A segment could not be written anew.
    #[error("{0}; the segments are as they were")]
    Failed(Failure),
    /// What lies in quarantine, and may hold what was erased, could not be removed.
    #[error("{0}; what was erased may still stand there, so compact again")]
    Quarantine(Failure),
    /// There was no room for the end of a segment when it was full. Before the next opening it can't be written anew.
    #[error(
        "segment {0} could not be sealed for want of room, and what goes of it is still there: make room, open the \
         store again and compact it then"
    )]
    NotSealed(SegmentId),
    /// What the log consists of could not be written down.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// MANIFEST could not be written.
    #[error(transparent)]
    Open(#[from] OpenError),
}

impl From<RewriteError> for CompactError {
    fn from(error: RewriteError) -> CompactError {
        match error {
            RewriteError::DiskFull { need, free } => CompactError::DiskFull { need, free },
            RewriteError::Failed(failure) => CompactError::Failed(failure),
            RewriteError::Corrupt(corruption) => CompactError::Read(ReadError::Corrupt(corruption)),
            RewriteError::Stopped(failure) => CompactError::Commit(CommitError::Stopped(failure)),
            RewriteError::NotSealed { .. } => unreachable!("{error}: the plan names sealed segments"),
        }
    }
}

/// What compaction has done since the store was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compacted {
    /// Passes that came to their end.
    pub passes: u64,
    /// Stretches of segments side by side that were dropped whole.
    pub dropped: u64,
    /// Stretches that were written anew, each as one segment.
    pub rewritten: u64,
    /// How many of them are compressed.
    pub made_cold: u64,
    /// Bytes of the segments that went.
    pub bytes_before: u64,
    /// Bytes of the segments that came in their place.
    pub bytes_after: u64,
    /// Runs of the index that were written without what is gone from the log.
    pub runs: u64,
}

/// What of a segment a compaction would keep.
///
/// Records are counted one by one; nothing of the log is read for it but what was thinned before. Their bytes are not
/// known then: of the bytes of a segment's file as many are said to be live as of its records stay. Compaction decides
/// by the same. Where small and large values stand in one segment, it can be wrong by as much as they differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentSurvey {
    /// The segment.
    pub segment: SegmentStats,
    /// Records that stay.
    pub stays: u64,
    /// Records that are there and go.
    pub goes: u64,
    /// What a compaction by hand would do with it now: it takes all that goes. Of the open segment, which it seals
    /// first where anything in it goes, this says that it stays.
    pub fate: SegmentFate,
    /// What the store would do with it in its next pass of its own accord: a segment of which little goes stays.
    pub by_itself: SegmentFate,
}

impl SegmentSurvey {
    /// About how many bytes of its file are of what stays.
    #[must_use]
    pub fn live_bytes(&self) -> u64 {
        in_proportion(self.segment.file_bytes, self.stays, self.goes)
    }

    /// About how many bytes of its file are of what goes: what a compaction by hand would gain, not counting what
    /// compressing the rest would.
    #[must_use]
    pub fn dead_bytes(&self) -> u64 {
        self.segment.file_bytes - self.live_bytes()
    }

    /// How many of them the store would gain in its next pass of its own accord.
    #[must_use]
    pub fn gain_by_itself(&self) -> u64 {
        match self.by_itself {
            SegmentFate::Stays => 0,
            SegmentFate::Rewritten | SegmentFate::Cold | SegmentFate::Dropped => self.dead_bytes(),
        }
    }
}

/// What becomes of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SegmentFate {
    /// It stays as it is.
    Stays,
    /// It is written anew, with its neighbours of the same fate maybe.
    Rewritten,
    /// The same, and compressed.
    Cold,
    /// It goes.
    Dropped,
}

impl Compacted {
    /// What was done since it was `before`.
    #[must_use]
    pub fn since(&self, before: &Compacted) -> Compacted {
        Compacted {
            passes: self.passes - before.passes,
            dropped: self.dropped - before.dropped,
            rewritten: self.rewritten - before.rewritten,
            made_cold: self.made_cold - before.made_cold,
            bytes_before: self.bytes_before - before.bytes_before,
            bytes_after: self.bytes_after - before.bytes_after,
            runs: self.runs - before.runs,
        }
    }
}

/// How far a pass has come.
#[derive(Debug, Default)]
pub(crate) enum Stage {
    /// No pass is under way.
    #[default]
    Idle,
    /// What has expired is let go, scope by scope.
    Expire(Sweep),
    /// What stays is being counted.
    Survey(Box<Survey>),
    /// What the plan says is being done.
    Work {
        /// What is left to do.
        tasks: VecDeque<Task>,
        /// What is being written anew, and of which task.
        current: Option<(Box<Rewrite>, Task)>,
    },
    /// Runs are being written anew.
    Index {
        /// The commits of those that come next.
        ranges: VecDeque<RangeInclusive<u64>>,
        /// What is being written.
        current: Option<Box<Merging>>,
    },
}

/// Goes through the scopes by name, and again as long as anything went: it may be all that an outer task waited for,
/// whose name comes before it. What has not expired by its beginning is for another pass: tasks may end all the time.
#[derive(Debug)]
pub(crate) struct Sweep {
    /// Whether anything may expire.
    pub(crate) is_due: bool,
    /// The scope that is next.
    pub(crate) next: String,
    /// Whether anything went since the first.
    pub(crate) has_gone: bool,
}

/// What a full disk has put off.
#[derive(Debug, Default)]
pub(crate) struct PutOff {
    /// Tasks that there was no room for.
    pub(crate) tasks: VecDeque<Task>,
    /// What the last of them lacked.
    pub(crate) lacked: Option<(u64, Room)>,
    /// Whether anything was done since, so that there may be room now.
    pub(crate) is_worth_retrying: bool,
    /// Room of the reserve, in use by what is being written anew.
    pub(crate) lent: Option<Lent>,
    /// Whether what is being written anew was tried before without.
    pub(crate) is_retried: bool,
}

/// Compaction of an open store.
#[derive(Debug, Default)]
pub(crate) struct Compactor {
    pub(crate) stage: Stage,
    /// What makes a segment worth to be written anew, of the pass under way.
    pub(crate) worth: Worth,
    /// What was wanted when the pass under way began.
    pub(crate) rules: Rules,
    pub(crate) done: Compacted,
    pub(crate) put_off: PutOff,
    /// Clears and erasures that hide nothing any more, in order, by the survey of the pass under way.
    pub(crate) voids: Vec<Mark>,
    /// The commits of the runs that are written anew at the end of the pass under way.
    pub(crate) runs_to_thin: Vec<RangeInclusive<u64>>,
    /// Bytes of the pass under way that were seen to, and of all its tasks.
    pub(crate) seen_bytes: u64,
    pub(crate) task_bytes: u64,
    /// Whether the open segment holds what goes, by the last survey.
    pub(crate) open_has_dead: bool,
    /// Whether a third of it goes.
    pub(crate) is_open_worth_it: bool,
    /// Whether it holds what was erased.
    pub(crate) open_has_erased: bool,
    /// When the store was opened, or when a pass of its own accord sealed the open segment last, or tried to.
    pub(crate) since: Timestamp,
    /// When the pass under way began, by the earliest that the clock has said since: one that is ahead for a moment
    /// lets nothing go.
    pub(crate) now: Timestamp,
    /// The first segment that there is something to do for, and that can't be written anew though another one follows
    /// it, by the last survey.
    pub(crate) stuck: Option<SegmentId>,
    /// The log as it was when the last pass ended; `None` before the first.
    pub(crate) last: Option<LastPass>,
    /// What had been erased and said of what is kept when the pass that is under way began.
    pub(crate) told: u64,
}

/// What the next pass is compared with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LastPass {
    pub(crate) log_bytes: u64,
    /// The last commit that told retention anything.
    pub(crate) told: u64,
    pub(crate) at: Timestamp,
}

#[cfg(test)]
mod tests;
