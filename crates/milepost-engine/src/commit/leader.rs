//! [`Leader`]: takes one generation of what waits, judges and stamps it in order, writes it with one write and one
//! sync, and shows it to readers where it is small. [`Landed`]: what it led, to be shown where it is large, and told to
//! its callers, after the lead was handed on.
//!
//! Invariant: a generation is told its outcome exactly once, after the sync that covers it and after readers can see
//! it; when anything fails, before any later commit gets the same `Seq`. Batches are folded in order: whoever led takes
//! the turn to fold before it lets go of the lead. A leader that panics fails its callers instead of leaving them
//! asleep, and the store takes no more commits.
//!
//! Whoever holds the lock around the leader leads: a lone caller does so itself, without a hand-off to another thread.

mod room;

use std::sync::{Arc, atomic::Ordering};

use milepost_io::Failure;
use milepost_log::{AppendError, Found, FrameBytes, LogWriter};
use milepost_types::{
    Receipt, Seq, Timestamp,
    body::{Body, BodyError},
    limits::CLOCK_JUMP_MAX_US,
};

use super::{
    InPipeline, Outcome, Sealed,
    fold::{Turn, Unread},
    judge::{Judge, Verdict, repeated, unreachable_body},
    queue::{Fate, Generation},
};
use crate::{CommitError, Refusal, engine::Shared, lineage::Bodies, reserve::For};

/// 2020-01-01: a last stamp before it was made by a clock that was wrong, so a jump from there is a clock set right.
const CLOCKS_ARE_RIGHT_SINCE: Timestamp = Timestamp(1_577_836_800_000_000);

/// From this size on a batch is folded while the disk writes: itself, if its leader has no company, else the next one.
/// Below it folding takes less than handing it to a thread that may have to wait for its turn to run.
const LARGE_BATCH_BYTES: usize = 32 << 10;

/// What only the one who leads may touch.
#[derive(Debug)]
pub(crate) struct Leader {
    pub(crate) writer: LogWriter,
    /// Set when a roll was refused for lack of room and the manifest does not list the newest segment yet.
    manifest_behind: bool,
    /// Whether the last commit that takes room was refused for lack of it.
    is_full: bool,
    /// Whether the last generation held more than one commit: then its callers are about to come again.
    pub(crate) has_company: bool,
}

/// A batch being put together.
struct Batch<'a> {
    shared: &'a Shared,
    frames: Vec<FrameBytes>,
    /// How many of them are in the memtable already.
    folded: usize,
    /// The turn to fold, once the judge needed it.
    turn: Option<Turn<'a>>,
    outcomes: Vec<Planned>,
    /// Those of pipelines that were refused.
    refused: Vec<InPipeline>,
    first: Seq,
    last: Receipt,
}

/// What becomes of a commit if the batch becomes durable.
enum Planned {
    Receipt(Receipt),
    Error(CommitError),
}

impl Leader {
    pub(crate) fn new(writer: LogWriter) -> Leader {
        Leader { writer, manifest_behind: false, is_full: false, has_company: false }
    }

