//! [`Merge`]: makes one run of several sources, in steps.
//!
//! The sources cover disjoint ranges of `Seq` and are given in their order. So the versions of a key are those of the
//! last source, then those of the one before; the changes of a scope are those of the first, then those of the next.
//!
//! Blocks of one source that no other has a key in are copied. So where names came in order, as those of most jobs do,
//! a key that is written again costs its hash and its place in the slots.
//!
//! Some versions and clears may be left out on the way ([`Merge::step_keeping`]): keys and scopes of which nothing is
//! left go with them.
//!
//! Invariant: the run answers the same as one built at once of all that is kept of what the sources hold. It is the
//! same to the byte, too, but for where blocks of keys begin.

use std::{cmp::Ordering, fmt, path::Path, sync::Arc};

use milepost_io::Disk;
use milepost_types::Corruption;

use crate::{BuildError, Run, RunBuilder, RunFacts, RunId, RunPlan, RunSource, ScopeSeqs, Source, Version};

/// Bytes that are copied at the end instead of one key.
const BYTES_PER_KEY: u64 = 64;
/// Blocks that are copied one behind the other, at least: a short one may have to be made before the first.
const STRETCH_BLOCKS: u32 = 8;

/// What a step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stepped {
    /// There is more to do.
    More,
    /// The run is built and durable.
    Done(RunFacts),
}

/// Says of a version whether it is to be kept; the same of the same version, however often it is asked. A clear is
/// asked for like a version, of kind 0.
pub type Keeps<'a> = dyn FnMut(Version) -> Result<bool, Corruption> + 'a;

/// A run being made of sources. Dropped before it is done, it leaves nothing.
pub struct Merge {
    sources: Vec<Standing>,
    stage: Stage,
    scope: Waiting,
    /// `None` once it is done or has failed.
    builder: Option<RunBuilder>,
}

/// A source, and where it stands.
struct Standing {
    source: Box<dyn Source>,
    /// Whether it stands at a scope; and whether at the one being written.
    has_scope: bool,
    is_member: bool,
    /// Whether it stands at a key; and whether at the one being written.
    has_key: bool,
    is_at_key: bool,
}

/// The scope whose turn it is.
#[derive(Debug, Default)]
struct Waiting {
    /// Until something of it is written.
    begin: Option<(String, ScopeSeqs)>,
    /// Whether all that have it give its changes.
    have_changes: bool,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    Begin,
    Scope,
    Keys,
    /// Those of this source are next.
    Changes(usize),
    Finish,
}

impl Merge {
    /// Begins a run of sources, in the order of the commits that they cover.
    pub fn begin(
        disk: Arc<dyn Disk>,
        dir: &Path,
        plan: RunPlan,
        sources: Vec<Box<dyn Source>>,
    ) -> Result<Merge, BuildError> {
        let standing =
            |source| Standing { source, has_scope: false, is_member: false, has_key: false, is_at_key: false };
        let builder = RunBuilder::begin(disk, dir, plan)?;
        Ok(Merge {
            sources: sources.into_iter().map(standing).collect(),
            stage: Stage::Begin,
            scope: Waiting::default(),
            builder: Some(builder),
        })
    }

    /// Begins a run of runs, in the order of the commits that they cover.
    ///
    /// # Panics
    ///
    /// If there is none, or they are not in order.
    pub fn of_runs(
        disk: Arc<dyn Disk>,
        dir: &Path,
        store: [u8; 16],
        id: RunId,
        runs: &[Arc<Run>],
    ) -> Result<Merge, BuildError> {
        let in_order = runs.is_sorted_by(|a, b| a.facts().last_seq < b.facts().first_seq);
        let (Some(first), Some(last), true) = (runs.first(), runs.last(), in_order) else {
            panic!("runs to be merged are in order, and at least one");
        };
        let plan = RunPlan { store, id, first_seq: first.facts().first_seq, last_seq: last.facts().last_seq };
        let source = |run: &Arc<Run>| Box::new(RunSource::new(Arc::clone(run))) as Box<dyn Source>;
        Merge::begin(disk, dir, plan, runs.iter().map(source).collect())
    }

