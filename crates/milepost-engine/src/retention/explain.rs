//! [`Explanation`]: what retention makes of a place, and why.
//!
//! Invariant: it counts what the rule says, with the horizon where it would be put now. Nothing is changed.

use std::{collections::BTreeSet, ops::ControlFlow};

use milepost_types::{Policy, Receipt, ScopePrefix, Seq, Timestamp};

use super::{
    HoldSet, Horizon, Horizons, PolicySet, Rules,
    judging::Judging,
    rule::Fate,
    rules::{idempotency_for_us, is_at_or_below},
};
use crate::{
    Engine, ReadError,
    engine::Shared,
    state::{Kind, Mark, Version, prefixes_of},
};

/// What retention makes of a scope, or of all at and below a prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explanation {
    /// Where.
    pub place: ScopePrefix,
    /// The policy that speaks of it; none keeps everything.
    pub policy: Option<PolicySet>,
    /// Policies that speak of places below it instead.
    pub policies_below: Vec<PolicySet>,
    /// A hold that keeps everything whatever the policy says.
    pub hold: Option<HoldSet>,
    /// Holds on places below it.
    pub holds_below: Vec<HoldSet>,
    /// From where on its past can be read now; from the first commit if there is none.
    pub horizon: Option<Horizon>,
    /// From where on it could be read after a compaction now.
    pub next_horizon: Option<Horizon>,
    /// Scopes that there ever were.
    pub scopes: u64,
    /// Versions of their keys that are kept in the index.
    pub versions: u64,
    /// How many of them are not needed any more, or are of scopes that expire: a compaction takes them away.
    pub goes_now: u64,
    /// When the next version that is needed now will not be, if a time decides it and nothing changes. Of a value that
    /// expires, and behind whose expiry nothing was committed yet, at the earliest.
    pub next_goes_at: Option<Timestamp>,
    /// Tasks that have ended, and whose scopes expire for it.
    pub ended: u64,
    /// When the next of them expires: with the first compaction from then on.
    pub next_expires_at: Option<Timestamp>,
    /// How many of them a hold or a fork keeps, whatever the time.
    pub ended_kept: u64,
    /// A task above it that has ended, if anything may expire for that.
    pub ended_above: Option<EndedAbove>,
    /// Values that were erased, and whose bytes a hold keeps in the files until it is released.
    pub erased_held: u64,
    /// Points before the horizon that stay: checkpoints, forks, open views.
    pub points: u64,
    /// For how long idempotency keys are remembered, in microseconds: those of the whole store.
    pub idempotency_for_us: u64,
}

/// A task above a place that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EndedAbove {
    /// Its scope.
    pub task: ScopePrefix,
    /// When the place goes for it, or the first of the scopes below: with the first compaction from then on. None of
    /// them if a policy of their own, a hold or a fork keeps them.
    pub expires_at: Option<Timestamp>,
}

impl Engine {
    /// The policies, in the order of their prefixes.
    pub fn policies(&self) -> Result<Vec<PolicySet>, ReadError> {
        Ok(self.rules()?.policies)
    }

    /// The holds, in the order of their prefixes.
    pub fn holds(&self) -> Result<Vec<HoldSet>, ReadError> {
        Ok(self.rules()?.holds)
    }

    /// From where on the past of each place can be read, where that is not from the first commit on, or not as of the
    /// place around it.
    #[must_use]
    pub fn horizons(&self) -> Vec<Horizon> {
        let horizons = self.shared().retention.horizons();
        let is_around = |row: &Horizon, of: &Horizon| is_at_or_below(of.prefix.as_str(), &row.prefix);
        let says_much =
            |row: &&Horizon| horizons.rows().iter().any(|other| other.seq > Seq::ZERO && is_around(other, row));
        horizons.rows().iter().filter(says_much).cloned().collect()
    }

    fn rules(&self) -> Result<Rules, ReadError> {
        let shared = self.shared();
        shared.may_read()?;
        let last = shared.published();
        Rules::read(&shared.state.pin(), &**shared, last)
    }

