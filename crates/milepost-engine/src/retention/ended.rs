//! Tasks that have ended: when their scopes expire, and what keeps them.
//!
//! A task says that it has ended by a value under [`ENDED_KEY`] of its scope, in a commit of its own: who said so, and
//! when, is history. It holds for as long as nothing else is committed at or below the scope, and no attempt claims it:
//! whoever works on goes on, without having to take anything back.
//!
//! What has expired is erased, not cleared: no moment shows it, so no horizon has to stand for each task.
//!
//! Invariant: nothing expires that is held, or that a fork reads through to, or that was touched since its end was
//! seen: the commit is made on the condition that it was not.

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

/// A task that has ended, below a policy that lets it expire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) expires_at: Timestamp,
    /// Whether a hold or a fork keeps it, whatever the time.
    pub(crate) is_kept: bool,
    /// Its scope and those below it, each with the last commit that touched it.
    scopes: Vec<(String, Seq)>,
}

impl Judging<'_> {
    /// Whether the task of a scope has ended, and what follows from that.
    pub(crate) fn ended(&self, scope: &str) -> Result<Option<Ended>, ReadError> {
        let Some(after) = self.rules.policy_of(scope).and_then(|set| set.policy.expire_ended_us) else {
            return Ok(None);
        };
        let last = self.shared.published();
        let mark = self.tiers.find(scope, ENDED_KEY, last)?;
        let Some(mark) = mark.filter(|mark| matches!(mark.kind, Kind::Set | Kind::Expiring)) else { return Ok(None) };
        if self.tiers.claim(FENCE, scope, last)?.is_some_and(|claim| claim.seq > mark.seq) {
            return Ok(None);
        }
        let Ok(prefix) = ScopePrefix::parse(scope) else { return Ok(None) };
        let lineage = self.shared.lineage(self.tiers);
        let (mut scopes, mut is_kept, mut goes_on) = (Vec::new(), false, false);
        lineage.each_scope(&prefix, &mut |name| {
            let touched = lineage.scope_version(name, last)?;
            goes_on = touched.0 > mark.seq;
            is_kept |= self.rules.hold_of(name).is_some() || self.is_origin(name);
            scopes.push((name.to_owned(), touched));
            Ok(if goes_on { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        if goes_on {
            return Ok(None);
        }
        let at = self.shared.frame(Seq(mark.seq))?.at();
        Ok(Some(Ended { expires_at: Timestamp(at.0.saturating_add_unsigned(after)), is_kept, scopes }))
    }

    /// The commit that lets it go, on the condition that nothing was committed there since.
    pub(crate) fn expiry_of(&self, scope: &str, ended: &Ended) -> Result<Request, ExpiryError> {
        let mut request = Request::new(limits::VALUE_BYTES_MAX)
            .writer(Writer::new(RETENTION_WRITER).expect("its length is within the limits"));
        // So many conditions a commit can have: of a task with more scopes below it, the rest is taken by its prefix.
        let is_few = ended.scopes.len() <= limits::PRECONDITIONS_MAX;
        for (name, touched) in ended.scopes.iter().take(limits::PRECONDITIONS_MAX) {
            let scope = parsed(name)?;
            request = request.require(Precondition::ScopeAt { scope: scope.clone(), seq: *touched });
            if is_few {
                request.add_erase_scope(&scope, 0)?;
            }
        }
        if !is_few {
            request.add_erase_prefix(&ScopePrefix::parse(scope).map_err(CommitError::from)?, 0)?;
        }
        for (name, _) in &ended.scopes {
            let names_of = checkpoints_of(name);
            let orders = self.tiers.key_orders(&names_of);
            let mut names = self.tiers.keys(&names_of, &orders, "").map_err(ReadError::from)?;
            while names.read_next().map_err(ReadError::from)?.is_some() {
                if let Ok(checkpoint) = CheckpointName::parse(names.key()) {
                    request.add_release(&parsed(name)?, checkpoint.as_str())?;
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
