//! Judging a commit: whether it repeats another; then, at its place in the order, fences, preconditions, and what its
//! deletes would take away.
//!
//! Invariant: the judge sees every commit before this one, those of the same batch included, and changes nothing.

use std::collections::HashMap;

use milepost_log::FRAME_HEADER_BYTES;
use milepost_types::{
    EventRef, Fence, Meta, Precondition, Receipt, ScopePrefix, Seq, Timestamp, Writer,
    body::{Body, BodyEncoder, BodyError, set_at},
    limits,
};

use super::Sealed;
use crate::{
    CommitError, Refusal,
    state::{FENCE, IDEMPOTENCY, Kind, Tiers, Version},
};

/// Gives the body of a commit, durable or still in this batch.
pub(crate) trait Bodies {
    /// Calls `read` with the body of the commit at `seq`, its `Seq` being known to exist.
    fn with_body<T>(
        &self,
        seq: Seq,
        read: impl FnOnce(Receipt, &[u8]) -> Result<T, BodyError>,
    ) -> Result<T, CommitError>;
}

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
    pub(crate) last: Seq,
    pub(crate) now: Timestamp,
}

/// The outcome of the commit that this one repeats, if it repeats one. Asked before it is given a place in the order:
/// it takes none.
pub(crate) fn repeated(tiers: &Tiers, bodies: &impl Bodies, commit: &Sealed) -> Result<Option<Receipt>, CommitError> {
    let Some(key) = &commit.meta.idempotency_key else { return Ok(None) };
    let Some(first) = tiers.first_claim(IDEMPOTENCY, key)? else { return Ok(None) };
    let (receipt, same) = bodies.with_body(first, |receipt, body| {
        let (first, again) = (Body::parse(body)?, Body::parse(&commit.bytes[FRAME_HEADER_BYTES..])?);
        Ok((receipt, first.content() == again.content()))
    })?;
    if same {
        return Ok(Some(receipt));
    }
    Err(refused(Refusal::IdempotencyConflict { key: key.to_owned(), first }))
}

