//! [`Keys`]: every key with the versions of each, found by hash, without a lock.
//!
//! ```text
//! a key in the arena, in words of 64 bits
//!   0  scope (high 32 bits), bytes of the key (low)
//!   1  the newest version, 0 for none
//!   2  the older ones: place of their list (high 32 bits), how many (low)
//!   3  the key of the same scope that came before it, 0 for none
//!   4… the key, eight bytes a word
//! a list   versions, oldest first, with room up to the next power of two
//! a version: Seq less the base (high 32 bits), record (28 bits), kind (4)
//! ```
//!
//! Its slot repeats words 1 and 2: a look-up by name has them with the slot, and need not wait for the key's line,
//! which is fetched and compared meanwhile. A read of the past touches the list as well.
//!
//! Invariant: one thread changes it. The older versions are written before the newest that covers them, so a reader who
//! loads the newest first, and then the older, misses none that it may see. The list may end with the newest itself.

use std::{
    hint::black_box,
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
};

use milepost_types::limits;

use super::{
    arena::{Arena, Place},
    scopes::ScopeIndex,
    slots::Slots,
};

/// What a version says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// A value.
    Set,
    /// A value with an expiry, to be read from its record.
    Expiring,
    /// No value any more.
    Delete,
    /// An idempotency key or a fence, said by the commit itself; a checkpoint's name or a fork.
    Claim,
}

/// What a version says, as a run has it.
pub(crate) fn kind_in_run(kind: Kind) -> u8 {
    match kind {
        Kind::Set => 0,
        Kind::Expiring => 1,
        Kind::Delete => 2,
        Kind::Claim => 3,
    }
}

/// The address of a version: the commit, and where in its body the event's record begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    pub(crate) seq: u64,
    pub(crate) record: u32,
    pub(crate) kind: Kind,
}

impl Version {
    /// Whether it is an idempotency key or a fence: these stand before the events of a commit.
    pub(crate) fn is_claim_of_commit(self) -> bool {
        self.kind == Kind::Claim && self.record == 0
    }

    /// Whether its value may expire.
    pub(crate) fn expires(self) -> bool {
        self.kind == Kind::Expiring
    }
}

const RECORD_BITS: u32 = 28;
const KIND_BITS: u32 = 4;
const _: () = assert!(RECORD_BITS + KIND_BITS == 32 && limits::COMMIT_BYTES_MAX < 1 << RECORD_BITS);

/// A version in one word; its `Seq` counts from the base.
#[derive(Clone, Copy)]
pub(super) struct Packed(pub(super) u64);

impl Packed {
    fn of(version: Version, base: u64) -> Packed {
        let seq = version.seq.checked_sub(base).filter(|seq| (1..=u64::from(u32::MAX)).contains(seq));
        let seq = seq.expect("memory ends before 2^32 commits");
        Packed(seq << 32 | u64::from(version.record) << KIND_BITS | version.kind as u64)
    }

    pub(super) fn version(self, base: u64) -> Version {
        let kind = match self.0 & ((1 << KIND_BITS) - 1) {
            0 => Kind::Set,
            1 => Kind::Expiring,
            2 => Kind::Delete,
            _ => Kind::Claim,
        };
        Version { seq: self.seq() + base, record: (self.0 as u32) >> KIND_BITS, kind }
    }

    fn seq(self) -> u64 {
        self.0 >> 32
    }
}

pub(super) const HEADER_WORDS: usize = 4;
/// A slot: tag and place, the newest version, the older ones, and a word that is free, for two slots in a line.
const SLOT_WORDS: usize = 4;
/// Versions that are looked at without a choice between them.
const STRETCH: usize = 32;
/// Room of a key's first list of older versions.
const LIST_FIRST: u32 = 4;

/// A key and its versions.
#[derive(Clone, Copy)]
pub(crate) struct KeyEntry<'a> {
    keys: &'a Keys,
    /// Its words, and others behind them.
    words: &'a [AtomicU64],
    /// The newest version and the older ones: in its words or in its slot.
    versions: &'a [AtomicU64; 2],
    at: Place,
}

/// Which entry: stays that of its key for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeyIndex(Place);

