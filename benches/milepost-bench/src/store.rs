//! A store of the engine for a figure: opened anew, closed and removed after.
//!
//! Invariant: nothing is left on the disk, and a store that fails to close fails the figure.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use milepost_engine::{Engine, Parts, Settings};
use milepost_types::{Scope, limits};

use crate::{
    bench::Bench,
    event::{Event, SCOPE},
};

/// Opens a new store, hands it over with its directory, closes and removes it.
pub(crate) fn with<T>(bench: &Bench, body: impl FnOnce(&Engine, &Path) -> io::Result<T>) -> io::Result<T> {
    with_settings(bench, Settings::default(), body)
}

/// The same, beside another store.
pub(crate) fn with_named<T>(
    bench: &Bench,
    name: &str,
    body: impl FnOnce(&Engine, &Path) -> io::Result<T>,
) -> io::Result<T> {
    with_all(bench, name, Settings::default(), body)
}

/// The same with a store that keeps all versions in memory and makes no runs.
pub(crate) fn with_all_in_memory<T>(
    bench: &Bench,
    body: impl FnOnce(&Engine, &Path) -> io::Result<T>,
) -> io::Result<T> {
    let settings = Settings { memory_bytes: limits::MEMORY_BYTES_MAX, ..Settings::default() };
    with_settings(bench, settings, body)
}

/// The same, opened with these settings.
pub(crate) fn with_settings<T>(
    bench: &Bench,
    settings: Settings,
    body: impl FnOnce(&Engine, &Path) -> io::Result<T>,
) -> io::Result<T> {
    with_all(bench, "store", settings, body)
}

fn with_all<T>(
    bench: &Bench,
    name: &str,
    settings: Settings,
    body: impl FnOnce(&Engine, &Path) -> io::Result<T>,
) -> io::Result<T> {
    let dir = bench.path(name);
    let engine = Engine::open(Parts::real(), &dir, settings).map_err(io::Error::other)?;
    let outcome = body(&engine, &dir)?;
    engine.close().map_err(io::Error::other)?;
    drop(engine);
    fs::remove_dir_all(&dir)?;
    Ok(outcome)
}

/// The scope that everything is written to.
pub(crate) fn scope() -> io::Result<Scope> {
    Scope::parse(SCOPE).map_err(io::Error::other)
}

/// Commits an event for each pair of numbers, of key and of value, as one commit.
pub(crate) fn commit(
    engine: &Engine,
    scope: &Scope,
    event: &mut Event,
    numbers: impl IntoIterator<Item = (u64, u64)>,
) -> io::Result<()> {
    let mut request = engine.request();
    for (key, value) in numbers {
        event.number(key, value);
        request.add_set(scope, event.key(), event.value()).map_err(io::Error::other)?;
    }
    engine.commit(request).map(drop).map_err(io::Error::other)
}

/// The segments of a store, in order.
pub(crate) fn segments(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(dir)?.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>()?;
    let mut segments = Vec::new();
    for path in entries {
        if path.is_dir() {
            segments.extend(self::segments(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "seg") {
            segments.push(path);
        }
    }
    segments.sort();
    Ok(segments)
}

/// Bytes of all files in a directory and below, as long as they are.
pub(crate) fn bytes_below(dir: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        // A spare is on its way to be a segment again.
        if entry.path().extension().is_some_and(|extension| extension == "tmp") {
            continue;
        }
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() { bytes_below(&entry.path())? } else { metadata.len() };
    }
    Ok(bytes)
}
