//! [`Slots`]: a hash table of numbers that one thread inserts into and any number look up in, without a lock.
//!
//! Invariant: a number that was inserted before a reader began is found by it, and so is what was stored beside it.
//! When the table is full the inserting thread fills one of twice the size and shows it; a reader that still walks the
//! old one finds all that was there when it began. Old tables stay until the whole goes: together they are as large as
//! the newest.
//!
//! Open addressing with linear probing: a look-up touches one cache line, mostly. A slot holds half of the hash, by
//! which all other numbers but about one in 2^(32 - bits of the table) are passed over unseen, and by which a table is
//! filled from the one before it without a look at what the numbers stand for.
//!
//! Every schedule of a few insertions beside a reader is tried by `models`.

use super::shared::{AtomicU32, AtomicU64, FIRST_BITS, OnceLock, Ordering, touched_words};

const TABLES: usize = (u32::BITS - FIRST_BITS) as usize;

/// Words of a cache line.
const LINE_WORDS: usize = 8;

/// Numbers by hash, each with as many words beside it as make it `WORDS`.
#[derive(Debug)]
pub(super) struct Slots<const WORDS: usize> {
    /// The table at level `n` has `2^(FIRST_BITS + n)` slots; one that begins with 0 is free.
    tables: [OnceLock<Table>; TABLES],
    /// The level of the newest table. Changed by the inserting thread only, after that table was filled.
    level: AtomicU32,
    /// How many numbers there are. Changed by the inserting thread only.
    count: AtomicU32,
}

/// The slots of a level, one behind the other.
#[derive(Debug)]
struct Table {
    words: Box<[AtomicU64]>,
    /// Words before the first slot, so that slots lie within lines.
    skip: usize,
}

impl<const WORDS: usize> Slots<WORDS> {
    pub(super) fn new() -> Slots<WORDS> {
        Slots::of_level(0)
    }

    /// Slots that take as many numbers as others have without growing.
    pub(super) fn sized_like(other: &Slots<WORDS>) -> Slots<WORDS> {
        let level = (0..TABLES as u32 - 1).find(|level| !is_full(other.count.load(Ordering::Relaxed), *level));
        Slots::of_level(level.unwrap_or(TABLES as u32 - 1))
    }

    fn of_level(level: u32) -> Slots<WORDS> {
        const { assert!(WORDS > 0 && LINE_WORDS.is_multiple_of(WORDS)) };
        let slots = Slots {
            tables: [const { OnceLock::new() }; TABLES],
            level: AtomicU32::new(level),
            count: AtomicU32::new(0),
        };
        slots.table(level);
        slots
    }

    /// The slot of the number inserted with this hash for which `is` says yes: the number in the low half of its first
    /// word, then the words beside it. All but about one in `2^32` of those asked about are the right one.
    #[inline]
    pub(super) fn find(
        &self,
        hash: u64,
        mut is: impl FnMut(u32, &[AtomicU64; WORDS]) -> bool,
    ) -> Option<&[AtomicU64; WORDS]> {
        let level = self.level.load(Ordering::Acquire);
        let table = self.tables[level as usize].get()?;
        let tag = hash >> 32;
        let mut index = first_index(tag, level);
        loop {
            let slot = table.slot(index);
            // Pairs with the store in `fill`: what the number stands for is seen as it was before it was inserted.
            let first = slot[0].load(Ordering::Acquire);
            if first == 0 {
                return None;
            }
            if first >> 32 == tag && is(first as u32, slot) {
                return Some(slot);
            }
            index = (index + 1) & mask(level);
        }
    }

    /// The number in the first slot for a hash, if it has the same hash, else 0: a look that waits for nothing else.
    #[inline]
    pub(super) fn touch(&self, hash: u64) -> u32 {
        let level = self.level.load(Ordering::Acquire);
        let Some(table) = self.tables[level as usize].get() else { return 0 };
        let slot: &[AtomicU64; WORDS] = table.slot(first_index(hash >> 32, level));
        let first = slot[0].load(Ordering::Acquire);
        if first >> 32 == hash >> 32 { first as u32 } else { 0 }
    }

    /// Inserts a number, not 0, that is not there, with what stands beside it. Only the inserting thread calls it.
    pub(super) fn insert(&self, hash: u64, number: u32, beside: &[u64]) {
        debug_assert_ne!(number, 0, "0 is a free slot");
        let count = self.count.load(Ordering::Relaxed) + 1;
        let mut level = self.level.load(Ordering::Relaxed);
        if is_full(count, level) {
            let (old, new) = (self.table(level), self.table(level + 1));
            for index in 0..=mask(level) {
                let slot: &[AtomicU64; WORDS] = old.slot(index);
                let words = slot.each_ref().map(|word| word.load(Ordering::Relaxed));
                if words[0] != 0 {
                    fill::<WORDS>(new, level + 1, words[0], &words[1..]);
                }
            }
            level += 1;
            self.level.store(level, Ordering::Release);
        }
        fill::<WORDS>(self.table(level), level, hash >> 32 << 32 | u64::from(number), beside);
        self.count.store(count, Ordering::Relaxed);
    }

    /// How many numbers there are.
    pub(super) fn count(&self) -> u64 {
        u64::from(self.count.load(Ordering::Relaxed))
    }

    /// Bytes of all tables.
    pub(super) fn bytes(&self) -> u64 {
        let tables = self.tables.iter().zip(FIRST_BITS..).filter(|(table, _)| table.get().is_some());
        tables.map(|(_, bits)| 1u64 << bits).sum::<u64>() * (WORDS * size_of::<u64>()) as u64
    }

    fn table(&self, level: u32) -> &Table {
        let table = self.tables.get(level as usize).expect("memory ends before 2^31 keys");
        table.get_or_init(|| {
            let words = touched_words((WORDS << (FIRST_BITS + level)) + LINE_WORDS - 1);
            let skip = (LINE_WORDS - words.as_ptr().addr() / size_of::<u64>() % LINE_WORDS) % LINE_WORDS;
            Table { words, skip }
        })
    }
}

impl Table {
    #[inline]
    fn slot<const WORDS: usize>(&self, index: usize) -> &[AtomicU64; WORDS] {
        self.words[self.skip + index * WORDS..].first_chunk().expect("an index below the number of slots")
    }
}

fn fill<const WORDS: usize>(table: &Table, level: u32, first: u64, beside: &[u64]) {
    let mut index = first_index(first >> 32, level);
    while table.slot::<WORDS>(index)[0].load(Ordering::Relaxed) != 0 {
        index = (index + 1) & mask(level);
    }
    let slot = table.slot::<WORDS>(index);
    for (word, value) in slot[1..].iter().zip(beside) {
        word.store(*value, Ordering::Relaxed);
    }
    slot[0].store(first, Ordering::Release);
}

/// Whether so many numbers are too many for a table: it is at most three quarters full.
fn is_full(count: u32, level: u32) -> bool {
    u64::from(count) * 4 > (1 << (FIRST_BITS + level)) * 3
}

#[inline]
fn mask(level: u32) -> usize {
    (1 << (FIRST_BITS + level)) - 1
}

/// By the tag's highest bits, so that a table is filled from the one before it in order.
#[inline]
fn first_index(tag: u64, level: u32) -> usize {
    (tag >> (u32::BITS - FIRST_BITS - level)) as usize
}

#[cfg(test)]
mod tests;