/// Every key.
#[derive(Debug)]
pub(crate) struct Keys {
    arena: Arena,
    slots: Slots<SLOT_WORDS>,
    /// The `Seq` before the first that was inserted; `u64::MAX` while there is none.
    base: AtomicU64,
    /// How many versions were inserted. Changed by the inserting thread only.
    versions: AtomicU64,
}

impl Keys {
    pub(super) fn new() -> Keys {
        Keys { arena: Arena::new(), slots: Slots::new(), base: AtomicU64::new(u64::MAX), versions: AtomicU64::new(0) }
    }

    /// An empty one, to hold about as many.
    pub(super) fn sized_like(other: &Keys) -> Keys {
        Keys { slots: Slots::sized_like(&other.slots), ..Keys::new() }
    }

    /// The key's entry.
    #[inline]
    pub(super) fn find(&self, hash: u64, scope: ScopeIndex, key: &str) -> Option<KeyEntry<'_>> {
        let slot = self.slots.find(hash, |at, _| self.is(at, scope, key))?;
        Some(self.at_slot(slot))
    }

    /// The newest version of the key at or below `seq`. `glance` may be called with the version of another key as well,
    /// before keys are compared: it looks at what the version leads to, so that the processor fetches that and the key
    /// at once.
    #[inline]
    pub(super) fn find_as_of(
        &self,
        hash: u64,
        scope: ScopeIndex,
        key: &str,
        seq: u64,
        glance: impl Fn(Version),
    ) -> Option<Version> {
        let mut found = None;
        self.slots.find(hash, |at, slot| {
            black_box(self.touch_line(at));
            found = self.at_slot(slot).as_of(seq);
            found.into_iter().for_each(&glance);
            self.is(at, scope, key)
        })?;
        found
    }

    /// The key that a scope's word names as its newest.
    pub(super) fn newest(&self, newest: &AtomicU32) -> Option<KeyEntry<'_>> {
        let at = newest.load(Ordering::Acquire);
        (at != 0).then(|| self.at(at))
    }

    #[inline]
    pub(super) fn entry(&self, index: KeyIndex) -> KeyEntry<'_> {
        self.at(index.0)
    }

    /// Says that a commit is being inserted, before its versions are. The first says what all versions count from, with
    /// a version of its own or without: if it fails, another commit gets its `Seq`.
    #[inline]
    pub(super) fn begin(&self, seq: u64) {
        if self.base.load(Ordering::Relaxed) == u64::MAX {
            self.base.store(seq - 1, Ordering::Relaxed);
        }
    }

    /// How many commits lie between the first that was inserted and this one.
    pub(super) fn span(&self, seq: u64) -> u64 {
        match self.base.load(Ordering::Relaxed) {
            u64::MAX => 0,
            base => seq.saturating_sub(base),
        }
    }

    /// Adds a version. `newest` holds the scope's newest key, and gets this one if it is new. Only the
    /// inserting thread calls it.
    pub(super) fn put(&self, hash: u64, scope: ScopeIndex, key: &str, version: Version, newest: &AtomicU32) {
        let packed = Packed::of(version, self.base());
        self.versions.store(self.versions.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        if let Some(entry) = self.find(hash, scope, key) {
            self.push(entry, packed);
            return;
        }
        let count = HEADER_WORDS + key.len().div_ceil(8);
        let at = self.arena.add(count as u32);
        let words = self.arena.words(at, count);
        // All of these are shown by the slot's store, or by that of the scope's newest key.
        words[0].store(identity(scope, key), Ordering::Relaxed);
        words[1].store(packed.0, Ordering::Relaxed);
        words[3].store(u64::from(newest.load(Ordering::Relaxed)), Ordering::Relaxed);
        for (word, bytes) in words[HEADER_WORDS..].iter().zip(key.as_bytes().chunks(8)) {
            word.store(word_of(bytes), Ordering::Relaxed);
        }
        self.slots.insert(hash, at, &[packed.0, 0]);
        newest.store(at, Ordering::Release);
    }

    /// Touches the slot of a key to come, so that it is in the cache; the key that stands there, if any.
    #[inline]
    pub(super) fn touch_slot(&self, hash: u64) -> Place {
        self.slots.touch(hash)
    }

    /// Touches the first line of a key that stands there, 0 for none.
    #[inline]
    pub(super) fn touch_line(&self, at: Place) -> u64 {
        if at == 0 { 0 } else { self.arena.words_from(at)[0].load(Ordering::Relaxed) }
    }

    /// Makes a version the newest of its key.
    fn push(&self, entry: KeyEntry<'_>, version: Packed) {
        let newest = Packed(entry.words[1].load(Ordering::Relaxed));
        if newest.0 != 0 {
            let (mut list, count) = halves(entry.words[2].load(Ordering::Relaxed));
            // A cut left the newest in the list.
            if entry.older().last().map(|last| last.load(Ordering::Relaxed)) != Some(newest.0) {
                if count == 0 || (count >= LIST_FIRST && count.is_power_of_two()) {
                    list = self.grown(list, count);
                }
                self.arena.words_from(list)[count as usize].store(newest.0, Ordering::Relaxed);
                entry.store(1, u64::from(list) << 32 | u64::from(count + 1));
            }
        }
        entry.store(0, version.0);
    }

    /// A list with more room.
    fn grown(&self, list: Place, count: u32) -> Place {
        let room = if count == 0 { LIST_FIRST } else { 2 * count };
        let new = self.arena.add(room);
        if count > 0 {
            let old = self.arena.words(list, count as usize);
            for (to, from) in self.arena.words(new, count as usize).iter().zip(old) {
                to.store(from.load(Ordering::Relaxed), Ordering::Relaxed);
            }
        }
        new
    }

    /// Takes the versions of a key above `last` out. Readers, who may not see those, are not disturbed: the list goes
    /// on
    /// holding what they look for, and what a later version puts in its place is as far above what they may see.
    pub(super) fn cut(&self, hash: u64, scope: ScopeIndex, key: &str, last: u64) {
        let Some(entry) = self.find(hash, scope, key) else { return };
        let last = last.saturating_sub(self.base());
        if Packed(entry.words[1].load(Ordering::Relaxed)).seq() <= last {
            return;
        }
        let (list, count) = halves(entry.words[2].load(Ordering::Relaxed));
        let older = if count == 0 { &[] } else { self.arena.words(list, count as usize) };
        let keep = older.partition_point(|word| Packed(word.load(Ordering::Relaxed)).seq() <= last);
        let newest = keep.checked_sub(1).map_or(0, |index| older[index].load(Ordering::Relaxed));
        entry.store(0, newest);
        entry.store(1, u64::from(list) << 32 | keep as u64);
    }

    /// A word of a list of older versions.
    #[inline]
    pub(super) fn list_word(&self, list: Place, index: u32) -> &AtomicU64 {
        &self.arena.words_from(list)[index as usize]
    }

    /// Keys, versions, and about how many bytes they take.
    pub(super) fn sizes(&self) -> (u64, u64, u64) {
        let bytes = self.arena.bytes() + self.slots.bytes();
        (self.slots.count(), self.versions.load(Ordering::Relaxed), bytes)
    }

    #[inline]
    pub(super) fn base(&self) -> u64 {
        self.base.load(Ordering::Relaxed)
    }

    #[inline]
    fn is(&self, at: Place, scope: ScopeIndex, key: &str) -> bool {
        let words = self.arena.words_from(at);
        // Equal identities have equally many words of key.
        words[0].load(Ordering::Relaxed) == identity(scope, key)
            && words[HEADER_WORDS..]
                .iter()
                .zip(key.as_bytes().chunks(8))
                .all(|(word, bytes)| word.load(Ordering::Relaxed) == word_of(bytes))
    }

    #[inline]
    fn at_slot<'a>(&'a self, slot: &'a [AtomicU64; SLOT_WORDS]) -> KeyEntry<'a> {
        let versions = slot[1..].first_chunk().expect("a slot has the words of both");
        KeyEntry { versions, ..self.at(slot[0].load(Ordering::Relaxed) as Place) }
    }

    #[inline]
    fn at(&self, at: Place) -> KeyEntry<'_> {
        let words = self.arena.words_from(at);
        KeyEntry { keys: self, words, versions: words[1..].first_chunk().expect("a key has the words of both"), at }
    }
}

