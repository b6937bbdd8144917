//! [`Survey`]: what of each segment stays, counted by a walk over the index in pieces.
//!
//! The index knows at least what the log holds: each version's address leads to its segment. Of a segment that was
//! thinned, the index may know versions that are gone already: of what goes, there, the log is asked.
//!
//! Invariant: what stays is never counted as less than it is; a segment of which nothing was counted as staying holds
//! nothing that any read needs.

use std::{ops::RangeInclusive, sync::Arc};

use milepost_log::{Form, Found, SegmentId, SegmentKind, SegmentStats};
use milepost_types::{
    Seq,
    body::{Body, BodyError, BodyFault, erased_at, place_of},
    scope::is_reserved,
};

use super::{
    cold::{ColdFrom, is_sealed},
    plan::{RunTally, Tally, Task, Worth, runs_to_thin},
    voids::Voids,
};
use crate::{
    ReadError,
    engine::Shared,
    memtable::is_prefix,
    retention::{Fate, Horizons, Judging, OfScope},
    state::{ERASED, ERASED_BELOW, KeyOrders, Kind, Mark, Tiers, Version},
};

/// What clears of the root are named.
const ROOT: &str = "/";

/// A walk over all that the index knows.
#[derive(Debug)]
pub(crate) struct Survey {
    tiers: Arc<Tiers>,
    tallies: Vec<Tally>,
    /// Of the runs, in the order of their commits.
    runs: Vec<RunTally>,
    /// Those to go by; `None` for those in force.
    horizons: Option<Horizons>,
    /// The scope that comes next, or is gone on with, and the key in it; `None` behind the last.
    next: Option<(String, String)>,
    /// The order in memory of the scope that is gone on with: a store that is written to makes it anew whenever it is
    /// asked for.
    orders: Option<(String, KeyOrders)>,
    /// The first version that is left of the scope that is gone on with, of those that were met.
    first: Option<Mark>,
    voids: Voids,
    /// Versions of keys that were looked at.
    seen: u64,
}

impl Survey {
    /// Of the segments that there are, by what `tiers` hold of them; `cold` says which are to be compressed.
    pub(crate) fn new(tiers: Arc<Tiers>, segments: &[SegmentStats], cold: ColdFrom) -> Survey {
        // Behind one without a footer a reader in another process looks for the next by its name.
        let is_found =
            |index: usize| index.checked_sub(1).is_none_or(|before| segments[before].kind != SegmentKind::Open);
        let tally = |(index, segment): (usize, &SegmentStats)| Tally {
            id: segment.name.id,
            first_seq: segment.first_seq.0,
            last_seq: segment.first_seq.0 + segment.commits.saturating_sub(1),
            bytes: if segment.kind == SegmentKind::Cold { segment.frame_bytes } else { segment.file_bytes },
            is_sealed: is_sealed(segment) && is_found(index),
            is_thinned: segment.is_thinned,
            form: if segment.kind == SegmentKind::Cold { Form::Compressed } else { Form::Raw },
            is_cold_due: cold.is_due(segment),
            stays: 0,
            goes: 0,
            is_erased: false,
        };
        let there = segments.iter().enumerate().filter(|(_, segment)| segment.kind != SegmentKind::Dropped);
        let tallies = there.map(tally).collect();
        let runs = tiers.runs().iter().rev().map(|run| RunTally::of(&run.facts())).collect();
        let (next, voids) = (Some(Default::default()), Voids::default());
        Survey { tiers, tallies, runs, horizons: None, next, orders: None, first: None, voids, seen: 0 }
    }

    /// The same as if other horizons were in force.
    pub(crate) fn with_horizons(self, horizons: Horizons) -> Survey {
        Survey { horizons: Some(horizons), ..self }
    }

