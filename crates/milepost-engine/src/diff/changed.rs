//! The difference of two moments of one scope, from the versions that its keys got between them.
//!
//! Invariant: tells the same differences as the walk, and costs in proportion to what changed. What versions do not
//! tell is left to the walk: a clear, or the scope's fork, between the moments; values that may have expired meanwhile.

use milepost_types::{
    EventRef, Key, Seq,
    body::{Body, BodyError, BodyFault},
    scope::is_reserved,
};

use super::Found;
use crate::{
    ReadError, View,
    engine::Shared,
    lineage::{Bodies, Lineage},
    state::{Changes, Wanted},
};

/// The keys whose versions are not the same, in order; `None` if a walk has to find them.
pub(super) fn gather(
    lineage: &Lineage<'_, Shared>,
    scope: &str,
    old: &View,
    new: &View,
) -> Result<Option<Vec<Found>>, ReadError> {
    if !is_told_by_versions(lineage, scope, old, new)? {
        return Ok(None);
    }
    let (before, last) = (old.seq.min(new.seq), old.seq.max(new.seq));
    let Some(changes) = lineage.tiers.changes(scope, before, last)? else { return Ok(None) };
    let mut found = Vec::new();
    for key in keys(lineage.bodies, scope, changes)? {
        let version = |view: &View| lineage.find(scope, key.as_str(), view.seq);
        let (old_version, new_version) = (version(old)?, version(new)?);
        if old_version != new_version {
            found.push((key, old_version, new_version));
        }
    }
    Ok(Some(found))
}

/// Whether a key that has no version between the moments is the same at both.
fn is_told_by_versions(lineage: &Lineage<'_, Shared>, scope: &str, old: &View, new: &View) -> Result<bool, ReadError> {
    // What the store keeps for itself is not all said by events.
    if is_reserved(scope) {
        return Ok(false);
    }
    // What changed behind a point before the horizon may be gone.
    if old.before.is_some() || new.before.is_some() {
        return Ok(false);
    }
    let (before, last) = (old.seq.min(new.seq), old.seq.max(new.seq));
    let is_cleared = lineage.tiers.last_clear(scope, last)?.is_some_and(|clear| clear.seq > before.0);
    if is_cleared || lineage.fork(scope, last)?.is_some_and(|fork| fork.place.seq > before.0) {
        return Ok(false);
    }
    Ok(!lineage.may_expire(scope, before)? || old.at()? == new.at()?)
}

/// The keys that changes lead to, in order, each once.
fn keys(shared: &Shared, scope: &str, changes: Changes) -> Result<Vec<Key>, ReadError> {
    let parse = |key: &str| Key::parse(key).expect("checked when it was inserted");
    let mut keys: Vec<Key> = changes.keys.iter().map(|key| parse(key)).collect();
    for wanted in &changes.commits {
        match wanted {
            Wanted::Records(seq, records) => {
                shared.with_body(*seq, |_, body| read_records(body, scope, records, &mut keys))?;
            }
            Wanted::All(commits) => {
                for seq in commits.clone() {
                    shared.with_body(Seq(seq), |_, body| read_all(body, scope, &mut keys))?;
                }
            }
        }
    }
    keys.sort_unstable();
    keys.dedup();
    Ok(keys)
}

/// Appends the keys of these records of a commit. A name is told by what stands before it, so the body is read from its
/// beginning.
fn read_records(body: &[u8], scope: &str, records: &[u32], keys: &mut Vec<Key>) -> Result<(), BodyError> {
    let mut events = Body::parse(body)?.events();
    let mut records = records.iter().copied().peekable();
    while let Some(record) = records.peek().copied() {
        let no_such = BodyError { offset: record as usize, what: BodyFault::Address };
        let Some(found) = events.next()? else { return Err(no_such) };
        if found.offset < record {
            continue;
        }
        let key = key_of(&found.event, scope).filter(|_| found.offset == record);
        keys.push(key.ok_or(no_such)?);
        records.next();
    }
    Ok(())
}

/// Appends the keys of a scope that a commit sets or deletes.
fn read_all(body: &[u8], scope: &str, keys: &mut Vec<Key>) -> Result<(), BodyError> {
    let mut events = Body::parse(body)?.events();
    while let Some(found) = events.next()? {
        keys.extend(key_of(&found.event, scope));
    }
    Ok(())
}

/// The key of this scope that an event sets, deletes or erases.
fn key_of(event: &EventRef<'_>, scope: &str) -> Option<Key> {
    match event {
        EventRef::Set { scope: of, key, .. }
        | EventRef::Delete { scope: of, key }
        | EventRef::Erase { scope: of, key, .. } => {
            (*of == scope).then(|| Key::parse(key).expect("checked when it was inserted"))
        }
        EventRef::Clear { .. }
        | EventRef::ClearPrefix { .. }
        | EventRef::Checkpoint { .. }
        | EventRef::Release { .. }
        | EventRef::Fork { .. }
        | EventRef::Retain { .. }
        | EventRef::Unretain { .. }
        | EventRef::Hold { .. }
        | EventRef::Unhold { .. }
        | EventRef::EraseScope { .. }
        | EventRef::ErasePrefix { .. } => None,
    }
}
