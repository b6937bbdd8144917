//! [`ScopeCursor`]: a walk over the scopes at and below a prefix, in order.
//!
//! Invariant: a scope comes once, whatever holds versions of it; a cleared prefix is no scope.

use std::sync::Arc;

use milepost_types::{Corruption, ScopePrefix, scope::is_reserved};

use super::Tiers;
use crate::memtable::{SortedScope, is_prefix};

/// Scopes in order.
#[derive(Debug)]
pub(crate) struct ScopeCursor<'t> {
    /// For as long as it is walked over.
    _tiers: &'t Tiers,
    order: Arc<Vec<SortedScope>>,
    next: usize,
    prefix: String,
}

impl<'t> ScopeCursor<'t> {
    pub(super) fn new(tiers: &'t Tiers, prefix: &ScopePrefix) -> ScopeCursor<'t> {
        let (order, prefix) = (tiers.active.sorted_scopes(), prefix.as_str().to_owned());
        let next = order.partition_point(|(name, _)| **name < *prefix);
        ScopeCursor { _tiers: tiers, order, next, prefix }
    }

    /// The next scope; `None` behind the last.
    pub(crate) fn read_next(&mut self) -> Result<Option<&str>, Corruption> {
        while let Some((name, _)) = self.order.get(self.next).filter(|(name, _)| name.starts_with(&self.prefix)) {
            self.next += 1;
            if is_listed(name, &self.prefix) {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }
}

/// Whether a name that begins with a prefix is that of a scope at or below it.
fn is_listed(name: &str, prefix: &str) -> bool {
    let is_below = prefix.is_empty() || matches!(name.as_bytes().get(prefix.len()), None | Some(b'/'));
    is_below && !is_prefix(name) && !(prefix.is_empty() && is_reserved(name))
}
