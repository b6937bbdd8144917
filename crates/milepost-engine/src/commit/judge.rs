//! Judging a commit: whether it repeats another; then, at its place in the order, fences, preconditions, and what its
//! deletes would take away.
//!
//! Invariant: the judge sees every commit before this one, those of the same batch included, and changes nothing.

mod overlay;
mod told;

use std::ops::ControlFlow;

use milepost_types::{
    EventRef, Fence, Meta, Precondition, Receipt, Scope, ScopePrefix, Seq, Timestamp, Writer,
    body::{Body, BodyEncoder, BodyError, set_at},
    limits,
};

use super::{Sealed, Unerased};
use crate::{
    CommitError, NoFork, Refusal,
    lineage::{Bodies, Lineage},
    retention::{Horizons, idempotency_for_us, root_policy},
    state::{FENCE, IDEMPOTENCY, Kind, Tiers, Version, checkpoints_of},
};
use overlay::Overlay;

/// What the judge says.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// Append it.
    Append(Sealed),
    /// It would change nothing: append nothing.
    Nothing,
}

/// A commit's place: as if every commit through `last` had been made, at the time `now`.
#[derive(Debug)]
pub(crate) struct Judge<'a, B> {
    pub(crate) tiers: &'a Tiers,
    pub(crate) bodies: &'a B,
    pub(crate) horizons: &'a Horizons,
    pub(crate) last: Receipt,
    pub(crate) now: Timestamp,
}

/// The outcome of the commit that this one repeats, if it repeats one. Asked before it is given a place in the order:
/// it takes none.
///
/// A key is forgotten by the stamps of commits, `last` being the newest, and by no clock: so the answer is the same
/// whether or not compaction has taken the commit, here and in every copy, and a clock that is wrong has no say in it.
pub(crate) fn repeated<B: Bodies<Error = CommitError>>(
    tiers: &Tiers,
    bodies: &B,
    last: Timestamp,
    commit: &Sealed,
) -> Result<Option<Receipt>, CommitError> {
    let Some(key) = &commit.meta.idempotency_key else { return Ok(None) };
    // Of several the newest: it was made when those before it were forgotten.
    let mut next = tiers.claim(IDEMPOTENCY, key, Seq::MAX)?;
    while let Some(claim) = next {
        let first = Seq(claim.seq);
        let found = bodies.with_body(first, |receipt, body| {
            let (first, again) = (Body::parse(body)?, Body::parse(&commit.body)?);
            Ok((receipt, first.holds_the_same(&again)))
        });
        let (receipt, same) = match found {
            // It was forgotten, and the index knows of it still. One that was made anew knows those that are left: they
            // are asked, as keys may be remembered for longer since.
            Err(CommitError::Removed { .. }) => {
                next = tiers.claim(IDEMPOTENCY, key, first.prev())?;
                continue;
            }
            found => found?,
        };
        let remembered_us = idempotency_for_us(root_policy(tiers, bodies)?.as_ref());
        if receipt.at <= Timestamp(last.0.saturating_sub_unsigned(remembered_us)) {
            return Ok(None);
        }
        if same {
            return Ok(Some(receipt));
        }
        return Err(refused(Refusal::IdempotencyConflict { key: key.to_owned(), first }));
    }
    Ok(None)
}

