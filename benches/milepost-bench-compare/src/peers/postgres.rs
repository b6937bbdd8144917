//! PostgreSQL, a server of this run's own.
//!
//! Settings: `fsync`, `synchronous_commit` and `full_page_writes` on, buffers that hold the data, a WAL that has room
//! until the run ends; a connection for each thread, statements prepared once, many events in one statement.

mod server;

use std::{
    io,
    path::Path,
    process::Child,
    sync::{Mutex, MutexGuard},
};

use postgres::{Client, Row, RowIter, Statement, fallible_iterator::FallibleIterator, types::ToSql};

use self::server::Server;
use crate::{
    event::{Event, number_of},
    peer::{Body, Gone, Hold, Peer, Reader, Replayed, Versions, VisitEvent, VisitKey, VisitVersion},
};

/// As SQLite's, but that a table here is a heap: one index by key, the other in the order of commits.
const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS events (
        scope text NOT NULL, key text NOT NULL, version bigint NOT NULL, place integer NOT NULL, value bytea NOT NULL
    );
    CREATE UNIQUE INDEX IF NOT EXISTS events_by_key ON events (scope, key, version DESC);
    CREATE UNIQUE INDEX IF NOT EXISTS events_in_order ON events (version, place);";
/// For connections that write: versions to remove are looked up one by one, also while the planner still takes the
/// table for a small one.
const WRITER: &str = "SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off;";

struct Postgres {
    server: Server,
    /// Connections that write and that nobody uses now; the last given back is the first taken.
    idle: Mutex<Vec<Writer>>,
}

/// Whether the server is installed.
pub(super) fn is_there() -> bool {
    server::programs().is_some()
}

pub(super) fn open(dir: &Path) -> io::Result<Box<dyn Peer>> {
    let (server, mut client) = Server::start(dir)?;
    client.batch_execute(SCHEMA).map_err(io::Error::other)?;
    let first = Writer::prepare(client).map_err(io::Error::other)?;
    Ok(Box::new(Postgres { server, idle: Mutex::new(vec![first]) }))
}

/// Kills a process that writes to a store, and its server.
pub(super) fn kill(child: &mut Child, dir: &Path) -> io::Result<()> {
    server::kill(child, dir)
}

/// Ends every server, for good.
pub(super) fn end_servers() {
    server::end_all();
}

impl Postgres {
    fn with_writer<T>(&self, act: impl FnOnce(&mut Writer) -> Result<T, postgres::Error>) -> io::Result<T> {
        let idle = self.idle()?.pop();
        let mut writer = idle.map_or_else(|| Writer::connect(&self.server), Ok)?;
        let acted = act(&mut writer).map_err(io::Error::other)?;
        self.idle()?.push(writer);
        Ok(acted)
    }

    fn idle(&self) -> io::Result<MutexGuard<'_, Vec<Writer>>> {
        self.idle.lock().map_err(|_| io::Error::other("a writer panicked"))
    }
}

impl Peer for Postgres {
    fn replace(&self, version: u64, events: &[Event], gone: &[Gone]) -> io::Result<()> {
        self.with_writer(|writer| {
            if gone.is_empty() {
                return writer.insert([(version, events)].into_iter());
            }
            writer.client.batch_execute("BEGIN")?;
            writer.insert([(version, events)].into_iter())?;
            writer.delete(gone)?;
            writer.client.batch_execute("COMMIT")
        })
    }

    /// Connections that commit at once share a sync of the WAL.
    fn append(&self, versions: &Versions, commits: &[Vec<Event>]) -> io::Result<u64> {
        let first = versions.take(commits.len());
        self.with_writer(|writer| writer.insert((first..).zip(commits.iter().map(Vec::as_slice))))?;
        Ok(first)
    }

    fn expect_writers(&self, count: u64) -> io::Result<()> {
        let mut idle = self.idle()?;
        while (idle.len() as u64) < count {
            idle.push(Writer::connect(&self.server)?);
        }
        Ok(())
    }

