//! The hash is part of the format: a run that is there must be found in for good.

use super::*;

/// The first row is what xxHash says of its own test vectors, without a seed.
#[test]
fn hashes_are_those_that_runs_were_written_with() {
    for (name, hash) in [("", 0x2d06_8005_38d3_94c2), ("a", 0xe6c6_32b6_1e96_4e1f), ("abc", 0x78af_5f94_892f_3950)] {
        assert_eq!(ScopeHash::of(0, name), ScopeHash(hash), "{name}");
        assert_eq!(ScopeHash(0).key(name), KeyHash(hash), "{name}");
    }
    let seed = ScopeHash::seed(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]);
    assert_eq!(seed, 0x0807_0605_0403_0201, "the first eight bytes of the store's id");
}

/// A key of two scopes, and a scope of two stores, are found in different places.
#[test]
fn a_hash_depends_on_all_that_it_is_in() {
    let stores = [ScopeHash::seed(&[1; 16]), ScopeHash::seed(&[2; 16])];
    let scopes = stores.map(|seed| ["a", "b"].map(|scope| ScopeHash::of(seed, scope)));
    let keys = scopes.as_flattened().iter().map(|scope| scope.key("k").0);
    let mut all: Vec<u64> = scopes.as_flattened().iter().map(|scope| scope.0).chain(keys).collect();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 8);
}