    /// What retention makes of all at and below a prefix.
    pub fn explain(&self, place: &ScopePrefix) -> Result<Explanation, ReadError> {
        let shared = self.shared();
        let rules = self.rules()?;
        let last = self.last();
        let horizons = shared.next_horizons(&rules, last, shared.now())?;
        let is_below = |prefix: &ScopePrefix| prefix != place && is_at_or_below(prefix.as_str(), place);
        let found = |horizons: &Horizons| horizons.row_of(place.as_str()).filter(|row| row.seq > Seq::ZERO).cloned();
        let mut told = Explanation {
            place: place.clone(),
            policy: rules.policy_of(place.as_str()).cloned(),
            policies_below: rules.policies.iter().filter(|set| is_below(&set.prefix)).cloned().collect(),
            hold: rules.hold_of(place.as_str()).cloned(),
            holds_below: rules.holds.iter().filter(|hold| is_below(&hold.prefix)).cloned().collect(),
            horizon: found(&shared.retention.horizons()),
            next_horizon: found(&horizons),
            scopes: 0,
            versions: 0,
            goes_now: 0,
            next_goes_at: None,
            ended: 0,
            next_expires_at: None,
            ended_kept: 0,
            ended_above: None,
            erased_held: 0,
            points: 0,
            idempotency_for_us: idempotency_for_us(rules.root()),
        };
        let tiers = shared.state.pin();
        let judging = Judging::new(shared, &tiers, rules, horizons, shared.pins.pinned())?;
        let mut names = Vec::new();
        shared.lineage(&tiers).each_scope(place, &mut |scope| {
            names.push(scope.to_owned());
            Ok(ControlFlow::Continue(()))
        })?;
        let (mut due, now) = (BTreeSet::new(), shared.now());
        let above = prefixes_of(place.as_str()).filter(|scope| !scope.is_empty() && *scope != place.as_str());
        for task in above.chain(names.iter().map(String::as_str)) {
            if let Some(ended) = judging.ended(task)? {
                due.extend(ended.due(now).map(str::to_owned));
            }
        }
        for scope in names {
            told.count(&judging, &scope, due.contains(&scope))?;
        }
        told.ended_above = ended_above(&judging, place)?;
        Ok(told)
    }
}

impl Explanation {
    fn count(&mut self, judging: &Judging<'_>, scope: &str, expires: bool) -> Result<(), ReadError> {
        let of = judging.scope(scope)?;
        let horizon = judging.horizons.of(scope).0;
        self.scopes += 1;
        if let Some(ended) = judging.ended(scope)? {
            self.ended += 1;
            self.ended_kept += u64::from(ended.is_kept);
            let next = ended.expires_at(&ScopePrefix::root());
            self.next_expires_at = self.next_expires_at.into_iter().chain(next).min();
        }
        let is_held = judging.rules.hold_of(scope).is_some();
        let erased = if is_held { judging.tiers.erased_of(scope)? } else { None };
        self.points += of.points().iter().filter(|point| **point < horizon).count() as u64;
        let policy = judging.rules.policy_of(scope).map(|set| set.policy).filter(|_| !of.keeps_all());
        let orders = judging.tiers.key_orders(scope);
        let mut keys = judging.tiers.keys(scope, &orders, "")?;
        while keys.read_next()?.is_some() {
            let versions = keys.versions_ever()?;
            let fates = judging.key(&of, keys.key(), &versions)?;
            self.versions += versions.len() as u64;
            self.goes_now += fates.iter().filter(|fate| expires || **fate != Fate::Stays).count() as u64;
            if let Some(erased) = &erased {
                self.erased_held += judging.left_before(erased.mark(keys.key())?, &versions)?;
            }
            if let Some(policy) = policy.filter(|_| !expires) {
                self.soonest(judging, &policy, (of.clears(), &versions, &fates))?;
            }
        }
        Ok(())
    }

    /// The time at which the first of the versions that stay is not needed any more.
    fn soonest(
        &mut self,
        judging: &Judging<'_>,
        policy: &Policy,
        (clears, versions, fates): (&[Mark], &[Version], &[Fate]),
    ) -> Result<(), ReadError> {
        let (Some(keep_for), keep_last) = (policy.keep_for_us, policy.keep_last.unwrap_or(0)) else { return Ok(()) };
        let mut newer = versions.iter().filter(|version| version.kind != Kind::Delete).count() as u64;
        for (index, (version, fate)) in versions.iter().zip(fates).enumerate() {
            newer -= u64::from(version.kind != Kind::Delete);
            if *fate != Fate::Stays {
                continue;
            }
            // What a number keeps goes with the key.
            let last = if newer < keep_last { versions.len() - 1 } else { index };
            let at = judging.end_of(clears, versions, last)?;
            if let Some(at) = at {
                let goes = Timestamp(at.0.saturating_add_unsigned(keep_for));
                self.next_goes_at = Some(self.next_goes_at.map_or(goes, |soonest| soonest.min(goes)));
                break;
            }
        }
        Ok(())
    }
}

