//! [`Grower`]: adds bytes to memory. [`Grown`]: that memory, read by any number meanwhile, without a lock.
//!
//! Invariant: bytes that were shown never change and never move, and only they can be read. What lies behind them
//! belongs to the one grower.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use crate::zeroed_words;

/// Memory that fills up from the front.
pub struct Grown {
    words: Box<[AtomicU64]>,
    /// How many bytes can be read. Changed by the grower only; release there pairs with acquire in `bytes`.
    shown: AtomicUsize,
}

/// Adds bytes, and decides when they can be read.
#[derive(Debug)]
pub struct Grower {
    grown: Arc<Grown>,
}

impl Grown {
    /// The bytes that were shown.
    #[inline]
    #[must_use]
    #[expect(unsafe_code, reason = "bytes of which a part is still being written can't be borrowed as a whole")]
    pub fn bytes(&self) -> &[u8] {
        let shown = self.shown.load(Ordering::Acquire);
        // SAFETY: `show` lets no more be shown than there are. Nobody writes below `shown` any more: the grower makes
        // references to what lies behind it only, and `shown` never shrinks. The bytes were initialized as zeros.
        unsafe { std::slice::from_raw_parts(self.words.as_ptr().cast(), shown) }
    }

    fn capacity(&self) -> usize {
        size_of_val(&*self.words)
    }
}

impl Grower {
    /// Memory for so many bytes, and some more up to a whole word. It costs nothing before it is touched.
    #[must_use]
    pub fn new(bytes: usize) -> Grower {
        let words = zeroed_words(bytes.div_ceil(size_of::<u64>()));
        Grower { grown: Arc::new(Grown { words, shown: AtomicUsize::new(0) }) }
    }

    /// What has been shown so far, and will be.
    #[must_use]
    pub fn grown(&self) -> &Arc<Grown> {
        &self.grown
    }

    /// How many bytes can be added.
    #[must_use]
    pub fn free_bytes(&self) -> usize {
        self.grown.capacity() - self.shown()
    }

    /// The bytes behind those shown; they hold whatever was left there, zeros at first.
    ///
    /// # Panics
    ///
    /// If there are fewer than `bytes`.
    #[expect(unsafe_code, reason = "bytes of which a part is being read can't be borrowed as a whole")]
    pub fn room(&mut self, bytes: usize) -> &mut [u8] {
        assert!(bytes <= self.free_bytes(), "room for {bytes} bytes was asked for, {} are free", self.free_bytes());
        let begin = self.grown.words.as_ptr().cast::<u8>().cast_mut();
        // SAFETY: the range lies within the words, which may be changed through a shared reference; readers are given
        // nothing from `shown` on; and this grower, borrowed for as long as the room is, is the only one.
        unsafe { std::slice::from_raw_parts_mut(begin.add(self.shown()), bytes) }
    }

    /// Shows the first `bytes` of the room.
    ///
    /// # Panics
    ///
    /// If there are fewer.
    pub fn show(&mut self, bytes: usize) {
        assert!(bytes <= self.free_bytes(), "{bytes} bytes were to be shown, {} are there", self.free_bytes());
        self.grown.shown.store(self.shown() + bytes, Ordering::Release);
    }

    /// How many bytes were shown. Only this grower changes it.
    fn shown(&self) -> usize {
        self.grown.shown.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for Grown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Grown({} of {} bytes)", self.shown.load(Ordering::Relaxed), self.capacity())
    }
}

#[cfg(test)]
mod tests;
