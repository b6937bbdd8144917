//! [`Overlay`]: what the events of one commit, up to some point, have done.
//!
//! Invariant: it says of a key what the commit decided, and nothing of what was there before; a fork takes back what
//! the commit said of its scope, and a clear takes back the fork's origin.

use std::collections::HashMap;

use milepost_types::{ScopePrefix, Seq};

/// What a commit did to keys.
#[derive(Debug, Default)]
pub(super) struct Overlay {
    scopes: HashMap<String, HashMap<String, bool>>,
    cleared: Vec<(String, Option<ScopePrefix>)>,
    /// The scopes that it forked, with what is read through to; `None` once the scope was cleared.
    forks: HashMap<String, Option<(String, Seq)>>,
}

impl Overlay {
    pub(super) fn put(&mut self, scope: &str, key: &str, live: bool) {
        self.scopes.entry(scope.to_owned()).or_default().insert(key.to_owned(), live);
    }

    pub(super) fn fork(&mut self, scope: &str, origin: &str, point: Seq) {
        self.scopes.remove(scope);
        self.forks.insert(scope.to_owned(), Some((origin.to_owned(), point)));
    }

    pub(super) fn clear(&mut self, name: &str, prefix: Option<&ScopePrefix>) {
        self.scopes.retain(|scope, _| !matches(scope, name, prefix));
        let forks = self.forks.iter_mut().filter(|(scope, _)| matches(scope, name, prefix));
        forks.for_each(|(_, fork)| *fork = None);
        self.cleared.push((name.to_owned(), prefix.cloned()));
    }

    /// Whether the commit left the key live; `None` if it said nothing of it.
    pub(super) fn get(&self, scope: &str, key: &str) -> Option<bool> {
        match self.scopes.get(scope).and_then(|keys| keys.get(key)) {
            Some(live) => Some(*live),
            None if self.fork_of(scope).is_none() && self.was_cleared(scope) => Some(false),
            None => None,
        }
    }

    /// What the scope is read through to since the commit forked it.
    pub(super) fn fork_of(&self, scope: &str) -> Option<(&str, Seq)> {
        let fork = self.forks.get(scope)?.as_ref();
        fork.map(|(origin, point)| (origin.as_str(), *point))
    }

    /// Whether the commit forked the scope, cleared since or not.
    pub(super) fn is_fork(&self, scope: &str) -> bool {
        self.forks.contains_key(scope)
    }

    /// The scopes at and below a prefix that the commit forked.
    pub(super) fn forked_within(&self, prefix: &ScopePrefix) -> impl Iterator<Item = &str> {
        self.forks.keys().map(String::as_str).filter(|scope| prefix.holds(scope))
    }

    /// The scopes at and below a reserved one of which the commit said anything.
    pub(super) fn scopes_at(&self, root: &str) -> impl Iterator<Item = &str> {
        let is_at =
            move |scope: &&str| scope.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        self.scopes.keys().map(String::as_str).filter(is_at)
    }

    /// A key of the scope that the commit left live.
    pub(super) fn live_in(&self, scope: &str) -> Option<&str> {
        self.scopes.get(scope)?.iter().find(|(_, live)| **live).map(|(key, _)| key.as_str())
    }

    pub(super) fn was_cleared(&self, scope: &str) -> bool {
        self.cleared.iter().any(|(name, prefix)| matches(scope, name, prefix.as_ref()))
    }

    pub(super) fn any_live(&self, name: &str, prefix: Option<&ScopePrefix>) -> bool {
        self.scopes.iter().any(|(scope, keys)| matches(scope, name, prefix) && keys.values().any(|live| *live))
    }
}

fn matches(scope: &str, name: &str, prefix: Option<&ScopePrefix>) -> bool {
    prefix.map_or(scope == name, |prefix| prefix.holds(scope))
}
