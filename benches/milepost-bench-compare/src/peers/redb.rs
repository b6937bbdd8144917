//! redb.
//!
//! Settings: `Durability::Immediate` (its default, said aloud), a cache that holds the data. `redb-quick` turns on
//! quick repair besides, which makes commits slower and the opening after a crash fast.

use std::{io, path::Path};

use redb::{Builder, Database, Durability, ReadOnlyTable, ReadableDatabase, ReadableTable, TableDefinition};

use super::{
    CACHE_BYTES,
    keys::{self, NewestOfEach, VersionKey},
};
use crate::{
    event::{Event, number_of},
    peer::{Body, Gone, Hold, Peer, Reader, Replayed, Versions, VisitEvent, VisitKey, VisitVersion},
};

const VERSIONS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("versions");
const ORDER: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("order");

struct Redb {
    database: Database,
    quick_repair: bool,
}

pub(super) fn open(dir: &Path) -> io::Result<Box<dyn Peer>> {
    open_with(dir, false)
}

pub(super) fn open_quick(dir: &Path) -> io::Result<Box<dyn Peer>> {
    open_with(dir, true)
}

fn open_with(dir: &Path, quick_repair: bool) -> io::Result<Box<dyn Peer>> {
    let database =
        Builder::new().set_cache_size(CACHE_BYTES).create(dir.join("store.redb")).map_err(io::Error::other)?;
    let peer = Redb { database, quick_repair };
    if peer.versions().is_err() {
        // Readers find no table before there is one.
        peer.commit(0, &[])?;
    }
    Ok(Box::new(peer))
}

impl Redb {
    fn versions(&self) -> io::Result<Table> {
        let reading = self.database.begin_read().map_err(io::Error::other)?;
        reading.open_table(VERSIONS).map_err(io::Error::other)
    }

    fn order(&self) -> io::Result<Table> {
        let reading = self.database.begin_read().map_err(io::Error::other)?;
        reading.open_table(ORDER).map_err(io::Error::other)
    }

    /// One writer at a time: the next waits in `begin_write`.
    fn write<T>(&self, act: impl FnOnce(&mut Tables<'_>) -> io::Result<T>) -> io::Result<T> {
        let mut writing = self.database.begin_write().map_err(io::Error::other)?;
        writing.set_durability(Durability::Immediate).map_err(io::Error::other)?;
        writing.set_quick_repair(self.quick_repair);
        let versions = writing.open_table(VERSIONS).map_err(io::Error::other)?;
        let order = writing.open_table(ORDER).map_err(io::Error::other)?;
        let mut tables = Tables { versions, order };
        let acted = act(&mut tables)?;
        drop(tables);
        writing.commit().map_err(io::Error::other)?;
        Ok(acted)
    }
}

/// Both tables, to write.
struct Tables<'t> {
    versions: redb::Table<'t, &'static [u8], &'static [u8]>,
    order: redb::Table<'t, &'static [u8], &'static [u8]>,
}

impl Tables<'_> {
    fn put(&mut self, version: u64, events: &[Event]) -> io::Result<()> {
        let mut key = VersionKey::default();
        for (place, event) in (0..).zip(events) {
            let key = key.set(event.scope(), event.key(), version);
            self.versions.insert(key, event.value()).map_err(io::Error::other)?;
            let entry = keys::order_value(event.scope(), event.key());
            self.order.insert(&keys::order_key(version, place)[..], &entry[..]).map_err(io::Error::other)?;
        }
        Ok(())
    }
}

type Table = ReadOnlyTable<&'static [u8], &'static [u8]>;

impl Peer for Redb {
    fn replace(&self, version: u64, events: &[Event], gone: &[Gone]) -> io::Result<()> {
        self.write(|tables| {
            tables.put(version, events)?;
            let mut key = VersionKey::default();
            for Gone { event, version, place } in gone {
                let key = key.set(event.scope(), event.key(), *version);
                tables.versions.remove(key).map_err(io::Error::other)?;
                tables.order.remove(&keys::order_key(*version, *place)[..]).map_err(io::Error::other)?;
            }
            Ok(())
        })
    }

