//! LMDB, through heed.
//!
//! Settings: the default flags, so that every commit syncs data and then the page that makes it count; a map of 64 GiB,
//! which is address space and no memory.

use std::{io, ops::Bound, path::Path};

use heed::{CommitOrAbort, Database, Env, EnvOpenOptions, RoTxn, RwTxn, WithTls, types::Bytes};

use super::keys::{self, NewestOfEach, VersionKey};
use crate::{
    event::{Event, number_of},
    peer::{Body, Gone, Hold, Peer, Reader, Replayed, Versions, VisitEvent, VisitKey, VisitVersion},
};

const MAP_BYTES: usize = 64 << 30;

type Table = Database<'static, Bytes, Bytes>;

struct Lmdb {
    env: Env,
    versions: Table,
    order: Table,
}

#[expect(unsafe_code, reason = "heed can't promise that nobody else changes the mapped file")]
pub(super) fn open(dir: &Path) -> io::Result<Box<dyn Peer>> {
    let mut options = EnvOpenOptions::new();
    options.map_size(MAP_BYTES).max_dbs(2);
    // SAFETY: the files are this run's own: nobody else opens or changes them.
    let env = unsafe { options.open(dir) }.map_err(io::Error::other)?;
    let writing = env.write_txn().map_err(io::Error::other)?;
    let tables = env.create_databases_and_commit(writing, |opener, writing| {
        let versions = opener.create_database::<Bytes, Bytes>(writing, Some("versions"))?;
        let order = opener.create_database::<Bytes, Bytes>(writing, Some("order"))?;
        Ok::<_, heed::Error>(CommitOrAbort::<_, ()>::Commit([versions, order]))
    });
    let [versions, order] =
        tables.map_err(io::Error::other)?.commit().ok_or_else(|| io::Error::other("LMDB made no tables"))?;
    Ok(Box::new(Lmdb { env, versions, order }))
}

impl Lmdb {
    fn put(&self, writing: &mut RwTxn<'_>, version: u64, events: &[Event]) -> io::Result<()> {
        let mut key = VersionKey::default();
        for (place, event) in (0..).zip(events) {
            let key = key.set(event.scope(), event.key(), version);
            self.versions.put(writing, key, event.value()).map_err(io::Error::other)?;
            let entry = keys::order_value(event.scope(), event.key());
            self.order.put(writing, &keys::order_key(version, place), &entry).map_err(io::Error::other)?;
        }
        Ok(())
    }
}

impl Peer for Lmdb {
    fn replace(&self, version: u64, events: &[Event], gone: &[Gone]) -> io::Result<()> {
        let mut writing = self.env.write_txn().map_err(io::Error::other)?;
        self.put(&mut writing, version, events)?;
        let mut key = VersionKey::default();
        for Gone { event, version, place } in gone {
            let key = key.set(event.scope(), event.key(), *version);
            self.versions.delete(&mut writing, key).map_err(io::Error::other)?;
            self.order.delete(&mut writing, &keys::order_key(*version, *place)).map_err(io::Error::other)?;
        }
        writing.commit().map_err(io::Error::other)
    }

    fn append(&self, versions: &Versions, commits: &[Vec<Event>]) -> io::Result<u64> {
        let mut writing = self.env.write_txn().map_err(io::Error::other)?;
        let first = versions.take(commits.len());
        (first..).zip(commits).try_for_each(|(version, events)| self.put(&mut writing, version, events))?;
        writing.commit().map_err(io::Error::other)?;
        Ok(first)
    }

    fn last(&self) -> io::Result<u64> {
        let reading = self.env.read_txn().map_err(io::Error::other)?;
        let last = self.order.last(&reading).map_err(io::Error::other)?;
        last.map_or(Ok(0), |(key, _)| keys::order_version(key))
    }

    fn read(&self, hold: Hold, body: Body<'_>) -> io::Result<()> {
        let held = match hold {
            Hold::EachRead => None,
            Hold::AllReads => Some(self.env.read_txn().map_err(io::Error::other)?),
        };
        body(&mut LmdbReader { store: self, held, key: VersionKey::default() })
    }

    fn has_transactions(&self) -> bool {
        true
    }

    fn close(self: Box<Self>) -> io::Result<()> {
        self.env.prepare_for_closing().wait();
        Ok(())
    }
}

struct LmdbReader<'a> {
    store: &'a Lmdb,
    held: Option<RoTxn<'a, WithTls>>,
    key: VersionKey,
}

impl LmdbReader<'_> {
    /// Runs a read in the transaction that is held, or in one of its own.
    fn within<T>(&mut self, read: impl FnOnce(&Lmdb, &RoTxn<'_>, &mut VersionKey) -> io::Result<T>) -> io::Result<T> {
        match &self.held {
            Some(reading) => read(self.store, reading, &mut self.key),
            None => {
                let reading = self.store.env.read_txn().map_err(io::Error::other)?;
                read(self.store, &reading, &mut self.key)
            }
        }
    }
}

impl Reader for LmdbReader<'_> {
    fn latest(&mut self, scope: &str, key: &str) -> io::Result<Option<u64>> {
        self.as_of(scope, key, u64::MAX)
    }

    fn as_of(&mut self, scope: &str, key: &str, version: u64) -> io::Result<Option<u64>> {
        self.within(|store, reading, sought| {
            let from = sought.set(scope, key, version);
            let found = store.versions.get_greater_than_or_equal_to(reading, from).map_err(io::Error::other)?;
            found.filter(|(found, _)| sought.is_of_same_key(found)).map(|(_, value)| number_of(value)).transpose()
        })
    }

    fn scope_as_of(&mut self, scope: &str, version: u64, visit: VisitKey<'_>) -> io::Result<()> {
        self.within(|store, reading, _| {
            let (start, end) = (keys::scope_start(scope), keys::scope_end(scope));
            let range = (Bound::Included(&*start), Bound::Excluded(&*end));
            let mut newest = NewestOfEach::new(scope, version);
            for entry in store.versions.range(reading, &range).map_err(io::Error::other)? {
                let (found, value) = entry.map_err(io::Error::other)?;
                if let Some(key) = newest.take(found)? {
                    visit(key, number_of(value)?)?;
                }
            }
            Ok(())
        })
    }

    fn history(&mut self, scope: &str, key: &str, visit: VisitVersion<'_>) -> io::Result<()> {
        self.within(|store, reading, sought| {
            let end = keys::key_end(scope, key);
            let range = (Bound::Included(sought.set(scope, key, u64::MAX)), Bound::Excluded(&*end));
            for entry in store.versions.range(reading, &range).map_err(io::Error::other)? {
                let (found, value) = entry.map_err(io::Error::other)?;
                visit(keys::split(scope, found)?.1, number_of(value)?)?;
            }
            Ok(())
        })
    }

    fn replay(&mut self, visit: VisitEvent<'_>) -> io::Result<()> {
        self.within(|store, reading, _| {
            let mut followed = Vec::new();
            for entry in store.order.iter(reading).map_err(io::Error::other)? {
                let (key, entry) = entry.map_err(io::Error::other)?;
                let version = keys::order_version(key)?;
                keys::follow(entry, version, &mut followed);
                let value = store.versions.get(reading, &followed).map_err(io::Error::other)?;
                let number = number_of(value.ok_or_else(|| keys::missing(&followed))?)?;
                let (scope, key) = keys::scope_and_key(entry)?;
                visit(Replayed { version, scope, key }, number)?;
            }
            Ok(())
        })
    }
}
