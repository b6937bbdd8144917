//! [`KeyCursor`]: a walk over the keys of a scope, in order, with what a read of each meets.
//!
//! Invariant: a key comes once, whatever holds versions of it.

use std::sync::Arc;

use milepost_types::{Corruption, Seq};

use super::{Kind, Mark, Tiers, Version};
use crate::memtable::SortedKey;

/// The orders of a scope's keys in memory, as they were when they were asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct KeyOrders {
    pub(super) active: Arc<Vec<SortedKey>>,
}

/// Keys of a scope in order.
#[derive(Debug)]
pub(crate) struct KeyCursor<'t> {
    tiers: &'t Tiers,
    order: &'t [SortedKey],
    /// How many were read.
    read: usize,
}

impl<'t> KeyCursor<'t> {
    pub(super) fn new(tiers: &'t Tiers, _scope: &str, orders: &'t KeyOrders, from: &str) -> KeyCursor<'t> {
        let begin = orders.active.partition_point(|listed| &*listed.key < from);
        KeyCursor { tiers, order: &orders.active[begin..], read: 0 }
    }

    /// Goes to the next key; `None` behind the last.
    pub(crate) fn read_next(&mut self) -> Result<Option<&str>, Corruption> {
        let Some(next) = self.order.get(self.read) else { return Ok(None) };
        self.read += 1;
        Ok(Some(&next.key))
    }

    /// The key that was read last.
    pub(crate) fn key(&self) -> &str {
        &self.here().key
    }

    /// The newest version of the key at or below `seq`, whether or not it was deleted or cleared.
    pub(crate) fn newest(&self, seq: Seq) -> Result<Option<Version>, Corruption> {
        Ok(self.tiers.active.as_of(self.here(), seq))
    }

    /// The version of the key that a read as of `seq` meets; `clear` is the last one at or below `seq` that meets the
    /// scope.
    pub(crate) fn seen(&self, seq: Seq, clear: Option<Mark>) -> Result<Option<Version>, Corruption> {
        let version = self.newest(seq)?;
        let is_gone =
            |version: &Version| version.kind == Kind::Delete || clear.is_some_and(|mark| mark.stands_after(version));
        Ok(version.filter(|version| !is_gone(version)))
    }

    /// Every version of the key, oldest first.
    pub(crate) fn versions(&self) -> Result<Vec<Version>, Corruption> {
        Ok(self.tiers.active.versions_listed(self.here()))
    }

    fn here(&self) -> &'t SortedKey {
        &self.order[self.read - 1]
    }
}
