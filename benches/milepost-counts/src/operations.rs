//! The operations that are counted: each makes a store as it needs it, and then does one thing many times.
//!
//! Invariant: what is counted is the same each time: keys and values by number, the clock and the randomness of a
//! simulation, no threads but the caller's. The disk is the real one; what the system does is not counted.

use std::{hint::black_box, io, ops::ControlFlow, path::Path, sync::Arc};

use milepost_engine::{Engine, HistoryQuery, Parts, Settings, Threads};
use milepost_io::{SimClock, SimEntropy};
use milepost_types::{At, Key, Scope, ScopePrefix, Seq, Timestamp};

/// Something that is done many times.
pub(crate) struct Operation {
    pub(crate) name: &'static str,
    /// How many of what it is about: events, reads, versions.
    pub(crate) times: u64,
    run: fn(&mut Store) -> io::Result<()>,
}

/// All of them.
pub(crate) const OPERATIONS: &[Operation] = &[
    Operation { name: "commit/events=1", times: 500, run: |store| store.commits(500, 1) },
    Operation { name: "commit/events=1000", times: 20_000, run: |store| store.commits(20, 1000) },
    Operation { name: "get/latest,memory", times: READS, run: |store| store.gets(At::Latest, false) },
    Operation { name: "get/latest,runs", times: READS, run: |store| store.gets(At::Latest, true) },
    Operation { name: "get/as_of,runs", times: READS, run: |store| store.gets(At::Seq(Seq(VERSIONS * 5)), true) },
    Operation { name: "scan/as_of,runs", times: 20 * 1000, run: Store::scans },
    Operation { name: "history/key,runs", times: 100 * VERSIONS, run: Store::histories },
    Operation { name: "replay", times: KEYS * VERSIONS, run: Store::replays },
    Operation { name: "run/of_memory", times: KEYS, run: |store| store.flushes() },
    Operation { name: "run/of_four_runs", times: 4 * KEYS, run: Store::merges },
    Operation { name: "open/killed", times: KEYS, run: Store::opens },
];

const READS: u64 = 5000;
/// Keys of a store that is read, in ten scopes.
const KEYS: u64 = 10_000;
const SCOPES: u64 = 10;
/// Versions of each.
const VERSIONS: u64 = 10;

impl Operation {
    /// Does it once, with a store of its own.
    pub(crate) fn run(&self) -> io::Result<()> {
        let dir = tempfile::tempdir()?;
        let mut store = Store { dir: dir.path().join("store"), engine: None };
        store.open()?;
        (self.run)(&mut store)
    }
}

/// What callgrind counts.
#[inline(never)]
fn counted_by_callgrind(work: &mut dyn FnMut() -> io::Result<()>) -> io::Result<()> {
    let done = work();
    black_box(done)
}

struct Store {
    dir: std::path::PathBuf,
    engine: Option<Engine>,
}

impl Store {
    fn open(&mut self) -> io::Result<()> {
        self.engine = None;
        self.engine = Some(open(&self.dir)?);
        Ok(())
    }

    fn engine(&self) -> &Engine {
        self.engine.as_ref().expect("it was opened")
    }

    /// Sets all keys once more, a scope to a commit.
    fn version(&self, number: u64) -> io::Result<()> {
        for scope in 0..SCOPES {
            commit(self.engine(), scope, (0..KEYS / SCOPES).map(|key| (key, number)))?;
        }
        Ok(())
    }

    fn fill(&self, is_in_runs: bool) -> io::Result<()> {
        (0..VERSIONS).try_for_each(|number| self.version(number))?;
        if is_in_runs {
            self.engine().close().map_err(io::Error::other)?;
        }
        Ok(())
    }

    /// A store that was filled; with all versions in runs if it was closed in between.
    fn filled(&mut self, is_in_runs: bool) -> io::Result<()> {
        self.fill(is_in_runs)?;
        if is_in_runs {
            self.open()?;
            while self.engine().step_index() {}
        }
        Ok(())
    }

    fn commits(&self, commits: u64, events: u64) -> io::Result<()> {
        // The first ones make files and tables.
        self.version(0)?;
        let scopes: Vec<Scope> = (0..SCOPES).map(scope).collect::<io::Result<_>>()?;
        let keys: Vec<String> = (0..events).map(key_name).collect();
        let values: Vec<String> = (0..commits).map(|number| value(number * events)).collect();
        counted_by_callgrind(&mut || {
            for (number, value) in values.iter().enumerate() {
                let mut request = self.engine().request();
                for key in &keys {
                    let scope = &scopes[number % scopes.len()];
                    request.add_set(scope, key, value.as_bytes()).map_err(io::Error::other)?;
                }
                self.engine().commit(request).map_err(io::Error::other)?;
            }
            Ok(())
        })
    }

