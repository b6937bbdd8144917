//! What the lock-free tables are made of. The model checker has a file of this name with the same words, so that it
//! runs the tables' own source: `models/src/shared.rs`.

pub(super) use milepost_io::touched_words;
pub(super) use std::sync::{
    OnceLock,
    atomic::{AtomicU32, AtomicU64, Ordering},
};

/// Slots of the first table, as a power of two.
pub(super) const FIRST_BITS: u32 = 10;