    /// Leads one generation up to its sync, and shows it if it is small. The rest is for the one who led, after letting
    /// go of the lead.
    pub(crate) fn lead<'s>(&mut self, shared: &'s Shared, generation: Generation) -> Landed<'s> {
        let Generation { commits, fate, .. } = generation;
        let unfinished = Unfinished { shared, fate, count: commits.len(), armed: true };
        let in_pipelines = commits.iter().map(|commit| commit.in_pipeline.clone());
        let in_pipelines: Vec<_> =
            in_pipelines.enumerate().filter_map(|(index, place)| Some((index, place?))).collect();
        let (mut outcomes, unread) = self.outcomes_with_room(shared, commits);
        // Before anybody leads what was sent behind them.
        for (index, place) in in_pipelines {
            let outcome = &mut outcomes[index];
            if place.is_behind_refused() && matches!(outcome, Err(CommitError::DiskFull { .. } | CommitError::Write(_)))
            {
                *outcome = Err(CommitError::Skipped);
            } else if outcome.is_err() {
                place.refuse();
            }
        }
        Landed { outcomes, unread, unfinished }
    }

    fn outcomes<'s>(&mut self, shared: &'s Shared, commits: Vec<Sealed>) -> (Vec<Outcome>, Option<Unread<'s>>) {
        let count = commits.len();
        if let Some(failure) = shared.latch.failure() {
            return (vec![Err(CommitError::Stopped(failure)); count], None);
        }
        let bytes = commits.iter().map(Sealed::frame_bytes).sum();
        if let Err(error) = self.make_room(shared, bytes) {
            return (vec![Err(error); count], None);
        }
        let durable = Receipt { seq: self.writer.next_seq().prev(), at: self.writer.last_at() };
        let mut batch = Batch {
            shared,
            frames: Vec::with_capacity(count),
            folded: 0,
            turn: None,
            outcomes: Vec::with_capacity(count),
            refused: Vec::new(),
            first: self.writer.next_seq(),
            last: durable,
        };
        let wall = shared.parts.clock.now();
        for commit in commits {
            let in_pipeline = commit.in_pipeline.clone();
            let planned = if batch.skips(&commit) { Err(CommitError::Skipped) } else { batch.plan(commit, wall) };
            batch.refused.extend(in_pipeline.filter(|_| planned.is_err()));
            batch.outcomes.push(planned.unwrap_or_else(Planned::Error));
        }
        let planned = std::mem::take(&mut batch.outcomes);
        if batch.frames.is_empty() {
            return (planned.into_iter().map(Planned::outcome).collect(), None);
        }
        match self.write(shared, batch, durable.seq) {
            Ok(unread) => {
                shared.batches.fetch_add(1, Ordering::Relaxed);
                (planned.into_iter().map(Planned::outcome).collect(), unread)
            }
            Err(error) => (planned.into_iter().map(|planned| planned.failed(&error)).collect(), None),
        }
    }

    /// Rolls to a new segment, if anything is in this one.
    pub(crate) fn roll(&mut self, shared: &Shared) -> Result<(), CommitError> {
        let lacks = room::lacking;
        shared.reserve.with(For::Removal, lacks, || self.writer.roll().map_err(append_error))?;
        self.manifest_behind = true;
        self.make_room(shared, 0)
    }

    /// Goes on behind commits that are not there. MANIFEST is written with the next roll, or when the store is closed.
    pub(crate) fn pass(&mut self, last: Seq, times: Option<(Timestamp, Timestamp)>) -> Result<(), CommitError> {
        self.writer.pass(last, times).map_err(append_error)
    }

    /// Makes durable what that has left for later.
    pub(crate) fn sync_names(&mut self) -> Result<(), CommitError> {
        self.writer.sync_names().map_err(append_error)
    }

    /// Rolls to a new segment where this one is full, or the disk is and a spare is ready.
    fn make_room(&mut self, shared: &Shared, bytes: usize) -> Result<(), CommitError> {
        if self.writer.needs_roll(bytes) {
            self.writer.roll().map_err(append_error)?;
            self.manifest_behind = true;
        } else if self.writer.wants_roll() {
            // Not needed: a disk too full for it is no reason to refuse a commit.
            match self.writer.roll() {
                Ok(()) => self.manifest_behind = true,
                Err(AppendError::DiskFull { .. }) => {}
                Err(error) => return Err(append_error(error)),
            }
        }
        if self.manifest_behind {
            shared.compaction_wanted.store(true, Ordering::Release);
            shared.write_manifest(&self.writer, None)?;
            self.manifest_behind = false;
        }
        Ok(())
    }

    /// Writes and syncs. On an error no version above `durable` is left in the memtable, unless the store has stopped.
    fn write<'s>(
        &mut self,
        shared: &'s Shared,
        batch: Batch<'s>,
        durable: Seq,
    ) -> Result<Option<Unread<'s>>, CommitError> {
        let Batch { frames, folded, turn, last, .. } = batch;
        let bytes: usize = frames.iter().map(FrameBytes::frame_bytes).sum();
        if let Err((error, frames)) = self.writer.append(frames) {
            let tiers = shared.state.load();
            for frame in &frames[..folded] {
                let forgotten = Body::parse(&frame.body).and_then(|body| tiers.forget(durable, &body));
                forgotten.map_err(|error| unreachable_body(durable, &error))?;
            }
            return Err(match error {
                // What could not be taken back may be there.
                AppendError::Stopped(failure) => CommitError::OutcomeUnknown(failure),
                refused @ (AppendError::DiskFull { .. } | AppendError::Write(_)) => append_error(refused),
            });
        }
        shared.meters.appended(bytes);
        let first = Seq(durable.0 + 1 + folded as u64);
        let unread = |turn: Option<Turn<'s>>| Unread { first, last, turn: turn.unwrap_or_else(|| shared.turn.take()) };
        let is_large = bytes >= LARGE_BATCH_BYTES;
        // With company the next batch is written meanwhile, by another thread.
        if is_large && last.seq.0 == durable.0 + 1 && shared.queue.sizes().commits == 0 {
            self.writer.begin_sync();
            let mut unread = unread(turn);
            unread.fold(shared);
            self.writer.sync().map_err(CommitError::OutcomeUnknown)?;
            return Ok(Some(unread));
        }
        self.writer.sync().map_err(CommitError::OutcomeUnknown)?;
        if is_large {
            return Ok(Some(unread(turn)));
        }
        unread(turn).show(shared).map(|()| None)
    }
}

