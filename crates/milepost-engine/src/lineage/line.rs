//! [`Line`]: the scopes that a forked scope is read from, its own first; [`LineCursor`]: a walk over their keys as one.
//!
//! Invariant: a key comes once, in order, and is seen as the first scope of the line that decides about it says.

use milepost_types::Corruption;

use super::Ancestor;
use crate::state::{KeyCursor, KeyOrders, Tiers, Version};

/// The scopes of a line with the orders of their keys. Most lines have one.
#[derive(Debug)]
pub(crate) struct Line {
    parts: Vec<Part>,
}

/// What one scope has to say.
#[derive(Debug)]
struct Part {
    of: Ancestor,
    orders: KeyOrders,
}

impl Line {
    pub(super) fn new(tiers: &Tiers, ancestry: Vec<Ancestor>) -> Line {
        let part = |of: Ancestor| Part { orders: tiers.key_orders(&of.scope), of };
        Line { parts: ancestry.into_iter().map(part).collect() }
    }

    /// The keys in order, from the first that is not less than `from` on. `tiers` are those it was made of.
    pub(crate) fn keys<'t>(&'t self, tiers: &'t Tiers, from: &str) -> Result<LineCursor<'t>, Corruption> {
        let mut heads = Vec::with_capacity(self.parts.len());
        for part in &self.parts {
            heads.push(Head { part, keys: tiers.keys(&part.of.scope, &part.orders, from)?, stands: Stands::Behind });
        }
        Ok(LineCursor { heads, least: 0 })
    }
}

/// Keys in order.
#[derive(Debug)]
pub(crate) struct LineCursor<'t> {
    heads: Vec<Head<'t>>,
    /// A head that stands at the key that was read last.
    least: usize,
}

#[derive(Debug)]
struct Head<'t> {
    part: &'t Part,
    keys: KeyCursor<'t>,
    stands: Stands,
}

/// Where a head stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stands {
    /// Before its first key, or at the one that was read last.
    Behind,
    /// At a key that is still to be read.
    Ahead,
    /// Behind its last key.
    Done,
}

impl LineCursor<'_> {
    /// Goes to the next key; `None` behind the last.
    pub(crate) fn read_next(&mut self) -> Result<Option<&str>, Corruption> {
        if self.heads.len() == 1 {
            return self.heads[0].keys.read_next();
        }
        for head in self.heads.iter_mut().filter(|head| head.stands == Stands::Behind) {
            head.stands = if head.keys.read_next()?.is_some() { Stands::Ahead } else { Stands::Done };
        }
        let ahead = self.heads.iter().enumerate().filter(|(_, head)| head.stands == Stands::Ahead);
        let Some((least, _)) = ahead.min_by(|(_, a), (_, b)| a.keys.key().cmp(b.keys.key())) else { return Ok(None) };
        self.least = least;
        for index in 0..self.heads.len() {
            let head = &self.heads[index];
            if head.stands == Stands::Ahead && head.keys.key() == self.heads[least].keys.key() {
                self.heads[index].stands = Stands::Behind;
            }
        }
        Ok(Some(self.key()))
    }

    /// The key that was read last.
    pub(crate) fn key(&self) -> &str {
        self.heads[self.least].keys.key()
    }

    /// The version of the key that a read meets.
    pub(crate) fn seen(&self) -> Result<Option<Version>, Corruption> {
        for Head { part: Part { of, .. }, keys, stands } in &self.heads {
            let is_at_key = *stands == Stands::Behind;
            let Some(behind) = of.behind else {
                return if is_at_key { keys.seen(of.seq, of.clear) } else { Ok(None) };
            };
            if is_at_key && keys.newest(of.seq)?.is_some_and(|version| !behind.stands_after(&version)) {
                return keys.seen(of.seq, of.clear);
            }
            if keys.is_erased_since(self.key(), behind)? {
                return Ok(None);
            }
        }
        Ok(None)
    }
}