    /// Goes on for about so many keys. A key is never left half-way, however many versions it has. After an error
    /// nothing is left, and there is nothing more to do.
    ///
    /// # Panics
    ///
    /// If it is done or has failed.
    pub fn step(&mut self, budget_keys: usize) -> Result<Stepped, BuildError> {
        self.go_on(budget_keys, None)
    }

    /// The same, of the versions that are kept. Every step of a merge has to be asked in the same way.
    ///
    /// # Panics
    ///
    /// If it is done or has failed.
    pub fn step_keeping(&mut self, budget_keys: usize, keeps: &mut Keeps<'_>) -> Result<Stepped, BuildError> {
        self.go_on(budget_keys, Some(keeps))
    }

    fn go_on(&mut self, budget_keys: usize, mut keeps: Option<&mut Keeps<'_>>) -> Result<Stepped, BuildError> {
        let mut builder = self.builder.take().expect("a merge that is done or has failed is not stepped");
        let mut budget = budget_keys.max(1) as u64;
        while budget > 0 {
            let spent = match self.stage {
                Stage::Begin => self.first_scopes()?,
                Stage::Scope => self.scope(&mut builder, &mut keeps)?,
                Stage::Keys => self.key(&mut builder, &mut keeps)?,
                Stage::Changes(source) => self.changes(&mut builder, source, budget, &mut keeps)?,
                Stage::Finish => {
                    if let Some(facts) = builder.finish_step(budget.saturating_mul(BYTES_PER_KEY))? {
                        return Ok(Stepped::Done(facts));
                    }
                    budget
                }
            };
            budget = budget.saturating_sub(spent);
        }
        self.builder = Some(builder);
        Ok(Stepped::More)
    }

    fn first_scopes(&mut self) -> Result<u64, BuildError> {
        for standing in &mut self.sources {
            standing.has_scope = standing.source.next_scope()?;
        }
        self.stage = Stage::Scope;
        Ok(0)
    }

    /// Begins the least scope that a source stands at.
    fn scope(&mut self, builder: &mut RunBuilder, keeps: &mut Option<&mut Keeps<'_>>) -> Result<u64, BuildError> {
        let names = self.sources.iter().enumerate().filter(|(_, standing)| standing.has_scope);
        let Some((least, _)) = names.min_by(|(_, a), (_, b)| a.source.scope().cmp(b.source.scope())) else {
            self.stage = Stage::Finish;
            return Ok(0);
        };
        let members: Vec<bool> = self
            .sources
            .iter()
            .map(|one| one.has_scope && one.source.scope() == self.sources[least].source.scope())
            .collect();
        for (standing, is_member) in self.sources.iter_mut().zip(members) {
            standing.is_member = is_member;
        }
        let mut seqs = ScopeSeqs::default();
        for standing in self.sources.iter().filter(|standing| standing.is_member) {
            seqs.touched = seqs.touched.max(standing.source.seqs().touched);
            seqs.last_set = seqs.last_set.max(standing.source.seqs().last_set);
        }
        let mut members = self.sources.iter().filter(|standing| standing.is_member);
        self.scope = Waiting {
            have_changes: members.all(|standing| standing.source.has_changes()),
            begin: Some((self.sources[least].source.scope().to_owned(), seqs)),
        };
        for standing in self.sources.iter_mut().filter(|standing| standing.is_member) {
            while let Some(mark) = standing.source.next_clear()? {
                if !is_kept(keeps, Version { seq: mark.seq, record: mark.record, kind: 0 })? {
                    continue;
                }
                self.scope.see_begun(builder)?;
                builder.clear(mark)?;
            }
            standing.has_key = standing.source.next_key()?;
        }
        self.stage = Stage::Keys;
        Ok(1)
    }