impl Batch<'_> {
    /// Whether a commit before it in its pipeline was refused, in this batch or earlier.
    fn skips(&self, commit: &Sealed) -> bool {
        let is_behind = |place: &InPipeline| {
            place.is_behind_refused() || self.refused.iter().any(|refused| place.is_behind(refused))
        };
        commit.in_pipeline.as_ref().is_some_and(is_behind)
    }

    fn plan(&mut self, commit: Sealed, wall: Timestamp) -> Result<Planned, CommitError> {
        if let Some(place) = commit.recorded {
            return self.plan_recorded(commit, place);
        }
        let shared = self.shared;
        let needs_judging = commit.needs_judging();
        if needs_judging {
            self.fold()?;
            // First: a repetition needs no place, so a wrong clock or the end of the order does not concern it.
            if let Some(receipt) = repeated(&shared.state.load(), &*self, self.last.at, &commit)? {
                return Ok(Planned::Receipt(receipt));
            }
        }
        let place = self.next_place(wall)?;
        let commit = if needs_judging {
            let tiers = shared.state.load();
            let all_told = tiers.with_unpublished_erasures();
            let tiers = all_told.as_ref().unwrap_or(&tiers);
            let horizons = &shared.retention.horizons();
            let judge = Judge { tiers, bodies: &*self, horizons, last: self.last, now: place.at };
            match judge.judge(commit)? {
                Verdict::Append(commit) => commit,
                Verdict::Nothing => return Ok(Planned::Receipt(self.last)),
            }
        } else {
            commit
        };
        Ok(self.append(commit, place))
    }

    /// A commit that was made before takes the place it had. It must be the next one; of what it says only the forks
    /// are looked at, since readers rely on them.
    fn plan_recorded(&mut self, commit: Sealed, place: Receipt) -> Result<Planned, CommitError> {
        let last = self.last;
        if Some(place.seq) != last.seq.next().filter(|seq| *seq < Seq::MAX) || place.at <= last.at {
            return Err(CommitError::Refused(Box::new(Refusal::NotNext { place, last })));
        }
        if commit.forks {
            self.fold()?;
            let tiers = self.shared.state.load();
            let all_told = tiers.with_unpublished_erasures();
            let tiers = all_told.as_ref().unwrap_or(&tiers);
            let horizons = &self.shared.retention.horizons();
            let judge = Judge { tiers, bodies: &*self, horizons, last, now: place.at };
            judge.recorded_forks(&commit)?;
        }
        Ok(self.append(commit, place))
    }

    fn append(&mut self, commit: Sealed, place: Receipt) -> Planned {
        self.frames.push(FrameBytes { body: commit.body, body_crc: commit.body_crc, seq: place.seq, at: place.at });
        self.last = place;
        Planned::Receipt(place)
    }

    /// The next position and its stamp.
    fn next_place(&self, wall: Timestamp) -> Result<Receipt, CommitError> {
        let refused = |refusal| CommitError::Refused(Box::new(refusal));
        let last = self.last.at;
        // The last `Seq` is never given out, so that there is always a next one.
        let seq = self.last.seq.next().filter(|seq| *seq < Seq::MAX);
        let (Some(seq), Some(at)) = (seq, last.stamp_after(wall)) else { return Err(refused(Refusal::Exhausted)) };
        if last >= CLOCKS_ARE_RIGHT_SINCE && at.0.saturating_sub(last.0) > CLOCK_JUMP_MAX_US {
            return Err(refused(Refusal::ClockJump { last, wall }));
        }
        Ok(Receipt { seq, at })
    }

    /// Folds what is planned so far into the memtable, for the judge to see.
    fn fold(&mut self) -> Result<(), CommitError> {
        let turn = self.turn.get_or_insert_with(|| self.shared.turn.take());
        turn.check()?;
        let tiers = self.shared.state.load();
        for frame in &self.frames[self.folded..] {
            let inserted = Body::parse(&frame.body).and_then(|body| tiers.insert(frame.seq, &body));
            inserted.map_err(|error| unreachable_body(self.last.seq, &error))?;
        }
        self.folded = self.frames.len();
        Ok(())
    }
}

