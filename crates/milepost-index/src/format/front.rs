//! Names in order, of which each leaves out what it shares with the one before.
//!
//! ```text
//! scope name   varint  bytes shared with the name before; 0 in every 4th, where a restart points to
//!              varint  bytes of the rest, at least 1
//!                      the rest
//! ```
//!
//! Invariant: names ascend, so what follows the shared bytes is greater than what it replaces. [`Spelled`] demands it
//! of every name that it is given.

use super::{Malformed, NAME_BYTES_MAX, varint, varint::Fields};

/// Every so many names one is spelled out. Each look-up of a key walks from there to the name of its scope: with 16 it
/// took a quarter more time, with 4 a name takes some bytes more.
pub const RESTART_NAMES: usize = 4;

/// How many bytes two names share at their beginnings.
#[must_use]
pub fn shared(a: &[u8], b: &[u8]) -> usize {
    let (words_a, words_b) = (a.as_chunks::<8>().0, b.as_chunks::<8>().0);
    let same = words_a.iter().zip(words_b).take_while(|(a, b)| a == b).count() * 8;
    same + a[same..].iter().zip(&b[same..]).take_while(|(a, b)| a == b).count()
}

/// Appends a scope's name that follows `before`, or one that is spelled out.
pub fn put(out: &mut Vec<u8>, before: Option<&[u8]>, name: &[u8]) {
    let shared = before.map_or(0, |before| shared(before, name));
    varint::put(out, shared as u64);
    varint::put(out, (name.len() - shared) as u64);
    out.extend_from_slice(&name[shared..]);
}

/// Reads a scope's name: bytes shared, and the rest.
pub fn read<'a>(fields: &mut Fields<'a>) -> Result<(usize, &'a [u8]), Malformed> {
    let shared = fields.varint32()? as usize;
    let rest = fields.varint32()? as usize;
    Ok((shared, fields.take(rest)?))
}

/// A name put together step by step.
#[derive(Clone, Debug, Default)]
pub struct Spelled(Vec<u8>);

impl Spelled {
    /// Forgets the name: the next one is spelled out, and may be any.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// The next name. It must be greater than the one before.
    pub fn next(&mut self, shared: usize, rest: &[u8]) -> Result<(), Malformed> {
        let ascends = match (self.0.get(shared), rest.first()) {
            (Some(old), Some(new)) => old < new,
            (None, Some(_)) => shared == self.0.len(),
            (_, None) => false,
        };
        if !ascends || shared + rest.len() > NAME_BYTES_MAX {
            return Err(Malformed("names are not in order, or too long"));
        }
        self.0.truncate(shared);
        self.0.extend_from_slice(rest);
        Ok(())
    }

    /// Its bytes; empty before the first name.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Its text.
    pub fn text(&self) -> Result<&str, Malformed> {
        std::str::from_utf8(&self.0).map_err(|_| Malformed("a name is not UTF-8"))
    }
}

/// How far the name that a walk has come to agrees with the one wanted; nothing is put together.
#[derive(Clone, Debug)]
pub struct Agreement<'a> {
    wanted: &'a [u8],
    /// How many bytes the two share.
    agreed: usize,
    /// How long the name is.
    bytes: usize,
}

impl<'a> Agreement<'a> {
    /// Before the first name.
    #[must_use]
    pub fn with(wanted: &'a [u8]) -> Agreement<'a> {
        Agreement { wanted, agreed: 0, bytes: 0 }
    }

    /// The next name.
    #[inline]
    pub fn next(&mut self, shared: usize, rest: &[u8]) {
        // Where more is shared with the name before than that one shares with the wanted, nothing changes.
        if shared <= self.agreed {
            self.agreed = shared + self::shared(&self.wanted[shared..], rest);
        }
        self.bytes = shared + rest.len();
    }

    /// Whether the name is the wanted one.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.agreed == self.wanted.len() && self.bytes == self.wanted.len()
    }
}
