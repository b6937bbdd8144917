//! The difference of two states of one origin, from the versions that keys got since: two moments of a scope, a fork
//! and what it was forked from, two forks of the same.
//!
//! Invariant: tells the same differences as the walk, and costs in proportion to what changed. What versions do not
//! tell is left to the walk: a clear, or another fork, meanwhile; values that may have expired meanwhile; a fork that
//! was erased as a whole since.
//!
//! ```text
//! old   a as of 90                             both are read from `a` at last, so they can differ in what `b` got
//! new   b as of 95, which began as a as of 40  since it began, and in what `a` got from 40 to 90
//! ```
//!
//! A version between two moments may have been removed, if one of them lies before a horizon and is kept for a
//! checkpoint, a fork, or for whoever holds it open. What the moments themselves see is kept, and so is the newest
//! version between them of a key in which they differ: the later one sees it, or it hides what the earlier one saw. So
//! what is gone makes no difference, and its key need not be known. The same goes for what a fork got: what it sees is
//! kept, and a delete that hides what it began with.

use milepost_types::{
    EventRef, Key, Seq,
    body::{Body, BodyError, BodyFault},
    scope::is_reserved,
};

use super::{Found, Side};
use crate::{
    ReadError,
    engine::Shared,
    lineage::{Ancestor, Bodies, Lineage},
    state::{Changes, Wanted},
};

/// Part of a scope's history: behind one commit, through another.
#[derive(Debug)]
pub(super) struct Stretch {
    pub(super) scope: String,
    pub(super) before: Seq,
    pub(super) last: Seq,
}

/// Where to look for keys in which two sides differ.
#[derive(Debug, Default)]
pub(super) struct Ways {
    /// Such a key has a version in one of these,
    pub(super) stretches: Vec<Stretch>,
    /// or is one of these, in no order.
    pub(super) keys: Vec<Key>,
}

/// The keys whose versions are not the same, in order; `None` if a walk has to find them.
pub(super) fn gather(
    lineage: &Lineage<'_, Shared>,
    old: Side<'_>,
    new: Side<'_>,
) -> Result<Option<Vec<Found>>, ReadError> {
    let olds = lineage.ancestry(old.scope, old.view.seq)?;
    let news = lineage.ancestry(new.scope, new.view.seq)?;
    let Some(Ways { stretches, mut keys }) = ways(lineage, (old, &olds), (new, &news))? else { return Ok(None) };
    let are_kept = old.view.is_kept() && new.view.is_kept();
    // More changes than a walk would meet keys are not worth it.
    let mut left = 0;
    for Stretch { scope, .. } in &stretches {
        left += lineage.tiers.keys_at_most(scope)?;
    }
    for Stretch { scope, before, last } in &stretches {
        let Some(changes) = lineage.tiers.changes(scope, (*before, *last), &mut left)? else { return Ok(None) };
        if !push_keys(lineage.bodies, scope, changes, &mut keys)? && !are_kept {
            return Ok(None);
        }
    }
    keys.sort_unstable();
    keys.dedup();
    let mut found = Vec::new();
    for key in keys {
        let version = |ancestry: &[Ancestor]| lineage.find_along(ancestry, key.as_str());
        let (old_version, new_version) = (version(&olds)?, version(&news)?);
        if old_version != new_version {
            found.push((key, old_version, new_version));
        }
    }
    Ok(Some(found))
}

/// Where to look, from what each side is read from; `None` if that is not known.
pub(super) fn ways(
    lineage: &Lineage<'_, Shared>,
    (old, olds): (Side<'_>, &[Ancestor]),
    (new, news): (Side<'_>, &[Ancestor]),
) -> Result<Option<Ways>, ReadError> {
    // What the store keeps for itself is not all said by events.
    if is_reserved(old.scope) || is_reserved(new.scope) {
        return Ok(None);
    }
    let Some((above_old, above_new)) = meeting(olds, news) else { return Ok(None) };
    let (one, other) = (&olds[above_old], &news[above_new]);
    let (first, later) = if one.seq <= other.seq { (one, other) } else { (other, one) };
    let (before, last) = (first.seq, later.seq);
    if [later.clear, later.behind].into_iter().flatten().any(|mark| mark.seq > before.0) {
        return Ok(None);
    }
    if lineage.may_expire(&one.scope, before)? && old.view.at()? != new.view.at()? {
        return Ok(None);
    }
    let mut ways = Ways::default();
    ways.stretches.push(Stretch { scope: one.scope.clone(), before, last });
    for ancestor in olds[..above_old].iter().chain(&news[..above_new]) {
        let fork = ancestor.behind.expect("another scope shows through");
        // Of what was erased since, nothing shows through, not at moments before that either.
        if let Some(erased) = lineage.tiers.erased_of(&ancestor.scope)? {
            if erased.whole().is_some_and(|mark| mark > fork) {
                return Ok(None);
            }
            erased.push_keys_behind(fork, &mut ways.keys)?;
        }
        ways.stretches.push(Stretch { scope: ancestor.scope.clone(), before: Seq(fork.seq - 1), last: ancestor.seq });
    }
    Ok(Some(ways))
}

/// The first scope that both are read from, by its places in both.
fn meeting(olds: &[Ancestor], news: &[Ancestor]) -> Option<(usize, usize)> {
    let place = |old: &Ancestor| news.iter().position(|new| new.scope == old.scope);
    olds.iter().enumerate().find_map(|(above_old, old)| Some((above_old, place(old)?)))
}

/// Appends the keys that changes lead to; whether none was removed, and its key left out.
fn push_keys(shared: &Shared, scope: &str, changes: Changes, keys: &mut Vec<Key>) -> Result<bool, ReadError> {
    let parse = |key: &str| Key::parse(key).expect("checked when it was inserted");
    keys.extend(changes.keys.iter().map(|key| parse(key)));
    let mut are_whole = true;
    for wanted in &changes.commits {
        match wanted {
            Wanted::Records(seq, records) => {
                are_whole &= kept(shared.with_body(*seq, |_, body| read_records(body, scope, records, keys)))?;
            }
            Wanted::All(commits) => {
                for seq in commits.clone() {
                    are_whole &= kept(shared.with_body(Seq(seq), |_, body| read_all(body, scope, keys)))?;
                }
            }
        }
    }
    Ok(are_whole)
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
