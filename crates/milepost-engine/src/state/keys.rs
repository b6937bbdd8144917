//! [`KeyCursor`]: a walk over the keys of a scope, in order, with what a read of each meets.
//!
//! Invariant: a key comes once, whatever tiers hold versions of it.

use std::sync::Arc;

use milepost_index::{Run, Versions};
use milepost_types::{Corruption, Seq};

use super::{Kind, Mark, Tiers, Version, erased::ErasedOf, look};
use crate::memtable::{Memtable, SortedKey};

/// The orders of a scope's keys in memory, as they were when they were asked for.
#[derive(Clone, Debug)]
pub(crate) struct KeyOrders {
    /// Of the memtables, newest first.
    orders: Vec<Arc<Vec<SortedKey>>>,
}

impl KeyOrders {
    pub(super) fn new(tiers: &Tiers, scope: &str) -> KeyOrders {
        let order = |memtable: &Memtable| memtable.scope(scope).map(|state| memtable.sorted(state)).unwrap_or_default();
        KeyOrders { orders: tiers.memtables().map(order).collect() }
    }

    /// None in memory: a walk then meets the keys in runs alone.
    pub(super) fn of_runs() -> KeyOrders {
        KeyOrders { orders: Vec::new() }
    }
}

/// Keys of a scope in order.
#[derive(Debug)]
pub(crate) struct KeyCursor<'t> {
    /// Of the tiers that hold keys of the scope, newest first.
    standings: Vec<Standing<'t>>,
    /// The key that was read last.
    key: String,
    /// What of the scope was erased; `None` if nothing was.
    erased: Option<ErasedOf<'t>>,
}

/// Where the walk stands in one tier.
#[derive(Debug)]
struct Standing<'t> {
    place: Place<'t>,
    /// Whether it stands at the key that was read last.
    is_at_key: bool,
}

#[derive(Debug)]
enum Place<'t> {
    /// Before the first of these.
    Memtable(&'t Memtable, &'t [SortedKey]),
    Run(Box<InRun<'t>>),
}

#[derive(Debug)]
struct InRun<'t> {
    run: &'t Run,
    cursor: milepost_index::KeyCursor<'t>,
    key: String,
    /// Those of the key that it stands at; `None` behind the last.
    versions: Option<Versions<'t>>,
}

