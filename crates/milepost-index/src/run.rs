//! [`Run`]: a run as it is read, through a map.
//!
//! Invariant: what is returned was read from pages whose checksum was right. What a checksum can't show, a run whose
//! parts do not fit each other, is an error as well, and never a panic.

mod changes;
mod find;
mod finger;
mod keys;
mod lists;
mod many;
mod open;
mod scopes;
mod verify;

use std::path::PathBuf;

use milepost_types::{Corruption, Seq};

use crate::{
    Mark, RunId,
    format::{
        meta::{Meta, Section},
        scope::{CLEAR_BYTES, clear_at},
        slots::Shape,
        u32_at,
    },
    pages::{Damage, Pages},
};

pub use changes::Changes;
pub use finger::{Finger, Near};
pub use keys::KeyCursor;
pub use lists::Versions;
pub use scopes::{ScopeCursor, ScopeView};

pub(crate) use keys::KeyPlace;
pub(crate) use lists::ListPlace;
pub(crate) use scopes::ScopePlace;

/// What identifies a run: to be kept by whoever says which runs count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunFacts {
    /// Its number.
    pub id: RunId,
    /// The first commit that it covers.
    pub first_seq: u64,
    /// The last one.
    pub last_seq: u64,
    /// Bytes of the file.
    pub bytes: u64,
    /// Identifies the content: it covers the checksums of all pages.
    pub crc: u32,
}

/// A run, open for reading. Any number of threads may read it.
#[derive(Debug)]
pub struct Run {
    path: PathBuf,
    facts: RunFacts,
    store: [u8; 16],
    pages: Pages,
    meta: Meta,
    key_shape: Shape,
    scope_shape: Shape,
}

impl Run {
    /// What identifies it.
    #[must_use]
    pub fn facts(&self) -> RunFacts {
        self.facts
    }

    /// How many keys it has.
    #[must_use]
    pub fn key_count(&self) -> u64 {
        self.meta.keys
    }

    /// How many versions its keys have.
    #[must_use]
    pub fn version_count(&self) -> u64 {
        self.meta.versions
    }

    /// How many scopes it has.
    #[must_use]
    pub fn scope_count(&self) -> u32 {
        self.meta.scopes
    }

    /// Damage of the whole run, for whoever compares it with what it was made of.
    #[must_use]
    pub fn disagrees(&self, seq: Seq, what: String) -> Corruption {
        Corruption { file: self.path.clone(), offset: 0, seq: Some(seq), what }
    }

    /// How many events cleared its scopes.
    #[must_use]
    pub fn clear_count(&self) -> u64 {
        self.meta.clears
    }

    /// Whether it has an event that cleared a scope: if not, nobody needs to ask for one.
    #[must_use]
    pub fn has_clears(&self) -> bool {
        self.meta.clears > 0
    }

    /// An error with its place.
    fn corrupt(&self, damage: Damage) -> Corruption {
        let (file, seq) = (self.path.clone(), Some(Seq(self.facts.first_seq)));
        Corruption { file, offset: damage.at, seq, what: damage.what.to_owned() }
    }

    /// A version or a clear must be of a commit that the run covers.
    fn check_seq(&self, seq: u64, at: u64) -> Result<(), Damage> {
        if (self.facts.first_seq..=self.facts.last_seq).contains(&seq) {
            return Ok(());
        }
        Err(Damage { at, what: "a version is of a commit that the run does not cover" })
    }

    /// Two `u32` of a table, beside each other: where a thing begins and ends.
    fn bounds(&self, table: Section, index: u64) -> Result<(u32, u32), Damage> {
        let bytes = self.pages.bytes(table, index * 4, 8)?;
        Ok((u32_at(bytes, 0), u32_at(bytes, 4)))
    }

    /// A block of keys, and where in the file it stands.
    fn block(&self, block: u32) -> Result<(&[u8], u64), Damage> {
        let (begin, end) = self.bounds(self.meta.sections.block_offsets, u64::from(block))?;
        let section = self.meta.sections.blocks;
        let count = u64::from(end).checked_sub(u64::from(begin));
        let count = count.ok_or(Damage { at: section.at, what: "a block ends before it begins" })?;
        Ok((self.pages.bytes(section, u64::from(begin), count)?, section.at + u64::from(begin)))
    }

    /// The events that cleared a scope, oldest first.
    pub fn clears(&self, scope: &ScopeView) -> Result<Vec<Mark>, Corruption> {
        let bytes = self.clear_bytes(scope).map_err(|damage| self.corrupt(damage))?;
        let marks = (0..scope.record.clears as usize).map(|index| clear_at(bytes, index));
        let checked = marks.map(|mark| self.check_seq(mark.seq, self.meta.sections.clears.at).map(|()| mark));
        checked.collect::<Result<_, _>>().map_err(|damage| self.corrupt(damage))
    }

    /// The last event at or before `seq` that cleared a scope.
    pub fn last_clear(&self, scope: &ScopeView, seq: u64) -> Result<Option<Mark>, Corruption> {
        let bytes = self.clear_bytes(scope).map_err(|damage| self.corrupt(damage))?;
        let (mut low, mut high) = (0, scope.record.clears as usize);
        while low < high {
            let middle = usize::midpoint(low, high);
            if clear_at(bytes, middle).seq <= seq {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let last = low.checked_sub(1).map(|index| clear_at(bytes, index));
        let checked = last.map(|mark| self.check_seq(mark.seq, self.meta.sections.clears.at).map(|()| mark));
        checked.transpose().map_err(|damage| self.corrupt(damage))
    }

    fn clear_bytes(&self, scope: &ScopeView) -> Result<&[u8], Damage> {
        let count = u64::from(scope.record.clears) * CLEAR_BYTES as u64;
        self.pages.bytes(self.meta.sections.clears, u64::from(scope.record.clears_at), count)
    }
}

#[cfg(test)]
mod tests;
