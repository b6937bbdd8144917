//! [`Lineage`]: the state of a scope with what its forks read through to.
//!
//! A fork copies nothing. A scope's own versions are read first, those that stand behind its fork; a delete or a clear
//! behind it hides a key; for what is left its origin is read as of the fork's point, and may be a fork itself. What
//! was erased of the scope since its fork it does not read through to, at no moment.
//!
//! Invariant: each step leads to an older point than the one before, so a line ends, whatever a file says; the judge
//! holds it to
//! [`limits::FORK_DEPTH_MAX`](milepost_types::limits::FORK_DEPTH_MAX) forks. In a store without forks a question costs
//! one look at a flag more.
//!
//! Must not know: who asks, and whether a version has expired.

mod line;

use std::{borrow::Cow, ops::ControlFlow};

use milepost_types::{
    Corruption, Receipt, ScopePrefix, Seq,
    body::{BodyError, BodyFault, ForkAt, fork_at},
};

use crate::state::{FORK, Kind, Mark, Tiers, Version};
pub(crate) use line::Line;

/// Gives the body of a commit that is known to exist.
pub(crate) trait Bodies {
    /// What is said when it can't be read.
    type Error: From<Corruption>;

    /// Calls `read` with where the commit stands and its body.
    fn with_body<T>(
        &self,
        seq: Seq,
        read: impl FnOnce(Receipt, &[u8]) -> Result<T, BodyError>,
    ) -> Result<T, Self::Error>;
}

/// Whether a walk goes on.
pub(crate) type Visited<E> = Result<ControlFlow<()>, E>;

/// Answers for scopes and what they were forked from.
#[derive(Debug)]
pub(crate) struct Lineage<'a, B> {
    pub(crate) tiers: &'a Tiers,
    pub(crate) bodies: &'a B,
}

/// That a scope began as another one.
#[derive(Clone, Debug)]
pub(crate) struct Fork {
    /// Where the event stands.
    pub(crate) place: Mark,
    pub(crate) origin: String,
    pub(crate) point: Seq,
}

/// A scope as far as another one, or itself, is read from it.
#[derive(Debug)]
pub(crate) struct Ancestor {
    pub(crate) scope: String,
    /// Versions above it are not seen.
    pub(crate) seq: Seq,
    /// The fork that the scope began with: versions that stand before it are not seen.
    pub(crate) behind: Option<Mark>,
    /// The last clear that meets the scope.
    pub(crate) clear: Option<Mark>,
}

