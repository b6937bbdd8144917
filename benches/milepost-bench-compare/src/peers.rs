//! The engines, one file each.
//!
//! Invariant: each is set up as its documentation tells a careful user to: a commit is on the disk before it is
//! acknowledged, caches hold the data. The README of this package says for each setting why.

mod fjall;
mod keys;
mod lmdb;
mod milepost;
mod redb;
#[cfg(feature = "rocksdb")]
mod rocksdb;
mod sqlite;

use std::{fmt, io, path::Path};

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
    /// Whether it takes part without being named.
    is_usual: bool,
}

/// Milepost stands first: every ratio is to it.
const ALL: &[Kind] = &[
    Kind { name: MILEPOST, open: milepost::open, is_usual: true },
    Kind { name: "lmdb", open: lmdb::open, is_usual: true },
    Kind { name: "redb", open: redb::open, is_usual: true },
    Kind { name: "redb-quick", open: redb::open_quick, is_usual: false },
    Kind { name: "fjall", open: fjall::open, is_usual: true },
    Kind { name: "sqlite", open: sqlite::open, is_usual: true },
    #[cfg(feature = "rocksdb")]
    Kind { name: "rocksdb", open: rocksdb::open, is_usual: true },
];

/// The name of ours.
pub(crate) const MILEPOST: &str = "milepost";

/// Those chosen, in the order of the table; the usual ones if none is.
pub(crate) fn chosen(only: &[&'static Kind]) -> Vec<&'static Kind> {
    let is_chosen = |kind: &&'static Kind| {
        if only.is_empty() { kind.is_usual } else { only.iter().any(|chosen| chosen.name == kind.name) }
    };
    ALL.iter().filter(is_chosen).collect()
}

/// Their names.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    ALL.iter().map(|kind| kind.name)
}

/// An engine by its name.
pub(crate) fn parse(name: &str) -> Result<&'static Kind, String> {
    let found = ALL.iter().find(|kind| kind.name == name);
    found.ok_or_else(|| {
        let names: Vec<_> = names().collect();
        let hint = if name == "rocksdb" { "; build with --features rocksdb" } else { "" };
        format!("no engine {name:?}; there are {}{hint}", names.join(", "))
    })
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}
