//! Tasks that have ended: when their scopes expire, and what keeps them.
//!
//! A task says that it has ended by a value under [`ENDED_KEY`] of its scope, in a commit of its own: who said so, and
//! when, is history. It holds for as long as nothing else is committed at or below the scope, and no attempt claims it:
//! whoever works on goes on, without having to take anything back.
//!
//! What has expired is erased, not cleared: no moment shows it, so no horizon has to stand for each task. Of the scopes
//! below a task each goes so long after the end as the policy says that speaks of it, or stays. Where the end itself
//! stands is erased with the last of them, or nobody would know any more when they go.
//!
//! Invariant: nothing expires that is held, or that a fork reads through to, or that another policy keeps, or that was
//! touched since its end was seen: the commit is made on the condition that it was not.

use std::ops::ControlFlow;

use milepost_types::{CheckpointName, Precondition, Scope, ScopePrefix, Seq, Timestamp, Writer, limits};

use super::judging::Judging;
use crate::{
    CommitError, ReadError, Request,
    state::{FENCE, Kind, checkpoints_of},
};

/// The key under which a task says that it has ended.
pub const ENDED_KEY: &str = ".task/end";

/// The name under which retention itself writes.
pub(crate) const RETENTION_WRITER: &str = "retention";

/// A task that has ended, and for which something expires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    /// Whether a hold or a fork keeps it, whatever the time.
    pub(crate) is_kept: bool,
    /// The commit that says so: the last one that touched its scope.
    at: Seq,
    /// Scopes that go for it, in order.
    going: Vec<Going>,
    /// Those that no policy lets go, each with the last commit that touched it.
    staying: Vec<(String, Seq)>,
}

/// A scope that goes for a task's end.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Going {
    name: String,
    touched: Seq,
    expires_at: Timestamp,
}

impl Ended {
    /// When the next of its scopes at and below a prefix goes; `None` if none of them does.
    pub(crate) fn expires_at(&self, place: &ScopePrefix) -> Option<Timestamp> {
        let within = self.going.iter().filter(|going| place.holds(&going.name));
        within.map(|going| going.expires_at).min().filter(|_| !self.is_kept)
    }
}

