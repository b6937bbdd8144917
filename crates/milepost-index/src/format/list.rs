//! A list of versions, in order: the older ones of a key, newest first; or all of a scope, oldest first.
//!
//! ```text
//! list    groups   each the steps of up to so many versions
//!                    16 in a list of older versions, 128 in a list of changes
//!                    the first step of the first group is counted from a version that the reader knows: the newest of
//!                    the key, or (first Seq of the run, 0); that of every other from (Seq as in the index, 0)
//!         stretch  in a list of changes, behind a version: others of its Seq and kind, whose records follow each other
//!                    its kind, as a step to the same address would be
//!                    1       how many; varint: the least distance of a record from the one before; 1: bits, at most 32
//!                    bits    how far each distance is above the least; bits up to a whole byte
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
    bits::{self, BitWriter},
    step::{self, Place, STEP_BYTES_MAX},
    u32_at, u64_at,
    varint::{self, Fields},
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
    /// Versions of the group that was begun, in a list of changes: they are written together.
    open: Vec<Version>,
    steps: Vec<u8>,
}

impl ListEncoder {
    /// No list yet.
    #[must_use]
    pub fn new(order: Order) -> ListEncoder {
        ListEncoder {
            order,
            count: 0,
            from: Place { seq: 0, record: 0 },
            begins_at: 0,
            index: Vec::new(),
            open: Vec::new(),
            steps: Vec::new(),
        }
    }

    /// Begins a list at this place of its section. Its first step is counted from `from`.
    pub fn begin(&mut self, at: u32, from: Place) {
        self.index.clear();
        (self.count, self.from, self.begins_at) = (0, from, at);
    }

    /// Appends the next version to `out`, whose end is `at` in the section. Some wait until their group is full.
    pub fn push(&mut self, out: &mut Vec<u8>, at: u32, version: Version) {
        if self.count.is_multiple_of(self.order.group()) {
            let at = at + self.put_open(out);
            self.index.extend_from_slice(&version.seq.to_le_bytes());
            self.index.extend_from_slice(&at.to_le_bytes());
            if self.count > 0 {
                self.from = Place { seq: version.seq, record: 0 };
            }
        }
        self.count += 1;
        match self.order {
            Order::OldestFirst => self.open.push(version),
            Order::NewestFirst => {
                step::put(out, self.from, version);
                self.from = Place::of(version);
            }
        }
    }

    /// Writes the group that was begun: how many bytes.
    fn put_open(&mut self, out: &mut Vec<u8>) -> u32 {
        let (begin, open) = (out.len(), std::mem::take(&mut self.open));
        let mut left = &open[..];
        while let Some(version) = left.first() {
            step::put(out, self.from, *version);
            self.from = Place::of(*version);
            let is_alike = |next: &&Version| (next.seq, next.kind) == (version.seq, version.kind);
            let stretch = left[1..].iter().take_while(is_alike).count();
            let (alike, rest) = left[1..].split_at(stretch);
            self.put_stretch(out, version.kind, alike);
            left = rest;
        }
        self.open = open;
        self.open.clear();
        (out.len() - begin) as u32
    }

    /// Writes versions of one `Seq` and kind, in whichever way takes less.
    fn put_stretch(&mut self, out: &mut Vec<u8>, kind: u8, alike: &[Version]) {
        let Some(last) = alike.last() else { return };
        let (from, begin) = (self.from, out.len());
        self.steps.clear();
        let (mut least, mut most) = (u32::MAX, 0);
        for version in alike {
            step::put(&mut self.steps, self.from, *version);
            let distance = version.record - self.from.record;
            (least, most) = (least.min(distance), most.max(distance));
            self.from = Place::of(*version);
        }
        let bits = bits::needed(u64::from(most - least));
        out.extend_from_slice(&[kind, alike.len() as u8]);
        varint::put(out, u64::from(least));
        out.push(bits as u8);
        if out.len() - begin + bits::bytes_of(alike.len(), bits as usize) >= self.steps.len() {
            out.truncate(begin);
            out.extend_from_slice(&self.steps);
            return;
        }
        let (mut distances, mut before) = (BitWriter::new(out), from.record);
        for version in alike {
            distances.put(u64::from(version.record - before - least), bits);
            before = version.record;
        }
        distances.finish();
        debug_assert_eq!(before, last.record);
    }

