//! What the kernels are made of, in the form that the checker watches, and tables so small that they grow at once.

use loom::sync::atomic::AtomicU64 as Watched;

pub(crate) use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering};
pub(crate) use std::sync::OnceLock;

/// Slots of the first table, as a power of two.
pub(crate) const FIRST_BITS: u32 = 1;

/// So many words, all zero.
pub(crate) fn touched_words(count: usize) -> Box<[Watched]> {
    (0..count).map(|_| Watched::new(0)).collect()
}
