//! Under which names the engine keeps what it was told: scopes below the reserved root, and keys in them.
//!
//! Invariant: no two things have one name. The root of all scopes is named `/` where a name must not be empty: no scope
//! and no prefix has that text.

use std::borrow::Cow;

use milepost_types::Seq;

/// Below it is what the engine keeps for itself.
pub(crate) const RESERVED: &str = "$";
/// Where the engine keeps idempotency keys: key → the commit that used it first.
pub(crate) const IDEMPOTENCY: &str = "$/idempotency";
/// Where the engine keeps fences: scope → the commits that claimed it.
pub(crate) const FENCE: &str = "$/fence";
/// Where the engine keeps forks: the scope that began → the event.
pub(crate) const FORK: &str = "$/fork";
/// Where the engine keeps checkpoints, each scope's under its own name.
pub(crate) const CHECKPOINT: &str = "$/checkpoint";
/// Where the engine keeps policies: prefix → the events that set and unset it.
pub(crate) const POLICY: &str = "$/policy";
/// Where the engine keeps holds, each prefix's under its own name; those of the root at this very name.
pub(crate) const HOLD: &str = "$/hold";
/// Where the engine keeps which scopes were erased: scope → the events. Which keys, below it, under their scope's name.
pub(crate) const ERASED: &str = "$/erased";
/// Where the engine keeps which prefixes were erased: prefix → the events.
pub(crate) const ERASED_BELOW: &str = "$/erased-below";
/// Where a salvage says what is lost: the `Seq` of the commit, or of the first of very many side by side → a text.
pub(crate) const LOST: &str = milepost_types::scope::KEPT[1];

/// The name of the root where a name must not be empty.
const ROOT: &str = "/";

/// Where the engine keeps the checkpoints of a scope: name → the events that gave it and let it go.
pub(crate) fn checkpoints_of(scope: &str) -> String {
    format!("{CHECKPOINT}/{scope}")
}

/// Where the engine keeps the holds of a prefix: name → the events that set and released it.
pub(crate) fn holds_of(prefix: &str) -> Cow<'static, str> {
    if prefix.is_empty() { HOLD.into() } else { format!("{HOLD}/{prefix}").into() }
}

/// The prefix whose holds are kept in a scope, if it is one of holds.
pub(crate) fn held_prefix(holds_of: &str) -> Option<&str> {
    below(holds_of, HOLD)
}

/// Where the engine keeps which keys of a scope were erased: key → the events.
pub(crate) fn erased_keys_of(scope: &str) -> String {
    format!("{ERASED}/{scope}")
}

/// The scope whose erased keys are kept in a scope, if it is one of those.
pub(crate) fn erased_scope(keys_of: &str) -> Option<&str> {
    below(keys_of, ERASED).filter(|scope| !scope.is_empty())
}

/// A commit as a key, so that keys are in the order of commits.
pub(crate) fn lost_key(seq: Seq) -> String {
    format!("{seq:020}")
}

/// A prefix as a key.
pub(crate) fn prefix_key(prefix: &str) -> &str {
    if prefix.is_empty() { ROOT } else { prefix }
}

/// The prefix that a key stands for.
pub(crate) fn key_prefix(key: &str) -> &str {
    if key == ROOT { "" } else { key }
}

/// What stands below a root; empty for the root itself.
fn below<'a>(name: &'a str, root: &str) -> Option<&'a str> {
    let rest = name.strip_prefix(root)?;
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix('/') }
}
