//! Replay: the commits behind the runs are folded into memory, and from there into new runs where there are many.
//!
//! Invariant: what was folded before an error is of no use to anybody: the opening has failed then.

use std::{collections::HashMap, ops::ControlFlow, path::Path, sync::Arc};

use milepost_io::{Disk, OpenMode};
use milepost_log::{FoundLog, FrameView, Known, KnownSegment, LogError, StoreId};
use milepost_types::{
    Corruption, Seq,
    body::{Body, BodyError},
};

use super::LOG;
use crate::{
    OpenError,
    error::Unreadable,
    index::Indexer,
    manifest::{self, Manifest},
    memtable::Memtable,
    state::{Inserter, State},
};

/// So many runs of its own an opening leaves to be merged by the open store, beside those that were there.
const RUNS_LEFT_MAX: usize = 8;

/// Folds commits into a state, one after the other.
#[derive(Debug)]
pub(super) struct Filler<'a> {
    state: &'a State,
    inserter: Option<Inserter<Arc<Memtable>>>,
    /// Who makes a run of a memtable as soon as it has so many bytes. Without, memory takes all.
    bound: Option<(u64, &'a mut Indexer)>,
    /// So many runs are left as they are: the opening does not wait for a merge, unless that takes an instant. `None`
    /// once one has failed: then none is begun again.
    runs_max: Option<usize>,
}

impl<'a> Filler<'a> {
    pub(super) fn new(state: &'a State) -> Filler<'a> {
        Filler { state, inserter: None, bound: None, runs_max: Some(state.load().runs().len() + RUNS_LEFT_MAX) }
    }

    pub(super) fn bounded(state: &'a State, memtable_bytes_max: u64, indexer: &'a mut Indexer) -> Filler<'a> {
        Filler { bound: Some((memtable_bytes_max, indexer)), ..Filler::new(state) }
    }

    fn fold(&mut self, seq: Seq, body: &Body<'_>) -> Result<(), Unfolded> {
        self.reach(seq).map_err(Unfolded::OutOfReach)?;
        let inserter = self.inserter();
        inserter.insert(seq, body).map_err(Unfolded::Unreadable)?;
        let bytes = inserter.memtable().bytes();
        if self.bound.as_ref().is_some_and(|(max, _)| bytes >= *max) {
            self.spill(seq);
        }
        Ok(())
    }

    /// Begins another memtable where a commit that comes next lies too far from the first in this one; itself, if
    /// that can't be.
    fn reach(&mut self, next: Seq) -> Result<(), Seq> {
        if self.bound.is_some() && self.inserter().memtable().is_far(next) {
            self.spill(next.prev());
        }
        if self.inserter().memtable().is_out_of_reach(next) { Err(next) } else { Ok(()) }
    }

    fn inserter(&mut self) -> &mut Inserter<Arc<Memtable>> {
        self.inserter.get_or_insert_with(|| Inserter::new(Arc::clone(self.state.pin().active())))
    }

    /// Makes a run of what was folded. Runs are merged only where they would become many: an opening after a crash
    /// shall not wait for what can be done behind it.
    fn spill(&mut self, last: Seq) {
        self.inserter = None;
        let Some((_, indexer)) = &mut self.bound else { return };
        self.state.freeze(last);
        let runs_max = self.runs_max;
        let are_many = |state: &State| runs_max.is_some_and(|most| state.load().runs().len() > most);
        let is_due = |state: &State| state.load().frozen().is_some() || are_many(state);
        let mut made = Ok(true);
        while matches!(made, Ok(true)) && is_due(self.state) {
            made = indexer.step(self.state, &mut |_| Ok(()));
        }
        if runs_max.is_some() {
            made = made.and_then(|_| indexer.catch_up(self.state, &mut |_| Ok(())).map(|()| true));
        }
        let Err(error) = made else { return };
        if self.state.load().frozen().is_some() {
            // Runs are not needed to open a store: memory takes the rest.
            tracing::warn!(%error, "no run of the commits through {last}");
            self.bound = None;
        } else {
            tracing::warn!(%error, "runs that have become many are not merged");
            self.runs_max = None;
        }
    }
}

/// Why a commit was not folded.
enum Unfolded {
    Unreadable(BodyError),
    OutOfReach(Seq),
}

