//! [`Indexer`]: makes runs of what is frozen, and one run of several, a piece at a time.
//!
//! Order, and which crash it survives: a run's file is whole and durable under its name, then MANIFEST lists it, then
//! it stands in the place of what it was made of, then the files of that are removed. A crash before MANIFEST leaves a
//! file that the next opening removes; after it, files that the next opening removes too.
//!
//! What fails leaves everything as it was, and is tried again from the beginning, in a new file: a run is made of what
//! is kept elsewhere, so no error here stops commits or reads. Only a merge that meets damage in a run is not tried
//! again before the next opening: it would meet the same.
//!
//! Knows when a run counts; nothing of commits, of the log, or of who drives it.

mod open;
mod plan;
mod thinning;

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Weak},
};

use milepost_index::{BuildError, Merge, OpenRunError, Run, RunFacts, RunId, RunPlan, RunSource, Source, Stepped};
use milepost_io::Disk;

use crate::{
    OpenError,
    state::{Frozen, MemtableSource, State, Tiers},
};
pub(crate) use open::{Runs, clean, covered, next_id, open};

/// The directory of runs in that of the store.
pub(crate) const INDEX: &str = "index";

/// So many merges are under way at most.
const MERGES_MAX: usize = 2;

/// About how many keys a step goes on for.
const KEYS_PER_STEP: usize = 4096;

/// Makes runs.
pub(crate) struct Indexer {
    disk: Arc<dyn Disk>,
    store_dir: PathBuf,
    dir: PathBuf,
    store: [u8; 16],
    /// The number of the next run. Those of this opening that never counted may be given out again by the next.
    next_id: u64,
    /// What is frozen goes first, whatever is being merged meanwhile: until its run is there memory is not free.
    flush: Option<Merge>,
    /// The last goes first: one that is done in an instant, of runs that have become many while another goes on.
    merges: Vec<Merging>,
    /// What [`thinning`] is making a run of, for as long as it is.
    being_thinned: Weak<[Arc<Run>]>,
    /// Runs that were merged into another one, and that somebody may still read.
    obsolete: Vec<Arc<Run>>,
    /// Files with a lower number are not removed: MANIFEST may list them still. 0 once the store is open.
    kept_below: u64,
    /// Whether the directory of runs is there, durably.
    has_dir: bool,
    /// Damage that a merge met.
    damage: Option<String>,
    /// Whether a step is under way, or has panicked.
    is_stepping: bool,
}

/// A run of runs on its way. Dropped before its end, it leaves nothing.
#[derive(Debug)]
pub(crate) struct Merging {
    merge: Merge,
    /// In the order of their commits.
    parts: Arc<[Arc<Run>]>,
}

/// Why a run was not made. Nothing has changed.
#[derive(Debug)]
pub(crate) enum IndexError {
    Build(BuildError),
    Open(OpenRunError),
    List(OpenError),
    Dir(OpenError),
    /// A step has panicked: no more runs are made before the next opening.
    Panicked,
}

/// Whoever says, durably, which runs count: those given, in the order of their commits.
pub(crate) type List<'a> = dyn FnMut(&[RunFacts]) -> Result<(), OpenError> + 'a;

impl Indexer {
    /// Goes on from the runs with numbers below `next_id`.
    pub(crate) fn new(disk: Arc<dyn Disk>, store_dir: &Path, store: [u8; 16], next_id: u64) -> Indexer {
        let dir = store_dir.join(INDEX);
        Indexer {
            disk,
            store_dir: store_dir.to_owned(),
            dir,
            store,
            next_id,
            flush: None,
            merges: Vec::new(),
            being_thinned: Weak::<[Arc<Run>; 0]>::new(),
            obsolete: Vec::new(),
            kept_below: next_id,
            has_dir: false,
            damage: None,
            is_stepping: false,
        }
    }

    /// Removes what was made since: an opening that is refused leaves the files as they were.
    pub(crate) fn discard(&mut self, state: &State) {
        self.flush = None;
        self.merges.clear();
        let made = state.pin();
        let made = made.runs().iter().chain(&self.obsolete).map(|run| run.facts().id);
        made.filter(|id| id.0 >= self.kept_below).for_each(|id| self.remove(id));
    }

    /// From now on what was said to be listed is listed, durably, and other files are removed.
    pub(crate) fn opened(&mut self) {
        self.kept_below = 0;
    }

