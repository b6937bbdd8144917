//! The difference of two moments of one scope, from the versions that its keys got between them.
//!
//! Invariant: tells the same differences as the walk, and costs in proportion to what changed. What versions do not
//! tell is left to the walk: a clear, or the scope's fork, between the moments; values that may have expired meanwhile.
//!
//! A version between the moments may have been removed, if one of them lies before a horizon and is kept for a
//! checkpoint or for whoever holds it open. What the moments themselves see is kept, and so is the newest version
//! between them of a key in which they differ: the later one sees it, or it hides what the earlier one saw. So what is
//! gone makes no difference, and its key need not be known.

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
    let Some(keys) = keys(lineage.bodies, scope, changes, old.is_kept() && new.is_kept())? else { return Ok(None) };
    let mut found = Vec::new();
    for key in keys {
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
    let (before, last) = (old.seq.min(new.seq), old.seq.max(new.seq));
    let is_cleared = lineage.tiers.last_clear(scope, last)?.is_some_and(|clear| clear.seq > before.0);
    if is_cleared || lineage.fork(scope, last)?.is_some_and(|fork| fork.place.seq > before.0) {
        return Ok(false);
    }
    Ok(!lineage.may_expire(scope, before)? || old.at()? == new.at()?)
}

/// The keys that changes lead to, in order, each once. Of what was removed the keys are left out if the moments are
/// kept; else `None`.
fn keys(shared: &Shared, scope: &str, changes: Changes, are_kept: bool) -> Result<Option<Vec<Key>>, ReadError> {
    let parse = |key: &str| Key::parse(key).expect("checked when it was inserted");
    let mut keys: Vec<Key> = changes.keys.iter().map(|key| parse(key)).collect();
    for wanted in &changes.commits {
        let is_whole = match wanted {
            Wanted::Records(seq, records) => {
                kept(shared.with_body(*seq, |_, body| read_records(body, scope, records, &mut keys)))?
            }
            Wanted::All(commits) => {
                let mut is_whole = true;
                for seq in commits.clone() {
                    is_whole &= kept(shared.with_body(Seq(seq), |_, body| read_all(body, scope, &mut keys)))?;
                }
                is_whole
            }
        };
        if !is_whole && !are_kept {
            return Ok(None);
        }
    }
    keys.sort_unstable();
    keys.dedup();
    Ok(Some(keys))
}

/// Whether all was there that was asked for.
fn kept(read: Result<bool, ReadError>) -> Result<bool, ReadError> {
    match read {
        Err(ReadError::Removed { .. }) => Ok(false),
        read => read,
    }
}

/// Appends the keys of these records of a commit; whether all of them are there. A name is told by what stands before
/// it, so the body is read from its beginning.
fn read_records(body: &[u8], scope: &str, records: &[u32], keys: &mut Vec<Key>) -> Result<bool, BodyError> {
    let body = Body::parse(body)?;
    let mut events = body.events();
    let (mut next, mut is_whole) = (events.next()?, true);
    for record in records {
        while next.as_ref().is_some_and(|found| found.offset < *record) {
            next = events.next()?;
        }
        let no_such = BodyError { offset: *record as usize, what: BodyFault::Address };
        match next.as_ref().filter(|found| found.offset == *record) {
            Some(found) => keys.push(key_of(&found.event, scope).ok_or(no_such)?),
            None if body.is_thinned() => is_whole = false,
            None => return Err(no_such),
        }
    }
    Ok(is_whole)
}

/// Appends the keys of a scope that a commit sets or deletes; whether all that it first held are there.
fn read_all(body: &[u8], scope: &str, keys: &mut Vec<Key>) -> Result<bool, BodyError> {
    let body = Body::parse(body)?;
    let mut events = body.events();
    while let Some(found) = events.next()? {
        keys.extend(key_of(&found.event, scope));
    }
    Ok(!body.is_thinned())
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
