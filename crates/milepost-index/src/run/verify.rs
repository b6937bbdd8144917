//! [`Run::verify`]: everything that a run says, against everything else that it says.
//!
//! Invariant: a run that passes answers every question with what its builder was given, if it was built by one.

use milepost_types::Corruption;

use super::{Run, ScopeView};
use crate::{
    ScopeHash, Version,
    format::{meta::Section, scope::CLEAR_BYTES, slots::Shape},
    pages::Damage,
};

/// Versions of a scope that are held in memory at once; with more, its keys are walked again for each so many.
const VERSIONS_HELD: usize = 1 << 20;

/// What was counted.
#[derive(Debug, Default)]
struct Counted {
    scopes: u32,
    keys: u64,
    versions: u64,
    clears: u64,
    blocks: u32,
}

impl Run {
    /// Checks every page, the order and the number of all that is in it, that the slots lead to every key and scope,
    /// and that the changes of a scope are the versions of its keys.
    pub fn verify(&self) -> Result<(), Corruption> {
        self.pages.check_all().map_err(|damage| self.corrupt(damage))?;
        let mut counted = Counted::default();
        let seed = ScopeHash::seed(&self.store);
        let mut scopes = self.scopes_from("")?;
        while let Some((name, view)) = scopes.read_next()? {
            let hash = ScopeHash::of(seed, name);
            if self.scope(hash, name)? != Some(view) {
                return Err(self.wrong(self.meta.sections.scope_slots, "no slot leads to a scope"));
            }
            self.verify_clears(&view, &mut counted)?;
            self.verify_keys(&view, hash, name, &mut counted)?;
            self.verify_changes(&view, VERSIONS_HELD)?;
            counted.scopes += 1;
        }
        let meta = &self.meta;
        let is_whole = (counted.scopes, counted.keys, counted.versions, counted.clears, counted.blocks)
            == (meta.scopes, meta.keys, meta.versions, meta.clears, meta.blocks);
        if !is_whole {
            return Err(self.wrong(meta.sections.scopes, "scopes hold more or less than the run"));
        }
        self.verify_slots(meta.sections.key_slots, self.key_shape, meta.keys)?;
        self.verify_slots(meta.sections.scope_slots, self.scope_shape, u64::from(meta.scopes))
    }

    fn wrong(&self, section: Section, what: &'static str) -> Corruption {
        self.corrupt(Damage { at: section.at, what })
    }

    fn verify_clears(&self, view: &ScopeView, counted: &mut Counted) -> Result<(), Corruption> {
        let section = self.meta.sections.clears;
        let at = u64::from(view.record.clears_at);
        let marks = self.clears(view)?;
        if at != counted.clears * CLEAR_BYTES as u64 || !marks.is_sorted_by(|a, b| a < b) {
            return Err(self.wrong(section, "clears are not in order"));
        }
        counted.clears += marks.len() as u64;
        Ok(())
    }

    fn verify_keys(
        &self,
        view: &ScopeView,
        hash: ScopeHash,
        name: &str,
        counted: &mut Counted,
    ) -> Result<(), Corruption> {
        if view.record.first_block != counted.blocks {
            return Err(self.wrong(self.meta.sections.scopes, "the blocks of scopes are not in order"));
        }
        let (mut keys, mut kinds) = (0, 0);
        let mut cursor = self.keys_from(view, "")?;
        while let Some((key, versions)) = cursor.read_next()? {
            // No other block holds the key: those of this scope are in order, and those of others are of others.
            if self.versions(hash.key(key), name, key)?.is_none() {
                return Err(self.wrong(self.meta.sections.key_slots, "no slot leads to a key"));
            }
            versions.verify_head().map_err(|damage| self.corrupt(damage))?;
            for version in versions {
                kinds |= 1 << version?.kind;
                counted.versions += 1;
            }
            keys += 1;
        }
        if kinds != view.record.kinds {
            return Err(self.wrong(self.meta.sections.scopes, "a scope holds other kinds of versions than it says"));
        }
        if keys != view.record.keys {
            return Err(self.wrong(self.meta.sections.scopes, "a scope holds more or fewer keys than it says"));
        }
        counted.keys += keys;
        counted.blocks += view.record.blocks;
        Ok(())
    }

    /// The changes of a scope are the versions of its keys, each once.
    fn verify_changes(&self, view: &ScopeView, versions_held: usize) -> Result<(), Corruption> {
        self.change_list(view).verify_head(self).map_err(|damage| self.corrupt(damage))?;
        let mut changes = self.changes(view, 0, u64::MAX)?;
        let mut next = changes.next().transpose()?;
        let mut from = 0;
        let mut held = Vec::new();
        loop {
            // The last commit of the changes that are compared in this round; in the last round there is none.
            let mut to = u64::MAX;
            held.clear();
            while let Some(change) = next {
                if held.len() >= versions_held && held.last().is_some_and(|last: &Version| last.seq < change.seq) {
                    to = change.seq - 1;
                    break;
                }
                held.push(change);
                next = changes.next().transpose()?;
            }
            if self.versions_within(view, from, to)? != held {
                return Err(self.wrong(self.meta.sections.changes, "changes are not the versions of the keys"));
            }
            if to == u64::MAX {
                return Ok(());
            }
            from = to + 1;
        }
    }

    /// The versions of a scope's keys from commit `from` to commit `to`, in the order of events, equal ones once.
    fn versions_within(&self, view: &ScopeView, from: u64, to: u64) -> Result<Vec<Version>, Corruption> {
        let mut within = Vec::new();
        let mut cursor = self.keys_from(view, "")?;
        while let Some((_, versions)) = cursor.read_next()? {
            for version in versions {
                let version = version?;
                if (from..=to).contains(&version.seq) {
                    within.push(version);
                }
            }
        }
        within.sort_unstable();
        within.dedup();
        Ok(within)
    }

    fn verify_slots(&self, section: Section, shape: Shape, expected: u64) -> Result<(), Corruption> {
        let mut taken = 0;
        for line in 0..shape.lines() {
            taken += shape.taken(self.line(section, line).map_err(|damage| self.corrupt(damage))?);
        }
        if taken == expected {
            Ok(())
        } else {
            Err(self.wrong(section, "more or fewer slots are taken than there are names"))
        }
    }
}

#[cfg(test)]
mod tests;