impl Bodies for Batch<'_> {
    type Error = CommitError;

    fn with_body<T>(
        &self,
        seq: Seq,
        read: impl FnOnce(Receipt, &[u8]) -> Result<T, BodyError>,
    ) -> Result<T, CommitError> {
        if seq >= self.first {
            let frame = &self.frames[(seq.0 - self.first.0) as usize];
            let receipt = Receipt { seq, at: frame.at };
            return read(receipt, &frame.body).map_err(|error| unreachable_body(seq, &error));
        }
        match self.shared.reader.frame(seq) {
            Ok(Found::Frame(frame)) => {
                let found = read(Receipt { seq, at: frame.at() }, frame.body());
                found.map_err(|error| self.shared.unreadable(seq, &error).into())
            }
            Ok(Found::Removed) => Err(CommitError::Removed { seq }),
            Ok(Found::Ahead) => Err(CommitError::Corrupt(self.shared.corruption(seq, "no frame where one must be"))),
            Err(corruption) => Err(CommitError::Corrupt(corruption)),
        }
    }
}

impl Sealed {
    /// Whether its outcome depends on the state.
    fn needs_judging(&self) -> bool {
        self.only_asks
            || self.takes_away
            || self.forks
            || !self.preconditions.is_empty()
            || self.meta.idempotency_key.is_some()
            || !self.meta.fences.is_empty()
    }
}

impl Planned {
    fn outcome(self) -> Outcome {
        match self {
            Planned::Receipt(receipt) => Ok(receipt),
            Planned::Error(error) => Err(error),
        }
    }

    /// The batch was not written. A refusal may have been judged against a commit that is now gone, so it says the
    /// same.
    fn failed(self, error: &CommitError) -> Outcome {
        Err(error.clone())
    }
}

fn append_error(error: AppendError) -> CommitError {
    match error {
        AppendError::DiskFull { need, free } => CommitError::DiskFull { need, free },
        AppendError::Write(failure) => CommitError::Write(failure),
        AppendError::Stopped(failure) => CommitError::Stopped(failure),
    }
}

/// A generation that was led, and whose callers don't know it yet.
#[must_use = "its callers sleep until they are told"]
pub(crate) struct Landed<'a> {
    outcomes: Vec<Outcome>,
    unread: Option<Unread<'a>>,
    unfinished: Unfinished<'a>,
}

impl Landed<'_> {
    /// Shows the generation to readers and tells its callers; how many there were.
    pub(crate) fn tell(self) -> usize {
        let Landed { outcomes, unread, mut unfinished } = self;
        let shown = unread.map_or(Ok(()), |unread| unread.show(unfinished.shared));
        let outcomes = match shown {
            Ok(()) => outcomes,
            Err(error) => outcomes.into_iter().map(|outcome| outcome.and(Err(error.clone()))).collect(),
        };
        unfinished.armed = false;
        unfinished.fate.complete(outcomes);
        unfinished.count
    }
}

/// Fails a generation whose leader did not come to its end.
struct Unfinished<'a> {
    shared: &'a Shared,
    fate: Arc<Fate>,
    count: usize,
    armed: bool,
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if !self.armed {
            return;
        }
        let failure = Failure::new(&self.shared.dir, "lead a batch", "the leading thread panicked");
        self.shared.latch.trip_with(failure.clone());
        self.fate.complete(vec![Err(CommitError::OutcomeUnknown(failure)); self.count]);
    }
}