    /// Does a piece of what there is to do; whether there was anything.
    pub(crate) fn step(&mut self, state: &State, list: &mut List<'_>) -> Result<bool, IndexError> {
        if self.is_stepping {
            return Err(IndexError::Panicked);
        }
        // Until it has ended well: a panic would come again, and leaves it so.
        self.is_stepping = true;
        let stepped = self.go_on(state, list);
        self.is_stepping = false;
        stepped
    }

    fn go_on(&mut self, state: &State, list: &mut List<'_>) -> Result<bool, IndexError> {
        if let Some(frozen) = state.load().frozen() {
            self.step_flush(frozen, state, list)?;
            return Ok(true);
        }
        self.step_merge(state, list)
    }

    /// Does a piece of the run of what is frozen.
    fn step_flush(&mut self, frozen: &Arc<Frozen>, state: &State, list: &mut List<'_>) -> Result<(), IndexError> {
        let Some(mut merge) = self.flush.take() else {
            state.prepare(&frozen.memtable);
            let plan = self.plan(frozen.first.0, frozen.last.0)?;
            let sources: Vec<Box<dyn Source>> = vec![Box::new(MemtableSource::new(Arc::clone(frozen)))];
            self.flush = Some(self.begin(plan, sources)?);
            return Ok(());
        };
        match merge.step(KEYS_PER_STEP) {
            Ok(Stepped::More) => self.flush = Some(merge),
            Ok(Stepped::Done(facts)) => {
                let run = self.count(&facts, &[], state, list)?;
                state.flushed(&run);
            }
            Err(error) => return Err(self.failed(error)),
        }
        Ok(())
    }

    /// Does a piece of a run of several, if any are to be merged; whether there was anything to do.
    fn step_merge(&mut self, state: &State, list: &mut List<'_>) -> Result<bool, IndexError> {
        if let Some(merging) = self.begin_merging(&state.load())? {
            self.merges.push(merging);
            return Ok(true);
        }
        let Some(mut merging) = self.merges.pop() else { return Ok(false) };
        match merging.merge.step(KEYS_PER_STEP) {
            Ok(Stepped::More) => self.merges.push(merging),
            Ok(Stepped::Done(facts)) => {
                self.merged(&merging.parts, &facts, state, list)?;
            }
            Err(error) => {
                if let BuildError::Corrupt(damage) = &error {
                    self.damage = Some(damage.to_string());
                }
                return Err(self.failed(error));
            }
        }
        Ok(true)
    }

    /// The next merge, if there is one to begin now: of none of the runs that another one is made of, or that come
    /// before them.
    fn begin_merging(&mut self, tiers: &Tiers) -> Result<Option<Merging>, IndexError> {
        self.remove_obsolete();
        if self.damage.is_some() || self.merges.len() == MERGES_MAX {
            return Ok(None);
        }
        let merged = self.merges.last().map_or(0, |merging| merging.parts[merging.parts.len() - 1].facts().last_seq);
        let free = tiers.runs()[..self.free_runs(tiers)].iter().take_while(|run| run.facts().first_seq > merged);
        let runs: Vec<&Arc<Run>> = free.collect();
        let sizes: Vec<u64> = runs.iter().map(|run| run.facts().bytes).collect();
        let plan = if self.merges.is_empty() { plan::plan(&sizes) } else { plan::quick(&sizes) };
        let Some(range) = plan else { return Ok(None) };
        self.merging(runs[range].iter().rev().map(|run| Arc::clone(run)).collect()).map(Some)
    }

    /// Where runs have become many, does a merge that takes an instant. What else was being merged is given up.
    pub(crate) fn catch_up(&mut self, state: &State, list: &mut List<'_>) -> Result<(), IndexError> {
        self.merges.clear();
        let is_due = {
            let tiers = state.load();
            let sizes: Vec<u64> = tiers.runs()[..self.free_runs(&tiers)].iter().map(|run| run.facts().bytes).collect();
            plan::quick(&sizes).is_some()
        };
        while is_due && self.step(state, list)? && !self.merges.is_empty() {}
        self.remove_obsolete();
        Ok(())
    }

    /// Begins a run of runs, in the order of their commits.
    fn merging(&mut self, parts: Vec<Arc<Run>>) -> Result<Merging, IndexError> {
        let (first, last) = (parts[0].facts().first_seq, parts[parts.len() - 1].facts().last_seq);
        let plan = self.plan(first, last)?;
        let source = |run: &Arc<Run>| Box::new(RunSource::new(Arc::clone(run))) as Box<dyn Source>;
        let merge = self.begin(plan, parts.iter().map(source).collect())?;
        Ok(Merging { merge, parts: parts.into() })
    }

