//! [`Diff`]: in which keys two states differ.
//!
//! Invariant: a key is told at most once, in order, and only if its value, content type or expiry is another one. Where
//! both sides have the same version, its value is not read.
//!
//! Two moments of one scope, and scopes that were forked from the same, cost what changed between them, where versions
//! tell that (`changed.rs`); else both sides are walked (`walk.rs`), with the same answer.

mod changed;
mod walk;

use std::vec;

use milepost_types::{Key, Seq};

use crate::{ReadError, Value, View, state::Version, view::Held};

/// A key in which two states differ.
#[derive(Clone, Debug)]
pub struct Difference {
    /// The key.
    pub key: Key,
    /// The value on the first side.
    pub old: Option<Value>,
    /// The value on the second side.
    pub new: Option<Value>,
}

/// How a key differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DifferenceKind {
    /// Only the second side has it.
    Added,
    /// Only the first side has it.
    Removed,
    /// Both have it, with other values.
    Changed,
}

impl DifferenceKind {
    /// The word for it, on every screen and in every export.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            DifferenceKind::Added => "added",
            DifferenceKind::Removed => "removed",
            DifferenceKind::Changed => "changed",
        }
    }
}

impl Difference {
    /// How it differs.
    #[must_use]
    pub fn kind(&self) -> DifferenceKind {
        match (&self.old, &self.new) {
            (None, _) => DifferenceKind::Added,
            (_, None) => DifferenceKind::Removed,
            (Some(_), Some(_)) => DifferenceKind::Changed,
        }
    }
}

/// A key with its versions on both sides.
type Found = (Key, Option<Version>, Option<Version>);

/// A scope at a moment.
#[derive(Clone, Copy, Debug)]
struct Side<'a> {
    scope: &'a str,
    view: &'a View,
}

/// The differences, one after the other. What is erased meanwhile is on neither side any more.
#[derive(Debug)]
pub struct Diff {
    found: vec::IntoIter<Found>,
    old: (View, String),
    new: (View, String),
    /// The last erasure that was known when it was gathered.
    erasure: Seq,
    /// Of a store beside its writer, what it was gathered from, in which the values are, too.
    held: Option<Held>,
}

impl View {
    /// In which keys the state of `scope` here and that of `other_scope` in `other`, a view of the same handle, differ.
    pub fn diff(&self, scope: &str, other: &View, other_scope: &str) -> Result<Diff, ReadError> {
        if !std::ptr::eq(&raw const *self.pin.shared, &raw const *other.pin.shared) {
            return Err(ReadError::TwoHandles);
        }
        let erasure = self.pin.shared.last_erasure();
        let held = self.pin.shared.is_read_only().then(|| Held::of(&self.pin.shared));
        let tiers = held.as_ref().map_or_else(|| self.pin.shared.state.pin(), Held::tiers);
        self.may_see_in_store(scope)?;
        other.may_see_in_store(other_scope)?;
        let lineage = self.pin.shared.lineage(&tiers);
        let (old, new) = (Side { scope, view: self }, Side { scope: other_scope, view: other });
        let found = match changed::gather(&lineage, old, new)? {
            Some(found) => found,
            None => walk::gather(&lineage, old, new)?,
        };
        let (old, new) = ((self.clone(), scope.to_owned()), (other.clone(), other_scope.to_owned()));
        Ok(Diff { found: found.into_iter(), old, new, erasure, held })
    }
}

impl Diff {
    fn difference(&self, (key, old, new): Found) -> Result<Option<Difference>, ReadError> {
        let shared = &self.old.0.pin.shared;
        let segments = self.held.as_ref().map_or_else(|| shared.reader.segments(), Held::segments);
        let is_behind = shared.last_erasure() > self.erasure;
        let value = |(view, scope): &(View, String), version: Option<Version>| match version {
            Some(_) if is_behind => view.get(scope, key.as_str()),
            Some(version) => view.value_in_store(&segments, version),
            None => Ok(None),
        };
        let (old, new) = (value(&self.old, old)?, value(&self.new, new)?);
        let is_same = match (&old, &new) {
            (None, None) => true,
            (Some(old), Some(new)) => {
                **old == **new && old.content_type() == new.content_type() && old.expires_at() == new.expires_at()
            }
            (Some(_), None) | (None, Some(_)) => false,
        };
        Ok((!is_same).then_some(Difference { key, old, new }))
    }
}

impl Iterator for Diff {
    type Item = Result<Difference, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let found = self.found.next()?;
            if let Some(difference) = self.difference(found).transpose() {
                return Some(difference);
            }
        }
    }
}

#[cfg(test)]
mod tests;