    /// Versions so far.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Ends the list: by what it is known. `at` is the end of `out` in the section.
    pub fn finish(&mut self, out: &mut Vec<u8>, at: u32) -> u32 {
        let at = at + self.put_open(out);
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
    /// The kind of the version before, if a stretch may follow it.
    kind: Option<u8>,
    stretch: Stretch<'a>,
}

/// What is left of a stretch.
#[derive(Clone, Debug, Default)]
struct Stretch<'a> {
    distances: &'a [u8],
    read: usize,
    count: usize,
    least: u32,
    bits: u32,
}

impl<'a> Group<'a> {
    /// The first `count` versions in `bytes`, the first of them a step from `from`.
    #[must_use]
    pub fn new(bytes: &'a [u8], from: Place, count: u64) -> Group<'a> {
        Group { fields: Fields::new(bytes), from, left: count, kind: None, stretch: Stretch::default() }
    }

    /// The next version; `None` behind the last.
    #[inline]
    pub fn read_version(&mut self) -> Result<Option<Version>, Malformed> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        if self.stretch.read < self.stretch.count {
            return self.read_in_stretch().map(Some);
        }
        if self.kind.is_some() && self.fields.peek() == self.kind {
            self.begin_stretch()?;
            return self.read_in_stretch().map(Some);
        }
        let version = step::read(&mut self.fields, self.from)?;
        self.from = Place::of(version);
        self.kind = Some(version.kind);
        Ok(Some(version))
    }

    fn begin_stretch(&mut self) -> Result<(), Malformed> {
        self.fields.byte()?;
        let count = usize::from(self.fields.byte()?);
        let (least, bits) = (self.fields.varint32()?, u32::from(self.fields.byte()?));
        if count == 0 || bits > u32::BITS {
            return Err(Malformed("a stretch of versions can't be"));
        }
        let distances = self.fields.take(bits::bytes_of(count, bits as usize))?;
        self.stretch = Stretch { distances, read: 0, count, least, bits };
        Ok(())
    }

    fn read_in_stretch(&mut self) -> Result<Version, Malformed> {
        let Stretch { distances, read, least, bits, .. } = self.stretch;
        self.stretch.read += 1;
        let distance = bits::get(distances, read * bits as usize, bits) + u64::from(least);
        let record = u32::try_from(u64::from(self.from.record) + distance);
        self.from.record = record.map_err(|_| Malformed("a record behind all records"))?;
        let kind = self.kind.expect("a stretch follows a version");
        Ok(Version { seq: self.from.seq, record: self.from.record, kind })
    }
}

/// The first of `count` older versions in `bytes`, newest first, that is at or before `seq`; the first of them all is a
/// step from `from`. The same as reading them one by one: there are no stretches in such a list.
#[inline]
pub fn find_older(bytes: &[u8], from: Place, count: u64, seq: u64) -> Result<Option<Version>, Malformed> {
    let (mut fields, mut from) = (Fields::new(bytes), from);
    for _ in 0..count {
        let version = step::read(&mut fields, from)?;
        if version.seq <= seq {
            return Ok(Some(version));
        }
        from = Place::of(version);
    }
    Ok(None)
}

/// `Seq` of the first version of a group, and where it begins.
#[inline]
#[must_use]
pub fn index_entry(index: &[u8], group: usize) -> (u64, u32) {
    (u64_at(index, group * INDEX_BYTES), u32_at(index, group * INDEX_BYTES + 8))
}