impl<B: Bodies<Error = CommitError>> Judge<'_, B> {
    pub(crate) fn judge(&self, commit: Sealed) -> Result<Verdict, CommitError> {
        for fence in &commit.meta.fences {
            self.fence(fence, commit.meta.writer.as_ref())?;
        }
        for precondition in &commit.preconditions {
            self.precondition(precondition)?;
        }
        if let Some(Unerased { scope, point, known }) = commit.unerased.as_deref()
            && self.lineage().is_any_erased_since(scope.as_str(), *point, *known)?
        {
            return Err(refused(Refusal::Erased { since: *known }));
        }
        if commit.only_asks {
            return Ok(Verdict::Nothing);
        }
        // A commit with an idempotency key is kept to the byte, so that a repetition can be compared with it.
        let is_kept_whole = commit.meta.idempotency_key.is_some();
        if commit.forks || (commit.takes_away && !is_kept_whole) {
            return self.events(commit, is_kept_whole);
        }
        Ok(Verdict::Append(commit))
    }

    fn lineage(&self) -> Lineage<'_, B> {
        Lineage { tiers: self.tiers, bodies: self.bodies }
    }

    fn fence(&self, fence: &Fence, writer: Option<&Writer>) -> Result<(), CommitError> {
        let name = fence.scope.as_str();
        let Some(meta) = self.claimed(name)? else { return Ok(()) };
        let highest = meta.fences.iter().filter(|f| f.scope == fence.scope).map(|f| f.token).max().unwrap_or(0);
        let same_name = meta.writer.as_ref().map(Writer::name) == writer.map(Writer::name);
        if fence.token > highest || (fence.token == highest && same_name) {
            return Ok(());
        }
        let scope = fence.scope.clone();
        let (token, writer) = (fence.token, writer.cloned());
        Err(refused(Refusal::Fenced { scope, token, writer, highest, holder: meta.writer }))
    }

    /// What the commit says that last claimed a scope, if it is not forgotten.
    fn claimed(&self, scope: &str) -> Result<Option<Meta>, CommitError> {
        let mut next = self.tiers.claim(FENCE, scope, Seq::MAX)?;
        while let Some(claim) = next {
            if self.is_forgotten(scope, &claim)? {
                break;
            }
            match self.bodies.with_body(Seq(claim.seq), |_, body| Body::parse(body)?.meta()) {
                // It was forgotten, and is remembered for longer since: the index knows of it still. One that was made
                // anew knows those that are left.
                Err(CommitError::Removed { .. }) => next = self.tiers.claim(FENCE, scope, Seq(claim.seq).prev())?,
                meta => return meta.map(Some),
            }
        }
        Ok(None)
    }

    /// Whether a scope was erased behind the newest claim on it, for so long that nobody asks for the claim any more:
    /// as with idempotency keys, by the stamps of commits.
    fn is_forgotten(&self, scope: &str, claim: &Version) -> Result<bool, CommitError> {
        let Some(erased) = self.tiers.erased_behind(scope, claim.seq)? else { return Ok(false) };
        let at = match self.bodies.with_body(erased, |receipt, _| Ok(receipt.at)) {
            // An erasure goes no sooner than the claims before it.
            Err(CommitError::Removed { .. }) => return Ok(true),
            at => at?,
        };
        let remembered_us = idempotency_for_us(root_policy(self.tiers, self.bodies)?.as_ref());
        Ok(at <= Timestamp(self.last.at.0.saturating_sub_unsigned(remembered_us)))
    }

    fn precondition(&self, precondition: &Precondition) -> Result<(), CommitError> {
        let (holds, actual) = match precondition {
            Precondition::KeyAbsent { scope, key } => {
                let live = self.live(scope.as_str(), key.as_str())?;
                (live.is_none(), live.map(|version| Seq(version.seq)))
            }
            Precondition::KeyAt { scope, key, seq } => {
                let actual = self.live(scope.as_str(), key.as_str())?.map(|version| Seq(version.seq));
                (actual == Some(*seq), actual)
            }
            Precondition::ScopeAt { scope, seq } => {
                let actual = self.lineage().scope_version(scope.as_str(), Seq::MAX)?;
                (actual == *seq, Some(actual).filter(|seq| *seq != Seq::ZERO))
            }
            Precondition::ValueBelow { scope, key, bound } => match self.live(scope.as_str(), key.as_str())? {
                None => (true, None),
                Some(version) => {
                    let seq = Seq(version.seq);
                    let below = self
                        .bodies
                        .with_body(seq, |_, body| Ok(set_at(body, version.record)?.value < bound.as_slice()))?;
                    (below, Some(seq))
                }
            },
        };
        if holds {
            return Ok(());
        }
        Err(refused(Refusal::Precondition { failed: precondition.clone(), actual }))
    }

    /// The version of a key that is there now and has not expired.
    fn live(&self, scope: &str, key: &str) -> Result<Option<Version>, CommitError> {
        self.live_as_of(scope, key, Seq::MAX)
    }

    /// The version of a key that was there after the commit at `seq` and has not expired now.
    fn live_as_of(&self, scope: &str, key: &str, seq: Seq) -> Result<Option<Version>, CommitError> {
        match self.lineage().find(scope, key, seq)? {
            Some(version) if self.is_live(&version)? => Ok(Some(version)),
            _ => Ok(None),
        }
    }

    fn is_live(&self, version: &Version) -> Result<bool, CommitError> {
        match version.kind {
            Kind::Set => Ok(true),
            Kind::Delete | Kind::Claim => Ok(false),
            Kind::Expiring => {
                let expiry =
                    self.bodies.with_body(Seq(version.seq), |_, body| Ok(set_at(body, version.record)?.expires_at));
                match expiry {
                    Ok(expiry) => Ok(expiry.is_none_or(|at| at > self.now)),
                    // It had expired, and compaction took it. The index knows of it still.
                    Err(CommitError::Removed { .. }) => Ok(false),
                    Err(error) => Err(error),
                }
            }
        }
    }

    /// Whether any key of a scope is live that this commit itself has not decided about before.
    fn holds_any_beside(&self, scope: &str, overlay: &Overlay) -> Result<bool, CommitError> {
        let line = match overlay.fork_of(scope) {
            Some((origin, point)) => self.lineage().line(origin, point)?,
            None if overlay.was_cleared(scope) || self.lineage().is_surely_empty(scope)? => return Ok(false),
            None => self.lineage().line(scope, Seq::MAX)?,
        };
        let mut keys = line.keys(self.tiers, "")?;
        while let Some(key) = keys.read_next()? {
            if overlay.get(scope, key).is_none()
                && let Some(version) = keys.seen()?
                && self.is_live(&version)?
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Refuses forks that can't be, and leaves out the deletes, clears and releases that meet nothing, unless the
    /// commit is kept whole: they are no events.
    fn events(&self, mut commit: Sealed, is_kept_whole: bool) -> Result<Verdict, CommitError> {
        let body = Body::parse(&commit.body).map_err(|error| self.own_fault(&error))?;
        let mut kept = BodyEncoder::new(limits::VALUE_BYTES_CEILING);
        let mut overlay = Overlay::default();
        let mut events = body.events();
        while let Some(found) = events.next().map_err(|error| self.own_fault(&error))? {
            if self.takes_effect(&found.event, &mut overlay)? && !is_kept_whole {
                kept.copy(&found.event)?;
            }
        }
        if is_kept_whole || kept.events() == body.event_count() as usize {
            return Ok(Verdict::Append(commit));
        }
        if kept.events() == 0 && commit.meta.fences.is_empty() {
            return Ok(Verdict::Nothing);
        }
        commit.body = kept.finish(&commit.meta)?;
        commit.body_crc = crc32fast::hash(&commit.body);
        Ok(Verdict::Append(commit))
    }

    fn takes_effect(&self, event: &EventRef<'_>, overlay: &mut Overlay) -> Result<bool, CommitError> {
        Ok(match *event {
            EventRef::Set { scope, key, expires_at, .. } => {
                overlay.put(scope, key, expires_at.is_none_or(|at| at > self.now));
                true
            }
            EventRef::Delete { scope, key } => {
                let live = match (overlay.get(scope, key), overlay.fork_of(scope)) {
                    (Some(live), _) => live,
                    (None, Some((origin, point))) => self.live_as_of(origin, key, point)?.is_some(),
                    (None, None) => self.live(scope, key)?.is_some(),
                };
                overlay.put(scope, key, false);
                live
            }
            EventRef::Clear { scope } => {
                let prefix = None;
                let live = overlay.any_live(scope, prefix) || self.holds_any_beside(scope, overlay)?;
                overlay.clear(scope, prefix);
                live
            }
            EventRef::ClearPrefix { prefix: text } => {
                let prefix = ScopePrefix::parse(text)?;
                let live = overlay.any_live("", Some(&prefix)) || self.holds_any_within(&prefix, overlay)?;
                overlay.clear("", Some(&prefix));
                live
            }
            EventRef::Checkpoint { scope, name, .. } => {
                overlay.put(&checkpoints_of(scope), name, true);
                true
            }
            EventRef::Release { scope, name } => {
                let names = checkpoints_of(scope);
                let is_there = match overlay.get(&names, name) {
                    Some(is_there) => is_there,
                    None => self.tiers.claim(&names, name, Seq::MAX)?.is_some(),
                };
                overlay.put(&names, name, false);
                is_there
            }
            EventRef::Fork { scope, origin, point } => {
                self.fork(scope, origin, point, overlay)?;
                overlay.fork(scope, origin, point);
                true
            }
            EventRef::Retain { .. }
            | EventRef::Unretain { .. }
            | EventRef::Hold { .. }
            | EventRef::Unhold { .. }
            | EventRef::Erase { .. }
            | EventRef::EraseScope { .. }
            | EventRef::ErasePrefix { .. } => self.told(event, overlay)?,
        })
    }

    /// The same of all scopes at and below a prefix.
    fn holds_any_within(&self, prefix: &ScopePrefix, overlay: &Overlay) -> Result<bool, CommitError> {
        for scope in overlay.forked_within(prefix) {
            if self.holds_any_beside(scope, overlay)? {
                return Ok(true);
            }
        }
        let mut live = false;
        self.lineage().each_scope(prefix, &mut |scope| {
            live = self.holds_any_beside(scope, overlay)?;
            Ok(if live { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        Ok(live)
    }

    /// Whether the forks of a commit that was made before can be followed: each to an earlier commit, and not too far.
    pub(crate) fn recorded_forks(&self, commit: &Sealed) -> Result<(), CommitError> {
        let body = Body::parse(&commit.body).map_err(|error| self.own_fault(&error))?;
        let mut events = body.events();
        while let Some(found) = events.next().map_err(|error| self.own_fault(&error))? {
            if let EventRef::Fork { scope, origin, point } = found.event
                && let Some(why) = self.no_path(scope, origin, point)?
            {
                return Err(refused(Refusal::Fork { scope: Scope::from_stored(scope)?, why }));
            }
        }
        Ok(())
    }

    fn no_path(&self, scope: &str, origin: &str, point: Seq) -> Result<Option<NoFork>, CommitError> {
        Ok(if scope == origin {
            Some(NoFork::Itself)
        } else if point > self.last.seq {
            Some(NoFork::PointAhead { point, last: self.last.seq })
        } else if self.lineage().depth(origin, point)? >= limits::FORK_DEPTH_MAX {
            Some(NoFork::TooDeep { origin: Scope::from_stored(origin)? })
        } else {
            None
        })
    }

    /// Whether a scope can begin as another one was.
    fn fork(&self, scope: &str, origin: &str, point: Seq, overlay: &Overlay) -> Result<(), CommitError> {
        let lineage = self.lineage();
        let no_path = self.no_path(scope, origin, point)?;
        let why = if let Some(why @ (NoFork::Itself | NoFork::PointAhead { .. })) = no_path {
            why
        } else if let Some(fork) = lineage.fork(scope, Seq::MAX)? {
            NoFork::IsFork { since: Seq(fork.place.seq) }
        } else if overlay.is_fork(scope) {
            NoFork::IsFork { since: self.last.seq.next().unwrap_or(Seq::MAX) }
        } else if overlay.any_live(scope, None) || self.holds_any_beside(scope, overlay)? {
            NoFork::HasState { version: lineage.scope_version(scope, Seq::MAX)? }
        } else if let Some(why) = no_path {
            why
        } else if let Some(horizon) = self.is_before_horizon(origin, point)? {
            NoFork::BeforeHorizon { origin: Scope::from_stored(origin)?, point, horizon }
        } else if !lineage.any_key(origin, point, &mut |key| Ok(self.live_as_of(origin, key, point)?.is_some()))? {
            let version = lineage.scope_version(origin, Seq::MAX)?;
            NoFork::NoKeys { origin: Scope::from_stored(origin)?, point, version }
        } else {
            return Ok(());
        };
        Err(refused(Refusal::Fork { scope: Scope::from_stored(scope)?, why }))
    }

    /// From where on a scope's past is kept, if a point is before that and no checkpoint keeps it.
    fn is_before_horizon(&self, origin: &str, point: Seq) -> Result<Option<Seq>, CommitError> {
        let horizon = self.horizons.of(origin);
        if point >= horizon {
            return Ok(None);
        }
        // The release of a checkpoint may be lost.
        if self.tiers.is_any_lost_since(point)? {
            return Ok(Some(horizon));
        }
        let names_of = checkpoints_of(origin);
        let orders = self.tiers.key_orders(&names_of);
        let mut names = self.tiers.keys(&names_of, &orders, "")?;
        while names.read_next()?.is_some() {
            let seen = names.seen(Seq::MAX, None)?.filter(|version| version.kind == Kind::Claim);
            if seen.is_some_and(|version| version.seq == point.0) {
                return Ok(None);
            }
        }
        Ok(Some(horizon))
    }

    fn own_fault(&self, error: &BodyError) -> CommitError {
        unreachable_body(self.last.seq, error)
    }
}

fn refused(refusal: Refusal) -> CommitError {
    CommitError::Refused(Box::new(refusal))
}

/// A body that this process encoded itself and can't read: a defect, told like damage so that nothing is lost by it.
pub(crate) fn unreachable_body(seq: Seq, error: &BodyError) -> CommitError {
    CommitError::Corrupt(milepost_types::Corruption {
        file: "(a commit not yet written)".into(),
        offset: error.offset as u64,
        seq: seq.next(),
        what: error.to_string(),
    })
}