    fn gets(&mut self, at: At, is_in_runs: bool) -> io::Result<()> {
        self.filled(is_in_runs)?;
        let view = self.engine().view(at).map_err(io::Error::other)?;
        let names: Vec<(String, String)> = (0..READS)
            .map(|read| read * 7919 % KEYS)
            .map(|number| (scope_name(number % SCOPES), key_name(number / SCOPES)))
            .collect();
        counted_by_callgrind(&mut || {
            for (scope, key) in &names {
                let value = view.get(scope, key).map_err(io::Error::other)?;
                black_box(value.ok_or_else(|| io::Error::other("no value"))?);
            }
            Ok(())
        })
    }

    fn scans(&mut self) -> io::Result<()> {
        self.filled(true)?;
        let view = self.engine().view(At::Seq(Seq(VERSIONS * 5))).map_err(io::Error::other)?;
        counted_by_callgrind(&mut || {
            for scan in 0..20 {
                let mut keys = 0;
                for entry in view.scan(&scope_name(scan % SCOPES), "") {
                    black_box(entry.map_err(io::Error::other)?);
                    keys += 1;
                }
                expect(keys, KEYS / SCOPES)?;
            }
            Ok(())
        })
    }

    fn histories(&mut self) -> io::Result<()> {
        self.filled(true)?;
        counted_by_callgrind(&mut || {
            for number in 0..100 {
                let query = HistoryQuery {
                    prefix: ScopePrefix::parse(&scope_name(number % SCOPES)).map_err(io::Error::other)?,
                    key: Some(Key::parse(&key_name(number)).map_err(io::Error::other)?),
                    newest_first: true,
                    ..HistoryQuery::default()
                };
                let mut changes = 0;
                for change in self.engine().history(query).map_err(io::Error::other)? {
                    black_box(change.map_err(io::Error::other)?);
                    changes += 1;
                }
                expect(changes, VERSIONS)?;
            }
            Ok(())
        })
    }

    fn replays(&mut self) -> io::Result<()> {
        self.filled(true)?;
        counted_by_callgrind(&mut || {
            let mut events = 0;
            let outcome = self.engine().replay(Seq::FIRST).for_each(&mut |_, body| {
                let mut of_commit = body.events();
                while let Ok(Some(positioned)) = of_commit.next() {
                    black_box(positioned.event);
                    events += 1;
                }
                ControlFlow::Continue(())
            });
            outcome.map_err(io::Error::other)?;
            expect(events, KEYS * VERSIONS)
        })
    }

    /// A run of what is in memory, as a clean close makes it.
    fn flushes(&self) -> io::Result<()> {
        self.version(0)?;
        counted_by_callgrind(&mut || self.engine().close().map_err(io::Error::other))
    }

    fn merges(&mut self) -> io::Result<()> {
        for number in 0..4 {
            self.version(number)?;
            self.engine().close().map_err(io::Error::other)?;
            self.open()?;
        }
        expect(self.engine().stats().runs, 4)?;
        counted_by_callgrind(&mut || {
            while self.engine().step_index() {}
            Ok(())
        })?;
        expect(self.engine().stats().runs, 1)
    }

    /// Opening a store whose process ended without closing it.
    fn opens(&mut self) -> io::Result<()> {
        self.version(0)?;
        // Never closed: what it leaves is what a kill leaves.
        let engine = self.engine.take();
        let copy = self.dir.with_file_name("killed");
        copy_store(&self.dir, &copy)?;
        let mut opened = None;
        counted_by_callgrind(&mut || {
            opened = Some(open(&copy)?);
            Ok(())
        })?;
        drop((engine, opened));
        Ok(())
    }
}

fn open(dir: &Path) -> io::Result<Engine> {
    let clock = Arc::new(SimClock::new(Timestamp(1_700_000_000_000_000)));
    let parts = Parts { clock, entropy: Arc::new(SimEntropy::new(7)), ..Parts::real() };
    let settings = Settings { threads: Threads::Stepped, ..Settings::default() };
    Engine::open(parts, dir, settings).map_err(io::Error::other)
}

fn commit(engine: &Engine, of: u64, events: impl Iterator<Item = (u64, u64)>) -> io::Result<()> {
    let (scope, mut request) = (scope(of)?, engine.request());
    for (key, number) in events {
        request.add_set(&scope, &key_name(key), value(number).as_bytes()).map_err(io::Error::other)?;
    }
    engine.commit(request).map(drop).map_err(io::Error::other)
}

fn scope(number: u64) -> io::Result<Scope> {
    Scope::parse(&scope_name(number)).map_err(io::Error::other)
}

fn value(number: u64) -> String {
    format!("{{\"n\":{number:012},\"status\":\"finished\",\"bytes\":18204,\"ms\":412}}")
}

fn scope_name(number: u64) -> String {
    format!("lake/ingest/2026-11-{number:02}/task/load")
}

fn key_name(number: u64) -> String {
    format!("raw/part-{number:06}.parquet")
}

fn copy_store(from: &Path, to: &Path) -> io::Result<()> {
    std::fs::create_dir(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_store(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

fn expect(found: u64, expected: u64) -> io::Result<()> {
    if found == expected { Ok(()) } else { Err(io::Error::other(format!("{found} were met, {expected} are there"))) }
}
