//! [`View`]: the state at one moment. [`Scan`]: a scope's keys at that moment, in order.
//!
//! Invariant: a view never changes. Every version it can see is durable, and what comes later has a higher `Seq`.

use std::sync::Arc;

use milepost_types::{Key, Scope, ScopePrefix, Seq, Timestamp, scope::is_reserved};

use crate::{
    ReadError, Value,
    engine::Shared,
    memtable::{Kind, SortedKey, Version},
};

/// The state at one moment.
#[derive(Clone, Debug)]
pub struct View {
    pub(crate) shared: Arc<Shared>,
    pub(crate) seq: Seq,
    pub(crate) at: Timestamp,
}

/// A key and its value.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The key.
    pub key: Key,
    /// Its value.
    pub value: Value,
}

impl View {
    /// The last commit that it sees; [`Seq::ZERO`] for none.
    #[must_use]
    pub fn seq(&self) -> Seq {
        self.seq
    }

    /// Its time: values that expire at or before it are gone.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// The value of a key.
    pub fn get(&self, scope: &str, key: &str) -> Result<Option<Value>, ReadError> {
        self.shared.may_read()?;
        match self.shared.memtable.find(scope, key, self.seq) {
            Some(version) => self.shared.value(version, self.at),
            None => Ok(None),
        }
    }

    /// The keys of a scope that begin with `key_prefix`, in order, with their values.
    #[must_use]
    pub fn scan(&self, scope: &str, key_prefix: &str) -> Scan {
        self.scan_from(scope, key_prefix, None)
    }

    /// The same, beginning behind the key `after`.
    #[must_use]
    pub fn scan_from(&self, scope: &str, key_prefix: &str, after: Option<&str>) -> Scan {
        let memtable = &self.shared.memtable;
        let state = memtable.scope(scope).filter(|_| !is_reserved(scope));
        let keys = state.map(|state| memtable.sorted(state)).unwrap_or_default();
        let start = match after {
            Some(after) => keys.partition_point(|key| &*key.key <= after || &*key.key < key_prefix),
            None => keys.partition_point(|key| &*key.key < key_prefix),
        };
        Scan { view: self.clone(), scope: scope.to_owned(), keys, next: start, key_prefix: key_prefix.to_owned() }
    }

    /// The scopes at and below a prefix that hold a key, in order.
    pub fn scopes(&self, prefix: &ScopePrefix) -> Result<Vec<Scope>, ReadError> {
        self.shared.may_read()?;
        let mut scopes = Vec::new();
        for state in self.shared.memtable.scopes_at(prefix) {
            if is_reserved(&state.name) {
                continue;
            }
            let first = self.scan(&state.name, "").next();
            if first.transpose()?.is_some() {
                scopes.push(Scope::from_stored(&state.name).expect("checked when it was inserted"));
            }
        }
        Ok(scopes)
    }

    /// The last commit that touched a scope, as of this moment; [`Seq::ZERO`] for none.
    #[must_use]
    pub fn scope_version(&self, scope: &str) -> Seq {
        self.shared.memtable.scope_version(scope, self.seq)
    }
}

impl Shared {
    pub(crate) fn may_read(&self) -> Result<(), ReadError> {
        if self.is_child() { Err(ReadError::Forked) } else { Ok(()) }
    }

    /// The value at a version's address, unless it has expired at `now`.
    #[inline]
    pub(crate) fn value(&self, version: Version, now: Timestamp) -> Result<Option<Value>, ReadError> {
        if matches!(version.kind, Kind::Delete | Kind::Claim) {
            return Ok(None);
        }
        let value = self.value_ever(version)?;
        let expired = version.kind == Kind::Expiring && value.expires_at().is_some_and(|expiry| expiry <= now);
        Ok(Some(value).filter(|_| !expired))
    }

    /// The value at the address of a set, expired or not.
    #[inline]
    pub(crate) fn value_ever(&self, version: Version) -> Result<Value, ReadError> {
        let seq = Seq(version.seq);
        let frame = self.frame(seq)?;
        Ok(Value::of_record(frame, version.record).map_err(|error| self.unreadable(seq, &error))?)
    }
}

/// A walk over a scope's keys, in order.
#[derive(Debug)]
pub struct Scan {
    view: View,
    scope: String,
    keys: Arc<Vec<SortedKey>>,
    next: usize,
    key_prefix: String,
}

impl Iterator for Scan {
    type Item = Result<Entry, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        let shared = &self.view.shared;
        let state = shared.memtable.scope(&self.scope)?;
        while let Some(listed) = self.keys.get(self.next).filter(|listed| listed.key.starts_with(&self.key_prefix)) {
            self.next += 1;
            let Some(version) = shared.memtable.find_listed(state, listed, self.view.seq) else { continue };
            match shared.value(version, self.view.at) {
                Ok(None) => {}
                Ok(Some(value)) => {
                    let key = Key::parse(&listed.key).expect("checked when it was inserted");
                    return Some(Ok(Entry { key, value }));
                }
                Err(error) => return Some(Err(error)),
            }
        }
        None
    }
}
