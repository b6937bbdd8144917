//! [`Arena`]: words of memory that one thread adds to and any number read, without a lock.
//!
//! Invariant: words are never moved and never given back before the arena goes. What is handed out was zero, and is
//! shown to readers by a store with release order somewhere else (a slot, a count); they load that with acquire order
//! before they look at the words.
//!
//! Memory comes in chunks, each twice as large as the one before, and is touched only as it is used: a pause for a new
//! chunk is short, however large it is.

use std::sync::{
    OnceLock,
    atomic::{AtomicU32, AtomicU64, Ordering},
};

/// Words of the first chunk: 64 KiB.
const FIRST_WORDS: u32 = 1 << 13;
const CHUNKS: usize = (u32::BITS - FIRST_WORDS.ilog2()) as usize;
/// Words of a cache line.
const LINE_WORDS: u32 = 8;

/// Where something begins in an arena, in words. 0 is nowhere.
pub(super) type Place = u32;

/// Words, added by one thread.
#[derive(Debug)]
pub(super) struct Arena {
    chunks: [OnceLock<Box<[AtomicU64]>>; CHUNKS],
    /// The first free word. Changed by the adding thread only.
    next: AtomicU32,
}

impl Arena {
    pub(super) fn new() -> Arena {
        Arena { chunks: [const { OnceLock::new() }; CHUNKS], next: AtomicU32::new(1) }
    }

    /// Hands out `count` words side by side, within one cache line if they fit into one.
    pub(super) fn add(&self, count: u32) -> Place {
        let mut next = self.next.load(Ordering::Relaxed);
        loop {
            let (chunk, index) = chunk_of(next);
            let words = self.chunks[chunk].get_or_init(|| milepost_io::zeroed_words(chunk_words(chunk)));
            // The allocator does not begin chunks at the beginning of a line.
            let in_line = ((words.as_ptr().addr() / size_of::<u64>() + index) % LINE_WORDS as usize) as u32;
            let index = if in_line + count > LINE_WORDS && in_line > 0 && count <= LINE_WORDS {
                index + (LINE_WORDS - in_line) as usize
            } else {
                index
            };
            let begin = chunk_begin(chunk) + index as u64;
            if index + count as usize <= words.len() {
                let end = begin + u64::from(count);
                self.next.store(u32::try_from(end).expect("memory ends before 2^32 words"), Ordering::Relaxed);
                return begin as Place;
            }
            let after = chunk_begin(chunk) + words.len() as u64;
            next = u32::try_from(after).expect("memory ends before 2^32 words");
        }
    }

    /// The `count` words at a place that was handed out.
    #[inline]
    pub(super) fn words(&self, at: Place, count: usize) -> &[AtomicU64] {
        let (chunk, index) = chunk_of(at);
        let words = self.chunks[chunk].get().expect("a place is given out once its chunk is there");
        &words[index..index + count]
    }

    /// The words from a place that was handed out to the end of its chunk, for who sees from the first how many are
    /// its.
    #[inline]
    pub(super) fn words_from(&self, at: Place) -> &[AtomicU64] {
        let (chunk, index) = chunk_of(at);
        &self.chunks[chunk].get().expect("a place is given out once its chunk is there")[index..]
    }

    /// Bytes handed out.
    pub(super) fn bytes(&self) -> u64 {
        u64::from(self.next.load(Ordering::Relaxed)) * size_of::<u64>() as u64
    }
}

fn chunk_words(chunk: usize) -> usize {
    (FIRST_WORDS as usize) << chunk
}

fn chunk_begin(chunk: usize) -> u64 {
    (u64::from(FIRST_WORDS) << chunk) - u64::from(FIRST_WORDS)
}

/// The chunk that holds a word, and the word's index in it.
#[inline]
fn chunk_of(word: u32) -> (usize, usize) {
    let shifted = u64::from(word) + u64::from(FIRST_WORDS);
    let chunk = shifted.ilog2() - FIRST_WORDS.ilog2();
    (chunk as usize, (shifted - (u64::from(FIRST_WORDS) << chunk)) as usize)
}

#[cfg(test)]
mod tests;
