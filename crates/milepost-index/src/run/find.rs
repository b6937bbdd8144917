//! Finding a key or a scope by its hash.
//!
//! Invariant: a slot only says where to look; what is found is compared with the name, key and scope, to the byte.

use milepost_types::Corruption;

use super::{Run, ScopeView, Versions};
use crate::{
    KeyHash, ScopeHash, Version,
    format::{
        block::{Block, Entry},
        meta::Section,
        slots::{LINE_BYTES, Shape},
    },
    pages::Damage,
};

/// The block of this number.
#[inline]
pub(super) fn block_of(number: u64, blocks: u32) -> Option<u32> {
    u32::try_from(number).ok().filter(|block| *block < blocks)
}

impl Run {
    /// The newest version of a key at or before `seq`. `hash` is that of the key in this scope.
    pub fn find(&self, hash: KeyHash, scope: &str, key: &str, seq: u64) -> Result<Option<Version>, Corruption> {
        self.find_glancing(hash, scope, key, seq, |_| {})
    }

    /// The same. `glance` is called with a version that it most likely is, before the scopes are compared.
    #[inline]
    pub fn find_glancing(
        &self,
        hash: KeyHash,
        scope: &str,
        key: &str,
        seq: u64,
        glance: impl Fn(Version),
    ) -> Result<Option<Version>, Corruption> {
        if seq < self.facts.first_seq {
            return Ok(None);
        }
        let glance = |newest: Version| {
            if newest.seq <= seq {
                glance(newest)
            }
        };
        self.find_alone_glancing(hash, scope, key, seq, glance).map_err(|damage| self.corrupt(damage))
    }

    /// The same, for a `seq` that is not before the run.
    pub(super) fn find_alone(
        &self,
        hash: KeyHash,
        scope: &str,
        key: &str,
        seq: u64,
    ) -> Result<Option<Version>, Damage> {
        self.find_alone_glancing(hash, scope, key, seq, |_| {})
    }

    #[inline]
    fn find_alone_glancing(
        &self,
        hash: KeyHash,
        scope: &str,
        key: &str,
        seq: u64,
        glance: impl Fn(Version),
    ) -> Result<Option<Version>, Damage> {
        let Some(entry) = self.entry(hash, scope, key, &glance)? else { return Ok(None) };
        if entry.newest.seq <= seq {
            return Ok(Some(entry.newest));
        }
        let found = Versions::new(self, entry).find_as_of(seq)?;
        found.into_iter().for_each(glance);
        Ok(found)
    }

    /// Whether a key with this hash may be here; surely not if it says so. Asked of several runs one after the other,
    /// the answers come from memory at the same time: nothing that one looks at depends on another. A run that can't be
    /// asked says yes: whoever then looks is told what is wrong.
    #[inline]
    #[must_use]
    pub fn may_hold(&self, hash: KeyHash) -> bool {
        let (section, shape) = (self.meta.sections.key_slots, self.key_shape);
        let mut line = shape.home(hash.0);
        for _ in 0..shape.lines() {
            let Ok(bytes) = self.line(section, line) else { return true };
            let hits = shape.look(bytes, hash.0);
            if hits.slots != 0 || hits.ends {
                return hits.slots != 0;
            }
            line = shape.after(line);
        }
        false
    }

    /// The versions of a key. `hash` is that of the key in this scope.
    pub fn versions(&self, hash: KeyHash, scope: &str, key: &str) -> Result<Option<Versions<'_>>, Corruption> {
        let found = self.entry(hash, scope, key, |_| {}).map_err(|damage| self.corrupt(damage))?;
        Ok(found.map(|entry| Versions::new(self, entry)))
    }

    /// A scope. `hash` is that of its name.
    pub fn scope(&self, hash: ScopeHash, scope: &str) -> Result<Option<ScopeView>, Corruption> {
        let section = self.meta.sections.scope_slots;
        let found = self.search(section, self.scope_shape, hash.0, |number| {
            let ordinal = u32::try_from(number).ok().filter(|ordinal| *ordinal < self.meta.scopes);
            let ordinal = ordinal.ok_or(Damage { at: section.at, what: "a slot leads to no scope" })?;
            Ok(if self.scope_is(ordinal, scope)? { Some(self.scope_view(ordinal)?) } else { None })
        });
        found.map_err(|damage| self.corrupt(damage))
    }

    #[inline]
    fn entry(&self, hash: KeyHash, scope: &str, key: &str, glance: impl Fn(Version)) -> Result<Option<Entry>, Damage> {
        let section = self.meta.sections.key_slots;
        self.search(section, self.key_shape, hash.0, |number| {
            let block = block_of(number, self.meta.blocks)
                .ok_or(Damage { at: section.at, what: "a slot leads to no block" })?;
            let (bytes, at) = self.block(block)?;
            let block = Block::read(bytes).map_err(Damage::at(at))?;
            let Some(entry) = block.find(key.as_bytes()).map_err(Damage::at(at))? else { return Ok(None) };
            glance(entry.newest);
            if !self.scope_is(block.scope(), scope)? {
                return Ok(None);
            }
            self.check_seq(entry.newest.seq, at)?;
            Ok(Some(entry))
        })
    }

    /// What `is_it` makes of the first number with this hash of which it makes something.
    #[inline]
    fn search<T>(
        &self,
        section: Section,
        shape: Shape,
        hash: u64,
        mut is_it: impl FnMut(u64) -> Result<Option<T>, Damage>,
    ) -> Result<Option<T>, Damage> {
        let mut line = shape.home(hash);
        for _ in 0..shape.lines() {
            let bytes = self.line(section, line)?;
            let hits = shape.look(bytes, hash);
            let mut slots = hits.slots;
            while slots != 0 {
                let number = shape.number(bytes, slots.trailing_zeros());
                slots &= slots - 1;
                if let Some(found) = is_it(number)? {
                    return Ok(Some(found));
                }
            }
            if hits.ends {
                return Ok(None);
            }
            line = shape.after(line);
        }
        Ok(None)
    }

    /// A line of slots.
    #[inline]
    pub(super) fn line(&self, section: Section, line: u64) -> Result<&[u8; LINE_BYTES], Damage> {
        let bytes = self.pages.bytes(section, line * LINE_BYTES as u64, LINE_BYTES as u64)?;
        Ok(bytes.first_chunk().expect("so many bytes were asked for"))
    }
}