    /// Counts some more, about so many versions; whether there is more to count.
    pub(crate) fn step(&mut self, shared: &Shared, budget: usize) -> Result<bool, ReadError> {
        let tiers = Arc::clone(&self.tiers);
        let mut judging = Judging::now(shared, &tiers)?;
        if let Some(horizons) = &self.horizons {
            judging.horizons = horizons.clone();
        }
        let mut left = budget;
        while let Some((scope, key)) = self.next.take() {
            let mut scopes = tiers.every_scope(&scope)?;
            let name = scopes.read_next()?.map(str::to_owned);
            while let Some(below) = self.voids.leave(name.as_deref()) {
                self.marks(&judging, &below.name, below.marks, below.first)?;
            }
            let Some(name) = name else { return Ok(false) };
            // Another one than was gone on with: from its first key.
            let from = if name == scope { key } else { String::new() };
            if let Some(key) = self.scope(&judging, &name, &from, &mut left)? {
                self.next = Some((name, key));
                return Ok(true);
            }
            // Nothing is greater than the name and less than this.
            self.next = Some((name + "\0", String::new()));
            if left == 0 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// How many versions were looked at.
    pub(crate) fn seen(&self) -> u64 {
        self.seen
    }

    /// What was counted.
    pub(crate) fn tallies(&self) -> &[Tally] {
        &self.tallies
    }

    /// The first segment that another one follows, that there is something to do for, and that can't be written anew.
    pub(crate) fn stuck(&self, worth: Worth) -> Option<SegmentId> {
        let followed = self.tallies.split_last().map_or(&[][..], |(_, followed)| followed);
        let is_stuck = |tally: &&Tally| !tally.is_sealed && (tally.goes > 0 || worth == Worth::Cold);
        followed.iter().find(is_stuck).map(|tally| tally.id)
    }

    /// The clears and erasures that go, in order. Asked once, at the end.
    pub(crate) fn take_voids(&mut self) -> Vec<Mark> {
        std::mem::take(&mut self.voids).into_taken()
    }

    /// The commits of runs that are worth being written anew once the tasks are done, side by side each.
    pub(crate) fn runs_to_thin(&self, tasks: &[Task], worth: Worth) -> Vec<RangeInclusive<u64>> {
        runs_to_thin(&self.runs, &self.tallies, tasks, worth)
    }

    /// Counts a scope from a key on; the key to go on with when the budget is spent.
    fn scope(
        &mut self,
        judging: &Judging<'_>,
        name: &str,
        from: &str,
        left: &mut usize,
    ) -> Result<Option<String>, ReadError> {
        *left = left.saturating_sub(1);
        if name == ROOT {
            // Of all scopes those come before it and behind it: what it clears stays.
            for mark in judging.tiers.own_marks(name)? {
                self.tally(mark.seq, |tally| tally.stays += 1);
            }
            return Ok(None);
        }
        if is_prefix(name) {
            self.voids.enter(name, judging.tiers.own_marks(name)?, judging.first_fork(name)?);
            return Ok(None);
        }
        if from.is_empty() {
            self.first = judging.first_fork(name)?;
        }
        let of = judging.scope(name)?;
        let kept = self.orders.take().filter(|(scope, _)| scope == name).map(|(_, orders)| orders);
        let orders = kept.unwrap_or_else(|| judging.tiers.key_orders(name));
        let mut keys = judging.tiers.keys(name, &orders, from)?;
        while keys.read_next()?.is_some() {
            if *left == 0 {
                let key = keys.key().to_owned();
                self.orders = Some((name.to_owned(), orders));
                return Ok(Some(key));
            }
            let versions = keys.versions_ever()?;
            *left = left.saturating_sub(versions.len().max(1));
            self.seen += versions.len() as u64;
            if name == ERASED || name == ERASED_BELOW {
                // Counted as a clear of the scope, or the prefix.
                self.erasures(judging, &versions)?;
                continue;
            }
            let fates = judging.key(&of, keys.key(), &versions)?;
            let oldest = versions.first().map(|version| Mark { seq: version.seq, record: version.record });
            self.first = self.first.into_iter().chain(oldest).min();
            for (index, (version, fate)) in versions.iter().zip(fates).enumerate() {
                self.version(judging, (&of, keys.key()), (index, version), fate)?;
            }
        }
        if !is_reserved(name) {
            let first = self.first;
            self.voids.see(first);
            if !judging.tiers.own_marks(&format!("{name}/"))?.is_empty() {
                self.voids.expect(name, first);
            }
            self.marks(judging, name, judging.tiers.own_marks(name)?, first)?;
        }
        Ok(None)
    }

    /// Counts what a run knows of erasures that may be gone.
    fn erasures(&mut self, judging: &Judging<'_>, versions: &[Version]) -> Result<(), ReadError> {
        for version in versions {
            let is_gone = judging.is_long_ago(Seq(version.seq))
                && self.tally_of(version.seq).is_none_or(|index| self.tallies[index].is_thinned)
                && matches!(what_stands_at(judging.shared, version)?, Stands::Nothing);
            self.run_tally(version.seq, |run| {
                run.versions += 1;
                run.absent += u64::from(is_gone);
            });
        }
        Ok(())
    }

    /// Counts the clears and erasures that are named like this, of what is left of which this is the first.
    fn marks(
        &mut self,
        judging: &Judging<'_>,
        name: &str,
        marks: Vec<Mark>,
        first: Option<Mark>,
    ) -> Result<(), ReadError> {
        for mark in marks {
            self.run_tally(mark.seq, |run| run.versions += 1);
            let is_void = first.is_none_or(|first| mark < first);
            if !is_void || !judging.void_goes(name, mark)? {
                self.tally(mark.seq, |tally| tally.stays += 1);
                continue;
            }
            let segment = self.tally_of(mark.seq);
            let is_thinned = segment.is_none_or(|index| self.tallies[index].is_thinned);
            let version = Version { seq: mark.seq, record: mark.record, kind: Kind::Delete };
            if is_thinned && matches!(what_stands_at(judging.shared, &version)?, Stands::Nothing) {
                self.run_tally(mark.seq, |run| run.absent += 1);
            } else if self.voids.take(mark) {
                self.run_tally(mark.seq, |run| run.goes += 1);
                self.tally(mark.seq, |tally| tally.goes += 1);
            } else {
                self.tally(mark.seq, |tally| tally.stays += 1);
            }
        }
        Ok(())
    }

    fn version(
        &mut self,
        judging: &Judging<'_>,
        (of, key): (&OfScope<'_>, &str),
        (index, version): (usize, &Version),
        fate: Fate,
    ) -> Result<(), ReadError> {
        self.run_tally(version.seq, |run| run.versions += 1);
        if !fate.goes_at(index) {
            self.tally(version.seq, |tally| tally.stays += 1);
            return Ok(());
        }
        let segment = self.tally_of(version.seq);
        if version.is_claim_of_commit() && segment.is_some() && !goes_with_its_claims(judging, version)? {
            // It goes with what else the commit holds, or stays with it.
            return Ok(());
        }
        let is_thinned = segment.is_some_and(|index| self.tallies[index].is_thinned);
        if segment.is_none() || is_thinned || version.kind == Kind::Delete {
            match what_stands_at(judging.shared, version)? {
                Stands::Nothing => {
                    self.run_tally(version.seq, |run| run.absent += 1);
                    return Ok(());
                }
                Stands::Erasure => {
                    self.tally(version.seq, |tally| tally.stays += 1);
                    return Ok(());
                }
                Stands::Record => {}
            }
        }
        self.run_tally(version.seq, |run| run.goes += 1);
        let is_erased = of.is_erased(key, version)?;
        self.tally(version.seq, |tally| {
            tally.goes += 1;
            tally.is_erased |= is_erased;
        });
        Ok(())
    }

    fn tally_of(&self, seq: u64) -> Option<usize> {
        let index = self.tallies.partition_point(|tally| tally.first_seq <= seq).checked_sub(1)?;
        // Of what is gone with its segment nothing is counted.
        (seq <= self.tallies[index].last_seq || !self.tallies[index].is_sealed).then_some(index)
    }

    fn run_tally(&mut self, seq: u64, count: impl FnOnce(&mut RunTally)) {
        let index = self.runs.partition_point(|run| run.last_seq < seq);
        if let Some(run) = self.runs.get_mut(index) {
            count(run);
        }
    }

    fn tally(&mut self, seq: u64, count: impl FnOnce(&mut Tally)) {
        if let Some(index) = self.tally_of(seq) {
            count(&mut self.tallies[index]);
        }
    }
}

/// Whether a commit holds nothing but claims, and all of them go: what else it holds is counted by itself.
fn goes_with_its_claims(judging: &Judging<'_>, version: &Version) -> Result<bool, ReadError> {
    let seq = Seq(version.seq);
    // Its absence is told by what stands at its place.
    let Found::Frame(frame) = judging.shared.reader.frame(seq).map_err(ReadError::Corrupt)? else { return Ok(true) };
    let body = Body::parse(frame.body()).map_err(|error| judging.shared.unreadable(seq, &error))?;
    Ok(body.event_count() == 0 && !judging.claims_stay(seq, &body)?)
}

/// What stands in the log at the address of a version.
enum Stands {
    /// It was taken out.
    Nothing,
    /// An erasure, which stays for history.
    Erasure,
    Record,
}

fn what_stands_at(shared: &Shared, version: &Version) -> Result<Stands, ReadError> {
    let segments = shared.reader.segments();
    let found = match segments.find(Seq(version.seq)).map_err(ReadError::Corrupt)? {
        Found::Frame(found) => found.hold().map_err(ReadError::Corrupt)?,
        Found::Removed | Found::Ahead => return Ok(Stands::Nothing),
    };
    if version.is_claim_of_commit() {
        return Ok(Stands::Record);
    }
    let unreadable = |error: BodyError| ReadError::from(shared.unreadable(Seq(version.seq), &error));
    if place_of(found.body(), version.record).map_err(unreadable)?.is_none() {
        return Ok(Stands::Nothing);
    }
    match erased_at(found.body(), version.record) {
        Ok(_) => Ok(Stands::Erasure),
        Err(error) if error.what == BodyFault::Address => Ok(Stands::Record),
        Err(error) => Err(unreadable(error)),
    }
}

#[cfg(test)]
mod tests;