/// Walks the log behind the runs, folding every commit. `None` where there is no log yet.
pub(super) fn replay(
    disk: &Arc<dyn Disk>,
    dir: &Path,
    manifest: &Manifest,
    mut filler: Filler<'_>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Option<FoundLog>, OpenError> {
    let mut fault: Option<OpenError> = None;
    let from = filler.state.load().active_first();
    let listed = manifest::known_segments(manifest);
    let covered = listed.iter().filter_map(|segment| segment.sealed).filter(|sealed| sealed.last_seq < from);
    let covered: u64 = covered.map(|sealed| sealed.bytes).sum();
    let total = log_bytes(&**disk, &dir.join(LOG), &listed).saturating_sub(covered);
    let mut done = 0u64;
    // Only a writer bounds what it folds.
    let is_locked = filler.bound.is_some();
    let found = find(disk, dir, (manifest, is_locked), from, &mut |frame| {
        let body = Body::parse(frame.body).map_err(Unfolded::Unreadable);
        let folded = body.and_then(|body| filler.fold(frame.seq, &body));
        done += frame.body.len() as u64;
        if frame.seq.0 % 1024 == 0 {
            progress(done, total);
        }
        match folded {
            Ok(()) => return ControlFlow::Continue(()),
            Err(Unfolded::Unreadable(error)) => fault = Some(unreadable(dir, &frame, &error).into()),
            Err(Unfolded::OutOfReach(seq)) => fault = Some(OpenError::NoIndex { dir: dir.to_owned(), seq }),
        }
        ControlFlow::Break(())
    });
    let found = fault.map_or(found, Err)?;
    if let Some(found) = &found {
        // What is committed next may lie behind a gap, too.
        let next = Seq(found.last_seq().0 + 1);
        filler.reach(next).map_err(|seq| OpenError::NoIndex { dir: dir.to_owned(), seq })?;
    }
    Ok(found)
}

/// Walks the log as the manifest knows it, from a commit on, with the store's lock or without. `None` where there is no
/// log yet.
pub(crate) fn find(
    disk: &Arc<dyn Disk>,
    dir: &Path,
    (manifest, is_locked): (&Manifest, bool),
    from: Seq,
    visit: &mut dyn FnMut(FrameView<'_>) -> ControlFlow<()>,
) -> Result<Option<FoundLog>, OpenError> {
    let segments = manifest::known_segments(manifest);
    let clean = manifest.clean.as_ref().map(manifest::clean_mark);
    let known = Known { store: StoreId(manifest.store), segments: &segments, clean, is_locked };
    match milepost_log::find_from(Arc::clone(disk), dir, &known, from, visit) {
        Ok(found) => {
            not_older(dir, manifest, &found)?;
            not_shorter(manifest, &found)?;
            Ok(Some(found))
        }
        Err(LogError::NoLog { .. }) if segments.is_empty() => Ok(None),
        Err(error) => Err(OpenError::of_log(dir, error)),
    }
}

/// The epoch is raised in MANIFEST before the first frame is written under it. A log that has got further than MANIFEST
/// knows stands beside an older copy of it.
fn not_older(dir: &Path, manifest: &Manifest, found: &FoundLog) -> Result<(), OpenError> {
    if found.last_epoch() <= manifest.epoch {
        return Ok(());
    }
    let what = format!(
        "MANIFEST is of epoch {}, the log of epoch {}: it is an older copy; put the newer one back",
        manifest.epoch,
        found.last_epoch()
    );
    Err(OpenError::Corrupt(Corruption { file: dir.join(manifest::MANIFEST), offset: 0, seq: None, what }))
}

/// A run is listed only after all of its commits were durable: a log that ends before them has lost some.
fn not_shorter(manifest: &Manifest, found: &FoundLog) -> Result<(), OpenError> {
    let (last, covered) = (found.last_seq(), Seq(manifest.runs.last().map_or(0, |run| run.last_seq)));
    if last >= covered {
        return Ok(());
    }
    let (file, offset) = found.end();
    let what = format!("the log ends after seq {last}, MANIFEST lists runs through seq {covered}");
    Err(OpenError::Corrupt(Corruption { file: file.to_owned(), offset, seq: last.next(), what }))
}

/// A frame whose checksum is right and whose body is not: a newer version's event, or a defect.
pub(crate) fn unreadable(dir: &Path, frame: &FrameView<'_>, error: &BodyError) -> Unreadable {
    let file = dir.join(LOG).join(format!("{}.seg", frame.segment));
    Unreadable::new(file, frame.offset, frame.seq, error)
}

/// Bytes of the segments that lie in the log's directory. Those that MANIFEST lists as sealed are not looked at.
pub(crate) fn log_bytes(disk: &dyn Disk, log: &Path, listed: &[KnownSegment]) -> u64 {
    let listed: HashMap<String, u64> =
        listed.iter().filter_map(|segment| Some((format!("{}.seg", segment.name()), segment.sealed?.bytes))).collect();
    let entries = disk.list(log).unwrap_or_default();
    let bytes = |name: &str| disk.open(&log.join(name), OpenMode::Read).and_then(|file| file.bytes()).unwrap_or(0);
    let segments = entries.iter().filter(|entry| entry.name.ends_with(".seg"));
    segments.map(|entry| listed.get(&entry.name).copied().unwrap_or_else(|| bytes(&entry.name))).sum()
}