impl<'a> KeyEntry<'a> {
    #[inline]
    pub(crate) fn index(&self) -> KeyIndex {
        KeyIndex(self.at)
    }

    /// Its words, and others behind them.
    #[inline]
    pub(super) fn words(&self) -> &'a [AtomicU64] {
        self.words
    }

    /// The key.
    pub(crate) fn key(&self) -> Box<str> {
        let (_, length) = halves(self.words[0].load(Ordering::Relaxed));
        let words = self.words[HEADER_WORDS..].iter().map(|word| word.load(Ordering::Relaxed).to_le_bytes());
        let key: Vec<u8> = words.flatten().take(length as usize).collect();
        String::from_utf8(key).expect("put in as text").into()
    }

    /// The key of the same scope that came before it.
    pub(super) fn before(&self) -> Option<KeyEntry<'a>> {
        let at = self.words[3].load(Ordering::Relaxed) as Place;
        (at != 0).then(|| self.keys.at(at))
    }

    /// The newest version at or below `seq`.
    #[inline]
    pub(crate) fn as_of(&self, seq: u64) -> Option<Version> {
        let base = self.keys.base();
        let seq = seq.saturating_sub(base);
        // Before the older ones: see the module's invariant.
        let newest = Packed(self.versions[0].load(Ordering::Acquire));
        if newest.seq() <= seq {
            return (newest.0 != 0).then(|| newest.version(base));
        }
        let older = self.older();
        let found = older.get(count_through(older, seq).checked_sub(1)?)?;
        Some(Packed(found.load(Ordering::Relaxed)).version(base))
    }

    /// Every version, oldest first.
    pub(crate) fn versions(&self) -> Vec<Version> {
        let newest = Packed(self.versions[0].load(Ordering::Acquire));
        let base = self.keys.base();
        let older = self.older().iter().map(|word| Packed(word.load(Ordering::Relaxed)));
        // What came since, or stands twice, is not below the newest.
        let older = older.take_while(|version| version.0 < newest.0);
        let mut versions: Vec<Version> = older.map(|version| version.version(base)).collect();
        if newest.0 != 0 {
            versions.push(newest.version(base));
        }
        versions
    }

    /// Stores the newest version (0) or the older ones (1), in the key's words and in its slot. Only the inserting
    /// thread calls it, with an entry found by name.
    fn store(&self, which: usize, word: u64) {
        self.words[1 + which].store(word, Ordering::Release);
        self.versions[which].store(word, Ordering::Release);
    }

    #[inline]
    fn older(&self) -> &'a [AtomicU64] {
        let (list, count) = halves(self.versions[1].load(Ordering::Acquire));
        if count == 0 { &[] } else { self.keys.arena.words(list, count as usize) }
    }
}

