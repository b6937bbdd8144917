//! RocksDB.
//!
//! Settings: a write synced for every commit, a block cache that holds the data, index and filters in it and pinned,
//! ten bits of filter a key, dynamic level sizes, LZ4; the two tables are column families.

use std::{io, path::Path, thread, time::Duration};

use rocksdb::{
    BlockBasedOptions, Cache, ColumnFamily, DB, DBCompressionType, DBRawIterator, IteratorMode, Options, ReadOptions,
    WriteBatch, WriteOptions, properties,
};

use super::{
    CACHE_BYTES,
    keys::{self, NewestOfEach, VersionKey},
};
use crate::{
    event::{Event, number_of},
    peer::{Body, Gone, Hold, Peer, Reader, Replayed, Versions, VisitEvent, VisitKey, VisitVersion},
};

const VERSIONS: &str = "versions";
const ORDER: &str = "order";
const FILTER_BITS: f64 = 10.0;

struct Rocks {
    database: DB,
}

pub(super) fn open(dir: &Path) -> io::Result<Box<dyn Peer>> {
    let mut blocks = BlockBasedOptions::default();
    blocks.set_block_cache(&Cache::new_lru_cache(CACHE_BYTES).map_err(io::Error::other)?);
    blocks.set_bloom_filter(FILTER_BITS, false);
    blocks.set_cache_index_and_filter_blocks(true);
    blocks.set_pin_l0_filter_and_index_blocks_in_cache(true);
    let mut options = Options::default();
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    options.set_block_based_table_factory(&blocks);
    options.set_compression_type(DBCompressionType::Lz4);
    options.set_level_compaction_dynamic_level_bytes(true);
    options.increase_parallelism(2);
    let families = [(VERSIONS, options.clone()), (ORDER, options.clone())];
    let database = DB::open_cf_with_opts(&options, dir.join("store"), families).map_err(io::Error::other)?;
    Ok(Box::new(Rocks { database }))
}

impl Rocks {
    fn family(&self, name: &str) -> io::Result<&ColumnFamily> {
        self.database.cf_handle(name).ok_or_else(|| io::Error::other(format!("no column family {name}")))
    }

    /// Flushes and compactions that run or wait.
    fn work_left(&self, name: &str) -> io::Result<u64> {
        let names = [
            properties::MEM_TABLE_FLUSH_PENDING,
            properties::NUM_RUNNING_FLUSHES,
            properties::COMPACTION_PENDING,
            properties::NUM_RUNNING_COMPACTIONS,
        ];
        let family = self.family(name)?;
        let count = |property| self.database.property_int_value_cf(family, property).map_err(io::Error::other);
        names.into_iter().map(|property| count(property).map(Option::unwrap_or_default)).sum()
    }

    fn put(&self, batch: &mut WriteBatch, version: u64, events: &[Event]) -> io::Result<()> {
        let (versions, order) = (self.family(VERSIONS)?, self.family(ORDER)?);
        let mut key = VersionKey::default();
        for (place, event) in (0..).zip(events) {
            batch.put_cf(versions, key.set(event.scope(), event.key(), version), event.value());
            batch.put_cf(order, keys::order_key(version, place), keys::order_value(event.scope(), event.key()));
        }
        Ok(())
    }

    fn write(&self, batch: WriteBatch) -> io::Result<()> {
        let mut options = WriteOptions::default();
        options.set_sync(true);
        self.database.write_opt(batch, &options).map_err(io::Error::other)
    }

    fn walk(&self, end: Option<Vec<u8>>) -> io::Result<DBRawIterator<'_>> {
        let mut options = ReadOptions::default();
        if let Some(end) = end {
            options.set_iterate_upper_bound(end);
        }
        Ok(self.database.raw_iterator_cf_opt(self.family(VERSIONS)?, options))
    }
}

impl Peer for Rocks {
    fn replace(&self, version: u64, events: &[Event], gone: &[Gone]) -> io::Result<()> {
        let (versions, order) = (self.family(VERSIONS)?, self.family(ORDER)?);
        let (mut batch, mut key) = (WriteBatch::default(), VersionKey::default());
        self.put(&mut batch, version, events)?;
        for Gone { event, version, place } in gone {
            batch.delete_cf(versions, key.set(event.scope(), event.key(), *version));
            batch.delete_cf(order, keys::order_key(*version, *place));
        }
        self.write(batch)
    }

