//! A list of versions, in order: the older ones of a key, newest first; or all of a scope, oldest first.
//!
//! ```text
//! list    groups   each the steps of up to so many versions
//!                    16 in a list of older versions, 128 in a list of changes
//!                    the first step of the first group is counted from a version that the reader knows: the newest of
//!                    the key, or (first Seq of the run, 0); that of every other from (Seq as in the index, 0)
//!         index    if there is more than one group, 12 bytes for each
//!                    Seq u64   of its first version
//!                    at  u32   where it begins in the section
//! ```
//!
//! A list of one group is known by where the group begins, a longer one by where its index begins. So a look-up costs
//! a search in the index and the reading of one group, however long the list is.
//!
//! Invariant: versions stand in strict order of their addresses, up or down; those of one address, in a list of
//! changes, in that of their kinds.

use super::{
    Malformed,
    step::{self, Place, STEP_BYTES_MAX},
    u32_at, u64_at,
    varint::Fields,
};
use crate::Version;

/// Bytes of an entry of an index.
pub const INDEX_BYTES: usize = 12;

/// Which way a list runs, and so how large its groups are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Older versions of a key.
    NewestFirst,
    /// Changes of a scope.
    OldestFirst,
}

impl Order {
    /// Versions of a full group.
    #[must_use]
    pub const fn group(self) -> u64 {
        match self {
            Order::NewestFirst => 16,
            Order::OldestFirst => 128,
        }
    }

    /// How many groups a list of so many versions has.
    #[must_use]
    pub const fn groups(self, count: u64) -> u64 {
        count.div_ceil(self.group())
    }

    /// The most bytes that a group takes.
    #[must_use]
    pub const fn group_bytes_max(self) -> usize {
        self.group() as usize * STEP_BYTES_MAX
    }

    /// Whether `next` may follow `version`.
    #[must_use]
    pub fn follows(self, version: Version, next: Version) -> bool {
        match self {
            Order::NewestFirst => next.address() < version.address(),
            // Two claims of one commit have one address; they differ in kind, or count once.
            Order::OldestFirst => next > version,
        }
    }
}

/// A list being written, version by version.
#[derive(Clone, Debug)]
pub struct ListEncoder {
    order: Order,
    count: u64,
    from: Place,
    begins_at: u32,
    index: Vec<u8>,
}

impl ListEncoder {
    /// No list yet.
    #[must_use]
    pub fn new(order: Order) -> ListEncoder {
        ListEncoder { order, count: 0, from: Place { seq: 0, record: 0 }, begins_at: 0, index: Vec::new() }
    }

    /// Begins a list at this place of its section. Its first step is counted from `from`.
    pub fn begin(&mut self, at: u32, from: Place) {
        self.index.clear();
        (self.count, self.from, self.begins_at) = (0, from, at);
    }

    /// Appends the next version to `out`, whose end is `at` in the section.
    pub fn push(&mut self, out: &mut Vec<u8>, at: u32, version: Version) {
        if self.count.is_multiple_of(self.order.group()) {
            self.index.extend_from_slice(&version.seq.to_le_bytes());
            self.index.extend_from_slice(&at.to_le_bytes());
            if self.count > 0 {
                self.from = Place { seq: version.seq, record: 0 };
            }
        }
        step::put(out, self.from, version);
        self.from = Place::of(version);
        self.count += 1;
    }

    /// Versions so far.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Ends the list: by what it is known. `at` is the end of `out` in the section.
    pub fn finish(&mut self, out: &mut Vec<u8>, at: u32) -> u32 {
        if self.index.len() <= INDEX_BYTES {
            return self.begins_at;
        }
        out.extend_from_slice(&self.index);
        at
    }
}

/// The versions of one group.
#[derive(Clone, Debug)]
pub struct Group<'a> {
    fields: Fields<'a>,
    from: Place,
    left: u64,
}

impl<'a> Group<'a> {
    /// The first `count` versions in `bytes`, the first of them a step from `from`.
    #[must_use]
    pub fn new(bytes: &'a [u8], from: Place, count: u64) -> Group<'a> {
        Group { fields: Fields::new(bytes), from, left: count }
    }

    /// The next version; `None` behind the last.
    #[inline]
    pub fn read_version(&mut self) -> Result<Option<Version>, Malformed> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        let version = step::read(&mut self.fields, self.from)?;
        self.from = Place::of(version);
        Ok(Some(version))
    }
}

/// `Seq` of the first version of a group, and where it begins.
#[inline]
#[must_use]
pub fn index_entry(index: &[u8], group: usize) -> (u64, u32) {
    (u64_at(index, group * INDEX_BYTES), u32_at(index, group * INDEX_BYTES + 8))
}