    /// Has a run count in the place of those that it was made of.
    fn merged(
        &mut self,
        parts: &[Arc<Run>],
        facts: &RunFacts,
        state: &State,
        list: &mut List<'_>,
    ) -> Result<Arc<Run>, IndexError> {
        let run = self.count(facts, parts, state, list)?;
        state.merged(parts, &run);
        self.obsolete.extend(parts.iter().map(Arc::clone));
        Ok(run)
    }

    fn begin(&mut self, plan: RunPlan, sources: Vec<Box<dyn Source>>) -> Result<Merge, IndexError> {
        let begun = Merge::begin(Arc::clone(&self.disk), &self.dir, plan, sources);
        begun.map_err(|error| self.failed(error))
    }

    /// The directory may be what is missing, or room: then what is being merged gives up what it has.
    pub(crate) fn failed(&mut self, error: BuildError) -> IndexError {
        self.has_dir = false;
        if matches!(error, BuildError::DiskFull { .. }) {
            self.merges.clear();
        }
        IndexError::Build(error)
    }

    /// A run with the next number. No number is given out twice while the store is open: a file that failed to be
    /// removed is never taken for another.
    fn plan(&mut self, first_seq: u64, last_seq: u64) -> Result<RunPlan, IndexError> {
        if !self.has_dir {
            let io = |action, path: &Path| {
                let path = path.to_owned();
                move |error| IndexError::Dir(OpenError::io(action, &path, error))
            };
            self.disk.create_dir(&self.dir).map_err(io("create", &self.dir))?;
            self.disk.sync_dir(&self.store_dir).map_err(io("sync", &self.store_dir))?;
            self.has_dir = true;
        }
        let id = RunId(self.next_id);
        self.next_id += 1;
        Ok(RunPlan { store: self.store, id, first_seq, last_seq })
    }

    /// Opens a run that was made, and has it count in the place of those that it was merged of.
    fn count(
        &mut self,
        facts: &RunFacts,
        parts: &[Arc<Run>],
        state: &State,
        list: &mut List<'_>,
    ) -> Result<Arc<Run>, IndexError> {
        let run = match Run::open(&*self.disk, &self.dir, self.store, facts) {
            Ok(run) => Arc::new(run),
            Err(error) => {
                self.remove(facts.id);
                return Err(IndexError::Open(error));
            }
        };
        let is_part = |run: &RunFacts| parts.iter().any(|part| part.facts().id == run.id);
        let mut counted: Vec<RunFacts> = state.load().runs().iter().map(|run| run.facts()).collect();
        counted.retain(|run| !is_part(run));
        counted.push(*facts);
        counted.sort_unstable_by_key(|run| run.first_seq);
        if let Err(error) = list(&counted) {
            // Whether MANIFEST lists it is unknown after a failed sync: then it must stay.
            if !matches!(error, OpenError::Stopped(_)) {
                self.remove(facts.id);
            }
            return Err(IndexError::List(error));
        }
        Ok(run)
    }

    /// Removes files of runs that don't count any more, and that nobody in this process reads. One that is left, the
    /// next opening removes.
    pub(crate) fn remove_obsolete(&mut self) {
        let is_needed = |run: &Arc<Run>| Arc::strong_count(run) > 1 || run.facts().id.0 < self.kept_below;
        let (needed, free): (Vec<_>, Vec<_>) = std::mem::take(&mut self.obsolete).into_iter().partition(is_needed);
        self.obsolete = needed;
        free.iter().for_each(|run| self.remove(run.facts().id));
    }

    fn remove(&self, id: RunId) {
        let path = id.path(&self.dir);
        if let Err(error) = self.disk.remove(&path) {
            tracing::debug!(path = %path.display(), %error, "a run that is not needed stays until the next opening");
        }
    }
}

impl fmt::Display for IndexError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            IndexError::Build(error) => error.fmt(f),
            IndexError::Open(error) => error.fmt(f),
            IndexError::List(error) | IndexError::Dir(error) => error.fmt(f),
            IndexError::Panicked => f.write_str("making a run has panicked; open the store again"),
        }
    }
}

impl fmt::Debug for Indexer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Indexer").field("next_id", &self.next_id).field("is_flushing", &self.flush.is_some()).finish()
    }
}

#[cfg(test)]
mod tests;
