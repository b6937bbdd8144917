//! Marks that wait for their commit, in the order in which they came.
//!
//! Invariant: a batch is committed as one; what came first is in the same batch or in one before it.

use std::collections::VecDeque;

/// What is said of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Say {
    Done,
    Failed,
    Skipped,
}

/// One mark of a batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark<'a> {
    pub(crate) say: Say,
    pub(crate) key: &'a str,
    pub(crate) value: &'a [u8],
    /// The item, if the key is only its hash.
    pub(crate) beside: &'a [u8],
}

/// Marks side by side: no mark has memory of its own.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    keys: String,
    bytes: Vec<u8>,
    ends: Vec<(Say, usize, usize, usize)>,
}

impl Batch {
    pub(crate) fn push(&mut self, mark: &Mark<'_>) {
        self.keys.push_str(mark.key);
        self.bytes.extend_from_slice(mark.value);
        let value_end = self.bytes.len();
        self.bytes.extend_from_slice(mark.beside);
        self.ends.push((mark.say, self.keys.len(), value_end, self.bytes.len()));
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.keys.len() + self.bytes.len()
    }

    pub(crate) fn marks(&self) -> impl Iterator<Item = Mark<'_>> {
        let (mut key_at, mut at) = (0, 0);
        self.ends.iter().map(move |(say, key_end, value_end, end)| {
            let (key, value) = (&self.keys[key_at..*key_end], &self.bytes[at..*value_end]);
            let beside = &self.bytes[*value_end..*end];
            (key_at, at) = (*key_end, *end);
            Mark { say: *say, key, value, beside }
        })
    }

    fn clear(&mut self) {
        self.keys.clear();
        self.bytes.clear();
        self.ends.clear();
    }
}

/// Batches that wait.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    full: VecDeque<Batch>,
    open: Batch,
    /// Memory of batches that are durable.
    spare: Vec<Batch>,
    /// Marks that came, in all, and those that became durable.
    pub(crate) came: u64,
    pub(crate) durable: u64,
}

/// Batches whose memory is kept.
const SPARE_MAX: usize = 4;

impl Queue {
    /// Adds a mark to the batch that is open; whether a batch is full now.
    pub(crate) fn push(&mut self, mark: &Mark<'_>, marks_max: usize, bytes_max: usize) -> bool {
        self.open.push(mark);
        self.came += 1;
        let is_full = self.open.len() >= marks_max || self.open.bytes() >= bytes_max;
        if is_full {
            self.seal();
        }
        is_full
    }

    /// Adds nothing more to the batch that is open.
    pub(crate) fn seal(&mut self) {
        if self.open.len() > 0 {
            let fresh = self.spare.pop().unwrap_or_default();
            self.full.push_back(std::mem::replace(&mut self.open, fresh));
        }
    }

    pub(crate) fn full_batches(&self) -> usize {
        self.full.len()
    }

    pub(crate) fn open_marks(&self) -> usize {
        self.open.len()
    }

    /// The batch that is to be committed next, be it full or not.
    pub(crate) fn take(&mut self) -> Option<Batch> {
        if self.full.is_empty() {
            self.seal();
        }
        self.full.pop_front()
    }

    /// Takes back a batch that could not be committed.
    pub(crate) fn put_back(&mut self, batch: Batch) {
        self.full.push_front(batch);
    }

    /// Counts a batch that is durable, and keeps its memory.
    pub(crate) fn settle(&mut self, mut batch: Batch) {
        self.durable += batch.len() as u64;
        if self.spare.len() < SPARE_MAX {
            batch.clear();
            self.spare.push(batch);
        }
    }
}