    /// Writers that come at once are joined by RocksDB itself: one syncs the log for all.
    fn append(&self, versions: &Versions, commits: &[Vec<Event>]) -> io::Result<u64> {
        let (mut batch, first) = (WriteBatch::default(), versions.take(commits.len()));
        (first..).zip(commits).try_for_each(|(version, events)| self.put(&mut batch, version, events))?;
        self.write(batch)?;
        Ok(first)
    }

    fn last(&self) -> io::Result<u64> {
        let mut entries = self.database.iterator_cf(self.family(ORDER)?, IteratorMode::End);
        let last = entries.next().transpose().map_err(io::Error::other)?;
        last.map_or(Ok(0), |(key, _)| keys::order_version(&key))
    }

    fn read(&self, hold: Hold, body: Body<'_>) -> io::Result<()> {
        let held = match hold {
            Hold::EachRead => None,
            Hold::AllReads => Some(self.walk(None)?),
        };
        body(&mut RocksReader { store: self, held, key: VersionKey::default() })
    }

    /// An iterator is a snapshot, and making one costs more than seeking with it.
    fn has_transactions(&self) -> bool {
        true
    }

    #[expect(clippy::disallowed_methods, reason = "the binding has no way to wait for compactions")]
    fn settle(&self) -> io::Result<()> {
        for name in [VERSIONS, ORDER] {
            self.database.flush_cf(self.family(name)?).map_err(io::Error::other)?;
        }
        while [VERSIONS, ORDER].into_iter().map(|name| self.work_left(name)).sum::<io::Result<u64>>()? > 0 {
            thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    fn close(self: Box<Self>) -> io::Result<()> {
        for name in [VERSIONS, ORDER] {
            self.database.flush_cf(self.family(name)?).map_err(io::Error::other)?;
        }
        self.database.cancel_all_background_work(true);
        Ok(())
    }
}

struct RocksReader<'a> {
    store: &'a Rocks,
    held: Option<DBRawIterator<'a>>,
    key: VersionKey,
}

impl Reader for RocksReader<'_> {
    fn latest(&mut self, scope: &str, key: &str) -> io::Result<Option<u64>> {
        self.as_of(scope, key, u64::MAX)
    }

    fn as_of(&mut self, scope: &str, key: &str, version: u64) -> io::Result<Option<u64>> {
        let mut own = None;
        let walk = match &mut self.held {
            Some(held) => held,
            None => own.insert(self.store.walk(Some(keys::key_end(scope, key)))?),
        };
        walk.seek(self.key.set(scope, key, version));
        match walk.item() {
            Some((found, value)) if self.key.is_of_same_key(found) => number_of(value).map(Some),
            Some(_) => Ok(None),
            None => walk.status().map(|()| None).map_err(io::Error::other),
        }
    }

    fn scope_as_of(&mut self, scope: &str, version: u64, visit: VisitKey<'_>) -> io::Result<()> {
        let mut walk = self.store.walk(Some(keys::scope_end(scope)))?;
        let mut newest = NewestOfEach::new(scope, version);
        walk.seek(keys::scope_start(scope));
        while let Some((found, value)) = walk.item() {
            if let Some(key) = newest.take(found)? {
                visit(key, number_of(value)?)?;
            }
            walk.next();
        }
        walk.status().map_err(io::Error::other)
    }

    fn history(&mut self, scope: &str, key: &str, visit: VisitVersion<'_>) -> io::Result<()> {
        let mut walk = self.store.walk(Some(keys::key_end(scope, key)))?;
        walk.seek(self.key.set(scope, key, u64::MAX));
        while let Some((found, value)) = walk.item() {
            visit(keys::split(scope, found)?.1, number_of(value)?)?;
            walk.next();
        }
        walk.status().map_err(io::Error::other)
    }

    fn replay(&mut self, visit: VisitEvent<'_>) -> io::Result<()> {
        let (versions, order) = (self.store.family(VERSIONS)?, self.store.family(ORDER)?);
        let mut followed = Vec::new();
        for entry in self.store.database.iterator_cf(order, IteratorMode::Start) {
            let (key, entry) = entry.map_err(io::Error::other)?;
            let version = keys::order_version(&key)?;
            keys::follow(&entry, version, &mut followed);
            let value = self.store.database.get_pinned_cf(versions, &followed).map_err(io::Error::other)?;
            let number = number_of(&value.ok_or_else(|| keys::missing(&followed))?)?;
            let (scope, key) = keys::scope_and_key(&entry)?;
            visit(Replayed { version, scope, key }, number)?;
        }
        Ok(())
    }
}
