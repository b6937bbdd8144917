//! Clears and erasures that hide nothing any more, and the claims of attempts on what was erased: when they go.
//!
//! ```text
//! void      a clear, or an erasure, before which nothing is left of what it meets, in any file or in the index: no
//!           read of any moment finds anything else without it
//! a clear   goes once it is void, if its horizon has passed it, or an erasure of all that it meets stands behind it;
//!           not if it is what says that a task goes on which had ended
//! a claim   goes once all of its scope was erased behind it, so long ago that idempotency keys of then are forgotten
//! an erasure of retention's own   goes once it is void, so long ago, and no claim before it is left
//! an erasure by somebody else     stays, since it is history
//! ```
//!
//! Invariant: what is void stays so, since nothing comes before what is there. A claim that is forgotten was so for
//! whoever judged before it went.

use milepost_types::{
    ScopePrefix, Seq,
    body::{Body, erased_at},
};

use super::{judging::Judging, rules::is_at_or_below};
use crate::{
    ReadError,
    lineage::Bodies,
    memtable::is_prefix,
    retention::ended::RETENTION_WRITER,
    state::{ERASED, ERASED_BELOW, FENCE, FORK, Mark, prefix_key},
};

impl Judging<'_> {
    /// Whether the newest claim on a scope, by this commit, is not asked for any more.
    pub(super) fn fence_is_forgotten(&self, scope: &str, claim: Option<u64>) -> Result<bool, ReadError> {
        let Some(claim) = claim.filter(|claim| *claim < self.forgotten.0) else { return Ok(false) };
        if self.rules.hold_of(scope).is_some() {
            return Ok(false);
        }
        Ok(self.tiers.erased_behind(scope, claim)?.is_some_and(|erased| erased <= self.forgotten))
    }

    /// Whether nobody asks any more for what a commit claimed, by its age.
    pub(crate) fn is_long_ago(&self, seq: Seq) -> bool {
        seq <= self.forgotten
    }

    /// Whether a clear or an erasure that is void goes. `name` is the scope's, or the prefix's with a slash behind it.
    pub(crate) fn void_goes(&self, name: &str, mark: Mark) -> Result<bool, ReadError> {
        let place = name.strip_suffix('/').unwrap_or(name);
        if self.is_held(name, place) || self.pinned.from.is_some_and(|from| mark.seq >= from) {
            return Ok(false);
        }
        if self.is_erasure(name, mark)? {
            return Ok(mark.seq <= self.forgotten.0 && !self.is_claimed(name, mark)? && self.is_own(mark)?);
        }
        let erased = self.tiers.erased_of(place)?.and_then(|erased| erased.whole());
        // What was erased of a scope says nothing of those below it.
        if !is_prefix(name) && erased.is_some_and(|erased| erased > mark) {
            return Ok(true);
        }
        let says_goes_on = match name.strip_suffix('/') {
            Some(prefix) => self.touches_ended(prefix, mark)?,
            None => self.touched_since_end(name)? == Some(Seq(mark.seq)),
        };
        if says_goes_on {
            return Ok(false);
        }
        let keeps_all = self.rules.policy_of(place).is_none_or(|set| set.policy.keeps_everything());
        Ok(!keeps_all && mark.seq <= self.horizons.of(place).0)
    }

    fn is_held(&self, name: &str, place: &str) -> bool {
        let is_below = |prefix: &ScopePrefix| {
            is_prefix(name) && ScopePrefix::parse(place).is_ok_and(|place| is_at_or_below(prefix.as_str(), &place))
        };
        self.rules.hold_of(place).is_some() || self.rules.holds.iter().any(|hold| is_below(&hold.prefix))
    }

    /// Whether what is named like this was erased there, and not only cleared.
    pub(crate) fn is_erasure(&self, name: &str, mark: Mark) -> Result<bool, ReadError> {
        if self.tiers.last_erasure_ever() < mark.seq {
            return Ok(false);
        }
        let (among, key) = match name.strip_suffix('/') {
            Some(prefix) => (ERASED_BELOW, prefix_key(prefix)),
            None => (ERASED, name),
        };
        let erasures = self.tiers.versions_ever(among, key)?;
        Ok(erasures.iter().any(|version| (version.seq, version.record) == (mark.seq, mark.record)))
    }

    /// Whether a claim from before an erasure is left. Of a prefix each scope below it may have one.
    fn is_claimed(&self, name: &str, mark: Mark) -> Result<bool, ReadError> {
        let is_before = |claim: &crate::state::Version| claim.seq <= mark.seq;
        let Some(prefix) = name.strip_suffix('/') else {
            return Ok(self.tiers.versions_ever(FENCE, name)?.first().is_some_and(is_before));
        };
        let Ok(within) = ScopePrefix::parse(prefix) else { return Ok(true) };
        let orders = self.tiers.key_orders(FENCE);
        let mut scopes = self.tiers.keys(FENCE, &orders, prefix)?;
        while let Some(scope) = scopes.read_next()?.filter(|scope| scope.starts_with(prefix)) {
            if within.holds(scope) && scopes.versions_ever()?.first().is_some_and(is_before) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether retention itself erased it: a task that had ended, and expired.
    pub(super) fn is_own(&self, mark: Mark) -> Result<bool, ReadError> {
        let signed = self.shared.with_body(Seq(mark.seq), |_, body| {
            let writer = Body::parse(body)?.meta()?.writer;
            Ok((writer, erased_at(body, mark.record)?))
        });
        match signed {
            Ok((writer, bytes)) => Ok(bytes == 0 && writer.is_some_and(|writer| writer.name() == RETENTION_WRITER)),
            // It went before. The index knows of it still.
            Err(ReadError::Removed { .. }) => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// Where forks at a scope, or at and below a prefix, stand first: they are hidden by a clear.
    pub(crate) fn first_fork(&self, name: &str) -> Result<Option<Mark>, ReadError> {
        if !self.tiers.has_forks() {
            return Ok(None);
        }
        let place = |version: &crate::state::Version| Mark { seq: version.seq, record: version.record };
        let Some(prefix) = name.strip_suffix('/') else {
            return Ok(self.tiers.versions_ever(FORK, name)?.first().map(place));
        };
        let Ok(within) = ScopePrefix::parse(prefix) else { return Ok(None) };
        let mut first: Option<Mark> = None;
        let orders = self.tiers.key_orders(FORK);
        let mut scopes = self.tiers.keys(FORK, &orders, prefix)?;
        while let Some(scope) = scopes.read_next()?.filter(|scope| scope.starts_with(prefix)) {
            if within.holds(scope) {
                let found = scopes.versions_ever()?.first().map(place);
                first = first.into_iter().chain(found).min();
            }
        }
        Ok(first)
    }
}

#[cfg(test)]
mod tests;