impl Judging<'_> {
    /// The time from which on nothing shows a version, as far as it is known.
    fn end_of(&self, clears: &[Mark], versions: &[Version], index: usize) -> Result<Option<Timestamp>, ReadError> {
        let version = &versions[index];
        let next = versions.get(index + 1).map(|next| next.seq);
        let clear = clears.iter().find(|clear| clear.stands_after(version)).map(|clear| clear.seq);
        let end = next.into_iter().chain(clear).min().or((version.kind == Kind::Delete).then_some(version.seq));
        match end {
            Some(end) => self.shared.stamp(Seq(end)).map(Some),
            None if version.kind == Kind::Expiring => match self.expiry(version) {
                // The index knows of it still, and it is gone.
                Err(ReadError::Removed { .. }) => Ok(None),
                expiry => expiry?.map(|expiry| self.first_seen(expiry)).transpose(),
            },
            None => Ok(None),
        }
    }

    /// How many values before an erasure are in the log still.
    fn left_before(&self, erased: Option<Mark>, versions: &[Version]) -> Result<u64, ReadError> {
        let is_erased =
            |version: &&Version| version.kind != Kind::Delete && erased.is_some_and(|mark| mark.stands_after(version));
        let mut left = 0;
        for version in versions.iter().filter(is_erased) {
            left += match self.expiry(version) {
                Err(ReadError::Removed { .. }) => 0,
                there => there.map(|_| 1)?,
            };
        }
        Ok(left)
    }
}

/// The task above a place that has ended, the one for which it goes first.
fn ended_above(judging: &Judging<'_>, place: &ScopePrefix) -> Result<Option<EndedAbove>, ReadError> {
    let mut found: Option<EndedAbove> = None;
    for scope in prefixes_of(place.as_str()).filter(|scope| !scope.is_empty() && *scope != place.as_str()) {
        let Some(ended) = judging.ended(scope)? else { continue };
        let task = ScopePrefix::parse(scope).expect("a prefix of one that was checked");
        let next = EndedAbove { task, expires_at: ended.expires_at(place) };
        let is_sooner = |than: &EndedAbove| match (next.expires_at, than.expires_at) {
            (Some(at), Some(than)) => at < than,
            (at, None) => at.is_some(),
            (None, Some(_)) => false,
        };
        if found.as_ref().is_none_or(is_sooner) {
            found = Some(next);
        }
    }
    Ok(found)
}

impl Shared {
    /// Where the horizons would be put at a time, by these rules. Places under a hold stay where they are.
    pub(crate) fn next_horizons(&self, rules: &Rules, last: Receipt, now: Timestamp) -> Result<Horizons, ReadError> {
        let mut horizons = (*self.retention.horizons()).clone();
        rules.policies.iter().for_each(|set| horizons.add(&set.prefix));
        rules.holds.iter().for_each(|hold| horizons.add(&hold.prefix));
        let mut fault = None;
        horizons.advance(|prefix| {
            if rules.hold_of(prefix.as_str()).is_some() {
                return None;
            }
            let policy = rules.policy_of(prefix.as_str())?.policy;
            match (policy.keep_for_us, policy.keep_last) {
                (None, None) => None,
                (None, Some(_)) => Some((last.seq, last.at)),
                (Some(keep_for), _) => {
                    let at = Timestamp(now.0.saturating_sub_unsigned(keep_for));
                    match self.reader.seq_at(at) {
                        Ok(seq) => Some((seq.min(last.seq), at)),
                        Err(corruption) => {
                            fault = Some(corruption);
                            None
                        }
                    }
                }
            }
        });
        fault.map_or(Ok(horizons), |corruption| Err(corruption.into()))
    }
}
