//! [`ScopeCursor`]: a walk over the scopes at and below a prefix, in order.
//!
//! Invariant: a scope comes once, whatever tiers hold versions of it; a cleared prefix is no scope.

use std::sync::Arc;

use milepost_index::Run;
use milepost_types::{Corruption, ScopePrefix, scope::is_reserved};

use super::{Tiers, look};
use crate::memtable::{SortedScope, is_prefix};

/// Scopes in order.
#[derive(Debug)]
pub(crate) struct ScopeCursor<'t> {
    /// Of the memtables: the order, and how many were read.
    orders: Vec<(Arc<Vec<SortedScope>>, usize)>,
    runs: Vec<InRun<'t>>,
    prefix: String,
    /// Whether what is no scope of a user's comes as well.
    is_of_all: bool,
    name: String,
}

/// The walk over the scopes of a run.
#[derive(Debug)]
struct InRun<'t> {
    run: &'t Run,
    cursor: milepost_index::ScopeCursor<'t>,
    /// `None` behind the last.
    next: Option<String>,
}

impl InRun<'_> {
    fn advance(&mut self) -> Result<(), Corruption> {
        self.next = match self.cursor.read_next()? {
            Some((name, _)) => {
                look::check_scope(self.run, name)?;
                Some(name.to_owned())
            }
            None => None,
        };
        Ok(())
    }
}

impl<'t> ScopeCursor<'t> {
    pub(super) fn new(tiers: &'t Tiers, prefix: &ScopePrefix) -> Result<ScopeCursor<'t>, Corruption> {
        let every = ScopeCursor::every(tiers, prefix.as_str())?;
        Ok(ScopeCursor { prefix: prefix.as_str().to_owned(), is_of_all: false, ..every })
    }

    /// Whatever has a name, cleared prefixes and what the engine keeps for itself included, from one on.
    pub(super) fn every(tiers: &'t Tiers, from: &str) -> Result<ScopeCursor<'t>, Corruption> {
        let mut orders = Vec::new();
        for memtable in tiers.memtables() {
            let order = memtable.sorted_scopes();
            let begin = order.partition_point(|(name, _)| **name < *from);
            orders.push((order, begin));
        }
        let mut runs = Vec::new();
        for run in &tiers.runs {
            let mut walk = InRun { run, cursor: run.scopes_from(from)?, next: None };
            walk.advance()?;
            runs.push(walk);
        }
        Ok(ScopeCursor { orders, runs, prefix: String::new(), is_of_all: true, name: String::new() })
    }

    /// The next scope; `None` behind the last.
    pub(crate) fn read_next(&mut self) -> Result<Option<&str>, Corruption> {
        loop {
            let in_memory = self.orders.iter().filter_map(|(order, read)| order.get(*read)).map(|(name, _)| &**name);
            let in_runs = self.runs.iter().filter_map(|walk| walk.next.as_deref());
            let Some(least) = in_memory.chain(in_runs).min().filter(|name| name.starts_with(&self.prefix)) else {
                return Ok(None);
            };
            self.name.clear();
            self.name.push_str(least);
            for (order, read) in &mut self.orders {
                *read += usize::from(order.get(*read).is_some_and(|(name, _)| **name == *self.name));
            }
            for walk in self.runs.iter_mut().filter(|walk| walk.next.as_deref() == Some(&*self.name)) {
                walk.advance()?;
            }
            if self.is_of_all || is_listed(&self.name, &self.prefix) {
                return Ok(Some(&self.name));
            }
        }
    }
}

/// Whether a name that begins with a prefix is that of a scope at or below it.
fn is_listed(name: &str, prefix: &str) -> bool {
    let is_below = prefix.is_empty() || matches!(name.as_bytes().get(prefix.len()), None | Some(b'/'));
    is_below && !is_prefix(name) && !(prefix.is_empty() && is_reserved(name))
}
