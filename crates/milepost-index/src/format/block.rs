//! A block of keys: up to 16 keys of one scope, with the newest version of each.
//!
//! ```text
//! block   varint   number of the scope
//! key     1        bit 0     whether it has older versions
//!                  bits 1-4  bytes of the rest, less 1; 15: a varint says how many above 16
//!                  bits 5-7  bytes at the end of the key before that are left out; 7: a varint says how many above 7
//!         varints  as these bits ask: first bytes left out, then bytes of the rest
//!                  the rest
//!                  newest version: a step from that of the key before; in the first key from (first Seq, 0)
//!         varint   if it has older versions: how many
//!         varint   and where their list stands: how far behind that of the last key with a list in the block, or 0
//! ```
//!
//! Invariant: keys ascend; every block of a scope but the last has 16.

use super::{
    Malformed,
    front::{self, Agreement},
    step::{self, Place},
    varint::{self, Fields},
};
use crate::Version;

/// Keys of a full block.
pub const BLOCK_KEYS: usize = 16;

/// Where the older versions of a key stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Older {
    /// How many, at least one.
    pub count: u64,
    /// Where their list stands in its section.
    pub at: u32,
}

/// A block being filled.
#[derive(Clone, Debug)]
pub struct BlockEncoder {
    bytes: Vec<u8>,
    keys: usize,
    before: Vec<u8>,
    from: Place,
    older_at: u32,
}

impl BlockEncoder {
    /// A block of the scope with this number, in a run from `first_seq` on.
    #[must_use]
    pub fn new() -> BlockEncoder {
        BlockEncoder { bytes: Vec::new(), keys: 0, before: Vec::new(), from: Place { seq: 0, record: 0 }, older_at: 0 }
    }

    /// Begins a block of the scope with this number, in a run from `first_seq` on.
    pub fn begin(&mut self, scope: u32, first_seq: u64) {
        self.bytes.clear();
        self.before.clear();
        (self.keys, self.older_at) = (0, 0);
        self.from = Place { seq: first_seq, record: 0 };
        varint::put(&mut self.bytes, u64::from(scope));
    }

    /// Adds a key.
    pub fn push(&mut self, key: &[u8], newest: Version, older: Option<Older>) {
        assert!(self.keys < BLOCK_KEYS, "a block holds {BLOCK_KEYS} keys");
        let shared = front::shared(&self.before, key);
        let left_out = self.before.len() - shared;
        let rest = &key[shared..];
        assert!(!rest.is_empty(), "keys ascend");
        let head = u8::from(older.is_some()) | ((rest.len() - 1).min(15) as u8) << 1 | (left_out.min(7) as u8) << 5;
        self.bytes.push(head);
        if left_out >= 7 {
            varint::put(&mut self.bytes, left_out as u64 - 7);
        }
        if rest.len() >= 16 {
            varint::put(&mut self.bytes, rest.len() as u64 - 16);
        }
        self.bytes.extend_from_slice(rest);
        step::put(&mut self.bytes, self.from, newest);
        if let Some(older) = older {
            varint::put(&mut self.bytes, older.count);
            varint::put(&mut self.bytes, u64::from(older.at - self.older_at));
            self.older_at = older.at;
        }
        self.from = Place::of(newest);
        self.before.truncate(shared);
        self.before.extend_from_slice(rest);
        self.keys += 1;
    }

    /// Keys in the block.
    #[must_use]
    pub fn keys(&self) -> usize {
        self.keys
    }

    /// The block's bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl Default for BlockEncoder {
    fn default() -> BlockEncoder {
        BlockEncoder::new()
    }
}

/// A key of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Bytes shared with the key before.
    pub shared: usize,
    /// The rest of the key.
    pub rest: &'a [u8],
    /// Its newest version.
    pub newest: Version,
    /// Its older versions.
    pub older: Option<Older>,
}

/// Reads a block, key by key.
#[derive(Clone, Debug)]
pub struct Entries<'a> {
    fields: Fields<'a>,
    scope: u32,
    key_bytes: usize,
    from: Place,
    older_at: u32,
}

impl<'a> Entries<'a> {
    /// The keys of a block in a run from `first_seq` on.
    pub fn new(block: &'a [u8], first_seq: u64) -> Result<Entries<'a>, Malformed> {
        let mut fields = Fields::new(block);
        let scope = fields.varint32()?;
        Ok(Entries { fields, scope, key_bytes: 0, from: Place { seq: first_seq, record: 0 }, older_at: 0 })
    }

    /// The number of the block's scope.
    #[must_use]
    pub fn scope(&self) -> u32 {
        self.scope
    }

    /// The next key; `None` behind the last.
    #[inline]
    pub fn read_entry(&mut self) -> Result<Option<Entry<'a>>, Malformed> {
        if self.fields.is_at_end() {
            return Ok(None);
        }
        let head = self.fields.byte()?;
        let left_out = match head >> 5 {
            7 => (self.fields.varint32()? as usize).saturating_add(7),
            few => usize::from(few),
        };
        let rest_bytes = match head >> 1 & 15 {
            15 => (self.fields.varint32()? as usize).saturating_add(16),
            few => usize::from(few) + 1,
        };
        let rest = self.fields.take(rest_bytes)?;
        let shared = self.key_bytes.checked_sub(left_out).ok_or(Malformed("a key shares more than there is"))?;
        let newest = step::read(&mut self.fields, self.from)?;
        let older = if head & 1 == 0 { None } else { Some(self.older()?) };
        self.from = Place::of(newest);
        self.key_bytes = shared + rest_bytes;
        Ok(Some(Entry { shared, rest, newest, older }))
    }

    fn older(&mut self) -> Result<Older, Malformed> {
        // A list is shorter than its section, and a version takes a byte at least.
        let count = u64::from(self.fields.varint32()?);
        let by = self.fields.varint32()?;
        let at = self.older_at.checked_add(by).ok_or(Malformed("a list stands behind its section"))?;
        if count == 0 {
            return Err(Malformed("a list without versions"));
        }
        self.older_at = at;
        Ok(Older { count, at })
    }
}

/// The key at this place of a block, if it is `key`: the number of its scope, its newest version and the older ones.
#[inline]
pub fn find(
    block: &[u8],
    first_seq: u64,
    place: usize,
    key: &[u8],
) -> Result<Option<(u32, Version, Option<Older>)>, Malformed> {
    let mut entries = Entries::new(block, first_seq)?;
    let mut agreement = Agreement::with(key);
    for _ in 0..place {
        let entry = entries.read_entry()?.ok_or(NO_KEY)?;
        agreement.next(entry.shared, entry.rest);
    }
    let entry = entries.read_entry()?.ok_or(NO_KEY)?;
    agreement.next(entry.shared, entry.rest);
    Ok(agreement.is_whole().then_some((entries.scope, entry.newest, entry.older)))
}

const NO_KEY: Malformed = Malformed("a slot leads to no key");
