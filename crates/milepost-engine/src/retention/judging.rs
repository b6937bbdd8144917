//! [`Judging`]: what retention makes of the versions of a store, at one moment.
//!
//! Invariant: what it calls gone no read that the horizons allow can meet, no checkpoint, no fork and no pin.
//! What was said, pinned or forked after it was made can only name what it keeps: the horizons it was made with are in
//! force by then.

use milepost_types::{
    Seq, Timestamp,
    body::{Body, set_at},
};

use super::{
    Horizons, Rules,
    pins::Pinned,
    rule::{Fate, Wanted, fates},
    rules::idempotency_for_us,
};
use crate::{
    ReadError,
    engine::Shared,
    lineage::{Bodies, Lineage},
    state::{CHECKPOINT, ErasedOf, FENCE, FORK, IDEMPOTENCY, Kind, Mark, Tiers, Version, checkpoints_of},
};

/// What retention makes of the versions of a store.
pub(crate) struct Judging<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) tiers: &'a Tiers,
    pub(crate) rules: Rules,
    pub(crate) horizons: Horizons,
    pub(crate) pinned: Pinned,
    /// Idempotency keys that were used by this commit or an earlier one are forgotten, and so are the claims on what
    /// was erased by then.
    pub(super) forgotten: Seq,
    forks: Vec<Forked>,
    /// The last commit that forked anything.
    pub(super) forked_at: Seq,
}

/// That a scope reads through to another one.
#[derive(Debug)]
struct Forked {
    scope: String,
    place: Mark,
    origin: String,
    point: Seq,
}

/// What is wanted of the keys of a scope.
pub(crate) struct OfScope<'t> {
    asked: Asked,
    wanted: Wanted,
    clears: Vec<Mark>,
    /// The commit that says that a task goes on which had ended: what it did there stays.
    touched: Option<Seq>,
    erased: Option<ErasedOf<'t>>,
    /// The time of a view at the horizon: a value that has expired by then is seen by nobody.
    at: Timestamp,
}

/// How the keys of a scope are judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    /// By the rule.
    Rule,
    /// Each stays.
    All,
    /// The newest stays, until it is forgotten.
    Fence,
    /// Those behind a commit stay.
    Behind(Seq),
}

