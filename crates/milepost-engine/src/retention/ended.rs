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
//! touched since its end was seen: the commit is made on the condition that it was not, and that nothing was forked.

use std::ops::ControlFlow;

use milepost_types::{CheckpointName, Precondition, Scope, ScopePrefix, Seq, Timestamp, Writer, limits};

use super::judging::Judging;
use crate::{
    CommitError, ReadError, Request,
    memtable::is_prefix,
    state::{FENCE, FORK, Kind, Mark, checkpoints_of},
};

/// The key under which a task says that it has ended.
pub const ENDED_KEY: &str = ".task/end";

/// The name under which retention itself writes.
pub(crate) const RETENTION_WRITER: &str = "retention";

/// A task of more scopes goes by so many in a commit: others wait for as long as it looks at these again.
const SCOPES_AT_ONCE: usize = 1024;

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

    /// The scopes that go with the next compaction.
    pub(crate) fn due(&self, now: Timestamp) -> impl Iterator<Item = &str> {
        self.going.iter().filter(move |going| !self.is_kept && going.expires_at <= now).map(|going| &*going.name)
    }
}

impl Judging<'_> {
    /// Whether the task of a scope has ended, and what follows from that.
    pub(crate) fn ended(&self, scope: &str) -> Result<Option<Ended>, ReadError> {
        if !self.rules.expires_within(scope) {
            return Ok(None);
        }
        let last = self.shared.published();
        let Some(said) = self.end_of_task(scope)? else { return Ok(None) };
        if self.tiers.claim(FENCE, scope, last)?.is_some_and(|claim| claim.seq > said.0) {
            return Ok(None);
        }
        let Ok(prefix) = ScopePrefix::parse(scope) else { return Ok(None) };
        let lineage = self.shared.lineage(self.tiers);
        let at = self.shared.stamp(said)?;
        let mut ended = Ended { is_kept: false, at: said, going: Vec::new(), staying: Vec::new() };
        let mut goes_on = false;
        lineage.each_scope(&prefix, &mut |name| {
            let touched = lineage.scope_version(name, last)?;
            if touched > said {
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
        if goes_on || ended.going.is_empty() || self.is_cleared_below(scope, said)? {
            return Ok(None);
        }
        let last_of_all = ended.going.iter().map(|going| going.expires_at).max();
        if let (Some(own), Some(at)) = (ended.going.iter_mut().find(|going| going.name == scope), last_of_all) {
            own.expires_at = at;
        }
        Ok(Some(ended))
    }

    /// The last commit that touched a scope since the end of a task that it is of; `None` if that did not end, or the
    /// scope was not touched. It says that the task goes on, and nobody would know if all of it went.
    pub(super) fn touched_since_end(&self, name: &str) -> Result<Option<Seq>, ReadError> {
        let last = self.shared.published();
        let Some(end) = self.first_end(name.match_indices('/').map(|(at, _)| &name[..at]).chain([name]))? else {
            return Ok(None);
        };
        let touched = self.shared.lineage(self.tiers).scope_version(name, last)?;
        Ok(Some(touched).filter(|touched| *touched > end))
    }

    /// The same of a clear of all below a prefix: whether it is the last that touched what is of a task that had ended.
    pub(super) fn touches_ended(&self, prefix: &str, mark: Mark) -> Result<bool, ReadError> {
        let end = self.first_end(prefix.match_indices('/').map(|(at, _)| &prefix[..at]))?;
        // One that says it is enough.
        Ok(end.is_some_and(|end| end.0 < mark.seq) && self.tiers.own_marks(&format!("{prefix}/"))?.pop() == Some(mark))
    }

    /// The first of the commits that say of tasks that they have ended.
    fn first_end<'n>(&self, tasks: impl Iterator<Item = &'n str>) -> Result<Option<Seq>, ReadError> {
        let mut first = None;
        for task in tasks {
            first = first.into_iter().chain(self.end_of_task(task)?).min();
        }
        Ok(first)
    }

    fn end_of_task(&self, scope: &str) -> Result<Option<Seq>, ReadError> {
        let mark = self.tiers.find(scope, ENDED_KEY, self.shared.published())?;
        Ok(mark.filter(|mark| matches!(mark.kind, Kind::Set | Kind::Expiring)).map(|mark| Seq(mark.seq)))
    }

    /// Whether all below some place in a scope was cleared or erased since a commit: of scopes of which that left
    /// nothing nobody knows that they were touched.
    fn is_cleared_below(&self, scope: &str, since: Seq) -> Result<bool, ReadError> {
        let below = format!("{scope}/");
        let mut names = self.tiers.every_scope(&below)?;
        while let Some(name) = names.read_next()?.filter(|name| name.starts_with(&below)) {
            let mark = if is_prefix(name) { self.tiers.own_marks(name)?.pop() } else { None };
            if let Some(mark) = mark.filter(|mark| mark.seq > since.0)
                && !(self.is_erasure(name, mark)? && self.is_own(mark)?)
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether the commit that touched a scope last was an expiry of it.
    fn has_expired_by(&self, name: &str, touched: Seq) -> Result<bool, ReadError> {
        let erased = self.tiers.erased_of(name)?.and_then(|erased| erased.whole());
        erased.filter(|mark| mark.seq == touched.0).map_or(Ok(false), |mark| self.is_own(mark))
    }

    /// The commits that let go what of it has expired by now, in order, on the condition that nothing was committed
    /// there since. One alone, but for a task of very many scopes.
    pub(crate) fn expiries_of(&self, scope: &str, ended: &Ended, now: Timestamp) -> Result<Vec<Request>, ExpiryError> {
        let (due, later): (Vec<&Going>, Vec<&Going>) = ended.going.iter().partition(|going| going.expires_at <= now);
        if due.is_empty() || ended.is_kept {
            return Ok(Vec::new());
        }
        let later = later.into_iter().map(|going| (going.name.as_str(), going.touched));
        let others: Vec<(&str, Seq)> =
            later.chain(ended.staying.iter().map(|(name, touched)| (name.as_str(), *touched))).collect();
        // All at once, where that is few enough to be looked at again while others wait.
        if due.len() + others.len() <= SCOPES_AT_ONCE {
            return Ok(vec![self.expiry_of(&due, &others)?]);
        }
        // The end itself stays until all that goes for it has gone: after a crash the rest is found by it.
        let (own, below): (Vec<&Going>, Vec<&Going>) = due.into_iter().partition(|going| going.name == scope);
        let chunks = below.chunks(SCOPES_AT_ONCE);
        let mut requests =
            chunks.map(|chunk| self.expiry_of(chunk, &[(scope, ended.at)])).collect::<Result<Vec<_>, _>>()?;
        if !own.is_empty() {
            requests.push(self.expiry_of(&own, &others)?);
        }
        Ok(requests)
    }

    /// The commit that lets go of scopes, while these and others are as they were.
    fn expiry_of(&self, due: &[&Going], others: &[(&str, Seq)]) -> Result<Request, ExpiryError> {
        let mut request = Request::new(limits::VALUE_BYTES_MAX)
            .writer(Writer::new(RETENTION_WRITER).expect("its length is within the limits"));
        let touched = due.iter().map(|going| (going.name.as_str(), going.touched)).chain(others.iter().copied());
        for (name, seq) in touched {
            request = request.require(Precondition::ScopeAt { scope: parsed(name)?, seq });
        }
        // A fork touches the scope that begins, and not the one that it is read from.
        let forks = Scope::from_stored(FORK).map_err(CommitError::from)?;
        request = request.require(Precondition::ScopeAt { scope: forks, seq: self.forked_at });
        for going in due {
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

#[cfg(test)]
mod tests;
