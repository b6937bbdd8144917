//! [`History`]: who changed what, when, from what to what.
//!
//! Invariant: a change is an event that took effect. It is shown once, in the order of the log (or its reverse), with
//! the value there was before and the one there is after.

use std::{sync::Arc, vec};

use milepost_types::{Corruption, Key, Scope, ScopePrefix, Seq, Timestamp, Writer, scope::is_reserved};

use crate::{
    ReadError, Value,
    engine::Shared,
    state::{Kind, Mark, Tiers, Version},
};

/// Which changes to show. The default is all of them, oldest first.
#[derive(Clone, Debug, Default)]
pub struct HistoryQuery {
    /// The scope, or the scopes below it.
    pub prefix: ScopePrefix,
    /// Only this key.
    pub key: Option<Key>,
    /// From this commit on.
    pub since: Option<Seq>,
    /// Through this commit.
    pub until: Option<Seq>,
    /// From this time on.
    pub since_time: Option<Timestamp>,
    /// Through this time.
    pub until_time: Option<Timestamp>,
    /// Only by the writer of this name.
    pub writer: Option<String>,
    /// The newest change first.
    pub newest_first: bool,
}

/// What a change did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChangeKind {
    /// The key got a value.
    Set,
    /// The key was deleted.
    Delete,
    /// The key went when its scope was cleared.
    Clear,
}

/// One change of one key.
#[derive(Clone, Debug)]
pub struct Change {
    /// The commit.
    pub seq: Seq,
    /// When.
    pub at: Timestamp,
    /// Who, if the commit says so.
    pub writer: Option<Writer>,
    /// Whose state.
    pub scope: Scope,
    /// Which key.
    pub key: Key,
    /// What happened.
    pub kind: ChangeKind,
    /// The value before.
    pub old: Option<Value>,
    /// The value after.
    pub new: Option<Value>,
}

/// A change, as addresses.
#[derive(Debug)]
struct Found {
    /// Commit, and place of the event in it.
    place: (u64, u32),
    scope: Arc<str>,
    key: Arc<str>,
    kind: ChangeKind,
    old: Option<Version>,
    new: Option<Version>,
}

/// The changes that a query asks for, one after the other.
#[derive(Debug)]
pub struct History {
    shared: Arc<Shared>,
    found: vec::IntoIter<Found>,
    writer: Option<String>,
}

impl History {
    pub(crate) fn new(shared: Arc<Shared>, query: HistoryQuery) -> Result<History, ReadError> {
        let last = shared.published();
        let mut from = query.since.map_or(0, |seq| seq.0);
        if let Some(time) = query.since_time {
            from = from.max(shared.reader.seq_at(Timestamp(time.0.saturating_sub(1)))?.0 + 1);
        }
        let mut until = query.until.unwrap_or(last).min(last).0;
        if let Some(time) = query.until_time {
            until = until.min(shared.reader.seq_at(time)?.0);
        }
        let mut found = Vec::new();
        let tiers = shared.state.pin();
        let mut scopes = tiers.scopes(&query.prefix)?;
        while let Some(scope) = scopes.read_next()? {
            if !is_reserved(scope) {
                gather(&tiers, scope, query.key.as_ref(), (from, until), &mut found)?;
            }
        }
        // A clear has one place for many keys: their order makes the order whole.
        found.sort_unstable_by(|a: &Found, b| (a.place, &a.scope, &a.key).cmp(&(b.place, &b.scope, &b.key)));
        if query.newest_first {
            found.reverse();
        }
        Ok(History { shared, found: found.into_iter(), writer: query.writer })
    }

    fn change(&self, found: Found) -> Result<Option<Change>, ReadError> {
        let seq = Seq(found.place.0);
        let frame = self.shared.frame(seq)?;
        let writer = self.shared.meta(&frame)?.writer;
        if let Some(name) = &self.writer
            && writer.as_ref().map(Writer::name) != Some(name)
        {
            return Ok(None);
        }
        let at = frame.at();
        let segments = self.shared.reader.segments();
        let old = found.old.map_or(Ok(None), |version| self.shared.value(&segments, version, || Ok(at)))?;
        // What is set is shown even if it was set to have expired already.
        let new = found.new.map(|version| self.shared.value_ever(&segments, version)).transpose()?;
        if old.is_none() && new.is_none() {
            return Ok(None);
        }
        let scope = Scope::from_stored(&found.scope).expect("checked when it was inserted");
        let key = Key::parse(&found.key).expect("checked when it was inserted");
        Ok(Some(Change { seq, at, writer, scope, key, kind: found.kind, old, new }))
    }
}

impl Iterator for History {
    type Item = Result<Change, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let found = self.found.next()?;
            if let Some(change) = self.change(found).transpose() {
                return Some(change);
            }
        }
    }
}

/// Collects the changes of a scope's keys within `range`.
fn gather(
    tiers: &Tiers,
    scope: &str,
    key: Option<&Key>,
    range: (u64, u64),
    found: &mut Vec<Found>,
) -> Result<(), Corruption> {
    let (marks, name) = (tiers.marks(scope)?, Arc::from(scope));
    if let Some(key) = key {
        changes(&name, &key.as_str().into(), &tiers.versions(scope, key.as_str())?, &marks, range, found);
        return Ok(());
    }
    let orders = tiers.key_orders(scope);
    let mut keys = tiers.keys(scope, &orders, "")?;
    while let Some(key) = keys.read_next()? {
        let key = Arc::from(key);
        changes(&name, &key, &keys.versions()?, &marks, range, found);
    }
    Ok(())
}

/// Merges the versions of a key with the clears of its scope, and keeps the changes within `range`.
fn changes(
    scope: &Arc<str>,
    key: &Arc<str>,
    versions: &[Version],
    marks: &[Mark],
    (from, until): (u64, u64),
    found: &mut Vec<Found>,
) {
    let mut live: Option<Version> = None;
    let mut marks = marks.iter().peekable();
    let mut keep = |place: (u64, u32), kind, old: Option<Version>, new: Option<Version>| {
        if (from..=until).contains(&place.0) && (old.is_some() || new.is_some()) {
            found.push(Found { place, scope: Arc::clone(scope), key: Arc::clone(key), kind, old, new });
        }
    };
    for version in versions {
        let place = (version.seq, version.record);
        while let Some(mark) = marks.next_if(|mark| (mark.seq, mark.record) < place) {
            keep((mark.seq, mark.record), ChangeKind::Clear, live.take(), None);
        }
        match version.kind {
            Kind::Set | Kind::Expiring => keep(place, ChangeKind::Set, live.replace(*version), Some(*version)),
            Kind::Delete => keep(place, ChangeKind::Delete, live.take(), None),
            Kind::Claim => {}
        }
    }
    for mark in marks {
        keep((mark.seq, mark.record), ChangeKind::Clear, live.take(), None);
    }
}
