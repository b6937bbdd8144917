//! SQLite, through rusqlite, with the version of it that rusqlite brings along.
//!
//! Settings: WAL with `synchronous=FULL`, so that every commit syncs the WAL; reads through a map; statements prepared
//! once; a connection for each thread that reads.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Mutex,
};

use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, Statement, Transaction, types::ValueRef};

use crate::{
    event::{Event, number_of},
    peer::{Body, Gone, Hold, Peer, Reader, Replayed, Versions, VisitEvent, VisitKey, VisitVersion},
};

/// A primary key as the key-value engines have theirs; the index gives the order of commits.
const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS events (
        scope TEXT NOT NULL, key TEXT NOT NULL, version INTEGER NOT NULL, place INTEGER NOT NULL, value BLOB NOT NULL,
        PRIMARY KEY (scope, key, version DESC)
    ) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS events_in_order ON events (version, place);";
/// For every connection. 2 147 418 112 is the most that SQLite maps; the cache is there for what is still in the WAL.
const SETTINGS: &str = "
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA mmap_size = 2147418112;
    PRAGMA cache_size = -262144;";

struct Sqlite {
    path: PathBuf,
    writer: Mutex<Connection>,
}

pub(super) fn open(dir: &Path) -> io::Result<Box<dyn Peer>> {
    let path = dir.join("store.sqlite");
    let writer = connect(&path)?;
    writer.execute_batch(SCHEMA).map_err(io::Error::other)?;
    Ok(Box::new(Sqlite { path, writer: Mutex::new(writer) }))
}

fn connect(path: &Path) -> io::Result<Connection> {
    // A connection stays with its thread, so SQLite need not lock it.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(io::Error::other)?;
    connection.execute_batch(SETTINGS).map_err(io::Error::other)?;
    Ok(connection)
}

impl Sqlite {
    fn with_writer<T>(&self, act: impl FnOnce(&mut Connection) -> rusqlite::Result<T>) -> io::Result<T> {
        let mut writer = self.writer.lock().map_err(|_| io::Error::other("a writer panicked"))?;
        act(&mut writer).map_err(io::Error::other)
    }
}

fn put(writing: &Transaction<'_>, version: u64, events: &[Event]) -> rusqlite::Result<()> {
    let mut insert = writing.prepare_cached("INSERT INTO events VALUES (?1, ?2, ?3, ?4, ?5)")?;
    for (place, event) in (0u32..).zip(events) {
        insert.execute((event.scope(), event.key(), version, place, event.value()))?;
    }
    Ok(())
}

impl Peer for Sqlite {
    fn replace(&self, version: u64, events: &[Event], gone: &[Gone]) -> io::Result<()> {
        self.with_writer(|writer| {
            let writing = writer.transaction()?;
            put(&writing, version, events)?;
            {
                let mut delete =
                    writing.prepare_cached("DELETE FROM events WHERE scope = ?1 AND key = ?2 AND version = ?3")?;
                for Gone { event, version, .. } in gone {
                    delete.execute((event.scope(), event.key(), version))?;
                }
            }
            writing.commit()
        })
    }

    /// One connection for all that write, and a lock before it: SQLite has one writer at a time, and to whoever comes
    /// while another writes it gives only a timer.
    fn append(&self, versions: &Versions, commits: &[Vec<Event>]) -> io::Result<u64> {
        self.with_writer(|writer| {
            let writing = writer.transaction()?;
            let first = versions.take(commits.len());
            (first..).zip(commits).try_for_each(|(version, events)| put(&writing, version, events))?;
            writing.commit()?;
            Ok(first)
        })
    }

    fn last(&self) -> io::Result<u64> {
        self.with_writer(|writer| writer.query_row("SELECT ifnull(max(version), 0) FROM events", (), |row| row.get(0)))
    }

    fn read(&self, hold: Hold, body: Body<'_>) -> io::Result<()> {
        let connection = connect(&self.path)?;
        if hold == Hold::AllReads {
            connection.execute_batch("BEGIN").map_err(io::Error::other)?;
        }
        let mut reader = SqliteReader::new(&connection).map_err(io::Error::other)?;
        body(&mut reader)
    }

