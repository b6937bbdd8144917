//! The keys of a scope in order, and the versions of each from the newest on, for making a run of a memtable that does
//! not change any more.
//!
//! Invariant: nothing is copied but the bytes that decide an order: keys and versions are read where they stand.
//!
//! Most jobs name their items nearly in order, so keys are taken in the order in which they came, and what is nearly
//! sorted stays cheap ([`milepost_index::sort_nearly`]).

use std::{
    cmp::Ordering as Order,
    hint::black_box,
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
};

use super::{
    Version,
    arena::Place,
    keys::{HEADER_WORDS, KeyEntry, KeyIndex, Keys, Packed, halves},
};

/// A key with what it has behind the beginning that all of its scope share.
#[derive(Clone, Copy)]
struct Headed {
    /// The next 16 bytes as a number, zeros behind the end.
    head: [u64; 2],
    index: KeyIndex,
}

impl Headed {
    fn number(&self) -> u128 {
        u128::from(self.head[0]) << 64 | u128::from(self.head[1])
    }
}

/// Versions of a key that are still to be given.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Descent {
    newest: u64,
    is_begun: bool,
    list: Place,
    left: u32,
}

impl Keys {
    /// All keys of a scope in order. `newest` names the one that came last.
    pub(super) fn in_order(&self, newest: &AtomicU32) -> Vec<KeyIndex> {
        let Some(last) = self.newest(newest) else { return Vec::new() };
        let mut keys = Vec::new();
        let mut shared = last.bytes();
        for entry in std::iter::successors(Some(last), KeyEntry::before) {
            shared = entry.shared(&last, shared);
            keys.push(Headed { head: [0; 2], index: entry.index() });
        }
        keys.reverse();
        for key in &mut keys {
            key.head = self.entry(key.index).head(shared);
        }
        milepost_index::sort_nearly(&mut keys, Headed::number);
        // Those of one number, which are few, or longer than it.
        for same in keys.chunk_by_mut(|a, b| a.head == b.head).filter(|same| same.len() > 1) {
            same.sort_unstable_by(|a, b| self.entry(a.index).order(&self.entry(b.index)));
        }
        keys.into_iter().map(|key| key.index).collect()
    }

    /// Touches the lines of keys that are read next, so that the processor fetches them all at once.
    pub(super) fn touch_keys(&self, keys: &[KeyIndex]) {
        let words = keys.iter().map(|key| self.entry(*key).words()[HEADER_WORDS].load(Ordering::Relaxed));
        black_box(words.fold(0, |all, word| all ^ word));
    }

    /// The next older version; the newest first. One that stands twice comes once.
    pub(super) fn descend(&self, descent: &mut Descent) -> Option<Version> {
        if !std::mem::replace(&mut descent.is_begun, true) {
            return (descent.newest != 0).then(|| Packed(descent.newest).version(self.base()));
        }
        while descent.left > 0 {
            descent.left -= 1;
            let version = Packed(self.list_word(descent.list, descent.left).load(Ordering::Relaxed));
            // A cut leaves the newest in the list.
            if version.0 < descent.newest {
                return Some(version.version(self.base()));
            }
        }
        None
    }
}

impl KeyEntry<'_> {
    /// Its versions, from the newest on; `None` if a failed commit left nothing but its name.
    pub(super) fn descent(&self) -> Option<Descent> {
        let newest = self.words()[1].load(Ordering::Acquire);
        let (list, left) = halves(self.words()[2].load(Ordering::Acquire));
        (newest != 0).then_some(Descent { newest, is_begun: false, list, left })
    }

    /// Bytes of the key.
    fn bytes(&self) -> usize {
        halves(self.words()[0].load(Ordering::Relaxed)).1 as usize
    }

    /// The words of the key, with zeros behind its end.
    fn key_words(&self) -> &[AtomicU64] {
        &self.words()[HEADER_WORDS..][..self.bytes().div_ceil(8)]
    }

    /// Puts the key in the place of another text.
    #[inline]
    pub(super) fn read_key(&self, key: &mut String) {
        let mut bytes = std::mem::take(key).into_bytes();
        bytes.clear();
        for word in self.key_words() {
            bytes.extend_from_slice(&word.load(Ordering::Relaxed).to_le_bytes());
        }
        bytes.truncate(self.bytes());
        *key = String::from_utf8(bytes).expect("put in as text");
    }

    /// How many of the first `most` bytes it shares with another key.
    fn shared(&self, other: &KeyEntry<'_>, most: usize) -> usize {
        let words = self.key_words().iter().zip(other.key_words());
        let mut shared = 0;
        for (own, other) in words {
            let differs = own.load(Ordering::Relaxed) ^ other.load(Ordering::Relaxed);
            if differs != 0 || shared >= most {
                shared += differs.trailing_zeros() as usize / 8;
                break;
            }
            shared += 8;
        }
        shared.min(most).min(self.bytes())
    }

    /// The 16 bytes behind the first `shared`, as a number.
    fn head(&self, shared: usize) -> [u64; 2] {
        let words = self.key_words();
        let word = |at: usize| words.get(at).map_or(0, |word| word.load(Ordering::Relaxed));
        let (at, bits) = (shared / 8, shared % 8 * 8);
        let read = |at: usize| {
            let high = if bits == 0 { 0 } else { word(at + 1) << (64 - bits) };
            (word(at) >> bits | high).swap_bytes()
        };
        [read(at), read(at + 1)]
    }

    /// Which of two keys is the lesser one.
    fn order(&self, other: &KeyEntry<'_>) -> Order {
        let number = |word: &AtomicU64| word.load(Ordering::Relaxed).swap_bytes();
        let words = self.key_words().iter().map(number);
        words.cmp(other.key_words().iter().map(number)).then(self.bytes().cmp(&other.bytes()))
    }
}

#[cfg(test)]
mod tests;