    /// Writes the least key that a source stands at.
    fn key(&mut self, builder: &mut RunBuilder, keeps: &mut Option<&mut Keeps<'_>>) -> Result<u64, BuildError> {
        let mut least: Option<usize> = None;
        for index in 0..self.sources.len() {
            let (before, rest) = self.sources.split_at_mut(index);
            let standing = &mut rest[0];
            standing.is_at_key = false;
            if !(standing.is_member && standing.has_key) {
                continue;
            }
            let order = least.map_or(Ordering::Less, |least| standing.source.key().cmp(before[least].source.key()));
            standing.is_at_key = order != Ordering::Greater;
            if order == Ordering::Less {
                before.iter_mut().for_each(|one| one.is_at_key = false);
                least = Some(index);
            }
        }
        let Some(least) = least else {
            self.stage = Stage::Changes(0);
            return Ok(0);
        };
        // A block that is copied keeps all its versions.
        if keeps.is_none() {
            self.scope.see_begun(builder)?;
            if let Some(spent) = self.block(builder, least)? {
                return Ok(spent);
            }
        }
        let (mut spent, mut is_begun) = (1, false);
        for standing in self.sources.iter_mut().rev().filter(|standing| standing.is_at_key) {
            while let Some(version) = standing.source.next_version()? {
                spent += 1;
                if !is_kept(keeps, version)? {
                    continue;
                }
                if !std::mem::replace(&mut is_begun, true) {
                    self.scope.see_begun(builder)?;
                    builder.begin_key(standing.source.key())?;
                }
                builder.version(version)?;
            }
            standing.has_key = standing.source.next_key()?;
        }
        Ok(spent)
    }

    /// Writes the block that a source stands at the beginning of as it is, if no other source has a key in it.
    fn block(&mut self, builder: &mut RunBuilder, index: usize) -> Result<Option<u64>, BuildError> {
        if !self.sources[index].source.is_at_block() {
            return Ok(None);
        }
        let (before, rest) = self.sources.split_at_mut(index);
        let Some((standing, behind)) = rest.split_first_mut() else { return Ok(None) };
        let others = before.iter().chain(&*behind).filter(|other| other.is_member && other.has_key);
        let bound = others.map(|other| other.source.key()).min();
        let blocks = if builder.is_at_block() { 1 } else { STRETCH_BLOCKS };
        let Some(block) = standing.source.take_block(bound, blocks)? else { return Ok(None) };
        let spent = builder.copy_block(&block)?;
        standing.has_key = standing.source.next_key()?;
        Ok(Some(spent))
    }

    /// Writes changes of the scope from this source; after the last source goes to the next scope.
    fn changes(
        &mut self,
        builder: &mut RunBuilder,
        index: usize,
        budget: u64,
        keeps: &mut Option<&mut Keeps<'_>>,
    ) -> Result<u64, BuildError> {
        let Some(standing) = self.sources.get_mut(index) else {
            for standing in self.sources.iter_mut().filter(|standing| standing.is_member) {
                standing.has_scope = standing.source.next_scope()?;
            }
            self.stage = Stage::Scope;
            return Ok(0);
        };
        let mut spent = 0;
        // Of a scope that was not begun nothing is kept.
        if standing.is_member && self.scope.begin.is_none() && builder.expects_changes() {
            while let Some(version) = standing.source.next_change()? {
                if is_kept(keeps, version)? {
                    builder.change(version)?;
                }
                spent += 1;
                if spent == budget {
                    return Ok(spent);
                }
            }
        }
        self.stage = Stage::Changes(index + 1);
        Ok(spent)
    }
}

impl Waiting {
    /// Begins it, if nothing of it is written yet.
    fn see_begun(&mut self, builder: &mut RunBuilder) -> Result<(), BuildError> {
        if let Some((name, seqs)) = self.begin.take() {
            builder.begin_scope(&name, seqs)?;
            if self.have_changes {
                builder.expect_changes();
            }
        }
        Ok(())
    }
}

fn is_kept(keeps: &mut Option<&mut Keeps<'_>>, version: Version) -> Result<bool, Corruption> {
    keeps.as_mut().map_or(Ok(true), |keeps| keeps(version))
}

impl fmt::Debug for Merge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut merge = f.debug_struct("Merge");
        merge.field("sources", &self.sources.len()).field("stage", &self.stage).finish_non_exhaustive()
    }
}
