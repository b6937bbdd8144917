//! [`Slots`]: a hash table of numbers that one thread inserts into and any number look up in, without a lock.
//!
//! Invariant: a number that was inserted before a reader began is found by it. When the table is full the inserting
//! thread fills one of twice the size and shows it; a reader that still walks the old one finds all that was there when
//! it began. Old tables stay until the whole goes: together they are as large as the newest.
//!
//! Open addressing with linear probing: a look-up touches one cache line, mostly. A slot holds half of the hash, by
//! which all other numbers but about one in 2^(32 - bits of the table) are passed over unseen, and by which a table is
//! filled from the one before it without a look at what the numbers stand for.

use std::sync::{
    OnceLock,
    atomic::{AtomicU32, AtomicU64, Ordering},
};

/// Slots of the first table, as a power of two.
const FIRST_BITS: u32 = 10;
const TABLES: usize = (u32::BITS - FIRST_BITS) as usize;

/// Numbers by hash.
#[derive(Debug)]
pub(super) struct Slots {
    /// The table at level `n` has `2^(FIRST_BITS + n)` slots; 0 is a free slot.
    tables: [OnceLock<Box<[AtomicU64]>>; TABLES],
    /// The level of the newest table. Changed by the inserting thread only, after that table was filled.
    level: AtomicU32,
    /// How many numbers there are. Changed by the inserting thread only.
    count: AtomicU32,
}

impl Slots {
    pub(super) fn new() -> Slots {
        let slots =
            Slots { tables: [const { OnceLock::new() }; TABLES], level: AtomicU32::new(0), count: AtomicU32::new(0) };
        slots.table(0);
        slots
    }

    /// The number inserted with this hash for which `is` says yes.
    #[inline]
    pub(super) fn find(&self, hash: u64, mut is: impl FnMut(u32) -> bool) -> Option<u32> {
        let level = self.level.load(Ordering::Acquire);
        let table = self.tables[level as usize].get()?;
        let tag = hash >> 32;
        let mut index = first_index(tag, level);
        loop {
            // Pairs with the store in `fill`: what the number stands for is seen as it was before it was inserted.
            let slot = table[index].load(Ordering::Acquire);
            if slot == 0 {
                return None;
            }
            if slot >> 32 == tag && is(slot as u32) {
                return Some(slot as u32);
            }
            index = (index + 1) & (table.len() - 1);
        }
    }

    /// The number in the first slot for a hash, if it has the same hash, else 0: a look that waits for nothing else.
    #[inline]
    pub(super) fn touch(&self, hash: u64) -> u32 {
        let level = self.level.load(Ordering::Acquire);
        let Some(table) = self.tables[level as usize].get() else { return 0 };
        let slot = table[first_index(hash >> 32, level)].load(Ordering::Acquire);
        if slot >> 32 == hash >> 32 { slot as u32 } else { 0 }
    }

    /// Inserts a number, not 0, that is not there. Only the inserting thread calls it.
    pub(super) fn insert(&self, hash: u64, number: u32) {
        debug_assert_ne!(number, 0, "0 is a free slot");
        let count = self.count.load(Ordering::Relaxed) + 1;
        let mut level = self.level.load(Ordering::Relaxed);
        // At most three quarters full.
        if u64::from(count) * 4 > (1 << (FIRST_BITS + level)) * 3 {
            let (old, new) = (self.table(level), self.table(level + 1));
            for slot in old {
                let slot = slot.load(Ordering::Relaxed);
                if slot != 0 {
                    fill(new, level + 1, slot);
                }
            }
            level += 1;
            self.level.store(level, Ordering::Release);
        }
        fill(self.table(level), level, hash >> 32 << 32 | u64::from(number));
        self.count.store(count, Ordering::Relaxed);
    }

    /// How many numbers there are.
    pub(super) fn count(&self) -> u64 {
        u64::from(self.count.load(Ordering::Relaxed))
    }

    /// Bytes of all tables.
    pub(super) fn bytes(&self) -> u64 {
        ((2u64 << (FIRST_BITS + self.level.load(Ordering::Relaxed))) - (1 << FIRST_BITS)) * size_of::<u64>() as u64
    }

    fn table(&self, level: u32) -> &[AtomicU64] {
        let table = self.tables.get(level as usize).expect("memory ends before 2^31 keys");
        table.get_or_init(|| milepost_io::zeroed_words(1 << (FIRST_BITS + level)))
    }
}

fn fill(table: &[AtomicU64], level: u32, slot: u64) {
    let mut index = first_index(slot >> 32, level);
    while table[index].load(Ordering::Relaxed) != 0 {
        index = (index + 1) & (table.len() - 1);
    }
    table[index].store(slot, Ordering::Release);
}

/// By the tag's highest bits, so that a table is filled from the one before it in order.
#[inline]
fn first_index(tag: u64, level: u32) -> usize {
    (tag >> (u32::BITS - FIRST_BITS - level)) as usize
}

#[cfg(test)]
mod tests;
