//! fjall.
//!
//! Settings: every batch persisted with `PersistMode::SyncAll`, a cache that holds the data, the rest its defaults
//! (LZ4, blocks of 4 KiB, leveled compaction).

use std::{io, path::Path, thread, time::Duration};

use fjall::{Database, Keyspace, KeyspaceCreateOptions, OwnedWriteBatch, PersistMode, Readable};

use super::{
    CACHE_BYTES,
    keys::{self, NewestOfEach, VersionKey},
};
use crate::{
    event::{Event, number_of},
    peer::{Body, Gone, Hold, Peer, Reader, Replayed, Versions, VisitEvent, VisitKey, VisitVersion},
};

/// Between two looks at what goes on in the background.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// It counts as settled when so many looks in a row found nothing.
const QUIET_LOOKS: u32 = 10;

struct Fjall {
    database: Database,
    versions: Keyspace,
    order: Keyspace,
}

pub(super) fn open(dir: &Path) -> io::Result<Box<dyn Peer>> {
    let opened = Database::builder(dir.join("store")).cache_size(CACHE_BYTES as u64).open();
    let database = opened.map_err(io::Error::other)?;
    let versions = database.keyspace("versions", KeyspaceCreateOptions::default).map_err(io::Error::other)?;
    let order = database.keyspace("order", KeyspaceCreateOptions::default).map_err(io::Error::other)?;
    Ok(Box::new(Fjall { database, versions, order }))
}

impl Fjall {
    fn batch(&self) -> OwnedWriteBatch {
        self.database.batch().durability(Some(PersistMode::SyncAll))
    }

    fn put(&self, batch: &mut OwnedWriteBatch, version: u64, events: &[Event]) {
        let mut key = VersionKey::default();
        for (place, event) in (0..).zip(events) {
            batch.insert(&self.versions, key.set(event.scope(), event.key(), version), event.value());
            let entry = keys::order_value(event.scope(), event.key());
            batch.insert(&self.order, &keys::order_key(version, place)[..], &entry[..]);
        }
    }
}

impl Peer for Fjall {
    fn replace(&self, version: u64, events: &[Event], gone: &[Gone]) -> io::Result<()> {
        let mut batch = self.batch();
        self.put(&mut batch, version, events);
        let mut key = VersionKey::default();
        for Gone { event, version, place } in gone {
            batch.remove(&self.versions, key.set(event.scope(), event.key(), *version));
            batch.remove(&self.order, &keys::order_key(*version, *place)[..]);
        }
        batch.commit().map_err(io::Error::other)
    }

    /// It takes one batch after the other by a lock of its own.
    fn append(&self, versions: &Versions, commits: &[Vec<Event>]) -> io::Result<u64> {
        let (mut batch, first) = (self.batch(), versions.take(commits.len()));
        (first..).zip(commits).for_each(|(version, events)| self.put(&mut batch, version, events));
        batch.commit().map_err(io::Error::other)?;
        Ok(first)
    }

    fn last(&self) -> io::Result<u64> {
        let Some(last) = self.order.last_key_value() else { return Ok(0) };
        keys::order_version(&last.key().map_err(io::Error::other)?)
    }

    fn read(&self, _hold: Hold, body: Body<'_>) -> io::Result<()> {
        body(&mut FjallReader { store: self, key: VersionKey::default() })
    }

    /// A read takes its own snapshot, which is a number; holding one would save nothing.
    fn has_transactions(&self) -> bool {
        false
    }

    #[expect(clippy::disallowed_methods, reason = "the engine has no way to wait for its background work")]
    fn settle(&self) -> io::Result<()> {
        let mut quiet = 0;
        while quiet < QUIET_LOOKS {
            let busy = self.database.outstanding_flushes() > 0
                || self.database.active_compactions() > 0
                || self.versions.sealed_memtable_count() > 0
                || self.order.sealed_memtable_count() > 0;
            quiet = if busy { 0 } else { quiet + 1 };
            thread::sleep(LOOK_EVERY);
        }
        Ok(())
    }

    fn close(self: Box<Self>) -> io::Result<()> {
        self.database.persist(PersistMode::SyncAll).map_err(io::Error::other)
    }
}

struct FjallReader<'a> {
    store: &'a Fjall,
    key: VersionKey,
}

impl Reader for FjallReader<'_> {
    fn latest(&mut self, scope: &str, key: &str) -> io::Result<Option<u64>> {
        self.as_of(scope, key, u64::MAX)
    }

    fn as_of(&mut self, scope: &str, key: &str, version: u64) -> io::Result<Option<u64>> {
        let end = keys::key_end(scope, key);
        let from = self.key.set(scope, key, version);
        let Some(entry) = self.store.versions.range(from..&*end).next() else { return Ok(None) };
        let (found, value) = entry.into_inner().map_err(io::Error::other)?;
        if self.key.is_of_same_key(&found) { number_of(&value).map(Some) } else { Ok(None) }
    }

    fn scope_as_of(&mut self, scope: &str, version: u64, visit: VisitKey<'_>) -> io::Result<()> {
        let (start, end) = (keys::scope_start(scope), keys::scope_end(scope));
        let mut newest = NewestOfEach::new(scope, version);
        for entry in self.store.versions.range(&*start..&*end) {
            let (found, value) = entry.into_inner().map_err(io::Error::other)?;
            if let Some(key) = newest.take(&found)? {
                visit(key, number_of(&value)?)?;
            }
        }
        Ok(())
    }

    fn history(&mut self, scope: &str, key: &str, visit: VisitVersion<'_>) -> io::Result<()> {
        let end = keys::key_end(scope, key);
        let from = self.key.set(scope, key, u64::MAX);
        for entry in self.store.versions.range(from..&*end) {
            let (found, value) = entry.into_inner().map_err(io::Error::other)?;
            visit(keys::split(scope, &found)?.1, number_of(&value)?)?;
        }
        Ok(())
    }

    fn replay(&mut self, visit: VisitEvent<'_>) -> io::Result<()> {
        let snapshot = self.store.database.snapshot();
        let mut followed = Vec::new();
        for entry in snapshot.iter(&self.store.order) {
            let (key, entry) = entry.into_inner().map_err(io::Error::other)?;
            let version = keys::order_version(&key)?;
            keys::follow(&entry, version, &mut followed);
            let value = snapshot.get(&self.store.versions, &followed).map_err(io::Error::other)?;
            let number = number_of(&value.ok_or_else(|| keys::missing(&followed))?)?;
            let (scope, key) = keys::scope_and_key(&entry)?;
            visit(Replayed { version, scope, key }, number)?;
        }
        Ok(())
    }
}
