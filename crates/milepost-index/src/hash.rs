//! The hash of scopes and keys.
//!
//! XXH3-64 (Yann Collet, xxHash) of the key, seeded with that of its scope, which is seeded with the store's id: so a
//! scope is hashed once for all its keys, and in memory and in every run a key has the same hash.
//!
//! Invariant: a hash finds, it does not prove: whoever looks up by hash compares the names.

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Hash of a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ScopeHash(pub u64);

/// Hash of a key in its scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KeyHash(pub u64);

impl ScopeHash {
    /// The hash of a scope's name; the seed is [`ScopeHash::seed`] of the store.
    #[inline]
    #[must_use]
    pub fn of(store_seed: u64, scope: &str) -> ScopeHash {
        ScopeHash(xxh3_64_with_seed(scope.as_bytes(), store_seed))
    }

    /// What the hashes of a store begin with: the first eight bytes of its id.
    #[must_use]
    pub fn seed(store: &[u8; 16]) -> u64 {
        let mut first = [0; 8];
        first.copy_from_slice(&store[..8]);
        u64::from_le_bytes(first)
    }

    /// The hash of a key in this scope.
    #[inline]
    #[must_use]
    pub fn key(self, key: &str) -> KeyHash {
        KeyHash(xxh3_64_with_seed(key.as_bytes(), self.0))
    }
}

#[cfg(test)]
mod tests;
