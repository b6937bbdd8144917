//! [`BlockCache`]: blocks of cold segments that were read a while ago, decompressed.
//!
//! Invariant: holds no more bytes than it may, but for one block in each of its parts. A block is known by the file
//! that it is of and its place there, and no file's name is used twice. A lock is held for a look or a change, never
//! while a block is read or decompressed.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use milepost_types::limits;
use parking_lot::Mutex;

use crate::SegmentName;

/// Parts with a lock each: readers seldom meet.
const PARTS: usize = 16;
/// What a block costs beside its bytes, about.
const ENTRY_BYTES: u64 = 96;

/// Which file, and which of its blocks.
type Key = (SegmentName, u32);

/// Decompressed blocks.
pub(crate) struct BlockCache {
    parts: [Mutex<Part>; PARTS],
    /// Of all parts. A hint, hence relaxed: who sees the old one keeps a block more.
    bytes_max: AtomicU64,
}

#[derive(Default)]
struct Part {
    blocks: HashMap<Key, Cached>,
    /// Who goes next. One that was asked for since it came to the front goes to the back instead.
    order: VecDeque<Key>,
    bytes: u64,
}

struct Cached {
    bytes: Arc<[u8]>,
    is_used: bool,
}

impl BlockCache {
    /// The block, if it is here.
    pub(crate) fn get(&self, file: SegmentName, block: usize) -> Option<Arc<[u8]>> {
        let key = (file, block as u32);
        let mut part = self.part(&key).lock();
        let cached = part.blocks.get_mut(&key)?;
        cached.is_used = true;
        Some(Arc::clone(&cached.bytes))
    }

    /// Keeps a block for a while.
    pub(crate) fn put(&self, file: SegmentName, block: usize, bytes: &Arc<[u8]>) {
        let bytes_max = self.bytes_max.load(Ordering::Relaxed) / PARTS as u64;
        let key = (file, block as u32);
        if bytes_max == 0 {
            return;
        }
        let mut part = self.part(&key).lock();
        let cached = Cached { bytes: Arc::clone(bytes), is_used: false };
        if let Some(before) = part.blocks.insert(key, cached) {
            part.bytes -= cost(&before.bytes);
        } else {
            part.order.push_back(key);
        }
        part.bytes += cost(bytes);
        while part.bytes > bytes_max && part.order.len() > 1 {
            part.let_one_go();
        }
    }

    /// Bytes that it may hold; 0 for none.
    pub(crate) fn set_bytes_max(&self, bytes: u64) {
        self.bytes_max.store(bytes, Ordering::Relaxed);
    }

    /// Bytes that it holds.
    pub(crate) fn bytes(&self) -> u64 {
        self.parts.iter().map(|part| part.lock().bytes).sum()
    }

    fn part(&self, (file, block): &Key) -> &Mutex<Part> {
        let mixed = (file.id.0 ^ u64::from(*block).rotate_left(32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        &self.parts[(mixed >> 60) as usize % PARTS]
    }
}

impl Part {
    fn let_one_go(&mut self) {
        while let Some(key) = self.order.pop_front() {
            let cached = self.blocks.get_mut(&key).expect("what is in the order is here");
            if std::mem::take(&mut cached.is_used) {
                self.order.push_back(key);
                continue;
            }
            let gone = self.blocks.remove(&key).expect("it was here a line above");
            self.bytes -= cost(&gone.bytes);
            return;
        }
    }
}

fn cost(bytes: &[u8]) -> u64 {
    bytes.len() as u64 + ENTRY_BYTES
}

impl Default for BlockCache {
    fn default() -> BlockCache {
        BlockCache { parts: Default::default(), bytes_max: AtomicU64::new(limits::COLD_CACHE_BYTES) }
    }
}

impl fmt::Debug for BlockCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BlockCache({} bytes)", self.bytes())
    }
}

#[cfg(test)]
mod tests;
