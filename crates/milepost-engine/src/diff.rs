//! [`Diff`]: in which keys two states differ.
//!
//! Invariant: a key is told at most once, in order, and only if its value, content type or expiry is another one. Where
//! both sides have the same version, its value is not read.

use std::{cmp::Ordering, vec};

use milepost_types::Key;

use crate::{ReadError, Value, View, state::Version};

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

/// The differences, one after the other.
#[derive(Debug)]
pub struct Diff {
    found: vec::IntoIter<Found>,
    old: View,
    new: View,
}

impl View {
    /// In which keys the state of `scope` here and that of `other_scope` in `other`, a view of the same store, differ.
    pub fn diff(&self, scope: &str, other: &View, other_scope: &str) -> Result<Diff, ReadError> {
        assert!(std::ptr::eq(&raw const *self.shared, &raw const *other.shared), "views of two stores");
        self.shared.may_read()?;
        let found = gather((scope, self), (other_scope, other))?.into_iter();
        Ok(Diff { found, old: self.clone(), new: other.clone() })
    }
}

/// Walks both scopes and keeps the keys whose versions are not the same.
///
/// An index that knows what changed between two commits can do it without the walk: nothing else depends on it.
fn gather((old_scope, old): (&str, &View), (new_scope, new): (&str, &View)) -> Result<Vec<Found>, ReadError> {
    let tiers = old.shared.state.pin();
    let lineage = old.shared.lineage(&tiers);
    let (old_line, new_line) = (lineage.line(old_scope, old.seq)?, lineage.line(new_scope, new.seq)?);
    let (mut old_keys, mut new_keys) = (old_line.keys(&tiers, "")?, new_line.keys(&tiers, "")?);
    let (mut in_old, mut in_new) = (old_keys.read_next()?.is_some(), new_keys.read_next()?.is_some());
    let mut found = Vec::new();
    loop {
        let order = match (in_old, in_new) {
            (true, true) => old_keys.key().cmp(new_keys.key()),
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
            (false, false) => return Ok(found),
        };
        let key = if order == Ordering::Greater { new_keys.key() } else { old_keys.key() };
        let old_version = if order == Ordering::Greater { None } else { old_keys.seen()? };
        let new_version = if order == Ordering::Less { None } else { new_keys.seen()? };
        // One that expires may be gone on one side only.
        let differ = old_version != new_version || old_version.is_some_and(Version::expires);
        if differ {
            found.push((Key::parse(key).expect("checked when it was inserted"), old_version, new_version));
        }
        if order != Ordering::Greater {
            in_old = old_keys.read_next()?.is_some();
        }
        if order != Ordering::Less {
            in_new = new_keys.read_next()?.is_some();
        }
    }
}

impl Diff {
    fn difference(&self, (key, old, new): Found) -> Result<Option<Difference>, ReadError> {
        let segments = self.old.shared.reader.segments();
        let value = |view: &View, version: Option<Version>| {
            version.map_or(Ok(None), |version| view.shared.value(&segments, version, || view.at()))
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
