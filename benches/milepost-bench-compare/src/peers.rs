//! The engines, one file each.
//!
//! Invariant: each is set up as its documentation tells a careful user to: a commit is on the disk before it is
//! acknowledged, caches hold the data. The README of this package says for each setting why.

mod fjall;
mod keys;
mod lmdb;
mod milepost;
#[cfg(feature = "postgres")]
mod postgres;
mod redb;
#[cfg(feature = "rocksdb")]
mod rocksdb;
mod sqlite;

use std::{fmt, io, path::Path, process::Child};

use crate::peer::Peer;

/// Memory that engines with a cache of their own may use: more than any data here, so that a warm read is one from
/// memory in all of them. Engines that read through maps have the page cache in its place.
const CACHE_BYTES: usize = 2 << 30;

/// An engine that can be measured.
pub(crate) struct Kind {
    /// How it is called on the command line and in the table.
    pub(crate) name: &'static str,
    /// Opens its store in a directory that is there, and makes one if the directory is empty.
    pub(crate) open: fn(&Path) -> io::Result<Box<dyn Peer>>,
    /// Kills a process that writes to the store in a directory, and whoever writes for it.
    pub(crate) kill: fn(&mut Child, &Path) -> io::Result<()>,
    /// Whether this machine has what it needs.
    is_there: fn() -> bool,
    /// Whether it takes part without being named.
    is_usual: bool,
}

impl Kind {
    /// One that is a library, takes part without being named, and needs nothing but this program.
    const fn usual(name: &'static str, open: fn(&Path) -> io::Result<Box<dyn Peer>>) -> Kind {
        Kind { name, open, kill: |child, _| child.kill(), is_there: || true, is_usual: true }
    }
}

/// Milepost stands first: every ratio is to it.
const ALL: &[Kind] = &[
    Kind::usual(MILEPOST, milepost::open),
    Kind::usual("lmdb", lmdb::open),
    Kind::usual("redb", redb::open),
    Kind { is_usual: false, ..Kind::usual("redb-quick", redb::open_quick) },
    Kind::usual("fjall", fjall::open),
    Kind::usual("sqlite", sqlite::open),
    #[cfg(feature = "rocksdb")]
    Kind::usual("rocksdb", rocksdb::open),
    #[cfg(feature = "postgres")]
    Kind { kill: postgres::kill, is_there: postgres::is_there, ..Kind::usual("postgres", postgres::open) },
];

/// The name of ours.
pub(crate) const MILEPOST: &str = "milepost";

/// Those chosen, in the order of the table; the usual ones that are there if none is.
pub(crate) fn chosen(only: &[&'static Kind]) -> Vec<&'static Kind> {
    let is_chosen = |kind: &&'static Kind| {
        if !only.is_empty() {
            return only.iter().any(|chosen| chosen.name == kind.name);
        }
        let is_there = (kind.is_there)();
        if kind.is_usual && !is_there {
            eprintln!("{} is not installed here and is left out", kind.name);
        }
        kind.is_usual && is_there
    };
    ALL.iter().filter(is_chosen).collect()
}

/// The names of those that are there.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    ALL.iter().filter(|kind| (kind.is_there)()).map(|kind| kind.name)
}

/// An engine by its name.
pub(crate) fn parse(name: &str) -> Result<&'static Kind, String> {
    let found = ALL.iter().find(|kind| kind.name == name);
    found.filter(|kind| (kind.is_there)()).ok_or_else(|| {
        let names: Vec<_> = names().collect();
        let hint = match name {
            _ if found.is_some() => "; it is not installed here".to_owned(),
            "rocksdb" | "postgres" => format!("; build with --features {name}"),
            _ => String::new(),
        };
        format!("no engine {name:?}; there are {}{hint}", names.join(", "))
    })
}

/// Ends every server that runs for this process, and lets none start any more.
pub(crate) fn end_servers() {
    #[cfg(feature = "postgres")]
    postgres::end_servers();
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}