impl Judging<'_> {
    /// Whether the task of a scope has ended, and what follows from that.
    pub(crate) fn ended(&self, scope: &str) -> Result<Option<Ended>, ReadError> {
        if !self.rules.expires_within(scope) {
            return Ok(None);
        }
        let last = self.shared.published();
        let mark = self.tiers.find(scope, ENDED_KEY, last)?;
        let Some(mark) = mark.filter(|mark| matches!(mark.kind, Kind::Set | Kind::Expiring)) else { return Ok(None) };
        if self.tiers.claim(FENCE, scope, last)?.is_some_and(|claim| claim.seq > mark.seq) {
            return Ok(None);
        }
        let Ok(prefix) = ScopePrefix::parse(scope) else { return Ok(None) };
        let lineage = self.shared.lineage(self.tiers);
        let at = self.shared.stamp(Seq(mark.seq))?;
        let mut ended = Ended { is_kept: false, at: Seq(mark.seq), going: Vec::new(), staying: Vec::new() };
        let mut goes_on = false;
        lineage.each_scope(&prefix, &mut |name| {
            let touched = lineage.scope_version(name, last)?;
            if touched.0 > mark.seq {
                // What went before for an end, its own or this one, is no work that goes on.
                goes_on = !self.has_expired_by(name, touched)?;
                return Ok(if goes_on { ControlFlow::Break(()) } else { ControlFlow::Continue(()) });
            }
            let name = name.to_owned();
            match self.rules.policy_of(&name).and_then(|set| set.policy.expire_ended_us) {
                Some(after) => {
                    ended.is_kept |= self.rules.hold_of(&name).is_some() || self.is_origin(&name);
                    let expires_at = Timestamp(at.0.saturating_add_unsigned(after));
                    ended.going.push(Going { name, touched, expires_at });
                }
                None => ended.staying.push((name, touched)),
            }
            Ok(ControlFlow::Continue(()))
        })?;
        if goes_on || ended.going.is_empty() {
            return Ok(None);
        }
        let last_of_all = ended.going.iter().map(|going| going.expires_at).max();
        if let (Some(own), Some(at)) = (ended.going.iter_mut().find(|going| going.name == scope), last_of_all) {
            own.expires_at = at;
        }
        Ok(Some(ended))
    }

    /// Whether the commit that touched a scope last was an expiry of it.
    fn has_expired_by(&self, name: &str, touched: Seq) -> Result<bool, ReadError> {
        let erased = self.tiers.erased_of(name)?.and_then(|erased| erased.whole());
        erased.filter(|mark| mark.seq == touched.0).map_or(Ok(false), |mark| self.is_own(mark))
    }

    /// The commits that let go what of it has expired by now, in order, on the condition that nothing was committed
    /// there since. One alone, but for a task of very many scopes of which not all go at once.
    pub(crate) fn expiries_of(&self, scope: &str, ended: &Ended, now: Timestamp) -> Result<Vec<Request>, ExpiryError> {
        let (due, later): (Vec<&Going>, Vec<&Going>) = ended.going.iter().partition(|going| going.expires_at <= now);
        if due.is_empty() || ended.is_kept {
            return Ok(Vec::new());
        }
        let later = later.into_iter().map(|going| (going.name.as_str(), going.touched));
        let others: Vec<(&str, Seq)> =
            later.chain(ended.staying.iter().map(|(name, touched)| (name.as_str(), *touched))).collect();
        // So many conditions a commit can have.
        if due.len() + others.len() <= limits::PRECONDITIONS_MAX {
            return Ok(vec![self.expiry_of(&due, &others, None)?]);
        }
        if others.is_empty() {
            return Ok(vec![self.expiry_of(&due, &others, Some(scope))?]);
        }
        // The end itself stays until all that goes for it has gone: after a crash the rest is found by it.
        let (own, below): (Vec<&Going>, Vec<&Going>) = due.into_iter().partition(|going| going.name == scope);
        let chunks = below.chunks(limits::PRECONDITIONS_MAX - 1);
        let mut requests =
            chunks.map(|chunk| self.expiry_of(chunk, &[(scope, ended.at)], None)).collect::<Result<Vec<_>, _>>()?;
        if !own.is_empty() {
            requests.push(self.expiry_of(&own, &others[..others.len().min(limits::PRECONDITIONS_MAX - 1)], None)?);
        }
        Ok(requests)
    }

    /// The commit that lets go of scopes, while these and others are as they were; or of all below a prefix.
    fn expiry_of(&self, due: &[&Going], others: &[(&str, Seq)], prefix: Option<&str>) -> Result<Request, ExpiryError> {
        let mut request = Request::new(limits::VALUE_BYTES_MAX)
            .writer(Writer::new(RETENTION_WRITER).expect("its length is within the limits"));
        let touched = due.iter().map(|going| (going.name.as_str(), going.touched)).chain(others.iter().copied());
        for (name, seq) in touched.take(limits::PRECONDITIONS_MAX) {
            request = request.require(Precondition::ScopeAt { scope: parsed(name)?, seq });
        }
        if let Some(prefix) = prefix {
            request.add_erase_prefix(&ScopePrefix::parse(prefix).map_err(CommitError::from)?, 0)?;
        }
        for going in due.iter().filter(|_| prefix.is_none()) {
            request.add_erase_scope(&parsed(&going.name)?, 0)?;
        }
        for going in due {
            let names_of = checkpoints_of(&going.name);
            let orders = self.tiers.key_orders(&names_of);
            let mut names = self.tiers.keys(&names_of, &orders, "").map_err(ReadError::from)?;
            while names.read_next().map_err(ReadError::from)?.is_some() {
                if let Ok(checkpoint) = CheckpointName::parse(names.key()) {
                    request.add_release(&parsed(&going.name)?, checkpoint.as_str())?;
                }
            }
        }
        Ok(request)
    }
}

fn parsed(name: &str) -> Result<Scope, CommitError> {
    Scope::parse(name).map_err(CommitError::from)
}

/// Why an expiry could not be made.
#[derive(Debug)]
pub(crate) enum ExpiryError {
    Read(ReadError),
    Commit(CommitError),
}

impl From<ReadError> for ExpiryError {
    fn from(error: ReadError) -> ExpiryError {
        ExpiryError::Read(error)
    }
}

impl From<CommitError> for ExpiryError {
    fn from(error: CommitError) -> ExpiryError {
        ExpiryError::Commit(error)
    }
}