    fn last(&self) -> io::Result<u64> {
        let last = self.with_writer(|writer| {
            writer.client.query_one("SELECT coalesce(max(version), 0) FROM events", &[])?.try_get::<_, i64>(0)
        });
        last.map(i64::cast_unsigned)
    }

    fn read(&self, hold: Hold, body: Body<'_>) -> io::Result<()> {
        let mut client = self.server.connect()?;
        if hold == Hold::AllReads {
            let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
            client.batch_execute(begin).map_err(io::Error::other)?;
        }
        body(&mut PostgresReader::new(client).map_err(io::Error::other)?)
    }

    fn has_transactions(&self) -> bool {
        true
    }

    /// What its documentation says to do after much was written: the planner learns what there is, and readers find
    /// marked what all may see.
    fn settle(&self) -> io::Result<()> {
        self.with_writer(|writer| {
            writer.client.batch_execute("VACUUM (ANALYZE) events")?;
            writer.client.batch_execute("CHECKPOINT")
        })
    }

    fn close(self: Box<Self>) -> io::Result<()> {
        let Postgres { server, idle } = *self;
        drop(idle);
        server.stop()
    }
}

/// A connection that writes.
struct Writer {
    client: Client,
    insert_one: Statement,
    insert: Statement,
    delete: Statement,
}

impl Writer {
    fn connect(server: &Server) -> io::Result<Writer> {
        Writer::prepare(server.connect()?).map_err(io::Error::other)
    }

    fn prepare(mut client: Client) -> Result<Writer, postgres::Error> {
        client.batch_execute(WRITER)?;
        let insert_one = client.prepare("INSERT INTO events VALUES ($1, $2, $3, $4, $5)")?;
        let insert = client.prepare(
            "INSERT INTO events
             SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::integer[], $5::bytea[])",
        )?;
        let delete = client.prepare(
            "DELETE FROM events USING unnest($1::text[], $2::text[], $3::bigint[]) AS gone (scope, key, version)
             WHERE events.scope = gone.scope AND events.key = gone.key AND events.version = gone.version",
        )?;
        Ok(Writer { client, insert_one, insert, delete })
    }

    /// One statement, which is a transaction if none is open.
    fn insert<'e>(&mut self, commits: impl Iterator<Item = (u64, &'e [Event])>) -> Result<(), postgres::Error> {
        let of_commit = |(version, events): (u64, &'e [Event])| {
            (0i32..).zip(events).map(move |(place, event)| (version.cast_signed(), place, event))
        };
        let all: Vec<(i64, i32, &Event)> = commits.flat_map(of_commit).collect();
        if let [(version, place, event)] = all[..] {
            let row: [&(dyn ToSql + Sync); 5] = [&event.scope(), &event.key(), &version, &place, &event.value()];
            return self.client.execute(&self.insert_one, &row).map(drop);
        }
        let scopes: Vec<&str> = all.iter().map(|(_, _, event)| event.scope()).collect();
        let keys: Vec<&str> = all.iter().map(|(_, _, event)| event.key()).collect();
        let versions: Vec<i64> = all.iter().map(|(version, ..)| *version).collect();
        let places: Vec<i32> = all.iter().map(|(_, place, _)| *place).collect();
        let values: Vec<&[u8]> = all.iter().map(|(_, _, event)| event.value()).collect();
        self.client.execute(&self.insert, &[&scopes, &keys, &versions, &places, &values]).map(drop)
    }

    fn delete(&mut self, gone: &[Gone]) -> Result<(), postgres::Error> {
        let scopes: Vec<&str> = gone.iter().map(|gone| gone.event.scope()).collect();
        let keys: Vec<&str> = gone.iter().map(|gone| gone.event.key()).collect();
        let versions: Vec<i64> = gone.iter().map(|gone| gone.version.cast_signed()).collect();
        self.client.execute(&self.delete, &[&scopes, &keys, &versions]).map(drop)
    }
}

