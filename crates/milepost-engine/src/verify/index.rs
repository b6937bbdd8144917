//! [`IndexCheck`]: runs against the log that they were made of.
//!
//! Invariant: a run that passes holds every version and every clear of its commits, and nothing else: each one of the
//! log is found in it, and it holds as many, or more where events were removed from the log since. One fault of a run
//! is told, not all.

use std::{collections::BTreeSet, path::Path};

use milepost_index::{OpenRunError, Run, RunFacts, ScopeHash};
use milepost_types::{Corruption, EventRef, Seq, body::Body};

use crate::{
    OpenError,
    index::INDEX,
    memtable::{
        ERASED, ERASED_BELOW, FENCE, FORK, IDEMPOTENCY, Kind, POLICY, checkpoints_of, erased_keys_of, holds_of,
        kind_in_run, prefix_key,
    },
};

/// Runs, and how much of the log was found in them.
pub(super) struct IndexCheck {
    runs: Vec<Checked>,
    /// What hashes of scopes begin with.
    seed: u64,
    /// Damage found.
    pub(super) damage: Vec<Corruption>,
    /// Names of runs that are listed and not there.
    pub(super) missing: Vec<String>,
    /// How many are there, whole or not.
    pub(super) runs_there: u64,
}

struct Checked {
    run: Run,
    versions: u64,
    clears: u64,
    is_damaged: bool,
    /// The first commit that was not met.
    next: u64,
    /// Whether events of its commits were removed from the log: then it may hold more.
    is_thinned: bool,
}

impl IndexCheck {
    /// Opens the runs and reads every byte of them. One of a newer format is not damaged: this program can't tell.
    pub(super) fn open(
        disk: &dyn milepost_io::Disk,
        dir: &Path,
        store: [u8; 16],
        listed: &[RunFacts],
    ) -> Result<IndexCheck, OpenError> {
        let mut check = IndexCheck {
            runs: Vec::new(),
            seed: ScopeHash::seed(&store),
            damage: Vec::new(),
            missing: Vec::new(),
            runs_there: 0,
        };
        let mut expected = 1;
        for facts in listed {
            let file = facts.id.path(&dir.join(INDEX));
            let named =
                |what: String| Corruption { file: file.clone(), offset: 0, seq: Some(Seq(facts.first_seq)), what };
            if facts.first_seq != expected || facts.last_seq < expected {
                let what =
                    format!("MANIFEST says that the run begins with seq {}, expected was {expected}", facts.first_seq);
                check.damage.push(named(what));
            }
            expected = facts.last_seq.saturating_add(1);
            let opened = Run::open(disk, &dir.join(INDEX), store, facts);
            let opened = match opened {
                Err(OpenRunError::Missing { .. }) => {
                    check.missing.push(format!("{INDEX}/{}.run", facts.id));
                    continue;
                }
                Err(OpenRunError::NewerFormat { file, found, supported }) => {
                    return Err(OpenError::NewerFormat { file, found, supported });
                }
                Err(OpenRunError::Corrupt(corruption)) => Err(corruption),
                Err(other) => Err(named(other.to_string())),
                Ok(run) => Ok(run),
            };
            check.runs_there += 1;
            match opened.and_then(|run| run.verify().map(|()| run)) {
                Ok(run) => {
                    let (next, is_thinned) = (facts.first_seq, false);
                    check.runs.push(Checked { run, versions: 0, clears: 0, is_damaged: false, next, is_thinned });
                }
                Err(corruption) => check.damage.push(corruption),
            }
        }
        Ok(check)
    }

    /// Looks a commit of the log up, in the run that covers it.
    pub(super) fn commit(&mut self, seq: Seq, body: &Body<'_>) -> Result<(), milepost_types::body::BodyError> {
        let place = self.runs.partition_point(|checked| checked.run.facts().last_seq < seq.0);
        let covers = |checked: &&mut Checked| checked.run.facts().first_seq <= seq.0 && !checked.is_damaged;
        let Some(checked) = self.runs.get_mut(place).filter(covers) else { return Ok(()) };
        checked.is_thinned |= seq.0 != checked.next || body.is_thinned();
        checked.next = seq.0 + 1;
        match checked.commit(self.seed, seq, body) {
            Ok(()) => {}
            Err(Missed::Body(error)) => return Err(error),
            Err(Missed::Run(corruption)) => {
                checked.is_damaged = true;
                self.damage.push(corruption);
            }
        }
        Ok(())
    }

    /// After the last commit, at `last`: whether the runs hold more than the log.
    pub(super) fn finish(&mut self, last: Seq) {
        for Checked { run, versions, clears, is_damaged, next, is_thinned } in &self.runs {
            let found = (run.version_count(), run.clear_count());
            let may_hold_more = *is_thinned || *next <= run.facts().last_seq;
            let agrees =
                if may_hold_more { found.0 >= *versions && found.1 >= *clears } else { found == (*versions, *clears) };
            if !is_damaged && run.facts().last_seq <= last.0 && !agrees {
                let what = format!(
                    "the run holds {} versions and {} clears, the log {versions} and {clears}",
                    found.0, found.1
                );
                self.damage.push(run.disagrees(Seq(run.facts().first_seq), what));
            }
        }
    }
}

enum Missed {
    /// The commit itself is no good.
    Body(milepost_types::body::BodyError),
    Run(Corruption),
}