impl<B: Bodies> Judge<'_, B> {
    pub(crate) fn judge(&self, commit: Sealed) -> Result<Verdict, CommitError> {
        for fence in &commit.meta.fences {
            self.fence(fence, commit.meta.writer.as_ref())?;
        }
        for precondition in &commit.preconditions {
            self.precondition(precondition)?;
        }
        // A commit with an idempotency key is kept to the byte, so that a repetition can be compared with it.
        if commit.takes_away && commit.meta.idempotency_key.is_none() {
            return self.without_dead_deletes(commit);
        }
        Ok(Verdict::Append(commit))
    }

    fn fence(&self, fence: &Fence, writer: Option<&Writer>) -> Result<(), CommitError> {
        let name = fence.scope.as_str();
        let Some(claim) = self.tiers.claim(FENCE, name, Seq::MAX)? else { return Ok(()) };
        let meta: Meta = self.bodies.with_body(Seq(claim.seq), |_, body| Body::parse(body)?.meta())?;
        let highest = meta.fences.iter().filter(|f| f.scope == fence.scope).map(|f| f.token).max().unwrap_or(0);
        let same_name = meta.writer.as_ref().map(Writer::name) == writer.map(Writer::name);
        if fence.token > highest || (fence.token == highest && same_name) {
            return Ok(());
        }
        let scope = fence.scope.clone();
        Err(refused(Refusal::Fenced { scope, token: fence.token, highest, holder: meta.writer }))
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
                let actual = self.tiers.scope_version(scope.as_str(), Seq::MAX)?;
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
        match self.tiers.find(scope, key, Seq::MAX)? {
            Some(version) if self.is_live(&version)? => Ok(Some(version)),
            _ => Ok(None),
        }
    }

    fn is_live(&self, version: &Version) -> Result<bool, CommitError> {
        match version.kind {
            Kind::Set => Ok(true),
            Kind::Delete | Kind::Claim => Ok(false),
            Kind::Expiring => self.bodies.with_body(Seq(version.seq), |_, body| {
                Ok(set_at(body, version.record)?.expires_at.is_none_or(|at| at > self.now))
            }),
        }
    }

    /// Whether any key of a scope is live that this commit itself has not decided about before.
    fn holds_any_beside(&self, scope: &str, overlay: &Overlay) -> Result<bool, CommitError> {
        if overlay.was_cleared(scope) || self.tiers.is_surely_empty(scope)? {
            return Ok(false);
        }
        let clear = self.tiers.last_clear(scope, Seq::MAX)?;
        let orders = self.tiers.key_orders(scope);
        let mut keys = self.tiers.keys(scope, &orders, "")?;
        while let Some(key) = keys.read_next()? {
            if overlay.get(scope, key).is_none()
                && let Some(version) = keys.seen(Seq::MAX, clear)?
                && self.is_live(&version)?
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Leaves out the deletes and clears that meet nothing: they are no events.
    fn without_dead_deletes(&self, mut commit: Sealed) -> Result<Verdict, CommitError> {
        let body = Body::parse(&commit.bytes[FRAME_HEADER_BYTES..]).map_err(|error| self.own_fault(&error))?;
        let mut kept = BodyEncoder::new(limits::VALUE_BYTES_CEILING);
        let mut overlay = Overlay::default();
        let mut events = body.events();
        while let Some(found) = events.next().map_err(|error| self.own_fault(&error))? {
            if self.takes_effect(&found.event, &mut overlay)? {
                kept.copy(&found.event)?;
            }
        }
        if kept.events() == body.event_count() as usize {
            return Ok(Verdict::Append(commit));
        }
        if kept.events() == 0 && commit.meta.fences.is_empty() {
            return Ok(Verdict::Nothing);
        }
        commit.bytes = kept.finish(&commit.meta, FRAME_HEADER_BYTES)?.bytes;
        commit.body_crc = crc32fast::hash(&commit.bytes[FRAME_HEADER_BYTES..]);
        Ok(Verdict::Append(commit))
    }

    fn takes_effect(&self, event: &EventRef<'_>, overlay: &mut Overlay) -> Result<bool, CommitError> {
        Ok(match *event {
            EventRef::Set { scope, key, expires_at, .. } => {
                overlay.put(scope, key, expires_at.is_none_or(|at| at > self.now));
                true
            }
            EventRef::Delete { scope, key } => {
                let live = match overlay.get(scope, key) {
                    Some(live) => live,
                    None => self.live(scope, key)?.is_some(),
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
                let mut live = overlay.any_live("", Some(&prefix));
                let mut scopes = self.tiers.scopes(&prefix)?;
                while let Some(name) = scopes.read_next()?.filter(|_| !live) {
                    live = self.holds_any_beside(name, overlay)?;
                }
                overlay.clear("", Some(&prefix));
                live
            }
            _ => true,
        })
    }

    fn own_fault(&self, error: &BodyError) -> CommitError {
        unreachable_body(self.last, error)
    }
}

/// What the events of one commit, up to some point, have done to keys.
#[derive(Debug, Default)]
struct Overlay {
    scopes: HashMap<String, HashMap<String, bool>>,
    cleared: Vec<(String, Option<ScopePrefix>)>,
}

impl Overlay {
    fn put(&mut self, scope: &str, key: &str, live: bool) {
        self.scopes.entry(scope.to_owned()).or_default().insert(key.to_owned(), live);
    }

    /// Whether the commit left the key live; `None` if it said nothing of it.
    fn get(&self, scope: &str, key: &str) -> Option<bool> {
        match self.scopes.get(scope).and_then(|keys| keys.get(key)) {
            Some(live) => Some(*live),
            None if self.was_cleared(scope) => Some(false),
            None => None,
        }
    }

    fn was_cleared(&self, scope: &str) -> bool {
        self.cleared.iter().any(|(name, prefix)| matches(scope, name, prefix.as_ref()))
    }

    fn any_live(&self, name: &str, prefix: Option<&ScopePrefix>) -> bool {
        self.scopes.iter().any(|(scope, keys)| matches(scope, name, prefix) && keys.values().any(|live| *live))
    }

    fn clear(&mut self, name: &str, prefix: Option<&ScopePrefix>) {
        self.scopes.retain(|scope, _| !matches(scope, name, prefix));
        self.cleared.push((name.to_owned(), prefix.cloned()));
    }
}

fn matches(scope: &str, name: &str, prefix: Option<&ScopePrefix>) -> bool {
    prefix.map_or(scope == name, |prefix| prefix.holds(scope))
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