    fn has_transactions(&self) -> bool {
        true
    }

    /// No ANALYZE: the plans are the right ones without it, and with it SQLite, as it is built here, prepares a
    /// statement anew whenever another version is bound to it.
    fn settle(&self) -> io::Result<()> {
        self.with_writer(|writer| writer.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)"))
    }

    fn close(self: Box<Self>) -> io::Result<()> {
        let writer = self.writer.into_inner().map_err(|_| io::Error::other("a writer panicked"))?;
        writer.close().map_err(|(_, error)| io::Error::other(error))
    }
}

struct SqliteReader<'a> {
    latest: Statement<'a>,
    as_of: Statement<'a>,
    scope_as_of: Statement<'a>,
    history: Statement<'a>,
    replay: Statement<'a>,
}

impl<'a> SqliteReader<'a> {
    fn new(connection: &'a Connection) -> rusqlite::Result<SqliteReader<'a>> {
        const OF_KEY: &str = "FROM events WHERE scope = ?1 AND key = ?2";
        const OF_SCOPE: &str = "FROM events WHERE scope = ?1 AND version <= ?2";
        Ok(SqliteReader {
            latest: connection.prepare(&format!("SELECT value {OF_KEY} ORDER BY version DESC LIMIT 1"))?,
            as_of: connection
                .prepare(&format!("SELECT value {OF_KEY} AND version <= ?3 ORDER BY version DESC LIMIT 1"))?,
            // The value is that of the row with the greatest version: SQLite promises so for a query with one max().
            scope_as_of: connection.prepare(&format!("SELECT key, value, max(version) {OF_SCOPE} GROUP BY key"))?,
            history: connection.prepare(&format!("SELECT version, value {OF_KEY} ORDER BY version DESC"))?,
            replay: connection.prepare("SELECT version, scope, key, value FROM events ORDER BY version, place")?,
        })
    }
}

impl Reader for SqliteReader<'_> {
    fn latest(&mut self, scope: &str, key: &str) -> io::Result<Option<u64>> {
        let found = self.latest.query_row((scope, key), |row| Ok(number_in(row, 0))).optional();
        found.map_err(io::Error::other)?.transpose()
    }

    fn as_of(&mut self, scope: &str, key: &str, version: u64) -> io::Result<Option<u64>> {
        let found = self.as_of.query_row((scope, key, version), |row| Ok(number_in(row, 0))).optional();
        found.map_err(io::Error::other)?.transpose()
    }

    fn scope_as_of(&mut self, scope: &str, version: u64, visit: VisitKey<'_>) -> io::Result<()> {
        let mut rows = self.scope_as_of.query((scope, version)).map_err(io::Error::other)?;
        while let Some(row) = rows.next().map_err(io::Error::other)? {
            visit(bytes_in(row, 0)?, number_in(row, 1)?)?;
        }
        Ok(())
    }

    fn history(&mut self, scope: &str, key: &str, visit: VisitVersion<'_>) -> io::Result<()> {
        let mut rows = self.history.query((scope, key)).map_err(io::Error::other)?;
        while let Some(row) = rows.next().map_err(io::Error::other)? {
            visit(row.get(0).map_err(io::Error::other)?, number_in(row, 1)?)?;
        }
        Ok(())
    }

    fn replay(&mut self, visit: VisitEvent<'_>) -> io::Result<()> {
        let mut rows = self.replay.query(()).map_err(io::Error::other)?;
        while let Some(row) = rows.next().map_err(io::Error::other)? {
            let version = row.get(0).map_err(io::Error::other)?;
            let at = Replayed { version, scope: bytes_in(row, 1)?, key: bytes_in(row, 2)? };
            visit(at, number_in(row, 3)?)?;
        }
        Ok(())
    }
}

fn bytes_in<'r>(row: &'r Row<'_>, column: usize) -> io::Result<&'r [u8]> {
    match row.get_ref(column).map_err(io::Error::other)? {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Ok(bytes),
        other => Err(io::Error::other(format!("column {column} is of type {}", other.data_type()))),
    }
}

fn number_in(row: &Row<'_>, column: usize) -> io::Result<u64> {
    number_of(bytes_in(row, column)?)
}