/// How many versions of a list are at or below `seq`.
///
/// Whole stretches are counted, and from long lists samples: their words do not wait for each other, as those of a
/// search by halves do.
#[inline]
fn count_through(list: &[AtomicU64], seq: u64) -> usize {
    let through = |word: &AtomicU64| usize::from(Packed(word.load(Ordering::Relaxed)).seq() <= seq);
    let (mut begin, mut rest) = (0, list);
    while rest.len() > STRETCH {
        let stride = rest.len().div_ceil(STRETCH);
        let Some(last) = rest.iter().step_by(stride).map(through).sum::<usize>().checked_sub(1) else { return begin };
        begin += last * stride;
        rest = &rest[last * stride..rest.len().min((last + 1) * stride)];
    }
    begin + rest.iter().map(through).sum::<usize>()
}

#[inline]
fn identity(scope: ScopeIndex, key: &str) -> u64 {
    u64::from(scope.0) << 32 | key.len() as u64
}

#[inline]
fn word_of(bytes: &[u8]) -> u64 {
    match bytes.try_into() {
        Ok(whole) => u64::from_le_bytes(whole),
        Err(_) => {
            let mut word = [0; 8];
            word[..bytes.len()].copy_from_slice(bytes);
            u64::from_le_bytes(word)
        }
    }
}

pub(super) fn halves(word: u64) -> (u32, u32) {
    ((word >> 32) as u32, word as u32)
}

#[cfg(test)]
mod tests;
