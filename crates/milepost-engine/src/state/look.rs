//! The questions of [`super::Tiers`], asked of one run.
//!
//! Invariant: a run answers as the memtable did that it was made of.

use std::sync::Arc;

use milepost_index::{KeyHash, Run, ScopeHash, ScopeView, Versions};
use milepost_types::{Corruption, Scope, Seq, limits, scope::is_reserved};

use super::{Kind, Mark, Version};
use crate::memtable::{CHECKPOINT, ERASED, HOLD, Met, Name, RESERVED, prefix_names};

/// A version as a run has it.
pub(super) fn version(run: &Run, version: milepost_index::Version) -> Result<Version, Corruption> {
    let kind = match version.kind {
        0 => Kind::Set,
        1 => Kind::Expiring,
        2 => Kind::Delete,
        3 => Kind::Claim,
        kind => {
            let what = format!("a version of kind {kind}, which this program does not know");
            return Err(run.disagrees(Seq(version.seq), what));
        }
    };
    Ok(Version { seq: version.seq, record: version.record, kind })
}

/// Of some runs, a bit for each that a read of this key as of `seq` has to ask.
#[inline]
pub(super) fn which(runs: &[Arc<Run>], name: &Name<'_>, seq: Seq) -> u32 {
    let mut which = 0;
    for (index, run) in runs.iter().enumerate() {
        let asked = seq.0 >= run.facts().first_seq && (run.may_hold(name.key_hash) || run.has_clears());
        which |= u32::from(asked) << index;
    }
    which
}

/// The version that a read as of `seq` meets.
#[inline]
pub(super) fn look(
    run: &Run,
    name: &Name<'_>,
    seed: u64,
    seq: Seq,
    glance: impl Fn(Version),
) -> Result<Met, Corruption> {
    // A version of a kind that is not known is told of when it was found.
    let glance = |found| {
        if let Ok(found) = version(run, found) {
            glance(found);
        }
    };
    let found = run.find_glancing(name.key_hash, name.scope, name.key, seq.0, glance)?;
    let found = found.map(|found| version(run, found)).transpose()?;
    let is_deleted = found.is_some_and(|found| found.kind == Kind::Delete);
    let clear = if run.has_clears() && !is_deleted { last_clear(run, seed, name.scope, seq)? } else { None };
    Ok(met(found, clear))
}

/// The same of many keys of a scope, whose lines of slots were aimed at before.
pub(super) fn look_each(
    run: &Run,
    seed: u64,
    scope: &str,
    keys: &[(KeyHash, &str)],
    seq: Seq,
) -> Result<Vec<Met>, Corruption> {
    let mut found = Vec::new();
    run.find_each(scope, keys, seq.0, &mut found)?;
    let clear = last_clear(run, seed, scope, seq)?;
    found.into_iter().map(|found| Ok(met(found.map(|found| version(run, found)).transpose()?, clear))).collect()
}

/// What a version that was found comes to, beside the last event that cleared its scope.
#[inline]
fn met(found: Option<Version>, clear: Option<Mark>) -> Met {
    match found {
        Some(found) if found.kind == Kind::Delete => Met::Gone,
        Some(found) if clear.is_some_and(|mark| mark.stands_after(&found)) => Met::Gone,
        Some(found) => Met::Version(found),
        None if clear.is_some() => Met::Gone,
        None => Met::Nothing,
    }
}

/// What a version decides that was found in a run without clears.
#[inline]
pub(super) fn met_here(run: &Run, found: Option<milepost_index::Version>) -> Result<Met, Corruption> {
    Ok(met(found.map(|found| version(run, found)).transpose()?, None))
}

/// A key that a walk met must be one that a writer can write. Checksums do not show it of a run that was crafted.
pub(super) fn check_key(run: &Run, key: &str) -> Result<(), Corruption> {
    if key.len() <= limits::KEY_BYTES_MAX && !key.contains('\0') {
        return Ok(());
    }
    Err(run.disagrees(Seq(run.facts().first_seq), format!("{key:?} is no key that a writer can write")))
}

