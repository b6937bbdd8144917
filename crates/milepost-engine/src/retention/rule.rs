//! The rule: which versions of a key may go. Pure: versions in, one fate each out.
//!
//! ```text
//! a version is seen by reads after its commit and before the commit of the next version, or clear, of its key
//!
//! stays   a read at the horizon or behind it can meet it, or one at a pinned point, or somebody goes through all
//!         commits from there on; or it is one of the newest values that are kept by their number, or the delete that
//!         ended one of them, of a key that has a value at the horizon. Of a key that has none, no number keeps any
//! gone    none of these
//! bare    a delete, or a value that has expired, at or before the horizon: it says of no read anything but that
//!         nothing is there. It may go once nothing older of the key is left in any file, and must stay until then
//! ```
//!
//! Invariant: whatever of the gone is taken away, in whatever order, every read that was possible before answers the
//! same: at the horizon, behind it, at every pinned point.
//!
//! Knows nothing of scopes, of files, or of who pins what.

use crate::state::{Kind, Mark, Version};

/// What a version is to retention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Stays,
    Bare,
    Gone,
}

impl Fate {
    /// Whether the version with this index goes, of all that are known of its key. What is known is at least what is
    /// in any file: so of the first nothing older is left.
    pub(crate) fn goes_at(self, index: usize) -> bool {
        match self {
            Fate::Gone => true,
            Fate::Bare => index == 0,
            Fate::Stays => false,
        }
    }
}

/// What is wanted of the versions of a key.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    /// Reads as of this commit and of later ones are possible.
    pub(crate) horizon: u64,
    /// Older commits as of which reads are possible, in order.
    pub(crate) points: Vec<u64>,
    /// So many newest values stay, of a key that has one at the horizon.
    pub(crate) keep_last: u64,
    /// Every version by this commit or a later one stays.
    pub(crate) keep_from: Option<u64>,
    /// What stands before it is gone whatever else is wanted: it was erased.
    pub(crate) erased: Option<Mark>,
    /// Where the scope began as another one, which a delete behind it hides.
    pub(crate) forked: Option<Mark>,
}

/// The fates of the versions of a key. `versions` and `clears` are all that there are, oldest first; `has_expired` says
/// of a version whether no read at the horizon or behind it sees its value.
pub(crate) fn fates(
    versions: &[Version],
    clears: &[Mark],
    wanted: &Wanted,
    has_expired: &mut dyn FnMut(&Version) -> bool,
) -> Vec<Fate> {
    let mut fates: Vec<Fate> = Vec::with_capacity(versions.len());
    let keep_last = if wanted.keep_last > 0 && has_value(versions, clears, wanted.horizon, has_expired) {
        wanted.keep_last
    } else {
        0
    };
    let mut clears = clears.iter().peekable();
    // Whether anything older stays: then what says that nothing is there must stay as well.
    let mut any_stays = false;
    let mut newer = versions.iter().filter(|version| version.kind != Kind::Delete).count() as u64;
    for (index, version) in versions.iter().enumerate() {
        while clears.next_if(|clear| !clear.stands_after(version)).is_some() {}
        let next_version = versions.get(index + 1).map(|next| next.seq);
        let next_clear = clears.peek().map(|clear| clear.seq);
        let end = next_version.into_iter().chain(next_clear).min();
        // A delete is no value, and goes with the one that it ended.
        let ends_what_stays = || {
            let before = index.checked_sub(1).map(|before| (versions[before].kind, fates[before]));
            before.is_some_and(|(kind, fate)| kind != Kind::Delete && fate == Fate::Stays)
        };
        let is_value = version.kind != Kind::Delete;
        newer -= u64::from(is_value);
        let is_numbered = newer < keep_last && (is_value || ends_what_stays());
        let fate = fate(version, end, is_numbered, wanted, any_stays, has_expired);
        any_stays |= fate == Fate::Stays;
        fates.push(fate);
    }
    fates
}

/// Whether a read at the horizon meets a value.
fn has_value(
    versions: &[Version],
    clears: &[Mark],
    horizon: u64,
    has_expired: &mut dyn FnMut(&Version) -> bool,
) -> bool {
    let before = versions.partition_point(|version| version.seq <= horizon);
    let Some(newest) = versions[..before].last() else { return false };
    let is_cleared = clears.iter().any(|clear| clear.seq <= horizon && clear.stands_after(newest));
    !is_cleared
        && match newest.kind {
            Kind::Set | Kind::Claim => true,
            Kind::Delete => false,
            Kind::Expiring => !has_expired(newest),
        }
}

/// The fate of a version that is seen before the commit at `end`, and is kept by its number or not.
fn fate(
    version: &Version,
    end: Option<u64>,
    is_numbered: bool,
    wanted: &Wanted,
    any_stays: bool,
    has_expired: &mut dyn FnMut(&Version) -> bool,
) -> Fate {
    let is_before = |mark: Option<Mark>| mark.is_some_and(|mark| mark.stands_after(version));
    if is_before(wanted.erased) {
        return Fate::Gone;
    }
    if wanted.keep_from.is_some_and(|from| version.seq >= from) || is_numbered {
        return Fate::Stays;
    }
    let is_seen_at = |point: u64| version.seq <= point && end.is_none_or(|end| point < end);
    let first = wanted.points.partition_point(|point| *point < version.seq);
    let is_pinned = wanted.points.get(first).is_some_and(|point| is_seen_at(*point));
    let is_seen = end.is_none_or(|end| end > wanted.horizon);
    if !is_seen && !is_pinned {
        return Fate::Gone;
    }
    let hides = wanted.forked.is_some_and(|mark| !mark.stands_after(version));
    let says_nothing = match version.kind {
        Kind::Set | Kind::Claim => false,
        Kind::Delete => true,
        // A point may be before the expiry.
        Kind::Expiring => !is_pinned && version.seq <= wanted.horizon && has_expired(version),
    };
    if says_nothing && version.seq <= wanted.horizon && !any_stays && !hides { Fate::Bare } else { Fate::Stays }
}

#[cfg(test)]
mod tests;