struct PostgresReader {
    client: Client,
    latest: Statement,
    as_of: Statement,
    scope_as_of: Statement,
    history: Statement,
    replay: Statement,
}

impl PostgresReader {
    fn new(mut client: Client) -> Result<PostgresReader, postgres::Error> {
        const OF_KEY: &str = "FROM events WHERE scope = $1 AND key = $2";
        const OF_SCOPE: &str = "FROM events WHERE scope = $1 AND version <= $2";
        Ok(PostgresReader {
            latest: client.prepare(&format!("SELECT value {OF_KEY} ORDER BY version DESC LIMIT 1"))?,
            as_of: client.prepare(&format!("SELECT value {OF_KEY} AND version <= $3 ORDER BY version DESC LIMIT 1"))?,
            scope_as_of: client
                .prepare(&format!("SELECT DISTINCT ON (key) key, value {OF_SCOPE} ORDER BY key, version DESC"))?,
            history: client.prepare(&format!("SELECT version, value {OF_KEY} ORDER BY version DESC"))?,
            replay: client.prepare("SELECT version, scope, key, value FROM events ORDER BY version, place")?,
            client,
        })
    }

    fn one(&mut self, which: fn(&Self) -> &Statement, values: &[&(dyn ToSql + Sync)]) -> io::Result<Option<u64>> {
        let statement = which(self).clone();
        let row = self.client.query_opt(&statement, values).map_err(io::Error::other)?;
        row.map(|row| number_in(&row, 0)).transpose()
    }

    /// Rows as they come, without waiting for the last of them.
    fn each(
        &mut self,
        which: fn(&Self) -> &Statement,
        values: &[&(dyn ToSql + Sync)],
        visit: &mut dyn FnMut(&Row) -> io::Result<()>,
    ) -> io::Result<()> {
        let statement = which(self).clone();
        let mut rows: RowIter<'_> =
            self.client.query_raw(&statement, values.iter().copied()).map_err(io::Error::other)?;
        while let Some(row) = rows.next().map_err(io::Error::other)? {
            visit(&row)?;
        }
        Ok(())
    }
}

impl Reader for PostgresReader {
    fn latest(&mut self, scope: &str, key: &str) -> io::Result<Option<u64>> {
        self.one(|reader| &reader.latest, &[&scope, &key])
    }

    fn as_of(&mut self, scope: &str, key: &str, version: u64) -> io::Result<Option<u64>> {
        self.one(|reader| &reader.as_of, &[&scope, &key, &version.cast_signed()])
    }

    fn scope_as_of(&mut self, scope: &str, version: u64, visit: VisitKey<'_>) -> io::Result<()> {
        self.each(|reader| &reader.scope_as_of, &[&scope, &version.cast_signed()], &mut |row| {
            visit(text_in(row, 0)?.as_bytes(), number_in(row, 1)?)
        })
    }

    fn history(&mut self, scope: &str, key: &str, visit: VisitVersion<'_>) -> io::Result<()> {
        self.each(|reader| &reader.history, &[&scope, &key], &mut |row| visit(version_in(row)?, number_in(row, 1)?))
    }

    fn replay(&mut self, visit: VisitEvent<'_>) -> io::Result<()> {
        self.each(|reader| &reader.replay, &[], &mut |row| {
            let (scope, key) = (text_in(row, 1)?.as_bytes(), text_in(row, 2)?.as_bytes());
            visit(Replayed { version: version_in(row)?, scope, key }, number_in(row, 3)?)
        })
    }
}

fn version_in(row: &Row) -> io::Result<u64> {
    row.try_get::<_, i64>(0).map(i64::cast_unsigned).map_err(io::Error::other)
}

fn text_in(row: &Row, column: usize) -> io::Result<&str> {
    row.try_get(column).map_err(io::Error::other)
}

fn number_in(row: &Row, column: usize) -> io::Result<u64> {
    number_of(row.try_get(column).map_err(io::Error::other)?)
}