impl<'a> Judging<'a> {
    /// By what holds now. The horizons are those in force.
    pub(crate) fn now(shared: &'a Shared, tiers: &'a Tiers) -> Result<Judging<'a>, ReadError> {
        let rules = Rules::read(tiers, shared, shared.published())?;
        // The pins behind the horizons: whoever makes one looks at these afterwards.
        let horizons = (*shared.retention.horizons()).clone();
        Judging::new(shared, tiers, rules, horizons, shared.pins.pinned())
    }

    pub(crate) fn new(
        shared: &'a Shared,
        tiers: &'a Tiers,
        rules: Rules,
        horizons: Horizons,
        pinned: Pinned,
    ) -> Result<Judging<'a>, ReadError> {
        let forgotten = forgotten(shared, &rules, &pinned)?;
        // Before they are read: of one that comes meanwhile this knows nothing, and it may be among them.
        let forked_at = tiers.scope_version(FORK, Seq::MAX)?;
        let mut judging = Judging { shared, tiers, rules, horizons, pinned, forgotten, forks: Vec::new(), forked_at };
        if tiers.has_forks() {
            let lineage = Lineage { tiers, bodies: shared };
            let orders = tiers.key_orders(FORK);
            let mut names = tiers.keys(FORK, &orders, "")?;
            while names.read_next()?.is_some() {
                if let Some(fork) = lineage.fork(names.key(), Seq::MAX)? {
                    let scope = names.key().to_owned();
                    judging.forks.push(Forked { scope, place: fork.place, origin: fork.origin, point: fork.point });
                }
            }
        }
        Ok(judging)
    }

    /// What is wanted of a scope's keys.
    pub(crate) fn scope(&self, name: &str) -> Result<OfScope<'a>, ReadError> {
        let all = |asked| OfScope {
            asked,
            wanted: Wanted::default(),
            clears: Vec::new(),
            touched: None,
            erased: None,
            at: Timestamp::MIN,
        };
        if let Some(of) = name.strip_prefix(CHECKPOINT).and_then(|rest| rest.strip_prefix('/')) {
            let mut own = self.rule(of, false)?;
            // What was erased of a scope is its keys; a name stands for a commit.
            (own.clears, own.erased, own.wanted.forked) = (Vec::new(), None, None);
            return Ok(own);
        }
        Ok(match name {
            IDEMPOTENCY => all(Asked::Behind(self.forgotten)),
            FENCE => all(Asked::Fence),
            own if milepost_types::scope::is_reserved(own) => all(Asked::All),
            user => self.rule(user, true)?,
        })
    }

    fn rule(&self, name: &str, with_points: bool) -> Result<OfScope<'a>, ReadError> {
        let (policy, row) = (self.rules.policy_of(name), self.horizons.row_of(name));
        let is_held = self.rules.hold_of(name).is_some();
        let keeps_all = is_held || policy.is_none_or(|set| set.policy.keeps_everything());
        let mut wanted = Wanted {
            horizon: row.map_or(0, |row| row.seq.0),
            keep_last: policy.and_then(|set| set.policy.keep_last).unwrap_or(0),
            keep_from: if keeps_all { Some(0) } else { self.pinned.from },
            ..Wanted::default()
        };
        if with_points {
            wanted.points = self.points(name)?;
            wanted.forked = self.forks.iter().find(|fork| fork.scope == name).map(|fork| fork.place);
        }
        let clears = self.tiers.marks(name)?;
        let touched = if keeps_all { None } else { self.touched_since_end(name)? };
        let erased = if is_held { None } else { self.tiers.erased_of(name)? };
        let asked = if keeps_all && erased.is_none() { Asked::All } else { Asked::Rule };
        // A view at the horizon has the time of its commit, which the row's own may be behind.
        let at = row.map_or(Ok(None), |row| self.shared.reader.stamp_at_least(row.seq))?.unwrap_or(Timestamp::MIN);
        Ok(OfScope { asked, wanted, clears, touched, erased, at })
    }

    /// The commits as of which a scope is read whatever its horizon.
    fn points(&self, name: &str) -> Result<Vec<u64>, ReadError> {
        let mut points = self.pinned.points.clone();
        points.extend(self.forks.iter().filter(|fork| fork.origin == name).map(|fork| fork.point.0));
        let names_of = checkpoints_of(name);
        let orders = self.tiers.key_orders(&names_of);
        let mut names = self.tiers.keys(&names_of, &orders, "")?;
        while names.read_next()?.is_some() {
            // Also one whose release is on its way: it may be undone yet.
            for last in [self.shared.published(), Seq::MAX] {
                let seen = names.seen(last, None)?;
                points.extend(seen.filter(|version| version.kind == Kind::Claim).map(|version| version.seq));
            }
        }
        points.sort_unstable();
        points.dedup();
        Ok(points)
    }

    /// Whether a fork reads through to it.
    pub(super) fn is_origin(&self, name: &str) -> bool {
        self.forks.iter().any(|fork| fork.origin == name)
    }

    /// The fates of a key's versions, which are all that there are, oldest first.
    pub(crate) fn key(&self, of: &OfScope<'_>, key: &str, versions: &[Version]) -> Result<Vec<Fate>, ReadError> {
        let stays_if = |stays: bool| if stays { Fate::Stays } else { Fate::Gone };
        match of.asked {
            Asked::All => return Ok(vec![Fate::Stays; versions.len()]),
            Asked::Fence => {
                let newest = versions.last().map(|version| version.seq);
                let newest = if self.fence_is_forgotten(key, newest)? { None } else { newest };
                return Ok(versions.iter().map(|version| stays_if(Some(version.seq) == newest)).collect());
            }
            Asked::Behind(seq) => return Ok(versions.iter().map(|version| stays_if(version.seq > seq.0)).collect()),
            Asked::Rule => {}
        }
        let mut wanted = of.wanted.clone();
        wanted.erased = of.erased.as_ref().map_or(Ok(None), |erased| erased.mark(key))?;
        let mut fault = None;
        let mut has_expired = |version: &Version| match self.expiry(version) {
            Ok(expiry) => expiry.is_some_and(|expiry| expiry <= of.at),
            // The index knows of it still. Of what a read could meet, only what had expired went.
            Err(ReadError::Removed { .. }) => true,
            Err(error) => {
                fault = Some(error);
                false
            }
        };
        let mut fates = fates(versions, &of.clears, &wanted, &mut has_expired);
        if let Some(touched) = of.touched {
            let is_erased = |version: &Version| wanted.erased.is_some_and(|mark| mark.stands_after(version));
            let is_it = |version: &Version| version.seq == touched.0 && !is_erased(version);
            let own = versions.iter().zip(&mut fates).filter(|(version, _)| is_it(version));
            own.for_each(|(_, fate)| *fate = Fate::Stays);
        }
        fault.map_or(Ok(fates), Err)
    }

    /// Whether an idempotency key or a fence that a commit claimed is still to be known.
    pub(crate) fn claims_stay(&self, seq: Seq, body: &Body<'_>) -> Result<bool, ReadError> {
        if !body.has_claims() {
            return Ok(false);
        }
        let meta = body.meta().map_err(|error| self.shared.unreadable(seq, &error))?;
        let keys = meta.idempotency_key.iter().map(|key| (IDEMPOTENCY, key.as_str()));
        let fences = meta.fences.iter().map(|fence| (FENCE, fence.scope.as_str()));
        for (scope, key) in keys.chain(fences) {
            if self.claim_stays(scope, key, seq)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn claim_stays(&self, scope: &str, key: &str, seq: Seq) -> Result<bool, ReadError> {
        let versions = self.tiers.versions_ever(scope, key)?;
        let fates = self.key(&self.scope(scope)?, key, &versions)?;
        // One that the index does not know stays.
        let own = versions.iter().zip(fates).enumerate().find(|(_, (version, _))| version.seq == seq.0);
        Ok(own.is_none_or(|(index, (_, fate))| !fate.goes_at(index)))
    }

    /// The time as of which a horizon can first stand behind a moment: that of the first commit from then on, or the
    /// moment itself while there is none.
    pub(super) fn first_seen(&self, moment: Timestamp) -> Result<Timestamp, ReadError> {
        let before = self.shared.reader.seq_at(Timestamp(moment.0.saturating_sub(1))).map_err(ReadError::Corrupt)?;
        let next = Seq(before.0 + 1);
        if next <= self.shared.published() { self.shared.stamp(next) } else { Ok(moment) }
    }

    pub(super) fn expiry(&self, version: &Version) -> Result<Option<Timestamp>, ReadError> {
        self.shared.with_body(Seq(version.seq), |_, body| Ok(set_at(body, version.record)?.expires_at))
    }
}

/// The last commit whose idempotency key nobody asks for any more: whoever judges a repetition from now on does so by
/// the last commit there is by now, or by a later one.
fn forgotten(shared: &Shared, rules: &Rules, pinned: &Pinned) -> Result<Seq, ReadError> {
    if rules.holds_all() {
        return Ok(Seq::ZERO);
    }
    let remembered_us = idempotency_for_us(rules.root());
    let at = Timestamp(shared.published_at().0.saturating_sub_unsigned(remembered_us));
    let last = shared.reader.seq_at(at).map_err(ReadError::Corrupt)?;
    Ok(pinned.from.map_or(last, |from| last.min(Seq(from).prev())))
}

impl OfScope<'_> {
    /// Whether no version of it goes, whatever they are.
    pub(crate) fn keeps_all(&self) -> bool {
        self.asked == Asked::All
    }

    /// Whether a version was erased, so that its bytes have to go.
    pub(crate) fn is_erased(&self, key: &str, version: &Version) -> Result<bool, ReadError> {
        let mark = self.erased.as_ref().map_or(Ok(None), |erased| erased.mark(key))?;
        Ok(mark.is_some_and(|mark| mark.stands_after(version)))
    }

    /// The commits as of which it is read whatever its horizon.
    pub(crate) fn points(&self) -> &[u64] {
        &self.wanted.points
    }

    /// Every clear that meets it, oldest first.
    pub(crate) fn clears(&self) -> &[Mark] {
        &self.clears
    }
}
