//! [`History`]: the keys and versions that are read, and which value each read must return.
//!
//! Invariant: version `v` of the keys of block `b` (a thousand keys) is commit `1 + v * blocks + b`, so that the
//! version as of any position is known without asking the store.

use std::{collections::HashMap, io};

use milepost_engine::{Engine, View};
use milepost_types::{At, Seq};

use super::mixed::Reader;
use crate::{
    event::{Event, SCOPE, number_of},
    store,
};

const KEYS_PER_BLOCK: u64 = 1000;
/// The number in a value is `version * VERSION + key`.
const VERSION: u64 = 1_000_000_000;

/// Keys with one version and their values, as plain as memory can hold them.
pub(crate) type PlainMap = HashMap<[u8; 23], [u8; 103], foldhash::fast::RandomState>;

/// What was written.
#[derive(Clone, Copy)]
pub(crate) struct History {
    /// Thousands of keys.
    pub(crate) blocks: u64,
    /// Versions of each.
    pub(crate) versions: u64,
}

impl History {
    /// Writes all versions of all keys to a new store.
    pub(crate) fn write(self, engine: &Engine) -> io::Result<()> {
        let (scope, mut event) = (store::scope()?, Event::new());
        for version in 0..self.versions {
            for first in (0..self.keys()).step_by(KEYS_PER_BLOCK as usize) {
                let keys = first..first + KEYS_PER_BLOCK;
                store::commit(engine, &scope, &mut event, keys.map(|key| (key, version * VERSION + key)))?;
            }
        }
        let (last, expected) = (engine.last().seq, Seq(self.commits()));
        if last == expected {
            Ok(())
        } else {
            Err(io::Error::other(format!("last seq is {last}, expected {expected}")))
        }
    }

    /// Reads a random key as it is now: at least the last version of the history, for the writer goes on.
    pub(crate) fn latest(self, engine: &Engine) -> impl Fn(&mut Reader) -> io::Result<()> + Sync {
        move |reader| {
            let key = self.pick(reader);
            let value = engine.get(SCOPE, reader.event.key()).map_err(io::Error::other)?;
            let version = self.version(key, value.as_deref())?;
            if version + 1 >= self.versions { Ok(()) } else { Err(wrong(key, version, self.versions - 1)) }
        }
    }

    /// Reads a random key as of a random commit at which it had a version.
    pub(crate) fn random(self, engine: &Engine) -> impl Fn(&mut Reader) -> io::Result<()> + Sync {
        move |reader| {
            let key = self.pick(reader);
            let seq = self.blocks + reader.below(self.commits() - self.blocks + 1);
            let view = engine.view(At::Seq(Seq(seq))).map_err(io::Error::other)?;
            let value = view.get(SCOPE, reader.event.key()).map_err(io::Error::other)?;
            let version = self.version(key, value.as_deref())?;
            let expected = self.version_at(key, seq);
            if version == expected { Ok(()) } else { Err(wrong(key, version, expected)) }
        }
    }

    /// Reads so many random keys as of one random commit at which all have a version, at once or one after the other.
    pub(crate) fn many(
        self,
        engine: &Engine,
        count: u64,
        at_once: bool,
    ) -> impl Fn(&mut Reader) -> io::Result<()> + Sync {
        move |reader| {
            let seq = self.blocks + reader.below(self.commits() - self.blocks + 1);
            let view = engine.view(At::Seq(Seq(seq))).map_err(io::Error::other)?;
            let check = |key: u64, value: Option<&[u8]>| {
                let (version, expected) = (self.version(key, value)?, self.version_at(key, seq));
                if version == expected { Ok(()) } else { Err(wrong(key, version, expected)) }
            };
            let mut names = Vec::with_capacity(count as usize);
            for _ in 0..count {
                let key = self.pick(reader);
                names.push((key, reader.event.key().to_owned()));
            }
            if at_once {
                let keys: Vec<&str> = names.iter().map(|(_, name)| name.as_str()).collect();
                let values = view.get_many(SCOPE, &keys).map_err(io::Error::other)?;
                return names.iter().zip(&values).try_for_each(|((key, _), value)| check(*key, value.as_deref()));
            }
            names
                .iter()
                .try_for_each(|(key, name)| check(*key, view.get(SCOPE, name).map_err(io::Error::other)?.as_deref()))
        }
    }

    /// Reads some keys of a view of the last commit at which all keys had their first version.
    pub(crate) fn check_first(self, view: &View) -> io::Result<()> {
        let mut event = Event::new();
        for key in (0..self.keys()).step_by(KEYS_PER_BLOCK as usize) {
            event.number(key, 0);
            let value = view.get(SCOPE, event.key()).map_err(io::Error::other)?;
            let version = self.version(key, value.as_deref())?;
            if version != 0 {
                return Err(wrong(key, version, 0));
            }
        }
        Ok(())
    }

    /// Commits a new version of one random key at a time.
    pub(crate) fn writer(self, engine: &Engine) -> io::Result<impl FnMut() -> io::Result<()>> {
        let (scope, mut event, mut reader) = (store::scope()?, Event::new(), Reader::new(0));
        Ok(move || {
            let key = reader.below(self.keys());
            store::commit(engine, &scope, &mut event, [(key, self.versions * VERSION + key)])
        })
    }

    /// The last versions in a map.
    pub(crate) fn map(self) -> PlainMap {
        let (mut map, mut event) = (PlainMap::default(), Event::new());
        for key in 0..self.keys() {
            event.number(key, (self.versions - 1) * VERSION + key);
            let (Ok(key), Ok(value)) = (event.key().as_bytes().try_into(), event.value().try_into()) else { continue };
            map.insert(key, value);
        }
        map
    }

    /// Reads a random key of the map.
    pub(crate) fn in_map(self, map: &PlainMap) -> impl Fn(&mut Reader) -> io::Result<()> + Sync {
        move |reader| {
            let key = self.pick(reader);
            let version = self.version(key, map.get(reader.event.key().as_bytes()).map(|value| &value[..]))?;
            if version + 1 == self.versions { Ok(()) } else { Err(wrong(key, version, self.versions - 1)) }
        }
    }

    fn keys(self) -> u64 {
        self.blocks * KEYS_PER_BLOCK
    }

    fn commits(self) -> u64 {
        self.blocks * self.versions
    }

    fn pick(self, reader: &mut Reader) -> u64 {
        let key = reader.below(self.keys());
        reader.event.number(key, 0);
        key
    }

    /// The version that a key has after the commit `seq`, which is at or after its first.
    fn version_at(self, key: u64, seq: u64) -> u64 {
        (seq - 1 - key / KEYS_PER_BLOCK) / self.blocks
    }

    /// The version in a value, if it is a value of the key.
    fn version(self, key: u64, value: Option<&[u8]>) -> io::Result<u64> {
        let Some(value) = value else { return Err(io::Error::other(format!("key {key} is gone"))) };
        let number = number_of(value)?;
        if number % VERSION == key { Ok(number / VERSION) } else { Err(wrong(key, number, key)) }
    }
}

fn wrong(key: u64, found: u64, expected: u64) -> io::Error {
    io::Error::other(format!("key {key} read {found}, expected {expected}"))
}

#[cfg(test)]
mod tests;