    fn append(&self, versions: &Versions, commits: &[Vec<Event>]) -> io::Result<u64> {
        self.write(|tables| {
            let first = versions.take(commits.len());
            (first..).zip(commits).try_for_each(|(version, events)| tables.put(version, events))?;
            Ok(first)
        })
    }

    fn last(&self) -> io::Result<u64> {
        let order = self.order()?;
        let last = order.last().map_err(io::Error::other)?;
        last.map_or(Ok(0), |(key, _)| keys::order_version(key.value()))
    }

    fn read(&self, hold: Hold, body: Body<'_>) -> io::Result<()> {
        let held = match hold {
            Hold::EachRead => None,
            Hold::AllReads => Some(self.versions()?),
        };
        body(&mut RedbReader { store: self, held, key: VersionKey::default() })
    }

    fn has_transactions(&self) -> bool {
        true
    }

    fn close(self: Box<Self>) -> io::Result<()> {
        self.database.close().map_err(io::Error::other)
    }
}

struct RedbReader<'a> {
    store: &'a Redb,
    held: Option<Table>,
    key: VersionKey,
}

impl RedbReader<'_> {
    /// Runs a read on the table that is held, or on one of a transaction of its own.
    fn within<T>(&mut self, read: impl FnOnce(&Table, &mut VersionKey) -> io::Result<T>) -> io::Result<T> {
        match &self.held {
            Some(versions) => read(versions, &mut self.key),
            None => read(&self.store.versions()?, &mut self.key),
        }
    }
}

impl Reader for RedbReader<'_> {
    fn latest(&mut self, scope: &str, key: &str) -> io::Result<Option<u64>> {
        self.as_of(scope, key, u64::MAX)
    }

    fn as_of(&mut self, scope: &str, key: &str, version: u64) -> io::Result<Option<u64>> {
        self.within(|versions, sought| {
            let mut range = versions.range(sought.set(scope, key, version)..).map_err(io::Error::other)?;
            let Some(entry) = range.next() else { return Ok(None) };
            let (found, value) = entry.map_err(io::Error::other)?;
            if sought.is_of_same_key(found.value()) { number_of(value.value()).map(Some) } else { Ok(None) }
        })
    }

    fn scope_as_of(&mut self, scope: &str, version: u64, visit: VisitKey<'_>) -> io::Result<()> {
        self.within(|versions, _| {
            let (start, end) = (keys::scope_start(scope), keys::scope_end(scope));
            let mut newest = NewestOfEach::new(scope, version);
            for entry in versions.range(&*start..&*end).map_err(io::Error::other)? {
                let (found, value) = entry.map_err(io::Error::other)?;
                if let Some(key) = newest.take(found.value())? {
                    visit(key, number_of(value.value())?)?;
                }
            }
            Ok(())
        })
    }

    fn history(&mut self, scope: &str, key: &str, visit: VisitVersion<'_>) -> io::Result<()> {
        self.within(|versions, sought| {
            let end = keys::key_end(scope, key);
            for entry in versions.range(sought.set(scope, key, u64::MAX)..&*end).map_err(io::Error::other)? {
                let (found, value) = entry.map_err(io::Error::other)?;
                visit(keys::split(scope, found.value())?.1, number_of(value.value())?)?;
            }
            Ok(())
        })
    }

    fn replay(&mut self, visit: VisitEvent<'_>) -> io::Result<()> {
        let reading = self.store.database.begin_read().map_err(io::Error::other)?;
        let order = reading.open_table(ORDER).map_err(io::Error::other)?;
        let versions = reading.open_table(VERSIONS).map_err(io::Error::other)?;
        let mut followed = Vec::new();
        for entry in order.iter().map_err(io::Error::other)? {
            let (key, entry) = entry.map_err(io::Error::other)?;
            let version = keys::order_version(key.value())?;
            keys::follow(entry.value(), version, &mut followed);
            let value = versions.get(&*followed).map_err(io::Error::other)?;
            let number = number_of(value.ok_or_else(|| keys::missing(&followed))?.value())?;
            let (scope, key) = keys::scope_and_key(entry.value())?;
            visit(Replayed { version, scope, key }, number)?;
        }
        Ok(())
    }
}