impl<B: Bodies> Lineage<'_, B> {
    /// The version that a read as of `seq` meets. Whether it has expired is for the caller to see.
    #[inline]
    pub(crate) fn find(&self, scope: &str, key: &str, seq: Seq) -> Result<Option<Version>, B::Error> {
        self.find_glancing(scope, key, seq, |_| {})
    }

    /// The same, with a `glance` at what it most likely is: see [`Tiers::find_glancing`].
    #[inline]
    pub(crate) fn find_glancing(
        &self,
        scope: &str,
        key: &str,
        seq: Seq,
        glance: impl Fn(Version),
    ) -> Result<Option<Version>, B::Error> {
        let own = self.tiers.find_glancing(scope, key, seq, glance)?;
        if is_behind_any_fork(own) || !self.tiers.has_forks() {
            return Ok(own);
        }
        self.find_through(scope, key, seq, own)
    }

    #[cold]
    fn find_through(
        &self,
        scope: &str,
        key: &str,
        seq: Seq,
        own: Option<Version>,
    ) -> Result<Option<Version>, B::Error> {
        let (mut scope, mut seq, mut own) = (Cow::Borrowed(scope), seq, own);
        while !is_behind_any_fork(own)
            && let Some(fork) = self.fork(&scope, seq)?
        {
            if own.is_some_and(|version| !fork.place.stands_after(&version)) {
                break;
            }
            let clear = self.tiers.last_clear(&scope, seq)?;
            if clear.is_some_and(|clear| clear > fork.place) || self.is_hidden(&scope, key, seq, fork.place)? {
                return Ok(None);
            }
            own = self.tiers.find(&fork.origin, key, fork.point)?;
            (scope, seq) = (Cow::Owned(fork.origin), fork.point);
        }
        Ok(own)
    }

    /// The same of what a scope is read from, once that is known.
    pub(crate) fn find_along(&self, ancestry: &[Ancestor], key: &str) -> Result<Option<Version>, B::Error> {
        for Ancestor { scope, seq, behind, .. } in ancestry {
            let own = self.tiers.find(scope, key, *seq)?;
            let Some(fork) = *behind else { return Ok(own) };
            if own.is_some_and(|version| !fork.stands_after(&version)) {
                return Ok(own);
            }
            if self.is_hidden(scope, key, *seq, fork)? {
                break;
            }
        }
        Ok(None)
    }

    /// Whether a key that was there at a scope's fork was deleted behind it, or erased.
    fn is_hidden(&self, scope: &str, key: &str, seq: Seq, fork: Mark) -> Result<bool, B::Error> {
        let newest = self.tiers.newest(scope, key, seq)?;
        Ok(newest.is_some_and(|version| !fork.stands_after(&version))
            || self.tiers.is_erased_since(scope, key, fork)?)
    }

    /// The fork that a scope began with, as of `seq`.
    pub(crate) fn fork(&self, scope: &str, seq: Seq) -> Result<Option<Fork>, B::Error> {
        if !self.tiers.has_forks() {
            return Ok(None);
        }
        let Some(version) = self.tiers.claim(FORK, scope, seq)? else { return Ok(None) };
        self.bodies
            .with_body(Seq(version.seq), |_, body| {
                let ForkAt { origin, point } = fork_at(body, version.record)?;
                if point.0 >= version.seq {
                    return Err(BodyError { offset: version.record as usize, what: BodyFault::Point });
                }
                let place = Mark { seq: version.seq, record: version.record };
                Ok(Fork { place, origin: origin.to_owned(), point })
            })
            .map(Some)
    }

    /// Whether a value of the scope that a read as of `seq` meets may expire.
    pub(crate) fn may_expire(&self, scope: &str, seq: Seq) -> Result<bool, B::Error> {
        let (mut scope, mut seq) = (Cow::Borrowed(scope), seq);
        loop {
            if self.tiers.may_expire(&scope, seq)? {
                return Ok(true);
            }
            let Some(fork) = self.fork(&scope, seq)? else { return Ok(false) };
            (scope, seq) = (Cow::Owned(fork.origin), fork.point);
        }
    }

    /// Whether `is_wanted` says so of any key that the scope, as of `seq`, or its origins have a version of.
    pub(crate) fn any_key(
        &self,
        scope: &str,
        seq: Seq,
        is_wanted: &mut dyn FnMut(&str) -> Result<bool, B::Error>,
    ) -> Result<bool, B::Error> {
        let (mut scope, mut seq) = (Cow::Borrowed(scope), seq);
        loop {
            if self.tiers.any_key(&scope, seq, is_wanted)? {
                return Ok(true);
            }
            let Some(fork) = self.fork(&scope, seq)? else { return Ok(false) };
            (scope, seq) = (Cow::Owned(fork.origin), fork.point);
        }
    }

    /// Whether anything of what a scope is read from, as of `seq`, was erased behind a commit.
    pub(crate) fn is_any_erased_since(&self, scope: &str, seq: Seq, known: Seq) -> Result<bool, B::Error> {
        let (mut scope, mut seq) = (Cow::Borrowed(scope), seq);
        loop {
            if self.tiers.is_any_erased_since(&scope, known)? {
                return Ok(true);
            }
            let Some(fork) = self.fork(&scope, seq)? else { return Ok(false) };
            (scope, seq) = (Cow::Owned(fork.origin), fork.point);
        }
    }

    /// How many forks lie between a scope and what it reads at last.
    pub(crate) fn depth(&self, scope: &str, seq: Seq) -> Result<usize, B::Error> {
        let (mut depth, mut next) = (0, self.fork(scope, seq)?);
        while let Some(fork) = next {
            depth += 1;
            next = self.fork(&fork.origin, fork.point)?;
        }
        Ok(depth)
    }

    /// What a scope as of `seq` is read from: itself, then what it was forked from, as far as that shows through.
    pub(crate) fn ancestry(&self, scope: &str, seq: Seq) -> Result<Vec<Ancestor>, B::Error> {
        let mut ancestry = Vec::new();
        let mut next = Some((scope.to_owned(), seq));
        while let Some((scope, seq)) = next {
            let fork = self.fork(&scope, seq)?;
            let clear = self.tiers.last_clear(&scope, seq)?;
            let behind = fork.as_ref().map(|fork| fork.place);
            next =
                fork.filter(|fork| clear.is_none_or(|clear| clear < fork.place)).map(|fork| (fork.origin, fork.point));
            ancestry.push(Ancestor { scope, seq, behind, clear });
        }
        Ok(ancestry)
    }

    /// The scopes that a walk over the keys of a scope as of `seq` has to look at.
    pub(crate) fn line(&self, scope: &str, seq: Seq) -> Result<Line, B::Error> {
        Ok(Line::new(self.tiers, self.ancestry(scope, seq)?))
    }

    /// The last commit at or below `seq` that touched the scope. A fork touches the scope that begins.
    pub(crate) fn scope_version(&self, scope: &str, seq: Seq) -> Result<Seq, B::Error> {
        let own = self.tiers.scope_version(scope, seq)?;
        let Some(fork) = self.fork(scope, seq)? else { return Ok(own) };
        let clear = self.tiers.last_clear(scope, seq)?.map_or(0, |clear| clear.seq);
        Ok(own.max(Seq(fork.place.seq)).max(Seq(clear)))
    }

    /// Whether nothing can be live in a scope.
    pub(crate) fn is_surely_empty(&self, scope: &str) -> Result<bool, B::Error> {
        Ok(self.tiers.is_surely_empty(scope)? && self.fork(scope, Seq::MAX)?.is_none())
    }

    /// Calls `visit` with the scopes at and below a prefix, in order, those included that have nothing but a fork.
    pub(crate) fn each_scope(
        &self,
        prefix: &ScopePrefix,
        visit: &mut dyn FnMut(&str) -> Visited<B::Error>,
    ) -> Result<(), B::Error> {
        let forked = self.forked_scopes(prefix)?;
        let mut forked = forked.iter().map(String::as_str).peekable();
        let mut scopes = self.tiers.scopes(prefix)?;
        loop {
            let own = scopes.read_next()?;
            while let Some(name) = forked.next_if(|name| own.is_none_or(|own| *name <= own)) {
                if own != Some(name) && visit(name)?.is_break() {
                    return Ok(());
                }
            }
            match own {
                Some(own) if visit(own)?.is_continue() => {}
                Some(_) | None => return Ok(()),
            }
        }
    }

    /// The scopes at and below a prefix that ever began with a fork, in order.
    fn forked_scopes(&self, prefix: &ScopePrefix) -> Result<Vec<String>, Corruption> {
        let mut found = Vec::new();
        if !self.tiers.has_forks() {
            return Ok(found);
        }
        let orders = self.tiers.key_orders(FORK);
        let mut names = self.tiers.keys(FORK, &orders, prefix.as_str())?;
        while let Some(name) = names.read_next()?.filter(|name| name.starts_with(prefix.as_str())) {
            if prefix.holds(name) {
                found.push(name.to_owned());
            }
        }
        Ok(found)
    }
}

/// Whether a version that a read met can't stand before its scope's fork: a scope is forked onto only while none of its
/// keys is live, so what stood before was gone or had an expiry.
#[inline]
fn is_behind_any_fork(own: Option<Version>) -> bool {
    own.is_some_and(|version| version.kind == Kind::Set)
}