impl<'t> KeyCursor<'t> {
    pub(super) fn new(
        tiers: &'t Tiers,
        scope: &str,
        orders: &'t KeyOrders,
        from: &str,
    ) -> Result<KeyCursor<'t>, Corruption> {
        let mut standings = Vec::new();
        for (memtable, order) in tiers.memtables().zip(&orders.orders) {
            let rest = &order[order.partition_point(|listed| &*listed.key < from)..];
            if !rest.is_empty() {
                standings.push(Standing { place: Place::Memtable(memtable, rest), is_at_key: false });
            }
        }
        for run in &tiers.runs {
            if let Some(view) = look::scope(run, tiers.seed, scope)?.filter(|view| view.keys() > 0) {
                let cursor = run.keys_from(&view, from)?;
                let mut place = InRun { run, cursor, key: String::new(), versions: None };
                place.advance()?;
                standings.push(Standing { place: Place::Run(Box::new(place)), is_at_key: false });
            }
        }
        Ok(KeyCursor { standings, key: String::new(), erased: tiers.erased_of(scope)? })
    }

    /// Goes to the next key; `None` behind the last.
    pub(crate) fn read_next(&mut self) -> Result<Option<&str>, Corruption> {
        for standing in self.standings.iter_mut().filter(|standing| standing.is_at_key) {
            standing.advance()?;
        }
        let Some(least) = self.standings.iter().filter_map(Standing::key).min() else {
            self.standings.clear();
            return Ok(None);
        };
        self.key.clear();
        self.key.push_str(least);
        for standing in &mut self.standings {
            standing.is_at_key = standing.key() == Some(&*self.key);
        }
        Ok(Some(&self.key))
    }

    /// The key that was read last.
    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    /// The newest version of the key at or below `seq`, whether or not it was deleted or cleared.
    pub(crate) fn newest(&self, seq: Seq) -> Result<Option<Version>, Corruption> {
        for standing in self.standings.iter().filter(|standing| standing.is_at_key) {
            if let Some(version) = standing.as_of(seq)? {
                return Ok(Some(version));
            }
        }
        Ok(None)
    }

    /// The version of the key that a read as of `seq` meets; `clear` is the last one at or below `seq` that meets the
    /// scope.
    pub(crate) fn seen(&self, seq: Seq, clear: Option<Mark>) -> Result<Option<Version>, Corruption> {
        let version = self.newest(seq)?;
        let is_gone =
            |version: &Version| version.kind == Kind::Delete || clear.is_some_and(|mark| mark.stands_after(version));
        let seen = version.filter(|version| !is_gone(version));
        match (&self.erased, seen) {
            (Some(erased), Some(version)) => {
                let mark = erased.mark(&self.key)?;
                Ok(seen.filter(|_| !mark.is_some_and(|mark| mark.stands_after(&version))))
            }
            (Some(_) | None, seen) => Ok(seen),
        }
    }

    /// Whether a key of the scope was erased behind a place.
    pub(crate) fn is_erased_since(&self, key: &str, place: Mark) -> Result<bool, Corruption> {
        let mark = self.erased.as_ref().map_or(Ok(None), |erased| erased.mark(key))?;
        Ok(mark.is_some_and(|mark| mark > place))
    }

    /// Every version of the key that was not erased since, oldest first.
    pub(crate) fn versions(&self) -> Result<Vec<Version>, Corruption> {
        let mut versions = self.versions_ever()?;
        if let Some(erased) = &self.erased
            && let Some(mark) = erased.mark(&self.key)?
        {
            versions.retain(|version| !mark.stands_after(version));
        }
        Ok(versions)
    }

    /// Every version of the key, erased or not, oldest first.
    pub(crate) fn versions_ever(&self) -> Result<Vec<Version>, Corruption> {
        let mut versions = Vec::new();
        for standing in self.standings.iter().rev().filter(|standing| standing.is_at_key) {
            match &standing.place {
                Place::Memtable(memtable, rest) => versions.extend(memtable.versions_listed(&rest[0])),
                Place::Run(place) => {
                    let found = place.versions.clone().expect("it stands at the key");
                    look::append(place.run, found, &mut versions)?;
                }
            }
        }
        Ok(versions)
    }
}

impl Standing<'_> {
    fn key(&self) -> Option<&str> {
        match &self.place {
            Place::Memtable(_, rest) => rest.first().map(|listed| &*listed.key),
            Place::Run(place) => place.versions.as_ref().map(|_| &*place.key),
        }
    }

    fn advance(&mut self) -> Result<(), Corruption> {
        self.is_at_key = false;
        match &mut self.place {
            Place::Memtable(_, rest) => *rest = &rest[1..],
            Place::Run(place) => place.advance()?,
        }
        Ok(())
    }

    fn as_of(&self, seq: Seq) -> Result<Option<Version>, Corruption> {
        match &self.place {
            Place::Memtable(memtable, rest) => Ok(memtable.as_of(&rest[0], seq)),
            Place::Run(place) => {
                let versions = place.versions.as_ref().expect("it stands at the key");
                let found = if seq.0 < place.run.facts().first_seq { None } else { versions.as_of(seq.0)? };
                found.map(|found| look::version(place.run, found)).transpose()
            }
        }
    }
}

impl InRun<'_> {
    fn advance(&mut self) -> Result<(), Corruption> {
        self.versions = None;
        if let Some((key, versions)) = self.cursor.read_next()? {
            look::check_key(self.run, key)?;
            self.key.clear();
            self.key.push_str(key);
            self.versions = Some(versions);
        }
        Ok(())
    }
}
