//! [`Changes`]: where the changes of a scope's keys between two moments are told.
//!
//! Invariant: it leads to every key of the scope that has a version between the two, and to no more of the log than was
//! allowed, but for what is in memory, which is bounded.
//!
//! A run lists the changes of a scope in order. A memtable does not: if the scope has no more keys in it than there are
//! commits between the moments, its keys are asked, else those commits are.
//!
//! Knows nothing of the log: what has no name here is to be read there.

use std::ops::RangeInclusive;

use milepost_types::{Corruption, Seq};

use super::{Tiers, look};
use crate::memtable::Memtable;

/// Where changes are told.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// Keys that changed, in no order, perhaps twice.
    pub(crate) keys: Vec<Box<str>>,
    /// Commits that say which keys changed, each once.
    pub(crate) commits: Vec<Wanted>,
}

/// What of a commit is wanted.
#[derive(Debug)]
pub(crate) enum Wanted {
    /// The keys of these records, in their order. There is at least one.
    Records(Seq, Vec<u32>),
    /// All keys of the scope in these commits.
    All(RangeInclusive<u64>),
}

impl Changes {
    /// Those of a scope behind one commit and through another. Of what runs list no more than is `left` is gone
    /// through, which then is less by so many; `None` if there is more.
    pub(super) fn new(
        tiers: &Tiers,
        scope: &str,
        (before, last): (Seq, Seq),
        left: &mut u64,
    ) -> Result<Option<Changes>, Corruption> {
        let mut changes = Changes::default();
        if before >= last {
            return Ok(Some(changes));
        }
        for run in &tiers.runs {
            let (first, end) = (run.facts().first_seq.max(before.0 + 1), run.facts().last_seq.min(last.0));
            if first > end {
                continue;
            }
            let Some(view) = look::scope(run, tiers.seed, scope)? else { continue };
            for change in run.changes(&view, first, end)? {
                let version = look::version(run, change?)?;
                let Some(rest) = left.checked_sub(1) else { return Ok(None) };
                *left = rest;
                changes.record(Seq(version.seq), version.record);
            }
        }
        if let Some(frozen) = &tiers.frozen {
            changes.memtable(&frozen.memtable, scope, (before.max(Seq(frozen.first.0 - 1)), last.min(frozen.last)));
        }
        changes.memtable(&tiers.active, scope, (before.max(Seq(tiers.active_first.0 - 1)), last));
        Ok(Some(changes))
    }

    fn record(&mut self, seq: Seq, record: u32) {
        match self.commits.last_mut() {
            Some(Wanted::Records(of, records)) if *of == seq => records.push(record),
            Some(_) | None => self.commits.push(Wanted::Records(seq, vec![record])),
        }
    }

    /// Those of a memtable, behind the first commit of the range and through the second.
    fn memtable(&mut self, memtable: &Memtable, scope: &str, (before, last): (Seq, Seq)) {
        let Some(commits) = last.0.checked_sub(before.0).filter(|commits| *commits > 0) else { return };
        match memtable.changed(scope, before, last, commits) {
            Some(keys) => self.keys.extend(keys),
            None => self.commits.push(Wanted::All(before.0 + 1..=last.0)),
        }
    }
}
