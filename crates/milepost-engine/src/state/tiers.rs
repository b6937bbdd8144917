//! [`Tiers`]: what versions are kept in, and the questions that it answers.
//!
//! Invariant: a version is in exactly one tier, and a question is answered from all of them.

use milepost_types::{
    Corruption, ScopePrefix, Seq,
    body::{Body, BodyError},
};

use super::{
    Inserter, Kind, Mark, Version,
    keys::{KeyCursor, KeyOrders},
    scopes::ScopeCursor,
};
use crate::memtable::{Memtable, Sizes};

/// What versions are kept in.
#[derive(Debug)]
pub(crate) struct Tiers {
    pub(super) active: Memtable,
}

impl Tiers {
    pub(super) fn new() -> Tiers {
        Tiers { active: Memtable::new() }
    }

    /// The version that a read as of `seq` meets: the newest at or below it, unless that is a delete or was cleared.
    /// Whether it has expired is for the caller to see.
    #[inline]
    pub(crate) fn find(&self, scope: &str, key: &str, seq: Seq) -> Result<Option<Version>, Corruption> {
        Ok(self.active.find(scope, key, seq))
    }

    /// The newest version at or below `seq`, whether or not it was deleted or cleared.
    pub(crate) fn newest(&self, scope: &str, key: &str, seq: Seq) -> Result<Option<Version>, Corruption> {
        Ok(self.active.newest(scope, key, seq))
    }

    /// Whether any scope may have begun as a fork.
    #[inline]
    pub(crate) fn has_forks(&self) -> bool {
        self.active.has_forks()
    }

    /// The newest claim on an idempotency key, a fence, a checkpoint's name or a fork's scope.
    pub(crate) fn claim(&self, scope: &str, key: &str, seq: Seq) -> Result<Option<Version>, Corruption> {
        Ok(self.find(scope, key, seq)?.filter(|version| version.kind == Kind::Claim))
    }

    /// The first claim: of an idempotency key, the commit whose outcome counts.
    pub(crate) fn first_claim(&self, scope: &str, key: &str) -> Result<Option<Seq>, Corruption> {
        Ok(self.active.versions(scope, key).first().map(|version| Seq(version.seq)))
    }

    /// Every version of a key, oldest first.
    pub(crate) fn versions(&self, scope: &str, key: &str) -> Result<Vec<Version>, Corruption> {
        Ok(self.active.versions(scope, key))
    }

    /// Every clear that meets the scope, oldest first.
    pub(crate) fn marks(&self, scope: &str) -> Result<Vec<Mark>, Corruption> {
        Ok(self.active.marks(scope))
    }

    /// The last clear at or below `seq` that meets the scope.
    pub(crate) fn last_clear(&self, scope: &str, seq: Seq) -> Result<Option<Mark>, Corruption> {
        Ok(self.active.last_clear(scope, seq))
    }

    /// The last commit at or below `seq` that touched the scope.
    pub(crate) fn scope_version(&self, scope: &str, seq: Seq) -> Result<Seq, Corruption> {
        Ok(self.active.scope_version(scope, seq))
    }

    /// Whether nothing was set since the scope was last cleared: then no key of it is live.
    pub(crate) fn is_surely_empty(&self, scope: &str) -> Result<bool, Corruption> {
        Ok(self.active.is_surely_empty(scope))
    }

    /// The orders of a scope's keys, to be made once for a walk in pieces.
    pub(crate) fn key_orders(&self, scope: &str) -> KeyOrders {
        KeyOrders { active: self.active.scope(scope).map(|state| self.active.sorted(state)).unwrap_or_default() }
    }

    /// The keys that a scope ever had, in order, from the first that is not less than `from` on. `orders` are those of
    /// this scope.
    pub(crate) fn keys<'t>(
        &'t self,
        scope: &str,
        orders: &'t KeyOrders,
        from: &str,
    ) -> Result<KeyCursor<'t>, Corruption> {
        Ok(KeyCursor::new(self, scope, orders, from))
    }

    /// The scopes at and below a prefix, in order. Only a prefix that names the reserved root sees what is in it.
    pub(crate) fn scopes(&self, prefix: &ScopePrefix) -> Result<ScopeCursor<'_>, Corruption> {
        Ok(ScopeCursor::new(self, prefix))
    }

    /// For folding many commits in a row. One at a time, held by the one who inserts.
    pub(crate) fn inserter(&self) -> Inserter<'_> {
        self.active.inserter()
    }

    /// Folds the events of the commit at `seq` in.
    pub(crate) fn insert(&self, seq: Seq, body: &Body<'_>) -> Result<(), BodyError> {
        self.active.insert(seq, body)
    }

    /// Takes everything above `last` out that the commit with this body put in.
    pub(crate) fn forget(&self, last: Seq, body: &Body<'_>) -> Result<(), BodyError> {
        self.active.forget(last, body)
    }

    pub(crate) fn sizes(&self) -> Sizes {
        self.active.sizes()
    }
}