impl From<milepost_types::body::BodyError> for Missed {
    fn from(error: milepost_types::body::BodyError) -> Missed {
        Missed::Body(error)
    }
}

impl From<Corruption> for Missed {
    fn from(corruption: Corruption) -> Missed {
        Missed::Run(corruption)
    }
}

impl Checked {
    fn commit(&mut self, seed: u64, seq: Seq, body: &Body<'_>) -> Result<(), Missed> {
        let mut events = body.events();
        while let Some(found) = events.next()? {
            let record = found.offset;
            match found.event {
                EventRef::Set { scope, key, expires_at, .. } => {
                    let kind = if expires_at.is_some() { Kind::Expiring } else { Kind::Set };
                    self.version(seed, (scope, key), (seq, record), kind)?;
                }
                EventRef::Delete { scope, key } => self.version(seed, (scope, key), (seq, record), Kind::Delete)?,
                EventRef::Clear { scope } => self.clear(seed, scope, seq)?,
                EventRef::ClearPrefix { prefix } => self.clear(seed, &format!("{prefix}/"), seq)?,
                EventRef::Checkpoint { scope, name, .. } => {
                    self.version(seed, (&checkpoints_of(scope), name), (seq, record), Kind::Claim)?;
                }
                EventRef::Release { scope, name } => {
                    self.version(seed, (&checkpoints_of(scope), name), (seq, record), Kind::Delete)?;
                }
                EventRef::Fork { scope, .. } => self.version(seed, (FORK, scope), (seq, record), Kind::Claim)?,
                EventRef::Retain { .. }
                | EventRef::Unretain { .. }
                | EventRef::Hold { .. }
                | EventRef::Unhold { .. }
                | EventRef::Erase { .. }
                | EventRef::EraseScope { .. }
                | EventRef::ErasePrefix { .. } => self.told(seed, (seq, record), &found.event)?,
            }
        }
        let meta = body.meta()?;
        if let Some(key) = &meta.idempotency_key {
            self.version(seed, (IDEMPOTENCY, key), (seq, 0), Kind::Claim)?;
        }
        // Two claims of one scope in one commit are one.
        let claimed: BTreeSet<&str> = meta.fences.iter().map(|fence| fence.scope.as_str()).collect();
        for scope in claimed {
            self.version(seed, (FENCE, scope), (seq, 0), Kind::Claim)?;
        }
        Ok(())
    }

    /// What retention was told.
    fn told(&mut self, seed: u64, at: (Seq, u32), event: &EventRef<'_>) -> Result<(), Corruption> {
        match *event {
            EventRef::Retain { prefix, .. } => self.version(seed, (POLICY, prefix_key(prefix)), at, Kind::Claim),
            EventRef::Unretain { prefix } => self.version(seed, (POLICY, prefix_key(prefix)), at, Kind::Delete),
            EventRef::Hold { prefix, name, .. } => self.version(seed, (&holds_of(prefix), name), at, Kind::Claim),
            EventRef::Unhold { prefix, name } => self.version(seed, (&holds_of(prefix), name), at, Kind::Delete),
            EventRef::Erase { scope, key, .. } => {
                self.version(seed, (scope, key), at, Kind::Delete)?;
                self.version(seed, (&erased_keys_of(scope), key), at, Kind::Claim)
            }
            EventRef::EraseScope { scope, .. } => {
                self.clear(seed, scope, at.0)?;
                self.version(seed, (ERASED, scope), at, Kind::Claim)
            }
            EventRef::ErasePrefix { prefix, .. } => {
                self.clear(seed, &format!("{prefix}/"), at.0)?;
                self.version(seed, (ERASED_BELOW, prefix_key(prefix)), at, Kind::Claim)
            }
            EventRef::Set { .. }
            | EventRef::Delete { .. }
            | EventRef::Clear { .. }
            | EventRef::ClearPrefix { .. }
            | EventRef::Checkpoint { .. }
            | EventRef::Release { .. }
            | EventRef::Fork { .. } => Ok(()),
        }
    }

    /// A version is there if it is the last of its commit, or hidden by a later one of it.
    fn version(
        &mut self,
        seed: u64,
        (scope, key): (&str, &str),
        (seq, record): (Seq, u32),
        kind: Kind,
    ) -> Result<(), Corruption> {
        let found = self.run.find(ScopeHash::of(seed, scope).key(key), scope, key, seq.0)?;
        let is_there = found.is_some_and(|found| {
            let is_it = found.record == record && found.kind == kind_in_run(kind);
            found.seq == seq.0 && (is_it || found.record > record)
        });
        self.versions += 1;
        if is_there {
            return Ok(());
        }
        Err(self.run.disagrees(seq, format!("the run misses a version of a key of scope {scope:?}")))
    }

    fn clear(&mut self, seed: u64, scope: &str, seq: Seq) -> Result<(), Corruption> {
        let view = self.run.scope(ScopeHash::of(seed, scope), scope)?;
        let found = view.map(|view| self.run.last_clear(&view, seq.0)).transpose()?.flatten();
        self.clears += 1;
        if found.is_some_and(|found| found.seq == seq.0) {
            return Ok(());
        }
        Err(self.run.disagrees(seq, format!("the run misses a clear of scope {scope:?}")))
    }
}

#[cfg(test)]
mod tests;