/// The same of a scope, of a prefix that was cleared, or of where what is said of a scope is kept under its name.
pub(super) fn check_scope(run: &Run, name: &str) -> Result<(), Corruption> {
    let path = name.strip_suffix('/').unwrap_or(name);
    let kept = [CHECKPOINT, HOLD, ERASED].into_iter().find_map(|root| path.strip_prefix(root)?.strip_prefix('/'));
    let path = kept.unwrap_or(path);
    if name == "/" || Scope::from_stored(path).is_ok() {
        return Ok(());
    }
    Err(run.disagrees(Seq(run.facts().first_seq), format!("{name:?} is no scope that a writer can write")))
}

pub(super) fn scope(run: &Run, seed: u64, scope: &str) -> Result<Option<ScopeView>, Corruption> {
    run.scope(ScopeHash::of(seed, scope), scope)
}

/// How many scopes, keys and versions the engine keeps for itself.
pub(super) fn reserved(run: &Run) -> Result<(u64, u64, u64), Corruption> {
    let (mut scopes, mut keys, mut versions) = (0, 0, 0);
    let mut cursor = run.scopes_from(RESERVED)?;
    while let Some((_, view)) = cursor.read_next()?.filter(|(name, _)| is_reserved(name)) {
        scopes += 1;
        keys += view.keys();
        versions += view.changes();
    }
    Ok((scopes, keys, versions))
}

/// Whether it may hold an erasure. The names of all that were erased begin alike.
pub(super) fn has_erasures(run: &Run) -> Result<bool, Corruption> {
    let mut cursor = run.scopes_from(ERASED)?;
    Ok(cursor.read_next()?.is_some_and(|(name, _)| name.starts_with(ERASED)))
}

/// Appends versions, oldest first.
pub(super) fn append(run: &Run, found: Versions<'_>, versions: &mut Vec<Version>) -> Result<(), Corruption> {
    let begin = versions.len();
    for found in found {
        versions.push(version(run, found?)?);
    }
    versions[begin..].reverse();
    Ok(())
}

/// Every clear that meets the scope, oldest first.
pub(super) fn marks(run: &Run, seed: u64, scope: &str) -> Result<Vec<Mark>, Corruption> {
    let mut marks = Vec::new();
    each_clear(run, seed, scope, &mut |view| {
        marks.extend(run.clears(view)?.into_iter().map(mark));
        Ok(())
    })?;
    marks.sort_unstable();
    Ok(marks)
}

/// The clears that are named like this, oldest first.
pub(super) fn own_marks(run: &Run, seed: u64, name: &str) -> Result<Vec<Mark>, Corruption> {
    if !run.has_clears() {
        return Ok(Vec::new());
    }
    let Some(view) = scope(run, seed, name)? else { return Ok(Vec::new()) };
    Ok(run.clears(&view)?.into_iter().map(mark).collect())
}

/// The last clear at or below `seq` that meets the scope.
pub(super) fn last_clear(run: &Run, seed: u64, scope: &str, seq: Seq) -> Result<Option<Mark>, Corruption> {
    let mut last = None;
    each_clear(run, seed, scope, &mut |view| {
        last = last.max(run.last_clear(view, seq.0)?.map(mark));
        Ok(())
    })?;
    Ok(last)
}

/// The last commit at or below `seq` that named the scope: 0 for none here.
pub(super) fn touched(run: &Run, seed: u64, name: &str, seq: Seq) -> Result<u64, Corruption> {
    let Some(view) = scope(run, seed, name)? else { return Ok(0) };
    let touched = view.seqs().touched;
    if touched <= seq.0 {
        return Ok(touched);
    }
    let cleared = run.last_clear(&view, seq.0)?.map_or(0, |mark| mark.seq);
    Ok(run.last_change(&view, seq.0)?.map_or(cleared, |changed| changed.max(cleared)))
}

/// Calls `visit` for the scope, and for every prefix that was cleared and that it lies at or below.
fn each_clear(
    run: &Run,
    seed: u64,
    name: &str,
    visit: &mut dyn FnMut(&ScopeView) -> Result<(), Corruption>,
) -> Result<(), Corruption> {
    if !run.has_clears() {
        return Ok(());
    }
    if let Some(view) = scope(run, seed, name)? {
        visit(&view)?;
    }
    for prefix in prefix_names(name) {
        if let Some(view) = scope(run, seed, &prefix)? {
            visit(&view)?;
        }
    }
    Ok(())
}

fn mark(mark: milepost_index::Mark) -> Mark {
    Mark { seq: mark.seq, record: mark.record }
}
