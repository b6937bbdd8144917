//! [`Stores`]: the same data in a store of each engine, open and settled.
//!
//! Invariant: nothing is left on the disk, and a store that fails to close fails the run.

use std::{
    fs, io,
    os::unix::fs::{MetadataExt, chown},
    path::{Path, PathBuf},
    time::Instant,
};

use crate::{
    bench::Bench,
    data::Source,
    peer::{Hold, Peer},
    peers::Kind,
};

/// One engine's store.
pub(crate) struct Store {
    /// The engine.
    pub(crate) kind: &'static Kind,
    /// Where it is.
    pub(crate) dir: PathBuf,
    /// Open.
    pub(crate) peer: Box<dyn Peer>,
}

/// A store of each engine that takes part.
pub(crate) struct Stores {
    /// In the order of the table.
    pub(crate) list: Vec<Store>,
}

impl Stores {
    /// Fills a store of each engine.
    pub(crate) fn fill(bench: &Bench, name: &str, source: &dyn Source) -> io::Result<Stores> {
        let mut list = Vec::new();
        for kind in &bench.kinds {
            let dir = bench.dir.join(format!("{name}-{}", kind.name));
            fs::create_dir(&dir)?;
            let store = Store { kind, peer: (kind.open)(&dir)?, dir };
            store.write(source).map_err(|error| io::Error::other(format!("{}: {error}", kind.name)))?;
            list.push(store);
        }
        Ok(Stores { list })
    }

    /// Closes and removes them.
    pub(crate) fn remove(self) -> io::Result<()> {
        for store in self.list {
            store.peer.close()?;
            fs::remove_dir_all(&store.dir)?;
        }
        Ok(())
    }
}

impl Store {
    fn write(&self, source: &dyn Source) -> io::Result<()> {
        let (mut events, mut count, started) = (Vec::new(), 0, Instant::now());
        for commit in 1..=source.commits() {
            source.fill(commit, &mut events);
            self.peer.commit(commit, &events)?;
            count += events.len();
        }
        let written = started.elapsed();
        self.peer.settle()?;
        let settled = (started.elapsed() - written).as_secs_f64();
        let (last, expected) = (self.peer.last()?, source.commits());
        if last != expected {
            return Err(io::Error::other(format!("the last version is {last}, expected {expected}")));
        }
        self.warm(count)?;
        let note = self.peer.note().map_or_else(String::new, |note| format!("; {note}"));
        eprintln!("  {}: written in {:.1} s, settled in {settled:.1} s{note}", self.kind.name, written.as_secs_f64());
        Ok(())
    }

    /// Reads everything once, so that caches hold it before anything is measured.
    fn warm(&self, events: usize) -> io::Result<()> {
        let mut read = 0;
        self.peer.read(Hold::EachRead, &mut |reader| {
            reader.replay(&mut |_, _| {
                read += 1;
                Ok(())
            })
        })?;
        if read == events { Ok(()) } else { Err(io::Error::other(format!("{read} of {events} events are there"))) }
    }

    /// The ways to read from it, with what they are called in the table.
    pub(crate) fn ways(&self) -> Vec<(String, Hold)> {
        let mut ways = vec![(self.kind.name.to_owned(), Hold::EachRead)];
        if self.peer.has_transactions() {
            ways.push((format!("{}, one transaction", self.kind.name), Hold::AllReads));
        }
        ways
    }
}

/// All files below a directory.
pub(crate) fn files(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            found.extend(files(&entry.path())?);
        } else if kind.is_file() {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

/// Copies a directory, durably: what is measured on the copy must not wait for its being written. Modes and owners are
/// the same, for a server that runs as somebody else and lets nobody else in.
pub(crate) fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir(to)?;
    keep_mode_and_owner(from, to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let copied = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &copied)?;
        } else if entry.file_type()?.is_file() {
            // The socket of a killed server is neither.
            fs::copy(entry.path(), &copied)?;
            keep_mode_and_owner(&entry.path(), &copied)?;
            fs::File::open(&copied)?.sync_all()?;
        }
    }
    Ok(())
}

fn keep_mode_and_owner(from: &Path, to: &Path) -> io::Result<()> {
    let metadata = fs::metadata(from)?;
    chown(to, Some(metadata.uid()), Some(metadata.gid()))?;
    fs::set_permissions(to, metadata.permissions())
}
