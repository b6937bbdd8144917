//! How versions lie in an ordered table of bytes: what every key-value engine here is given.
//!
//! ```text
//! versions   scope 0x00 key 0x00 inverted version (u64, big-endian)      -> value
//! order      version (u64, big-endian) place in the commit (u32, same)   -> scope 0x00 key
//! ```
//!
//! A version is inverted so that the newest of a key stands first, and the newest at or below a version is the first
//! entry at or behind it: one seek for a read at any point.
//!
//! Invariant: pure; scopes and keys hold no zero byte.

use std::io;

/// Bytes of an inverted version.
const VERSION_BYTES: usize = 8;

/// The key of a version, in a buffer that is used again.
#[derive(Default)]
pub(super) struct VersionKey(Vec<u8>);

impl VersionKey {
    /// `scope 0 key 0 !version`.
    pub(super) fn set(&mut self, scope: &str, key: &str, version: u64) -> &[u8] {
        self.set_stem(scope, key);
        self.0.extend_from_slice(&(!version).to_be_bytes());
        &self.0
    }

    /// `scope 0 key 0`: what the keys of all versions of a key begin with.
    fn set_stem(&mut self, scope: &str, key: &str) {
        self.0.clear();
        self.0.extend_from_slice(scope.as_bytes());
        self.0.push(0);
        self.0.extend_from_slice(key.as_bytes());
        self.0.push(0);
    }

    /// Whether `found` is a version of the same key.
    pub(super) fn is_of_same_key(&self, found: &[u8]) -> bool {
        found.len() == self.0.len() && found[..found.len() - VERSION_BYTES] == self.0[..self.0.len() - VERSION_BYTES]
    }
}

/// `scope 0`: where the versions of a scope begin.
pub(super) fn scope_start(scope: &str) -> Vec<u8> {
    [scope.as_bytes(), &[0]].concat()
}

/// `scope 1`: behind the versions of a scope, before those of any other.
pub(super) fn scope_end(scope: &str) -> Vec<u8> {
    [scope.as_bytes(), &[1]].concat()
}

/// `scope 0 key 1`: behind the versions of a key, before those of the next.
pub(super) fn key_end(scope: &str, key: &str) -> Vec<u8> {
    [scope.as_bytes(), &[0], key.as_bytes(), &[1]].concat()
}

/// The key that a version's key belongs to, without its scope, and the version.
pub(super) fn split<'a>(scope: &str, found: &'a [u8]) -> io::Result<(&'a [u8], u64)> {
    let behind_scope = found.get(scope.len() + 1..).unwrap_or_default();
    let Some((stem, version)) = behind_scope.split_last_chunk::<VERSION_BYTES>() else { return Err(unfit(found)) };
    let Some((0, key)) = stem.split_last() else { return Err(unfit(found)) };
    Ok((key, !u64::from_be_bytes(*version)))
}

/// The key of an entry of the order.
pub(super) fn order_key(version: u64, place: u32) -> [u8; 12] {
    let mut key = [0; 12];
    key[..8].copy_from_slice(&version.to_be_bytes());
    key[8..].copy_from_slice(&place.to_be_bytes());
    key
}

/// The value of an entry of the order: `scope 0 key`.
pub(super) fn order_value(scope: &str, key: &str) -> Vec<u8> {
    [scope.as_bytes(), &[0], key.as_bytes()].concat()
}

/// The version in the key of an entry of the order.
pub(super) fn order_version(found: &[u8]) -> io::Result<u64> {
    let Some((version, _)) = found.split_first_chunk() else { return Err(unfit(found)) };
    Ok(u64::from_be_bytes(*version))
}

/// Scope and key in the value of an entry of the order.
pub(super) fn scope_and_key(found: &[u8]) -> io::Result<(&[u8], &[u8])> {
    let zero = found.iter().position(|&byte| byte == 0).ok_or_else(|| unfit(found))?;
    Ok((&found[..zero], &found[zero + 1..]))
}

/// The version's key for an entry of the order.
pub(super) fn follow(order_value: &[u8], version: u64, buffer: &mut Vec<u8>) {
    buffer.clear();
    buffer.extend_from_slice(order_value);
    buffer.push(0);
    buffer.extend_from_slice(&(!version).to_be_bytes());
}

/// Picks, from a scope's versions in order, the newest of each key at or below a version.
pub(super) struct NewestOfEach<'a> {
    scope: &'a str,
    version: u64,
    taken: Vec<u8>,
}

impl<'a> NewestOfEach<'a> {
    /// Of this scope, as of this version.
    pub(super) fn new(scope: &'a str, version: u64) -> NewestOfEach<'a> {
        NewestOfEach { scope, version, taken: Vec::new() }
    }

    /// The key of an entry if it is the one to take.
    pub(super) fn take<'f>(&mut self, found: &'f [u8]) -> io::Result<Option<&'f [u8]>> {
        let (key, version) = split(self.scope, found)?;
        if version > self.version || self.taken == key {
            return Ok(None);
        }
        self.taken.clear();
        self.taken.extend_from_slice(key);
        Ok(Some(key))
    }
}

fn unfit(found: &[u8]) -> io::Error {
    io::Error::other(format!("an entry that was never written: {}", found.escape_ascii()))
}

/// The entry of a version that the order names is not there.
pub(super) fn missing(key: &[u8]) -> io::Error {
    io::Error::other(format!("the order names {}, which is not there", key.escape_ascii()))
}

#[cfg(test)]
mod tests;
